"""The memory backend's lives and faults do what their names say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anytune.backend import DeployOrder, Order
from anytune.errors import AuthError, NotFound, RateLimited, Rejected, Unreachable
from anytune.retry import translated
from anytune.testing import BackendKit, DurableMemoryBackend, Fault, Faults, Life, MemoryBackend
from anytune.values import ModelRef, Status


class Clock:
    """Seconds that move when they are told to."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def kit_of(tmp_path, backend):
    return BackendKit(lambda: backend, folder=tmp_path, model="base", drive=lambda: None, timeout_s=10.0)


def faulty(tmp_path, clock=None, **faults):
    backend = MemoryBackend(faults=Faults(**faults), **({"clock": clock} if clock else {}))
    return backend, kit_of(tmp_path, backend).order()


def words(backend, job_id, polls):
    return [backend.poll(job_id).status.value for _ in range(polls)]


def test_a_life_moves_on_by_polls(tmp_path):
    backend = MemoryBackend(life=Life.of(queued=1, steps=2, end="failed", error="The loss was NaN."))
    job = backend.submit(kit_of(tmp_path, backend).order())
    assert words(backend, job.id, 5) == ["queued", "running", "running", "failed", "failed"]
    assert backend.poll(job.id).error == "The loss was NaN."


def test_a_life_moves_on_by_the_clock_also_when_nobody_looks(tmp_path):
    clock = Clock()
    backend = MemoryBackend(life=Life.of(queued=1, steps=3, tick_s=10.0), clock=clock)
    job = backend.submit(kit_of(tmp_path, backend).order())
    assert words(backend, job.id, 3) == ["queued"] * 3
    clock.now += 25.0
    assert (backend.poll(job.id).status, backend.poll(job.id).step) == (Status.RUNNING, 2)
    clock.now += 100.0
    assert backend.poll(job.id).status is Status.SUCCEEDED
    assert [metric.step for metric in backend.metrics(job.id)] == [1, 2, 3]


def test_a_pause_stops_the_clock_of_a_life(tmp_path):
    clock = Clock()
    backend = MemoryBackend(life=Life.of(queued=1, steps=3, tick_s=10.0), clock=clock)
    job = backend.submit(kit_of(tmp_path, backend).order())
    clock.now += 15.0
    backend.pause(job.id)
    clock.now += 1000.0
    assert backend.poll(job.id).status is Status.PAUSED
    backend.resume(job.id)
    assert (backend.poll(job.id).status, backend.poll(job.id).step) == (Status.RUNNING, 1)


def test_a_script_can_pause_and_goes_on_after_resume(tmp_path):
    backend = MemoryBackend(life=Life(words=("running", "paused", "running", "succeeded")))
    job = backend.submit(kit_of(tmp_path, backend).order())
    assert words(backend, job.id, 4) == ["running", "paused", "paused", "paused"]
    backend.resume(job.id)
    assert words(backend, job.id, 2) == ["succeeded", "succeeded"]
    assert backend.poll(job.id).step == 2


def test_a_word_that_nobody_knows_is_unknown(tmp_path):
    backend = MemoryBackend(life=Life(words=("running", "hibernating", "succeeded")))
    job = backend.submit(kit_of(tmp_path, backend).order())
    assert words(backend, job.id, 3) == ["running", "unknown", "succeeded"]


def test_each_job_has_its_life_in_the_order_of_creation(tmp_path):
    backend = MemoryBackend(life=[Life(words=("failed",)), Life(words=("succeeded",))])
    kit = kit_of(tmp_path, backend)
    assert [words(backend, backend.submit(kit.order()).id, 1) for _ in range(3)] == [["failed"], ["succeeded"], ["succeeded"]]


def test_settings_of_a_profile_are_plain_tables():
    backend = MemoryBackend(life={"words": ["running"]}, faults={"calls": [{"kind": "quota"}], "list_lag_s": 2})
    assert backend.lives == (Life(words=("running",)),)
    assert backend.faults == Faults(calls=(Fault(kind="quota"),), list_lag_s=2.0)


def test_a_dropped_reply_has_taken_effect(tmp_path):
    backend, order = faulty(tmp_path, calls=(Fault(kind="drop_reply"),))
    with pytest.raises(Unreachable):
        backend.submit(order)
    assert [job.ref for job in backend.find(order).jobs] == [order.ref]
    assert backend.calls["jobs"] == 1


def test_a_server_error_has_not_taken_effect(tmp_path):
    backend, order = faulty(tmp_path, calls=(Fault(kind="server_error"),))
    with pytest.raises(Unreachable):
        backend.submit(order)
    assert backend.find(order).jobs == ()


def test_a_late_commit_takes_effect_after_its_delay(tmp_path):
    clock = Clock()
    backend, order = faulty(tmp_path, clock, calls=(Fault(kind="late_commit", delay_s=30.0),))
    with pytest.raises(Unreachable):
        backend.submit(order)
    assert backend.find(order).jobs == ()
    clock.now += 31.0
    (job,) = backend.find(order).jobs
    assert backend.poll(job.id).status is Status.QUEUED


def test_a_lagging_list_shows_a_job_late_that_can_be_polled_at_once(tmp_path):
    clock = Clock()
    backend, order = faulty(tmp_path, clock, list_lag_s=5.0)
    job = backend.submit(order)
    assert backend.find(order).jobs == ()
    assert backend.poll(job.id).status is Status.QUEUED
    clock.now += 5.0
    assert [found.id for found in backend.find(order).jobs] == [job.id]


def test_an_incomplete_listing_says_so(tmp_path):
    backend, order = faulty(tmp_path, incomplete_listings=2)
    backend.submit(order)
    assert [backend.find(order).complete for _ in range(3)] == [False, False, True]


def test_a_rate_limit_says_how_long_to_wait(tmp_path):
    backend, order = faulty(tmp_path, calls=(Fault(kind="rate_limit", on="find", retry_after=7.0, times=2),))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            backend.find(order)
        assert caught.value.retry_after == 7.0
    assert backend.find(order).complete


def test_an_auth_error_echoes_the_key_and_is_redacted(tmp_path):
    backend = MemoryBackend(api_key="sk-memory-canary-7f3a9c1e", faults=Faults(calls=(Fault(kind="auth", on="find"),)))
    order = kit_of(tmp_path, backend).order()
    with pytest.raises(AuthError) as caught:
        backend.find(order)
    assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.raw}"


def test_a_vendor_error_is_translated(tmp_path):
    backend, order = faulty(tmp_path, calls=(Fault(kind="vendor_error", on="find"),))
    with pytest.raises(ConnectionResetError) as caught:
        backend.find(order)
    assert isinstance(translated(caught.value, backend), Unreachable)


def test_a_fault_that_happened_does_not_come_again_in_the_next_instance(tmp_path):
    faults = Faults(calls=(Fault(kind="server_error", on="find"),))
    path = tmp_path / "memory.json"
    first, second = (MemoryBackend(state_file=path, faults=faults) for _ in range(2))
    order = kit_of(tmp_path, first).order()
    with pytest.raises(Unreachable):
        first.find(order)
    assert second.find(order).complete


def test_the_durable_backend_keeps_its_jobs_in_anytunes_home(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path))
    order = kit_of(tmp_path, DurableMemoryBackend()).order()
    job = DurableMemoryBackend().submit(order)
    assert [found.id for found in DurableMemoryBackend().find(order).jobs] == [job.id]
    assert (tmp_path / "memory.json").stat().st_mode & 0o777 == 0o600


def test_a_process_that_ends_after_the_create_leaves_a_job_behind(tmp_path):
    path = tmp_path / "memory.json"
    order = kit_of(tmp_path, MemoryBackend(state_file=path)).order()
    (tmp_path / "order.json").write_text(order.model_dump_json(), encoding="utf-8")
    script = (
        "import sys; from pathlib import Path; from anytune.backend import Order; from anytune.testing import Fault, Faults, MemoryBackend\n"
        "folder = Path(sys.argv[1]); order = Order.model_validate_json((folder / 'order.json').read_bytes())\n"
        "MemoryBackend(state_file=folder / 'memory.json', faults=Faults(calls=(Fault(kind='exit_after'),))).submit(order)"
    )
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=60)
    assert run.returncode == 9
    assert len(MemoryBackend(state_file=path).find(Order.model_validate_json((tmp_path / "order.json").read_bytes())).jobs) == 1


def deployable(tmp_path, **faults):
    backend, _ = faulty(tmp_path, **faults)
    return backend, backend.deploy(DeployOrder(ref="01D", model=ModelRef(id="base"), name="base", ttl_s=600.0)).id


def test_a_deployment_is_ready_after_some_polls(tmp_path):
    backend, host = deployable(tmp_path, ready_polls=2)
    assert [backend.poll_deployment(host).state for _ in range(3)] == ["starting", "starting", "ready"]
    backend.undeploy(host)


def test_a_deployment_can_fail_with_a_reason(tmp_path):
    backend, host = deployable(tmp_path, deploy_error="No machine of this size.")
    assert (backend.poll_deployment(host).state, backend.poll_deployment(host).error) == ("failed", "No machine of this size.")


def test_a_deployment_can_vanish(tmp_path):
    backend, host = deployable(tmp_path, vanish_after_polls=1)
    assert [backend.poll_deployment(host).state for _ in range(2)] == ["ready", "gone"]


def test_a_deployment_is_gone_after_its_time_to_live(tmp_path):
    clock = Clock()
    backend = MemoryBackend(clock=clock)
    host = backend.deploy(DeployOrder(ref="01D", model=ModelRef(id="base"), name="base", ttl_s=60.0)).id
    assert backend.poll_deployment(host).state == "ready"
    clock.now += 60.0
    assert backend.poll_deployment(host).state == "gone"


def test_only_models_that_were_made_can_be_deployed_or_deleted():
    backend = MemoryBackend()
    with pytest.raises(NotFound):
        backend.deploy(DeployOrder(ref="01D", model=ModelRef(id="memory:nobody"), name="x", ttl_s=60.0))
    with pytest.raises(NotFound):
        backend.delete_model(ModelRef(id="memory:nobody"))


def test_an_order_without_its_upload_is_rejected(tmp_path):
    backend = MemoryBackend()
    order = kit_of(tmp_path, backend).order()
    with pytest.raises(Rejected, match="Upload it first"):
        backend.submit(order.model_copy(update={"files": {}}))
    assert backend.calls.get("jobs", 0) == 0


def test_a_file_is_ready_after_some_looks_and_only_then_trained_on(tmp_path):
    kit = kit_of(tmp_path, MemoryBackend(faults=Faults(file_polls=2)))
    held = kit.backend.upload(kit.file())
    order = kit.order().model_copy(update={"files": {"train": held}})
    with kit.backend.store.change() as state:
        state.files[held.sha256].polls_left = 2
    with pytest.raises(Rejected, match="wait for it"):
        kit.backend.submit(order)
    assert [kit.backend.file_ready(held) for _ in range(3)] == [False, False, True]
    assert kit.backend.submit(order).id


def test_a_file_can_be_refused_with_a_reason_and_sent_anew(tmp_path):
    kit = kit_of(tmp_path, MemoryBackend(faults=Faults(file_refused="Line 3 is no JSON.")))
    held = kit.backend.upload(kit.file())
    with pytest.raises(Rejected, match="Line 3 is no JSON"):
        kit.backend.file_ready(held)
    assert kit.backend.find_file(held.sha256) is None
    again = kit.backend.reopened()
    assert again.file_ready(again.upload(kit.file()))


def test_a_served_model_answers_after_some_looks(tmp_path):
    backend = MemoryBackend(served=True, faults=Faults(address_polls=1))
    with pytest.raises(NotFound):
        backend.address(ModelRef(id="base"))
    assert backend.address(ModelRef(id="base")).model == "base"
    for engine in backend.store.engines.values():
        engine.close()


def test_a_listing_of_jobs_lags_as_long_as_the_script_says(tmp_path):
    clock = Clock()
    kit = kit_of(tmp_path, MemoryBackend(clock=clock, faults=Faults(list_lag_s=30.0)))
    job = kit.backend.submit(kit.order())
    assert kit.backend.list_jobs() == []
    clock.now += 30.0
    assert [listed.id for listed in kit.backend.list_jobs()] == [job.id]
