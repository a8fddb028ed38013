"""A training child without a model: it counts steps, as told by its arguments."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from anytune.local.child import Reporter


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--step-s", type=float, default=0.02)
    parser.add_argument("--checkpoints", action="store_true")
    parser.add_argument("--order", type=Path, help="a file that gets this task's name")
    parser.add_argument("--die-at", type=int, help="kill itself there, in every start")
    parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM and requests to pause")
    parser.add_argument("--grandchild", action="store_true", help="have a stubborn child of its own")
    parser.add_argument("--daemon", action="store_true", help="have a stubborn descendant in a session of its own, whose parent has ended")
    parser.add_argument("--fill", type=Path, help="a file that grows until the disk is full")
    parser.add_argument("--fail", help="end with this reason")
    parser.add_argument("--no-result", action="store_true", help="exit 0 without a word")
    words = parser.parse_args()
    reporter = Reporter()
    if words.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if words.grandchild and os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if words.daemon:
        daemonise()
    if words.order:
        with words.order.open("a") as file:
            file.write(os.environ["ANYTUNE_REF"] + "\n")
    if words.fill:
        fill(reporter, words.fill)
    else:
        train(reporter, words)


def train(reporter: Reporter, words: argparse.Namespace) -> None:
    last = reporter.last_checkpoint()
    first = int(last.name.partition("-")[2]) if last else 0
    print(f"from step {first}")
    for step in range(first + 1, words.steps + 1):
        time.sleep(words.step_s)
        reporter.metric(step, {"loss": 1 / step})
        reporter.progress(step=step, total_steps=words.steps, tokens_per_second=10.0, eta_s=words.steps - step)
        if words.checkpoints:
            save(reporter, step)
        if step == words.die_at:
            print("dying now")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if reporter.pause_requested() and not words.stubborn:
            save(reporter, step)
            reporter.paused(step)
            return
    if words.fail:
        print("a last line")
        reporter.fail(words.fail)
    elif words.no_result:
        print("good bye")
    else:
        reporter.finish({"steps": words.steps})


def daemonise() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    os.wait()


def fill(reporter: Reporter, path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        reporter.fail(f"{type(error).__name__}: {error}")


def save(reporter: Reporter, step: int) -> None:
    folder = Path.cwd() / f"checkpoint-{step}"
    folder.mkdir(exist_ok=True)
    reporter.checkpoint(step, folder)


main()
