"""Many processes at the same moment over one ledger: one of them wins, and the others get what it made (row 7)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from anytune import SFT, FineTuneJob, Status
from anytune.ledger import Ledger
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend

RACE = Path(__file__).with_name("race.py")
ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
LONG = {"words": ["queued", "running"], "tick_s": 600}
SLOW = {"calls": [{"kind": "slow", "on": "submit", "delay_s": 0.5}, {"kind": "slow", "on": "upload", "delay_s": 0.3}]}


@pytest.fixture
def race(tmp_path, database, monkeypatch):
    """Let many processes do the same thing: `race(50, "create")` gives their answers."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    train = tmp_path / "train.jsonl"
    train.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    state = tmp_path / "provider.json"

    def run(count, deed, **settings):
        given = {"count": count, "deed": deed, "train": str(train), "state": str(state), "name": "recipes", "life": LONG, "faults": SLOW}
        command = [sys.executable, str(RACE), json.dumps(given | settings)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=os.environ.copy())
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout)
        assert len(answers) == count
        assert [answer for answer in answers if answer.get("error") == "defect"] == []
        return answers

    run.provider = lambda **settings: MemoryBackend(state_file=state, life=LONG, **settings)
    run.train = train
    return run


def live(provider):
    return [job for job in provider.store.read().jobs.values() if not job.cancelled]


@pytest.mark.slow
def test_fifty_processes_that_race_for_one_name_make_one_job_with_one_create_and_one_upload(race):
    answers = race(50, "create")
    assert len({answer["id"] for answer in answers}) == 1
    assert {answer["remote_id"] for answer in answers} == {"job-000001"}
    calls = race.provider().calls
    assert (calls["submit"], calls["upload"], calls["jobs"]) == (1, 1, 1)


def test_five_processes_that_race_for_one_name_make_one_job(race):
    assert {answer["remote_id"] for answer in race(5, "create")} == {"job-000001"}
    assert race.provider().calls["submit"] == 1


def test_a_reply_that_was_lost_in_a_race_is_looked_for_and_not_sent_again(race):
    answers = race(8, "create", faults={"calls": [{"kind": "drop_reply", "on": "submit"}]})
    assert {answer["remote_id"] for answer in answers} == {"job-000001"}
    assert race.provider().calls["submit"] == 1


def test_processes_that_all_ask_for_a_new_attempt_start_one(race):
    context = Runtime()
    provider = race.provider()
    first = FineTuneJob.create(
        backend=provider, model="base", train=race.train, name="recipes", method=SFT(learning_rate=1e-4), context=context
    )
    assert first.cancel().status is Status.CANCELLED
    context.ledger.close()
    answers = race(8, "attempt")
    assert {(answer["attempt"], answer["remote_id"]) for answer in answers} == {(2, "job-000002")}
    assert len(live(provider)) == 1


def test_processes_that_attach_the_same_job_get_the_same_row(race):
    context = Runtime()
    provider = race.provider()
    made = FineTuneJob.create(
        backend=provider, model="base", train=race.train, name="recipes", method=SFT(learning_rate=1e-4), context=context
    )
    made.cancel()
    context.ledger.remove(made.id)
    context.ledger.close()
    answers = race(8, "attach", remote_id=made.remote_id)
    refused = Counter(answer.get("error") for answer in answers)
    assert set(refused) == {None}, answers
    with Ledger.open() as ledger:
        assert [row.remote_id for row in ledger.jobs()] == [made.remote_id]


def test_processes_that_create_and_cancel_one_job_leave_none_that_goes_on_unseen(race):
    answers = race(10, "create_or_cancel")
    assert {answer.get("error") for answer in answers} <= {None, "JobFailed", "NotFound"}, answers
    with Ledger.open() as ledger:
        (row,) = ledger.jobs()
    ended = row.status is Status.CANCELLED
    assert ended or row.cancel_requested == (not live(race.provider()))
    assert len(live(race.provider())) == (0 if row.cancel_requested else 1)
