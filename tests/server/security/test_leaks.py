"""Rows 32 and 33: no key, prompt or row of data in any sink, also where a provider's error quotes the key that it was sent."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import psutil
import pytest
from tests.server.waiting import until

BACKEND_KEY = "sk-canary-backend-3e1f7a90c2"
WEBHOOK_SECRET = "whsec_Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LWtleQ=="
PROMPT = "canary-prompt-71c2"
DATA = "canary-row-05be"
ROW = json.dumps({"messages": [{"role": "user", "content": DATA}, {"role": "assistant", "content": "Yes."}]}).encode() + b"\n"
JSON = [("Content-Type", "application/json")]


def post(send, server, path, body, key=None):
    return send(server, "POST", path, JSON, json.dumps(body).encode(), key=key)


def use(send, server, upload, key):
    """Do everything that a client can, the wrong things too; give all that was answered."""
    told = [send(server, "GET", "/v1/files", key="sk-anytune-" + "w" * 43), send(server, "GET", f"/v1/models?q={key}", key=key)]
    file_id = upload(server, key=key, content=ROW)
    told.append(post(send, server, "/v1/fine_tuning/jobs", {"model": "base", "training_file": file_id}, key))
    job = told[-1].json["id"]
    until(lambda: send(server, "GET", f"/v1/fine_tuning/jobs/{job}", key=key).json["status"] in {"succeeded", "failed", "cancelled"})
    paths = (f"/v1/fine_tuning/jobs/{job}", f"/v1/fine_tuning/jobs/{job}/events", "/v1/models", f"/v1/files/{file_id}")
    told += [send(server, "GET", path, key=key) for path in paths]
    bodies = (
        {"model": "base", "messages": [{"role": "user", "content": PROMPT}], "api_base": PROMPT},
        [PROMPT],
        {"model": "m", "messages": PROMPT},
    )
    told += [post(send, server, "/v1/chat/completions", body, key) for body in bodies]
    told.append(send(server, "POST", "/v1/chat/completions", JSON, b'{"messages": "' + PROMPT.encode(), key=key))
    told.append(send(server, "GET", "/metrics"))
    return told, job


def settings(faults=()):
    return {
        "options": {"api_key": BACKEND_KEY, "faults": {"calls": list(faults)}},
        "webhooks": {"me": {"url": "https://hooks.example.org/x", "secret": WEBHOOK_SECRET, "owners": ["nobody"]}},
    }


@pytest.fixture(
    params=[(), ({"kind": "auth", "on": "submit", "times": 9},), ({"kind": "vendor_error", "on": "poll", "times": 2},)],
    ids=["well", "auth", "vendor"],
)
def faults(request):
    return request.param


def test_no_secret_in_answers_logs_ledger_or_reprs(serve, send, upload, state, faults, request):
    caplog, capfd = request.getfixturevalue("caplog"), request.getfixturevalue("capfd")
    with caplog.at_level(logging.DEBUG):
        server = serve(**settings(faults))
        key = server.key_of("alice")
        told, job = use(send, server, upload, key)
    ended = send(server, "GET", f"/v1/fine_tuning/jobs/{job}", key=key).json
    assert ended["status"] == ("failed" if faults and faults[0]["kind"] == "auth" else "succeeded"), ended["error"]
    out = capfd.readouterr()
    logs = "\n".join(f"{record.getMessage()} {record.exc_text} {record.args}" for record in caplog.records)
    kept = b"".join(path.read_bytes() for path in state.glob("ledger.db*"))
    sinks = {
        "answers": b"".join(answer.body + str(answer.headers).encode() for answer in told),
        "logs": (logs + out.out + out.err).encode(),
        "ledger": kept,
        "reprs": "".join(map(repr, (server.house, server.house.config, server.house.context.backends, server.app))).encode(),
        "schema": json.dumps(server.app.openapi()).encode(),
    }
    secrets = {
        "admin's key": server.key,
        "alice's key": key,
        "backend's key": BACKEND_KEY,
        "webhook secret": WEBHOOK_SECRET,
        "prompt": PROMPT,
        "row": DATA,
    }
    found = [(name, sink) for sink, content in sinks.items() for name, secret in secrets.items() if secret.encode() in content]
    assert found == []


def test_no_secret_in_a_real_server_s_output_arguments_or_children(launch, send, upload, state, tmp_path):
    config = tmp_path / "server.yaml"
    config.write_text(json.dumps(settings() | {"backend": "memory", "webhooks": {}}))
    server = launch("--config", str(config))
    answer = post(send, server, "/v1/uploads", {"filename": "rows.jsonl", "purpose": "fine-tune", "bytes": 10, "mime_type": "text/jsonl"})
    assert answer.status == 200
    told, _ = use(send, server, upload, server.key)
    process = psutil.Process(server.process.pid)
    arguments = [" ".join(one.cmdline()) for one in (process, *process.children(recursive=True))]
    outside = [Path(f"/proc/{child.pid}/environ").read_bytes() for child in process.children(recursive=True)]
    server.process.terminate()
    server.process.wait(20)
    log = (tmp_path / "serve.log").read_text() + server.process.stdout.read()
    sinks = {
        "answers": b"".join(one.body for one in told),
        "log": log.encode(),
        "arguments": "".join(arguments).encode(),
        "children": b"".join(outside),
    }
    secrets = {"admin's key": server.key, "backend's key": BACKEND_KEY, "prompt": PROMPT, "row": DATA}
    assert [(name, sink) for sink, content in sinks.items() for name, secret in secrets.items() if secret.encode() in content] == []


def test_the_server_s_files_are_for_its_owner_only(serve, upload, state):
    server = serve()
    upload(server)
    open_ = [str(path) for path in state.rglob("*") if path.stat().st_mode & 0o077 and not path.is_symlink()]
    assert open_ == []
