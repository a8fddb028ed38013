"""Token counts: exact for every text, and per row by the published rule."""

from __future__ import annotations

import json
import math
import random
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anytune.data import check
from anytune.data.check.fast import plain
from anytune.data.rows import texts
from anytune.data.rows.lessons import blank
from anytune.data.rules import Rules
from anytune.data.tokens import ENCODINGS, PERCENTILES, TokenCounter, TokenTally, count, inexact, percentile
from anytune.errors import ConfigError

SNIPS = Path(__file__).parents[4] / "shared" / "data" / "snips" / "train.jsonl"
PAGES = sorted((Path(__file__).parents[3] / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def oracle() -> Any:
    """Another implementation, in another language, that agrees with tiktoken on all that was tried (facts of 2026-11-22)."""
    bpe = pytest.importorskip("bpe_openai")

    def counter(name: str) -> Any:
        encode = bpe.get_encoding(name).encode_ordinary
        return lambda text: len(encode(text))

    return {name: counter(name) for name in ENCODINGS}


def agree(oracle: Any, encoding: str, some: list[str]) -> None:
    counted = count(some, encoding)
    wrong = [
        (ascii(text[:80]), ours) for text, ours in zip(some, counted, strict=True) if not inexact([text]) and ours != oracle[encoding](text)
    ]
    assert wrong == []


@pytest.mark.parametrize("encoding", ENCODINGS)
class TestTexts:
    """Each text by itself."""

    def test_real_texts_are_counted_exactly(self, oracle: Any, encoding: str) -> None:
        some = [line for page in PAGES for line in page.read_text(encoding="utf-8").split("\n\n")]
        agree(oracle, encoding, some)

    def test_real_rows_are_counted_exactly(self, oracle: Any, encoding: str) -> None:
        if not SNIPS.exists():
            pytest.skip("the shared data is not here")
        lines = SNIPS.read_text(encoding="utf-8").splitlines()[:3000]
        agree(oracle, encoding, [message["content"] for line in lines for message in json.loads(line)["messages"]])

    def test_every_script_and_sign_is_counted_exactly(self, oracle: Any, encoding: str) -> None:
        signs = [chr(code) for code in range(0x20, 0x30000, 7) if unicodedata.category(chr(code)) != "Cs"]
        agree(oracle, encoding, [f"{sign}{sign}a {sign}'s 1{sign}" for sign in signs])

    @settings(max_examples=300)
    @given(some=st.lists(st.text(max_size=40), min_size=1, max_size=20))
    def test_any_text_is_counted_exactly(self, oracle: Any, encoding: str, some: list[str]) -> None:
        agree(oracle, encoding, some)

    def test_mixed_texts_are_counted_exactly(self, oracle: Any, encoding: str) -> None:
        dice = random.Random(11)
        bits = ["hello", " world", "'s", "'LL", "\n\n", "\r\n", "\t", "  ", "1234567", "漢字", "カナ", "한국", "مرحبا", "हिन्दी", "👩‍👩‍👧", "🇳🇴", "e\u0301", "\u200d", "\ufeff", "\u00a0", "_", "<|endoftext|>", "{", '":"', "ǅ", "\U0001fbff", "\u2fe0", "\uffff"]  # fmt: skip
        agree(oracle, encoding, ["".join(dice.choices(bits, k=dice.randint(1, 30))) for _ in range(5000)])

    def test_what_looks_like_a_special_token_is_ordinary_text(self, oracle: Any, encoding: str) -> None:
        assert count(["<|endoftext|>"], encoding) == [oracle[encoding]("<|endoftext|>")] != [1]

    def test_lone_surrogates_are_counted_as_what_stands_for_them(self, encoding: str) -> None:
        assert count(["a\ud800b", "c"], encoding) == count(["a?b", "c"], encoding)


def test_letters_too_new_for_the_counter_are_known_and_said() -> None:
    assert inexact(["plain", "\u0c5c"])
    assert inexact(["a", "\U00018db0"])
    assert not inexact(["plain", "漢字 é 😀 \u0c5d \ua7cd", ""])
    counter = TokenCounter("o200k_base")
    with counter:
        counter.row(1, {"text": "\U00018db0's"}, texts({"text": "\U00018db0's"}))
        assert not counter.finish().counts().exact


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ConfigError, match="p50k_base"):
        count(["a"], "p50k_base")


def cookbook(messages: list[dict[str, str]], oracle: Any, encoding: str) -> int:
    """Count as the published rule does: 3 a message, each value, 1 more for a name, 3 at the end."""
    values = sum(oracle[encoding](value) + (key == "name") for message in messages for key, value in message.items())
    return 3 * len(messages) + values + 3


def tally(*rows: dict[str, Any], encoding: str = "o200k_base", limit: int | None = None) -> TokenTally:
    with TokenCounter(encoding, limit) as counter:
        for number, row in enumerate(rows, 1):
            counter.row(number, row, texts(row))
        return counter.finish()


said = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
    lambda text: not blank(text) and not text.lstrip().startswith(":") and not inexact([text])
)
conversation = st.tuples(st.none() | said, st.lists(st.tuples(said, said), min_size=1, max_size=3)).map(
    lambda parts: [
        *([{"role": "system", "content": parts[0]}] if parts[0] is not None else []),
        *({"role": role, "content": text} for pair in parts[1] for role, text in zip(("user", "assistant"), pair, strict=True)),
    ]
)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=60)
@given(rows=st.lists(conversation, min_size=1, max_size=12))
def test_rows_count_what_the_published_rule_says_on_both_ways(oracle: Any, encoding: str, rows: list[list[dict[str, str]]]) -> None:
    expected = Counter(cookbook(messages, oracle, encoding) for messages in rows)
    trained = sum(oracle[encoding](message["content"]) for messages in rows for message in messages if message["role"] == "assistant")
    long = tally(*({"messages": messages} for messages in rows), encoding=encoding)
    with TokenCounter(encoding) as counter:
        found = plain(b"\n".join(json.dumps({"messages": messages}).encode() for messages in rows))
        assert found is not None
        for places, columns in found:
            counter.plain(places, columns)
        short = counter.finish()
    for each in (long, short):
        assert each.totals == expected
        assert each.counts().trained == trained
        assert each.counts().prompt == sum(length * often for length, often in expected.items()) - trained
    assert (long.prompt, long.trained) == (short.prompt, short.trained)


def test_a_name_costs_one_more_token_than_its_text(oracle: Any) -> None:
    messages = [{"role": "user", "content": "a", "name": "maria"}, {"role": "assistant", "content": "b"}]
    assert tally({"messages": messages}).counts().total == cookbook(messages, oracle, "o200k_base")


def test_a_turn_of_weight_0_is_read_and_not_trained() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b b", "weight": 0}, {"role": "assistant", "content": "c"}]
    counts = tally({"messages": turns}).counts()
    assert counts.trained == 1
    assert counts.total == 3 * 4 + 1 + 2 + 1 + 3


def test_calls_are_trained_by_name_and_arguments_and_definitions_are_read() -> None:
    tools = [{"type": "function", "function": {"name": "get", "parameters": {"type": "object", "properties": {}}}}]
    call = {"id": "call_1", "type": "function", "function": {"name": "get", "arguments": '{"a": 1}'}}
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call]}], "tools": tools}
    counts = tally(row).counts()
    assert counts.trained == sum(count(["get", '{"a": 1}']))
    assert counts.prompt == 2 * 4 + 3 + 1 + count([json.dumps(tools)])[0]


@pytest.mark.parametrize(
    ("row", "prompt", "trained"),
    [
        ({"prompt": "a", "completion": "b b"}, 1, 2),
        ({"prompt": "a", "chosen": "b", "rejected": "c c"}, 1, 3),
        ({"prompt": "a", "completion": "b", "label": True}, 1, 1),
        ({"text": "a b c"}, 0, 3),
        ({"messages": [{"role": "user", "content": "a"}], "answer": "not the model's to read"}, 1 + 4 + 3, 0),
        (
            {
                "input": {"messages": [{"role": "user", "content": "a"}]},
                "preferred_output": [{"role": "assistant", "content": "b"}],
                "non_preferred_output": [{"role": "assistant", "content": "c c"}],
            },
            1 + 3 * 4 + 3,
            3,
        ),
    ],
)
def test_rows_of_every_kind_are_counted(row: dict[str, Any], prompt: int, trained: int) -> None:
    counts = tally(row).counts()
    assert (counts.prompt, counts.trained, counts.total) == (prompt, trained, prompt + trained)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), st.integers(1, 100))
def test_so_many_percent_of_the_rows_are_at_most_as_long(values: list[int], percent: int) -> None:
    found = percentile(Counter(values), percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent * len(values) / 100
    assert sum(value < found for value in values) < percent * len(values) / 100
    assert found == sorted(values)[math.ceil(percent * len(values) / 100) - 1]


def test_counts_sum_up() -> None:
    tally = TokenTally("o200k_base", limit_tokens=100)
    tally.add(range(1, 101), [0] * 100, list(range(2, 202, 2)))
    counts = tally.counts()
    assert (counts.total, counts.longest, counts.billable) == (10_100, 200, sum(min(100, length) for length in range(2, 202, 2)))
    assert counts.percentiles == {f"p{percent}": 2 * percent for percent in PERCENTILES}
    assert list(tally.over) == list(range(51, 101))


def test_a_system_prompt_is_counted_in_every_row(tmp_path: Path) -> None:
    row = {
        "messages": [
            {"role": "system", "content": "be brief " * 50},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
        ]
    }
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(row) + "\n") * 50)
    tokens = check(path, "sft", skip=["duplicate-rows"]).tokens
    assert tokens is not None
    assert tokens.total == 50 * (count(["be brief " * 50])[0] + 2 + 3 * 4 + 3)


def test_the_target_chooses_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "今日は良い天気ですね"}))
    found = {name: check(path, "sft", rules=Rules(encoding=name)).tokens for name in ("o200k_base", "cl100k_base")}
    for name, tokens in found.items():
        assert tokens is not None
        assert (tokens.encoding, tokens.total) == (name, count(["今日は良い天気ですね"], name)[0])
