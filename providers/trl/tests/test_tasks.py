from __future__ import annotations

import pytest

from anytune.backend import Order
from anytune.spec import TrainingSpec
from anytune.values import LocalFile
from anytune_huggingface.compute import tasks
from anytune_trl import TRLBackend


@pytest.mark.parametrize(("budget", "minutes"), [({"max_hours": 0.5}, 30), ({"max_usd": 5}, None), (None, None)])
def test_the_agent_is_given_the_budgets_hours_in_minutes(tmp_path, monkeypatch, budget, minutes):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path))
    spec = TrainingSpec(backend="trl", model="starter", train=tmp_path / "train.jsonl", budget=budget)
    data = {"train": LocalFile(path=spec.train, sha256="0" * 64, size_bytes=1, role="train")}
    order = Order(ref="JOB1", ledger="L", sequence=1, name="fruit", spec=spec, spec_hash="1:0", model="starter", data=data)
    assert tasks.training(order, TRLBackend.program).budget_minutes == minutes
