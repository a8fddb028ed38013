"""`python -m tests.faults`: all figures of fault tests as one Markdown table. `FULL=1` tries everything; `SEED` repeats a run.

It ends with 1 where a guarantee was broken.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

from tests.faults.registry import MODULES, Figure


def main() -> int:
    """Print the table row by row."""
    full = os.environ.get("FULL", "") not in {"", "0"}
    began, sound = time.monotonic(), True
    print("| fault | reached | seed | seconds |\n|---|---|---:|---:|", flush=True)
    for name in MODULES:
        try:
            for figure in importlib.import_module(name).figures(full):
                sound &= figure.sound
                _print(figure)
        except Exception as error:  # noqa: BLE001 - the other rooms' rows are printed all the same
            sound = False
            _print(Figure(name, f"**broken**: {error}".replace("\n", " ").replace("|", "/"), time.monotonic() - began))
    _print(Figure("all", "sound" if sound else "**broken**", time.monotonic() - began))
    return 0 if sound else 1


def _print(figure: Figure) -> None:
    mark = "" if figure.sound else "**broken**: "
    print(f"| {figure.what} | {mark}{figure.reached} | {'' if figure.seed is None else figure.seed} | {figure.seconds:.0f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
