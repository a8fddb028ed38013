"""Engines and models for tests: a backend whose hosts are real servers in this process, and tuned models without a training run."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from anytune.runtime import Runtime
from anytune.testing import MemoryBackend
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anytune.backend import DeployOrder
    from anytune.testing.engine import Engine


class Counting(MemoryBackend):
    """The memory backend with local capabilities, which counts hosts; each answers after `start_polls` looks."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.orders: list[DeployOrder] = []

    @property
    def hosts(self) -> dict[str, Engine]:
        return self.store.engines

    def deploy(self, order: DeployOrder) -> Any:
        self.orders.append(order)
        return super().deploy(order)


@pytest.fixture
def backend() -> Iterator[Counting]:
    made = Counting()
    yield made
    for engine in list(made.store.engines.values()):
        engine.close()


@pytest.fixture
def context(state: Any, backend: Counting) -> Runtime:
    return Runtime(backends={"memory": backend})


@pytest.fixture
def tuned() -> Callable[..., str]:
    """Put a tuned model into a server's book: `tuned(served, "anna")` gives its name."""

    def make(served: Any, owner: str, *, base: str = "base", ref: ModelRef | None = None, backend: str = "memory") -> str:
        jobs = served.house.book.jobs
        code = secrets.token_hex(4)
        row, _ = jobs.add(owner, {"model": base, "training_file": code}, base, {"backend": backend, "model": base})
        name = f"ft:{base}:anytune::{code}"
        jobs.change(
            row.id,
            stage="ended",
            status="succeeded",
            fine_tuned_model=name,
            model_ref=ref or ModelRef(id=f"weights-{code}", base_model=base),
        )
        return name

    return make
