"""How many paid jobs one order makes when the reply to its create is lost, and how many of them its program knows.

    python bench/lost_reply.py [--litellm PATH | --alone]

Every client sends one order with the defaults that it is released with, to a simulator over real HTTP that takes the job and then closes
the connection: once, or for 10 seconds. The simulators count requests and jobs; the program says what it was given. LiteLLM and DSPy are
installed into an environment that is thrown away afterwards (`--litellm` takes one that is there, `--alone` does without); the npm clients
are those of `tests/server/clients/node`. Prints Markdown. Takes about 3 minutes beside the installation.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.testing import AzureSimulator, OpenAISimulator, WireFault, WireFaults
from anytune.testing.simulators.hub import HubSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PEERS = ("litellm==1.106.2", "dspy==3.4.1")
HERE = Path(__file__).resolve().parent
NODE = HERE.parent / "tests" / "server" / "clients" / "node"
MODEL = "gpt-4.1-mini-2025-04-14"
TUNING, HUB_JOBS = "POST /fine_tuning/jobs", "POST /api/jobs/{namespace}"
OUTAGE_S = 10.0
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
PATIENCE_S = 300.0
_UNSET = ("OPENAI_", "AZURE_", "HF_", "ANYTUNE_")


@dataclass(frozen=True)
class Client:
    """Who sends the create.

    Attributes:
        name: As the table shows it.
        key: Its name in `creators/program.py`, or the npm package.
        where: `openai`, `azure` or `hub`.
        version: The library's, as installed.
        runs: `here`; `peers`: in the environment of LiteLLM and DSPy; `node`.
    """

    name: str
    key: str
    where: str
    version: str
    runs: str = "here"


@dataclass(frozen=True)
class Count:
    """What one order came to."""

    posts: int
    jobs: int
    known: int
    error: str


def clients(peers: Path | None, *, node: bool) -> list[Client]:
    """Name those that can be had here."""
    own = importlib.metadata.version
    found = [
        Client("openai (Python)", "openai", "openai", own("openai")),
        Client("openai (Python), `AzureOpenAI`", "AzureOpenAI", "azure", own("openai")),
        Client("openai (Python) in tenacity, 3 tries", "tenacity", "openai", own("openai")),
    ]
    if node:
        packages = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
        found += [Client("openai (npm)", key, "openai", packages[key].rpartition("@")[2], runs="node") for key in ("openai", "openai6")]
    if peers is not None:
        theirs = _versions(peers)
        found += [
            Client("LiteLLM, `openai`", "litellm", "openai", theirs["litellm"], runs="peers"),
            Client("LiteLLM, `azure`", "litellm-azure", "azure", theirs["litellm"], runs="peers"),
            Client("DSPy", "dspy", "openai", theirs["dspy"], runs="peers"),
        ]
    return [
        *found,
        Client("requests", "requests", "openai", own("requests")),
        Client("huggingface_hub, `run_job`", "huggingface_hub", "hub", own("huggingface_hub")),
        *(
            Client(f"**anytune**, `{name}`", f"anytune-{key}", where, own("anytune"))
            for name, key, where in (("openai", "openai", "openai"), ("azure", "azure", "azure"), ("trl@hf_jobs", "trl", "hub"))
        ),
    ]


def _versions(peers: Path) -> dict[str, str]:
    code = "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in ('litellm', 'dspy', 'openai')}))"
    done = subprocess.run([peers / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    return {name: str(version) for name, version in json.loads(done.stdout).items()}


def peers_in(given: Path | None, folder: Path) -> Path | None:
    """Give an environment with LiteLLM and DSPy, one that is there or one made now; None where it cannot be had."""
    if given is not None:
        return given
    home = folder / "peers"
    venv.create(home, with_pip=True)
    command = [home / "bin" / "python", "-m", "pip", "install", "-qq", *PEERS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"LiteLLM and DSPy are left out: {done.stderr.strip().splitlines()[-1] if done.stderr else 'pip failed'}\n")
        return None
    return home


@contextlib.contextmanager
def provider(where: str, train: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Start a simulator with a file that can be trained on, and give the environment that leads to it."""
    if where == "hub":
        with HubSimulator(user="acme", orgs=(), scheduling_s=3600.0) as hub:
            hub.add("model", "acme/tiny", _model(train.parent))
            yield hub, {**hub.environment(), "MODEL": "acme/tiny"}
        return
    with OpenAISimulator() if where == "openai" else AzureSimulator() as sim:
        told = {"BASE_URL": sim.base_url, "API_KEY": sim.api_key, "MODEL": MODEL, "FILE_ID": _uploaded(sim, train)}
        if isinstance(sim, AzureSimulator):
            yield sim, told | {"AZURE_OPENAI_ENDPOINT": sim.endpoint, "AZURE_OPENAI_API_KEY": sim.api_key}
        else:
            yield sim, told | {"OPENAI_BASE_URL": sim.base_url, "OPENAI_API_KEY": sim.api_key}


def _uploaded(sim: OpenAISimulator | AzureSimulator, train: Path) -> str:
    from openai import OpenAI  # noqa: PLC0415 - two seconds

    with OpenAI(base_url=sim.base_url, api_key=sim.api_key) as client:
        file = client.files.create(file=train, purpose="fine-tune")
        client.files.wait_for_processing(file.id, poll_interval=0.05)
        return file.id


def _model(folder: Path) -> Path:
    """Make a small random model that can be fetched and checked; no container is started to train it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: PLC0415 - seconds, and for one row of the table only
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: PLC0415 - the same

    made = folder / "tiny"
    if not made.exists():
        words = Tokenizer(models.BPE())
        words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False)
        words.train_from_iterator(["cups of rice"], trainer)
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|end|>", pad_token="<|end|>")  # noqa: S106 - a token of text
        tokenizer.chat_template = TEMPLATE
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
        LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), eos_token_id=0, pad_token_id=0, **sizes)).save_pretrained(made)
        tokenizer.save_pretrained(made)
    return made


def counted(client: Client, *, outage_s: float, train: Path, peers: Path | None) -> Count:
    """Let one client send its order, and count."""
    route = HUB_JOBS if client.where == "hub" else TUNING
    with provider(client.where, train) as (sim, told), tempfile.TemporaryDirectory() as scratch:
        sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=route, times=10**6 if outage_s else 1),))
        done = threading.Event()
        if outage_s:
            threading.Thread(target=_end_outage, args=(sim, route, outage_s, done), daemon=True).start()
        said = _run(client, told | {"TRAIN": str(train)}, Path(scratch), peers)
        done.set()
        made = set(sim.jobs) if client.where == "hub" else {job.id for job in sim.jobs}
        return Count(sim.count(route), len(made), len(made & set(said["known"])), said["error"])


def _end_outage(sim: Any, route: str, outage_s: float, done: threading.Event) -> None:
    """Let replies through again, so many seconds after the first create arrived: clients take up to half a minute to start."""
    while not sim.count(route):
        if done.wait(0.02):
            return
    done.wait(outage_s)
    sim.faults = WireFaults()


def _run(client: Client, told: Mapping[str, str], scratch: Path, peers: Path | None) -> dict[str, Any]:
    """Run the client's program with nothing of this machine's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_UNSET)}
    homes = {"ANYTUNE_HOME": str(scratch / "home"), "HF_HOME": str(scratch / "hf"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command: Sequence[str | Path]
    if client.runs == "node":
        command, cwd = ["node", str(HERE / "creators" / "npm.mjs")], NODE
        homes["CLIENT"] = client.key
    else:
        python = sys.executable if client.runs == "here" or peers is None else peers / "bin" / "python"
        command, cwd = [python, HERE / "creators" / "program.py", client.key], scratch
    done = subprocess.run(command, cwd=cwd, env=kept | homes | told, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    try:
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except (IndexError, ValueError):
        raise RuntimeError(f"{client.name}: {done.stderr[-2000:]}") from None


def table(rows: Sequence[tuple[Client, Count]]) -> str:
    """Lay out what was counted."""
    lines = ["| client, with its defaults | version | POSTs | paid jobs | jobs that the program knows | jobs that nobody knows |"]
    lines.append("|---|---|---:|---:|---:|---:|")
    for client, count in rows:
        raised = f" (`{count.error}`)" if count.error else ""
        unknown = count.jobs - count.known
        lines.append(f"| {client.name} | {client.version} | {count.posts} | {count.jobs} | {count.known}{raised} | {unknown} |")
    return "\n".join(lines)


def rows_for(folder: Path) -> Path:
    """Write twenty rows that every host takes."""
    path = folder / "train.jsonl"
    lines = [
        {"messages": [{"role": "user", "content": f"{n} cups of rice"}, {"role": "assistant", "content": f"rice: {n} cups"}]}
        for n in range(1, 21)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def main() -> None:
    """Count both kinds of trouble for every client, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", type=Path, help="an environment that holds LiteLLM and DSPy")
    parser.add_argument("--alone", action="store_true", help="without LiteLLM and DSPy")
    said = parser.parse_args()
    node = shutil.which("node") is not None and (NODE / "node_modules").is_dir()
    if not node:
        print("The npm clients are left out: there is no node, or `npm ci` was not run in tests/server/clients/node.\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        peers = None if said.alone else peers_in(said.litellm, folder)
        train, wanted = rows_for(folder), clients(peers, node=node)
        for title, outage_s in (("The first reply to the create is lost", 0.0), (f"All its replies are lost for {OUTAGE_S:g} s", OUTAGE_S)):
            rows = [(client, counted(client, outage_s=outage_s, train=train, peers=peers)) for client in wanted]
            print(f"### {title}\n\n{table(rows)}\n", flush=True)
        inside = f"openai {_versions(peers)['openai']} inside LiteLLM and DSPy; " if peers else ""
        print(f"{inside}Python {platform.python_version()}; simulators on loopback.")


if __name__ == "__main__":
    main()
