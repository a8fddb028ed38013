"""Answers on disk: a file of lines that only grows. A killed program loses what was on its way, and nothing else.

Each answer is written at once, as one line, and the disk is made to hold it within a second or so. A line that was torn is cut off when
the file is next opened. An index in memory (about 200 bytes an answer) says where each answer stands; its text stays on disk.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from pydantic import ValidationError

from anytune.errors import ConfigError
from anytune.evaluation.money.tally import Tally
from anytune.evaluation.values import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Key", "Line", "Store"]

_SYNC_S = 1.0
"""An answer may be lost to a power cut for so long; to a killed program for no time."""


class Key(NamedTuple):
    """What an answer is found by: the sha256 of the request, and the number of the repeat."""

    request: bytes
    repeat: int


class Line(Answer):
    """An answer as it stands in the file.

    Attributes:
        model: Key of the endpoint that was asked.
        reserved_usd: What was set aside for it: it counts as its cost where the host counted no tokens.
    """

    model: str = ""
    reserved_usd: float | None = None


class Store:
    """The answers of an evaluation, as a context manager: one process at a time.

    Args:
        folder: Where `answers.jsonl` lies; it is made.
        clock: Gives monotonic seconds.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep the folder; it is opened as a context manager."""
        from filelock import FileLock  # noqa: PLC0415 - naming a class needs no lock

        self.folder, self.path = folder, folder / "answers.jsonl"
        self._owner = folder / "answers.pid"
        self._lock = FileLock(folder / "answers.lock", timeout=0, mode=0o600)
        self._clock = clock
        self._guard = threading.Lock()
        self._places: dict[Key, int] = {}
        self._failed: dict[Key, int] = {}
        self._tallies: dict[str, Tally] = {}
        self._file = -1
        self._size = 0
        self._synced_at = clock()

    def __enter__(self) -> Self:
        """Take the folder, and read what is there.

        Raises:
            ConfigError: Another process asks in this folder, or it cannot be written to.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take()
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._read()
        except OSError as error:
            self._release()
            raise self._unwritable(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder back; what still arrives is dropped."""
        with self._guard:
            self._release()

    def __len__(self) -> int:
        """Count the answers that are good."""
        return len(self._places)

    def __contains__(self, key: Key) -> bool:
        """Tell whether there is a good answer: a failed one is asked again."""
        return key in self._places

    def knows(self, key: Key) -> bool:
        """Tell whether there is an answer, good or failed."""
        return key in self._places or key in self._failed

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """What all answers so far took, by the key of their endpoint."""
        return self._tallies

    def get(self, key: Key) -> Answer | None:
        """Give an answer, good or failed; None where there is none."""
        with self._guard:
            place = self._places.get(key, self._failed.get(key))
            line = None if place is None else self._line(place)
        return None if line is None else Answer.model_validate(line.model_dump(exclude={"model", "reserved_usd"}))

    def append(self, line: Line) -> None:
        """Write an answer down at once.

        Raises:
            ConfigError: The disk is full, or broken.
        """
        raw = line.model_dump_json().encode() + b"\n"
        with self._guard:
            if self._file < 0:
                return
            try:
                self._write(raw)
                if (now := self._clock()) - self._synced_at >= _SYNC_S:
                    os.fsync(self._file)
                    self._synced_at = now
            except OSError as error:
                raise self._unwritable(error) from error
            self._index(line, self._size)
            self._size += len(raw)

    def _write(self, raw: bytes) -> None:
        if os.write(self._file, raw) < len(raw):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _take(self) -> None:
        from filelock import Timeout  # noqa: PLC0415 - as above

        try:
            self._lock.acquire()
        except Timeout:
            pid = self._owner.read_text(encoding="utf-8") if self._owner.exists() else "?"
            raise ConfigError(
                f"Process {pid} is asking in {self.folder} right now.", fix="Wait for it, or give the evaluation another name or folder."
            ) from None
        self._owner.write_text(str(os.getpid()), encoding="utf-8")

    def _release(self) -> None:
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
        self._lock.release()

    def _read(self) -> None:
        """Index the whole lines, and cut off what a killed program left of one."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            for raw in file:
                if not raw.endswith(b"\n"):
                    os.ftruncate(self._file, self._size)
                    break
                if (line := _parsed(raw)) is not None:
                    self._index(line, self._size)
                self._size += len(raw)

    def _line(self, place: int) -> Line | None:
        raw = b""
        while not raw.endswith(b"\n"):
            part = os.pread(self._file, 1 << 14, place + len(raw))
            if not part:
                return None
            raw += part[: part.find(b"\n") + 1] if b"\n" in part else part
        return _parsed(raw)

    def _index(self, line: Line, place: int) -> None:
        key = Key(bytes.fromhex(line.request), line.repeat)
        (self._failed if line.error else self._places)[key] = place
        if not line.error:
            self._failed.pop(key, None)
        self._tallies[line.model] = self._tallies.get(line.model, Tally()).plus(line, line.reserved_usd)

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"{self.folder} cannot be written to: {error.strerror}.", fix="Make room or correct its permissions; what was answered is kept."
        )


def _parsed(raw: bytes) -> Line | None:
    try:
        line = Line.model_validate_json(raw)
        bytes.fromhex(line.request)
    except (ValidationError, ValueError):
        return None  # a page that a power cut left empty: asked again
    return line
