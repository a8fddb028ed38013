"""Clerks: what they are told, and how they come back."""

from __future__ import annotations

import queue
import sys

import pytest
from pydantic import SecretStr

from anytune.server.training import desk as module
from anytune.server.training.clerk import Errand
from anytune.server.training.desk import Desk

ECHO = """
import json, os, sys
for line in sys.stdin:
    errand = json.loads(line)
    told = {"pid": os.getpid(), "options": errand["options"], "argv": sys.orig_argv, "environment": dict(os.environ)}
    open(errand["lock"] + ".told", "w").write(json.dumps(told))
    print(json.dumps({"status": 0}), flush=True)
"""
LINGERS = "import sys, time; sys.stdin.readline(); print('{\"status\": 0}', flush=True); time.sleep(600)"
DIES = "import sys; sys.stdin.readline(); sys.stderr.write('out of memory, sk-abcdefghijklmnop'); sys.exit(3)"
HANGS = "import sys, time; sys.stdin.readline(); time.sleep(600)"


@pytest.fixture
def desk(tmp_path):
    desks = []

    def opened(code):
        woken = queue.Queue()
        desks.append(Desk(tmp_path / "clerks", lambda: woken.put(True), command=(sys.executable, "-c", code)))
        desks[-1].woken = woken
        return desks[-1]

    yield opened
    for each in desks:
        each.close()


@pytest.fixture
def errand(desk, tmp_path):
    def made(order="ftjob-1", phase="check", **options):
        lock = tmp_path / "clerks" / f"{order}.lock"
        return Errand(order=order, phase=phase, backend="memory", options=options, files={}, hooks=[], lock=lock)

    return made


def test_secrets_reach_a_clerk_by_stdin_alone(desk, errand, tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_API_KEY", "sk-server-key-of-the-owner-1234567890")
    desk = desk(ECHO)
    desk.send(errand(api_key=SecretStr("canary-5f0c9a7be25d43c8")))
    desk.woken.get(timeout=20)
    told = (tmp_path / "clerks" / "ftjob-1.lock.told").read_text()
    assert told.count("canary-5f0c9a7be25d43c8") == 1
    assert "sk-server-key" not in told
    assert [(back.order, back.status) for back in desk.returned()] == [("ftjob-1", 0)]
    assert not desk.has("ftjob-1")


def test_a_clerk_that_came_back_well_is_sent_again(desk, errand, tmp_path):
    desk = desk(ECHO)
    for order in ("ftjob-1", "ftjob-2"):
        desk.send(errand(order))
        desk.woken.get(timeout=20)
        desk.returned()
    first, second = ((tmp_path / "clerks" / f"ftjob-{n}.lock.told").read_text().split(",")[0] for n in (1, 2))
    assert first == second


def test_an_errand_comes_back_also_from_a_clerk_that_was_just_killed(desk, errand):
    desk = desk(ECHO)
    for order in ("ftjob-1", "ftjob-2", "ftjob-3"):
        desk.send(errand(order))
        desk.woken.get(timeout=20)
        (back,) = desk.returned()
        assert (back.order, back.status in {0, -9}) == (order, True)
        for clerk in desk._clerks:
            clerk.child.kill()


def test_a_clerk_that_was_let_go_is_not_left_behind(desk, errand, monkeypatch):
    monkeypatch.setattr(module, "_ERRANDS", 1)
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    desk = desk(LINGERS)
    desk.send(errand())
    desk.woken.get(timeout=20)
    (clerk,) = desk._clerks
    desk.returned()
    desk.send(errand("ftjob-2"))
    desk.close()
    assert clerk.child.returncode is not None


def test_a_clerk_that_dies_comes_back_with_its_last_words_without_keys(desk, errand):
    desk = desk(DIES)
    desk.send(errand())
    desk.woken.get(timeout=20)
    (back,) = desk.returned()
    assert (back.order, back.phase, back.status) == ("ftjob-1", "check", 3)
    assert back.said == "out of memory, [redacted]"


def test_a_clerk_that_is_recalled_is_killed(desk, errand):
    desk = desk(HANGS)
    desk.send(errand())
    assert desk.busy("check") == 1
    desk.recall("ftjob-2")
    desk.recall("ftjob-1")
    desk.woken.get(timeout=20)
    assert [back.status for back in desk.returned()] == [-9]
    assert desk.busy("check") == 0


def test_an_option_that_cannot_be_handed_over_starts_nobody(desk, errand):
    desk = desk(ECHO)
    with pytest.raises(TypeError):
        desk.send(errand(clock=object()))
    assert not desk.has("ftjob-1")
