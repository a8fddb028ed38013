"""From a host's name to its catalogue: the file in the package, or a newer copy of the user's own."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import ConfigError
from anytune.paths import home

if TYPE_CHECKING:
    from anytune.catalog.figures import Host

__all__ = ["Opened", "hosts", "opened", "shipped"]

_SHIPPED = Path(__file__).parent


class Opened(NamedTuple):
    """A catalogue and the file it was read from."""

    host: Host
    path: Path

    @property
    def file(self) -> str:
        """The file, in words: `anytune's openai.yaml` or the user's own path."""
        return f"anytune's {self.path.name}" if self.path.parent == _SHIPPED else str(self.path)

    @property
    def basis(self) -> str:
        """The file and the day of its newest reading, in words."""
        return f"{self.file}, read {self.host.newest.isoformat()}"


def opened(backend: str) -> Opened | None:
    """Open a backend's catalogue; None where there is none.

    A file `<backend>.yaml` in the folder that `ANYTUNE_CATALOG` names (default: `catalog` in `ANYTUNE_HOME`) replaces the one that
    anytune came with, as a whole.

    Raises:
        ConfigError: The file is no catalogue; the text names the file and the key.
    """
    path = _found().get(backend)
    return None if path is None else Opened(_read(path, path.stat().st_mtime_ns), path)


def hosts() -> list[str]:
    """Name the backends that have a catalogue, in alphabetical order."""
    return sorted(_found())


def shipped() -> list[Opened]:
    """Open the catalogues that came with anytune, whatever the user's own say."""
    return [Opened(_read(path, path.stat().st_mtime_ns), path) for path in sorted(_SHIPPED.glob("*.yaml"))]


def _found() -> dict[str, Path]:
    return {path.stem: path for folder in (_SHIPPED, _own()) if folder is not None for path in sorted(folder.glob("*.yaml"))}


def _own() -> Path | None:
    named = os.environ.get("ANYTUNE_CATALOG")
    if named:
        return Path(named).expanduser().resolve()
    try:
        return home() / "catalog"
    except OSError:  # a machine without a writable home has no newer copies either
        return None


@functools.lru_cache(maxsize=16)
def _read(path: Path, changed_ns: int) -> Host:  # noqa: ARG001 - a file that changed is read again
    import yaml  # noqa: PLC0415 - only those who ask the catalogue need it
    from pydantic import ValidationError  # noqa: PLC0415 - the same

    from anytune.catalog.figures import Host  # noqa: PLC0415 - the same

    fix = "Correct it, or delete it to use the one that came with anytune; docs/reference/catalog.md describes the shape."
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        host = Host.model_validate(raw)
    except OSError as error:
        raise ConfigError(f"Cannot read the catalogue {path}: {error.strerror}.", fix="Check its permissions.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{path} is no catalogue: {key}: {first['msg']}.", fix=fix) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date without such a day
        raise ConfigError(f"{path} is not YAML: {str(error).partition(chr(10))[0]}.", fix=fix) from error
    if host.host != path.stem:
        raise ConfigError(f"{path} is the catalogue of {host.host!r}.", fix=f"Name it {host.host}.yaml.")
    return host
