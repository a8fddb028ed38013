"""A simulated Hub for the module, with a model as `acme/tiny`, and orders for the places of the cloud."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
from ulid import ULID

from anytune.backend import LocalFile, Order
from anytune.spec import TrainingSpec, spec_hash
from anytune.testing.simulators.hub import HubSimulator
from anytune_huggingface.compute.place import Program

COUNTING = Program(
    backend="trl", module="counting_program", distributions=("anytune", "anytune-huggingface"), environment={"COUNT_STEP_S": "0.05"}
)


@pytest.fixture(scope="module", autouse=True)
def anytune_home(tmp_path_factory):
    """One home for the module, in place of the providers' own: here the Hub is switched on."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTUNE_HOME", str(home))
        patch.setenv("HF_HOME", str(home / "huggingface"))
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        patch.setenv("HF_HUB_DISABLE_XET", "1")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        settle_library(patch, home)
        patch.setenv("GOMP_SPINCOUNT", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent / "programs"))
        yield home


def settle_library(patch, home):
    """Change what the library of the Hub read from the environment when it was imported."""
    from huggingface_hub import constants, utils

    (home / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub-cache"))
    patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    patch.setattr(constants, "AGENT_HARNESSES_PATH", str(home / "agents.json"))
    utils.disable_progress_bars()


@pytest.fixture(scope="module")
def hub(anytune_home):
    """A Hub with a model that can be fetched and verified, and is never loaded; the environment points to it."""
    with HubSimulator(user="acme", orgs=()) as hub, pytest.MonkeyPatch.context() as patch:
        hub.add("model", "acme/tiny", {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": b"\x02" + bytes(7) + b"{}"})
        for name, value in hub.environment().items():
            patch.setenv(name, value)
        yield hub


@pytest.fixture(scope="module")
def order(tmp_path_factory):
    """Make orders on a few rows."""
    folder = tmp_path_factory.mktemp("data")
    path = folder / "train.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"what is the colour of {fruit}"}, {"role": "assistant", "content": colour}]}
        for fruit, colour in [("apple", "red"), ("pear", "green"), ("plum", "purple"), ("lime", "green")] * 4
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    content = path.read_bytes()
    file = LocalFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), role="train")

    def make(compute, name="colours", model="acme/tiny", **method):
        spec = TrainingSpec(
            backend="trl", model=model, train=path, name=name, method={"type": "sft", "max_steps": 2, "logging_steps": 1} | method,
            adapter={"type": "lora", "r": 4},
        )  # fmt: skip
        return Order(
            ref=str(ULID()), ledger="L1", sequence=1, name=name, spec=spec,
            spec_hash=spec_hash(spec, model=model, data={"train": file.sha256}), model=model,
            files={"train": compute.upload(file)}, data={"train": file},
        )  # fmt: skip

    return make


@pytest.fixture(scope="module")
def program():
    """Make the program that only counts, with more in its environment."""
    return lambda **more: COUNTING.model_copy(update={"environment": COUNTING.environment | more})


def wait_until(look, wanted, seconds=120.0):
    """Look until what is seen is wanted, and give it."""
    end = time.monotonic() + seconds
    while not wanted(seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {seen}")
        time.sleep(0.2)
    return seen


@pytest.fixture(scope="module")
def watch():
    return wait_until
