"""The page of data schemas: its examples are good, and it names all that there is."""

from __future__ import annotations

import json
from pathlib import Path

from anytune.codes import CODES
from anytune.data.check.judge import judge
from anytune.data.graders import judge_grader
from anytune.data.rows import KINDS, kind_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "data-schemas.md"
EXAMPLE = "```json\n"


def examples():
    parts = PAGE.read_text(encoding="utf-8").split(EXAMPLE)[1:]
    return [json.loads(part.partition("```")[0]) for part in parts]


def test_every_example_of_the_page_is_good():
    for raw in examples():
        assert (judge_grader(raw) if "type" in raw else judge(1, raw, None)) == []


def test_the_page_shows_every_kind_and_every_grader():
    shown = {kind_of(raw) for raw in examples() if "type" not in raw}
    assert shown == set(KINDS.values())
    assert {raw["type"] for raw in examples() if "type" in raw} == {"string_check", "text_similarity", "python", "score_model", "multi"}


def test_the_page_names_every_finding_of_rows_and_tools():
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(code for code, known in CODES.items() if known.room in {"row", "tools"} and f"`{code}`" not in page) == []
