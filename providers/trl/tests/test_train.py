from __future__ import annotations

import json
import shutil

import pytest

from anytune_huggingface import checkpoints

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"
)

TEN = {"max_steps": 10, "save_steps": 2, "learning_rate": 1e-2, "warmup_steps": 0, "lr_scheduler_type": "constant", "save_total_limit": 5}


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.fixture
def cut(monkeypatch):
    """End training after some steps, as a kill would: by an error out of the blue that no code of ours catches."""

    from anytune_trl.callbacks import Follower

    original = Follower.on_step_begin

    def after(step):
        def dies(self, args, state, control, **kwargs):
            if state.global_step == step:
                raise SystemExit("killed")
            return original(self, args, state, control, **kwargs)

        monkeypatch.setattr(Follower, "on_step_begin", dies)

    return after


def test_a_lora_run_leaves_a_model_that_loads_and_its_papers(run, rows, tiny_model):
    data = rows()
    run.order(data).train()
    assert run.said("failed.json") is None
    result = run.said("result.json")
    artifacts = result["model"]["artifacts"]
    assert set(artifacts) == {"merged", "adapter", "card", "parity"}
    assert result["model"]["id"] == str(run.folder / "merged")
    assert json.loads((run.folder / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny_model)
    card = (run.folder / "merged" / "README.md").read_text()
    from anytune_huggingface.checkpoints import sha256

    assert sha256(data) in card
    assert str(run.folder.parent) not in card
    generation = json.loads((run.folder / "merged" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == 2
    assert str(run.folder.parent) not in (run.folder / "merged" / "config.json").read_text()
    assert not list(run.folder.rglob("training_args.bin"))


def test_parity_holds_three_prompts_and_sixteen_greedy_tokens_of_the_saved_model(run, rows):
    run.order(rows()).train()
    parity = json.loads((run.folder / "parity.json").read_text())
    assert parity["mode"] == "cpu"
    assert len(parity["rows"]) == 3
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(run.folder / "merged", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(run.folder / "merged")
    for row in parity["rows"]:
        ids = tokenizer.apply_chat_template(row["messages"], add_generation_prompt=True, return_dict=False)
        assert row["prompt_tokens"] == len(ids)
        out = model.generate(torch.tensor([ids]), max_new_tokens=16, do_sample=False)[0, len(ids) :].tolist()
        assert row["token_ids"] == out
        assert 1 <= len(out) <= 16
        assert row["text"] == tokenizer.decode(out, skip_special_tokens=True)


def test_the_learned_share_is_recorded(run, rows):
    run.order(rows()).train()
    (counted,) = [line for line in run.lines("events.jsonl") if line["data"].get("role") == "train"]
    assert 0 < counted["data"]["learned_share"] < 1
    assert run.said("result.json")["metrics"]["learned_share"] == pytest.approx(counted["data"]["learned_share"], abs=1e-6)


def test_metrics_say_loss_rate_gradient_and_speed_of_every_step(run, rows):
    run.order(rows(), method=TEN).train()
    lines = run.lines("metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert {"loss", "learning_rate", "grad_norm", "tokens_per_second"} <= set(lines[-1]["values"])
    progress = run.said("progress.json")
    assert (progress["step"], progress["total_steps"], progress["eta_s"]) == (10, 10, 0.0)


def test_the_loss_falls_with_full_tuning_and_validation_rows_are_measured(run, rows, fruit):
    validation = rows(
        [{"messages": [{"role": "user", "content": f"colour of {f}"}, {"role": "assistant", "content": c}]} for f, c in fruit],
        "valid.jsonl",
    )
    run.order(rows(), validation=validation, method=TEN | {"max_steps": 30, "save_steps": 30, "eval_steps": 10}, adapter="full").train()
    assert run.said("failed.json") is None
    losses = [line["values"]["loss"] for line in run.lines("metrics.jsonl") if "loss" in line["values"]]
    assert losses[-1] < losses[0] / 2
    assert [line["step"] for line in run.lines("metrics.jsonl") if "eval_loss" in line["values"]] == [10, 20, 30]
    assert "adapter" not in run.said("result.json")["model"]["artifacts"]


def test_preferences_are_learned(run, rows, fruit):
    preferences = [{"prompt": f"what is the colour of {name}", "chosen": colour, "rejected": "sky"} for name, colour in fruit * 2]
    run.order(rows(preferences), method={"type": "dpo", "max_steps": 6, "learning_rate": 1e-2, "save_steps": 6}).train()
    assert run.said("failed.json") is None
    losses = [line["values"]["loss"] for line in run.lines("metrics.jsonl")]
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    assert losses[-1] < losses[0]


def test_preferences_are_learned_by_all_weights_too(run, rows, fruit):
    preferences = [{"prompt": f"what is the colour of {name}", "chosen": colour, "rejected": "sky"} for name, colour in fruit]
    run.order(rows(preferences), method={"type": "dpo", "max_steps": 2, "save_steps": 2}, adapter="full").train()
    assert run.said("failed.json") is None
    assert run.said("result.json")["steps"] == 2


def test_our_loss_on_the_cpu_is_that_of_trl(run, rows, monkeypatch):
    run.order(rows(), method=TEN | {"max_steps": 3}).train()
    ours = [line["values"] for line in run.lines("metrics.jsonl")]
    from anytune_trl import trainers

    monkeypatch.setattr(trainers._SFT, "compute_loss", trainers.SFTTrainer.compute_loss)
    shutil.rmtree(run.folder / "checkpoints")
    (run.task / "metrics.jsonl").unlink()
    run.train()
    theirs = [line["values"] for line in run.lines("metrics.jsonl")]
    for name in ("loss", "grad_norm"):
        assert [v[name] for v in ours] == pytest.approx([v[name] for v in theirs], rel=1e-4)


def test_a_run_that_was_killed_goes_on_and_ends_as_if_nothing_had_happened(run, rows, cut):
    data = rows()
    run.order(data, method=TEN).train()
    whole = weights(run.folder / "merged")
    for name in ("checkpoints", "merged"):
        shutil.rmtree(run.folder / name)
    cut(7)
    with pytest.raises(SystemExit):
        run.train()
    assert [c.step for c in checkpoints.listed(run.folder / "checkpoints")] == [2, 4, 6]
    cut(-1)
    run.train()
    assert "Going on from checkpoint-6." in run.messages
    again = weights(run.folder / "merged")
    assert all((whole[name] - again[name]).abs().max() < 1e-5 for name in whole)


def test_a_tampered_checkpoint_is_never_resumed_from(run, rows, cut):
    run.order(rows(), method=TEN)
    cut(7)
    with pytest.raises(SystemExit):
        run.train()
    optimizer = run.folder / "checkpoints" / "checkpoint-6" / "optimizer.pt"
    raw = bytearray(optimizer.read_bytes())
    raw[len(raw) // 2] ^= 1
    optimizer.write_bytes(raw)
    cut(-1)
    run.train()
    assert any("checkpoint-6: optimizer.pt was changed" in message for message in run.messages)
    assert "Going on from checkpoint-4." in run.messages
    assert run.said("result.json")["steps"] == 10


def test_a_half_written_checkpoint_is_never_resumed_from(run, rows, cut):
    run.order(rows(), method=TEN)
    cut(5)
    with pytest.raises(SystemExit):
        run.train()
    half = run.folder / "checkpoints" / "checkpoint-6"
    shutil.copytree(run.folder / "checkpoints" / "checkpoint-4", half)
    (half / checkpoints.MANIFEST).unlink()
    cut(-1)
    run.train()
    assert any("checkpoint-6: it was not finished" in message for message in run.messages)
    assert "Going on from checkpoint-4." in run.messages


def test_a_file_added_to_a_checkpoint_makes_it_untrusted(run, rows, cut):
    run.order(rows(), method=TEN)
    cut(3)
    with pytest.raises(SystemExit):
        run.train()
    (run.folder / "checkpoints" / "checkpoint-2" / "pytorch_model.bin").write_bytes(b"x")
    cut(-1)
    run.train()
    assert any("pytorch_model.bin was added" in message for message in run.messages)
    assert run.said("result.json")["steps"] == 10


def test_a_death_while_saving_costs_no_training(run, rows, monkeypatch):
    from anytune_trl import save

    original = save.save
    monkeypatch.setattr(save, "save", lambda *_: (_ for _ in ()).throw(SystemExit("killed")))
    run.order(rows(), method=TEN)
    with pytest.raises(SystemExit):
        run.train()
    monkeypatch.setattr(save, "save", original)
    run.train()
    assert "Going on from checkpoint-10." in run.messages
    assert run.said("result.json")["steps"] == 10


def test_a_pause_saves_a_checkpoint_and_a_resume_goes_on_from_it(run, rows, monkeypatch):
    from anytune.local.child import Reporter

    run.order(rows(), method=TEN)
    original = Reporter.metric

    def asks(self, step, values):
        if step == 3:
            (run.task / "hold").touch()
        original(self, step, values)

    monkeypatch.setattr(Reporter, "metric", asks)
    run.train()
    paused = run.said("paused.json")
    assert paused["step"] in {3, 4}
    assert run.said("result.json") is None
    (run.task / "hold").unlink()
    monkeypatch.setattr(Reporter, "metric", original)
    run.train()
    assert f"Going on from checkpoint-{paused['step']}." in run.messages
    assert run.said("result.json")["steps"] == 10


def test_a_loss_that_is_no_number_fails_the_job_and_keeps_the_checkpoint(run, rows, monkeypatch):
    import torch

    from anytune_trl import trainers

    original = trainers._SFT.compute_loss

    def breaks(self, *args, **kwargs):
        loss = original(self, *args, **kwargs)
        return loss * torch.nan if self.state.global_step == 5 else loss

    monkeypatch.setattr(trainers._SFT, "compute_loss", breaks)
    run.order(rows(), method=TEN).train()
    message = run.said("failed.json")["message"]
    assert "The loss became nan after step 5. The last good checkpoint is kept: checkpoint-4." in message
    assert "Lower `learning_rate`" in message
    assert run.said("result.json") is None


def test_a_loss_of_zero_from_the_start_fails_the_job(run, rows, monkeypatch):
    from anytune_trl import trainers

    original = trainers._SFT.compute_loss
    monkeypatch.setattr(trainers._SFT, "compute_loss", lambda self, *a, **k: original(self, *a, **k) * 0)
    run.order(rows(), method=TEN).train()
    assert "has been exactly zero since the start" in run.said("failed.json")["message"]


def test_overlong_rows_fail_the_job_before_it_trains(run, rows):
    run.order(rows(), method={"max_steps": 2, "max_length": 10}).train()
    assert "rows are longer than max_length=10" in run.said("failed.json")["message"]
    assert not (run.task / "metrics.jsonl").exists()


def test_dropped_rows_are_said_in_an_event(run, rows):
    data = rows([{"messages": [{"role": "user", "content": "apple " * n}, {"role": "assistant", "content": "red"}]} for n in (2, 3, 4, 90)])
    run.order(data, method={"max_steps": 2, "max_length": 40, "overlong": "drop"}).train()
    (counted,) = [line for line in run.lines("events.jsonl") if line["data"].get("role") == "train"]
    assert (counted["data"]["overlong"], counted["data"]["samples"]) == (1, 3)
    assert run.said("result.json")["counts"]["train"]["overlong"] == 1


def test_data_that_changed_since_the_order_is_refused(run, rows):
    data = rows()
    run.order(data)
    data.write_text(data.read_text().replace("red", "blue"))
    run.train()
    assert "data changed since the job was made" in run.said("failed.json")["message"]


def test_a_full_disk_is_noticed_before_training(run, rows, monkeypatch):
    from types import SimpleNamespace

    from anytune_trl import train

    monkeypatch.setattr(train.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    run.order(rows()).train()
    assert "GB of disk space" in run.said("failed.json")["message"]


def test_a_tuned_model_can_be_tuned_further(run, rows, tmp_path):
    data = rows()
    run.order(data).train()
    first = run.folder / "merged"
    run.folder, run.task = tmp_path / "second", tmp_path / "task2"
    run.order(data, model=first).train()
    assert run.said("failed.json") is None
    assert run.said("result.json")["model"]["base_model"] == str(first)


def test_a_model_that_lacks_weights_is_refused_instead_of_trained_from_random_numbers(run, rows, copied):
    from safetensors.torch import save_file

    kept = {name: tensor for name, tensor in weights(copied).items() if "layers.1.mlp.up_proj" not in name}
    save_file(kept, copied / "model.safetensors", metadata={"format": "pt"})
    run.order(rows(), model=copied).train()
    assert "lacks 1 weights" in run.said("failed.json")["message"]
    assert "layers.1.mlp.up_proj" in run.said("failed.json")["message"]
