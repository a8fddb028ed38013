"""From a word to a configured backend: a profile of anytune.toml, or a backend's own name with the vendor's environment names.

```toml
[profiles.lab]
backend = "trl"
compute = "local"
```

The file is `anytune.toml` in the working folder or the nearest folder above it, or the one that `ANYTUNE_CONFIG` names. Secrets do not
belong into it: `"$NAME"` as a value takes the environment variable NAME.
"""

from __future__ import annotations

import inspect
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune import plugins
from anytune.errors import ConfigError
from anytune.settings import nearest

if TYPE_CHECKING:
    from anytune.backend import Backend

__all__ = ["config_file", "configured", "profiles"]


def configured(word: str | Backend, **options: Any) -> Backend:
    """Give the backend that a word names, set up from its profile, then from `options`.

    Args:
        word: A profile, an installed backend's name, or a backend that is set up already (`options` must be empty then).
        options: Arguments of the backend's constructor.

    Raises:
        BackendMissing: Nothing of that name is installed.
        ConfigError: The profile is wrong, or the backend has no such option.
    """
    if not isinstance(word, str):
        if options:
            raise ConfigError("Options were given beside a backend that is set up already.", fix="Give them to its constructor.")
        return word
    profile = profiles().get(word, {})
    settings = {key: _from_environment(word, key, value) for key, value in profile.items() if key != "backend"} | options
    cls = plugins.load(profile.get("backend", word))
    known = list(inspect.signature(cls).parameters)
    for key in settings:
        if key not in known:
            guess = nearest(key, known)
            fix = f"Did you mean `{guess}`?" if guess else f"It has: {', '.join(known) or 'none'}."
            raise ConfigError(f"Backend {cls.name!r} has no option `{key}`.", fix=fix, backend=cls.name)
    return cls(**settings)


def profiles() -> dict[str, dict[str, Any]]:
    """Read the profiles by name; none where there is no file.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or a profile names no backend.
    """
    path = config_file()
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Correct ANYTUNE_CONFIG or the file's permissions.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.", fix="See docs/reference/configuration.md.") from error
    found = content.get("profiles", {})
    for name, profile in found.items():
        if not isinstance(profile, dict) or not isinstance(profile.get("backend"), str):
            raise ConfigError(f"Profile {name!r} in {path} names no backend.", fix='Add `backend = "trl"`, for instance.')
    return dict(found)


def config_file() -> Path | None:
    """Find anytune.toml: what `ANYTUNE_CONFIG` names, else the nearest from the working folder upwards."""
    named = os.environ.get("ANYTUNE_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    return next((path for folder in (here, *here.parents) if (path := folder / "anytune.toml").is_file()), None)


def _from_environment(profile: str, key: str, value: Any) -> Any:
    if not (isinstance(value, str) and value.startswith("$")):
        return value
    try:
        return os.environ[value[1:]]
    except KeyError:
        raise ConfigError(
            f"Profile {profile!r} takes `{key}` from the environment variable {value[1:]}, which is not set.", fix=f"Set {value[1:]}."
        ) from None
