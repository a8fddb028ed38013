"""Days on which hosts close: the tables are made from the catalogue (`python tests/docs/test_closing_days.py`), and no page names a day beside it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from anytune import catalog
from anytune.catalog import files

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "what-closes-when.md"
NAMES_DAYS = [
    PAGE,
    ROOT / "docs" / "explanation" / "what-it-costs.md",
    *(ROOT / "docs" / room / f"{host}.md" for room in ("tutorial", "how-to") for host in ("openai", "azure")),
    ROOT / "docs" / "how-to" / "move-off-openai.md",
    ROOT / "README.md",
]
MARKED = re.compile(r"(<!-- days of (\w+): [^>]*-->\n).*?(<!-- end of days -->)", re.DOTALL)
DAY = re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b(?!\.)")


def ends(host):
    """Give `(day, what ends)` for a host and each of its models."""
    name, own = f"all models of {host.name}", host.lifecycle
    cycles = [(name, own), *((f"`{model}`", entry.lifecycle) for model, entry in host.models.items())]
    for what, days in cycles:
        for row in days.restricted:
            yield row.since.value, f"new jobs only for {row.who}", what
        if days.training_closes is not None:
            when = "the earliest last day of new jobs" if days.training_closes.at_earliest else "the last day of new jobs"
            yield days.training_closes.value, when, what
        if days.answers_until is not None:
            yield days.answers_until.value, "tuned models stop answering", what


def table(word):
    """Write what ends at a host, day by day."""
    host = files.opened(word).host
    found = defaultdict(list)
    for day, what, model in ends(host):
        found[day, what].append(model)
    lines = ["", "| day | what happens | to |", "|---|---|---|"]
    lines += [f"| {day} | {what} | {', '.join(models)} |" for (day, what), models in sorted(found.items())]
    return "\n".join([*lines, "", ""])


def renewed(page):
    return MARKED.sub(lambda found: f"{found[1]}{table(found[2])}{found[3]}", page)


def known_days():
    """Give every day that the catalogue names, and those on which its sources were read."""
    folder = Path(catalog.__file__).parent
    return {day for file in folder.glob("*.yaml") for day in DAY.findall(file.read_text(encoding="utf-8"))}


def test_the_tables_are_made_from_the_catalogue():
    text = PAGE.read_text(encoding="utf-8")
    assert [found[2] for found in MARKED.finditer(text)] == ["openai", "azure"]
    assert text == renewed(text), "run: python tests/docs/test_closing_days.py"


@pytest.mark.parametrize("page", NAMES_DAYS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_day_that_the_catalogue_does_not_know(page):
    # Model ids, such as gpt-4.1-mini-2025-04-14, hold days too: the catalogue knows those as well.
    assert sorted(set(DAY.findall(page.read_text(encoding="utf-8"))) - known_days()) == []


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
