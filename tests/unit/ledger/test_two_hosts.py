"""Two machines with one ledger: what each of them sees, and what neither does to the other's."""

from __future__ import annotations

import pytest

from anytune import FineTuneJob
from anytune.errors import Unsupported
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Life, MemoryBackend
from anytune.values import Status


@pytest.fixture
def machine(home, tmp_path, train, monkeypatch):
    """Be a machine: its name, a runtime and a backend of its own. The last one that was asked for is the one that runs."""
    contexts = []

    def made(name, *, local=False, **options):
        monkeypatch.setenv("ANYTUNE_HOST", name)
        capabilities = MemoryBackend().capabilities.model_copy(update={"local": local})
        backend = MemoryBackend(state_file=tmp_path / "provider.json", capabilities=capabilities, host=name if local else None, **options)
        contexts.append(Runtime(retry=Retry(sleep=lambda _: None), sleep=lambda _: None, backends={"memory": backend}))
        return backend, contexts[-1]

    def create(backend, context):
        return FineTuneJob.create(backend=backend, model="m", train=train.path, name="recipes", context=context)

    made.create = create
    yield made
    for context in contexts:
        context.ledger.close()


def test_a_hosted_job_is_one_job_for_both_and_either_can_wait_for_it(machine):
    job = machine.create(*machine("one"))
    backend, context = machine("two")
    same = machine.create(backend, context)
    assert (same.id, same.remote_id, same.host) == (job.id, job.remote_id, "one")
    assert same.wait().id
    assert backend.calls["jobs"] == 1


def test_a_job_on_another_machine_is_shown_and_not_looked_at(machine):
    backend, context = machine("one", local=True)
    job = machine.create(backend, context)
    job.refresh()
    polls = backend.calls["poll"]
    _, other = machine("two", local=True)
    seen = FineTuneJob.get("recipes", context=other)
    assert (seen.host, seen.refresh().status) == ("one", job.status)
    assert backend.calls["poll"] == polls
    assert seen.events() == context.ledger.events(job.id)
    with pytest.raises(Unsupported, match="runs on one; pause does not reach it from two"):
        seen.pause()


def test_the_end_of_a_job_on_another_machine_can_be_asked_for_and_is_brought_about_there(machine):
    backend, context = machine("one", local=True, life=Life.of(end=None))
    machine.create(backend, context).refresh()
    _, other = machine("two", local=True)
    with pytest.raises(Unsupported, match="runs on one"):
        FineTuneJob.get("recipes", context=other).cancel()
    assert context.ledger.job("recipes").cancel_requested
    machine("one", local=True)
    assert FineTuneJob.get("recipes", context=context).refresh().status in {Status.RUNNING, Status.CANCELLED}
    assert FineTuneJob.get("recipes", context=context).refresh().status is Status.CANCELLED


def test_a_job_that_another_machine_is_about_to_send_is_left_to_it(machine, claim):
    claim(name="recipes", host="one")
    _, other = machine("two", local=True)
    found = FineTuneJob.get("recipes", context=other)
    assert (found.refresh().status, found.row.submit_state, found.host) == (Status.SUBMITTING, "intent", "one")
