"""`python -m anytune.watch`: the watch over one backend account, as a process. `anytune.posting` starts it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from anytune.errors import AnytuneError
from anytune.local import detached
from anytune.posting import scope
from anytune.runtime import runtime
from anytune.watch.loop import Watch


def main() -> int:
    """Watch until nothing is left; 0 also where another one watches already."""
    words = _parser().parse_args()
    os.umask(0o077)
    ready = detached.detach() if words.detach else None
    context = runtime()
    try:
        lock = scope(words.backend, words.account, context)
        detached.log_to(lock.with_suffix(".log"), "anytune")
        told = threading.Event()
        watch = Watch(context, words.backend, words.account, lock=lock, pause=told.wait)
        watch.check()
    except AnytuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1

    def leave(*_: object) -> None:
        watch.leave()
        told.set()

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # who logs out leaves hosts behind
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    entered = watch.enter()
    if ready is not None:
        os.write(ready, b"1")
        os.close(ready)
    if entered:
        watch.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m anytune.watch", description="Ends hosts of one backend account at their time, and holds budgets."
    )
    parser.add_argument("--detach", action="store_true", help="run in the background; return once it runs")
    parser.add_argument("--backend", required=True, help="what names the backend: an installed one, or a profile")
    parser.add_argument("--account", required=True, help="whose hosts they are")
    return parser


if __name__ == "__main__":
    sys.exit(main())
