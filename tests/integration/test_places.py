"""Jobs that wait for a place: what callers see, and many processes at one account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.money import Desk

from anytune import Status
from anytune.errors import QuotaExceeded, WaitTimeout
from anytune.ledger import Ledger
from anytune.testing import Fault, Faults, Life, MemoryBackend, OpenAISimulator

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


def narrow(desk: Desk, limit: int | None = 1, **settings: Any) -> MemoryBackend:
    backend = desk.backend(**settings)
    backend.max_concurrent = limit
    return backend


def test_create_gives_a_job_that_waits_and_says_for_what(desk: Desk) -> None:
    backend = narrow(desk)
    desk.create(backend, name="first")
    second = desk.create(backend, name="second")
    assert (second.status, second.remote_id) == (Status.SUBMITTING, None)
    assert second.row.waiting == "the one place at memory"
    assert backend.calls["jobs"] == 1


def test_wait_sends_it_when_its_turn_comes_though_nobody_else_looks_at_who_is_before_it(desk: Desk) -> None:
    backend = narrow(desk, life=Life.of(steps=2))
    desk.create(backend, name="first")
    assert desk.create(backend, name="second").wait().id
    assert backend.calls["jobs"] == 2


def test_patience_that_ends_names_what_it_waited_for(desk: Desk) -> None:
    backend = narrow(desk, life=Life.of(steps=9999))
    desk.create(backend, name="first")
    second = desk.create(backend, name="second")
    with pytest.raises(WaitTimeout, match="waits for the one place at memory after 60 s"):
        second.wait(timeout_s=60)


def test_a_waiting_job_is_cancelled_without_a_word_to_the_provider(desk: Desk) -> None:
    backend = narrow(desk)
    desk.create(backend, name="first")
    second = desk.create(backend, name="second").cancel()
    assert second.status is Status.CANCELLED
    assert backend.calls["jobs"] == 1
    assert "cancel" not in backend.calls


def test_the_same_script_again_gets_the_same_waiting_job(desk: Desk) -> None:
    backend = narrow(desk)
    desk.create(backend, name="first")
    assert desk.create(backend, name="second").id == desk.create(backend, name="second").id


def test_too_many_requests_fail_nothing_and_wait_sends_after_the_pause(desk: Desk) -> None:
    backend = narrow(desk, limit=None, faults=Faults(calls=(Fault(kind="rate_limit", retry_after=45),)))
    job = desk.create(backend)
    assert job.row.waiting.startswith("the provider takes no more jobs now")
    began = desk.now
    assert job.wait(poll_s=5).id
    assert desk.now - began >= 45
    assert backend.calls["submit"] == 2


def test_an_empty_purse_at_the_provider_fails(desk: Desk) -> None:
    with pytest.raises(QuotaExceeded):
        desk.create(narrow(desk, faults=Faults(calls=(Fault(kind="quota"),))))


PROGRAM = """
import json, sys, threading, time
from anytune import FineTuneJob

number, jobs, train = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
found = []

def one(name):
    job = FineTuneJob.create(backend="openai", model="gpt-4.1-mini-2025-04-14", train=train, name=name)
    waits_since = time.time()
    job.wait(poll_s=0.2)
    found.append((name, job.status.value, waits_since))

threads = [threading.Thread(target=one, args=(f"job-{number}-{each}",)) for each in range(jobs)]
for thread in threads:
    thread.start()
    time.sleep(0.05)
for thread in threads:
    thread.join()
print(json.dumps(found))
"""
PROCESSES, EACH, PLACES = 4, 5, 3


@pytest.mark.slow
def test_twenty_jobs_of_four_processes_never_take_more_than_three_places_at_openai(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "anytune.toml").write_text(f"[limits.openai]\nmax_concurrent = {PLACES}\n")
    life = Life(words=("validating_files", "queued", "running", "running", "succeeded"), tick_s=0.1)
    with OpenAISimulator(life=life) as provider:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANYTUNE_", "OPENAI_"))} | {
            "ANYTUNE_HOME": str(tmp_path / "home"),
            "OPENAI_API_KEY": provider.api_key,
            "OPENAI_BASE_URL": provider.base_url,
        }
        programs = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(number), str(EACH), "rows.jsonl"],
                cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for number in range(PROCESSES)
        ]  # fmt: skip
        said = [program.communicate(timeout=240) for program in programs]
        records = list(provider.jobs)
    assert all(program.returncode == 0 for program in programs), said
    ends = [end for out, _ in said for end in json.loads(out)]
    assert {status for _, status, _ in ends} == {"succeeded"}
    assert len(records) == PROCESSES * EACH
    assert _most_at_once([(record.created_at, record.finished_at) for record in records]) <= PLACES
    with Ledger.open(f"sqlite:///{tmp_path}/home/ledger.db") as ledger:
        _in_order(ledger, {name: since for name, _, since in ends})


def _most_at_once(spans: list[tuple[float, float | None]]) -> int:
    """Count by the provider's own clock."""
    moments = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans if ended is not None])
    live = most = 0
    for _, step in moments:
        live += step
        most = max(most, live)
    return most


def _in_order(ledger: Ledger, waits_since: dict[str, float]) -> None:
    """Hold each job against those before it in the ledger that waited when it was sent: never more than there are places.

    One whose file is still on its way does not wait yet, and those behind it may go first.
    """
    sent = [(row, row.sent_at.timestamp()) for row in ledger.jobs() if row.sent_at is not None]
    assert len(sent) == PROCESSES * EACH
    for row, at in sent:
        passed = [one.name for one, later in sent if one.sequence < row.sequence and waits_since[one.name] < at < later]
        assert len(passed) < PLACES, f"{row.name} went before {passed}"
