"""Between all four backends: a job of each is planned at each other one, and preflight there finds nothing against it."""

from __future__ import annotations

import pytest

from anytune import plugins
from anytune.data import describe
from anytune.migration.planning import planned
from anytune.migration.values import Origin

HOSTED = {"num_train_epochs": 3, "batch_size": 12, "seed": 7}
OWN = {"num_train_epochs": 3.0, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 3, "learning_rate": 1e-4, "seed": 7}
ORIGINS = {
    "openai": HOSTED | {"learning_rate_multiplier": 1.8},
    "azure": HOSTED | {"learning_rate_multiplier": 1.8},
    "trl": OWN | {"max_length": 256},
    "autotrain": OWN | {"max_length": 256},
}
HOSTS = {"openai", "azure"}
PAIRS = [(old, new) for old in ORIGINS for new in ORIGINS if old != new]
BASES = {"openai": "gpt-4.1-mini-2025-04-14", "azure": "gpt-4.1-mini-2025-04-14"}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), PAIRS, ids=lambda word: word)
def test_a_job_of_one_is_planned_at_another(old, new, with_azure, folder, tiny_model):
    context = with_azure
    for name in ("trl", "autotrain"):
        context.backends[name] = plugins.load(name)()
    files = {"train": describe(folder / "train.jsonl", "train"), "validation": describe(folder / "valid.jsonl", "validation")}
    origin = Origin(
        source=f"{old}:job", backend=old, profile=old, local=old not in HOSTS, model=BASES.get(old, "SmolLM2"), tuned="old-model",
        method={"type": "sft"} | ORIGINS[old], adapter=None if old in HOSTS else {"type": "lora", "r": 8}, files=files,
    )  # fmt: skip
    model = BASES.get(new, str(tiny_model))
    short = {"max_length": 128} if new == "autotrain" else {}  # it packs rows into blocks, and these fill no larger one
    plan = planned(origin, name="moved", to=new, model=model, folder=folder, settings=short, sweep=False, context=context)
    codes, method = {loss.code for loss in plan.losses}, plan.spec["method"]
    assert [found for found in plan.findings if found.severity == "error"] == []
    assert (method["num_train_epochs"], "weights" in codes) == (3, True)
    if new in HOSTS:
        assert method["batch_size"] == 12
        assert "learning_rate" not in method
        assert plan.spec.get("adapter") is None
    else:
        assert method["per_device_train_batch_size"] * method["gradient_accumulation_steps"] == 12
        assert method["learning_rate"] == 2e-4
        assert plan.spec["adapter"]["type"] == "lora"
    assert ("learning-rate-multiplier" in codes) == (old in HOSTS)
    assert ("learning-rate" in codes) == (old not in HOSTS)
    assert ("adapter" in codes) == (old not in HOSTS and new in HOSTS)
    assert ("hosted-guarantees" in codes) == (old in HOSTS and new not in HOSTS)
    assert ("tokenizer" in codes) == (BASES.get(old) != model)
