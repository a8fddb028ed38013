"""What a file holds, in numbers that can be counted by hand."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anytune.data.stats import html, stats
from anytune.data.tokens import count
from anytune.errors import ConfigError
from anytune.values import Rendered

SNIPS = Path(__file__).parents[4] / "shared" / "data" / "snips" / "train.jsonl"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def row(ask, answer="Yes.", *before, **more):
    return {"messages": [*before, {"role": "user", "content": ask}, {"role": "assistant", "content": answer}]} | more


@pytest.fixture
def write(tmp_path):
    def put(*found):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in found), encoding="utf-8")
        return path

    return put


def test_rows_kinds_roles_and_turns_are_counted(write):
    found = stats(write(row("One?"), row("Two?", "No.", {"role": "system", "content": "Be short."}), row("Three?")))
    assert (found.rows, found.bad_rows, found.kinds) == (3, 0, {"chat": 3})
    assert found.roles == {"user": 3, "assistant": 3, "system": 1}
    assert found.rows_without == {"system": 2}
    assert (found.messages.least, found.messages.most) == (2, 3)
    assert found.messages.percentiles["p50"] == 2
    assert found.messages.mean == pytest.approx(7 / 3)


def test_rows_that_cannot_be_used_are_told_and_not_counted(write):
    found = stats(write(row("One?"), "{broken", {"messages": [{"role": "bot", "content": "x"}]}, {"other": 1}))
    assert (found.rows, found.bad_rows, found.kinds) == (4, 3, {"chat": 1})


def test_tools_and_their_calls_are_counted(write):
    call = {
        "role": "assistant",
        "tool_calls": [{"id": str(n), "type": "function", "function": {"name": "weather", "arguments": "{}"}} for n in (1, 2)],
    }
    asked = {"messages": [{"role": "user", "content": "Rain in Bergen and Oslo?"}, call], "tools": [TOOL]}
    found = stats(write(asked, row("One?", tools=[TOOL])))
    assert (found.tools, found.calls) == ({"weather": 2}, {"weather": 2})


def test_rows_with_images_are_counted(write):
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    assert stats(write(row([image]), row("One?"))).images == 1


def test_labels_of_unpaired_rows_are_counted(write):
    found = stats(write(*({"prompt": f"{n}?", "completion": "Yes.", "label": n < 3} for n in range(4))))
    assert found.labels == {"true": 3, "false": 1}


def test_values_at_a_path_are_counted(write):
    found = stats(write(*(row(f"{n}?", json.dumps({"class": "ab"[n % 3 == 0]})) for n in range(9)), row("x?")), by="answer.class")
    assert found.labels == {"a": 6, "b": 3, "(none)": 1}


def test_texts_of_their_own_are_no_labels(write):
    assert stats(write(*(row(f"{n}?") for n in range(1100))), by="messages.0.content").labels == {}


def test_tokens_are_those_of_the_texts_and_what_stands_around_messages(write):
    found = stats(write(row("How long is the Elbe?", "About a thousand kilometres.")))
    asked, said = count(["How long is the Elbe?", "About a thousand kilometres."])
    assert (found.tokens.prompt, found.tokens.trained) == (asked + 2 * 4 + 3, said)
    assert found.tokens.total == found.tokens.longest == found.tokens.percentiles["p50"]


def test_percentiles_are_lengths_that_rows_have(write):
    found = stats(write(*(row("Go on.", "word " * n) for n in range(1, 101))))
    lengths = sorted(count([("word " * n)])[0] for n in range(1, 101))
    base = found.tokens.longest - lengths[-1]
    assert found.tokens.percentiles == {f"p{p}": base + lengths[p - 1] for p in (5, 25, 50, 75, 95, 99)}


def test_rows_over_common_limits_are_counted(write):
    found = stats(write(row("Go on.", "word " * 600), row("Go on!", "word " * 1200), row("One?")))
    assert found.over == {512: 2, 1024: 1}
    assert sum(one.rows for one in found.lengths) == 3


def test_another_encoding_counts_otherwise(write):
    path = write(row("Wie heißt die größte Stadt in Südkorea? 서울"))
    assert stats(path, encoding="cl100k_base").tokens.total > stats(path).tokens.total


def test_an_unknown_encoding_is_refused(write):
    with pytest.raises(ConfigError, match="no_base"):
        stats(write(row("One?")), encoding="no_base")


def test_a_model_s_own_counts_are_summed_by_row(write):
    def render(rows):
        for number, _ in rows:
            yield Rendered(row=number, prompt_tokens=10 * number, trained_tokens=1, label="turn 1")
            yield Rendered(row=number, prompt_tokens=0, trained_tokens=2, label="turn 2")

    found = stats(write(row("One?"), "{broken", row("Three?")), render=render, encoding="starter")
    assert (found.tokens.encoding, found.tokens.prompt, found.tokens.trained, found.tokens.longest) == ("starter", 40, 6, 33)


def test_a_file_without_rows_has_no_tokens(tmp_path):
    (tmp_path / "rows.jsonl").write_text("\n")
    found = stats(tmp_path / "rows.jsonl")
    assert (found.rows, found.tokens, found.lengths) == (0, None, ())
    assert "</html>" in html(found)


def test_other_formats_are_counted_too(tmp_path):
    (tmp_path / "rows.csv").write_text("prompt,completion\nOne?,Yes.\nTwo?,No.\n")
    found = stats(tmp_path / "rows.csv")
    assert (found.rows, found.container, found.kinds) == (2, "csv", {"prompt": 2})


def test_progress_is_told(write):
    told = []
    stats(write(*(row(f"{n}?") for n in range(2500))), progress=told.append)
    assert told == [1000, 2000]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = Counter()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.found[tag] += 1
        self.addresses += [value for key, value in attrs if key in {"src", "href", "onload", "onerror", "action"}]


def test_the_page_runs_nothing_and_fetches_nothing_whatever_the_rows_say(write, tmp_path):
    evil = '<script>alert(1)</script><img src="http://example.org/x" onerror="alert(2)">'
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    path = write(row("One?", json.dumps({"class": evil}), tools=[tool])).rename(tmp_path / "<b>rows.jsonl")
    page = html(stats(path, by="answer.class"))
    tags = Tags()
    tags.feed(page)
    assert not tags.found.keys() & {"script", "img", "link", "iframe", "b", "object", "form"}
    assert tags.addresses == []
    assert "&lt;script&gt;" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


@pytest.mark.skipif(not SNIPS.exists(), reason="../shared/data/snips is not there")
def test_real_rows_are_counted():
    found = stats(SNIPS, by="answer.intent")
    assert (found.rows, found.bad_rows, len(found.labels)) == (13_784, 0, 7)
    assert found.tokens.total == found.tokens.prompt + found.tokens.trained == 920_415
