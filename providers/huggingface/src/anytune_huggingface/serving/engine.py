"""A model served, and adapters of it, each under its name.

`python -m anytune_huggingface.serving.engine FOLDER PORT PAGES NAME [NAME ADAPTER]…`

It makes sure that the folders are there and safe, loads them, and answers on loopback as `transformers serve` does, on the CPU and in the
type that parity was recorded in, until the process is ended. PAGES is the key-value cache of each name, in pages of 256 tokens; 0 batches
nothing. It is given outright: by default transformers takes 14 GB for its cache, and a small share of the memory fails on
smaller machines (5.23, seen 2026-11-22).
"""

from __future__ import annotations

import sys
from pathlib import Path

from anytune_huggingface.models import folders, starter

__all__ = ["main"]


def main(given: list[str]) -> None:
    """Convert the starter where that was not done yet, verify the folder, load it, and serve it until the process is ended."""
    folder, port, pages, name, *crew = given
    place = Path(folder)
    place = folders.resolve(starter.NAME if place == starter.folder() else folder)
    import uvicorn  # noqa: PLC0415 - with the rest: only a safe folder is served

    from anytune_huggingface.serving import shared  # noqa: PLC0415 - takes seconds to load

    named = {word: Path(path) for word, path in zip(crew[::2], crew[1::2], strict=True)}
    found = shared.held(place, name, named) if named else {name: shared.alone(place)}
    uvicorn.run(shared.application(found, int(pages)), host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
