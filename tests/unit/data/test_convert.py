"""Files from one format to another: whole or not at all, with every loss and its rows."""

from __future__ import annotations

import csv
import gzip
import hashlib
import itertools
import json
import tracemalloc

import pytest

from anytune.data import check, lines
from anytune.data.formats import convert, prepare, read
from anytune.data.formats.reading import HEAD_ROWS
from anytune.errors import ConfigError, DataError
from anytune.preflight import check_data

ASK = {"role": "user", "content": "Who is Ada?"}
SAY = {"role": "assistant", "content": "A mathematician – Gräfin."}
WORSE = {"role": "assistant", "content": "No idea."}
CHAT = {"messages": [ASK, SAY]}
MASKED = {"messages": [ASK, WORSE | {"weight": 0}, ASK, SAY]}
LONG = {"messages": [ASK, WORSE, ASK, SAY]}
SHARED = {"conversations": [{"from": "human", "value": "Who is Ada?"}, {"from": "gpt", "value": "A mathematician – Gräfin."}], "id": "7"}


@pytest.fixture
def written(tmp_path):
    def write(*rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text(
            "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows), encoding="utf-8"
        )
        return path

    return write


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").splitlines()]


def codes(findings):
    return [found.code for found in findings]


# Reading.


def test_a_file_is_read_as_anytunes_own_rows_and_says_as_what(written):
    reading = read(written(SHARED, SHARED))
    assert [line.row for line in reading] == [CHAT, CHAT]
    assert reading.format == "sharegpt"
    how, lost = reading.findings()
    assert (how.code, how.severity) == ("read-as", "info")
    assert (lost.code, lost.rows) == ("lossy-read", (1, 2))
    assert "`id`" in lost.message


def test_a_file_of_anytunes_own_rows_says_nothing(written):
    reading = read(written(CHAT, MASKED))
    assert [line.row for line in reading] == [CHAT, MASKED]
    assert reading.findings() == ()


def test_rows_keep_their_lines_and_broken_ones_their_problem(written):
    lines = list(read(written(SHARED, "", "{", SHARED)))
    assert [(line.number, bool(line.problem)) for line in lines] == [(1, False), (3, True), (4, False)]


def test_a_row_that_breaks_its_format_is_a_problem_of_its_line(written):
    broken = {"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": "weather(Oslo)"}]}
    line = list(read(written(SHARED, broken)))[1]
    assert line.code == "bad-arguments"
    assert "function_call" in line.problem
    assert line.fix


def test_a_row_of_another_format_than_the_first_ones_stays_as_it_is(written):
    *_, last = read(written(*[SHARED] * HEAD_ROWS, {"instruction": "a", "output": "b"}))
    assert last.row == {"instruction": "a", "output": "b"}


def test_a_sheet_is_read_by_its_headings(tmp_path):
    path = tmp_path / "sheet.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["question", "answer"], ["2+2?", "4"], ["a, b", "c\nd"]])
    reading = read(path)
    assert [line.row for line in reading] == [{"prompt": "2+2?", "completion": "4"}, {"prompt": "a, b", "completion": "c\nd"}]
    assert reading.format == "columns"
    assert reading.container == "csv"


def test_a_json_list_of_alpaca_rows_is_read(tmp_path):
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([{"instruction": "Who is Ada?", "input": "", "output": SAY["content"]}] * 3))
    assert [line.row for line in read(path)] == [CHAT] * 3


# Converting.


def test_a_file_is_converted_with_its_losses_listed(written, tmp_path):
    made = convert(written(SHARED, SHARED), tmp_path / "out.jsonl", to="openai")
    assert rows_of(made.path) == [CHAT, CHAT]
    assert (made.rows, made.format, made.to) == (2, "sharegpt", "openai")
    assert codes(made.findings) == ["read-as", "lossy-read"]
    assert made.losses == ()
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()


def test_azure_gets_its_byte_order_mark_and_openai_none(written, tmp_path):
    source = written(CHAT)
    assert convert(source, tmp_path / "azure.jsonl", to="azure").path.read_bytes().startswith(b"\xef\xbb\xbf{")
    assert convert(source, tmp_path / "openai.jsonl", to="openai").path.read_bytes().startswith(b"{")


def test_letters_stay_letters(written, tmp_path):
    assert "– Gräfin" in convert(written(CHAT), tmp_path / "out.jsonl", to="openai").path.read_text(encoding="utf-8")


def test_a_name_that_ends_in_gz_is_packed(written, tmp_path):
    made = convert(written(CHAT), tmp_path / "out.jsonl.gz", to="openai")
    assert json.loads(gzip.decompress(made.path.read_bytes())) == CHAT


def test_what_would_teach_something_else_is_refused_and_nothing_is_written(written, tmp_path):
    target = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="teach something else") as caught:
        convert(written(CHAT, MASKED, LONG), target, to="sharegpt")
    (lost,) = caught.value.findings
    assert (lost.code, lost.severity, lost.rows) == ("dropped-feature", "error", (2,))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_what_would_teach_something_else_is_written_when_that_is_allowed(written, tmp_path):
    made = convert(written(CHAT, MASKED), tmp_path / "out.jsonl", to="sharegpt", allow_loss=True)
    assert made.rows == 2
    assert [loss.severity for loss in made.losses] == ["error"]


def test_wrong_rows_are_named_and_nothing_is_written(written, tmp_path):
    target = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="wrong") as caught:
        convert(written(CHAT, {"messages": [ASK]}, CHAT, "{"), target, to="openai", allow_loss=True)
    assert [(found.code, found.row) for found in caught.value.findings] == [("no-assistant", 2), ("not-json", 4)]
    assert not target.exists()


def test_a_refused_conversion_leaves_what_was_there(written, tmp_path):
    target = tmp_path / "out.jsonl"
    target.write_text("what was there")
    with pytest.raises(DataError):
        convert(written({"messages": [ASK]}), target, to="openai")
    assert target.read_text() == "what was there"


def test_rows_that_a_dialect_has_no_word_for_are_refused_with_a_way_out(written, tmp_path):
    with pytest.raises(DataError) as caught:
        convert(written({"text": "Once."}), tmp_path / "out.jsonl", to="openai", allow_loss=True)
    (found,) = caught.value.findings
    assert (found.code, found.row) == ("refused-feature", 1)
    assert "trl" in found.fix


def test_rows_of_another_method_are_refused(written, tmp_path):
    with pytest.raises(DataError) as caught:
        convert(written(CHAT), tmp_path / "out.jsonl", to="openai", method="dpo")
    assert codes(caught.value.findings) == ["wrong-kind"]


def test_an_empty_file_is_refused(written, tmp_path):
    with pytest.raises(DataError) as caught:
        convert(written("", ""), tmp_path / "out.jsonl", to="openai")
    assert codes(caught.value.findings) == ["no-rows"]


def test_the_source_is_never_overwritten(written):
    source = written(CHAT)
    with pytest.raises(DataError, match="overwrite"):
        convert(source, source, to="azure")
    assert rows_of(source) == [CHAT]


def test_an_unknown_dialect_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="opnai"):
        convert(tmp_path / "missing.jsonl", tmp_path / "out.jsonl", to="opnai")


def test_a_missing_file_is_a_data_error_without_findings(tmp_path):
    with pytest.raises(DataError) as caught:
        convert(tmp_path / "missing.jsonl", tmp_path / "out.jsonl", to="openai")
    assert caught.value.findings == ()


def test_converting_twice_gives_the_same_bytes(written, tmp_path):
    once = convert(written(CHAT, MASKED), tmp_path / "once.jsonl", to="azure")
    twice = convert(once.path, tmp_path / "twice.jsonl", to="azure")
    assert once.sha256 == twice.sha256
    assert twice.losses == ()


def test_progress_is_told(written, tmp_path):
    told = []
    convert(written(*[CHAT] * 2500), tmp_path / "out.jsonl", to="openai", progress=told.append)
    assert told == [1000, 2000, 2500]


def test_conversations_are_split_for_trl_where_only_the_last_turn_is_learned(written, tmp_path):
    made = convert(written(CHAT, MASKED), tmp_path / "out.jsonl", to="trl")
    assert rows_of(made.path) == [{"prompt": [ASK], "completion": [SAY]}, {"prompt": [ASK, WORSE, ASK], "completion": [SAY]}]
    assert {loss.severity for loss in made.losses} == {"info"}


def test_conversations_stay_whole_for_trl_where_one_row_learns_several_turns(written, tmp_path):
    assert rows_of(convert(written(CHAT, LONG), tmp_path / "out.jsonl", to="trl").path) == [CHAT, LONG]


def test_a_mask_that_trl_has_no_word_for_is_refused(written, tmp_path):
    with pytest.raises(DataError) as caught:
        convert(written(LONG, MASKED), tmp_path / "out.jsonl", to="trl")
    assert [found.rows for found in caught.value.findings] == [(2,)]


def test_many_wrong_rows_are_listed_in_bounds(written, tmp_path):
    with pytest.raises(DataError) as caught:
        convert(written(*[{"messages": [ASK]}] * 300), tmp_path / "out.jsonl", to="openai")
    assert len(caught.value.findings) == 101
    assert caught.value.findings[-1].rows == tuple(range(101, 301))


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(rows):
        source = tmp_path / f"{rows}.jsonl"
        with source.open("w") as file:
            file.writelines(itertools.repeat(json.dumps(SHARED | {"pad": "x" * 2000}) + "\n", rows))
        tracemalloc.start()
        convert(source, tmp_path / "out.jsonl", to="openai")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # imports
    assert peak(4000) < peak(1000) + 1_000_000


# Preparing.


def test_a_file_that_is_right_already_is_sent_as_it_is(written, tmp_path):
    source = written(CHAT, MASKED)
    file, findings = prepare(source, method="sft", dialect="openai", folder=tmp_path / "kept")
    assert file.path == source.resolve()
    assert file.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert findings == ()
    assert not (tmp_path / "kept").exists()


def test_azure_gets_a_copy_with_the_mark_once(written, tmp_path):
    source, folder = written(CHAT), tmp_path / "kept"
    file, _ = prepare(source, method="sft", dialect="azure", folder=folder)
    first = file.path.stat().st_mtime_ns
    assert file.path.name == f"{hashlib.sha256(source.read_bytes()).hexdigest()}.azure.sft.1.jsonl"
    assert file.path.read_bytes().startswith(b"\xef\xbb\xbf")
    again, _ = prepare(source, method="sft", dialect="azure", folder=folder)
    assert again == file
    assert again.path.stat().st_mtime_ns == first
    marked, _ = prepare(file.path, method="sft", dialect="azure", folder=folder)
    assert marked == file


@pytest.mark.parametrize(
    "lines",
    [[json.dumps(CHAT), "", json.dumps(CHAT)], ["\ufeff" + json.dumps(CHAT)], [json.dumps({"prompt": "a", "completion": "b"})]],
    ids=["blank line", "mark", "prompt"],
)
def test_what_a_host_would_stumble_over_is_written_anew(written, tmp_path, lines):
    source = written(*lines)
    file, _ = prepare(source, method="sft", dialect="openai", folder=tmp_path / "kept")
    assert file.path != source.resolve()
    assert all("messages" in row for row in rows_of(file.path))
    assert not file.path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_another_format_is_written_in_the_dialect_and_said(written, tmp_path):
    file, findings = prepare(written(SHARED), method="sft", dialect="anytune", folder=tmp_path, role="validation")
    assert rows_of(file.path) == [CHAT]
    assert file.role == "validation"
    assert codes(findings) == ["read-as", "lossy-read"]


def test_a_packed_file_is_unpacked_for_who_cannot(written, tmp_path):
    source = tmp_path / "rows.jsonl.gz"
    source.write_bytes(gzip.compress((json.dumps(CHAT) + "\n").encode()))
    file, _ = prepare(source, method="sft", dialect="openai", folder=tmp_path)
    assert rows_of(file.path) == [CHAT]


def test_what_would_teach_something_else_is_an_error_among_the_findings(written, tmp_path):
    source, folder = written(MASKED, LONG), tmp_path / "kept"
    file, findings = prepare(source, method="sft", dialect="trl", folder=folder)
    assert file.path == source.resolve()
    assert [(found.code, found.rows) for found in findings if found.severity == "error"] == [("dropped-feature", (1,))]
    assert not folder.exists()
    file, _ = prepare(source, method="sft", dialect="trl", folder=folder, allow_loss=True)
    assert file.path.parent == folder


def test_a_row_of_no_kind_is_an_error_among_the_findings(written, tmp_path):
    _, findings = prepare(written(CHAT, {"rows": 1}), method="sft", dialect="openai", folder=tmp_path)
    assert [(found.severity, found.row) for found in findings] == [("error", 2)]


def test_a_folder_of_shards_is_converted_and_checked_like_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    shards = tmp_path / "shards"
    shards.mkdir()
    for number in range(2):
        (shards / f"train-{number}.jsonl").write_text(json.dumps({"prompt": f"{number}?", "completion": f"{number}!"}) + "\n")
    made = convert(shards, tmp_path / "a.jsonl", to="openai")
    assert made.rows == 2
    assert check(shards).rows == check_data(str(shards)).rows == 2


def test_a_folder_where_a_file_is_wanted_is_named_once(tmp_path):
    with pytest.raises(DataError) as caught:
        list(lines(tmp_path))
    assert str(caught.value).count("cannot be read") == 1


def test_the_name_of_a_table_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="JSON lines"):
        convert(tmp_path / "missing.jsonl", tmp_path / "a.parquet", to="openai")
