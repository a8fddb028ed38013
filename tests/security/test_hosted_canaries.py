"""No key and no row's text ends up where it does not belong, with the real clients between: rows 32 and 33 of the list of faults and attacks."""

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
from anytune.testing import AzureSimulator, OpenAISimulator, WireFault, WireFaults
from anytune_azure import AzureBackend
from anytune_openai import OpenAIBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anytune.backend import Backend

OPENAI_KEY = "sk-proj-canaryKEY0123456789abcdef"
AZURE_KEY = "c4naryAZUREkeyWithoutAnyShape0123456789ABCDEFabcdefJQQJ99BK"
ENTRA = "canaryEntraTokenWithoutAnyShape0123456789"
ARM = "canaryArmTokenWithoutAnyShape0123456789"
PROMPT = "canary-prompt-7f3a"
SECRETS = (OPENAI_KEY, AZURE_KEY, ENTRA, ARM, PROMPT)

TROUBLE = {
    "well": WireFaults(),
    "a refused key, echoed": WireFaults(calls=(WireFault(kind="refuse", name="bad_key", on="POST /fine_tuning/jobs"),)),
    "a refused key at the upload": WireFaults(calls=(WireFault(kind="refuse", name="bad_key", on="POST /files"),)),
    "a page instead of a job": WireFaults(calls=(WireFault(kind="html", on="GET /fine_tuning/jobs/{id}", times=9),)),
    "a lost reply": WireFaults(calls=(WireFault(kind="drop_reply"),)),
    "a server that breaks": WireFaults(calls=(WireFault(kind="error", on="GET /fine_tuning/jobs/{id}", times=9),)),
}


def row(number: int) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": f"{PROMPT} {number}"}, {"role": "assistant", "content": f"answer {number}"}]}


def lived(folder: Path, backend: Backend, model: str) -> list[str]:
    """Live through create, wait, deploy and chat, and give the text of every value and error on the way."""
    train = folder / "train.jsonl"
    train.write_text("".join(json.dumps(row(number)) + "\n" for number in range(12)), encoding="utf-8")
    quick = Retry(sleep=lambda _: None)
    context = Runtime(ledger_url=f"sqlite:///{folder}/ledger.db", retry=quick, sleep=lambda _: None)
    said = [repr(backend), backend.account, repr(vars(backend))]
    try:
        job = FineTuneJob.create(backend=backend, model=model, train=train, name="canary", context=context)
        tuned = job.wait(on_event=lambda event: said.append(event.model_dump_json()))
        with tuned.deploy(ttl_s=60) as endpoint:
            said.append(repr(endpoint) + repr(endpoint.address))
            endpoint.chat("hello")
        said += [repr(job), repr(tuned), job.snapshot.model_dump_json(), job.row.model_dump_json()]
    except AnytuneError as error:
        said += [str(error), repr(error), str(error.raw), "".join(traceback.format_exception(error)), str(pickle.dumps(error))]
    context.ledger.close()
    return said


@pytest.fixture(params=list(TROUBLE))
def trouble(request: pytest.FixtureRequest) -> WireFaults:
    return TROUBLE[request.param]


def openai(faults: WireFaults) -> Iterator[tuple[Backend, str]]:
    with OpenAISimulator(faults=faults, api_key=OPENAI_KEY) as host:
        yield OpenAIBackend(base_url=host.base_url, api_key=OPENAI_KEY, settle_s=0.0), "gpt-4.1-mini-2025-04-14"


def azure_by_key(faults: WireFaults) -> Iterator[tuple[Backend, str]]:
    with AzureSimulator(faults=faults, api_key=AZURE_KEY, entra_token=ARM) as host:
        yield azure(host, api_key=AZURE_KEY, arm_token=ARM), "gpt-4.1-mini-2025-04-14"


def azure_by_token(faults: WireFaults) -> Iterator[tuple[Backend, str]]:
    with AzureSimulator(faults=faults, api_key=AZURE_KEY, entra_token=ENTRA) as host:
        yield azure(host, token=ENTRA, arm_token=ENTRA), "gpt-4.1-mini-2025-04-14"


def azure(host: AzureSimulator, **keys: str) -> AzureBackend:
    return AzureBackend(
        endpoint=host.endpoint,
        arm_url=host.arm_url,
        subscription_id=host.subscription_id,
        resource_group=host.resource_group,
        account_name=host.resource,
        settle_s=0.0,
        **keys,
    )


@pytest.mark.parametrize("hosted", [openai, azure_by_key, azure_by_token])
def test_nothing_secret_reaches_a_sink(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hosted: Callable[[WireFaults], Iterator[tuple[Backend, str]]],
    trouble: WireFaults,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    caplog.set_level(logging.DEBUG)
    for backend, model in hosted(trouble):
        said = lived(tmp_path, backend, model)
        backend.close()
    out, err = capsys.readouterr()
    logged = "\n".join(record.getMessage() for record in caplog.records)
    ledger = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*")).decode("latin-1")
    sinks = {"errors and values": "\n".join(said), "stdout": out, "stderr": err, "log": logged, "ledger": ledger}
    leaks = [(secret, sink) for secret in SECRETS for sink, text in sinks.items() if secret in text]
    assert leaks == []


def test_the_sweep_would_see_a_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    for backend, model in openai(TROUBLE["a refused key, echoed"]):
        assert any("[redacted]" in text for text in lived(tmp_path, backend, model))
        backend.close()
