"""One check of a training file, with or without a validation file: from the files to the report."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from anytune.codes import finding
from anytune.data.check import sizes
from anytune.data.check.judge import SHAPES
from anytune.data.check.onefile import OneFile, Wanted
from anytune.data.check.repeats import across
from anytune.data.check.watch import ALL_ROWS, Watch, lines_of
from anytune.data.files import blocks, lines
from anytune.data.formats import read
from anytune.data.formats.reading import OWN
from anytune.data.report import FileReport, Report
from anytune.data.rows import wanted, word_of
from anytune.data.tokens import TokenCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anytune.data.check.collector import Collector
    from anytune.data.check.watch import Watcher
    from anytune.data.formats import Reading
    from anytune.data.tokens import TokenTally
    from anytune.values import Finding

__all__ = ["Run", "Wanted"]

Role = Literal["train", "validation"]


@dataclass
class _Read:
    """One file that was read."""

    one: OneFile
    tally: TokenTally | None
    report: FileReport


@dataclass
class Run:
    """One check, from its files to its report."""

    wanted: Wanted
    train: Path
    validation: Path | None
    encoding: str | None
    deep: bool
    watchers: list[Watcher]
    collector: Collector
    progress: Callable[[int, int], object] | None
    _done_bytes: int = 0
    _all_bytes: int = 0

    def report(self) -> Report:
        """Read the files, and sum up."""
        self._all_bytes = sum(path.stat().st_size for path in (self.train, self.validation) if path is not None and path.exists())
        train = self._file("train", self.train)
        validation = self._file("validation", self.validation) if self.validation is not None else None
        for watcher in self.watchers:
            self.collector.add(watcher.findings())
        if validation is not None:
            self.collector.add(_other_kind(train.one, validation.one))
            self.collector.add(across(train.one.repeats, validation.one.repeats))
        elif self.wanted.rules.needs_validation:
            words = f"{self.wanted.rules.target or 'The target'} wants a validation file for {self.wanted.method}."
            self.collector.add([finding("validation-needed", words, "Give one, of rows that are not in the training file.")])
        return Report(
            **dict(train.report),
            findings=self.collector.findings(),
            validation=validation.report if validation is not None else None,
        )

    def _file(self, role: Role, path: Path) -> _Read:
        reading, file = read(path), role if self.validation is not None else None
        with ExitStack() as stack:
            hashed = stack.enter_context(ThreadPoolExecutor(1)).submit(_sha256, path)
            counter = None
            if self.encoding is not None:
                counter = stack.enter_context(TokenCounter(self.encoding, self.wanted.rules.max_row_tokens))
            watch = Watch(path, role, self.watchers, self._lines(path, reading))
            one = OneFile(self.wanted, self.collector, watch, counter, file)
            if reading.format in OWN and reading.container.startswith("jsonl"):
                for block in blocks(path, progress=self._progress):
                    one.block(block)
            else:
                one.lines(reading)
                self.collector.add(reading.findings(), file)
            tally = counter.finish() if counter is not None else None
            report = FileReport(
                rows=one.rows,
                sha256=hashed.result(),
                size_bytes=path.stat().st_size,
                format=reading.format,
                container=reading.container,
                kind=next(iter(one.kinds), ""),
                tokens=tally.counts() if tally is not None else None,
            )
        self._done_bytes += report.size_bytes
        self._progress(0)
        self.collector.add(self._about(role, path.name, one, tally, report.size_bytes), file)
        self.collector.add(watch.findings(one.rows), file)
        return _Read(one, tally, report)

    def _about(self, role: Role, name: str, one: OneFile, tally: TokenTally | None, size_bytes: int) -> Iterable[Finding]:
        """Tell what is to be said of a whole file."""
        rules = self.wanted.rules
        if one.rows == 0:
            word = word_of(wanted(self.wanted.method)[0]) if self.wanted.method is not None else "chat"
            yield finding("no-rows", f"{name} holds no rows.", f"Put one JSON object a line into it, such as {SHAPES[word]}.")
        if len(one.kinds) > 1:
            words = " and ".join(f"{kind} rows (first in row {row:,})" for kind, row in one.kinds.items())
            yield finding("mixed-rows", f"{name} mixes {words}.", "Keep one kind of row in a file.", rows=sorted(one.kinds.values()))
        if len(one.labels) == 1 and one.rows > 1:
            label = str(*one.labels).lower()
            yield finding(
                "one-sided-labels", f"All rows of {name} have the label {label}.", "Add rows with the other label: it is learned from both."
            )
        yield from one.repeats.findings(pairs="preference" in one.kinds)
        yield from sizes.size(name, size_bytes, rules)
        if role == "train":
            yield from sizes.rows(one.rows, one.image_rows, rules)
        if tally is not None:
            yield from sizes.lengths(tally, rules)

    def _lines(self, path: Path, reading: Reading) -> int | None:
        """Give the number of lines of a file that is too long to be looked at closely, else None."""
        if self.deep or not self.watchers:
            return None
        kind, _, packing = reading.container.partition(".")
        count = lines_of(path, packed=bool(packing)) if kind == "jsonl" else sum(1 for _ in lines(path))
        return count if count > ALL_ROWS else None

    def _progress(self, done_bytes: int) -> None:
        if self.progress is not None:
            self.progress(self._done_bytes + done_bytes, self._all_bytes)


def _other_kind(train: OneFile, validation: OneFile) -> Iterable[Finding]:
    """Tell of a validation file whose rows are none of those that the training file has."""
    if train.kinds and validation.kinds and not train.kinds.keys() & validation.kinds.keys():
        kind, row = next(iter(validation.kinds.items()))
        words = f"The validation file has {kind} rows, the training file {' and '.join(train.kinds)} rows."
        found = finding("mixed-rows", words, "Write both files in one kind of row (`anytune data convert` may do it).", row=row)
        yield found.model_copy(update={"file": "validation"})


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
