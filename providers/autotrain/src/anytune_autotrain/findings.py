"""What the counts of a file mean for a person. An `error` stops the run, unless it is one of rows that could be trained all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.codes import finding
from anytune.values import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.codes import Severity
    from anytune_autotrain.data import Counts
    from anytune_autotrain.defaults import Resolved

__all__ = ["findings", "stops_training"]

_NAMED_ROWS = 20
_KEPT_ROWS = 10_000
_LISTED = 100
_REFUSALS = frozenset({"special-token", "double-bos"})
"""Errors of rows that could be trained all the same."""


def findings(counts: Counts, resolved: Resolved, *, role: str, limit: int, steps: int | None = None) -> list[Finding]:
    """Say what the counts mean.

    Args:
        counts: Of one file.
        resolved: All settings.
        role: `train` or `validation`.
        limit: Tokens of a block.
        steps: Optimiser steps of the run, where the file decides them.
    """
    found = [*_overlong(counts, resolved, role, limit), *_noted(counts.notes)]
    refused = any(note.severity == "error" for note in found)
    if not refused and counts.rows and not counts.sequences:
        found.append(_nothing(counts, resolved, role, limit))
    elif counts.packed:
        found.append(_packing(counts, role, limit, steps))
    elif resolved.method == "sft" and resolved.packing is None and role == "train":
        message = f"The rows do not fill one block of {limit} tokens, so each stands alone; AutoTrain itself would fail."
        found.append(_info("packed", message, "Say `packing: false` to have it so with more rows, too."))
    if resolved.method == "sft" and role == "train" and counts.sequences:
        message = "AutoTrain learns every token of a row, the user's and the system's turns as well."
        found.append(_info("all-learned", message, "Backend `trl` learns the assistant's turns only."))
    if counts.weighted:
        message = f"{len(counts.weighted)} {role} rows have turns with `weight: 0`: AutoTrain learns them all the same."
        found.append(finding("dropped-feature", message, "Use backend `trl`.", rows=counts.weighted[:_KEPT_ROWS]))
    if counts.stopless:
        message = f"The answers of {len(counts.stopless)} {role} rows end without a token that ends generation."
        fix = "Use a chat template that closes the assistant's turn, and do not truncate."
        found.append(finding("no-stop", message, fix, rows=counts.stopless[:_KEPT_ROWS]))
    return found


def stops_training(found: Finding) -> bool:
    """Tell whether a finding of rows means that they cannot be trained as they are meant; a check's other errors may be allowed."""
    return found.severity == "error" and found.code not in _REFUSALS


def _overlong(counts: Counts, resolved: Resolved, role: str, limit: int) -> list[Finding]:
    if not counts.overlong:
        return []
    number = len(counts.overlong)
    what = {"error": "rows", "drop": "they are dropped; rows", "truncate": "they are cut; rows"}[resolved.overlong]
    first = ", ".join(map(str, counts.overlong[:_NAMED_ROWS])) + (", …" if number > _NAMED_ROWS else "")
    own = [
        f"{name}={value}"
        for name, value in (("max_prompt_length", resolved.max_prompt_length), ("max_completion_length", resolved.max_completion_length))
        if value
    ]
    limits = " or ".join([f"max_length={limit}", *own])
    message = f"{number:,} {role} {'row is' if number == 1 else 'rows are'} longer than {limits} tokens (longest: {counts.longest:,})"
    fix = "Raise `max_length`, shorten them, or say `overlong: drop` (or `truncate`, as AutoTrain itself cuts without a word)."
    code = "truncated" if resolved.overlong == "truncate" else "overlong"
    severity: Severity = "error" if resolved.overlong == "error" else "warning"
    fix = fix if severity == "error" else "Raise `max_length`."
    return [finding(code, f"{message}; {what} {first}.", fix, rows=counts.overlong[:_KEPT_ROWS], severity=severity)]


def _nothing(counts: Counts, resolved: Resolved, role: str, limit: int) -> Finding:
    if resolved.method == "clm" or counts.packed or resolved.packing:
        message = f"The {role} rows hold {counts.dropped_tokens:,} tokens, which do not fill one block of max_length={limit}."
        fix = "Lower `max_length`" + (", give more text." if resolved.method == "clm" else ", give more rows, or say `packing: false`.")
        return finding("nothing-learned", message, fix)
    return finding("nothing-learned", f"No token of the {role} rows would be learned.", "Give rows that fit into `max_length`.")


def _packing(counts: Counts, role: str, limit: int, steps: int | None) -> Finding:
    taken = f"; the run takes {steps:,} steps" if steps is not None else ""
    message = (
        f"AutoTrain joins the {counts.samples:,} {role} rows into {counts.sequences:,} blocks of {limit} tokens{taken}. Rows are cut where "
        f"a block ends, see the rows before them, and the last {counts.dropped_tokens:,} tokens are left out."
    )
    few = steps is not None and steps < _FEW_STEPS
    return Finding(
        severity="warning" if few else "info", code="packed", message=message, fix="Say `packing: false` to have each row stand alone."
    )


_FEW_STEPS = 10


def _info(code: str, message: str, fix: str) -> Finding:
    return Finding(severity="info", code=code, message=message, fix=fix)


def _noted(notes: Iterable[Finding]) -> list[Finding]:
    """Join notes that say the same of several rows; of a code with very many different ones, only the first are listed."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for note in notes:
        groups.setdefault((note.code, note.message), []).append(note)
    found: dict[str, list[Finding]] = {}
    for (code, _), same in groups.items():
        rows = tuple(dict.fromkeys(note.row for note in same if note.row is not None))
        indices = {note.message_index for note in same}
        where = indices.pop() if len(indices) == 1 else None
        told = {"row": rows[0] if rows else None, "rows": rows[:_KEPT_ROWS] if len(rows) > 1 else (), "message_index": where}
        found.setdefault(code, []).append(same[0].model_copy(update=told))
    return [note for listed in found.values() for note in listed[:_LISTED]]
