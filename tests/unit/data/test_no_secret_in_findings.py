"""Whatever is wrong with a row, no finding repeats a secret that stands where a role, a key or a tool's name belongs."""

from __future__ import annotations

import json

import pytest

from anytune.data import check
from anytune.data.rules import Rules

KEY = "ghp_" + "h6Yo4gfqT1rZ8nWc2LxK9vBm3QsD5pJe7AuR"
LONG = "github_pat_" + "h6Yo4gfqT1rZ8nWc2LxK9v_" + "Bm3QsD5pJe7AuRh6Yo4gfqT1rZ8nWc2LxK9vBm3QsD5pJe7AuRh6Yo4gfqT1rZ8"[:59]
USER, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
CALL = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "@", "arguments": "{}"}}]}
TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("secret", [KEY, LONG], ids=["short", "long"])
@pytest.mark.parametrize(
    ("row", "code"),
    [
        (json.dumps({"messages": [USER, {"role": "@", "content": "b"}]}), "unknown-role"),
        (json.dumps({"messages": [USER, ANSWER], "@": 1}), "unknown-key"),
        (json.dumps({"messages": [USER, CALL], "tools": [TOOL]}), "undeclared-tool"),
        ('{"@": 1, "@": 2}', "duplicate-key"),
        (json.dumps({"@": 1}), "unknown-row"),
    ],
)
def test_a_secret_in_an_odd_place_is_masked(tmp_path, row, code, secret):
    path = tmp_path / "rows.jsonl"
    path.write_text(row.replace("@", secret) + "\n")
    report = check(path, "sft")
    assert code in {found.code for found in report.findings}
    assert secret[4:24] not in report.model_dump_json()


def test_a_validation_file_of_another_kind_is_an_error(tmp_path):
    train, other = tmp_path / "train.jsonl", tmp_path / "other.jsonl"
    train.write_text(json.dumps({"messages": [USER, ANSWER]}) + "\n")
    other.write_text(json.dumps({"prompt": "c", "completion": "d"}) + "\n")
    (found,) = check(train, validation=other).findings
    assert (found.severity, found.code, found.row, found.file) == ("error", "mixed-rows", 1, "validation")


def test_rows_of_plain_text_are_refused_where_the_target_says_so(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "Once upon a time."}) + "\n")
    (found,) = check(path, "sft", rules=Rules(refuses=frozenset({"text"}))).findings
    assert (found.severity, found.code, found.row) == ("error", "refused-feature", 1)


def test_a_call_that_is_answered_twice_and_two_calls_where_one_is_allowed_are_warned_of(tmp_path):
    calls = [{"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in "ab"]
    results = [{"role": "tool", "tool_call_id": name, "content": "x"} for name in "aba"]
    messages = [USER, {"role": "assistant", "tool_calls": calls}, *results, ANSWER]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": messages, "tools": [TOOL], "parallel_tool_calls": False}) + "\n")
    told = {(found.severity, found.code, found.message_index) for found in check(path, "sft").findings}
    assert told == {("warning", "bad-value", 1), ("warning", "orphan-result", 4)}
