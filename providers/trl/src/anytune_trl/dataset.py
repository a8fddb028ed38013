"""From rows to samples: every row is rendered, measured against `max_length`, and counted. Used by checks and by training alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.codes import finding
from anytune.errors import DataError
from anytune.values import Finding  # noqa: TC001 - pydantic reads the annotations of `Counts`
from anytune_huggingface.text.render import IGNORED, Pair, Sample
from anytune_huggingface.text.rows import Preference, Text, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anytune.data.files import Line
    from anytune_huggingface.text.render import Renderer

__all__ = ["Counts", "Dataset", "Overlong", "build", "cut", "findings", "rendered", "stops_training"]

Overlong = Literal["error", "drop", "truncate"]

_NAMED_ROWS = 20
_KEPT_ROWS = 10_000
_LISTED = 100
_SMALL_SHARE = 0.02
_REFUSALS = frozenset({"special-token", "double-bos"})
"""Errors of rows that could be trained all the same."""


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
        stopless: Rows whose answer does not end with a token that ends generation, by their lines.
        notes: What else was found in rows.
    """

    rows: int = 0
    samples: int = 0
    tokens: int = 0
    learned_tokens: int = 0
    longest: int = 0
    overlong: tuple[int, ...] = ()
    unlearned: tuple[int, ...] = ()
    stopless: tuple[int, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def learned_share(self) -> float:
        """Share of the tokens that the loss is on."""
        return self.learned_tokens / self.tokens if self.tokens else 0.0

    def beside(self, other: Counts) -> Counts:
        """Give these sums, with the rows that were noticed here or there: what only `other` counted is no fair part of a mean."""
        return self._replace(
            longest=max(self.longest, other.longest),
            overlong=tuple(sorted((*self.overlong, *other.overlong))),
            unlearned=tuple(sorted((*self.unlearned, *other.unlearned))),
            stopless=tuple(sorted((*self.stopless, *other.stopless))),
            notes=(*self.notes, *other.notes),
        )


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

    def only(self, places: Iterable[int]) -> Dataset:
        """Give some of the samples, by their 0-based places; the counts stay those of the whole."""
        kept = list(places)
        return Dataset({name: [column[i] for i in kept] for name, column in self.columns.items()}, self.counts)


def rendered(line: Line, method: str, renderer: Renderer) -> list[Sample | Pair]:
    """Render one row.

    Raises:
        DataError: The row cannot be read or rendered; it carries the findings.
    """
    row = read(line, method)
    if isinstance(row, Preference):
        return [renderer.pair(row)]
    if isinstance(row, Text):
        return [renderer.plain(row)]
    return list(renderer.samples(row))


def build(rows: Iterable[Line], method: str, renderer: Renderer, *, max_length: int, overlong: Overlong = "error") -> Dataset:
    """Render rows for training. What cannot be rendered is left out and noted: `findings` makes errors of it.

    Args:
        rows: Rows of anytune's own schemas.
        method: `sft` or `dpo`.
        renderer: What renders.
        max_length: Tokens of the longest sample.
        overlong: `drop` and `truncate` act and count; `error` lists the longer rows in the counts and leaves refusing to the caller.

    Raises:
        DataError: No row could be rendered, whatever it says: the model has no chat template.
    """
    counter = _Counter()
    kept = [
        done for sample in _samples(rows, method, renderer, counter) if (done := counter.take(sample, max_length, overlong)) is not None
    ]
    names = ("input_ids", "labels") if method == "sft" else ("prompt_ids", "chosen_ids", "rejected_ids")
    return Dataset({name: [getattr(sample, name) for sample in kept] for name in names}, counter.result())


def _samples(rows: Iterable[Line], method: str, renderer: Renderer, counter: _Counter) -> Iterator[Sample | Pair]:
    for line in rows:
        counter.rows += 1
        try:
            found = rendered(line, method, renderer)
        except DataError as error:
            if any(note.row is None for note in error.findings) or not error.findings:
                raise
            counter.notes += error.findings
            continue
        yield from found


def findings(counts: Counts, *, role: str, max_length: int, overlong: Overlong) -> list[Finding]:
    """Say what the counts mean for a person; an `error` stops the run."""
    found = [*_overlong(counts, role, max_length, overlong), *_noted(counts.notes)]
    refused = (counts.overlong and overlong == "error") or any(note.severity == "error" for note in counts.notes)
    if counts.rows and not counts.learned_tokens and not refused:
        message, fix = f"No token of the {role} rows would be learned.", "Each row needs an assistant's turn that fits into `max_length`."
        found.append(finding("nothing-learned", message, fix))
    elif counts.unlearned:
        message = f"{len(counts.unlearned)} {role} rows have no learned token; they are left out."
        found.append(finding("unlearned-rows", message, "Give them an answer that fits.", rows=counts.unlearned[:_KEPT_ROWS]))
    if counts.stopless:
        message = (
            f"The answers of {len(counts.stopless)} {role} rows end without a token that ends generation: the model may not learn to stop."
        )
        fix = "Use a chat template that closes the assistant's turn, and do not truncate."
        found.append(finding("no-stop", message, fix, rows=counts.stopless[:_KEPT_ROWS]))
    if 0 < counts.learned_share < _SMALL_SHARE:
        message = f"Only {counts.learned_share:.1%} of the {role} tokens are learned; the rest is read, and paid for in time."
        found.append(finding("low-trained-share", message, "Shorten the prompts, if they repeat themselves."))
    return found


def stops_training(found: Finding) -> bool:
    """Tell whether a finding of rows means that they cannot be trained as they are meant; a check's other errors may be allowed."""
    return found.severity == "error" and found.code not in _REFUSALS


def _overlong(counts: Counts, role: str, max_length: int, overlong: Overlong) -> list[Finding]:
    if not counts.overlong:
        return []
    number = len(counts.overlong)
    rows = "row is" if number == 1 else "rows are"
    many = f"{number:,} {role} {rows} longer than max_length={max_length} tokens (longest: {counts.longest:,})"
    first = ", ".join(str(row) for row in counts.overlong[:_NAMED_ROWS])
    what = {"error": "rows", "drop": "they are dropped; rows", "truncate": "their end is cut off; rows"}[overlong]
    fix = "Raise `max_length`, shorten them, or say `overlong: drop` (or `truncate`)." if overlong == "error" else "Raise `max_length`."
    message = f"{many}; {what} {first}{', …' if len(counts.overlong) > _NAMED_ROWS else ''}."
    code, severity = {"error": ("overlong", None), "drop": ("overlong", "warning"), "truncate": ("truncated", None)}[overlong]
    return [finding(code, message, fix, rows=counts.overlong[:_KEPT_ROWS], severity=severity)]  # type: ignore[arg-type]


def _noted(notes: Iterable[Finding]) -> list[Finding]:
    """Join notes that say the same of several rows; of a code with very many different ones, the last joins all that is left."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for note in notes:
        groups.setdefault((note.code, note.message), []).append(note)
    found: list[Finding] = []
    listed: dict[str, int] = {}
    rest: dict[str, list[Finding]] = {}
    for (code, _), same in groups.items():
        listed[code] = listed.get(code, 0) + 1
        if listed[code] > _LISTED:
            rest.setdefault(code, []).extend(same)
        else:
            found.append(_joined(same, same[0].message))
    return found + [_joined(same, f"{len(same)} more rows: {same[0].message}") for same in rest.values()]


def _joined(same: list[Finding], message: str) -> Finding:
    rows = tuple(dict.fromkeys(note.row for note in same if note.row is not None))
    indices = {note.message_index for note in same}
    where = indices.pop() if len(indices) == 1 else None
    several = rows[:_KEPT_ROWS] if len(rows) > 1 else ()
    return same[0].model_copy(update={"message": message, "row": rows[0], "rows": several, "message_index": where})


class _Counter:
    def __init__(self) -> None:
        self.rows = 0
        self.notes: list[Finding] = []
        self._overlong: dict[int, None] = {}
        self._unlearned: dict[int, None] = {}
        self._stopless: dict[int, None] = {}
        self._samples = self._tokens = self._learned = self._longest = 0

    def take(self, sample: Sample | Pair, max_length: int, overlong: Overlong) -> Sample | Pair | None:
        length = _length(sample)
        self._longest = max(self._longest, length)
        self.notes += sample.notes
        if length > max_length:
            self._overlong[sample.row] = None
            if overlong != "truncate":
                return None
            sample = cut(sample, max_length)
        learned = _learned(sample)
        if not learned:
            self._unlearned[sample.row] = None
            return None
        self._samples += 1
        self._tokens += _size(sample)
        self._learned += learned
        if not sample.stops:
            self._stopless[sample.row] = None
        return sample

    def result(self) -> Counts:
        return Counts(
            rows=self.rows,
            samples=self._samples,
            tokens=self._tokens,
            learned_tokens=self._learned,
            longest=self._longest,
            overlong=tuple(self._overlong),
            unlearned=tuple(self._unlearned),
            stopless=tuple(self._stopless),
            notes=tuple(self.notes),
        )


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


def cut(sample: Sample | Pair, max_length: int) -> Sample | Pair:
    """Cut the end of a sample off."""
    if isinstance(sample, Sample):
        if len(sample.input_ids) <= max_length:
            return sample
        return sample._replace(input_ids=sample.input_ids[:max_length], labels=sample.labels[:max_length], stops=False)
    if _length(sample) <= max_length:
        return sample
    room = max(0, max_length - len(sample.prompt_ids))
    return sample._replace(chosen_ids=sample.chosen_ids[:room], rejected_ids=sample.rejected_ids[:room], stops=False)
