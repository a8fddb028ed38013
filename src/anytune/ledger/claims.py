"""Which job is it? The rules that give a caller the job of a key, a new one, or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from ulid import ULID

from anytune.backend import RemoteJob
from anytune.errors import ConfigError, JobConflict, JobFailed
from anytune.ledger import jobs, tables, transitions
from anytune.spec import outcome
from anytune.values import Snapshot, Status, Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from anytune.backend import LocalFile
    from anytune.ledger.rows import JobRow
    from anytune.spec import TrainingSpec

__all__ = ["Claim", "attach", "claim", "differences", "spec_json"]


class Claim(Value):
    """What a caller wants a job for. Attributes as in `JobRow`."""

    backend: str
    account: str
    name: str
    profile: str | None
    spec: dict[str, Any]
    spec_hash: str
    outcome: dict[str, Any]
    model: str
    data: dict[str, Any]
    host: str | None
    resolved: dict[str, Any]
    losses: list[Any]
    findings: list[Any]
    estimate: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        spec: TrainingSpec,
        *,
        model: str,
        data: Mapping[str, LocalFile],
        sources: Mapping[str, str],
        losses: Any,
        findings: Any,
        estimate: Any,
        **rest: Any,
    ) -> Claim:
        """Build one from a spec; `sources` are the sha256 by role of the files as they were given."""
        return cls(
            spec=spec_json(spec),
            outcome=outcome(spec, model=model, data=dict(sources)),
            model=model,
            data={role: file.model_dump(mode="json") for role, file in data.items()},
            losses=[_plain(each) for each in losses],
            findings=[_plain(each) for each in findings],
            estimate=None if estimate is None else _plain(estimate),
            **rest,
        )

    def columns(self) -> dict[str, Any]:
        """Give the columns of a row that was not sent yet."""
        return self.model_dump() | {
            "submit_state": "intent",
            "status": Status.SUBMITTING.value,
            "cancel_requested": False,
            "error": "",
            "sender": None,
            "sent_at": None,
            "ended_at": None,
        }


def spec_json(spec: TrainingSpec) -> dict[str, Any]:
    """Give what was set in a spec, so that `TrainingSpec(**…)` makes it again with the same hash."""
    found: dict[str, Any] = spec.model_dump(mode="json", exclude_unset=True)
    for field in ("method", "adapter"):
        part = getattr(spec, field)
        if field in found and part is not None:
            found[field]["type"] = part.type
    return found


def claim(connection: Connection, wanted: Claim, ledger: str, *, new_attempt: bool, now: datetime) -> tuple[JobRow, bool]:
    """Give the job of a key, and whether it is new.

    - Same key and hash: the same job, running or done. So a live job is also what `new_attempt` gives: two would be paid for.
    - Same key, other hash: refused, with both differences shown; once the job has ended, `new_attempt` starts the next attempt.
    - After failed or cancelled (which a job over its budget is): refused with the reason; `new_attempt` starts the next attempt.
    - A rejected job never existed at the backend: it is begun again, with whatever was corrected.
    """
    row = jobs.latest(connection, ledger, backend=wanted.backend, account=wanted.account, name=wanted.name, lock=True)
    if row is None:
        return _insert(connection, wanted, ledger, attempt=1, now=now), True
    if row.submit_state == "rejected":
        return jobs.change(connection, row.id, ledger, now=now, **wanted.columns()), True
    if row.status.terminal and new_attempt:
        return _insert(connection, wanted, ledger, attempt=row.attempt + 1, now=now), True
    unlike = {} if row.spec_hash == wanted.spec_hash else differences(row.outcome, wanted.outcome)
    if unlike or not row.spec_hash:
        raise _conflict(row, unlike)
    if row.status in {Status.FAILED, Status.CANCELLED}:
        raise ended(row)
    if row.submit_state == "intent":
        fresh = {"spec": wanted.spec, "data": wanted.data, "profile": wanted.profile, "host": wanted.host, "estimate": wanted.estimate}
        return jobs.change(connection, row.id, ledger, now=now, **fresh), False
    return row, False


def attach(connection: Connection, ledger: str, snapshot: Snapshot, *, remote_id: str, now: datetime, **key: Any) -> JobRow:
    """Take in a remote job that anytune did not create; the same one again gives the same row.

    Under the name of a job that is in doubt it is the answer to that doubt: somebody looked, where no listing could tell.
    """
    table = tables.jobs
    same = (table.c.backend == key["backend"]) & (table.c.account == key["account"]) & (table.c.remote_id == remote_id)
    taken = jobs.latest(connection, ledger, backend=key["backend"], account=key["account"], name=key["name"], lock=True)
    known = connection.execute(table.select().where(same)).one_or_none()  # after the lock: another process may have attached it meanwhile
    if known is not None:
        return jobs.observe(connection, known.id, ledger, snapshot, now=now)
    if taken is not None and taken.submit_state == "in_doubt" and not taken.status.terminal:
        answered = transitions.take(connection, taken, RemoteJob(id=remote_id, status=snapshot.status), now=now)
        if answered is not None:
            return jobs.observe(connection, taken.id, ledger, snapshot, now=now)
    if taken is not None:
        raise ConfigError(
            f"The name {taken.name!r} is taken by job {taken.id} at {taken.backend}, so {remote_id} cannot be attached under it.",
            fix="Attach it under another name.",
            backend=taken.backend,
            job_id=taken.id,
        )
    model = snapshot.model.base_model if snapshot.model else None
    wanted = Claim(**key, spec={}, spec_hash="", outcome={}, model=model or "", data={}, resolved={}, losses=[], findings=[])
    row = _insert(connection, wanted, ledger, attempt=1, now=now)
    jobs.change(connection, row.id, ledger, now=now, submit_state="submitted", remote_id=remote_id)
    return jobs.observe(connection, row.id, ledger, snapshot, now=now)


def differences(theirs: dict[str, Any], yours: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """Compare two outcomes field by field, as `{"method.learning_rate": (theirs, yours)}`; None where one has none.

    Example:
        >>> differences({"model": "a", "method": {"seed": 1}}, {"model": "a", "method": {}})
        {'method.seed': (1, None)}
    """
    left, right = _flat(theirs), _flat(yours)
    return {name: (left.get(name), right.get(name)) for name in sorted(left | right) if left.get(name) != right.get(name)}


def ended(row: JobRow) -> JobFailed:
    """Say why a job that ended without a model is not simply given again."""
    what = "was cancelled" if row.status is Status.CANCELLED else "failed"
    reason = f": {row.error}" if row.error else "."
    snapshot = (
        Snapshot.model_validate(row.snapshot) if row.snapshot else Snapshot(id=row.remote_id or row.id, status=row.status, error=row.error)
    )
    return JobFailed(
        f"Job {row.name!r} (attempt {row.attempt}, {row.id}) {what}{reason}",
        fix="Correct the reason, then start the next attempt with new_attempt=True (--new-attempt).",
        snapshot=snapshot,
        backend=row.backend,
        job_id=row.id,
    )


def _insert(connection: Connection, wanted: Claim, ledger: str, *, attempt: int, now: datetime) -> JobRow:
    fixed = {"id": str(ULID()), "attempt": attempt, "fence": 0, "created_at": now, "updated_at": now}
    row = connection.execute(tables.jobs.insert().values(**wanted.columns(), **fixed).returning(tables.jobs)).one()
    return jobs.job_of(row, ledger)


def _conflict(row: JobRow, unlike: dict[str, tuple[object, object]]) -> JobConflict:
    if row.spec_hash:
        shown = "; ".join(f"{name}: {_shown(theirs)} there, {_shown(yours)} here" for name, (theirs, yours) in unlike.items())
        message = f"The name {row.name!r} belongs to job {row.id} at {row.backend} ({row.status.value}) with another spec: {shown}."
    else:
        message = f"The name {row.name!r} belongs to job {row.id} at {row.backend}, which was attached and has no spec."
    again = " or start the next attempt with new_attempt=True (--new-attempt)" if row.status.terminal else ""
    return JobConflict(message, differences=unlike, fix=f"Give this one another name{again}.", backend=row.backend, job_id=row.id)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            found |= _flat(each, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = each
    return found


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:24]}…"  # noqa: PLR2004 - a line's room


def _plain(value: Any) -> Any:
    return jobs.clean(value.model_dump(mode="json") if isinstance(value, BaseModel) else value)
