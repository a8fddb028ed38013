"""Settings that were set and that the target has no word for, and the names that settings were taken as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.codes import finding
from anytune.settings import nearest

if TYPE_CHECKING:
    from anytune.backend import Backend, Capabilities
    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["Lost", "losses", "lost", "renamed"]


class Lost(NamedTuple):
    """What a spec says that a target has no word for.

    Attributes:
        method: The type of its method; None where the target offers it.
        adapter: The type of its adapter, in the same way; also None where the target has no adapters at all.
        settings: Dotted names of settings.
    """

    method: str | None
    adapter: str | None
    settings: tuple[str, ...]


def lost(spec: TrainingSpec, able: Capabilities) -> Lost:
    """Hold a spec against what a target can do."""
    return Lost(
        method=None if spec.method.type in able.methods else spec.method.type,
        adapter=spec.adapter.type if spec.adapter is not None and able.adapters and spec.adapter.type not in able.adapters else None,
        settings=tuple(name for name in spec.settings() if name not in able.settings and not (name == "adapter.type" and able.adapters)),
    )


def losses(spec: TrainingSpec, backend: Backend) -> list[Finding]:
    """List the settings that were set and that the backend has no word for."""
    able = backend.capabilities
    missing = lost(spec, able)
    found = []
    if missing.method is not None:
        offers = ", ".join(sorted(able.methods))
        found.append(finding("method", f"{backend.name} does not offer method {missing.method!r}.", f"It offers: {offers}."))
    if missing.adapter is not None:
        offers = ", ".join(sorted(able.adapters))
        found.append(finding("adapter", f"{backend.name} does not offer adapter {missing.adapter!r}.", f"It offers: {offers}."))
    severity: Literal["error", "warning"] = "error" if spec.strict else "warning"
    values = spec.settings()
    for name in missing.settings:
        guess = nearest(name, sorted(able.settings))
        fix = f"Leave it out, or see whether `{guess}` says what you mean." if guess else "Leave it out, or use a backend that knows it."
        found.append(finding("lost", f"{backend.name} has no word for `{name}` (set to {values[name]!r}).", fix, severity=severity))
    return found


def renamed(spec: TrainingSpec) -> list[Finding]:
    """Echo the canonical name of each setting that was given by another one."""
    return [finding("alias", f"`{alias}` is taken as `{name}`.") for alias, name in spec.aliases_used().items()]
