"""A user's program, which is only type-checked (`make type`): what editors and mypy make of the public names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import assert_type

import openai

import anytune
from anytune import (
    DPO,
    RFT,
    SFT,
    AnytuneError,
    Backend,
    Budget,
    Capabilities,
    Checkpoint,
    Deployment,
    Endpoint,
    Event,
    Finding,
    FineTuneJob,
    LoRA,
    Metric,
    Preflight,
    QLoRA,
    Quote,
    Reply,
    Snapshot,
    Status,
    TrainingSpec,
    TunedModel,
)
from anytune.errors import DataError, JobFailed, RateLimited
from anytune.testing import BackendConformance, MemoryBackend


def train() -> TunedModel:
    job = FineTuneJob.create(
        backend="trl",
        model={"trl": "starter", "openai": "gpt-4.1-mini-2025-04-14"},
        train="train.jsonl",
        validation=Path("valid.jsonl"),
        method=SFT(num_train_epochs=2),
        adapter=LoRA(r=16),
        name="recipes",
        budget=Budget(max_usd=5),
    )
    assert_type(job.id, str)
    assert_type(job.status, Status)
    assert_type(job.snapshot, Snapshot)
    assert_type(job.refresh(), Snapshot)
    assert_type(job.events(), Sequence[Event])
    assert_type(job.metrics(), Sequence[Metric])
    assert_type(job.checkpoints(), Sequence[Checkpoint])
    job.pause().resume().cancel()
    return job.wait(on_event=lambda event: print(event.message), timeout_s=60)


def reinforce(grader: dict[str, str]) -> FineTuneJob:
    method = RFT(grader=grader, batch_size="auto", eval_samples=2, reasoning_effort="low")
    return FineTuneJob.create(backend="openai", model="o4-mini-2025-04-16", train="train.jsonl", validation="valid.jsonl", method=method)


def check(spec: TrainingSpec) -> Quote:
    found = FineTuneJob.preflight(spec, strict=True)
    assert_type(found, Preflight)
    assert_type(found.findings, tuple[Finding, ...])
    return found.quote


def find() -> Sequence[FineTuneJob]:
    assert_type(FineTuneJob.get("recipes"), FineTuneJob)
    assert_type(FineTuneJob.attach("openai", "ftjob-1"), FineTuneJob)
    return FineTuneJob.list(status=Status.RUNNING, limit=3)


def host(tuned: TunedModel) -> str:
    with tuned.deploy(ttl_s=600) as endpoint:
        assert_type(endpoint, Endpoint)
        reply = endpoint.chat("2 cups chopped fresh basil", max_tokens=40)
        assert_type(reply, Reply)
        assert_type(endpoint.stream([{"role": "user", "content": "hi"}]), Iterator[str])
        assert_type(endpoint.openai(), openai.OpenAI)
        answers = endpoint.chat_many(["a", "b"], concurrency=2, out="answers.jsonl")
        text = answers[0].text
        return reply if text is None else text


def go_on(path: Path) -> FineTuneJob:
    tuned = TunedModel.from_path(path)
    deployment = tuned.deploy()
    assert_type(deployment, Deployment)
    assert_type(deployment.cost_usd, float | None)
    deployment.stop()
    return FineTuneJob.create(backend="trl", model=tuned, train="more.jsonl", method=DPO(beta=0.1), adapter=QLoRA(r=8), new_attempt=True)


def recover(spec: TrainingSpec) -> float | None:
    try:
        FineTuneJob.create(spec)
    except DataError as error:
        print([finding.row for finding in error.findings], error.fix)
    except RateLimited as error:
        return error.retry_after
    except JobFailed as error:
        print(error.snapshot.error if error.snapshot else "")
    except AnytuneError as error:
        print(error.backend, error.job_id)
    return None


def abilities(backend: Backend) -> Capabilities:
    assert_type(anytune.__version__, str)
    return backend.capabilities


class TestMine(BackendConformance):
    """A plugin author's whole test file, but for its fixture."""


def scripted() -> Backend:
    return MemoryBackend()
