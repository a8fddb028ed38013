"""Equal rows, inputs with several answers, and leaks from training into validation."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.data import check
from anytune.data.check import repeats
from anytune.data.check.fast import plain
from anytune.data.check.repeats import Repeats, across, digests

if TYPE_CHECKING:
    from pathlib import Path

QUIET = ["near-duplicates", "secrets", "personal-data", "tokens"]


def chat(asked: str, answered: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered, **more}]}


def found(folder: Path, *lines: Any, method: str = "sft", validation: Any = None) -> list[tuple[str, tuple[int, ...]]]:
    def written(name: str, rows: Any) -> Path:
        path = folder / name
        path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
        return path

    other = written("valid.jsonl", validation) if validation is not None else None
    report = check(written("rows.jsonl", lines), method, validation=other, skip=QUIET)
    return [(one.code, one.rows) for one in report.findings if one.code != "not-checked"]


def test_equal_rows_are_one_finding(tmp_path: Path) -> None:
    assert found(tmp_path, chat("a", "b"), "\n", chat("c", "d"), chat("a", "b"), chat("a", "b")) == [("duplicate-rows", (1, 4, 5))]


@pytest.mark.parametrize(
    "same",
    [
        '{"messages":[{"content":"a","role":"user"},{"content":"b","role":"assistant"}]}\n',
        '{ "messages" : [ {"role": "user", "content": "\\u0061"}, {"role": "assistant", "content": "b"} ] }\r\n',
        json.dumps(chat("a", "b", weight=1)) + "\n",
        json.dumps(chat("a", "b") | {"tools": None}) + "\n",
    ],
)
def test_rows_are_equal_by_content_and_not_by_bytes(tmp_path: Path, same: str) -> None:
    assert found(tmp_path, chat("a", "b"), same) == [("duplicate-rows", (1, 2))]


def test_other_roles_make_another_row(tmp_path: Path) -> None:
    with_system = {
        "messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    }
    developer = json.loads(json.dumps(with_system).replace("system", "developer"))
    assert found(tmp_path, with_system, developer) == []


def test_an_input_with_other_answers_is_a_conflict_named_by_the_first_row_of_each(tmp_path: Path) -> None:
    rows = [chat("a", "b"), chat("a", "c"), chat("x", "y"), chat("a", "b"), chat("a", "d")]
    assert found(tmp_path, *rows) == [("duplicate-rows", (1, 4)), ("conflicting-answers", (1, 2, 5))]


def test_both_labels_for_one_answer_are_a_conflict(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "completion": "b", "label": True},
        {"prompt": "a", "completion": "b", "label": False},
        {"prompt": "a", "completion": "c", "label": False},
    ]
    assert found(tmp_path, *rows, method="kto") == [("conflicting-answers", (1, 2))]


def test_a_prompt_may_have_several_pairs_but_not_one_both_ways(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"prompt": "a", "chosen": "b", "rejected": "d"},
        {"prompt": "a", "chosen": "c", "rejected": "b"},
    ]
    assert found(tmp_path, *rows, method="dpo") == [("conflicting-answers", (1, 3))]


def test_validation_rows_in_the_training_file_are_errors(tmp_path: Path) -> None:
    train = [chat("a", "b"), chat("c", "d"), chat("e", "f")]
    leaks = found(tmp_path, *train, validation=[chat("z", "z"), chat("c", "d"), chat("a", "x"), chat("e", "f")])
    assert leaks == [("leaked-rows", (2, 4)), ("leaked-inputs", (3,))]


def test_a_leak_names_the_training_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n" + json.dumps(chat("a", "b")))
    report = check(path, "sft", validation=path, skip=QUIET)
    leak = next(one for one in report.findings if one.code == "leaked-rows")
    assert (leak.file, leak.severity, leak.row) == ("validation", "error", 2)
    assert "training rows 2." in leak.message


@pytest.mark.parametrize("part_rows", [1, 3, 2**18])
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 2)), max_size=60))
def test_groups_are_those_that_a_dictionary_finds(part_rows: int, rows: list[tuple[int, int]]) -> None:
    expected: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    held = Repeats()
    for number, (asked, answered) in enumerate(rows, 1):
        held.add(number, hash((asked,)), answered)
        expected[asked][answered].append(number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "_PART_ROWS", part_rows)
        told = [(one.code, one.rows) for one in held.findings()]
    same = sorted(tuple(lines) for group in expected.values() for lines in group.values() if len(lines) > 1)
    conflicts = sorted(tuple(sorted(lines[0] for lines in group.values())) for group in expected.values() if len(group) > 1)
    assert told == [*(("duplicate-rows", lines) for lines in same), *(("conflicting-answers", lines) for lines in conflicts)]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=5).filter(
            lambda text: not text.isspace() and not text.lstrip().startswith(":")
        ),
        min_size=2,
        max_size=5,
    )
)
def test_a_plain_row_has_the_same_hashes_on_both_ways(texts: list[str]) -> None:
    roles = ["system"] * (len(texts) % 2) + ["user", "assistant"] * (len(texts) // 2)
    for row in (
        {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]},
        {"prompt": texts[0], "completion": texts[1]},
    ):
        short = plain(json.dumps(row).encode())
        assert short is not None
        held = Repeats()
        held.add_plain([9], short[0][1])
        assert (held.inputs[0], held.answers[0]) == digests(row)


def test_numbers_too_large_for_readers_and_lone_surrogates_can_be_hashed() -> None:
    digests({"messages": [{"role": "user", "content": "\ud800"}], "answer": 2**70})


def test_leaks_are_found_across_files_of_any_order() -> None:
    train, validation = Repeats(), Repeats()
    for number, (asked, answered) in enumerate([(1, 1), (2, 2), (1, 3)], 1):
        train.add(number, asked, answered)
    for number, (asked, answered) in enumerate([(3, 1), (1, 3), (2, 9)], 1):
        validation.add(number, asked, answered)
    assert [(one.code, one.rows) for one in across(train, validation)] == [("leaked-rows", (2,)), ("leaked-inputs", (3,))]


def test_a_row_takes_24_bytes() -> None:
    held = Repeats()
    assert sum(one.itemsize for one in (held.inputs, held.answers, held.numbers)) == 24
