"""`python -m anytune_trl.engine FOLDER PORT [PAGES]`: makes sure that the model is there and safe, then runs `transformers serve` on it.

With PAGES it batches continuously, with a key-value cache of so many pages of 256 tokens. The sizes are given outright: by default
transformers takes 14 GB for its cache, and a small share of the memory fails on smaller machines (5.23, seen 2026-11-22).
"""

from __future__ import annotations

import sys
from pathlib import Path

from anytune_trl import models, starter

__all__ = ["arguments", "main"]

_BATCH_TOKENS = 512


def arguments(folder: Path, port: str, pages: int | None) -> list[str]:
    """Give the arguments of `transformers serve`: loopback only, on the CPU, in the type that parity was recorded in."""
    given = ["serve", str(folder), "--host", "127.0.0.1", "--port", port, "--device", "cpu", "--dtype", "float32"]
    if pages is not None:
        given += ["--continuous-batching", "--cb-max-batch-tokens", str(_BATCH_TOKENS), "--cb-num-blocks", str(pages)]
    return given


def main(given: list[str]) -> None:
    """Convert the starter where that was not done yet, verify the folder, and serve it until the process is ended."""
    folder = Path(given[0])
    folder = models.resolve(starter.NAME if folder == starter.folder() else str(folder))
    from transformers.cli.transformers import main as command_line  # noqa: PLC0415 - takes seconds to load, and only a safe folder is served

    sys.argv = ["transformers", *arguments(folder, given[1], int(given[2]) if len(given) > 2 else None)]  # noqa: PLR2004 - FOLDER PORT PAGES
    command_line()


if __name__ == "__main__":
    main(sys.argv[1:])
