"""Runs on simulated Hugging Face Jobs, whose containers are real processes: from the order to the model, and through what goes wrong."""

from __future__ import annotations

import json
import os
import signal

import pytest

from anytune.errors import ConfigError, NotFound, Unreachable
from anytune.testing.simulators.faults import WireFault, WireFaults
from anytune.values import ModelRef, Status
from anytune_huggingface.compute.jobs import JobsCompute, JobsSettings, status_of


@pytest.fixture(scope="module")
def place(hub):
    """Make the place, quick to look."""
    quick = {"flavor": "cpu-basic", "timeout": 300, "look_s": 0.3, "push_s": 0, "pace_s": 1, "quiet_s": 0.2}
    return lambda **more: JobsCompute(JobsSettings(**(quick | more)))


@pytest.fixture(scope="module")
def finished(hub, place, order, program, watch):
    """One job that has run to its end, with its last snapshot."""
    compute = place()
    ordered = order(compute, max_steps=4, save_steps=2)
    job = compute.submit(ordered, program(), {"max_steps": 4})
    return compute, ordered, job, watch(lambda: compute.poll(job.id), lambda seen: seen.status.terminal or seen.status is Status.PAUSED)


def over(seen):
    return seen.status.terminal or seen.status is Status.PAUSED


class TestAFinishedJob:
    def test_gives_a_model_pinned_to_a_commit(self, hub, finished):
        _, _, job, last = finished
        assert last.status is Status.SUCCEEDED, last.error
        record = f"acme/{hub.jobs[job.id].labels['anytune_record']}"
        assert last.model.id == f"{record}@{hub.store.get('model', record).sha}"
        assert last.model.base_model == f"acme/tiny@{hub.store.get('model', 'acme/tiny').sha}"

    def test_its_record_is_private_and_holds_all_of_it(self, hub, finished):
        repo = hub.store.get("model", finished[3].model.id.partition("@")[0])
        assert repo.private
        assert {"config.json", "model.safetensors", "anytune/order.json", "anytune/result.json", "anytune/events.jsonl"} <= set(
            repo.files()
        )

    def test_was_ordered_once_with_labels_and_a_timeout(self, hub, finished):
        _, ordered, job, _ = finished
        made = [each for each in hub.jobs.values() if each.labels.get("anytune_ref") == ordered.ref]
        assert [each.id for each in made] == [job.id]
        assert made[0].labels["anytune_part"] == "1"
        assert made[0].labels["anytune_ledger"] == "L1"
        assert made[0].spec["timeoutSeconds"] == 300

    def test_is_listed_with_its_ledger_and_name(self, finished):
        compute, ordered, job, _ = finished
        listed = {each.id: each for each in compute.list_jobs(100)}
        assert (listed[job.id].ledger, listed[job.id].name, listed[job.id].ref) == ("L1", ordered.name, ordered.ref)

    def test_costs_its_seconds(self, finished):
        last = finished[3]
        assert last.cost_usd == pytest.approx(last.minutes / 60 * 0.01, rel=0.05, abs=1e-5)
        assert last.minutes > 0

    def test_tells_each_step_and_event_once(self, finished):
        compute, _, job, _ = finished
        assert [metric.step for metric in compute.metrics(job.id, None)] == [1, 2, 3, 4]
        messages = [event.message for event in compute.events(job.id, None)]
        assert messages.count("Counting from 0, token not seen.") == 1

    def test_its_checkpoints_are_pinned_models(self, finished):
        compute, _, job, _ = finished
        points = compute.checkpoints(job.id)
        assert points[-1].step == 4
        assert points[-1].model.endswith(":checkpoints/checkpoint-4")

    def test_says_nothing_of_the_container_in_its_card_and_result(self, hub, finished):
        files = hub.store.get("model", finished[3].model.id.partition("@")[0]).files()
        assert b"anytune-run-" not in files["README.md"] + files["anytune/result.json"]
        assert json.loads(files["anytune/result.json"])["model"]["base_model"].startswith("acme/tiny@")

    def test_no_token_is_anywhere_but_among_the_secrets(self, hub, finished):
        _, _, job, last = finished
        seen = hub.jobs[job.id]
        token = hub.token
        assert seen.secrets == {"HF_TOKEN": token}
        assert token not in json.dumps(seen.spec) + json.dumps(seen.labels)
        assert token not in "\n".join(line.text for line in seen.log.lines)
        assert token not in last.model_dump_json()
        for kind, repo_id in (("model", last.model.id.partition("@")[0]), ("dataset", "acme/anytune-data")):
            assert not [path for path, content in hub.store.get(kind, repo_id).files().items() if token.encode() in content]

    def test_is_found_by_its_ref_alone(self, finished):
        compute, ordered, job, _ = finished
        assert [each.id for each in compute.find(ordered).jobs] == [job.id]
        assert compute.find(ordered).jobs[0].spec_hash == ordered.spec_hash
        assert compute.find(ordered.model_copy(update={"ref": "0" * 26})).jobs == ()

    def test_cannot_be_resumed(self, finished):
        compute, _, job, _ = finished
        with pytest.raises(ConfigError, match="ended as succeeded"):
            compute.resume(job.id)

    def test_the_same_container_again_trains_nothing(self, hub, finished, watch):
        _, _, job, last = finished
        again = hub.jobs[hub_api(hub).rerun_job(job_id=job.id, namespace="acme").id]
        watch(lambda: again.stage, lambda stage: stage in {"COMPLETED", "ERROR"})
        assert again.stage == "COMPLETED"
        assert not [line for line in again.log.lines if "Counting" in line.text]
        assert hub.store.get("model", last.model.id.partition("@")[0]).sha == last.model.id.partition("@")[2]


def hub_api(hub):
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token=hub.token)


class TestInterruptions:
    def test_a_killed_container_loses_nothing_that_was_pushed(self, hub, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="killed", max_steps=60), program(COUNT_STEP_S="0.1"), {})
        watch(lambda: compute.checkpoints(job.id), lambda points: len(points) >= 2)
        hub.crash(job.id)
        held = watch(lambda: compute.poll(job.id), over)
        assert held.status is Status.PAUSED
        assert "resume" in held.error
        told = len(compute.metrics(job.id, None))
        kept = compute.checkpoints(job.id)[-1].step
        compute.resume(job.id)
        compute.resume(job.id)
        last = watch(lambda: compute.poll(job.id), over)
        assert last.status is Status.SUCCEEDED, last.error
        messages = [event.message for event in compute.events(job.id, None)]
        assert f"Counting from {kept}, token not seen." in messages
        assert told <= 60
        assert [metric.step for metric in compute.metrics(job.id, None)] == list(range(1, 61))
        assert len([each for each in hub.jobs.values() if each.labels.get("anytune_first") == job.id]) == 1
        assert last.raw["part"] == 2

    def test_a_job_goes_on_by_itself_when_its_time_is_up(self, hub, place, order, program, watch):
        compute = place(timeout=12, grace=6, resumes=3)
        job = compute.submit(order(compute, name="long", max_steps=60, save_steps=30), program(COUNT_STEP_S="0.1"), {})
        last = watch(lambda: compute.poll(job.id), over)
        assert last.status is Status.SUCCEEDED, last.error
        mine = [each for each in hub.jobs.values() if each.id == job.id or each.labels.get("anytune_first") == job.id]
        assert len(mine) >= 2
        assert [each.stage for each in mine] == ["COMPLETED"] * len(mine)
        assert len({each.labels["anytune_part"] for each in mine}) == len(mine)
        assert last.cost_usd > 0

    def test_without_further_parts_it_pauses_when_its_time_is_up(self, place, order, program, watch):
        compute = place(timeout=10, grace=6)
        job = compute.submit(order(compute, name="short", max_steps=200, save_steps=100), program(COUNT_STEP_S="0.1"), {})
        held = watch(lambda: compute.poll(job.id), over)
        assert held.status is Status.PAUSED
        assert "time was up" in held.error
        compute.cancel(job.id)
        assert compute.poll(job.id).status is Status.CANCELLED
        with pytest.raises(ConfigError, match="ended as cancelled"):
            compute.resume(job.id)

    def test_a_container_that_is_asked_to_end_pauses(self, hub, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="ended", max_steps=200, save_steps=200), program(COUNT_STEP_S="0.1"), {})
        watch(lambda: compute.poll(job.id), lambda seen: seen.step)
        os.kill(hub.jobs[job.id].machine.pid, signal.SIGTERM)
        held = watch(lambda: compute.poll(job.id), over)
        assert held.status is Status.PAUSED
        assert "container was ended" in held.error
        assert compute.checkpoints(job.id)[-1].step == held.step
        compute.cancel(job.id)

    def test_a_program_that_dies_once_is_started_again(self, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="dies", max_steps=5), program(COUNT_DIES_AT="3"), {})
        last = watch(lambda: compute.poll(job.id), over)
        assert last.status is Status.SUCCEEDED, last.error
        assert "It ended without a word, and is started again." in [event.message for event in compute.events(job.id, None)]

    def test_what_failed_says_why(self, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="hopeless", max_steps=1), program(), {})
        last = watch(lambda: compute.poll(job.id), over)
        assert (last.status, last.error) == (Status.FAILED, "The loss is hopeless.")

    def test_a_program_that_cannot_start_shows_its_last_lines(self, place, order, program, watch):
        compute = place()
        job = compute.submit(order(compute, name="absent", max_steps=1), program().model_copy(update={"module": "no_such_program"}), {})
        last = watch(lambda: compute.poll(job.id), over)
        assert last.status is Status.FAILED
        assert "No module named no_such_program" in last.error

    def test_a_container_without_our_code_fails_with_its_log(self, hub, place, order, program, watch):
        compute = place()
        ordered = order(compute, name="codeless", max_steps=1)
        job = compute.submit(ordered, program(), {})
        hub.preempt(job.id)
        last = compute.poll(job.id)
        assert last.status is Status.FAILED
        assert "taken away" in last.error


class TestOrdering:
    def test_a_lost_reply_makes_no_second_job(self, hub, place, order, program):
        compute = place()
        ordered = order(compute, name="lost", max_steps=500)
        route = "POST /api/jobs/{namespace}"
        before = hub.count(route)
        hub.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=route, skip=before),))
        try:
            with pytest.raises(Unreachable):
                compute.submit(ordered, program(), {})
        finally:
            hub.faults = WireFaults()
        found = compute.find(ordered)
        assert (len(found.jobs), found.complete) == (1, True)
        assert hub.count(route) == before + 1
        compute.cancel(found.jobs[0].id)
        assert compute.poll(found.jobs[0].id).status is Status.CANCELLED

    def test_an_unknown_job_is_not_found(self, place):
        compute = place()
        for verb in (compute.poll, compute.cancel, compute.pause, compute.resume, compute.checkpoints):
            with pytest.raises(NotFound):
                verb("6b03c82c0d0ac5542304ba68")

    def test_each_stage_of_the_library_is_mapped(self):
        from huggingface_hub import JobStage

        assert {stage.value: status_of(stage.value) for stage in JobStage} == {
            "SCHEDULING": Status.QUEUED,
            "RUNNING": Status.RUNNING,
            "COMPLETED": Status.SUCCEEDED,
            "ERROR": Status.FAILED,
            "CANCELED": Status.CANCELLED,
            "DELETED": Status.CANCELLED,
        }
        assert status_of("HIBERNATING") is Status.UNKNOWN


class TestAfterwards:
    def test_only_what_a_job_made_is_deleted(self, hub, place, finished):
        with pytest.raises(ConfigError, match="not made by a job"):
            place().delete_model(ModelRef(id="acme/tiny"))
        assert hub.store.get("model", "acme/tiny") is not None

    def test_a_deleted_model_takes_its_record_along(self, hub, finished):
        compute, _, _, last = finished
        compute.delete_model(last.model)
        assert hub.store.get("model", last.model.id.partition("@")[0]) is None
        with pytest.raises(NotFound):
            compute.delete_model(last.model)
