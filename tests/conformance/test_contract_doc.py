"""docs/reference/backend-contract.md and the suite say the same."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import get_args

import pytest

from anytune.backend import CONTRACT_VERSION, Ability, Backend, Capabilities
from anytune.testing import BackendConformance
from anytune.testing.scenarios.needs import needed

DOC = Path(__file__).parents[2] / "docs" / "reference" / "backend-contract.md"
TITLE = re.compile(r"(?P<number>B\d\d): (?P<title>.+)\.$")


def scenarios():
    """Every scenario of the suite by number: its test, and the row that the doc must have."""
    found = {}
    for name in dir(BackendConformance):
        if name.startswith("test_"):
            test = getattr(BackendConformance, name)
            first, _, rest = inspect.getdoc(test).partition("\n")
            number, title = TITLE.match(first).groups()
            needs = ", ".join(f"`{ability}`" for ability in needed(test)) or "always"
            found[number] = (name, f"| {number} | {title} | {' '.join(rest.split())} | {needs} |")
    return dict(sorted(found.items()))


def groups():
    """The headings of the groups, as their modules say."""
    modules = {sys.modules[base.__module__] for base in BackendConformance.__bases__}
    return sorted(module.__doc__.rstrip(".") for module in modules)


def test_the_doc_has_exactly_the_rows_of_the_suite():
    written = [line for line in DOC.read_text(encoding="utf-8").splitlines() if re.match(r"\| B\d\d ", line)]
    assert written == [row for _, row in scenarios().values()]


def test_the_doc_has_the_groups_of_the_suite():
    written = [line.removeprefix("### ") for line in DOC.read_text(encoding="utf-8").splitlines() if line.startswith("### B")]
    assert written == groups()


@pytest.mark.parametrize(("number", "name"), [(number, name) for number, (name, _) in scenarios().items()])
def test_each_test_carries_its_number(number, name):
    assert name.startswith(f"test_{number.lower()}_")


def test_the_doc_names_the_version_and_every_capability_verb_and_ability():
    text = DOC.read_text(encoding="utf-8")
    assert f"version {CONTRACT_VERSION}" in text
    verbs = [name for name, member in vars(Backend).items() if callable(member) and not name.startswith("_")]
    words = [*Capabilities.model_fields, *verbs, *get_args(Ability)]
    assert [word for word in words if f"`{word}" not in text] == []
