"""Settings that were set and that the target has no word for, and the names that settings were taken as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from anytune.codes import finding
from anytune.settings import nearest

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["losses", "renamed"]


def losses(spec: TrainingSpec, backend: Backend) -> list[Finding]:
    """List the settings that were set and that the backend has no word for."""
    able = backend.capabilities
    found = []
    if spec.method.type not in able.methods:
        offers = ", ".join(sorted(able.methods))
        found.append(finding("method", f"{backend.name} does not offer method {spec.method.type!r}.", f"It offers: {offers}."))
    if spec.adapter is not None and able.adapters and spec.adapter.type not in able.adapters:
        offers = ", ".join(sorted(able.adapters))
        found.append(finding("adapter", f"{backend.name} does not offer adapter {spec.adapter.type!r}.", f"It offers: {offers}."))
    severity: Literal["error", "warning"] = "error" if spec.strict else "warning"
    for name, value in spec.settings().items():
        if name in able.settings or (name == "adapter.type" and able.adapters):
            continue
        guess = nearest(name, sorted(able.settings))
        fix = f"Leave it out, or see whether `{guess}` says what you mean." if guess else "Leave it out, or use a backend that knows it."
        found.append(finding("lost", f"{backend.name} has no word for `{name}` (set to {value!r}).", fix, severity=severity))
    return found


def renamed(spec: TrainingSpec) -> list[Finding]:
    """Echo the canonical name of each setting that was given by another one."""
    return [finding("alias", f"`{alias}` is taken as `{name}`.") for alias, name in spec.aliases_used().items()]
