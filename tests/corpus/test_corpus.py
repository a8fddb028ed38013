"""Every published rule about training data, shown by files: bad ones with what is to be found in which row, good ones that nothing is found in.

README.md says how the pages are written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from anytune.codes import CODES
from anytune.data import check
from anytune.data.rules import OPEN, Rules
from anytune.errors import DataError

HERE = Path(__file__).parent
PAGES = sorted(page for page in HERE.glob("*.yaml") if page.name != "rules.yaml")
NOTE = re.compile(r"(?:(error|warning|info):)?([a-z0-9-]+)(?:@(v?)([\d,]+)(?:\.(\d+))?)?$")


def cases(sort):
    for page in PAGES:
        content = yaml.safe_load(page.read_text(encoding="utf-8"))
        common = {"method": content["method"], "kind": content["kind"], "page": page.stem, "sort": sort}
        for case in content[sort]:
            yield common | case


BAD, GOOD = list(cases("bad")), list(cases("good"))


def name(case):
    return f"{case['page']}-{case['id']}"


def ruled(case):
    rule = case.get("rule", [])
    return rule if isinstance(rule, list) else [rule]


def noted(text):
    """Read `severity:code@rows.message`; the code's own severity unless another is named."""
    severity, code, file, rows, message = NOTE.match(text).groups()
    return (
        severity or CODES[code].severity,
        code,
        "validation" if file else None,
        tuple(int(row) for row in rows.split(",")) if rows else (),
        None if message is None else int(message),
    )


def fits(expected, finding):
    severity, code, file, rows, message = expected
    return (
        (finding.severity, finding.code) == (severity, code)
        and (file is None or finding.file == file)
        and (not rows or rows == (finding.rows or (finding.row,)))
        and (message is None or finding.message_index == message)
    )


def rules_of(case):
    if "target" in case:
        catalog = pytest.importorskip("anytune.catalog")
        return catalog.rules(*case["target"], case["method"])
    return Rules(**case["rules"]) if "rules" in case else OPEN


def grader_of(case):
    if "pad_grader" in case:
        return case["grader"] | {"source": case["grader"]["source"] + "# " + "x" * case["pad_grader"]}
    return case.get("grader")


def checked(case, write):
    path, validation = write(case)
    return check(path, case["method"], validation=validation, rules=rules_of(case), grader=grader_of(case))


def told(findings):
    return [(f.severity, f.code, f.file, f.rows or f.row, f.message_index, f.message) for f in findings]


@pytest.mark.parametrize("case", BAD, ids=name)
def test_a_bad_file_gets_its_findings_and_no_others(case, write):
    expected = case["expect"]
    try:
        report = checked(case, write)
    except DataError:
        assert "unreadable" in (*expected, *case.get("any", ()))
        return
    if "any" in case:
        assert {finding.code for finding in report.findings} & set(case["any"]), told(report.findings)
        return
    left = list(report.findings)
    for note in map(noted, expected):
        match = next((finding for finding in left if fits(note, finding)), None)
        assert match is not None, f"{note} is not among {told(report.findings)}"
        left.remove(match)
    if not case.get("some"):
        assert told(finding for finding in left if finding.severity != "info") == []
    assert report.ok == (not any(finding.severity == "error" for finding in report.findings))


@pytest.mark.parametrize("case", GOOD, ids=name)
def test_nothing_is_found_in_a_good_file(case, write):
    report = checked(case, write)
    allowed = case.get("allow", ())
    assert told(f for f in report.findings if f.severity != "info" and f.code not in allowed) == []
    assert report.ok
    assert report.rows > 0


@pytest.mark.parametrize("case", [*BAD[::9], *GOOD[::9]], ids=name)
def test_the_command_says_the_same(case, write, capsys, monkeypatch):
    from anytune.cli import invoke

    if case["method"] is None or {"target", "rules", "grader"} & set(case):
        pytest.skip("the command has no words for it")
    path, validation = write(case)
    more = [] if validation is None else ["--validation", str(validation)]
    try:
        report = check(path, case["method"], validation=validation)
    except DataError:
        assert invoke(["data", "check", str(path), "--method", case["method"], *more, "--json"]) == 2
        return
    capsys.readouterr()
    code = invoke(["data", "check", str(path), "--method", case["method"], *more, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == (0 if report.ok else 1)
    assert {"rows", "ok", "findings", "tokens", "sha256"} <= document.keys()
    assert document["findings"] == json.loads(report.model_dump_json())["findings"]


def test_the_corpus_is_as_large_as_was_asked():
    assert len(BAD) >= 150
    assert len(GOOD) >= 60


def test_every_case_has_a_name_of_its_own():
    assert [one for one, count in Counter(name(case) for case in [*BAD, *GOOD]).items() if count > 1] == []


def test_every_published_rule_has_a_case():
    rules = yaml.safe_load((HERE / "rules.yaml").read_text(encoding="utf-8"))
    shown = {rule for case in [*BAD, *GOOD] for rule in ruled(case)}
    assert sorted(shown - rules.keys()) == []
    assert sorted(rule for rule, about in rules.items() if "unchecked" not in about and rule not in shown) == []


def test_every_bad_case_names_the_rule_it_breaks():
    assert [name(case) for case in BAD if not ruled(case)] == []


def test_every_expected_code_is_one_of_ours():
    codes = {noted(text)[1] for case in BAD for text in case["expect"] if text != "unreadable"}
    assert sorted(codes - CODES.keys()) == []
