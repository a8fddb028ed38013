"""What is wrong with data files, before anything is sent. Knows rows and rules, no backend.

Each file is read once, in memory that does not grow with it but for 24 bytes a row. Plain rows take the short way of
`anytune.data.check.fast`; all others are judged by the schemas.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

from anytune.codes import CODES, finding
from anytune.data.check.collector import Collector
from anytune.data.files import resolve
from anytune.data.rules import OPEN
from anytune.data.tokens import ENCODINGS, load
from anytune.errors import ConfigError
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anytune.data.check.watch import Watcher
    from anytune.data.report import Report
    from anytune.data.rules import Rules
    from anytune.values import Finding

__all__ = ["CHECKS", "check"]

CHECKS = {
    "tokens": frozenset[str](),
    "secrets": frozenset({"secret"}),
    "personal-data": frozenset({"personal-data"}),
    "near-duplicates": frozenset({"near-duplicate-rows", "near-leaked-rows"}),
}
"""Checks that can be left out by a name of their own, and the codes that they find; every other code can be left out by itself."""


def check(
    path: str | Path,
    method: str | None = None,
    *,
    validation: str | Path | None = None,
    rules: Rules = OPEN,
    grader: dict[str, Any] | None = None,
    deep: bool = False,
    skip: Iterable[str] = (),
    tokens: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Find all that is wrong with a training file, and with a validation file beside it.

    Args:
        path: JSONL, JSON, CSV, TSV or Parquet, packed or not, in any known format; a folder of them, or `hf:owner/name`.
        method: `sft`, `dpo`, `orpo`, `reward`, `clm`, `kto`, `rft`: rows of another kind are errors. None takes any kind.
        validation: A second file: leaks from one into the other are found.
        rules: What the target takes, as `anytune.catalog.rules` gives it.
        grader: A grader's definition (OpenAI's JSON): rows must have the fields that it names.
        deep: Look for near duplicates, secrets and personal data in all rows of files over 50,000 rows; else in a sample of 5,000.
        skip: What to leave out: names of `CHECKS`, or codes of findings; each leaves a finding `not-checked`.
        tokens: Count tokens, where `rules.encoding` says how.
        progress: Called now and then with the bytes that were read, and the bytes in all.

    Raises:
        DataError: A file cannot be read at all.
        ConfigError: `skip` names nothing that is known.

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile(suffix=".jsonl") as file:
        ...     _ = file.write(b'{"prompt": "2 + 2?", "completion": ""}'), file.flush()
        ...     check(file.name, "sft").findings[0].code
        'empty-answer'
    """
    skipped = _skipped(skip)
    encoding = rules.encoding if tokens and "tokens" not in skipped else None
    if encoding in ENCODINGS:
        Thread(target=load, args=(encoding,)).start()  # goes on while parsers and checks are loaded
    from anytune.data.check.run import Run, Wanted  # noqa: PLC0415 - parsers and counters, which only a check needs

    codes = frozenset(code for name in skipped for code in CHECKS.get(name, {name}))
    run = Run(
        Wanted(method, rules, grader),
        resolve(path),
        None if validation is None else resolve(validation),
        encoding=encoding,
        deep=deep,
        watchers=_watchers(codes),
        collector=Collector(codes),
        progress=progress,
    )
    run.collector.add(_left_out(skipped))
    if grader is not None:
        from anytune.data.graders import judge_grader  # noqa: PLC0415 - reinforcement only

        run.collector.add(judge_grader(grader))
    return run.report()


def _skipped(skip: Iterable[str]) -> frozenset[str]:
    skipped = frozenset(skip)
    known = [*CHECKS, *CODES]
    for name in sorted(skipped):
        if name not in known:
            guess = nearest(name, known)
            fix = f"Did you mean `{guess}`?" if guess else f"There is: {', '.join(CHECKS)}, and every code of a finding."
            raise ConfigError(f"No check {name!r} can be left out.", fix=fix)
    return skipped


def _left_out(skipped: frozenset[str]) -> list[Finding]:
    return [
        finding("not-checked", f"`{name}` was left out, as asked.", "Leave it in before you trust the data.") for name in sorted(skipped)
    ]


def _watchers(codes: frozenset[str]) -> list[Watcher]:
    found: list[Watcher] = []
    if not codes >= CHECKS["near-duplicates"]:
        from anytune.data.check.near import Near  # noqa: PLC0415 - a compiled library, where it is wanted

        found.append(Near())
    secrets, personal = (not codes >= CHECKS[name] for name in ("secrets", "personal-data"))
    if secrets or personal:
        from anytune.data.check.private import Private  # noqa: PLC0415 - large tables, where they are wanted

        found.append(Private(secrets=secrets, personal=personal))
    return found
