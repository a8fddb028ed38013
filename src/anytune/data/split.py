"""Splitting a data file into training, validation and test rows: by hash, so that the same seed gives the same split on every machine.

Rows that are equal, or ask the same, never stand on two sides; with `near`, neither do rows that are nearly the same. The rule that places
rows is `anytune.data.assign`; what was done stands in `split.json` beside the files, without times or paths, so that it can be compared.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from anytune.data import assign as rule
from anytune.data.fields import ANSWER, label
from anytune.data.files import describe, lines, resolve
from anytune.data.formats import read
from anytune.data.manifest import MANIFEST, Part, Split, Wish
from anytune.data.rows import kind_of, split_input, texts, word_of
from anytune.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anytune.values import Finding

__all__ = ["MANIFEST", "Part", "Split", "split"]

MAX_STRATA = 1000
"""More strata than that are hardly classes: the path leads to a text of its own in each row."""

_OPENAI_KEYS = frozenset({"input", "preferred_output", "non_preferred_output"})
_SHOWN = 5


def split(
    source: str | Path,
    out: Path,
    *,
    validation: float = 0.1,
    test: float = 0,
    seed: int = 0,
    group_by: str | None = None,
    stratify_by: str | None = None,
    dedup: bool = True,
    near: bool = False,
    force: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Split:
    """Split a file into `train.jsonl`, `validation.jsonl` and, where asked for, `test.jsonl`.

    The file is read twice, row by row; at most 200 bytes a row are held. Rows are written in the file's order, as anytune's own rows.
    Nothing is put in place before all of it is written.

    Args:
        source: A data file of any format that is read, or `hf:owner/name`.
        out: Folder of the new files; it is made.
        validation: Share of the rows, below 1, or their number.
        test: The same; 0 for no test file.
        seed: Another seed gives another split.
        group_by: Path of a value whose rows stay together, such as `user` or `metadata.thread` (see `anytune.data.fields`).
        stratify_by: Path of a value that has the same share on all sides, within a row, such as `answer.intent`.
        dedup: Write rows that are equal only once.
        near: Keep rows together that are nearly the same.
        force: Overwrite files that are there.
        progress: Called with the number of rows done, over both readings.

    Raises:
        ConfigError: The shares are impossible, or files are there already.
        DataError: The file cannot be read, has bad rows, or a side would be empty.
    """
    wish = Wish(seed=seed, validation=validation, test=test, group_by=group_by, stratify_by=stratify_by, dedup=dedup, near=near)
    return _split(resolve(source), out, wish, force=force, told=_Progress(progress))


def _split(path: Path, out: Path, wish: Wish, *, force: bool, told: _Progress) -> Split:
    _possible(wish.validation, wish.test)
    names = ["train", "validation", *(["test"] if wish.test else [])]
    targets = {name: out / f"{name}.jsonl" for name in names}
    _free([*targets.values(), out / MANIFEST], path, force=force)
    rows = _Rows(path, wish.group_by, wish.stratify_by, told)
    seen = rows.see(near=wish.near)
    sides = rule.assign(seen, wish.seed, wish.validation, wish.test, dedup=wish.dedup)
    _filled(sides, names)
    whole = describe(path, "train")
    counts = {name: _by_stratum(seen, sides, side) for side, name in enumerate(names)}
    try:
        digests = rows.write(sides, targets)
    except OSError as error:
        fix = "Make room, give another folder, or correct its permissions."
        raise DataError(f"{out} cannot be written to: {error.strerror}.", fix=fix) from error
    done = Split(
        mode=wish.mode,
        **dict(wish),
        source=path.name,
        source_sha256=whole.sha256,
        source_rows=len(seen),
        left_out=sides.count(rule.LEFT_OUT),
        removed_keys=tuple(sorted(rows.removed)),
        findings=rows.findings,
        parts={
            name: Part(file=targets[name].name, rows=sides.count(side), sha256=digests[name], strata=counts[name])  # type: ignore[misc]
            for side, name in enumerate(names)
        },
    )
    _put(out / MANIFEST, done)
    return done


class _Progress:
    """Counts rows over both readings, and tells now and then."""

    def __init__(self, tell: Callable[[int], object] | None) -> None:
        self._tell = tell
        self._rows = 0

    def step(self) -> None:
        self._rows += 1
        if self._tell is not None and self._rows % 1000 == 0:
            self._tell(self._rows)


class _Rows:
    """The rows of a file, read as often as needed, with what they are grouped and stratified by."""

    def __init__(self, path: Path, group_by: str | None, stratify_by: str | None, progress: _Progress) -> None:
        self._path, self._group_by, self._stratify_by, self._progress = path, group_by, stratify_by, progress
        self._tops = {path.partition(".")[0] for path in (group_by, stratify_by) if path}
        self.removed: set[str] = set()
        self.findings: tuple[Finding, ...] = ()

    def see(self, *, near: bool) -> rule.Seen:
        """Read all rows once, and keep their hashes."""
        seen, bad = rule.Seen(), []
        nearness = _Nearness() if near else None
        for number, raw, row, problem in self._read():
            if problem:
                bad.append(f"row {number} is {problem}")
                continue
            if kind_of(row) is None:
                bad.append(f"row {number} is of no known kind")
                continue
            seen.content.append(rule.hash64(_canonical(row)))
            seen.asks.append(rule.hash64(_canonical(_asks(row))))
            if self._group_by:
                seen.groups.append(rule.hash64(_at(raw, row, self._group_by, number).encode(errors="surrogatepass")))
            if self._stratify_by:
                stratum = _at(raw, row, self._stratify_by, number)
                seen.strata.append(seen.labels.setdefault(stratum, len(seen.labels)))
                _few(seen.labels, self._stratify_by)
            if nearness is not None:
                nearness.take(row)
        if bad:
            more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
            raise DataError(
                f"{self._path.name} has bad rows: {'; '.join(bad[:_SHOWN])}{more}.", fix=f"Correct them: anytune data check {self._path}"
            )
        if nearness is not None:
            seen.clusters = nearness.clusters()
        return seen

    def write(self, sides: bytearray, targets: dict[str, Path]) -> dict[str, str]:
        """Read again, write each row to its side, and put all files in place at the end; gives their sha256."""
        with ExitStack() as stack:
            files = [stack.enter_context(_Rising(target)) for target in targets.values()]
            count = 0
            for index, (_, _, row, problem) in enumerate(self._read()):
                if problem or index >= len(sides):
                    break
                count += 1
                if sides[index] != rule.LEFT_OUT:
                    files[sides[index]].put(row)
            if count != len(sides):
                raise DataError(f"{self._path.name} changed while it was split.", fix="Split a file that nobody writes to.")
            for file in files:
                file.finish()
            for file in files:
                file.place()
            return {name: file.sha256 for name, file in zip(targets, files, strict=True)}

    def _read(self) -> Iterator[tuple[int, dict[str, Any], dict[str, Any], str]]:
        """Give each row's number, the row as the file has it, as anytune's own (without keys that only grouping needs), and its problem."""
        reading = read(self._path, self._tops - {ANSWER})
        own = not self._tops or reading.format in {"anytune", "openai-dpo"}
        pairs = ((line, line) for line in reading) if own else zip(lines(self._path), reading, strict=True)
        for line, converted in pairs:
            self._progress.step()
            problem = line.problem or converted.problem
            row = converted.row if problem else self._bare(converted.row)
            self.removed |= self._tops & line.row.keys() - row.keys()
            yield line.number, line.row, row, problem
        self.findings = reading.findings()

    def _bare(self, row: dict[str, Any]) -> dict[str, Any]:
        kind = kind_of(row)
        if kind is None or word_of(kind) == "graded":
            return row
        foreign = {key for key in self._tops if key in row and key not in kind.model_fields and key not in _OPENAI_KEYS}
        return {key: value for key, value in row.items() if key not in foreign} if foreign else row


class _Nearness:
    """Which rows are nearly the same, by the check's own measure."""

    def __init__(self) -> None:
        from anytune.data.check.near import Near  # noqa: PLC0415 - a compiled library, where it is asked for

        self._near = Near()
        self._rows = 0

    def take(self, row: dict[str, Any]) -> None:
        self._near.take(self._rows, list(texts(row)), "train")
        self._rows += 1

    def clusters(self) -> list[tuple[int, ...]]:
        return [found.rows for found in self._near.findings()]


class _Rising:
    """A file that appears when it is finished: until then it has another name, and goes away if it never is."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f".{target.name}.{os.getpid()}.part")
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._stream: BinaryIO = self._part.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._part.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def put(self, row: dict[str, Any]) -> None:
        line = _line(row)
        self._digest.update(line)
        self._stream.write(line)

    def finish(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def place(self) -> None:
        self._part.replace(self._target)


def _possible(validation: float, test: float) -> None:
    for name, wanted in (("validation", validation), ("test", test)):
        if wanted < 0 or (wanted > 1 and wanted != int(wanted)):
            fix = "Give 0.1 for a tenth, or 200 for 200 rows."
            raise ConfigError(f"{name} is {wanted:g}, which is neither a share nor a number of rows.", fix=fix)
    if not validation:
        raise ConfigError("A split needs validation rows.", fix="Give a share such as 0.1, or a number of rows.")
    if validation < 1 and test < 1 and validation + test >= 1:
        raise ConfigError(f"Validation ({validation:g}) and test ({test:g}) leave nothing to train on.", fix="Give smaller shares.")


def _free(targets: list[Path], source: Path, *, force: bool) -> None:
    there = [target for target in targets if target.exists()]
    if any(target.resolve() == source.resolve() for target in there):
        raise ConfigError(f"{source} would be overwritten by its own split.", fix="Give another folder.")
    if there and not force:
        raise ConfigError(f"{there[0]} is there already.", fix="Give another folder, or overwrite it with --force (force=True).")


def _filled(sides: bytearray, names: list[str]) -> None:
    kept = len(sides) - sides.count(rule.LEFT_OUT)
    for side, name in enumerate(names):
        if not sides.count(side):
            raise DataError(
                f"The {name} file would hold none of the {kept} rows.",
                fix="Give numbers of rows instead of shares, another seed, or more rows; groups may be too large.",
            )


def _few(labels: dict[str, int], path: str) -> None:
    if len(labels) > MAX_STRATA:
        raise DataError(
            f"`{path}` has more than {MAX_STRATA:,} values: too many to stratify by.", fix="Give a path to a class, or group by it instead."
        )


def _at(raw: dict[str, Any], row: dict[str, Any], path: str, number: int) -> str:
    found = label(raw, path)
    found = label(row, path) if found is None else found
    if found is None:
        raise DataError(
            f"Row {number} has nothing at `{path}`.",
            fix="Give a path that every row has, such as `user`, `metadata.user` or `answer.intent`.",
        )
    return found


def _asks(row: dict[str, Any]) -> object:
    """Give what rows must not share across sides: of an unpaired row the prompt, since several completions of it are usual."""
    if "label" in row and "prompt" in row:
        return row["prompt"]
    return split_input(row)[0] if kind_of(row) is not None else row


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def _line(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a character: only an escape can write it
        return json.dumps(row).encode() + b"\n"


def _by_stratum(seen: rule.Seen, sides: bytearray, side: int) -> dict[str, int]:
    counts = [0] * len(seen.labels)
    for index, stratum in enumerate(seen.strata):
        counts[stratum] += sides[index] == side
    return {name: counts[stratum] for name, stratum in sorted(seen.labels.items())}


def _put(target: Path, done: Split) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.write_text(done.model_dump_json(indent=2) + "\n", encoding="utf-8")
    part.replace(target)
