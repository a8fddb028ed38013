"""The whole way: a model tuned at the simulated OpenAI is captured, trained anew by TRL on this CPU, asked, and compared."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from anytune import Deployment, plugins
from anytune.evaluation.report import read
from anytune.migration import capture, migrate


@pytest.mark.slow
def test_from_openai_to_a_tiny_model_on_this_cpu(tuned, folder, context, tiny_model, monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    context.backends["trl"] = plugins.load("trl")()
    context.sleep = time.sleep
    job = tuned(validation=folder / "valid.jsonl", n_epochs=1)
    done = migrate(
        f"openai:{job.remote_id}",
        to="trl",
        model=str(tiny_model),
        name="rice",
        accept_losses=True,
        sweep=False,
        data=folder / "held.jsonl",
        params={"temperature": 0.0, "max_tokens": 8},
        poll_s=0.2,
        context=context,
    )
    assert done.state == "done"
    assert done.plan.spec["method"] == {
        "type": "sft", "num_train_epochs": 1, "per_device_train_batch_size": 6, "gradient_accumulation_steps": 2, "seed": 7, "learning_rate": 2e-4,
    }  # fmt: skip
    assert {"weights", "hosted-guarantees", "tokenizer"} <= {loss.code for loss in done.plan.losses}
    assert done.outcome in {"fail", "inconclusive", "pass"}
    assert (Path(done.evaluation) / "evaluation.json").is_file()
    assert done.switch.command == "anytune deploy rice --ttl 8h"
    assert Deployment.list(context=context) == []


@pytest.mark.slow
def test_three_rates_are_tried_here_and_the_best_is_held_against_what_the_old_model_answered(
    tuned, folder, context, tiny_model, monkeypatch
):
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    context.backends["trl"] = plugins.load("trl")()
    context.sleep = time.sleep
    job = tuned(validation=folder / "valid.jsonl", n_epochs=1)
    params = {"temperature": 0.0, "max_tokens": 8}
    kept = capture(f"openai:{job.remote_id}", folder / "held.jsonl", samples=2, params=params, out=folder / "old.jsonl", context=context)
    done = migrate(
        f"openai:{job.remote_id}",
        to="trl",
        model=str(tiny_model),
        name="swept",
        accept_losses=True,
        sweep=True,
        data=folder / "held.jsonl",
        captured=kept.path,
        poll_s=0.2,
        context=context,
    )
    assert done.state == "done"
    assert len({one.name for one in done.candidates}) == 3
    assert done.chosen in {one.job for one in done.candidates}
    found = read(Path(done.evaluation) / "evaluation.json")
    assert [arm.name for arm in found.arms] == ["old", "new"]
    assert (found.repeats, found.arms[0].errors, found.arms[0].model) == (2, 0, "")
    assert Deployment.list(context=context) == []
