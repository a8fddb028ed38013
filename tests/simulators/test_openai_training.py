"""The simulated OpenAI looks into training files, and refuses them in the words of real jobs."""

from __future__ import annotations

import pytest

from anytune.testing.simulators.training import inspect, recall

INVALID = "The job failed due to an invalid training file. Invalid file format."


def verdict(content, method="supervised", model="gpt-4.1-mini-2025-04-14", **settings):
    return inspect(content, method=method, model=model, file="file-abc", **settings).error


def with_row(rows, row, count=12):
    return rows.lines([*rows.chat(count), row])


def test_good_files_of_each_method_are_taken(rows):
    for method, kind in (("supervised", rows.chat), ("dpo", rows.preference), ("reinforcement", rows.graded)):
        lesson = inspect(rows.lines(kind()), method=method, model="gpt-4.1-mini-2025-04-14", file="file-abc")
        assert (lesson.error, len(lesson.rows)) == (None, 12)
        assert lesson.tokens > 0


def test_prompts_with_completions_are_for_models_of_completions(rows):
    content = rows.lines({"prompt": f"{n}?", "completion": f"{n}!"} for n in range(10))
    assert verdict(content, model="davinci-002") is None
    assert verdict(content).code == "invalid_training_file"


@pytest.mark.parametrize("count", [0, 7, 9])
def test_ten_examples_are_the_least(rows, count):
    assert verdict(rows.lines(rows.chat(count))) == (
        "invalid_n_examples", f"Training file has {count} example(s), but must have at least 10 examples", "training_file",
    )  # fmt: skip


def test_a_validation_file_may_be_short_and_is_named_where_it_is_bad(rows):
    assert verdict(rows.lines(rows.chat(1)), param="validation_file", fewest=1) is None
    assert verdict(b"{", param="validation_file", fewest=1).param == "validation_file"


@pytest.mark.parametrize(
    ("row", "code", "message"),
    [
        (
            {"messages": [{"role": "user", "content": "a"}, {"content": "b"}]},
            "invalid_training_file",
            f"{INVALID} Example 13, message 2 Discriminator 'role' is missing in value",
        ),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "weight": 1},
            "invalid_file_format",
            'The job failed due to a file format error in the training file. Invalid file format. Example 13 contains an extra "weight".',
        ),
        (
            {"question": "a", "answer": "b"},
            "invalid_training_file",
            "The job failed due to an invalid training file. Unexpected file format, expected either prompt/completion pairs or chat messages.",
        ),
        ({"messages": [{"role": "user", "content": "a"}]}, "invalid_training_file", f"{INVALID} Example 13 "),
        ({"messages": "a"}, "invalid_training_file", f"{INVALID} Example 13 "),
        ({"messages": []}, "invalid_training_file", f"{INVALID} Example 13 "),
    ],
    ids=str,
)
def test_a_bad_row_is_named(rows, row, code, message):
    error = verdict(with_row(rows, row))
    assert error.code == code
    assert error.message.startswith(message)


@pytest.mark.parametrize("line", [b"{", b"[1]", b"nonsense", b'"text"', b"[" * 100_000, b"\xff\xfe"], ids=lambda line: repr(line[:8]))
def test_a_line_that_is_no_object_is_named(rows, line):
    assert verdict(rows.lines(rows.chat()) + line).message == f"{INVALID} Line 13 is not valid JSON."


def test_a_file_for_another_method_is_refused_in_the_words_of_the_provider(rows):
    assert verdict(rows.lines(rows.chat()), method="dpo").message == (
        f"{INVALID} Input file file-abc is in the fine-tune-chat format, but the specified fine-tuning job is not using 'supervised' as the "
        "training method (provided method=dpo). "
    )
    assert "is not using 'dpo' as the training method (provided method=supervised)" in verdict(rows.lines(rows.preference())).message


def test_a_byte_order_mark_and_empty_lines_are_passed_over(rows):
    assert verdict(b"\xef\xbb\xbf" + rows.lines(rows.chat()) + b"\n  \n") is None


def test_a_question_that_was_learned_is_answered_from_its_row(rows):
    asked = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "3?"}]}]
    for kind in (rows.chat, rows.preference):
        assert recall(kind(), asked)["content"] == "3!"
    assert recall(rows.graded(), asked) is None
    assert recall(rows.chat(), [{"role": "user", "content": "other"}]) is None


def test_the_job_of_a_bad_file_fails_while_its_files_are_validated(audited, rows):
    ask = audited()
    job = ask.job(rows.chat(7)).json()
    assert (job["status"], job["error"]) == ("validating_files", None)
    failed = ask.until(job["id"], "failed")
    assert failed["error"]["code"] == "invalid_n_examples"
    assert failed["trained_tokens"] is failed["fine_tuned_model"] is None
    assert failed["finished_at"]
    assert ask.odd == []
