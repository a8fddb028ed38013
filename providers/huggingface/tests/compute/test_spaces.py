"""Runs in simulated private Spaces, whose apps are real processes: made in an order that can be taken up again, ended, and cleared away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anytune.errors import AnytuneError, ConfigError, NotFound
from anytune.testing.simulators.faults import WireFault, WireFaults
from anytune.values import Status
from anytune_huggingface.compute import code
from anytune_huggingface.compute import dockerfile as docker
from anytune_huggingface.compute.place import Program
from anytune_huggingface.compute.spaces import SpaceCompute, SpaceSettings, status_of

PATH = {"PYTHONPATH": str(Path(__file__).parent / "programs")}


@pytest.fixture(scope="module")
def place(hub):
    """Make the place, quick to look."""
    quick = {"flavor": "cpu-upgrade", "timeout": 300, "look_s": 0.3, "push_s": 0, "pace_s": 1, "quiet_s": 0.2}
    return lambda **more: SpaceCompute(SpaceSettings(**(quick | more)))


@pytest.fixture(scope="module")
def finished(hub, place, order, program, watch):
    """One job that has run to its end, with what its Space was while it ran."""
    compute = place()
    ordered = order(compute, name="in-a-space", max_steps=20, save_steps=10)
    job = compute.submit(ordered, program(**PATH, COUNT_STEP_S="0.1"), {"max_steps": 20})
    running = watch(lambda: compute.poll(job.id), lambda seen: seen.status is Status.RUNNING or seen.status.terminal)
    space = hub.spaces[f"acme/{job.id}"]
    last = watch(lambda: compute.poll(job.id), over)
    return compute, ordered, job, space, running, last


def over(seen):
    return seen.status.terminal or seen.status is Status.PAUSED


class TestAFinishedJob:
    def test_gives_a_model(self, hub, finished):
        compute, _, job, _, running, last = finished
        assert running.status is Status.RUNNING, running.error
        assert last.status is Status.SUCCEEDED, last.error
        assert last.model.id == f"acme/{job.id}@{hub.store.get('model', f'acme/{job.id}').sha}"
        assert compute.poll(job.id).model == last.model

    def test_its_space_was_private_and_is_gone(self, hub, finished, watch):
        _, _, job, space, _, _ = finished
        assert space.repo.private
        assert space.sleep_s == 300 + 1800
        watch(lambda: hub.store.get("space", f"acme/{job.id}"), lambda repo: repo is None, 20)

    def test_its_image_is_pinned_and_holds_no_token(self, hub, finished):
        _, _, _, space, _, _ = finished
        files = space.repo.files()
        text = files["Dockerfile"].decode()
        assert text.splitlines()[0].count(":") == 1
        assert not text.splitlines()[0].endswith(":latest")
        assert all("==" in line for line in files["requirements.txt"].decode().splitlines())
        assert json.loads(text.rpartition("CMD ")[2])[-1] == "anytune_huggingface.compute.remote"
        assert not [path for path, content in files.items() if hub.token.encode() in content]
        assert set(space.secrets) == {"HF_TOKEN"}
        assert hub.token not in repr(space.variables)
        assert hub.token not in "\n".join(line.text for line in [*space.run_log.lines, *space.build_log.lines])

    def test_tells_each_step_once(self, finished):
        compute, _, job, _, _, last = finished
        assert [metric.step for metric in compute.metrics(job.id, None)] == list(range(1, 21))
        assert [point.step for point in compute.checkpoints(job.id)] == [10, 20]
        assert last.cost_usd == pytest.approx(last.minutes / 60 * 0.03, rel=0.05, abs=1e-5)

    def test_is_still_found(self, finished):
        compute, ordered, job, _, _, _ = finished
        found = compute.find(ordered)
        assert ([each.id for each in found.jobs], found.complete) == ([job.id], True)
        assert compute.find(ordered.model_copy(update={"ref": "0" * 26})).jobs == ()

    def test_a_cancel_changes_nothing(self, finished):
        compute, _, job, _, _, last = finished
        compute.cancel(job.id)
        assert compute.poll(job.id).model == last.model


class TestOnTheWay:
    def test_a_space_that_was_taken_down_goes_on_from_its_checkpoint(self, hub, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="taken-down", max_steps=50), program(**PATH, COUNT_STEP_S="0.1"), {})
        watch(lambda: compute.checkpoints(job.id), lambda points: len(points) >= 2)
        hub.spaces[f"acme/{job.id}"].machine.kill()
        held = watch(lambda: compute.poll(job.id), over)
        assert held.status is Status.PAUSED
        compute.resume(job.id)
        last = watch(lambda: compute.poll(job.id), over)
        assert last.status is Status.SUCCEEDED, last.error
        assert [metric.step for metric in compute.metrics(job.id, None)] == list(range(1, 51))

    def test_a_paused_job_costs_nothing_and_goes_on(self, hub, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="paused", max_steps=60, save_steps=60), program(**PATH, COUNT_STEP_S="0.1"), {})
        watch(lambda: compute.poll(job.id), lambda seen: seen.step)
        compute.pause(job.id)
        held = watch(lambda: compute.poll(job.id), over)
        assert (held.status, held.error) == (Status.PAUSED, "")
        assert hub.spaces[f"acme/{job.id}"].stage == "PAUSED"
        compute.resume(job.id)
        watch(lambda: compute.poll(job.id), lambda seen: seen.status is Status.RUNNING)
        compute.cancel(job.id)
        assert compute.poll(job.id).status is Status.CANCELLED
        assert hub.store.get("space", f"acme/{job.id}") is None
        assert compute.checkpoints(job.id)

    def test_a_failed_job_is_paused_and_says_why(self, hub, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="hopeless", max_steps=1), program(**PATH), {})
        last = watch(lambda: compute.poll(job.id), over)
        assert (last.status, last.error) == (Status.FAILED, "The loss is hopeless.")
        watch(lambda: hub.spaces[f"acme/{job.id}"].stage, lambda stage: stage == "PAUSED", 20)
        assert compute.poll(job.id).status is Status.FAILED


class TestOrdering:
    @pytest.mark.parametrize("route", ["POST /api/repos/create", "POST /api/spaces/{repo}/secrets", "POST /api/{kind}/{repo}/commit/{rev}"])
    def test_an_interrupted_order_is_taken_up_again(self, hub, place, order, program, route):
        compute = place()
        ordered = order(compute, name="interrupted", max_steps=500)
        spaces = len(hub.spaces)
        told = {asked.route for asked in hub.requests}
        on = next((known for known in told if known == route), None) or next(known for known in told if "commit" in known)
        last = 2 if "commit" in on else 1
        hub.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=on, skip=hub.count(on) + last - 1, times=1),))
        try:
            with pytest.raises(AnytuneError):
                compute.submit(ordered, program(**PATH), {})
        except pytest.fail.Exception:  # the library asked again by itself
            pass
        finally:
            hub.faults = WireFaults()
        job = compute.submit(ordered, program(**PATH), {})
        assert len(hub.spaces) == spaces + 1
        assert [each.id for each in compute.find(ordered).jobs] == [job.id]
        compute.cancel(job.id)

    def test_a_space_without_its_last_commit_is_no_job(self, hub, place, order, program):
        compute = place()
        ordered = order(compute, name="half-made", max_steps=5)
        record, told = compute.ordered(ordered, program(**PATH), {}, code.bundle(program().distributions))
        compute._make(record, told)
        assert compute.find(ordered).jobs == ()
        job = compute.submit(ordered, program(**PATH), {})
        assert [each.id for each in compute.find(ordered).jobs] == [job.id]
        compute.cancel(job.id)

    def test_an_unknown_job_is_not_found(self, place):
        compute = place()
        for verb in (compute.poll, compute.cancel, compute.pause, compute.resume, compute.checkpoints):
            with pytest.raises(NotFound):
                verb("anytune-no-such-job")

    def test_each_stage_of_the_library_is_mapped(self):
        from huggingface_hub import SpaceStage

        assert Status.UNKNOWN not in {status_of(stage.value) for stage in SpaceStage}
        assert status_of("HIBERNATING") is Status.UNKNOWN

    def test_a_program_may_prepare_its_image(self):
        program = Program(backend="b", module="m", distributions=(), image_commands=(("python", "-m", "m.environment", "make it"),))
        lines = docker.dockerfile("python:3.12.12", program).splitlines()
        assert lines[0] == "FROM python:3.12.12"
        assert 'RUN ["python", "-m", "m.environment", "make it"]' in lines[lines.index("USER user") :]

    def test_data_goes_too_where_that_is_asked_for(self, hub, place, order, program, watch):
        compute = place(clean_data=True)
        ordered = order(compute, name="traceless", max_steps=1)
        job = compute.submit(ordered, program(**PATH), {})
        watch(lambda: compute.poll(job.id), over)
        watch(lambda: compute.find_file(ordered.data["train"].sha256), lambda found: found is None, 20)

    def test_a_wrong_time_is_refused(self):
        with pytest.raises(ConfigError, match="is no time"):
            SpaceCompute(SpaceSettings(timeout="soon"))
