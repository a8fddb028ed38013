"""What the short way takes, the schemas take: same rows, same words, nothing found."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anytune.data import check
from anytune.data.check import fast
from anytune.data.check.content import HOT, content
from anytune.data.check.images import images
from anytune.data.check.judge import judge
from anytune.data.files import parse
from anytune.data.rows import texts
from anytune.data.rules import OPEN, Rules

MET = Rules(
    target="somewhere", refuses=frozenset({"tools", "images", "weight", "name", "developer", "special-tokens"}), last_role="assistant"
)
"""Rules that plain rows meet."""

said = st.one_of(st.text(max_size=12), st.sampled_from(["", " ", "\u3000", "\x1f", "\u200b", "a", "<|endoftext|>", "Ã©", "\ud800", "é"]))
content_of = st.one_of(said, st.none(), st.integers(), st.lists(said, max_size=2))
role = st.sampled_from(["system", "user", "assistant", "user", "assistant", "developer", "tool", "", None, 1])
message = st.one_of(
    st.fixed_dictionaries({"role": role, "content": content_of}, optional={"name": said, "weight": st.integers(-1, 2), "content ": said}),
    st.dictionaries(st.sampled_from(["role", "content", "tool_calls"]), content_of, max_size=3),
    content_of,
)
plain_messages = st.lists(st.tuples(said, said), min_size=1, max_size=3).flatmap(
    lambda pairs: st.sampled_from(
        [
            [{"role": one, "content": text} for pair in pairs for one, text in zip(("user", "assistant"), pair, strict=True)],
            [
                {"role": "system", "content": pairs[0][0]},
                *({"role": one, "content": text} for pair in pairs for one, text in zip(("user", "assistant"), pair, strict=True)),
            ],
        ]
    )
)
row = st.one_of(
    plain_messages.map(lambda messages: {"messages": messages}),
    st.fixed_dictionaries(
        {"messages": st.one_of(plain_messages, st.lists(message, max_size=4), content_of)}, optional={"tools": st.none(), "text": said}
    ),
    st.fixed_dictionaries({"prompt": content_of, "completion": content_of}, optional={"tools": st.none(), "label": st.booleans()}),
    content_of,
)


def taken(line: bytes) -> list[str] | None:
    """Go the short way, as the engine does, with one line."""
    found = None if HOT.search(line) else fast.plain(line)
    if found is None:
        return None
    ((places, columns),) = found
    assert list(places) == [0]
    return [column[0] for column in columns]


def agrees(line: bytes) -> bool:
    """Tell whether a line was taken; and if so, hold the schemas' opinion against it."""
    found = taken(line)
    if found is None:
        return False
    strict = parse(2, line)
    assert not strict.problem
    for method in (None, "sft"):
        for rules in (OPEN, MET):
            assert judge(2, strict.row, method, rules) == []
            assert content(2, strict.row, rules) == []
            assert images(2, strict.row, rules) == []
    assert fast.worded(found) == list(texts(strict.row))
    return True


@settings(max_examples=1500)
@given(row)
@example({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
@example({"prompt": "a", "completion": "b"})
@example({"messages": []})
def test_a_row_that_the_short_way_takes_is_good_for_the_schemas(one: Any) -> None:
    for ascii_only in (True, False):
        agrees(json.dumps(one, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


def test_most_plain_rows_are_taken() -> None:
    for rows in (
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"messages": [{"content": "s", "role": "system"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "é\n"}]},
        {"prompt": "a", "completion": "b"},
        {"prompt": "a", "completion": json.dumps({"intent": "x", "slots": {"city": 'a ": b'}})},
    ):
        assert agrees(json.dumps(rows).encode())
        assert agrees(json.dumps(rows, ensure_ascii=False, indent=None, separators=(" ,", " : ")).encode() + b"\r")


@pytest.mark.parametrize(
    "line",
    [
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "messages": []}',
        b'{"messages": [{"role": "user", "role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        b'{"messages": [{"role" : "user", "\\u0072ole": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        b'{"prompt": "a", "completion": "b", "completion": "b"}',
        b'{"prompt": "\\"a\\":", "completion": "b", "prompt"  : "c"}',
        b'{"prompt": "a", "completion": "b", "completion\\\\": "b"}',
        b'{"prompt": "a", "completion": "b", "c\\u006fmpletion":"b"}',
        b'{"prompt": "a", "completion": NaN}',
        b'{"prompt": "a", "completion": "\xff"}',
        b'{"prompt": "a", "completion": "\\ud800"}',
        b'\xef\xbb\xbf{"prompt": "a", "completion": "b"}',
        b'{"prompt": "a", "completion": "b"} {}',
        b'{"prompt": "a", "completion": "b",}',
    ],
)
def test_what_readers_disagree_about_goes_the_long_way(line: bytes) -> None:
    assert taken(line) is None


GOOD = [
    json.dumps(
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "ü?"}, {"role": "assistant", "content": "b"}]}
    ).encode(),
    '{"messages": [{"role": "user", "content": "漢字 \\" :"}, {"role": "assistant", "content": "b"}]}'.encode(),
    b'{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]}',
    b'{"prompt": "say \\u00e9", "completion": "e"}',
]
MARKS = [
    *rb'" { } [ ] , : \ 1 e null "role":"user", "content":"x" }{'.split(b" "),
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"}\n{",
    b"\0",
    b"\xff",
    b"\xc3",
]


def mangled(dice: random.Random, raw: bytes) -> bytes:
    """Put, take out and repeat some bytes."""
    line = bytearray(raw)
    for _ in range(dice.randint(1, 3)):
        at, what = dice.randrange(len(line)), dice.choice(MARKS)
        end = at + dice.choice([0, 0, 1, len(what), dice.randint(0, 12)])
        line[at:end] = what if dice.random() < 0.7 else line[dice.randrange(len(line)) :][: dice.randint(0, 30)]
    return bytes(line)


def test_whatever_is_done_to_the_bytes_of_a_good_row_both_ways_agree() -> None:
    dice = random.Random(7)
    lines = [line for line in (mangled(dice, dice.choice(GOOD)) for _ in range(30_000)) if b"\n" not in line and line.strip()]
    assert sum(map(agrees, lines)) > 300


def test_lines_that_are_read_together_are_what_each_line_is() -> None:
    dice = random.Random(5)
    together = 0
    for _ in range(20_000):
        raw = b"\n".join(dice.choices(GOOD, k=dice.randint(1, 4))) + b"\n" * dice.randint(0, 1)
        raw = mangled(dice, raw) if dice.random() < 0.9 else raw
        found = None if HOT.search(raw) else fast.plain(raw)
        if found is None:
            continue
        together += 1
        lines = raw.removesuffix(b"\n").split(b"\n")
        alone = {place: taken(line) for place, line in enumerate(lines)}
        assert None not in alone.values(), raw
        read = {place: list(texts) for places, columns in found for place, texts in zip(places, zip(*columns, strict=True), strict=True)}
        assert read == alone
    assert together > 500


@pytest.mark.parametrize(
    "raw",
    [
        b"\n" + GOOD[2],
        GOOD[2] + b"\n\n" + GOOD[2],
        GOOD[2] + GOOD[2] + b"\n",
        GOOD[2] + GOOD[2] + b"\n\n",
        GOOD[2].replace(b", ", b",\n") + GOOD[2],
        GOOD[2].replace(b"}, {", b"},\n{") + b" " + GOOD[2],
        GOOD[2] + b"\r" + GOOD[2] + b"\r\n",
        GOOD[2] + b"\n" + GOOD[3],
    ],
)
def test_rows_that_do_not_fit_their_lines_are_read_one_by_one(raw: bytes) -> None:
    assert fast.plain(raw) is None


def test_line_ends_of_windows_make_no_difference() -> None:
    raw = b"\n".join([GOOD[0], GOOD[2], GOOD[0], b""])
    assert fast.plain(raw.replace(b"\n", b"\r\n")) == fast.plain(raw) is not None


def test_conversations_of_several_lengths_are_read_together() -> None:
    found = fast.plain(b"\n".join([GOOD[0], GOOD[2], GOOD[0]]))
    assert found is not None
    assert [(list(places), len(columns)) for places, columns in found] == [([1], 2), ([0, 2], 3)]


def test_a_long_block_is_cut_at_line_ends() -> None:
    raw = b"".join(line + b"\n" for line in GOOD * 900) + GOOD[0]
    cut = list(fast.pieces(raw))
    assert len(cut) > 3
    assert b"".join(cut) == raw
    assert all(piece.endswith(b"\n") for piece in cut[:-1])


@pytest.mark.parametrize(
    ("method", "rules", "expected"),
    [
        (None, OPEN, True),
        ("sft", MET, True),
        ("dpo", OPEN, False),
        ("kto", OPEN, False),
        ("rft", OPEN, False),
        ("sft", Rules(refuses=frozenset({"system"})), False),
        ("sft", Rules(drops=frozenset({"system"})), False),
        ("sft", Rules(last_role="user"), False),
    ],
)
def test_the_short_way_is_open_only_where_plain_rows_are_good(method: str | None, rules: Rules, expected: bool) -> None:
    assert fast.allowed(method, rules) is expected


def test_a_file_gets_the_same_report_on_both_ways(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(3)
    lines = []
    for number in range(400):
        answer = " " if number % 97 == 4 else f"{dice.randint(0, 60)} é"
        turns = [{"role": "user", "content": f"q {dice.randint(0, 60)}"}, {"role": "assistant", "content": answer}]
        turns = [{"role": "system", "content": "s <|im_end|>" if number % 50 == 7 else "s"}] * (number % 3 == 0) + turns
        lines.append(json.dumps({"messages": turns}, ensure_ascii=number % 2 == 0) + "\n" * (1 + (number % 11 == 0)))
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    short = check(path, "sft")
    monkeypatch.setattr(fast, "allowed", lambda method, rules: False)
    long = check(path, "sft")
    assert short.tokens == long.tokens
    assert short == long
    assert {finding.code for finding in short.findings} >= {"duplicate-rows", "conflicting-answers", "special-token", "empty-answer"}
