"""The driver, inside AutoTrain's real environment."""

from __future__ import annotations

import hashlib
import json
import math
import signal
from pathlib import Path

import pytest
from safetensors import safe_open

from anytune_autotrain import driver

UNPACKED = {"params": {"peft": False}, "overrides": {"max_steps": -1, "num_train_epochs": 1.5, "packing": False, "save_steps": 20}}
TRAINERS = ("default", "sft", "dpo", "orpo", "reward")


@pytest.fixture(scope="module")
def ran(drive):
    """All five trainers, two at a time."""
    done = {}
    for pair in (TRAINERS[:2], TRAINERS[2:4], TRAINERS[4:]):
        for one in [drive(trainer) for trainer in pair]:
            one.wait()
            done[json.loads((one.output / "RUN.json").read_text())["params"]["trainer"]] = one
    return done


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("trainer", TRAINERS)
class TestEveryTrainer:
    def test_ends_with_a_finished_model_and_exit_code_0(self, ran, trainer):
        run = ran[trainer]
        assert run.code == 0, run.log.read_text()[-2000:]
        (finished,) = run.of("finished")
        assert finished["step"] == finished["total_steps"] == 4
        with safe_open(run.output / "model" / "adapter_model.safetensors", "pt") as weights:
            assert any(weights.get_tensor(name).abs().sum() > 0 for name in weights.keys() if "lora_B" in name)  # noqa: SIM118

    def test_says_first_what_it_trains_with_and_on(self, ran, trainer):
        started = ran[trainer].events[0]
        assert started["event"] == "started"
        assert started["versions"]["autotrain-advanced"] == driver.AUTOTRAIN
        assert (started["step"], started["total_steps"], started["device"]) == (0, 4, "cpu")
        assert (started["counts"]["rows"], started["counts"]["validation_rows"]) == (28, 4)

    def test_reports_the_loss_of_each_step_and_of_the_validation_rows(self, ran, trainer):
        metrics = ran[trainer].of("metric")
        assert [found["step"] for found in metrics if "loss" in found["values"]] == [1, 2, 3, 4]
        assert [found["step"] for found in metrics if "eval_loss" in found["values"]] == [2, 4]
        assert [found["step"] for found in ran[trainer].of("progress")] == [1, 2, 3, 4]

    def test_names_checkpoints_when_they_are_whole(self, ran, trainer):
        checkpoints = ran[trainer].of("checkpoint")
        assert [found["step"] for found in checkpoints] == [2, 4]
        for found in checkpoints:
            names = {path.name for path in (ran[trainer].output / f"checkpoint-{found['step']}").iterdir()}
            assert {"adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"} <= names
            assert "pytorch_model.bin" not in names

    def test_leaves_no_rows_pickles_or_tokens_behind(self, ran, trainer):
        run = ran[trainer]
        assert "what is the colour" not in run.log.read_text()
        assert {path.name for path in run.output.iterdir()} == {"RUN.json", "log.txt", "checkpoint-2", "checkpoint-4", "model"}
        assert not [path for path in (run.output / "model").iterdir() if path.suffix in {".bin", ".pt", ".pth", ".md"}]
        assert all("hf_invented" not in path.read_text("utf-8", "replace") for path in run.output.rglob("*") if path.is_file())


class TestCounts:
    def test_tell_how_many_tokens_blocks_dropped(self, ran):
        for trainer in ("default", "sft"):
            counts = ran[trainer].events[0]["counts"]
            assert counts["sequence_tokens"] == counts["sequences"] * 64
            assert 0 <= counts["tokens"] - counts["sequence_tokens"] < 64

    def test_tell_the_tokens_trained_on_after_each_step(self, ran):
        assert [found["tokens"] for found in ran["default"].of("progress")] == [128, 256, 384, 512]

    def test_are_of_rows_where_a_trainer_takes_pairs(self, ran):
        assert ran["dpo"].events[0]["counts"]["sequences"] == 28


@pytest.fixture(scope="module")
def whole(drive):
    """A run on rows that are not packed, of all weights, over one and a half epochs."""
    return drive("sft", validation=False, **UNPACKED).wait()


@pytest.mark.slow
class TestPauseAndResume:
    def test_ends_with_the_very_weights_of_an_uninterrupted_run(self, whole, drive, tmp_path):
        hold = tmp_path / "hold"
        hold.touch()
        paused = drive("sft", validation=False, hold=str(hold), **UNPACKED).wait()
        assert (paused.code, paused.events[-1]) == (0, {"event": "paused", "step": 1})
        assert not (paused.output / "model").exists()
        hold.unlink()
        (checkpoint,) = paused.of("checkpoint")
        resumed = drive("sft", validation=False, hold=str(hold), resume=checkpoint["path"], **UNPACKED).wait()
        assert resumed.events[0]["step"] == 1
        assert resumed.of("finished")[0]["step"] == whole.of("finished")[0]["step"] == 21
        assert digest(resumed.output / "model" / "model.safetensors") == digest(whole.output / "model" / "model.safetensors")

    def test_a_last_checkpoint_is_saved_as_it_is(self, whole, drive):
        again = drive("sft", validation=False, resume=whole.of("checkpoint")[-1]["path"], **UNPACKED).wait()
        assert not again.of("progress")
        assert digest(again.output / "model" / "model.safetensors") == digest(whole.output / "model" / "model.safetensors")

    def test_a_killed_run_goes_on_from_its_checkpoint(self, drive, until):
        killed = drive("dpo", validation=False, overrides={"max_steps": 100_000})
        until(lambda: killed.of("checkpoint") or killed.child.poll() is not None)
        assert killed.kill().code == -signal.SIGKILL
        checkpoint = killed.of("checkpoint")[0]
        resumed = drive("dpo", validation=False, resume=checkpoint["path"], overrides={"max_steps": checkpoint["step"] + 1}).wait()
        assert [found["step"] for found in resumed.of("progress")] == [checkpoint["step"] + 1]
        assert resumed.code == 0


FOUR = {"params": {"peft": False, "gradient_accumulation": 4}, "overrides": {"max_steps": -1, "num_train_epochs": 2, "packing": False}}


@pytest.fixture(scope="module")
def passes(drive):
    """A run of four passes a step on rows that do not fill the last step of an epoch: 27 of them, eight a step."""
    return drive("sft", validation=False, rows=27, **FOUR).wait()


def losses(run):
    return [found["values"]["loss"] for found in run.of("metric") if "loss" in found["values"]]


class TestSeveralPasses:
    """What transformers 4.48 does wrong with gradient accumulation is put right."""

    def test_give_losses_of_the_size_that_one_pass_gives(self, passes, ran):
        assert losses(passes)[0] == pytest.approx(losses(ran["sft"])[0], rel=0.2)

    def test_make_the_steps_that_their_rows_fill(self, passes):
        assert passes.of("finished")[0]["step"] == passes.of("finished")[0]["total_steps"] == 6

    @pytest.mark.slow
    def test_repeat_their_losses_when_they_go_on_within_an_epoch(self, passes, drive):
        checkpoint = passes.of("checkpoint")[1]
        assert checkpoint["step"] == 4
        resumed = drive("sft", validation=False, rows=27, resume=checkpoint["path"], **FOUR).wait()
        assert losses(resumed) == losses(passes)[4:6]
        assert digest(resumed.output / "model" / "model.safetensors") == digest(passes.output / "model" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "layer"), [("int4", "Linear4bit"), ("int8", "Linear8bitLt")])
def test_an_adapter_is_trained_on_weights_of_few_bits(drive, bits, layer):
    program = [Path(__file__).parent / "programs" / "quantized.py"]
    run = drive("sft", params={"quantization": bits}, validation=False, program=program).wait()
    assert run.code == 0, run.log.read_text()[-2000:]
    assert f"made: {layer}" in run.log.read_text()
    assert all(math.isfinite(loss) for loss in losses(run))
    with safe_open(run.output / "model" / "adapter_model.safetensors", "pt") as weights:
        assert any(weights.get_tensor(name).abs().sum() > 0 for name in weights.keys() if "lora_B" in name)  # noqa: SIM118


class TestFailure:
    def failed(self, run):
        run.wait()
        assert run.code == 1
        assert [found["event"] for found in run.events] == ["failed"]
        return run.events[0]["kind"], run.events[0]["message"]

    def test_another_interpreter_is_an_environment_that_does_not_serve(self, drive, ours):
        kind, message = self.failed(drive("sft", python=ours))
        assert kind == "environment"
        assert "autotrain cannot be imported" in message

    @pytest.mark.slow
    def test_an_override_that_no_trainer_has_is_named(self, drive):
        kind, message = self.failed(drive("sft", overrides={"max_stepz": 3}))
        assert (kind, "`max_stepz`" in message) == ("config", True)

    def test_a_token_is_refused_unseen(self, drive):
        kind, message = self.failed(drive("sft", params={"token": "hf_invented0invented0"}))
        assert kind == "config"
        assert "hf_invented" not in message

    def test_a_model_that_is_not_there_is_named_by_its_key(self, drive):
        assert self.failed(drive("sft", params={"model": "/nowhere"})) == ("config", "`model` is no absolute path of a folder.")

    def test_rows_that_fill_no_block_are_not_trained_on_in_silence(self, drive):
        kind, message = self.failed(drive("default", validation=False, rows=2))
        assert kind == "data"
        assert "training rows" in message

    @pytest.mark.slow
    def test_a_number_that_is_none_is_passed_on(self, drive):
        run = drive("default", validation=False, params={"lr": 1e30, "warmup_ratio": 0.0}).wait()
        assert any(math.isnan(found["values"]["loss"]) for found in run.of("metric") if "loss" in found["values"])

    def test_a_termination_ends_it_at_once(self, drive, until):
        run = drive("sft")
        until((run.output / ".scratch" / "tmp").is_dir)
        assert run.kill(signal.SIGTERM).code == -signal.SIGTERM


@pytest.mark.slow
class TestChats:
    def test_are_rendered_by_autotrain_where_rows_are_not_texts(self, drive, tmp_path):
        rows = [{"messages": json.dumps([{"role": "user", "content": "what is the colour"}, {"role": "assistant", "content": "red"}])}] * 40
        for split in ("train", "validation"):
            (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        params = {"text_column": "messages", "chat_template": "tokenizer", "data_path": str(tmp_path)}
        run = drive("sft", texts=False, params=params).wait()
        assert run.code == 0, run.log.read_text()[-2000:]
        assert [found["step"] for found in run.of("metric") if "eval_loss" in found["values"]] == [2, 4]
        assert run.events[0]["counts"]["validation_rows"] == 40
