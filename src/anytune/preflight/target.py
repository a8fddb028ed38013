"""Data files against a target — backend, model, method — without a spec: what `anytune data check` does. Reads only, creates nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from anytune import profiles
from anytune.codes import finding
from anytune.data import check, describe
from anytune.data.files import resolve
from anytune.data.rows import METHODS
from anytune.data.rules import OPEN
from anytune.errors import AnytuneError, BackendMissing, ConfigError
from anytune.preflight.files import prepared, with_files
from anytune.preflight.hosts import catalogued, held
from anytune.preflight.money import stats_of
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date
    from pathlib import Path

    from anytune.backend import Backend
    from anytune.data.report import Report, TokenCounts
    from anytune.data.rules import Rules
    from anytune.spec import TrainingSpec
    from anytune.values import Finding, Quote

__all__ = ["check_data"]

_RENDERED_ROWS = 50_000
"""Rows that are rendered for the sake of their token counts: a model's own template and tokenizer do some thousand a second."""


def check_data(
    path: str | Path,
    method: str | None = None,
    *,
    backend: str | Backend | None = None,
    model: str | None = None,
    validation: str | Path | None = None,
    encoding: str | None = None,
    grader: dict[str, Any] | None = None,
    deep: bool = False,
    skip: Iterable[str] = (),
    today: date | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Check data files by themselves, or for a target: with its host's dated rules, or with the model's own template where it is local.

    A hosted backend's rules need no plugin and no key. A local backend that is not installed leaves a finding `not-checked`.

    Args:
        path: The training file.
        method: `sft`, `dpo`, `orpo`, `reward`, `clm`, `kto`, `rft`; with a backend `sft` by default, without one any kind of row is right.
        backend: A backend's name, a profile, or a backend that is set up.
        model: The base model.
        validation: The validation file.
        encoding: Count tokens in this encoding whatever the target: `o200k_base` or `cl100k_base`.
        grader: A grader's definition.
        deep: Look for near duplicates, secrets and personal data in all rows.
        skip: Checks to leave out.
        today: The day that closing dates are held against; the clock's by default.
        progress: Called with the bytes read, and the bytes in all.

    Raises:
        DataError: A file cannot be read.
        ConfigError: The model is given without a backend, or a name is not known.
        BackendMissing: Neither a plugin nor a catalogue has the backend's name.
    """
    path, validation = resolve(path), None if validation is None else resolve(validation)
    if backend is None and model is not None:
        raise ConfigError("A model without its backend says too little.", fix="Give the backend too.")
    if backend is None and method is not None and method not in METHODS:
        guess = nearest(method, sorted(METHODS))
        fix = f"Did you mean `{guess}`?" if guess else f"Give one of {', '.join(sorted(METHODS))}, or the backend that has it."
        raise ConfigError(f"No method {method!r} is known.", fix=fix)
    method = method if backend is None else method or "sft"
    target = _Target(OPEN, [], None) if backend is None else _target(backend, model, method or "sft", today)
    rules = target.rules if encoding is None else target.rules.model_copy(update={"encoding": encoding})
    how: dict[str, Any] = {"grader": grader, "deep": deep, "skip": skip, "progress": progress, "tokens": "tokens" not in skip}
    report = check(path, method, validation=validation, rules=rules, **how)
    said, tokens, quote = target.findings, report.tokens, None
    if report.ok and model is not None:
        quote = _quote(target.host, model, method or "sft", report)
        if target.local is not None:
            learned = {"type": method or "sft"} | ({} if grader is None else {"grader": grader})
            more, counted = _as_trained(target.local, model, learned, path, validation, rows=0 if "tokens" in skip else report.rows)
            said, tokens = [*said, *more], tokens or counted
    return report.model_copy(update={"findings": (*report.findings, *said), "tokens": tokens, "quote": quote})


class _Target:
    """What is known of a target: its rules, what speaks against it today, its backend, where that can render rows here, and its host."""

    def __init__(self, rules: Rules, findings: list[Finding], local: Backend | None, host: str | None = None) -> None:
        self.rules, self.findings, self.local, self.host = rules, findings, local, host


def _target(word: str | Backend, model: str | None, method: str, today: date | None) -> _Target:
    from anytune import catalog  # noqa: PLC0415 - a check without a target needs none of it

    name = word if isinstance(word, str) else word.name
    installed: Backend | None = None
    try:
        installed = profiles.configured(word)
    except BackendMissing:
        name = profiles.backend_of(name)
        if name not in catalog.hosts():
            raise
    except ConfigError:  # without its key a hosted backend cannot be set up; its rules can be read
        name = profiles.backend_of(name)
        if name not in catalog.hosts():
            raise
    if installed is None:
        rules, found = catalogued(name, model, method, today)
        return _Target(rules, [*found, *_absent(name, rules)], None, name)
    rules, found = held(installed, model, method, today)
    able = installed.capabilities
    if method not in able.methods and not any(each.code == "method" for each in found):
        offers = ", ".join(sorted(able.methods))
        found = [*found, finding("method", f"{installed.name} does not offer method {method!r}.", f"It offers: {offers}.")]
    return _Target(rules, found, installed if able.local else None, None if able.local else installed.catalog)


def _quote(host: str | None, model: str, method: str, report: Report) -> Quote | None:
    """Say what the rows would cost at the host, by the catalogue's dated prices."""
    if host is None or report.tokens is None:
        return None
    from anytune import catalog  # noqa: PLC0415 - a check without a target needs none of it

    return catalog.quote(host, model, method, stats_of(report))


def _absent(name: str, rules: Rules) -> list[Finding]:
    """Say what could not be looked at without the plugin: nothing, where the host's tokens are counted by a known encoding."""
    if rules.encoding is not None:
        return []
    message = f"Template, stop token and lengths were not checked: backend {name} is not installed."
    return [finding("not-checked", message, f'Install it: `pip install "anytune[{name}]"`.')]


def _as_trained(
    backend: Backend, model: str, method: dict[str, Any], path: Path, validation: Path | None, *, rows: int
) -> tuple[list[Finding], TokenCounts | None]:
    """Let a local backend look at the rows as its model will see them, and count them so."""
    from anytune.spec import TrainingSpec  # noqa: PLC0415 - only where rows are rendered

    given: dict[str, Any] = {"backend": backend.name, "model": model, "train": path, "validation": validation, "method": method}
    try:
        spec = TrainingSpec.model_validate(given)
    except ValueError:
        return [finding("not-checked", f"The rows were not rendered: {backend.name} has no method {method['type']!r}.")], None
    try:
        files = {"train": describe(path, "train")} | ({} if validation is None else {"validation": describe(validation, "validation")})
        ready, said = prepared(files, spec.method.type, backend, allow_loss=False)
        spec = with_files(spec, ready)
        said = [*said, *backend.check(spec, list(ready.values()))]
        if rows == 0 or any(each.severity == "error" for each in said) or "render" not in backend.capabilities.abilities:
            return said, None
        if rows > _RENDERED_ROWS:
            message = f"Tokens were not counted: rendering {rows:,} rows takes minutes."
            return [*said, finding("not-checked", message, "`anytune data stats` counts them.")], None
        return said, _counted(backend, spec, model)
    except AnytuneError as error:
        return [finding("not-checked", f"The rows were not looked at as {model} sees them: {error.message}", error.fix)], None


def _counted(backend: Backend, spec: TrainingSpec, model: str) -> TokenCounts | None:
    from anytune.data.stats import stats  # noqa: PLC0415 - only where rows are rendered

    return stats(spec.train, encoding=model, render=partial(backend.render, spec, pieces=False)).tokens
