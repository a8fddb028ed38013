"""A run on the tiny model of `providers/conftest.py`, carried out in the test's own process."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def run(tiny_model, tmp_path, monkeypatch):
    """Write the order of a run on the tiny model; `train` carries it out in this process."""
    from anytune.data import describe
    from anytune.spec import TrainingSpec
    from anytune_huggingface.order import DataFile, TrainOrder

    class Runs:
        folder = tmp_path / "run"
        task = tmp_path / "task"

        def order(self, data, validation=None, model=tiny_model, method=None, **spec):
            files = {"train": data} | ({"validation": validation} if validation else {})
            self.task.mkdir(exist_ok=True)
            made = TrainingSpec(
                backend="trl",
                model=str(model),
                train=data,
                validation=validation,
                method={"type": "sft"} | (method or {"max_steps": 4}),
                **spec,
            )
            TrainOrder(
                ref="R1", name="fruit", model=str(model), spec=made.model_dump(mode="json", exclude_none=True), spec_hash="1:0", host="here",
                data={role: DataFile(path=path, sha256=describe(path, "train").sha256) for role, path in files.items()},
            ).write(self.folder)  # fmt: skip
            return self

        def train(self):
            from anytune_trl.train import main

            monkeypatch.setenv("ANYTUNE_TASK_DIR", str(self.task))
            main(self.folder)
            return self

        def said(self, name):
            path = self.task / name
            return json.loads(path.read_text()) if path.exists() else None

        def lines(self, name):
            return [json.loads(line) for line in (self.task / name).read_text().splitlines()]

        @property
        def messages(self):
            return [line["message"] for line in self.lines("events.jsonl")]

    return Runs()
