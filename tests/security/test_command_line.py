"""Rows 32 and 33 at the command line: whole lives in real processes, well and with failures, and no key, prompt or row in any sink."""

from __future__ import annotations

import json

import pytest
from tests.security.sweep import CANARIES, KEYS, Life, rows

from anytune.testing import AzureSimulator, OpenAISimulator, WireFault, WireFaults
from anytune.testing.simulators.service import Reply

MODEL = "gpt-4.1-mini-2025-04-14"
SPEC = f"backend: BACKEND\nmodel: {MODEL}\ntrain: rows.jsonl\nname: herbs\nmethod: {{type: sft, num_train_epochs: 2}}\n"


def echoing(kind, status, *endpoints):
    """Make a host that answers some requests with an error which repeats what it was sent: the key, its headers and the body."""

    class Echoing(kind):
        def handled(self, endpoint, request, values):
            if endpoint not in endpoints:
                return super().handled(endpoint, request, values)
            sent = request.get_data(as_text=True) or json.dumps(request.get_json(silent=True))
            message = f"Incorrect API key provided: {self.key_of(request)}. Got: {dict(request.headers)} {sent}"
            return Reply({"error": {"message": message, "type": "server_error", "param": None, "code": None}}, status)

    return Echoing


def at_openai(faults, kind=OpenAISimulator):
    host = kind(faults=faults, api_key=CANARIES["openai key"])
    return host, "openai", lambda: {"OPENAI_BASE_URL": host.base_url, "OPENAI_API_KEY": host.api_key, "OPENAI_LOG": "debug"}


def at_azure(faults, kind=AzureSimulator, **opens):
    host = kind(faults=faults, api_key=CANARIES["azure key"], entra_token=CANARIES["arm token"])
    return (
        host,
        "azure",
        lambda: {
            "AZURE_OPENAI_ENDPOINT": host.endpoint,
            "AZURE_OPENAI_API_KEY": host.api_key,
            "AZURE_SUBSCRIPTION_ID": host.subscription_id,
            "AZURE_RESOURCE_GROUP": host.resource_group,
            "AZURE_OPENAI_ACCOUNT": host.resource,
            "AZURE_ARM_URL": host.arm_url,
            "AZURE_ARM_TOKEN": host.entra_token,
        },
    )


HOSTS = {"openai": (at_openai, OpenAISimulator), "azure": (at_azure, AzureSimulator)}
JOB, JOBS = "GET /fine_tuning/jobs/{id}", "POST /fine_tuning/jobs"
TROUBLE = {
    "well": WireFaults(),
    "with trouble": WireFaults(
        calls=(
            WireFault(kind="refuse", name="bad_key", on="POST /files"),
            WireFault(kind="drop_reply", on=JOBS),
            WireFault(kind="html", on=JOB, times=8, skip=1),
        )
    ),
}


def lived(life, backend):
    """Give every command that a person gives in the life of a model."""
    rows(life.folder / "rows.jsonl")
    (life.folder / "herbs.yaml").write_text(SPEC.replace("BACKEND", backend))
    commands = (
        "preflight herbs.yaml --report report.html",
        "run herbs.yaml --poll 0.05s --timeout 20s --json",
        "jobs watch herbs --poll 0.05s --timeout 5s --json",
        "jobs show herbs",
        "deploy herbs --ttl 5m",
        "chat herbs",
        "deployments stop herbs",
        "doctor --json",
        "run herbs.yaml --new-attempt --timeout 5s --poll 0.05s",
    )
    life.each(*((command.split(), CANARIES["prompt"] if command.startswith("chat") else "") for command in commands))


def asked_for(secret, sink):
    """Tell whether it has to be there: what was asked for, the rows as they are sent, and keys in the environment of the watch (SECURITY.md)."""
    if "anytune.watch" in sink and sink.startswith("environment"):
        return secret in KEYS
    if sink.startswith("home/data/"):
        return secret in {"row", "answer"}
    return secret == "prompt" and sink.startswith("stdout of") and " chat " in sink


def urls(host):
    return " ".join(f"{one.path}?{one.query}" for one in host.requests)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("name", HOSTS)
def test_no_secret_reaches_a_sink(tmp_path, name, trouble):
    host, backend, environment = HOSTS[name][0](TROUBLE[trouble])
    with host, Life(tmp_path, environment()) as life:
        lived(life, backend)
        assert set(life.codes.values()) & {0}, life.printed
        assert len(life.log.read_bytes()) > 10_000, "the loggers said nothing, so that this proves nothing"
        assert life.leaks(allowed=asked_for) == []
        assert [secret for secret in CANARIES if CANARIES[secret] in urls(host)] == []
        assert [str(path) for path in life.home.iterdir() if path.stat().st_mode & 0o077] == [], "what others could open"


ECHOES = {
    "the key, at the first look": (401, ("list_jobs", "create_job", "upload_file", "list_files")),
    "an upload and a job": (500, ("upload_file", "retrieve_job")),
    "a chat": (500, ("chat", "chat_completions", "create_chat_completion", "complete")),
}


@pytest.mark.slow
@pytest.mark.parametrize("echo", ECHOES)
def test_a_host_that_repeats_what_it_was_sent_leaks_nothing(tmp_path, echo):
    status, endpoints = ECHOES[echo]
    host, backend, environment = at_openai(WireFaults(), echoing(OpenAISimulator, status, *endpoints))
    with host, Life(tmp_path, environment() | {"ANYTUNE_DEBUG": "1"}) as life:
        lived(life, backend)
        assert life.leaks(allowed=asked_for) == []
        assert "[redacted]" in "".join(life.printed.values()), "nothing was echoed, so that this proves nothing"


BROKEN = """
import os
from anytune.testing import MemoryBackend
class Broken(MemoryBackend):
    name = "broken"
    def __init__(self, **_):
        raise RuntimeError("cannot sign in with " + os.environ["AZURE_OPENAI_API_KEY"] + " or " + os.environ["HF_TOKEN"])
"""


@pytest.mark.parametrize("debug", ["0", "1"])
def test_the_traceback_of_a_broken_plugin_hides_keys_of_no_shape(tmp_path, debug):
    keys = {"AZURE_OPENAI_API_KEY": CANARIES["azure key"], "OPENAI_API_KEY": CANARIES["openai key"], "ANYTUNE_DEBUG": debug}
    with Life(tmp_path, keys) as life:
        info = tmp_path / "hooks" / "broken-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[anytune.backends]\nbroken = broken_plugin:Broken\n")
        (tmp_path / "hooks" / "broken_plugin.py").write_text(BROKEN)
        rows(tmp_path / "rows.jsonl")
        (tmp_path / "herbs.yaml").write_text(SPEC.replace("BACKEND", "broken"))
        for command in (["preflight", "herbs.yaml"], ["run", "herbs.yaml", "--json"], ["backends", "show", "broken"], ["doctor"]):
            life(*command)
        said = "".join(life.printed.values())
        assert "cannot sign in with [redacted]" in said
        assert ("Traceback" in said) is (debug == "1")
        assert life.leaks() == []


def test_a_database_s_password_is_in_no_sink(tmp_path):
    url = f"postgresql://owner:{CANARIES['pg password']}@127.0.0.1:9/anytune"
    with Life(tmp_path, {"ANYTUNE_LEDGER": url, "ANYTUNE_DEBUG": "1"}) as life:
        for command in (["jobs", "list"], ["doctor"], ["doctor", "--json"], ["jobs", "list", "--json"]):
            life(*command)
        assert set(life.codes.values()) != {0}
        assert life.leaks() == []


def test_a_planted_leak_is_found_in_each_kind_of_sink(tmp_path):
    key, prompt = CANARIES["azure key"], CANARIES["prompt"]
    with Life(tmp_path, {}) as life:
        life.python("-c", f"print({key!r})")
        life.python("-c", f"import logging; logging.getLogger('httpx2').debug({prompt!r})")
        life.home.mkdir()
        life.python("-c", f"import os; open(os.environ['ANYTUNE_HOME'] + '/left', 'w').write({key!r})")
        life.python("-c", f"import tempfile, json; tempfile.NamedTemporaryFile('w', delete=False).write(json.dumps({prompt!r}))")
        life.python("-c", "import os, sys, time; time.sleep(1)", CANARIES["pg password"])
        found = "\n".join(life.leaks())
    for place in ("azure key in stdout", "prompt in debug log", "azure key in home/left", "prompt in tmp/", "pg password in arguments"):
        assert place in found
    assert "hf token in environment of" in found
