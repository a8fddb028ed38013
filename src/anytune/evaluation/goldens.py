"""A file of captured answers: a header, then one answer a line, appended as they come. Whoever is killed loses what was in flight.

| line | what |
|---|---|
| first | `Header`: of which rows, by which model, asked how |
| others | `Line`: an answer, with the model as its host named it |

An answer that failed is a line too, and is asked again by the next run; of two lines of one case and repeat the later one counts.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import date, datetime
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError

from anytune.errors import ConfigError, DataError
from anytune.evaluation.values import Answer
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from io import TextIOWrapper

__all__ = ["ARM", "Captured", "Header", "Keeper", "Line", "captured"]

ARM = "captured"
"""What the arm of captured answers is called where it has no other name."""


class Header(Value):
    """What a file of captured answers is of.

    Attributes:
        version: Of this shape.
        model: What was asked, by the name that was sent.
        backend: The backend's name; empty for an address.
        data: Name of the file of held-out rows.
        data_sha256: Of its bytes.
        cases: How many questions it holds.
        samples: How often each is asked.
        params: What was sent with each question.
        answers_until: The day from which the model answers no more, as the catalogue knew it; None where it knows none.
        began: When the first run began.
    """

    anytune_capture: Literal[1] = 1
    model: str
    backend: str = ""
    data: str
    data_sha256: str
    cases: int
    samples: int
    params: dict[str, Any] = Field(default_factory=dict)
    answers_until: date | None = None
    began: datetime


class Line(Answer):
    """One answer, as an evaluation takes it, with what its host said of itself.

    Attributes:
        row: 1-based place of the case in the file of rows.
        model: The model's name as the host said it: hosts name the very version.
    """

    row: int
    model: str = ""


class Captured(Value):
    """All that a file holds.

    Attributes:
        path: The file.
        header: Of what.
        answers: By case and repeat; failed ones too.
    """

    path: str
    header: Header
    answers: dict[tuple[str, int], Line]

    @property
    def missing(self) -> int:
        """How many answers have not come yet, or failed."""
        return self.header.cases * self.header.samples - sum(not line.error for line in self.answers.values())

    @property
    def agreement(self) -> float | None:
        """Share of pairs of answers to one question that are the same, letter by letter; None where no question was answered twice.

        It is what a new model can be held against: the old one does not agree with itself more often than that.
        """
        said: dict[str, list[tuple[Any, ...]]] = {}
        for line in self.answers.values():
            if not line.error:
                said.setdefault(line.case, []).append((line.text, str(_bare(line.tool_calls))))
        pairs = [same for answers in said.values() for same in (one == two for one, two in combinations(answers, 2))]
        return sum(pairs) / len(pairs) if pairs else None

    @property
    def models(self) -> dict[str, int]:
        """How many answers each model gave, by the name its host told."""
        return dict(Counter(line.model for line in self.answers.values() if not line.error))


def captured(path: Path | str) -> Mapping[tuple[str, int], Answer]:
    """Give the answers of a file by case and repeat: what an arm needs that asks nobody. Answers that failed are left out.

    Raises:
        DataError: It is no such file.
    """
    return {key: line for key, line in read(Path(path)).answers.items() if not line.error}


def read(path: Path) -> Captured:
    """Read a file of captured answers. A line that was torn by a kill is passed over.

    Raises:
        DataError: It cannot be read, or is no such file.
    """
    try:
        first, *rest = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.", fix="`anytune capture` writes such a file.") from error
    try:
        header = Header.model_validate_json(first)
    except ValidationError:
        raise DataError(f"{path} is no file of captured answers.", fix="Give one that `anytune capture` has written.") from None
    found: dict[tuple[str, int], Line] = {}
    for text in rest:
        try:
            line = Line.model_validate_json(text)
        except ValidationError:
            continue
        found[line.case, line.repeat] = line
    return Captured(path=str(path), header=header, answers=found)


class Keeper:
    """Writes a file of captured answers, as a context manager; one process at a time.

    Args:
        path: The file; what an earlier run left in it is kept.
        header: What it is to be of.

    Raises:
        ConfigError: The file is of other rows, another model or other parameters; or another process writes it.
    """

    def __init__(self, path: Path, header: Header) -> None:
        """Keep the parts; nothing is opened yet."""
        self._path, self.header = path, header
        self.known: dict[tuple[str, int], Line] = {}
        self._file: TextIOWrapper | None = None

    def __enter__(self) -> Self:
        """Take the file, write its header and its whole lines anew, and stand at its end."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only for files that are written

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{self._path}.lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise ConfigError(f"Another process writes {self._path}.", fix="Wait for it, or give another file by `--out`.") from None
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Have everything on the disk, and let go."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self._lock.release()

    def keep(self, line: Line) -> None:
        """Append an answer; it is out of this process when this returns."""
        self.known[line.case, line.repeat] = line
        _append([line.model_dump_json(exclude_defaults=True)], self._file)

    def _begin(self) -> None:
        if self._path.exists() and self._path.stat().st_size:
            before = read(self._path)
            self.header = _continued(before.header, self.header, self._path)
            self.known = {key: line for key, line in before.answers.items() if not line.error}
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            _append([self.header.model_dump_json(), *(line.model_dump_json(exclude_defaults=True) for line in self.known.values())], file)
            os.fsync(file.fileno())
        draft.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8")


def _append(lines: Iterable[str], file: TextIOWrapper | None) -> None:
    if file is not None:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()


def _continued(old: Header, new: Header, path: Path) -> Header:
    """Go on with a file, where the questions are the same; more samples may be wanted than before."""
    for name in ("model", "data_sha256", "params", "cases"):
        was, wanted = getattr(old, name), getattr(new, name)
        if was != wanted:
            shown = "" if name == "data_sha256" else f": it has {was!r}, and {wanted!r} is wanted"
            raise ConfigError(f"{path} is a capture of another `{name}`{shown}.", fix="Give another file by `--out`.")
    return new.model_copy(update={"samples": max(old.samples, new.samples), "began": old.began})


def _bare(calls: Iterable[dict[str, Any]]) -> list[Any]:
    """Give calls without their ids, which differ each time."""
    return [call.get("function") for call in calls]
