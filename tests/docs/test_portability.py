"""What moves between backends: the page is made from their capabilities (`python -m anytune.portability docs/reference/portability.md`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anytune.portability import places
from anytune.portability.page import renewed

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "portability.md"


def columns(page):
    """The places that the page was made for."""
    return re.search(r"^\| method \| (.+) \|$", page, re.MULTILINE)[1].split(" | ")


def test_the_page_is_made_from_the_capabilities_of_the_backends():
    page, found = PAGE.read_text(encoding="utf-8"), places()
    absent = sorted(set(columns(page)) - {place.word for place in found})
    if absent:
        pytest.skip(f"Not installed here: {', '.join(absent)}.")
    assert page == renewed(page, found), "run: python -m anytune.portability docs/reference/portability.md"
