"""What a user's script does: it makes a job, waits for it, hosts the model, and takes the host down. A rerun is the same script again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune import FineTuneJob
from anytune.deploy import Deployment
from anytune.errors import JobFailed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.worlds import World

    from anytune.backend import Backend
    from anytune.runtime import Runtime

LOOKS = 200
"""More looks than any life here needs."""


def created(world: World, context: Runtime, backend: Backend, train: Path, *, name: str = "recipes") -> FineTuneJob:
    """Make the job, or get the one that there is."""
    return FineTuneJob.create(backend=backend, model=world.model, train=train, name=name, context=context)


def whole(world: World, context: Runtime, backend: Backend, train: Path) -> None:
    """Create, wait, host, stop."""
    job = created(world, context, backend, train)
    tuned = job.wait(poll_s=0.0)
    host = Deployment.start(tuned, ttl_s=600.0, context=context)
    host.wait()
    host.stop()


def cancelled(world: World, context: Runtime, backend: Backend, train: Path) -> None:
    """Create, look, cancel, look until it has ended."""
    try:
        job = created(world, context, backend, train)
    except JobFailed:  # it is cancelled already
        return
    job.refresh()
    job.cancel()
    _until_ended(job)


def queued(world: World, context: Runtime, backend: Backend, train: Path) -> None:
    """Make two jobs where one may be live: the second waits in the ledger until the first has ended."""
    backend.max_concurrent = 1
    first, second = (created(world, context, backend, train, name=name) for name in ("first", "second"))
    first.wait(poll_s=0.0)
    second.wait(poll_s=0.0)


def tidied(context: Runtime) -> None:
    """Take down what an earlier run left: `anytune deployments stop`, and a last look at every job."""
    for host in Deployment.list(context=context):
        host.stop()
    for job in FineTuneJob.list(context=context):
        if not job.status.terminal:
            _until_ended(job)


def _until_ended(job: FineTuneJob) -> None:
    for _ in range(LOOKS):
        job.refresh()
        if job.status.terminal:
            return
        job._context.sleep(0.02)
    raise AssertionError(f"job {job.id} has not ended after {LOOKS} looks: {job.status}")
