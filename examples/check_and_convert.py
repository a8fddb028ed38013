"""From a messy sheet to files that two hosts would take, with a price: `python examples/check_and_convert.py [FOLDER]`.

Offline, without an account, in seconds: check, mend, split, convert, quote. Nothing is sent anywhere.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.data import check, formats
from anytune.data.split import split
from anytune.preflight import check_data

if TYPE_CHECKING:
    from collections.abc import Collection

    from anytune.data import Report

MODEL = "gpt-4.1-mini-2025-04-14"
SHOWN = 4
SHEET = [
    ("question", "answer", "agent"),
    *((f"Where is parcel {n}?", f"Parcel {n} left our house on day {n % 7 + 1}.", f"agent {n % 12}") for n in range(60)),
    ("Where is parcel 7?", "Parcel 7 left our house on day 1.", "agent 7"),  # a second time
    ("Can I return it?", "", "agent 1"),  # nobody answered
    ("Who are you?", "Write to anna.schmidt@firma-schmidt.de, she knows.", "agent 2"),  # somebody's address
]


def messy(path: Path) -> Path:
    """Write the sheet as support might have exported it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(SHEET)
    return path


def without(path: Path, target: Path, *, columns: Collection[str] = (), rows: Collection[int | None] = ()) -> Path:
    """Write a sheet again, without some of its columns and rows."""
    with path.open(newline="", encoding="utf-8") as file:
        kept = [row for number, row in enumerate(csv.DictReader(file), start=1) if number not in rows]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [name for name in kept[0] if name not in columns], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
    return target


def told(name: str, report: Report) -> None:
    """Print what a check found."""
    print(f"\n{name}: {report.rows} rows, {'ok' if report.ok else 'not ok'}")
    for code in dict.fromkeys(finding.code for finding in report.findings):
        alike = [finding for finding in report.findings if finding.code == code]
        rows = ", ".join(str(finding.row) for finding in alike[:SHOWN] if finding.row is not None)
        print(f"  {alike[0].severity} {code}{f' (row {rows})' if rows else ''}: {alike[0].message} {alike[0].fix}")


def main(folder: str = "parcels") -> None:
    """Tell the story."""
    desk = Path(folder)
    desk.mkdir(parents=True, exist_ok=True)

    sheet = messy(desk / "support.csv")
    told("as it came", check(sheet, "sft"))  # the column `agent` hides what the other two are

    bare = without(sheet, desk / "bare.csv", columns={"agent"})
    report = check(bare, "sft")
    told("without the column", report)

    bad = {finding.row for finding in report.findings if finding.code in {"empty-answer", "personal-data"}}
    good = without(bare, desk / "good.csv", rows=bad)
    parts = split(good, desk / "split", validation=10, force=True)  # leaves out what comes twice
    print(f"\nsplit: {', '.join(f'{part.rows} {name}' for name, part in parts.parts.items())}; {parts.left_out} left out")

    for backend in ("openai", "azure"):
        files = [desk / f"{backend}-{name}.jsonl" for name in parts.parts]
        for name, file in zip(parts.parts, files, strict=True):
            formats.convert(desk / "split" / f"{name}.jsonl", file, to=backend, method="sft")
        train, validation = files
        report = check_data(train, "sft", backend=backend, model=MODEL, validation=validation)
        told(f"{train.name}, {validation.name}", report)
        if report.quote is not None:
            price = "no price is known" if report.quote.cost_usd is None else f"${report.quote.cost_usd:.4f}"
            print(f"  quote: {report.quote.tokens} tokens in {report.quote.epochs} epochs, {price}; {report.quote.basis}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
