"""From backend, model and method to the rules that a check of the data holds rows against."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from anytune.catalog import files
from anytune.catalog.names import named
from anytune.data.rules import OPEN, Rules

if TYPE_CHECKING:
    from anytune.catalog.figures import Figure, Host, Method, Model
    from anytune.data.rules import Feature

__all__ = ["rules"]

T = TypeVar("T")


def rules(backend: str, model: str | None = None, method: str | None = None) -> Rules:
    """Give what a target takes.

    Args:
        backend: The backend's name; one without a catalogue gives `OPEN`.
        model: An exact id, a short name or a tuned model's name. Without one, or where it is not known, the host's own limits hold alone.
        method: `sft`, `dpo`, `rft`; None leaves out what only one method refuses.

    Raises:
        ConfigError: A catalogue file of the user's own is wrong.

    Example:
        >>> rules("openai", "gpt-4.1-mini", "dpo").max_row_tokens
        65536
    """
    found = files.opened(backend)
    if found is None:
        return OPEN
    host = found.host
    known = named(host, model) if model is not None else None
    target = f"{backend} with {known.name if known else model}" if model is not None else backend
    if host.any_model:
        return Rules(target=target, source=found.basis, encoding=None)
    entry = known.entry if known else None
    refuses = _refused(host, entry, host.methods.get(method or ""))
    images = "images" not in refuses
    limits, wants = host.limits, host.methods.get(method or "")
    return Rules(
        target=target,
        source=found.basis,
        min_rows=_value(limits.min_rows) or 1,
        recommended_rows=_value(limits.recommended_rows),
        max_rows=_value(limits.max_rows),
        max_images_rows=_value(limits.max_images_rows) if images else None,
        max_file_bytes=_value(limits.max_file_bytes),
        max_row_tokens=_value(entry.max_row_tokens) if entry else None,
        overlong=_value(host.overlong) or "truncate",
        max_total_tokens=_value(limits.max_total_tokens),
        refuses=refuses,
        drops=frozenset(wants.drops) if wants else frozenset(),
        needs_validation=wants is not None and wants.needs_validation is not None and wants.needs_validation.value,
        max_images=_value(limits.max_images) if images else None,
        max_image_bytes=_value(limits.max_image_bytes) if images else None,
        last_role=_value(wants.last_role) if wants else None,
        encoding=entry.encoding if entry else "o200k_base",
    )


def _refused(host: Host, entry: Model | None, method: Method | None) -> frozenset[Feature]:
    found = set(host.refuses)
    if entry is not None:
        found |= set(entry.refuses)
    if method is not None:
        found |= set(method.refuses)
    return frozenset(found)


def _value(figure: Figure[T] | None) -> T | None:
    return None if figure is None else figure.value
