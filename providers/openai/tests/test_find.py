"""The job of an order is found in all the ways that hosts allow, strangers' jobs never are, and absence is only said where it is known."""

from __future__ import annotations

import itertools
from typing import ClassVar

import pytest
from ulid import ULID

from anytune.testing import Life, OpenAISimulator, WireFaults
from anytune.testing.simulators.dialect import SPEC
from anytune_openai.find import find

LIST = "GET /fine_tuning/jobs"


class Forgetful(OpenAISimulator):
    """A host that drops a job's metadata and shows its suffix."""

    dialects: ClassVar = {"spec": SPEC._replace(keeps_metadata=False, shows_suffix=True)}


class Silent(OpenAISimulator):
    """A host that drops a job's metadata, and shows the suffix in the tuned model's name alone."""

    dialects: ClassVar = {"spec": SPEC._replace(keeps_metadata=False)}


def ids(found):
    return [job.id for job in found.jobs]


def test_a_job_is_found_by_its_metadata_with_one_question_and_a_look_behind_the_last_page(sim, backend, order):
    made = order(backend)
    job = backend.submit(made)
    before = sim.count(LIST)
    found = backend.find(made)
    assert (ids(found), found.complete) == ([job.id], True)
    assert found.jobs[0].spec_hash == made.spec_hash
    assert sim.count(LIST) - before == 2


def test_absence_is_complete_where_the_key_sees_the_file(backend, order):
    made = order(backend)
    backend.submit(made.model_copy(update={"ref": str(ULID())}))
    found = backend.find(made)
    assert (found.jobs, found.complete) == ((), True)


@pytest.mark.parametrize("faults", [{"ignored_filter": True}, {"ignored_filter": True, "short_pages": True}], ids=str)
def test_a_filter_that_is_ignored_gives_no_stranger(sim, backend, order, faults):
    made = order(backend)
    others = [backend.submit(made.model_copy(update={"ref": str(ULID())})).id for _ in range(3)]
    sim.faults = WireFaults(**faults)
    assert backend.find(made).jobs == ()
    job = backend.submit(made)
    assert ids(backend.find(made)) == [job.id]
    assert job.id not in others


def test_pages_that_end_early_hide_nothing(sim, backend, order):
    made = order(backend)
    job = backend.submit(made)
    for _ in range(6):
        backend.submit(made.model_copy(update={"ref": str(ULID())}))
    sim.faults = WireFaults(short_pages=True, ignored_filter=True)
    found = backend.find(made)
    assert (ids(found), found.complete) == ([job.id], True)


def test_pages_in_changing_order_never_prove_an_absence_that_is_none(sim, backend, order):
    made = order(backend)
    job = backend.submit(made)
    for _ in range(6):
        backend.submit(made.model_copy(update={"ref": str(ULID())}))
    sim.faults = WireFaults(ignored_filter=True, reordered_pages=True)
    for size in (1, 2, 3, 4, 6):
        for found in (find(backend.client, made, backend.dialect, size=size) for _ in range(10)):
            assert ids(found) == [job.id] or not found.complete


def test_an_empty_page_that_promises_more_is_no_proof(sim, backend, order):
    made = order(backend)
    sim.faults = WireFaults(empty_pages=True)
    assert not backend.find(made).complete


def test_a_listing_that_lags_shows_the_job_once_it_has_caught_up(backend_on, order):
    now = [1_795_000_000.0]
    with OpenAISimulator(clock=lambda: now[0], faults=WireFaults(list_lag_s=90.0)) as sim:
        backend = backend_on(sim)
        made = order(backend, ref=str(ULID.from_timestamp(now[0])))
        job = backend.submit(made)
        assert backend.find(made).jobs == ()
        now[0] += 90.0
        assert ids(backend.find(made)) == [job.id]
        assert backend.capabilities.settle_s > 90.0


def test_a_key_of_another_project_sees_nothing_and_proves_nothing(sim, backend, backend_on, order):
    made = order(backend)
    backend.submit(made)
    sim.keys["sk-of-another-project"] = "another"
    found = backend_on(sim, api_key="sk-of-another-project").find(made)
    assert (found.jobs, found.complete) == ((), False)


def test_without_a_known_file_absence_is_not_proved(sim, backend, order):
    made = order(backend)
    assert not backend.find(made.model_copy(update={"files": {}})).complete


def test_a_deleted_training_file_proves_nothing_but_hides_nothing(sim, backend, order):
    made = order(backend)
    job = backend.submit(made)
    backend.client.files.delete(made.files["train"].id)
    assert ids(backend.find(made)) == [job.id]
    assert not backend.find(made.model_copy(update={"ref": str(ULID())})).complete


def test_jobs_older_than_the_training_file_are_not_read(backend_on, order, described, tmp_path):
    now = [1_795_000_000.0]
    with OpenAISimulator(clock=lambda: now[0]) as sim:
        backend = backend_on(sim)
        first = order(backend)
        for _ in range(7):
            backend.submit(first.model_copy(update={"ref": str(ULID())}))
        now[0] += 86_400.0
        path = tmp_path / "later.jsonl"
        path.write_bytes(first.data["train"].path.read_bytes() + first.data["train"].path.read_bytes())
        later = first.model_copy(update={"ref": str(ULID()), "files": {"train": backend.upload(described(path))}})
        for _ in range(2):
            backend.submit(later.model_copy(update={"ref": str(ULID())}))
        sim.faults = WireFaults(short_pages=True)
        before = len(sim.requests)
        assert backend.find(later).complete
        read = [one for one in sim.requests[before:] if one.route == LIST and "metadata[anytune_ref]" not in one.query]
        assert len(read) == 1, "nine jobs in short pages are at least four requests; what is older than the file was read"


@pytest.mark.parametrize("skew_s", [-300.0, 0.0, 300.0, 86_400.0])
def test_clocks_that_differ_hide_no_job(backend_on, order, skew_s):
    with OpenAISimulator(faults=WireFaults(clock_skew_s=skew_s)) as sim:
        backend = backend_on(sim)
        made = order(backend)
        job = backend.submit(made)
        sim.faults = WireFaults(clock_skew_s=skew_s, ignored_filter=True)
        assert ids(backend.find(made)) == [job.id]


def test_a_job_whose_tag_was_dropped_is_not_taken_for_absent(backend_on, order):
    """The host keeps no metadata and nobody said so: what looks exactly like ours may be ours."""
    with Forgetful() as sim:
        backend = backend_on(sim)
        made = order(backend)
        backend.submit(made)
        found = backend.find(made)
    assert (found.jobs, found.complete) == ((), False)


def test_with_a_suffix_the_job_is_found_where_metadata_is_not_kept(backend_on, order):
    with Forgetful() as sim:
        backend = backend_on(sim, tag="suffix")
        made, other = order(backend), order(backend)
        job, another = backend.submit(made), backend.submit(other)
        assert (ids(backend.find(made)), backend.find(made).complete) == ([job.id], True)
        assert (ids(backend.find(other)), backend.find(other).complete) == ([another.id], True)
        assert backend.find(made).jobs[0].ref == made.ref
        absent = backend.find(order(backend))
        assert (absent.jobs, absent.complete) == ((), True)


def test_where_no_tag_is_shown_it_is_in_doubt_until_the_model_has_its_name(backend_on, order):
    with Silent(life=Life.of(steps=1)) as sim:
        backend = backend_on(sim, tag="suffix")
        made = order(backend)
        job = backend.submit(made)
        assert (ids(backend.find(made)), backend.find(made).complete) == ([], False)
        for _ in itertools.takewhile(lambda _: not backend.poll(job.id).status.terminal, range(9)):
            pass
        assert (ids(backend.find(made)), backend.find(made).complete) == ([job.id], True)


def test_an_untagged_job_that_failed_or_was_cancelled_is_no_doubt(backend_on, order):
    with Silent(life=Life.of(steps=9)) as sim:
        backend = backend_on(sim, tag="suffix")
        made = order(backend)
        failed, cancelled = backend.submit(made), backend.submit(made)
        sim.fail(failed.id, "server_error")
        assert not backend.find(made).complete
        backend.cancel(cancelled.id)
        assert (backend.find(made).jobs, backend.find(made).complete) == ((), True)


def test_strangers_jobs_make_no_doubt_when_they_are_older_or_on_other_data(backend_on, order):
    with Silent() as sim:
        backend = backend_on(sim, tag="suffix")
        made = order(backend)
        client = backend.client.fine_tuning.jobs
        foreign = backend.client.files.create(file=("theirs.jsonl", made.data["train"].path.read_bytes()), purpose="fine-tune")
        client.create(model=made.model, training_file=foreign.id)
        client.create(model="gpt-4o-2024-08-06", training_file=made.files["train"].id)
        assert backend.find(made).complete
        client.create(model=made.model, training_file=made.files["train"].id)
        assert not backend.find(made).complete
        late = made.model_copy(update={"ref": str(ULID.from_timestamp(sim.clock() + 2 * 86_400))})
        assert backend.find(late).complete


def test_a_stranger_with_a_tag_of_their_own_is_never_matched(sim, backend, order):
    made = order(backend)
    for metadata in ({"anytune_ref": str(ULID())}, {"ref": made.ref}, {"anytune_spec": made.spec_hash}):
        backend.client.fine_tuning.jobs.create(model=made.model, training_file=made.files["train"].id, suffix="theirs", metadata=metadata)
    sim.faults = WireFaults(ignored_filter=True)
    assert backend.find(made).jobs == ()
