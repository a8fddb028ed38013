from __future__ import annotations

import pytest

from anytune.data import lines
from anytune_huggingface.text.render import Renderer
from anytune_trl.dataset import build, findings


@pytest.fixture(scope="module")
def renderer(tokenizer_with):
    return Renderer(tokenizer_with())


@pytest.fixture
def mixed(rows, chat):
    """Rows 2 and 4 are long."""
    return rows([chat(), chat(answer="red " * 60), chat(), chat(question="apple " * 60), chat()])


def test_overlong_rows_are_an_error_that_names_them(mixed, renderer):
    counts = build(lines(mixed), "sft", renderer, max_length=40).counts
    (finding,) = findings(counts, role="train", max_length=40, overlong="error")
    assert (finding.severity, finding.code, finding.rows) == ("error", "overlong", (2, 4))
    assert "2 train rows are longer than max_length=40 tokens" in finding.message


def test_dropped_rows_are_counted(mixed, renderer):
    dataset = build(lines(mixed), "sft", renderer, max_length=40, overlong="drop")
    assert dataset.counts.samples == 3
    assert dataset.counts.overlong == (2, 4)
    (finding,) = findings(dataset.counts, role="train", max_length=40, overlong="drop")
    assert finding.severity == "warning"
    assert "they are dropped" in finding.message


def test_truncated_rows_are_counted_and_a_row_with_nothing_left_to_learn_is_left_out(mixed, renderer):
    dataset = build(lines(mixed), "sft", renderer, max_length=40, overlong="truncate")
    assert max(dataset.lengths) == 40
    assert dataset.counts.overlong == (2, 4)
    assert dataset.counts.unlearned == (4,)
    assert dataset.counts.samples == 4
    codes = {finding.code for finding in findings(dataset.counts, role="train", max_length=40, overlong="truncate")}
    assert codes == {"truncated", "unlearned-rows", "no-stop"}


def test_nothing_is_cut_where_everything_fits(rows, renderer):
    dataset = build(lines(rows()), "sft", renderer, max_length=512)
    assert dataset.counts.overlong == ()
    assert findings(dataset.counts, role="train", max_length=512, overlong="error") == []
    assert 0 < dataset.counts.learned_share < 1


def test_rows_that_teach_nothing_are_an_error(rows, renderer):
    path = rows([{"messages": [{"role": "user", "content": "apple " * 60}, {"role": "assistant", "content": "red"}]}])
    counts = build(lines(path), "sft", renderer, max_length=40, overlong="truncate").counts
    assert "nothing-learned" in {finding.code for finding in findings(counts, role="train", max_length=40, overlong="truncate")}


def test_rows_that_cannot_be_read_are_left_out_and_named(rows, renderer):
    path = rows()
    path.write_text(path.read_text() + '{oops\n{"prompt": "apple", "chosen": "red", "rejected": "lime"}\n')
    dataset = build(lines(path), "sft", renderer, max_length=512)
    assert (dataset.counts.rows, dataset.counts.samples) == (30, 28)
    found = findings(dataset.counts, role="train", max_length=512, overlong="error")
    assert [(f.severity, f.code, f.row) for f in found] == [("error", "not-json", 29), ("error", "wrong-kind", 30)]


def test_a_preference_row_is_as_long_as_its_longer_side(rows, renderer):
    path = rows([{"prompt": "apple", "chosen": "red " * 50, "rejected": "green"}, {"prompt": "pear", "chosen": "green", "rejected": "red"}])
    dataset = build(lines(path), "dpo", renderer, max_length=40, overlong="drop")
    assert dataset.counts.overlong == (1,)
    assert len(dataset.columns["prompt_ids"]) == 1


def test_rows_that_say_the_same_wrong_thing_are_one_finding_with_all_their_lines(rows, renderer, chat):
    path = rows([chat("<|im_start|> hi"), chat(), chat("<|im_start|> ho"), chat("<|endoftext|>")])
    counts = build(lines(path), "sft", renderer, max_length=512).counts
    found = findings(counts, role="train", max_length=512, overlong="error")
    assert [(f.code, f.row, f.rows, f.message_index) for f in found] == [("special-token", 1, (1, 3), 0), ("special-token", 4, (), 0)]


def test_very_many_different_notes_end_in_one(rows, chat, tokenizer_with):
    refusing = "{% if messages | length == 2 %}{{ raise_exception(messages[0].content) }}{% endif %}x"
    strict = Renderer.__new__(Renderer)
    strict.tokenizer, strict.stop_ids, strict._special = tokenizer_with(refusing), frozenset(), None
    counts = build(lines(rows([chat(f"q{n}") for n in range(250)])), "sft", strict, max_length=512).counts
    found = findings(counts, role="train", max_length=512, overlong="error")
    assert {f.code for f in found} == {"template-refuses"}
    assert len(found) == 101
    assert found[-1].rows == tuple(range(101, 251))
    assert "150 more rows" in found[-1].message


def test_a_small_share_of_learned_tokens_is_told(rows, renderer, chat):
    counts = build(lines(rows([chat("apple " * 400)])), "sft", renderer, max_length=512).counts
    (found,) = findings(counts, role="train", max_length=512, overlong="error")
    assert (found.severity, found.code) == ("info", "low-trained-share")
