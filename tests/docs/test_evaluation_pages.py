"""The pages about evaluations name every key, and the schema that they publish is the one that is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from anytune.cli import invoke
from anytune.evaluation import Evaluation, EvaluationSpec
from anytune.evaluation.values import ArmResult, BreakEven, Choice, Comparison, Decision, Flip, Power

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "evaluation.md").read_text(encoding="utf-8")
SCHEMA = json.loads((REFERENCE / "evaluation.schema.json").read_text(encoding="utf-8"))


def test_the_published_schema_is_current(capsys):
    assert invoke(["schema", "--evaluation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA, "run: anytune schema --evaluation > docs/reference/evaluation.schema.json"


def test_the_page_names_every_key_of_a_spec():
    names = {name for part in (SCHEMA, *SCHEMA["$defs"].values()) for name in part.get("properties", {})} - {"type"}
    assert sorted(name for name in names if f"`{name}`" not in PAGE) == []


@pytest.mark.parametrize(
    "part", [Evaluation, ArmResult, BreakEven, Choice, Comparison, Decision, Flip, Power], ids=lambda part: part.__name__
)
def test_the_page_names_every_key_of_the_record(part):
    assert [name for name in part.model_fields if f"`{name}`" not in PAGE] == []


def test_every_type_of_arm_is_in_the_page_s_table():
    kinds = {
        part["properties"]["type"]["const"] for part in SCHEMA["$defs"].values() if "const" in part.get("properties", {}).get("type", {})
    }
    assert sorted(kind for kind in kinds if f"\n| `{kind}` |" not in PAGE) == []


@pytest.mark.parametrize("page", ["reference/evaluation.md", "how-to/gate-in-ci.md"])
def test_the_specs_that_pages_show_are_specs(page):
    text = (REFERENCE.parent / page).read_text(encoding="utf-8")
    blocks = [block.split("\n", 1)[1].split("\n```")[0] for block in text.split("```yaml")[1:]]
    specs = [raw for raw in map(yaml.safe_load, blocks) if "arms" in raw]
    assert [EvaluationSpec(**raw).name for raw in specs]
