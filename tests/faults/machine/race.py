"""A program that forks many processes, lets all go at the same moment, and prints what each of them got; run by test_racers.py.

They are forked from one that has everything loaded, so that they really race, and do not stand in a queue for the processor.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from anytune import SFT, FineTuneJob
from anytune.errors import AnytuneError
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend

SETTINGS = json.loads(sys.argv[1])


def backend():
    return MemoryBackend(
        state_file=SETTINGS["state"], life=SETTINGS.get("life"), faults=SETTINGS.get("faults"), served=SETTINGS.get("served", False)
    )


def context():
    made = Runtime(retry=Retry())
    made.backend(backend())
    return made


def create(number, new_attempt=False):
    job = FineTuneJob.create(
        backend=backend(),
        model="base",
        train=Path(SETTINGS["train"]),
        name=SETTINGS["name"],
        method=SFT(learning_rate=1e-4),
        new_attempt=new_attempt,
        context=context(),
    )
    return {"id": job.id, "remote_id": job.remote_id, "attempt": job.attempt, "status": job.status.value}


def attempt(number):
    return create(number, new_attempt=True)


def attach(number):
    job = FineTuneJob.attach(backend(), SETTINGS["remote_id"], name=f"named-by-{number % 3}", context=context())
    return {"id": job.id, "remote_id": job.remote_id}


def cancel(number):
    job = FineTuneJob.get(SETTINGS["name"], context=context()).cancel()
    return {"id": job.id, "status": job.status.value}


def create_or_cancel(number):
    return create(number) if number % 2 else cancel(number)


def run(number, go, answers):
    """Wait for the start, do the deed, and write one line."""
    os.read(go, 1)
    try:
        got = globals()[SETTINGS["deed"]](number)
    except AnytuneError as error:
        got = {"error": type(error).__name__, "message": str(error)}
    except BaseException:  # noqa: BLE001 - whatever it is, the test shall see it
        got = {"error": "defect", "message": traceback.format_exc()}
    os.write(answers, json.dumps(got).encode()[:3500] + b"\n")


def main():
    warmed = context()
    warmed.retry.read(lambda: None)  # what is loaded late is loaded now
    FineTuneJob.preflight(backend=backend(), model="base", train=Path(SETTINGS["train"]), name="warm", context=warmed)
    warmed.ledger.close()
    go, start = os.pipe()
    told, answers = os.pipe()
    children = []
    for number in range(SETTINGS["count"]):
        child = os.fork()
        if child == 0:
            os.close(start)
            try:
                run(number, go, answers)
            finally:
                os._exit(0)
        children.append(child)
    os.close(go)
    os.close(answers)
    os.close(start)
    with os.fdopen(told) as lines:
        print(json.dumps([json.loads(line) for line in lines]))
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
