"""What a runner in the cloud says, line by line: `::anytune {json}` in the log, and the same records in the job's repository.

A log may be cut, and a repository is only written now and then: together they lose nothing. Each record has the time of the runner's start
and its number in that start, so that the two can be put together without doubles, and sorted.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from anytune.errors import redact
from anytune.local import Progress
from anytune.values import Event, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FIGURES", "MARK", "Kind", "Said", "events", "joined", "metrics", "progress", "read", "written"]

Kind = Literal["event", "metric", "progress"]

FIGURES = tuple(name for name in Progress.model_fields if name != "at")
"""What is told of how far a job is: the names that a progress, a state and a snapshot share."""

MARK = "::anytune "
"""What a record begins with in a log."""

_KINDS = get_args(Kind)


class Said(NamedTuple):
    """One record.

    Attributes:
        start_ms: When the runner started that said it, in milliseconds since 1970.
        number: 0, 1, … within that start.
        kind: `event`, `metric` or `progress`.
        body: What the program wrote through its `Reporter`.
    """

    start_ms: int
    number: int
    kind: Kind
    body: dict[str, Any]

    @property
    def id(self) -> str:
        """Give a name that sorts as the records were said."""
        return f"{self.start_ms:013d}-{self.number:06d}"

    def record(self) -> dict[str, Any]:
        """Give it as a line of the repository's files holds it."""
        return {"id": self.id, "kind": self.kind, **self.body}

    def line(self) -> str:
        """Give it as the log shows it, without what looks like a secret. In ASCII: some readers end a line at other characters too."""
        return MARK + redact(json.dumps(self.record(), separators=(",", ":")))


def written(found: Iterable[Said], kind: Kind) -> bytes:
    """Give the records of a kind as a JSONL file."""
    chosen = (redact(json.dumps(said.record(), separators=(",", ":"), ensure_ascii=False)) for said in found if said.kind == kind)
    return "".join(f"{line}\n" for line in chosen).encode()


def read(text: Iterable[str]) -> list[Said]:
    """Find the records among the lines of a log or a file; what is none is left out, and so is a line that was cut."""
    return [said for line in text if (said := _parsed(line)) is not None]


def joined(*sources: Iterable[Said]) -> list[Said]:
    """Put what several sources told together: each record once, oldest first."""
    found = {said.id: said for source in sources for said in source}
    return [found[name] for name in sorted(found)]


def events(found: Iterable[Said], after: str | None = None) -> list[Event]:
    """Give the events after a cursor. Two processes write them, so a time may be a hair before the last one: it is moved on to it."""
    told, last = [], datetime.min.replace(tzinfo=UTC)
    for said in found:
        if said.kind != "event":
            continue
        event = Event.model_validate({"id": said.id, **{name: said.body[name] for name in _EVENT if name in said.body}})
        last = max(last, event.at)
        if after is None or event.id > after:
            told.append(event.model_copy(update={"at": last}))
    return told


def metrics(found: Iterable[Said], after: int | None = None) -> list[Metric]:
    """Give the numbers of the steps after one, by step. A step that was done again after an interruption shows its last numbers."""
    steps: dict[int, Metric] = {}
    for said in found:
        if said.kind == "metric":
            metric = Metric.model_validate({name: said.body[name] for name in ("step", "at", "values")})
            earlier = steps[metric.step].values if metric.step in steps else {}
            steps[metric.step] = metric.model_copy(update={"values": earlier | metric.values})
    return [steps[step] for step in sorted(steps) if after is None or step > after]


def progress(found: Iterable[Said]) -> Progress | None:
    """Give what was said last of how far it is."""
    last = next((said for said in reversed(list(found)) if said.kind == "progress"), None)
    return None if last is None else Progress.model_validate({name: last.body[name] for name in Progress.model_fields if name in last.body})


_EVENT = ("at", "message", "level", "data")


def _parsed(line: str) -> Said | None:
    text = line.partition(MARK)[2] if MARK in line else line
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
        start, _, number = record.pop("id").partition("-")
        kind = record.pop("kind")
        return Said(int(start), int(number), kind, record) if kind in _KINDS else None
    except (ValueError, KeyError, AttributeError, RecursionError):
        return None
