from __future__ import annotations

import pytest

from anytune.data.files import Line
from anytune.errors import DataError
from anytune.spec import TrainingSpec
from anytune_huggingface.text.render import Renderer
from anytune_trl import TRLBackend
from anytune_trl.shown import show

TURNS = [
    {"role": "user", "content": "what is the colour of apple"},
    {"role": "assistant", "content": "red"},
    {"role": "user", "content": "püär 🍐"},
    {"role": "assistant", "content": "grün 🟢"},
]


@pytest.fixture
def shown(tokenizer_with):
    def render(row, method="sft", template="tools-first", *, max_length=512, overlong="error", pieces=True):
        renderer = Renderer(tokenizer_with(template))
        return list(show(Line(4, row), method, renderer, max_length=max_length, overlong=overlong, pieces=pieces))

    return render


def trained(seen):
    return [piece.text for piece in seen.pieces if piece.trained]


def test_pieces_are_the_exact_text_with_its_special_tokens(shown, tokenizer_with):
    (seen,) = shown({"messages": TURNS})
    whole = tokenizer_with().apply_chat_template(TURNS, tokenize=False)
    assert "".join(piece.text for piece in seen.pieces) == whole
    assert trained(seen) == ["red<|im_end|>", "grün 🟢<|im_end|>"]
    assert [piece.trained for piece in seen.pieces] == [False, True, False, True, False]


def test_tokens_add_up(shown, tokenizer_with):
    (seen,) = shown({"messages": TURNS})
    assert seen.total_tokens == len(tokenizer_with().apply_chat_template(TURNS, return_dict=False))
    assert seen.trained_tokens == sum(piece.tokens for piece in seen.pieces if piece.trained)


def test_counts_alone_are_the_same(shown):
    (seen,), (counted,) = shown({"messages": TURNS}), shown({"messages": TURNS}, pieces=False)
    assert counted == seen.model_copy(update={"pieces": ()})


def test_a_preference_gives_both_sides(shown):
    chosen, rejected = shown({"prompt": "apple", "chosen": "red", "rejected": "green"}, "dpo")
    assert (chosen.label, trained(chosen)) == ("chosen", ["red<|im_end|>"])
    assert (rejected.label, trained(rejected)) == ("rejected", ["green<|im_end|>"])
    assert chosen.pieces[0] == rejected.pieces[0]


def test_turns_that_are_trained_apart_are_shown_apart(shown):
    assert [seen.label for seen in shown({"messages": TURNS}, template="thinking")] == ["turn 1", "turn 2"]


def test_what_truncation_cuts_off_is_not_shown(shown):
    (seen,) = shown({"messages": TURNS}, max_length=30, overlong="truncate")
    assert seen.total_tokens == 30
    assert [found.code for found in seen.findings] == ["truncated", "no-stop"]


def test_findings_stand_on_the_first_rendering(shown):
    first, second = shown({"messages": [{"role": "user", "content": "<|im_start|>"}, *TURNS[1:]]}, template="thinking")
    assert [(found.code, found.row) for found in first.findings] == [("special-token", 4)]
    assert second.findings == ()


def test_the_backend_renders_by_the_models_own_template(tiny_model):
    spec = TrainingSpec(backend="trl", model=str(tiny_model), train="unread.jsonl")
    (seen,) = TRLBackend().render(spec, [(9, {"prompt": "apple", "completion": "red"})])
    assert (seen.row, trained(seen)) == (9, ["red<|im_end|>"])


def test_a_row_that_cannot_be_rendered_says_which(tiny_model):
    spec = TrainingSpec(backend="trl", model=str(tiny_model), train="unread.jsonl")
    with pytest.raises(DataError, match="Row 9"):
        list(TRLBackend().render(spec, [(9, {"prompt": "apple", "chosen": "red", "rejected": "lime"})]))
