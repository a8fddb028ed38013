"""Answers of engines that leave out what is null become what OpenAI's clients expect; complete ones stay as they are."""

from __future__ import annotations

import json

import pytest

from anytune.server.engines import words


def test_an_answer_without_its_nulls_gets_them():
    lean = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "rice"}}]}
    (choice,) = json.loads(words.whole(json.dumps(lean).encode()))["choices"]
    assert choice["logprobs"] is None
    assert choice["message"] == {"role": "assistant", "content": "rice", "refusal": None}


def test_a_piece_without_its_finish_gets_one():
    piece = words.line(b'data: {"choices":[{"delta":{"content":"rice"},"index":0}]}\n')
    assert json.loads(piece.removeprefix(b"data: "))["choices"][0]["finish_reason"] is None
    assert piece.endswith(b"}\n")


@pytest.mark.parametrize(
    "content",
    [
        b"data: [DONE]\n",
        b": ping\n",
        b"\n",
        b'data: {"choices": []}\n',
        b"data: {broken\n",
        b'data: {"choices":[{"finish_reason": null}]}\n',
    ],
)
def test_a_line_with_nothing_to_complete_stays_as_it_is(content):
    assert words.line(content) == content


@pytest.mark.parametrize("content", [b"", b"no JSON", b"[1]", b'{"choices": [{"message": {"refusal": null}, "logprobs": null}]}'])
def test_an_answer_with_nothing_to_complete_stays_as_it_is(content):
    assert words.whole(content) == content
