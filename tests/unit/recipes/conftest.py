from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from anytune.recipes import autotrain

CONFIGS = Path(__file__).parents[2] / "fixtures" / "autotrain"
"""AutoTrain projects as somebody may have them, with their data beside them."""


class Desk:
    """A folder with a home of its own, where configs are written and translated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, *rows, name: str = "data/train.jsonl") -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def config(self, *, task="llm-sft", mapping=None, data=None, params=None, **more) -> autotrain.Config:
        data = {"path": "data", "train_split": "train", "valid_split": None, "chat_template": None} | (data or {})
        whole = {"task": task, "base_model": "their/model", "project_name": "mine", "log": "none", "backend": "local"}
        whole |= {"data": data | {"column_mapping": mapping or {}}, "params": params or {}} | more
        path = self.folder / "config.yml"
        path.write_text(yaml.safe_dump(whole), encoding="utf-8")
        return autotrain.from_yaml(path)

    def translated(self, **config) -> autotrain.Translation:
        return autotrain.to_spec(self.config(**config))

    def read(self, path) -> list[dict]:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_USERNAME", raising=False)
    monkeypatch.chdir(tmp_path)
    found = Desk(tmp_path)
    found.rows({"text": "one"}, {"text": "two"})
    return found
