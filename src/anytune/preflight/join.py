"""Joining what data, catalogue and backend know: offline first, then the backend's own read-only look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data import check
from anytune.errors import Unsupported
from anytune.preflight.allow import allowable, final
from anytune.preflight.files import describe, pinned, prepared, with_files
from anytune.preflight.hosts import held
from anytune.preflight.losses import losses, renamed
from anytune.preflight.money import over, quoted, stats_of, too_many
from anytune.preflight.result import Preflight
from anytune.preflight.twins import twins
from anytune.values import Quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from anytune.backend import Backend
    from anytune.data.rules import Rules
    from anytune.retry import Retry
    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["preflight"]

_LOSSES = frozenset({"dropped-feature", "lossy-read"})
"""Codes of what a conversion leaves out; naming one lets the conversion go on where it changes what is learned."""


def preflight(
    spec: TrainingSpec,
    backend: Backend,
    *,
    retry: Retry,
    spent: tuple[float, float] = (0.0, 0.0),
    allow: Iterable[str] = (),
    skip: Iterable[str] = (),
    deep: bool = False,
    probe: bool = False,
    today: date | None = None,
    ledger: Callable[[], str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Preflight:
    """Check a spec and its data against a backend. Nothing is created anywhere; converted files and Hub files are kept in the state folder.

    Args:
        spec: What is wanted.
        backend: Who would train it.
        retry: The retry layer, for what the backend reads.
        spent: US dollars and minutes that earlier attempts took.
        allow: Codes of findings that shall not stop the job.
        skip: Checks of the data to leave out, as for `anytune.data.check`.
        deep: Check all rows of long files for near duplicates, secrets and personal data.
        probe: Measure speed and memory by a few real steps, where the backend can.
        today: The day that closing dates are held against; the clock's by default.
        ledger: Gives the id of the ledger that asks: the same run of another one is looked for.
        progress: Called with the bytes read, and the bytes in all.

    Raises:
        DataError: A file is missing, empty or cannot be read.
        ConfigError: A code cannot be allowed, or a check's name is not known.
        Unsupported: `probe`, and the backend cannot.
    """
    allowed = allowable(allow)
    method, model = spec.method.type, spec.model_for(spec.backend, backend.name)
    if probe and "probe" not in backend.capabilities.abilities:
        raise Unsupported(f"Backend {backend.name!r} cannot try a run out.", fix="Leave `probe` out.", backend=backend.name)
    files = describe(spec)
    lost = losses(spec, backend)
    rules, said = held(backend, model, method, today)
    validation = files["validation"].path if "validation" in files else None
    how: dict[str, Any] = {"grader": spec.method.grader if spec.method.type == "rft" else None, "deep": deep, "skip": skip}
    report = check(files["train"].path, method, validation=validation, rules=rules, progress=progress, **how)
    found = Preflight(
        findings=_once([*report.findings, *pinned(files), *said], besides=lost),
        losses=tuple(lost),
        quote=Quote(),
        stats=stats_of(report),
        data=files,
        uploads=files,
        report=report,
    ).allowing(allowed)
    if found.ok:
        found = _with_uploads(found, method, backend, allow_loss=not allowed.isdisjoint(_LOSSES)).allowing(allowed)
    if found.ok:
        found = _with_backend(found, spec, backend, rules, retry=retry, spent=spent, probe=probe, allowed=allowed)
    if found.ok and ledger is not None:
        found = _with(found, twins(spec, backend, files, ledger=ledger, retry=retry)).allowing(allowed)
    return found.model_copy(update={"findings": (*found.findings, *renamed(spec))})


def _with(found: Preflight, said: Iterable[Finding]) -> Preflight:
    return found.model_copy(update={"findings": (*found.findings, *said)})


def _with_uploads(found: Preflight, method: str, backend: Backend, *, allow_loss: bool) -> Preflight:
    uploads, said = prepared(found.data, method, backend, allow_loss=allow_loss)
    known = {(each.code, each.message, each.file) for each in found.findings}
    new = tuple(each for each in said if (each.code, each.message, each.file) not in known)
    return found.model_copy(update={"uploads": uploads, "findings": (*found.findings, *new)})


def _with_backend(
    found: Preflight,
    spec: TrainingSpec,
    backend: Backend,
    rules: Rules,
    *,
    retry: Retry,
    spent: tuple[float, float],
    probe: bool,
    allowed: frozenset[str],
) -> Preflight:
    """Let the backend look, and quote where nothing stands in the way."""
    ready = with_files(spec, found.uploads)
    uploads = list(found.uploads.values())
    said, allowed = final(retry.read(lambda: backend.check(ready, uploads), backend=backend), backend, allowed)
    found = found.model_copy(update={"findings": (*found.findings, *said)}).allowing(allowed)
    if not found.ok:
        return found
    quote = quoted(ready, backend, found.stats, retry)
    if probe:
        quote = backend.probe(ready, uploads)
    money = (*too_many(quote, rules), *over(spec.budget, quote, spent))
    return found.model_copy(update={"quote": quote, "findings": (*found.findings, *money)}).allowing(allowed)


def _once(findings: Sequence[Finding], *, besides: Sequence[Finding]) -> tuple[Finding, ...]:
    """Leave out what the losses say already: both know which methods a backend offers."""
    codes = {each.code for each in besides if each.code == "method"}
    return tuple(each for each in findings if each.code not in codes)
