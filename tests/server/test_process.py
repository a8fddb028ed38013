"""The process behind `anytune serve`: how it begins, ends, and keeps a second one out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx2
import pytest


def started(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "anytune.cli", "serve", "--backend", "memory", "--port", "0", *arguments]
    return subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False)


def test_sigterm_is_the_usual_end_and_no_failure(launch):
    served = launch("--backend", "memory")
    assert httpx2.get(f"{served.root}/health").json() == {"status": "ok"}
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(20) == 0


def test_ctrl_c_ends_without_a_traceback(launch, tmp_path):
    served = launch("--backend", "memory")
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(20) == 130
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


def test_each_request_leaves_one_line_without_its_key(launch, tmp_path):
    served = launch("--backend", "memory")
    reply = httpx2.get(f"{served.base_url}/models", headers={"authorization": f"Bearer {served.key}"})
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(20)
    log = (tmp_path / "serve.log").read_text()
    assert log.count(reply.headers["x-request-id"]) == 1
    assert served.key not in log


@pytest.mark.parametrize("apart", [False, True], ids=["same folder", "same ledger"])
def test_a_second_server_on_the_same_state_is_refused(launch, state, tmp_path, apart):
    launch("--backend", "memory")
    ledger = f"sqlite:///{state / 'ledger.db'}"
    other = {"ANYTUNE_HOME": str(tmp_path / "other"), "ANYTUNE_LEDGER": ledger} if apart else {}
    refused = started(**other)
    assert refused.returncode == 2
    assert "Another server" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_address_that_is_taken_is_named(launch, tmp_path):
    served = launch("--backend", "memory")
    port = served.root.rsplit(":", 1)[1]
    refused = started("--port", port, ANYTUNE_HOME=str(tmp_path / "other"))
    assert refused.returncode == 2
    assert f"Cannot listen on 127.0.0.1 port {port}" in refused.stderr
