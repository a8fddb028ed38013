"""Routes: fine-tuning jobs, their events and their checkpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request

from anytune.errors import NotFound, Unsupported
from anytune.job import FineTuneJob
from anytune.server.errors import ApiError
from anytune.server.house import Asked, Caller, House, Inside
from anytune.server.shapes.jobs import CheckpointList, CheckpointObject, EventList, EventObject, JobList, JobObject
from anytune.server.shapes.orders import JobOrder
from anytune.server.training.intake import take

if TYPE_CHECKING:
    from anytune.server.book.rows import JobRow, Wish

__all__ = ["router"]

router = APIRouter(tags=["jobs"], prefix="/fine_tuning/jobs")

_MOST = 1000
_FILTER = re.compile(r"metadata\[(.+)\]", re.DOTALL)
_PAIRS = 16
_SETTLE_S, _LOOK_S = 2.0, 0.05
"""How long an answer waits for what was asked, so that clients see `cancelled` in the reply to a cancel, as OpenAI's do."""

_METADATA: dict[str, Any] = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _PAIRS},
    "description": "`metadata[key]=value` gives jobs that carry it, `metadata=null` those that carry none.",
}

_Limit = Annotated[int, Query(ge=1, le=_MOST)]


@router.post("")
def create_job(
    order: JobOrder,
    house: Inside,
    caller: Asked,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    x_stainless_retry_count: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> JobObject:
    """Order a tuned model. A client that lost the reply and sends the same order again gets the same job."""
    repeated = _repeated(x_stainless_retry_count)
    row = take(house, caller, order, idempotency_key=idempotency_key or None, repeated=repeated)
    return JobObject.of(row, house.config.organization)


@router.get("", openapi_extra={"parameters": [_METADATA]})
def list_jobs(request: Request, house: Inside, caller: Asked, after: str | None = None, limit: _Limit = 20) -> JobList:
    """List jobs, newest first."""
    rows, more = house.book.jobs.listed(caller.sees, after=after or None, limit=limit, metadata=_wanted(request))
    return JobList(data=[JobObject.of(row, house.config.organization) for row in rows], has_more=more)


@router.get("/{fine_tuning_job_id}")
def retrieve_job(fine_tuning_job_id: str, house: Inside, caller: Asked) -> JobObject:
    """Give a job."""
    return JobObject.of(_job(house, caller, fine_tuning_job_id), house.config.organization)


@router.post("/{fine_tuning_job_id}/cancel")
async def cancel_job(
    fine_tuning_job_id: str,
    house: Inside,
    caller: Asked,
    x_stainless_retry_count: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> JobObject:
    """End a job. Where the backend takes longer than two seconds, the job still shows its status, and ends later."""
    row = await to_thread.run_sync(_cancelled, house, caller, fine_tuning_job_id, _repeated(x_stainless_retry_count))
    return JobObject.of(await _settled(house, row, "cancel"), house.config.organization)


@router.post("/{fine_tuning_job_id}/pause")
async def pause_job(fine_tuning_job_id: str, house: Inside, caller: Asked) -> JobObject:
    """Hold a job, where its backend can."""
    row = await to_thread.run_sync(_paused, house, caller, fine_tuning_job_id)
    return JobObject.of(await _settled(house, row, "pause"), house.config.organization)


@router.post("/{fine_tuning_job_id}/resume")
async def resume_job(fine_tuning_job_id: str, house: Inside, caller: Asked) -> JobObject:
    """Let a held job go on from its last checkpoint."""
    row = await to_thread.run_sync(_resumed, house, caller, fine_tuning_job_id)
    return JobObject.of(await _settled(house, row, "resume"), house.config.organization)


@router.get("/{fine_tuning_job_id}/events")
def list_events(fine_tuning_job_id: str, house: Inside, caller: Asked, after: str | None = None, limit: _Limit = 20) -> EventList:
    """List what happened to a job, newest first."""
    job = _job(house, caller, fine_tuning_job_id)
    rows, more = house.book.events.listed(job.id, after=after or None, limit=limit)
    return EventList(data=[EventObject.of(row) for row in rows], has_more=more)


@router.get("/{fine_tuning_job_id}/checkpoints")
def list_checkpoints(fine_tuning_job_id: str, house: Inside, caller: Asked, after: str | None = None, limit: _Limit = 10) -> CheckpointList:
    """List a job's checkpoints, newest first."""
    job = _job(house, caller, fine_tuning_job_id)
    found = _checkpoints(house, job)
    start = 0
    if after:
        start = next((place for place, point in enumerate(found, 1) if point.id == after), 0)
        if start == 0:
            raise ApiError(404, f"Could not find checkpoint: {after[:128]}", code="checkpoint_not_found", param="after")
    page = found[start : start + limit]
    ends = (page[0].id, page[-1].id) if page else (None, None)
    return CheckpointList(data=page, first_id=ends[0], last_id=ends[1], has_more=len(found) > start + limit)


def _job(house: House, caller: Caller, job_id: str) -> JobRow:
    return house.book.jobs.get(job_id, caller.sees)


def _repeated(tries: str | None) -> bool:
    """Tell whether OpenAI's client says that it sends a request again."""
    return tries is not None and tries.isdecimal() and tries.strip("0") != ""


def _wanted(request: Request) -> dict[str, str] | None:
    """Read the filter by metadata, which FastAPI has no word for: None for none, an empty one for jobs without metadata."""
    if "metadata" in request.query_params:
        if request.query_params["metadata"] != "null":
            raise ApiError(400, "`metadata`: write `metadata[key]=value`, or `metadata=null` for jobs without any.", param="metadata")
        return {}
    wanted = {match[1]: value for name, value in request.query_params.items() if (match := _FILTER.fullmatch(name))}
    if len(wanted) > _PAIRS:
        raise ApiError(400, f"`metadata`: at most {_PAIRS} pairs.", param="metadata")
    return wanted or None


def _live(house: House, caller: Caller, job_id: str) -> JobRow:
    """Find a job that has not ended.

    Raises:
        ApiError: 404: there is none; 400: it has ended.
    """
    row = _job(house, caller, job_id)
    if row.ended:
        raise ApiError(400, f"Job has already completed: {row.id}", code="job_completed", param="fine_tune_id")
    return row


def _cancelled(house: House, caller: Caller, job_id: str, repeated: bool) -> JobRow:  # noqa: FBT001 - called by a thread pool
    row = _job(house, caller, job_id)
    if repeated and row.status == "cancelled":
        return row
    return house.runner.ask(_live(house, caller, job_id).id, "cancel")


def _paused(house: House, caller: Caller, job_id: str) -> JobRow:
    row = _live(house, caller, job_id)
    _check_able(house, row, "pause")
    return row if row.status == "paused" and row.wish is None else house.runner.ask(row.id, "pause")


def _resumed(house: House, caller: Caller, job_id: str) -> JobRow:
    row = _live(house, caller, job_id)
    _check_able(house, row, "resume")
    if row.status != "paused" and row.wish != "pause":
        raise ApiError(400, f"Job is not paused: {row.id}", code="job_not_paused", param="fine_tune_id")
    return house.runner.ask(row.id, "resume")


def _check_able(house: House, row: JobRow, verb: Wish) -> None:
    if verb not in house.offers.backend(row.backend).capabilities.abilities:
        raise ApiError(
            400, f"The backend {row.backend} cannot {verb} jobs. Let it run, or cancel it.", code="unsupported", param="fine_tune_id"
        )


async def _settled(house: House, row: JobRow, wish: Wish) -> JobRow:
    """Wait a little for what was asked to be done."""
    deadline = anyio.current_time() + _SETTLE_S
    while row.wish == wish and not row.ended and anyio.current_time() < deadline:
        await anyio.sleep(_LOOK_S)
        row = await to_thread.run_sync(house.book.jobs.get, row.id, None)
    return row


def _checkpoints(house: House, job: JobRow) -> list[CheckpointObject]:
    """Give a job's checkpoints, newest first; none where the backend keeps none, or has deleted the job."""
    if job.ledger_id is None:
        return []
    try:
        house.offers.backend(job.backend)
        points = FineTuneJob.get(job.ledger_id, context=house.context).checkpoints()
    except (NotFound, Unsupported):
        return []
    shown = [CheckpointObject.of(job, point, house.config.organization) for point in points]
    return sorted(shown, key=lambda point: point.step_number, reverse=True)
