"""Runs on the tiny model of `providers/conftest.py`: orders are carried out in the test's own process, AutoTrain's driver in its own."""

from __future__ import annotations

import json

import pytest


class Run:
    """The order of a run, and what was said of it; `train` carries it out."""

    def __init__(self, place, model):
        self.folder, self.task, self.model = place / "run", place / "task", model
        self.task.mkdir(parents=True)

    def order(self, data, validation=None, model=None, method=None, **spec):
        from anytune.data import describe
        from anytune.spec import TrainingSpec
        from anytune_huggingface.order import DataFile, TrainOrder

        files = {"train": data} | ({"validation": validation} if validation else {})
        model = str(model or self.model)
        method = {"type": "sft"} | (method or {"max_steps": 4})
        made = TrainingSpec(backend="autotrain", model=model, train=data, validation=validation, method=method, **spec)
        TrainOrder(
            ref="R1", name="fruit", model=model, spec=made.model_dump(mode="json", exclude_none=True), spec_hash="1:0", host="here",
            data={role: DataFile(path=path, sha256=describe(path, "train").sha256) for role, path in files.items()},
        ).write(self.folder)  # fmt: skip
        return self

    def train(self):
        from anytune_autotrain.train import main

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANYTUNE_TASK_DIR", str(self.task))
            main(self.folder)
        return self

    def said(self, name):
        path = self.task / name
        return json.loads(path.read_text()) if path.exists() else None

    def lines(self, name):
        path = self.task / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def messages(self):
        return [line["message"] for line in self.lines("events.jsonl")]

    @property
    def result(self):
        assert self.said("failed.json") is None, self.said("failed.json")
        return self.said("result.json")

    def losses(self):
        return [line["values"]["loss"] for line in self.lines("metrics.jsonl") if "loss" in line["values"]]


@pytest.fixture
def run(real, tiny_model, tmp_path):
    return Run(tmp_path, tiny_model)


@pytest.fixture(scope="module")
def runs(real, tiny_model, tmp_path_factory):
    """Make a run that several tests look at."""
    return lambda name: Run(tmp_path_factory.mktemp(name), tiny_model)


def write(folder, rows, name="rows.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Write rows to a file of their own."""
    return lambda rows, name="rows.jsonl": write(tmp_path_factory.mktemp("rows"), rows, name)


@pytest.fixture
def preferences(fruit):
    return [{"prompt": f"what is the colour of {name}", "chosen": colour, "rejected": "sky"} for name, colour in fruit * 2]
