"""Who orders the next part of a job: it is written into the record first, since a listing of Jobs may lag behind an order."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from anytune.errors import Unreachable
from anytune.values import Value, now
from anytune_huggingface.hub.changes import add, delete
from anytune_huggingface.hub.errors import asking

if TYPE_CHECKING:
    from anytune_huggingface.hub.record import Record

__all__ = ["SETTLE_S", "release", "take"]

SETTLE_S = 240.0
"""How late a listing may be is not documented: the time of a request that was given up (120 s) and two minutes more."""

_NEXT = "anytune/next.json"


class _Claim(Value):
    part: int
    at: datetime = Field(default_factory=now)


def take(record: Record, part: int) -> None:
    """Write down that a part is about to be ordered: of two that do so at once, or shortly after each other, one is refused.

    Raises:
        Unreachable: Somebody was about to order it less than `SETTLE_S` seconds ago, and it is not known what became of it.
    """
    held: _Claim | None = None

    def put(sha: str) -> list[Any] | None:
        nonlocal held
        found = _held(record, sha)
        held = found if found is not None and found.part >= part and _age_s(found) < SETTLE_S else None
        return None if held is not None else [add(_NEXT, _Claim(part=part).model_dump_json(indent=1).encode())]

    record.hub.commit(record.repo, put, f"Part {part} is about to be ordered")
    if held is not None:
        raise Unreachable(
            f"Part {held.part} of {record.repo} was ordered {_age_s(held):.0f} s ago, and is not listed yet.",
            fix=f"It may run already, so no other one is ordered: look again in {SETTLE_S - _age_s(held):.0f} s.",
        )


def release(record: Record, part: int) -> None:
    """Take back what `take` wrote, where the order was refused: then nothing was made, and it may be ordered again at once."""

    def put(sha: str) -> list[Any] | None:
        found = _held(record, sha)
        return [delete(_NEXT)] if found is not None and found.part == part else None

    record.hub.commit(record.repo, put, f"Part {part} was refused")


def _held(record: Record, sha: str) -> _Claim | None:
    content = record.hub.read(record.repo, _NEXT, revision=sha)
    with asking(f"{record.repo}/{_NEXT}"):
        return None if content is None else _Claim.model_validate(json.loads(content))


def _age_s(claim: _Claim) -> float:
    return abs((now() - claim.at).total_seconds())
