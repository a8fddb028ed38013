"""One create, whatever the provider answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from anytune.backend import Found, RemoteJob
from anytune.errors import (
    AuthError,
    ConfigError,
    FineTuningUnavailable,
    QuotaExceeded,
    Rejected,
    SubmitInDoubt,
    Unreachable,
)
from anytune.ledger import Ledger, sweep, transitions
from anytune.ledger.sender import sending
from anytune.retry import Retry
from anytune.testing import Fault, Faults, MemoryBackend
from anytune.values import Status


def jobs_made(backend):
    return len(backend.store.read().jobs)


def live(backend):
    return [job for job in backend.store.read().jobs.values() if not job.cancelled]


class Forgetful(MemoryBackend):
    """A provider whose listing ignores the filter and drops our tags' order: it gives everybody's jobs, as they are."""

    def find(self, order):
        records = self.store.read().jobs.values()
        jobs = tuple(RemoteJob(id=job.id, ref=job.ref, spec_hash=job.spec_hash, status=Status.RUNNING) for job in records)
        return Found(jobs=jobs, complete=True)


def test_a_job_is_uploaded_created_and_submitted(ledger, claim, memory, send):
    backend = memory()
    row = send(claim(), backend)
    assert (row.submit_state, row.status, row.remote_id) == ("submitted", Status.QUEUED, "job-000001")
    assert row.resolved["num_train_epochs"] == 1
    assert backend.calls["submit"] == backend.calls["upload"] == 1


def test_submitting_again_sends_nothing(claim, memory, send):
    backend = memory()
    row = send(claim(), backend)
    assert send(row, backend).remote_id == row.remote_id
    assert backend.calls["submit"] == 1


def test_the_intent_is_on_disk_before_the_create(claim, memory, send):
    seen = []

    class Watching(MemoryBackend):
        def submit(self, order):
            with Ledger.open() as other:  # connections of its own
                row = other.job(order.ref)
            seen.append((row.submit_state, row.fence))
            return super().submit(order)

    send(claim(), memory(cls=Watching))
    assert seen == [("sending", 1)]


@pytest.mark.parametrize("kind", ["drop_reply", "vendor_error"])
def test_a_lost_reply_is_answered_by_looking_and_not_by_a_second_job(claim, memory, send, kind):
    backend = memory(faults=Faults(calls=(Fault(kind=kind),)))
    row = send(claim(), backend)
    assert row.submit_state == "submitted"
    assert jobs_made(backend) == 1


def test_an_error_before_the_create_took_effect_is_sent_again_after_three_empty_listings(claim, memory, send):
    backend = memory(faults=Faults(calls=(Fault(kind="server_error"),)))
    assert send(claim(), backend).submit_state == "submitted"
    assert backend.calls["submit"] == 2
    assert backend.calls["find"] == 3
    assert jobs_made(backend) == 1


def test_nothing_is_sent_again_before_the_settle_window_is_over(claim, memory, send, clock):
    backend = memory(settle_s=90, faults=Faults(calls=(Fault(kind="server_error"),)))
    began = clock.seconds
    send(claim(), backend)
    assert clock.seconds - began >= 90


def test_a_listing_that_lags_less_than_the_window_still_finds_the_job(claim, memory, send):
    backend = memory(settle_s=60, faults=Faults(calls=(Fault(kind="drop_reply"),), list_lag_s=45))
    assert send(claim(), backend).remote_id == "job-000001"
    assert jobs_made(backend) == 1


def test_a_create_that_takes_effect_after_the_timeout_is_found(claim, memory, send):
    backend = memory(settle_s=60, faults=Faults(calls=(Fault(kind="late_commit", delay_s=40),)))
    send(claim(), backend)
    assert jobs_made(backend) == 1


def test_a_second_job_of_a_listing_that_lagged_too_long_is_swept(ledger, claim, memory, send, clock):
    backend = memory(settle_s=10, faults=Faults(calls=(Fault(kind="drop_reply"),), list_lag_s=500))
    row = send(claim(), backend)
    assert jobs_made(backend) == 2
    clock.sleep(600)
    extra = "job-000001" if row.remote_id == "job-000002" else "job-000002"
    assert sweep(ledger, backend, retry=Retry(clock=clock.monotonic, sleep=clock.sleep)) == [extra]
    assert [job.id for job in live(backend)] == [row.remote_id]


def test_a_wall_clock_that_jumps_shortens_no_wait(ledger, claim, memory, send, clock):
    backend = memory(
        settle_s=90, faults=Faults(calls=(Fault(kind="drop_reply"), Fault(kind="server_error", on="find", times=99)), list_lag_s=60)
    )
    row = claim()
    with pytest.raises(SubmitInDoubt):
        send(row, backend)
    clock.wall += timedelta(hours=5)
    backend = backend.reopened()
    assert send(row, backend).remote_id == "job-000001"
    assert jobs_made(backend) == 1


def test_an_incomplete_listing_is_never_taken_for_absence(claim, memory, send, ledger):
    backend = memory(settle_s=5, faults=Faults(calls=(Fault(kind="server_error"),), incomplete_listings=10_000))
    row = claim()
    with pytest.raises(SubmitInDoubt, match="stayed incomplete") as raised:
        send(row, backend)
    assert raised.value.job_id == row.id
    assert backend.calls["submit"] == 1
    assert ledger.job(row.id).submit_state == "in_doubt"


def test_a_cut_listing_between_two_empty_ones_starts_the_count_anew(claim, memory, send):
    answers = [True, True, False, True, True, True]
    asked = []

    class Paging(MemoryBackend):
        def find(self, order):
            asked.append(order)
            return Found(jobs=(), complete=answers[len(asked) - 1])

    send(claim(), memory(cls=Paging, faults=Faults(calls=(Fault(kind="server_error"),))))
    assert len(asked) == 6


def test_a_filter_that_the_server_ignores_gives_no_false_match(claim, memory, send):
    backend = memory(cls=Forgetful, faults=Faults(calls=(Fault(kind="drop_reply", skip=1),)))
    stranger = send(claim(name="stranger"), backend)
    row = send(claim(), backend)
    assert (stranger.remote_id, row.remote_id) == ("job-000001", "job-000002")


def test_a_filter_that_the_server_ignores_gives_no_false_absence(claim, memory, send):
    backend = memory(cls=Forgetful, faults=Faults(calls=(Fault(kind="server_error", skip=1),)))
    send(claim(name="stranger"), backend)
    row = send(claim(), backend)
    assert row.remote_id == "job-000002"
    assert jobs_made(backend) == 2


def test_a_job_with_our_tag_and_another_hash_is_neither_ours_nor_absent(claim, memory, send, ledger):
    class Edited(MemoryBackend):
        def find(self, order):
            return Found(jobs=(RemoteJob(id="job-7", ref=order.ref, spec_hash="1:" + "f" * 64),), complete=True)

    backend = memory(cls=Edited, faults=Faults(calls=(Fault(kind="drop_reply"),)))
    with pytest.raises(SubmitInDoubt, match="another spec hash"):
        send(claim(), backend)
    assert backend.calls["submit"] == 1


def test_of_several_found_jobs_the_earliest_living_one_is_adopted_and_the_others_cancelled(claim, memory, send):
    cancelled = []

    class Twice(MemoryBackend):
        def find(self, order):
            def job(name, minute, status, digest):
                return RemoteJob(id=name, ref=order.ref, spec_hash=digest, status=status, created_at=f"2026-11-22T12:0{minute}:00Z")

            dead = job("dead", 1, Status.CANCELLED, order.spec_hash)
            late = job("late", 4, Status.QUEUED, order.spec_hash[:32])
            early = job("early", 2, Status.RUNNING, None)
            return Found(jobs=(late, dead, early), complete=True)

        def cancel(self, job_id):
            cancelled.append(job_id)

    row = send(claim(), memory(cls=Twice, faults=Faults(calls=(Fault(kind="drop_reply"),))))
    assert (row.remote_id, row.status, cancelled) == ("early", Status.RUNNING, ["late"])


def test_a_job_that_ended_meanwhile_is_adopted_and_left_to_the_next_look(claim, memory, send):
    class Fast(MemoryBackend):
        def find(self, order):
            return Found(jobs=(RemoteJob(id="job-1", ref=order.ref, status=Status.SUCCEEDED),), complete=True)

    row = send(claim(), memory(cls=Fast, faults=Faults(calls=(Fault(kind="drop_reply"),))))
    assert (row.submit_state, row.remote_id, row.status) == ("submitted", "job-1", Status.UNKNOWN)


def test_whoever_asks_first_is_asked_before_anything_is_sent_again(claim, memory, send, ledger):
    backend = memory(faults=Faults(calls=(Fault(kind="server_error"),)))
    row = claim()
    with pytest.raises(SubmitInDoubt, match="no such job is listed"):
        send(row, backend, on_in_doubt="reconcile_then_ask")
    assert backend.calls["submit"] == 1
    assert send(row, backend).submit_state == "submitted"


def test_a_provider_that_cannot_be_asked_leaves_the_job_in_doubt(claim, memory, send, ledger):
    faults = Faults(calls=(Fault(kind="drop_reply"), Fault(kind="server_error", on="find", times=5)))
    backend = memory(faults=faults)
    row = claim()
    with pytest.raises(SubmitInDoubt, match="could not be asked"):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "in_doubt"
    assert send(row, backend).remote_id == "job-000001"


def test_a_key_that_may_not_list_proves_nothing(claim, memory, send, ledger):
    backend = memory(faults=Faults(calls=(Fault(kind="server_error"), Fault(kind="auth", on="find"))))
    row = claim()
    with pytest.raises(AuthError):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "in_doubt"


def test_a_provider_that_loses_every_reply_is_not_asked_for_ever(claim, memory, send):
    backend = memory(faults=Faults(calls=(Fault(kind="server_error", times=99),)))
    with pytest.raises(SubmitInDoubt, match="3 times"):
        send(claim(), backend)
    assert backend.calls["submit"] == 3


@pytest.mark.parametrize(
    ("kind", "error"),
    [("reject", Rejected), ("auth", AuthError), ("quota", QuotaExceeded), ("unavailable", FineTuningUnavailable)],
)
def test_after_a_definite_refusal_the_same_script_runs_again_without_a_new_attempt(claim, memory, send, ledger, kind, error):
    backend = memory(faults=Faults(calls=(Fault(kind=kind),)))
    row = claim()
    with pytest.raises(error):
        send(row, backend)
    refused = ledger.job(row.id)
    assert (refused.submit_state, refused.status) == ("rejected", Status.FAILED)
    again = claim()
    assert (again.id, again.submit_state, again.attempt, again.error) == (row.id, "intent", 1, "")
    assert send(again, backend).submit_state == "submitted"
    assert jobs_made(backend) == 1


def test_after_a_refusal_the_corrected_spec_takes_the_name(claim, memory, send, train):
    backend = memory(faults=Faults(calls=(Fault(kind="reject"),)))
    with pytest.raises(Rejected):
        send(claim(model="gone"), backend)
    assert send(claim(model="there"), backend).model == "there"


def test_a_rejected_row_is_not_sent_until_it_is_claimed_again(claim, memory, send):
    backend = memory(faults=Faults(calls=(Fault(kind="reject"),)))
    row = claim()
    for _ in range(2):
        with pytest.raises(Rejected):
            send(row, backend)
    assert backend.calls["submit"] == 1


def test_the_text_of_a_refusal_is_kept_without_the_key_it_echoes(claim, memory, send, kept, ledger):
    key = "sk-proj-canary-abcdefgh12345678"
    backend = memory(api_key=key, faults=Faults(calls=(Fault(kind="auth"),)))
    row = claim()
    with pytest.raises(AuthError):
        send(row, backend)
    assert "[redacted]" in ledger.job(row.id).error
    assert key.encode() not in kept(ledger)


def test_too_many_requests_creates_nothing_and_the_next_run_after_the_pause_sends(claim, memory, send, ledger, clock):
    backend = memory(settle_s=300, faults=Faults(calls=(Fault(kind="rate_limit", retry_after=7),)))
    row = claim()
    assert send(row, backend).waiting.startswith("the provider takes no more jobs now")
    assert ledger.job(row.id).submit_state == "intent"
    assert backend.calls["find"] == 1
    clock.sleep(7.1)
    assert send(row, backend).submit_state == "submitted"


def test_too_many_requests_with_a_cut_listing_is_in_doubt(claim, memory, send, ledger):
    backend = memory(faults=Faults(calls=(Fault(kind="rate_limit"),), incomplete_listings=1))
    row = claim()
    with pytest.raises(SubmitInDoubt):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "in_doubt"


def test_a_job_cancelled_before_it_was_sent_is_never_sent(claim, memory, send, ledger):
    backend = memory()
    row = claim()
    assert ledger.request_cancel(row.id).status is Status.CANCELLED
    assert send(row, backend).status is Status.CANCELLED
    assert backend.calls.get("submit", 0) == 0


def test_a_job_cancelled_during_the_upload_is_never_sent(claim, memory, send, ledger):
    class Slow(MemoryBackend):
        def upload(self, file):
            ledger.request_cancel(ledger.job("recipes").id)
            return super().upload(file)

    backend = memory(cls=Slow)
    assert send(claim(), backend).status is Status.CANCELLED
    assert backend.calls.get("submit", 0) == 0


def test_a_job_cancelled_while_it_was_sent_is_cancelled_at_the_provider(claim, memory, send, ledger):
    class Slow(MemoryBackend):
        def submit(self, order):
            ledger.request_cancel(order.ref)
            return super().submit(order)

    backend = memory(cls=Slow)
    row = send(claim(), backend)
    assert row.cancel_requested
    assert live(backend) == []


def test_a_job_cancelled_in_doubt_ends_once_its_absence_is_shown(claim, memory, send, ledger):
    class Slow(MemoryBackend):
        def submit(self, order):
            ledger.request_cancel(order.ref)
            return super().submit(order)

    backend = memory(cls=Slow, faults=Faults(calls=(Fault(kind="server_error"),)))
    assert send(claim(), backend).status is Status.CANCELLED
    assert jobs_made(backend) == 0


def test_a_sender_that_wakes_up_late_cancels_its_own_job(claim, memory, send, ledger, clock):
    """Another process took it for dead, showed that there was no job, and sent one; then the first one's request goes through."""
    provider = memory()

    class Stopped(MemoryBackend):
        def submit(self, order):
            with ledger.database.write() as connection:
                connection.exec_driver_sql("UPDATE anytune_jobs SET submit_state='intent', sender=NULL")
            assert send(ledger.job(order.ref), provider).remote_id == "job-000001"
            return super().submit(order)

    row = send(claim(), memory(cls=Stopped, store=provider.store))
    assert row.remote_id == "job-000001"
    assert [job.id for job in live(provider)] == ["job-000001"]


def test_a_live_sender_is_waited_for_and_then_named(claim, memory, send, ledger, clock):
    row = claim()
    with sending(clock.monotonic) as sender:
        with ledger.database.write() as connection:
            transitions.start(connection, row, sender, now=clock.now())
        with pytest.raises(SubmitInDoubt, match=f"process {sender.pid}"):
            send(row, memory(), wait_s=10)
    assert sum(clock.slept) == pytest.approx(10)


def test_a_local_job_of_another_machine_is_not_touched(claim, memory, send, monkeypatch):
    backend = memory(local=True, tag="key")
    row = claim(host="box-a")
    monkeypatch.setenv("ANYTUNE_HOST", "box-b")
    with pytest.raises(SubmitInDoubt, match="belongs to box-a"):
        send(row, backend)
    assert backend.calls == {}


def test_an_interrupt_during_the_create_leaves_the_job_in_doubt(claim, memory, send, ledger):
    class Interrupted(MemoryBackend):
        def submit(self, order):
            super().submit(order)
            raise KeyboardInterrupt

    backend = memory(cls=Interrupted)
    row = claim()
    with pytest.raises(KeyboardInterrupt):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "in_doubt"
    assert send(row, backend.reopened()).remote_id == "job-000001"


class Closed(MemoryBackend):
    """Nobody takes the connection of the first create."""

    opened = False

    def submit(self, order):
        if not self.opened:
            self.opened = True
            raise OSError("the vendor's own") from ConnectionRefusedError()
        return super().submit(order)


def test_a_create_that_nobody_took_the_connection_for_is_not_in_doubt(claim, memory, send, ledger, clock):
    backend = memory(cls=Closed, settle_s=300)
    row, began = claim(), clock.seconds
    with pytest.raises(Unreachable):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "intent"
    assert send(row, backend).submit_state == "submitted"
    assert jobs_made(backend) == 1
    assert clock.seconds - began < 1


def test_a_job_cancelled_while_nobody_took_the_connection_is_over(claim, memory, send, ledger):
    class Wished(Closed):
        def submit(self, order):
            ledger.request_cancel(order.ref)
            return super().submit(order)

    backend = memory(cls=Wished)
    assert send(claim(), backend).status is Status.CANCELLED
    assert jobs_made(backend) == 0


def test_a_reply_lost_while_a_refused_connection_is_handled_is_in_doubt_all_the_same(claim, memory, send):
    backend = memory(settle_s=300, faults=Faults(calls=(Fault(kind="drop_reply"),)))
    try:
        raise ConnectionRefusedError
    except ConnectionRefusedError:
        row = send(claim(), backend)
    assert (row.remote_id, backend.calls["submit"], jobs_made(backend)) == ("job-000001", 1, 1)


def test_with_a_key_of_another_account_a_job_in_doubt_is_neither_absent_nor_sent_again(claim, memory, send, ledger):
    faults = Faults(calls=(Fault(kind="drop_reply"), Fault(kind="server_error", on="find", times=5)))
    row = claim()
    with pytest.raises(SubmitInDoubt):
        send(row, memory(faults=faults))
    another = memory(account="another")
    with pytest.raises(ConfigError, match="belongs to account default, and memory is set up for another here"):
        send(row, another)
    assert not another.calls
    assert ledger.job(row.id).submit_state == "in_doubt"


def test_a_job_that_is_sent_anew_while_the_sweep_looks_is_not_taken_for_a_second_one(claim, memory, send, ledger, train):
    class Busy(MemoryBackend):
        """Somebody corrects the reason and runs the script again just before the listing is made."""

        rerun = None

        def find(self, order):
            again, self.rerun = self.rerun, None
            if again is not None:
                again()
            return super().find(order)

    faults = Faults(calls=(Fault(kind="server_error"), Fault(kind="reject", skip=1)))
    backend = memory(cls=Busy, faults=faults)
    with pytest.raises(Rejected):
        send(claim(), backend)
    backend.rerun = lambda: send(claim(), backend)
    assert sweep(ledger, backend, retry=Retry()) == []
    assert [job.cancelled for job in backend.store.read().jobs.values()] == [False]
