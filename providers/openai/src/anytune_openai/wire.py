"""The protocol itself: every verb of a job, over one client. Subclasses say to whom, in which words, and how a model is hosted.

Each verb makes the calls that it needs once. Nothing is tried again here: core's retry layer does that, and never for a create.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from anytune.backend import Backend
from anytune.errors import FineTuningUnavailable, MalformedReply
from anytune.values import now
from anytune_openai import files, find, pages, reading, results
from anytune_openai.client import LONG_TIMEOUT_S, open_client, seconds
from anytune_openai.errors import translate
from anytune_openai.orders import parameters
from anytune_openai.replies import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from openai import OpenAI

    from anytune.backend import Found, Order, RemoteFile, RemoteJob
    from anytune.errors import AnytuneError
    from anytune.values import Checkpoint, Event, LocalFile, Metric, ModelRef, Recipe, Snapshot, Status
    from anytune_openai.client import Connection
    from anytune_openai.dialect import Dialect

__all__ = ["WireBackend"]

_SETTLE_S = 120.0
"""Added to a call's timeout: a request that the client gave up may still take effect, and then be listed late (not documented; a guess
on the safe side)."""

_REFUSED = frozenset({400, 409})
"""How hosts answer a cancel, pause or resume that has nothing to do."""


class WireBackend(Backend):
    """Trains at a host that speaks OpenAI's fine-tuning protocol.

    Args:
        connection: To whom, with which key.
        dialect: In which words.
        settle_s: Seconds that a listing may lag behind a create; None: the connection's timeout and 120.
        integrations: What trackers need to know, by their names.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        *,
        settle_s: float | None = None,
        integrations: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Keep what was said; nothing is opened before the first call."""
        self.connection = connection
        self.dialect = dialect
        self.settle_s = connection.timeout_s + _SETTLE_S if settle_s is None else seconds("settle_s", settle_s, backend=self.name)
        self.integrations = dict(integrations or {})
        self._client: OpenAI | None = None
        self._lock = threading.Lock()
        self._sent: dict[str, Any] = {}
        self._read: dict[str, tuple[dict[str, Any], Snapshot]] = {}
        """What the last look at many saw: a record that is the same is not read anew."""

    @property
    def client(self) -> OpenAI:
        """The one client, opened when it is first needed; its own retries are off."""
        with self._lock:
            if self._client is None:
                self._client = open_client(self.connection)
            return self._client

    @property
    def account(self) -> str:
        """Host, organisation and project."""
        return self.connection.account

    def extras(self, order: Order) -> dict[str, Any]:  # noqa: ARG002 - a hook
        """Give further fields of the create request, which the protocol itself does not have."""
        return {}

    def submit(self, order: Order) -> RemoteJob:
        """Send the one create call."""
        wanted = parameters(order, self.dialect, settings=self.integrations, extras=self.extras(order))
        try:
            made = record(self._jobs.create(**wanted))
        except Exception as error:
            ours = self._refusal(error, order)
            if ours is None or ours is error:
                raise
            raise ours.at(backend=self.name) from error
        return reading.job(_with_id(made), self.dialect, ref=order.ref)

    def find(self, order: Order) -> Found:
        """Look for the jobs that carry the order's ref."""
        return find.find(self.client, order, self.dialect)

    def list_jobs(self, limit: int = pages.PAGE) -> list[RemoteJob]:
        """Give the account's jobs, newest first, whoever made them."""
        from openai import omit  # noqa: PLC0415 - loaded with the client

        size = min(limit, pages.PAGE)
        seen = pages.listing(lambda after: record(self._jobs.list(after=after or omit, limit=size)), most=limit)
        return [reading.job(one, self.dialect) for one in seen.items]

    def poll(self, job_id: str) -> Snapshot:
        """Look at a job once."""
        return self._snapshot(self._job(job_id))

    def poll_many(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Look at many jobs in the account's listing: a page holds the whole records of a hundred."""
        from openai import omit  # noqa: PLC0415 - loaded with the client

        found = pages.picked(lambda after: record(self._jobs.list(after=after or omit, limit=pages.PAGE)), job_ids)
        before, self._read = self._read, {}
        for job_id, one in found.items():
            known = before.get(job_id)
            same = known is not None and known[0] == one and not one.get("estimated_finish")  # which is told in seconds from now
            seen = known[1].model_copy(update={"observed_at": now()}) if known and same else self._snapshot(one)
            self._read[job_id] = one, seen
        return {job_id: seen for job_id, (_, seen) in self._read.items()}

    def cancel(self, job_id: str) -> None:
        """Ask for the end; a job that has ended stays as it is."""
        self._ask(self._jobs.cancel, job_id, lambda status: status.terminal)

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and a stop; a paused job stays so."""
        self._ask(self._jobs.pause, job_id, lambda status: status.value == "paused")

    def resume(self, job_id: str) -> None:
        """Go on; a job that runs goes on anyway."""
        self._ask(self._jobs.resume, job_id, lambda status: status.value in {"queued", "running"})

    def upload(self, file: LocalFile) -> RemoteFile:
        """Send a file, or the rest of one whose sending broke off."""
        return files.upload(self.client, file, state=self._sent, timeout_s=LONG_TIMEOUT_S)

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a file by its name, which carries the hash."""
        return files.find(self.client, sha256)

    def file_ready(self, file: RemoteFile) -> bool:
        """Look whether the host has taken a file in."""
        return files.ready(self.client, file, self.dialect)

    def recipe(self, job_id: str) -> Recipe:
        """Say what a job was made of."""
        return reading.recipe(self._job(job_id), self.dialect)

    def download(self, file_id: str, path: Path) -> RemoteFile:
        """Fetch a file, as it was sent."""
        return files.download(self.client, file_id, path, timeout_s=LONG_TIMEOUT_S)

    def events(self, job_id: str, after: str | None = None) -> list[Event]:
        """Give what the host said, oldest first."""
        told = self._events(job_id, None if after is None else lambda one: bool(one["id"] == after))
        ids = [one["id"] for one in told]
        new = told[ids.index(after) + 1 :] if after in ids else told
        return [reading.event(one) for one in new]

    def metrics(self, job_id: str, after: int | None = None) -> list[Metric]:
        """Give the numbers of each step, from the result file once there is one, else from the events."""
        job = self._job(job_id)
        running = not job.get("result_files")
        until = None if after is None else lambda one: _at_or_before(one, after)
        told = self._events(job_id, until if running else None)
        return [one for one in results.metrics(self.client, job, told) if after is None or one.step > after]

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the checkpoints that are kept, oldest first."""
        from openai import omit  # noqa: PLC0415 - loaded with the client

        points = self.client.fine_tuning.jobs.checkpoints.with_raw_response
        seen = pages.listing(lambda after: record(points.list(job_id, after=after or omit, limit=pages.PAGE)))
        found = [point for one in seen.items if (point := reading.checkpoint(one)) is not None]
        return sorted(found, key=lambda point: point.step)

    def delete_model(self, model: ModelRef) -> None:
        """Delete a tuned model, for good."""
        record(self.client.models.with_raw_response.delete(model.id))

    def translate(self, error: Exception) -> AnytuneError | None:
        """Turn what the client raises into ours."""
        return translate(error, self.dialect, catalogued=self.catalog)

    def close(self) -> None:
        """Give back connections, and cancel uploads that were begun and will not be gone on with."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            files.abandon(client, self._sent)
            client.close()

    def _snapshot(self, job: dict[str, Any]) -> Snapshot:
        return reading.snapshot(job, self.dialect, catalogued=self.catalog)

    @property
    def _jobs(self) -> Any:
        return self.client.fine_tuning.jobs.with_raw_response

    def _job(self, job_id: str) -> dict[str, Any]:
        return _with_id(record(self._jobs.retrieve(job_id)), job_id)

    def _events(self, job_id: str, until: Callable[[dict[str, Any]], bool] | None) -> list[dict[str, Any]]:
        from openai import omit  # noqa: PLC0415 - loaded with the client

        seen = pages.listing(lambda after: record(self._jobs.list_events(job_id, after=after or omit, limit=pages.PAGE)), until=until)
        told = seen.items[::-1]  # of two in one second the earlier one first
        return sorted(told, key=lambda one: one.get("created_at") or 0)

    def _ask(self, call: Callable[[str], Any], job_id: str, enough: Callable[[Status], bool]) -> None:
        """Make a call that may be made twice: a refusal is none where the job is already as it was wished."""
        from openai import APIStatusError  # noqa: PLC0415 - loaded with the client

        try:
            call(job_id)
        except APIStatusError as error:
            if error.status_code not in _REFUSED or not enough(self.poll(job_id).status):
                raise

    def _refusal(self, error: Exception, order: Order) -> AnytuneError | None:
        """Translate what a create raised; of a closed host it is said on which days it closes for this very model and method."""
        ours = self.translate(error)
        if isinstance(ours, FineTuningUnavailable):
            return translate(error, self.dialect, catalogued=self.catalog, run=(order.model, order.spec.method.type)) or ours
        return ours


def _with_id(job: dict[str, Any], wanted: str | None = None) -> dict[str, Any]:
    """Refuse a job without an id, or another one than was asked for: its end and its model would be taken for ours."""
    found = job.get("id")
    if isinstance(found, str) and found and wanted in {None, found}:
        return job
    what = f"Job {wanted} was asked for, and {found} came back." if wanted and found else "A job came back without an id."
    fix = "Check that the base URL is the provider's own; the same script looks for the job before it sends it again."
    raise MalformedReply(what, fix=fix, raw=job)


def _at_or_before(event: dict[str, Any], step: int) -> bool:
    data = event.get("data")
    at = data.get("step") if isinstance(data, dict) else None
    return isinstance(at, (int, float)) and at <= step
