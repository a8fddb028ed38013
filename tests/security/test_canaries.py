"""No key and no row's text ends up where it does not belong (rows 32 and 33 of the list of faults and attacks)."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING

import pytest

from anytune import FineTuneJob
from anytune.errors import AnytuneError
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Fault, Faults, Life, MemoryBackend

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.values import Event

KEY = "sk-proj-canaryKEY0123456789abcdef"
PROMPT = "canary-prompt-7f3a"
SECRETS = (KEY, PROMPT)


def lived(folder: Path, backend: MemoryBackend) -> list[str]:
    """Live through create, wait, deploy and chat, and give the text of every error on the way."""
    train = folder / "train.jsonl"
    row = {"messages": [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "b"}]}
    train.write_text(json.dumps(row) + "\n", encoding="utf-8")
    context = Runtime(ledger_url=f"sqlite:///{folder}/ledger.db", retry=Retry(sleep=lambda _: None), sleep=lambda _: None)
    said: list[str] = []
    heard: list[Event] = []
    for attempt in range(3):
        try:
            job = FineTuneJob.create(backend=backend, model="base", train=train, name="canary", new_attempt=attempt > 0, context=context)
            tuned = job.wait(on_event=heard.append)
            with tuned.deploy(ttl_s=60) as endpoint:
                endpoint.chat("hello")
                said.append(repr(endpoint))
            said += [repr(job), repr(tuned), job.snapshot.model_dump_json(), job.row.model_dump_json(), repr(backend)]
        except AnytuneError as error:
            said += [str(error), repr(error), str(error.raw), "".join(traceback.format_exception(error)), str(pickle.dumps(error))]
    context.ledger.close()
    return said + [event.model_dump_json() for event in heard]


@pytest.mark.parametrize(
    "backend",
    [
        MemoryBackend(api_key=KEY),
        MemoryBackend(api_key=KEY, faults=Faults(calls=(Fault(kind="auth", times=2),))),
        MemoryBackend(api_key=KEY, faults=Faults(calls=(Fault(kind="vendor_error", on="poll", times=9),))),
        MemoryBackend(api_key=KEY, life=Life.of(steps=2, end="failed", error=f"bad key {KEY}")),
        MemoryBackend(api_key=KEY, faults=Faults(deploy_error=f"bad key {KEY}")),
    ],
    ids=["well", "key echoed", "vendor error", "failed", "deploy failed"],
)
def test_nothing_secret_reaches_a_sink(
    tmp_path: Path, backend: MemoryBackend, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = lived(tmp_path, backend)
    out, err = capsys.readouterr()
    anytunes = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("anytune"))
    ledger = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*")).decode("latin-1")
    assert said
    for secret in SECRETS:
        for sink, text in (("errors and values", "\n".join(said)), ("stdout", out), ("stderr", err), ("log", anytunes), ("ledger", ledger)):
            assert secret not in text, f"{secret} in {sink}"


def test_the_sweep_would_see_a_leak(tmp_path: Path) -> None:
    backend = MemoryBackend(api_key=KEY, faults=Faults(calls=(Fault(kind="auth"),)))
    assert any("redacted" in text for text in lived(tmp_path, backend))
