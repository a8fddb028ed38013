"""The same bytes go up once, and only the bytes that were checked."""

from __future__ import annotations

import pytest

from anytune.errors import DataError, NotFound, QuotaExceeded, Rejected, WaitTimeout
from anytune.ledger import sweep
from anytune.retry import Retry
from anytune.testing import Fault, Faults, MemoryBackend
from anytune.testing.store import Store
from anytune.values import Status


class Forgetful(MemoryBackend):
    """Loses each file that was sent, at once."""

    forgets = True

    def file_ready(self, file):
        if self.forgets:
            lose_files(self)
        return super().file_ready(file)


class SeenLate(MemoryBackend):
    """Does not see a file at the first looks."""

    late = 2

    def file_ready(self, file):
        if self.late:
            self.late -= 1
            raise NotFound(f"No file {file.id!r}.", backend=self.name)
        return super().file_ready(file)


def lose_files(backend):
    with backend.store.change() as state:
        state.files.clear()


def test_the_same_bytes_go_up_once_for_all_jobs_of_an_account(claim, memory, send):
    backend = memory()
    send(claim(name="one"), backend)
    send(claim(name="two"), backend)
    assert backend.calls["upload"] == 1


def test_another_account_gets_its_own_upload(claim, memory, send):
    for account in ("one", "two"):
        backend = memory(account=account)
        send(claim(account=account), backend)
        assert backend.calls["upload"] == 1


def test_a_file_that_the_provider_lost_goes_up_again(claim, memory, send, clock):
    backend = memory()
    send(claim(name="one"), backend)
    clock.seconds += 3600
    lose_files(backend)
    assert send(claim(name="two"), backend).submit_state == "submitted"
    assert backend.calls["upload"] == 2


def test_a_file_that_the_provider_loses_each_time_goes_up_again_only_once(claim, memory, send, clock):
    backend = memory(cls=Forgetful)
    backend.forgets = False
    send(claim(name="one"), backend)
    clock.seconds += 3600
    backend.forgets = True
    with pytest.raises(WaitTimeout):
        send(claim(name="two"), backend)
    assert backend.calls["upload"] == 2


def test_a_file_that_was_sent_for_a_job_is_kept_when_the_create_is_refused(claim, memory, send):
    backend = memory(faults=Faults(calls=(Fault(kind="quota"),)))
    with pytest.raises(QuotaExceeded):
        send(claim(), backend)
    assert send(claim(), backend).submit_state == "submitted"
    assert backend.calls["upload"] == 1


def test_a_create_waits_until_its_file_is_ready(claim, memory, send, clock):
    backend = memory(faults=Faults(file_polls=3))
    assert send(claim(), backend).submit_state == "submitted"
    assert clock.slept == [1.0, 1.5, 2.25]


def test_the_row_is_an_intent_while_its_file_is_waited_for(claim, memory, send, ledger):
    row, seen = claim(), []

    class Looking(MemoryBackend):
        def file_ready(self, file):
            seen.append(ledger.job(row.id).submit_state)
            return super().file_ready(file)

    send(row, memory(cls=Looking, faults=Faults(file_polls=2)))
    assert seen == ["intent"] * 3


def test_a_file_that_is_never_ready_is_left_for_the_next_run_which_does_not_send_it_again(claim, memory, send, ledger, clock):
    backend = memory(faults=Faults(file_polls=130))
    row = claim()
    with pytest.raises(WaitTimeout, match=r"train\.jsonl .*'recipes'.* memory .*30 minutes.* same script again") as caught:
        send(row, backend)
    assert caught.value.job_id == row.id
    assert max(clock.slept) == 15.0
    assert ledger.job(row.id).submit_state == "intent"
    assert send(row, backend).submit_state == "submitted"
    assert backend.calls["upload"] == 1


def test_a_file_that_the_provider_refuses_rejects_the_job_and_is_forgotten(claim, memory, send, ledger, train):
    row, store = claim(), Store()
    with pytest.raises(Rejected, match="Line 3 is no JSON") as caught:
        send(row, memory(store=store, faults=Faults(file_polls=1, file_refused="Line 3 is no JSON.")))
    assert caught.value.job_id == row.id
    rejected = ledger.job(row.id)
    assert rejected.submit_state == "rejected"
    assert "Line 3 is no JSON" in rejected.error
    assert ledger.remote_file("memory", "default", train.sha256) is None
    backend = memory(store=store)
    assert send(claim(), backend).submit_state == "submitted"
    assert backend.calls["upload"] == 2


def test_a_new_file_that_is_not_seen_yet_is_waited_for(claim, memory, send):
    backend = memory(cls=SeenLate)
    assert send(claim(), backend).submit_state == "submitted"
    assert backend.calls["upload"] == 1


def test_a_new_file_of_another_job_that_is_not_seen_yet_is_waited_for(claim, memory, send):
    backend = memory(cls=SeenLate)
    backend.late = 0
    send(claim(name="one"), backend)
    backend.late = 2
    assert send(claim(name="two"), backend).submit_state == "submitted"
    assert backend.calls["upload"] == 1


def test_a_lost_file_that_another_process_sent_again_is_used(claim, memory, send, ledger, clock, train):
    class SentAgainMeanwhile(MemoryBackend):
        def file_ready(self, file):
            if file.id != "file-new" and self.calls.get("jobs"):
                ledger.forget_remote_file("memory", "default", file.sha256, remote_id=file.id)
                ledger.add_remote_file("memory", "default", file.model_copy(update={"id": "file-new"}))
                with self.store.change() as state:
                    state.files[file.sha256].id = "file-new"
            return super().file_ready(file)

    backend = memory(cls=SentAgainMeanwhile)
    send(claim(name="one"), backend)
    clock.seconds += 3600
    assert send(claim(name="two"), backend).submit_state == "submitted"
    assert ledger.remote_file("memory", "default", train.sha256).id == "file-new"
    assert backend.calls["upload"] == 1


def test_a_job_whose_end_is_asked_for_while_its_file_is_waited_for_is_never_sent(claim, memory, send, ledger):
    row = claim()

    class Cancelling(MemoryBackend):
        def file_ready(self, file):
            ledger.request_cancel(row.id)
            return super().file_ready(file)

    backend = memory(cls=Cancelling, faults=Faults(file_polls=100))
    assert send(row, backend).status is Status.CANCELLED
    assert backend.calls["file_ready"] == 1
    assert "submit" not in backend.calls


def test_two_processes_wait_for_one_file(client):
    faults = {"file_polls": 2}
    children = [client.start(name=name, faults=faults) for name in ("one", "two")]
    assert {client.finish(child)["submit_state"] for child in children} == {"submitted"}
    assert client.provider().calls["upload"] == 1


@pytest.mark.parametrize("ask", ["reconcile", "sweep"])
def test_find_is_told_which_files_the_ledger_knows(claim, memory, send, ledger, train, ask):
    asked = []

    class Asked(MemoryBackend):
        def find(self, order):
            asked.append(order.files)
            return super().find(order)

    backend = memory(cls=Asked, faults=Faults(calls=(Fault(kind="drop_reply"),) if ask == "reconcile" else ()))
    send(claim(), backend)
    if ask == "sweep":
        sweep(ledger, backend, retry=Retry())
    assert asked == [{"train": ledger.remote_file("memory", "default", train.sha256)}]


def test_bytes_that_changed_after_the_check_are_not_sent(claim, memory, send, train):
    backend = memory()
    row = claim()
    train.path.write_bytes(b"changed\n")
    with pytest.raises(DataError, match="changed after it was checked"):
        send(row, backend)
    assert backend.calls.get("upload", 0) == backend.calls.get("submit", 0) == 0


def test_an_upload_that_breaks_leaves_the_intent_for_the_next_run(claim, memory, send, ledger):
    backend = memory(faults=Faults(calls=(Fault(kind="server_error", on="upload", times=5),)))
    row = claim()
    with pytest.raises(Exception, match="503"):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "intent"
    assert send(row, backend).submit_state == "submitted"


def test_a_file_that_arrives_between_the_look_and_the_right_to_send_is_not_sent_again(claim, memory, send, ledger, train, monkeypatch):
    backend = memory()
    send(claim(name="one"), backend)
    look = ledger.remote_file
    answers = iter([None])
    monkeypatch.setattr(ledger, "remote_file", lambda *key: next(answers, look(*key)))
    send(claim(name="two"), backend)
    assert backend.calls["upload"] == 1
