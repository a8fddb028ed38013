"""The Jobs that run one order after each other: the first, and those that go on where its time ended. Found by their labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from anytune.errors import AnytuneError, MalformedReply, Transient, Unreachable
from anytune_huggingface.compute import claims
from anytune_huggingface.compute.code import BOOTSTRAP
from anytune_huggingface.compute.told import QUIET
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huggingface_hub import JobInfo

    from anytune_huggingface.compute.told import CloudOrder, Told
    from anytune_huggingface.hub.client import Hub

__all__ = ["ENDED", "REF", "labelled", "ledger", "name", "number", "of", "record_of", "spec_hash", "stage", "start", "start_next"]

REF, _PART, _LEDGER, _NAME, _RECORD, _SPEC, _FIRST = (
    "anytune_ref",
    "anytune_part",
    "anytune_ledger",
    "anytune_name",
    "anytune_record",
    "anytune_spec",
    "anytune_first",
)

ENDED = frozenset({"COMPLETED", "CANCELED", "ERROR", "DELETED"})

_LABEL_MAX = 100

_BEGIN = "import os; exec(os.environ['ANYTUNE_BOOTSTRAP'])"
"""One line: somebody has seen the service put a command of several lines on one (a Space's script, read 2026-11-23)."""


def labelled(hub: Hub, ref: str | None = None, *, firsts: int | None = None) -> list[JobInfo]:
    """List Jobs of the namespace, newest first. They are matched here too, as a server may ignore the filter.

    Args:
        hub: The account.
        ref: Those of one order only.
        firsts: Stop after so many first parts; the later parts of these have come before.
    """
    found: list[JobInfo] = []
    with asking("its Jobs"):
        for info in hub.api.list_jobs(namespace=hub.namespace, labels={REF: ref} if ref else None, token=hub.bearer):
            if firsts is not None and sum(number(each) == 1 for each in found) >= firsts:
                break
            if ref is None or (info.labels or {}).get(REF) == ref:
                found.append(info)
    return found


def of(first: JobInfo, found: Iterable[JobInfo]) -> list[JobInfo]:
    """Give the parts that a first one began, oldest first."""
    mine = [info for info in found if info.id == first.id or (info.labels or {}).get(_FIRST) == first.id]
    return sorted(mine or [first], key=number)


def number(info: JobInfo) -> int:
    """Give which part a Job is; 1 where it does not say."""
    word = (info.labels or {}).get(_PART, "")
    return int(word) if word.isdigit() else 1


def stage(info: JobInfo) -> str:
    """Give the Hub's word for where it is."""
    found = info.status.stage
    return str(getattr(found, "value", found))


def record_of(info: JobInfo) -> str | None:
    """Give the record that a Job works for; None where anytune did not make it."""
    name = (info.labels or {}).get(_RECORD)
    return f"{info.owner.name}/{name}" if name else None


def spec_hash(info: JobInfo) -> str | None:
    """Give the hash of the spec, as far as the label holds it."""
    word = (info.labels or {}).get(_SPEC)
    return word.replace("-", ":", 1) if word else None


def ledger(info: JobInfo) -> str | None:
    """Give the ledger that ordered a Job; None where it does not say."""
    return (info.labels or {}).get(_LEDGER) or None


def name(info: JobInfo) -> str | None:
    """Give the job's name, as far as the label holds it; None where it does not say."""
    return (info.labels or {}).get(_NAME) or None


def start(hub: Hub, order: CloudOrder, told: Told) -> JobInfo:
    """Order one part: exactly one request.

    Raises:
        AnytuneError: It was refused, or (`Transient`) it is not known whether it was taken.
    """
    code = order.code.model_dump_json()
    labels = {
        REF: order.ref,
        _PART: str(told.part),
        _NAME: order.name,
        _RECORD: told.record.partition("/")[2],
        _SPEC: order.spec_hash.replace(":", "-", 1),
        **({_LEDGER: order.ledger} if order.ledger else {}),
        **({_FIRST: told.first} if told.first else {}),
    }
    with asking("the new Job"):
        made: Any = hub.api.run_job(
            image=told.image,
            command=["python", "-c", _BEGIN],
            env=QUIET | hub.environment | told.environment() | {"ANYTUNE_CODE": code, "ANYTUNE_BOOTSTRAP": BOOTSTRAP},
            secrets={"HF_TOKEN": hub.bearer},
            flavor=told.flavor,
            timeout=int(told.timeout_s),
            name=_word(told.record.partition("/")[2]),
            labels={key: _word(value) for key, value in labels.items()},
            namespace=told.record.partition("/")[0],
            token=hub.bearer,
        )
    if not isinstance(made.id, str):
        raise MalformedReply("The Hub made a Job without an id.", fix="Look at https://huggingface.co/jobs, then run it again.")
    return made  # type: ignore[no-any-return]


def start_next(hub: Hub, order: CloudOrder, told: Told, *, resumes: int | None = None) -> JobInfo | None:
    """Order the part after `told.part`, unless it is there already, or may be.

    Args:
        hub: The account.
        order: The order.
        told: How the part before runs, or how the next one shall.
        resumes: How many further ones it may order by itself; None: one fewer than the part before.

    Returns:
        None where it is there, or a later one.

    Raises:
        Unreachable: It may have been ordered a moment ago and not be listed yet, or its first part is not listed.
        AnytuneError: As `start`.
    """
    found = labelled(hub, order.ref)
    first = told.first or told.job or next((info.id for info in found if number(info) == told.part == 1), None)
    if first is None:
        raise Unreachable(f"The first Job of {told.record} is not listed.", fix="Run `anytune jobs resume` later.")
    if any(number(info) > told.part and (info.labels or {}).get(_FIRST) == first for info in found):
        return None
    left = told.resumes - 1 if resumes is None else resumes
    following = told.model_copy(update={"part": told.part + 1, "resumes": max(0, left), "first": first})
    record = Record(hub, told.record)
    claims.take(record, following.part)
    try:
        return start(hub, order, following)
    except AnytuneError as error:
        if not isinstance(error, Transient):
            claims.release(record, following.part)
        raise


def _word(text: str) -> str:
    """Make a label's value of a text: letters, digits, dashes and underscores, a hundred at most."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)[:_LABEL_MAX]
