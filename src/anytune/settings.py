"""How a setting gets its right name: aliases are accepted and echoed, unknown names are refused with the nearest right one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import GetJsonSchemaHandler, ModelWrapValidatorHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = ["Settings", "nearest", "read_yaml"]


def nearest(word: str, known: list[str]) -> str | None:
    """Find the known word most like `word`, or None where none is near (difflib ratio under 0.6).

    Example:
        >>> nearest("lerning_rate", ["learning_rate", "seed"])
        'learning_rate'
    """
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def read_yaml(path: Path, *, what: str, fix: str) -> dict[str, Any]:
    """Read settings from a YAML file; tags that would make objects are refused.

    Args:
        path: The file.
        what: What it is, for the error: `the spec`.
        fix: What to do where it is no YAML, or holds no settings.

    Raises:
        ConfigError: It cannot be read, is no YAML, or no mapping of names.
    """
    import yaml  # noqa: PLC0415 - only what comes from files needs it

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {what} {path}: {error.strerror}.", fix="Check the path.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date without such a day, a NUL in the path
        raise ConfigError(f"{path} is not YAML: {str(error).partition(chr(10))[0]}.", fix=fix) from error
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise ConfigError(f"{path} holds no settings.", fix=fix)
    return raw


class Settings(BaseModel):
    """Base of all that a user writes: frozen, and helpful about names.

    Attributes:
        aliases: Other libraries' names for the same thing, mapped to ours. Only exact synonyms belong here.
        refused: Names that look like synonyms and are not, each with what to do instead.
        shapes: In words, what the pattern of a field asks for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, use_attribute_docstrings=True)

    aliases: ClassVar[Mapping[str, str]] = {}
    refused: ClassVar[Mapping[str, str]] = {}
    shapes: ClassVar[Mapping[str, str]] = {}

    _renamed: dict[str, str] = {}

    def __init__(self, /, **settings: Any) -> None:
        """Validate, and say what is wrong as a `ConfigError` that names the key."""
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise _explained(error, type(self)) from None

    @model_validator(mode="wrap")
    @classmethod
    def _take_aliases(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(raw, dict):
            return handler(raw)
        renamed = {name: cls.aliases[name] for name in raw if name in cls.aliases}
        for name, canonical in renamed.items():
            if canonical in raw:
                raise ConfigError(f"`{name}` and `{canonical}` are the same setting.", fix=f"Keep `{canonical}`.")
        for name in raw:
            if name in cls.refused:
                raise ConfigError(f"`{name}` is not a setting of {cls.__name__}.", fix=cls.refused[name])
        settings = handler({renamed.get(name, name): value for name, value in raw.items()})
        settings._renamed = renamed  # noqa: SLF001 - our own new instance
        return settings

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Publish the aliases beside the fields, marked as deprecated, so that editors take what we take."""
        schema = handler.resolve_ref_schema(handler(core))
        fields = schema.get("properties", {})
        for alias, name in cls.aliases.items():
            fields[alias] = fields[name] | {"deprecated": True, "description": f"Taken as `{name}`."}
        needed = schema.pop("required", [])
        for name in needed:
            names = [name, *(alias for alias, canonical in cls.aliases.items() if canonical == name)]
            schema.setdefault("allOf", []).append({"anyOf": [{"required": [word]} for word in names]})
        return schema

    @property
    def renamed(self) -> dict[str, str]:
        """Aliases that were given, each with the canonical name it was taken as."""
        return dict(self._renamed)


def _explained(error: ValidationError, cls: type[Settings]) -> ConfigError:
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return cause
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        guess = nearest(path, [*cls.model_fields, *cls.aliases])
        fix = f"Did you mean `{cls.aliases.get(guess, guess)}`?" if guess else f"Known: {', '.join(cls.model_fields)}."
        return ConfigError(f"Unknown setting `{path}` of {cls.__name__}.", fix=fix)
    if first["type"] == "string_pattern_mismatch" and path in cls.shapes:
        return ConfigError(f"`{path}` is {first['input']!r}.", fix=f"Write {cls.shapes[path]}.")
    count = error.error_count()
    more = "" if count == 1 else f" (and {count - 1} more)"
    return ConfigError(
        f"`{path}` of {cls.__name__}: {first['msg']}{more}.", fix="Correct the value; docs/reference/spec.md lists each setting."
    )
