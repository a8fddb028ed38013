"""A run's numbers, by the names of Hugging Face's trainers: from the result file of a run that has ended, else from its metrics events.

OpenAI's result file is CSV in base64 (community-known; one recorded download prints as garbage), Azure's is plain CSV; their columns differ
by name (Azure's how-to, read 2026-11-22), and reinforcement has columns of its own. A cell without a number is empty.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import logging
import math
from typing import TYPE_CHECKING, Any, Final

from anytune.values import Metric, now
from anytune_openai.replies import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai import OpenAI

__all__ = ["NAMES", "measured", "metrics", "table"]

NAMES: Final[dict[str, str]] = {
    "train_loss": "loss",
    "valid_loss": "eval_loss",
    "validation_loss": "eval_loss",
    "train_accuracy": "mean_token_accuracy",
    "train_mean_token_accuracy": "mean_token_accuracy",
    "valid_accuracy": "eval_mean_token_accuracy",
    "valid_mean_token_accuracy": "eval_mean_token_accuracy",
    "validation_mean_token_accuracy": "eval_mean_token_accuracy",
}
"""The providers' names that Hugging Face's trainers have a word for; all others stay as they are."""

_NO_METRIC = frozenset({"step", "total_steps"})
_BOM = b"\xef\xbb\xbf"

_log = logging.getLogger(__name__)


def metrics(client: OpenAI, job: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[Metric]:
    """Give the numbers of a job, one metric a step, steps rising.

    Args:
        client: Fetches the result files, where the job names some.
        job: The job as it was just seen.
        events: The job's events, oldest first: they tell the numbers of a job that still runs, and the times of all.
    """
    told = _told(events)
    at = moment(job.get("finished_at")) or now()
    found: dict[int, dict[str, float]] = {}
    for file_id in _files(job):
        for step, values in table(_content(client, file_id)).items():
            found.setdefault(step, {}).update(values)
    if not found:
        return [told[step] for step in sorted(told)]
    return [Metric(step=step, at=told[step].at if step in told else at, values=found[step]) for step in sorted(found)]


def table(content: bytes) -> dict[int, dict[str, float]]:
    """Read a result file: CSV, or base64 of CSV.

    Returns:
        The numbers by step; of two rows of one step the later numbers count. Nothing for a file of another kind.
    """
    found: dict[int, dict[str, float]] = {}
    try:
        for row in csv.DictReader(io.StringIO(_text(content), newline="")):
            step, values = _step(row), measured(row)
            if step is not None and values:
                found.setdefault(step, {}).update(values)
    except csv.Error:  # a cell longer than 128 KiB: no file of numbers
        found = {}
    if content and not found:
        _log.info("A result file of %d bytes is no table of steps; the job's events are read instead.", len(content))
    return found


def measured(data: Mapping[Any, Any] | None) -> dict[str, float]:
    """Give the numbers of an event, a checkpoint or a row of a result file by our names; what is no finite number is left out.

    Example:
        >>> measured({"step": "3", "train_loss": "0.5", "valid_loss": ""})
        {'loss': 0.5}
    """
    numbers: dict[str, float] = {}
    for name, value in (data or {}).items():
        number = _number(value)
        if isinstance(name, str) and name not in _NO_METRIC and number is not None:
            numbers[NAMES.get(name, name)] = number
    return numbers


def _files(job: Mapping[str, Any]) -> list[str]:
    files = job.get("result_files")  # null, or not there, in what Azure answers
    return [file for file in files if isinstance(file, str) and file] if isinstance(files, list) else []


def _content(client: OpenAI, file_id: str) -> bytes:
    """Fetch a result file; nothing where it was deleted, or was never for this key."""
    import openai  # noqa: PLC0415 - heavy

    try:
        return client.files.content(file_id).read()
    except (openai.NotFoundError, openai.PermissionDeniedError, openai.BadRequestError) as error:
        _log.info("Result file %s is not given (HTTP %d); the job's events are read instead.", file_id, error.status_code)
        return b""


def _told(events: Sequence[Mapping[str, Any]]) -> dict[int, Metric]:
    """Give the metrics events by step; of two of one step both count."""
    found: dict[int, Metric] = {}
    for event in events:
        data = event.get("data")
        if not isinstance(data, dict):  # null where an event has no numbers
            continue
        step, values = _step(data), measured(data)
        if step is not None and values:
            earlier = found[step].values if step in found else {}
            found[step] = Metric(step=step, at=moment(event.get("created_at")) or now(), values=earlier | values)
    return found


def _text(content: bytes) -> str:
    """Give the CSV, decoded where it is base64: that has no comma, and a table of steps has one in its first line."""
    plain = content.removeprefix(_BOM)
    if b"," not in plain:
        try:
            plain = base64.b64decode(b"".join(plain.split()), validate=True).removeprefix(_BOM)
        except binascii.Error:
            return ""
    return plain.decode("utf-8", errors="replace")


def _step(row: Mapping[Any, Any]) -> int | None:
    number = _number(row.get("step"))
    return int(number) if number is not None and number >= 0 and number.is_integer() else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
