from __future__ import annotations

import pytest

from anytune.errors import DataError
from anytune_trl.dataset import build, findings
from anytune_trl.render import Renderer


@pytest.fixture(scope="module")
def renderer(tokenizer_with):
    return Renderer(tokenizer_with())


@pytest.fixture
def mixed(rows, chat):
    """Rows 2 and 4 are long."""
    return rows([chat(), chat(answer="red " * 60), chat(), chat(question="apple " * 60), chat()])


def test_overlong_rows_are_an_error_that_names_them(mixed, renderer):
    counts = build(mixed, "sft", renderer, max_length=40).counts
    (finding,) = findings(counts, role="train", max_length=40, overlong="error")
    assert (finding.severity, finding.code, finding.rows) == ("error", "overlong", (2, 4))
    assert "2 of 5 train rows are longer than max_length=40 tokens" in finding.message


def test_dropped_rows_are_counted(mixed, renderer):
    dataset = build(mixed, "sft", renderer, max_length=40, overlong="drop")
    assert dataset.counts.samples == 3
    assert dataset.counts.overlong == (2, 4)
    (finding,) = findings(dataset.counts, role="train", max_length=40, overlong="drop")
    assert finding.severity == "warning"
    assert "they are dropped" in finding.message


def test_truncated_rows_are_counted_and_a_row_with_nothing_left_to_learn_is_left_out(mixed, renderer):
    dataset = build(mixed, "sft", renderer, max_length=40, overlong="truncate")
    assert max(dataset.lengths) == 40
    assert dataset.counts.overlong == (2, 4)
    assert dataset.counts.unlearned == (4,)
    assert dataset.counts.samples == 4
    codes = {finding.code for finding in findings(dataset.counts, role="train", max_length=40, overlong="truncate")}
    assert codes == {"overlong", "unlearned-rows", "no-stop"}


def test_nothing_is_cut_where_everything_fits(rows, renderer):
    dataset = build(rows(), "sft", renderer, max_length=512)
    assert dataset.counts.overlong == ()
    assert findings(dataset.counts, role="train", max_length=512, overlong="error") == []
    assert 0 < dataset.counts.learned_share < 1


def test_rows_that_teach_nothing_are_an_error(rows, renderer):
    path = rows([{"messages": [{"role": "user", "content": "apple " * 60}, {"role": "assistant", "content": "red"}]}])
    counts = build(path, "sft", renderer, max_length=40, overlong="truncate").counts
    assert "nothing-learned" in {finding.code for finding in findings(counts, role="train", max_length=40, overlong="truncate")}


def test_a_row_that_is_not_json_is_named(rows, renderer):
    path = rows()
    path.write_text(path.read_text() + "{oops\n")
    with pytest.raises(DataError, match=r"Row 29 of rows\.jsonl is not JSON"):
        build(path, "sft", renderer, max_length=512)


def test_a_preference_row_is_as_long_as_its_longer_side(rows, renderer):
    path = rows([{"prompt": "apple", "chosen": "red " * 50, "rejected": "green"}, {"prompt": "pear", "chosen": "green", "rejected": "red"}])
    dataset = build(path, "dpo", renderer, max_length=40, overlong="drop")
    assert dataset.counts.overlong == (1,)
    assert len(dataset.columns["prompt_ids"]) == 1
