"""From a data file to samples: every row is rendered, measured against `max_length`, and counted. Used by checks and by training alike."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import ValidationError

from anytune.data import ChatRow, PreferenceRow, PromptRow, lines
from anytune.errors import DataError
from anytune.values import Finding
from anytune_trl.render import IGNORED, Pair, Sample
from anytune_trl.rows import chats, preferences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anytune_trl.render import Renderer

__all__ = ["Counts", "Dataset", "build", "findings"]

Overlong = Literal["error", "drop", "truncate"]

_NAMED_ROWS = 20
_KEPT_ROWS = 1000


class Counts(NamedTuple):
    """What became of the rows.

    Attributes:
        rows: Rows read.
        samples: Samples made of them.
        tokens: Tokens in one pass.
        learned_tokens: Tokens that the loss is on, in one pass.
        longest: Tokens of the longest row, before any cut.
        overlong: Rows over `max_length`, by their lines.
        unlearned: Rows without any learned token, by their lines; they are left out.
        stopless: Rows whose answer does not end with a token that ends generation.
    """

    rows: int = 0
    samples: int = 0
    tokens: int = 0
    learned_tokens: int = 0
    longest: int = 0
    overlong: tuple[int, ...] = ()
    unlearned: tuple[int, ...] = ()
    stopless: int = 0

    @property
    def learned_share(self) -> float:
        """Share of the tokens that the loss is on."""
        return self.learned_tokens / self.tokens if self.tokens else 0.0


class Dataset(NamedTuple):
    """Columns for the trainer, and the counts."""

    columns: dict[str, list[list[int]]]
    counts: Counts

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sample, as the trainer's forward pass sees them."""
        if "input_ids" in self.columns:
            return [len(ids) for ids in self.columns["input_ids"]]
        sides = zip(*(self.columns[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")), strict=True)
        return [len(prompt) + max(len(chosen), len(rejected)) for prompt, chosen, rejected in sides]


def build(
    path: Path, method: str, renderer: Renderer, *, max_length: int, overlong: Overlong = "error", limit: int | None = None
) -> Dataset:
    """Render a file for training.

    Args:
        path: A JSONL file.
        method: `sft` or `dpo`.
        renderer: What renders.
        max_length: Tokens of the longest sample.
        overlong: `drop` and `truncate` act and count; `error` lists the longer rows in the counts and leaves refusing to the caller.
        limit: Read only so many rows (checks of huge files).

    Raises:
        DataError: A row cannot be read or rendered; the text names it.
    """
    counts = _Counter()
    rendered = _samples(path, renderer, limit) if method == "sft" else _pairs(path, renderer, limit)
    kept = [done for sample in rendered if (done := counts.take(sample, max_length, overlong)) is not None]
    if method == "sft":
        columns = {"input_ids": [s.input_ids for s in kept], "labels": [s.labels for s in kept]}  # type: ignore[union-attr]
    else:
        columns = {name: [getattr(p, name) for p in kept] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
    return Dataset(columns, counts.result())


def findings(counts: Counts, *, role: str, max_length: int, overlong: Overlong) -> list[Finding]:
    """Say what the counts mean for a person; an `error` stops the run."""
    found: list[Finding] = []
    if counts.overlong:
        found.append(_overlong(counts, role, max_length, overlong))
    if counts.rows and not counts.learned_tokens and not (counts.overlong and overlong == "error"):
        message, fix = f"No token of the {role} rows would be learned.", "Each row needs an assistant's turn that fits into `max_length`."
        found.append(Finding(severity="error", code="nothing-learned", message=message, fix=fix))
    elif counts.unlearned:
        message = f"{len(counts.unlearned)} {role} rows have no learned token; they are left out."
        found.append(Finding(severity="warning", code="unlearned-rows", message=message, rows=counts.unlearned[:_KEPT_ROWS]))
    if counts.stopless:
        message = f"{counts.stopless} {role} samples end without a token that ends generation: the model may not learn to stop."
        fix = "Use a chat template that closes the assistant's turn, and do not truncate."
        found.append(Finding(severity="warning", code="no-stop", message=message, fix=fix))
    return found


def _overlong(counts: Counts, role: str, max_length: int, overlong: Overlong) -> Finding:
    many = f"{len(counts.overlong)} of {counts.rows} {role} rows are longer than max_length={max_length} tokens (longest: {counts.longest})"
    first = ", ".join(str(row) for row in counts.overlong[:_NAMED_ROWS])
    what = {"error": "rows", "drop": "they are dropped; rows", "truncate": "their end is cut off; rows"}[overlong]
    refused = overlong == "error"
    return Finding(
        severity="error" if refused else "warning",
        code="overlong",
        message=f"{many}; {what} {first}{', …' if len(counts.overlong) > _NAMED_ROWS else ''}.",
        fix="Raise `max_length`, shorten them, or say `overlong: drop` (or `truncate`)." if refused else "",
        rows=counts.overlong[:_KEPT_ROWS],
    )


class _Counter:
    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._overlong: dict[int, None] = {}
        self._unlearned: dict[int, None] = {}
        self._sums = {"samples": 0, "tokens": 0, "learned_tokens": 0, "longest": 0, "stopless": 0}

    def take(self, sample: Sample | Pair, max_length: int, overlong: Overlong) -> Sample | Pair | None:
        self._seen.add(sample.row)
        length = _length(sample)
        self._sums["longest"] = max(self._sums["longest"], length)
        if length > max_length:
            self._overlong[sample.row] = None
            if overlong != "truncate":
                return None
            sample = _cut(sample, max_length)
        learned = _learned(sample)
        if not learned:
            self._unlearned[sample.row] = None
            return None
        self._sums["samples"] += 1
        self._sums["tokens"] += _size(sample)
        self._sums["learned_tokens"] += learned
        self._sums["stopless"] += not sample.stops
        return sample

    def result(self) -> Counts:
        return Counts(rows=len(self._seen), overlong=tuple(self._overlong), unlearned=tuple(self._unlearned), **self._sums)


def _length(sample: Sample | Pair) -> int:
    if isinstance(sample, Sample):
        return len(sample.input_ids)
    return len(sample.prompt_ids) + max(len(sample.chosen_ids), len(sample.rejected_ids))


def _size(sample: Sample | Pair) -> int:
    if isinstance(sample, Sample):
        return len(sample.input_ids)
    return 2 * len(sample.prompt_ids) + len(sample.chosen_ids) + len(sample.rejected_ids)


def _learned(sample: Sample | Pair) -> int:
    if isinstance(sample, Sample):
        return sum(label != IGNORED for label in sample.labels)
    return len(sample.chosen_ids) + len(sample.rejected_ids) if sample.chosen_ids and sample.rejected_ids else 0


def _cut(sample: Sample | Pair, max_length: int) -> Sample | Pair:
    if isinstance(sample, Sample):
        return sample._replace(input_ids=sample.input_ids[:max_length], labels=sample.labels[:max_length], stops=False)
    room = max(0, max_length - len(sample.prompt_ids))
    return sample._replace(chosen_ids=sample.chosen_ids[:room], rejected_ids=sample.rejected_ids[:room], stops=False)


def _samples(path: Path, renderer: Renderer, limit: int | None) -> Iterator[Sample]:
    for chat in chats(_parsed(path, (ChatRow, PromptRow), limit)):
        yield from renderer.samples(chat)


def _pairs(path: Path, renderer: Renderer, limit: int | None) -> Iterator[Pair]:
    for preference in preferences(_parsed(path, (PreferenceRow,), limit)):
        yield renderer.pair(preference)


def _parsed(path: Path, kinds: tuple[type, ...], limit: int | None) -> Iterator[tuple[int, Any]]:
    for line in islice(lines(path), limit):
        if line.problem:
            raise DataError(f"Row {line.number} of {path.name} is {line.problem}.", fix="Correct or remove the line.")
        kind: Any = ChatRow if "messages" in line.row and ChatRow in kinds else kinds[-1]
        try:
            yield line.number, kind.model_validate(line.row)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DataError(f"Row {line.number} of {path.name}: {where}: {first['msg']}.", fix="Correct or remove the row.") from None
