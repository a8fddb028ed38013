"""docs/reference/findings.md is made from the table of codes: `python tests/docs/test_findings.py` renews it."""

from __future__ import annotations

import re
from pathlib import Path

from anytune.codes import CODES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "findings.md"
MARKED = re.compile(r"(<!-- codes: [^>]*-->\n).*?(<!-- end of codes -->)", re.DOTALL)
ROOMS = {
    "file": "The file",
    "row": "One row",
    "tools": "Tools and their calls",
    "images": "Images",
    "content": "What texts hold",
    "rows": "Several rows",
    "size": "Counts and lengths",
    "model": "An open model",
    "host": "The target",
    "run": "The run",
}


def tables():
    """Write a table for each room, in the order of the rooms; codes keep theirs."""
    for room, title in ROOMS.items():
        yield f"\n## {title}\n\n| code | severity | what it says |\n|---|---|---|\n"
        yield from (f"| `{code}` | {about.severity} | {about.about} |\n" for code, about in CODES.items() if about.room == room)
    yield "\n"


def renewed(page):
    return MARKED.sub(lambda found: found[1] + "".join(tables()) + found[2], page)


def test_the_page_is_made_from_the_codes():
    text = PAGE.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert text == renewed(text), "run: python tests/docs/test_findings.py"


def test_every_room_is_on_the_page():
    assert {about.room for about in CODES.values()} == set(ROOMS)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
