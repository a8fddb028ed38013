"""Graders that ask a model: what is sent, what is read, and what is never asked twice."""

from __future__ import annotations

import json
import os
import stat

import pytest

from anytune.errors import AuthError
from anytune.evaluation.graders import replies
from anytune.evaluation.graders.shaped import summed

ASKED = [
    {"role": "developer", "content": "Judge."},
    {"role": "user", "content": {"type": "input_text", "text": "{{item.q}}: {{sample.output_text}}"}},
]
SCORE = {"type": "score_model", "name": "score", "model": "gpt-4.1", "input": ASKED, "range": [0, 10]}
LABEL = {"type": "label_model", "name": "label", "model": "gpt-4.1", "input": ASKED, "labels": ["good", "Bad"], "passing_labels": ["good"]}
ITEM = {"q": "Which {{river}}?"}


def test_a_score_is_its_place_in_the_range(grade, host):
    host.says = lambda body: '{"reason": "close", "score": 7}'
    found = grade(SCORE | {"sampling_params": {"temperature": 0, "seed": 1, "max_completions_tokens": 50}}, "Elbe", item=ITEM)
    assert (found.score, found.note, found.usage["total_tokens"]) == (0.7, "close", 12)
    (body,) = host.asked
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"].startswith("Which {{river}}?: Elbe\n\nReply with nothing but a JSON object")
    assert (body["model"], body["temperature"], body["seed"], body["max_completion_tokens"]) == ("judge-1", 0, 1, 50)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["reason", "score"]


def test_a_threshold_is_in_the_models_own_range(grade, host):
    host.says = lambda body: '{"score": 7}'
    assert grade(SCORE | {"pass_threshold": 7}, "Elbe", item=ITEM).score == 1.0
    assert grade(SCORE | {"pass_threshold": 7.5}, "Elbe", item=ITEM).score == 0.0


@pytest.mark.parametrize(
    "reply",
    ["", "seven", '{"score": "high"}', '{"score": true}', '{"score": 11}', '{"score": -1}', '{"score": NaN}', '{"points": 7}', "[7]"],
)
def test_a_reply_that_cannot_be_read_is_an_error_never_a_zero(reply, grade, host):
    host.says = lambda body: reply
    found = grade(SCORE, "Elbe", item=ITEM)
    assert found.score is None
    assert "cannot be read" in found.error
    assert reply not in found.error or not reply
    assert found.usage["total_tokens"] == 12


@pytest.mark.parametrize(
    "reply",
    [
        '{"score": 7}',
        '{"score": "7"}',
        '```json\n{"score": 7.0}\n```',
        'I would say {"score": 3}, but no: {"reason": "}", "score": 7}.',
        "It is good.\n\nScore: 7",
        "**Score**: 7.",
        "score=7",
    ],
)
def test_a_reply_in_words_is_read(reply, grade, host):
    host.says = lambda body: reply
    assert grade(SCORE, "Elbe", item=ITEM).score == 0.7


def test_a_host_without_fixed_shapes_is_asked_in_words(make, case, host):
    from anytune.evaluation.values import Sample

    host.refuses_shapes = True
    host.says = lambda body: '{"score": 7}'
    grader = make(SCORE)
    assert [grader.grade(case(item=ITEM), Sample(text=text)).score for text in ("a", "b")] == [0.7, 0.7]
    assert ["response_format" in body for body in host.asked] == [True, False, False]


def test_the_same_question_is_asked_once_and_kept_for_the_owner_alone(grade, host, desk):
    host.says = lambda body: '{"score": 7}'
    first, second = grade(SCORE, "Elbe", item=ITEM), grade(SCORE, "Elbe", item=ITEM)
    assert first == second
    assert len(host.asked) == 1
    (kept,) = (desk.scratch / "grading").iterdir()
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    assert "Elbe" not in kept.name


def test_a_kept_reply_that_is_broken_is_asked_for_again(grade, host, desk):
    host.says = lambda body: '{"score": 7}'
    grade(SCORE, "Elbe", item=ITEM)
    (kept,) = (desk.scratch / "grading").iterdir()
    kept.write_text("{")
    assert grade(SCORE, "Elbe", item=ITEM).score == 0.7
    assert len(host.asked) == 2


def test_a_reply_that_was_cut_off_is_an_error(grade, host):
    host.finish_reason = "length"
    assert "cut off" in grade(SCORE, "Elbe", item=ITEM).error


def test_a_host_that_refuses_a_question_is_an_error_of_the_grade(grade, host):
    host.reply = lambda path, body: (400, {"error": {"message": "Too long: sk-proj-abcdefgh12345678", "code": "invalid_value"}})
    found = grade(SCORE, "Elbe", item=ITEM)
    assert "Rejected" in found.error
    assert "abcdefgh" not in found.error


def test_a_key_that_is_refused_ends_the_run(grade, host):
    host.reply = lambda path, body: (
        401,
        {"error": {"message": "Incorrect API key provided: sk-proj-abcdefgh12345678", "code": "invalid_api_key"}},
    )
    with pytest.raises(AuthError) as raised:
        grade(SCORE, "Elbe", item=ITEM)
    assert "abcdefgh" not in str(raised.value)


@pytest.mark.parametrize(
    ("reply", "score"), [('{"label": "good"}', 1), ('{"label": "GOOD "}', 1), ('{"label": "Bad"}', 0), ("bad", 0), ("Label: good", 1)]
)
def test_a_label_is_right_or_wrong(reply, score, grade, host, make):
    host.says = lambda body: reply
    assert grade(LABEL, "Elbe", item=ITEM).score == score
    assert make(LABEL).binary


def test_a_label_that_is_none_is_an_error(grade, host):
    host.says = lambda body: '{"label": "fair"}'
    assert "none of the labels" in grade(LABEL, "Elbe", item=ITEM).error


def test_a_multi_adds_up_what_its_parts_took(grade, host):
    host.says = lambda body: '{"label": "good"}' if "label" in json.dumps(body["response_format"]) else '{"score": 5}'
    definition = {
        "type": "multi",
        "name": "all",
        "graders": {"score": SCORE, "label": LABEL},
        "calculate_output": "0.5 * score / 10 + 0.5 * label",
    }
    found = grade(definition, "Elbe", item=ITEM)
    assert (found.score, found.usage["total_tokens"]) == (0.75, 24)


def test_pictures_are_sent_in_the_shape_of_chat(grade, host):
    host.says = lambda body: '{"score": 7}'
    content = ["Look:", {"type": "input_image", "image_url": "{{item.url}}"}]
    grade(SCORE | {"input": [{"role": "user", "content": content}]}, item={"url": "https://example.com/a.png"})
    parts = host.asked[0]["messages"][0]["content"]
    assert parts[:2] == [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    assert parts[2]["text"].startswith("Reply with")


COSINE = {
    "type": "text_similarity",
    "name": "near",
    "evaluation_metric": "cosine",
    "input": "{{sample.output_text}}",
    "reference": "{{item.label}}",
}


@pytest.mark.parametrize(("direction", "score"), [([2.0, 0.0], 1), ([0.0, 3.0], 0), ([1.0, 1.0], 2**-0.5), ([-1.0, 0.0], 0)])
def test_cosine_asks_for_embeddings(direction, score, grade, host):
    host.says = lambda text: [1.0, 0.0] if text == "Elbe" else direction
    found = grade(COSINE, "river", item={"label": "Elbe"})
    assert found.score == pytest.approx(score)
    assert found.usage == {"prompt_tokens": 5, "total_tokens": 5}


def test_embeddings_that_cannot_be_compared_are_an_error(grade, host):
    host.says = lambda text: [0.0]
    assert "cannot be compared" in grade(COSINE, "river", item={"label": "Elbe"}).error


def test_the_last_object_with_the_key_counts():
    assert replies.field_of('{"score": 1} then {"score": 2} and {"x": 3}', "score") == (2, "")


def test_replies_of_a_megabyte_are_read_in_no_time():
    with pytest.raises(replies.Unreadable):
        replies.field_of('{"a":' * 200_000, "score")
    with pytest.raises(replies.Unreadable):
        replies.field_of("score " * 200_000, "score")


def test_tokens_are_added_up_with_their_details():
    one = {"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}, "model": "m"}
    assert summed(one, one, {}) == {"prompt_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}


def test_a_reply_that_cannot_be_kept_is_a_reply_all_the_same(grade, host, desk):
    desk.scratch.write_text("a file where the folder should be")
    host.says = lambda body: '{"score": 7}'
    assert grade(SCORE, "Elbe", item=ITEM).score == 0.7
