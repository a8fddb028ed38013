"""What the ledger gives: frozen rows without a database behind them. Importing this loads no SQLAlchemy."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from anytune.backend import LocalFile
from anytune.ledger.sender import Sender
from anytune.values import Quote, Snapshot, Status, Value

__all__ = ["DeploymentRow", "DeploymentState", "JobRow", "SubmitState"]

SubmitState = Literal["intent", "sending", "submitted", "rejected", "in_doubt"]
"""How far the create has come. `sending` and `in_doubt` mean that a remote job may exist; `intent` and `rejected` that none does."""

DeploymentState = Literal["planned", "starting", "ready", "failed", "stopping", "gone", "unknown"]
"""Only `gone` ends the bill: it means that the provider said so."""


class JobRow(Value):
    """One attempt of one job, as the ledger knows it.

    Attributes:
        sequence: Place in the ledger; local queues run in this order.
        id: A ULID; the remote job carries it as its tag (`Order.ref`).
        ledger: UUID of the ledger that the row is in.
        backend: Name of the backend.
        account: Whose job it is there.
        name: With backend and account, the key.
        attempt: 1, 2, … for one key.
        profile: The word given as `backend=`, where it was a profile.
        spec: The spec as JSON: what was set, as `TrainingSpec(**row.spec)` takes it. Empty for an attached job.
        spec_hash: Its hash; empty for an attached job.
        outcome: What the hash covers, to show differences.
        model: What is tuned, by its name at this backend.
        data: The local files by role.
        resolved: Defaults that the backend chose.
        losses: Settings that the backend had no word for.
        findings: What preflight found.
        estimate: The quote before the run, as JSON of `Quote`; `actual` is beside it.
        submit_state: How far the create has come.
        fence: Counts the sends: a sender whose number is past may not write any more.
        sender: The process of the last send.
        sent_at: When that send began.
        status: Where the job is.
        cancel_requested: Somebody asked for the end; kept until it is confirmed.
        remote_id: The backend's id.
        host: The machine that a local job belongs to; None where any machine may look after it.
        snapshot: The last observation, as JSON of `Snapshot`.
        error: Why it failed, was cancelled or rejected, without secrets.
        model_ref: What it produced, as JSON of `ModelRef`.
        cost_usd: Spent so far, where the backend says it.
        observation: Counts the observations, so that a late one is told from a new one.
        nudges: Counts the webhooks that named it.
        waiting: What an intent waits for before it is sent; empty where it waits for nothing. Worth nothing once it was sent.
        not_before: When an intent may be sent at the earliest, after its provider took no more jobs.
        overdrawn_at: When its budget was first seen used up.
        started_at: When it was first seen running.
        ended_at: When it was first seen ended.
    """

    sequence: int
    id: str
    ledger: str
    backend: str
    account: str
    name: str
    attempt: int
    profile: str | None = None
    spec: dict[str, Any] = Field(default_factory=dict)
    spec_hash: str = ""
    outcome: dict[str, Any] = Field(default_factory=dict)
    model: str = ""
    data: dict[str, LocalFile] = Field(default_factory=dict)
    resolved: dict[str, Any] = Field(default_factory=dict)
    losses: list[Any] = Field(default_factory=list)
    findings: list[Any] = Field(default_factory=list)
    estimate: dict[str, Any] | None = None
    submit_state: SubmitState = "intent"
    fence: int = 0
    sender: Sender | None = None
    sent_at: datetime | None = None
    status: Status = Status.SUBMITTING
    cancel_requested: bool = False
    remote_id: str | None = None
    host: str | None = None
    snapshot: dict[str, Any] | None = None
    error: str = ""
    model_ref: dict[str, Any] | None = None
    cost_usd: float | None = None
    observation: int = 0
    nudges: int = 0
    waiting: str = ""
    not_before: datetime | None = None
    overdrawn_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def actual(self) -> Quote:
        """What the run took so far, in the estimate's fields; None where nobody said.

        Minutes are the backend's own where it counts them; otherwise they lie between the first look that saw the run and the first that
        saw it ended. None, too, where two hosts made these looks and the second one's clock is behind the first one's.
        """
        seen = Snapshot.model_validate(self.snapshot) if self.snapshot else Snapshot(id=self.id, status=self.status)
        minutes, basis = seen.minutes, "as the backend counted"
        if minutes is None and self.started_at is not None and self.ended_at is not None and self.ended_at >= self.started_at:
            minutes, basis = (self.ended_at - self.started_at).total_seconds() / 60, "minutes between two looks"
        figures = (seen.trained_tokens, self.cost_usd, minutes, seen.peak_memory_bytes)
        tokens, cost_usd, minutes, memory_bytes = figures
        known = any(figure is not None for figure in figures)
        return Quote(tokens=tokens, cost_usd=cost_usd, minutes=minutes, memory_bytes=memory_bytes, basis=basis if known else "")


class DeploymentRow(Value):
    """One host of a model, from the plan to its confirmed end.

    Attributes:
        id: A ULID; the remote host's name derives from it (`DeployOrder.ref`).
        job_id: The job that made the model, where one did.
        model: JSON of `ModelRef`.
        options: The backend's own words (sku, flavor, …).
        adapters: JSON of the `ModelRef` of each tuned model that shares the host, by the name that requests send.
        address: `base_url` and `model`; never the credential.
        hourly_usd: What it costs, 0 for one's own machine, None where it is not known.
        ttl_s: Seconds from `created_at` to `expires_at`.
        stop_requested: Somebody asked for the end; kept until it is confirmed.
        ready_at: When it was first seen ready.
        ended_at: When it was seen gone.
    """

    id: str
    job_id: str | None = None
    backend: str
    account: str
    profile: str | None = None
    model: dict[str, Any]
    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    adapters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    state: DeploymentState = "planned"
    remote_id: str | None = None
    address: dict[str, Any] | None = None
    hourly_usd: float | None = None
    ttl_s: float
    expires_at: datetime
    stop_requested: bool = False
    host: str | None = None
    error: str = ""
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None = None
    ended_at: datetime | None = None
