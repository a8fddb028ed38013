"""The check of whole files: what is counted, capped, left out and said across rows."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from anytune.data import check
from anytune.data.check import fast, run, watch
from anytune.data.check.collector import MAX_LISTED, MAX_ROWS, Collector
from anytune.data.rules import Rules
from anytune.errors import ConfigError, DataError
from anytune.values import Finding

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jetty", "knoll", "larch"]


def chat(asked: str, answered: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}], **more}


def different(count: int) -> list[dict[str, Any]]:
    """Give rows that are neither equal nor nearly so."""
    dice = random.Random(count)
    return [chat(" ".join(dice.choices(WORDS, k=9)) + f" {n}", " ".join(dice.choices(WORDS, k=7))) for n in range(count)]


def written(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return path


def told(report: Any) -> list[tuple[str, int | None]]:
    return [(found.code, found.row) for found in report.findings]


def test_a_report_says_what_the_file_is(tmp_path: Path) -> None:
    path = written(tmp_path, *different(3))
    report = check(path, "sft")
    assert (report.rows, report.kind, report.format, report.container) == (3, "chat", "anytune", "jsonl")
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.size_bytes == path.stat().st_size
    assert report.ok
    assert report.findings == ()


def test_a_packed_file_has_the_hash_of_its_own_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(written(tmp_path, *different(3)).read_bytes()))
    report = check(path, "sft")
    assert (report.rows, report.container) == (3, "jsonl.gz")
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_rows_are_numbered_by_their_lines_whatever_is_blank(tmp_path: Path) -> None:
    rows = [b"\xef\xbb\xbf\n", chat("a", "b"), b"  \r\n", b"{]\n", b"\n\n", chat("c", " "), b"\t\n"]
    assert told(check(written(tmp_path, *rows), "sft")) == [("not-json", 4), ("empty-answer", 7)]


def test_a_file_of_blank_lines_holds_no_rows(tmp_path: Path) -> None:
    report = check(written(tmp_path, b"\n \n"), "sft")
    assert told(report) == [("no-rows", None)]
    assert report.rows == 0
    assert report.kind == ""


def test_an_empty_file_holds_no_rows(tmp_path: Path) -> None:
    report = check(written(tmp_path), None)
    assert told(report) == [("no-rows", None)]
    assert report.tokens is not None
    assert (report.tokens.total, report.tokens.longest, report.tokens.percentiles) == (0, 0, {})


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_is_no_file_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        check(tmp_path / name, "sft")


def test_the_first_hundred_of_a_code_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    report = check(written(tmp_path, *[{"text": ""}] * 250), "sft")
    assert len(report.findings) == MAX_LISTED + 1
    rest = report.findings[-1]
    assert (rest.code, rest.severity, rest.row) == ("empty-answer", "error", 101)
    assert rest.rows == tuple(range(101, 251))
    assert "150 more" in rest.message
    assert rest.fix


def test_each_code_has_a_hundred_of_its_own(tmp_path: Path) -> None:
    report = check(written(tmp_path, *[{"text": ""}] * 150, *[b"{\n"] * 150), "sft")
    assert {code: sum(found.code == code for found in report.findings) for code in ("empty-answer", "not-json")} == {
        "empty-answer": 101,
        "not-json": 101,
    }


def test_a_million_findings_fit_into_the_collector() -> None:
    collector = Collector()
    for number in range(1, 30_001):
        collector.add([Finding(severity="error", code="not-json", message="m", row=number)])
    *_, rest = collector.findings()
    assert len(rest.rows) == MAX_ROWS
    assert "29,900 more" in rest.message
    assert "10,000 of their lines" in rest.message


def test_the_gravest_findings_come_first(tmp_path: Path) -> None:
    report = check(written(tmp_path, chat("a", "b"), chat("a", "c"), {"text": ""}), "sft", skip=["tokens"])
    assert [found.severity for found in report.findings] == ["error", "warning", "info"]


def test_rows_of_several_kinds_do_not_belong_in_one_file(tmp_path: Path) -> None:
    report = check(written(tmp_path, {"prompt": "p", "completion": "c"}, chat("a", "b")), "sft")
    assert told(report) == [("mixed-rows", 1)]
    assert "chat rows (first in row 2)" in report.findings[0].message


def test_labels_of_one_side_teach_nothing(tmp_path: Path) -> None:
    rows = [{"prompt": row["messages"][0]["content"], "completion": "yes", "label": True} for row in different(4)]
    assert told(check(written(tmp_path, *rows), "kto")) == [("one-sided-labels", None)]
    rows[1]["label"] = False
    assert told(check(written(tmp_path, *rows), "kto")) == []


def test_findings_name_their_file_only_where_there_are_two(tmp_path: Path) -> None:
    train, validation = written(tmp_path, *different(3)), written(tmp_path, {"text": ""}, name="valid.jsonl")
    assert [found.file for found in check(validation, "sft").findings] == [None]
    report = check(train, "sft", validation=validation)
    assert [(found.code, found.file, found.row) for found in report.findings] == [("empty-answer", "validation", 1)]
    assert report.validation is not None
    assert report.validation.rows == 1


class TestRules:
    """What a target takes, held against the file."""

    def codes(self, folder: Path, rules: Rules, count: int = 4, method: str = "sft") -> list[str]:
        return [found.code for found in check(written(folder, *different(count)), method, rules=rules).findings]

    def test_too_few_rows_are_an_error(self, tmp_path: Path) -> None:
        assert self.codes(tmp_path, Rules(min_rows=10, recommended_rows=50)) == ["too-few-rows"]

    def test_fewer_rows_than_recommended_are_a_warning(self, tmp_path: Path) -> None:
        assert self.codes(tmp_path, Rules(min_rows=2, recommended_rows=50)) == ["few-rows"]

    def test_too_many_rows_are_an_error(self, tmp_path: Path) -> None:
        assert self.codes(tmp_path, Rules(max_rows=3)) == ["too-many-rows"]

    def test_a_file_can_be_too_large(self, tmp_path: Path) -> None:
        assert self.codes(tmp_path, Rules(max_file_bytes=100)) == ["file-too-large"]

    def test_a_host_can_want_a_validation_file(self, tmp_path: Path) -> None:
        assert self.codes(tmp_path, Rules(needs_validation=True)) == ["validation-needed"]

    @pytest.mark.parametrize(("overlong", "code"), [("error", "overlong"), ("truncate", "truncated")])
    def test_long_rows_are_named(self, tmp_path: Path, overlong: Any, code: str) -> None:
        rows = different(6)
        rows[2]["messages"][0]["content"] += " again" * 500
        rows[4] = {"messages": [{"role": "user", "content": "x", "name": "n"}, {"role": "assistant", "content": "so " * 300}]}
        report = check(written(tmp_path, *rows), "sft", rules=Rules(max_row_tokens=100, overlong=overlong))
        assert [(found.code, found.rows) for found in report.findings] == [(code, (3, 5))]
        assert report.tokens is not None
        assert report.tokens.billable < report.tokens.total

    def test_no_encoding_means_no_counts(self, tmp_path: Path) -> None:
        assert check(written(tmp_path, *different(2)), "sft", rules=Rules(encoding=None)).tokens is None


class TestSkipping:
    """What is left out, and that it is said."""

    def test_tokens_are_left_out_by_name(self, tmp_path: Path) -> None:
        report = check(written(tmp_path, *different(2)), "sft", skip={"tokens"})
        assert report.tokens is None
        assert told(report) == [("not-checked", None)]

    def test_any_code_can_be_left_out(self, tmp_path: Path) -> None:
        report = check(written(tmp_path, chat("a", "b"), chat("a", "b")), "sft", skip=["duplicate-rows"])
        assert told(report) == [("not-checked", None)]

    def test_near_duplicates_secrets_and_personal_data_are_looked_for_and_can_be_left_out(self, tmp_path: Path) -> None:
        row = different(1)[0]
        other = json.loads(json.dumps(row).replace(" 0", " 0."))
        key = chat("mail maria.keller" + "@" + "posteo.de", "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEAtAhN1Q" * 4)
        path = written(tmp_path, row, other, key)
        assert {code for code, _ in told(check(path, "sft"))} == {"near-duplicate-rows", "secret", "personal-data"}
        report = check(path, "sft", skip=["near-duplicates", "secrets", "personal-data"])
        assert [found.code for found in report.findings] == ["not-checked"] * 3

    def test_an_unknown_name_is_refused_with_the_nearest(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="secret") as caught:
            check(written(tmp_path, *different(2)), "sft", skip=["secrests"])
        assert "Did you mean `secrets`?" in str(caught.value)


class TestSampling:
    """Long files are sampled by the checks that read every word, and the report says so."""

    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run, "ALL_ROWS", 20)
        monkeypatch.setattr(watch, "ALL_ROWS", 20)
        monkeypatch.setattr(watch, "SAMPLE_ROWS", 10)

    def secret_rows(self, folder: Path, **options: Any) -> tuple[list[int], Any]:
        rows = [chat(f"{n} mail maria.keller{n}" + "@" + "posteo.de", f"{n}.") for n in range(40)]
        rows[7]["messages"].insert(0, {"role": "developer", "content": "d"})
        report = check(written(folder, *rows), "sft", skip=["near-duplicates"], **options)
        return [found.row for found in report.findings if found.code == "personal-data"], report

    def test_a_sample_is_looked_at_and_said(self, tmp_path: Path) -> None:
        rows, report = self.secret_rows(tmp_path)
        assert len(rows) == 10
        sampled = next(found for found in report.findings if found.code == "sampled")
        assert "40 rows" in sampled.message
        assert ", 10 were looked at" in sampled.message
        assert "--deep" in sampled.fix

    def test_the_sample_is_the_same_every_time(self, tmp_path: Path) -> None:
        assert self.secret_rows(tmp_path)[0] == self.secret_rows(tmp_path)[0]

    def test_lines_are_counted_and_beyond_the_limit_estimated(self, tmp_path: Path) -> None:
        path = tmp_path / "rows"
        path.write_bytes(b"x\n" * 19 + b"x")
        assert watch.lines_of(path, packed=False) == 20
        path.write_bytes(b"x" * 99 + b"\n" + (b"x" * 99 + b"\n") * 50_000)
        assert watch.lines_of(path, packed=False) == pytest.approx(50_001, rel=0.01)
        path.write_bytes(gzip.compress(path.read_bytes()))
        assert watch.lines_of(path, packed=True) == 50_001

    def test_deep_looks_at_all(self, tmp_path: Path) -> None:
        rows, report = self.secret_rows(tmp_path, deep=True)
        assert sorted(rows) == list(range(1, 41))
        assert "sampled" not in {found.code for found in report.findings}

    def test_the_sample_does_not_depend_on_the_way_that_rows_go(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        short = self.secret_rows(tmp_path)[0]
        monkeypatch.setattr(fast, "allowed", lambda method, rules: False)
        assert sorted(self.secret_rows(tmp_path)[0]) == sorted(short)

    def test_a_sample_reaches_over_blocks(self, tmp_path: Path) -> None:
        rows = [chat(f"{n} mail maria.keller{n}" + "@" + "posteo.de" + " x" * 60_000, f"{n}.") for n in range(40)]
        report = check(written(tmp_path, *rows), "sft", skip=["near-duplicates", "tokens"])
        assert sum(found.code == "personal-data" for found in report.findings) == 10


def test_other_formats_are_read_as_what_they_are(tmp_path: Path) -> None:
    rows = [{"conversations": [{"from": "human", "value": f"{n}?"}, {"from": "gpt", "value": f"{n}!"}]} for n in range(3)]
    report = check(written(tmp_path, *rows), "sft", skip=["near-duplicates"])
    assert (report.format, report.kind, report.rows) == ("sharegpt", "chat", 3)
    assert "read-as" in {found.code for found in report.findings}
    assert report.tokens is not None


def test_a_table_is_checked_like_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\nWhat is 2+2?,4\nWhat is 3+3?,\n")
    report = check(path, "sft")
    assert (report.container, report.rows) == ("csv", 2)
    assert [(found.code, found.row) for found in report.findings if found.severity == "error"] == [("empty-answer", 2)]


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    path = written(tmp_path, *different(50))
    seen: list[tuple[int, int]] = []
    check(path, "sft", validation=path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * path.stat().st_size, 2 * path.stat().st_size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_grader_is_held_against_the_rows(tmp_path: Path) -> None:
    grader = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.answer}}"}
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}], "answer": "a"} for n in range(2)]
    del rows[1]["answer"]
    report = check(written(tmp_path, *rows), "rft", grader=grader)
    assert [(found.code, found.row) for found in report.findings if found.severity == "error"] == [("missing-item-field", 2)]
