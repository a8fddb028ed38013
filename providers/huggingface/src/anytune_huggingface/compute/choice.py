"""From the setting `compute` to a place: a word such as `local` or `hf_jobs:a10g-small`, or a mapping with `type` and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune_huggingface.compute.place import Compute

__all__ = ["chosen"]

_PLACES = ("local", "hf_jobs", "spaces")


def chosen(compute: str | Mapping[str, Any]) -> Compute:
    """Set a place up; nothing is sent or started.

    Args:
        compute: `local`; `hf_jobs:FLAVOR` or `spaces:FLAVOR`, where the flavor may be left out; or the settings of a place with its `type`,
            such as `{"type": "hf_jobs", "flavor": "a10g-small", "timeout": "4h"}`.

    Raises:
        ConfigError: There is no such place, or a setting of it is wrong.
    """
    if isinstance(compute, str):
        word, _, flavor = compute.partition(":")
        given: dict[str, Any] = {"flavor": flavor} if flavor else {}
    else:
        given = dict(compute)
        word = str(given.pop("type", ""))
    match word.replace("-", "_"):
        case "local":
            if given:
                raise ConfigError(f"compute `local` has no setting `{next(iter(given))}`.", fix="Leave it out.")
            from anytune_huggingface.compute.local import LocalCompute  # noqa: PLC0415 - only the place that is asked for

            return LocalCompute()
        case "hf_jobs":
            from anytune_huggingface.compute.jobs import JobsCompute, JobsSettings  # noqa: PLC0415 - the same

            return JobsCompute(JobsSettings(**given))
        case "spaces":
            from anytune_huggingface.compute.spaces import SpaceCompute, SpaceSettings  # noqa: PLC0415 - the same

            return SpaceCompute(SpaceSettings(**given))
        case _:
            guess = nearest(word, list(_PLACES))
            fix = f"Did you mean `{guess}`?" if guess else f"There is: {', '.join(_PLACES)}."
            raise ConfigError(f"There is no compute {word!r}.", fix=fix)
