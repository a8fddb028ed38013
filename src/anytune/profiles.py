"""From a word to a configured backend: a profile of anytune.toml, or a backend's own name with the vendor's environment names.

```toml
[profiles.lab]
backend = "trl"
compute = "local"
```

`max_concurrent` is core's own key: how many jobs of the account may be live, while the others wait in the ledger. For a backend that no
profile sets up, a table says it:

```toml
[limits.openai]
max_concurrent = 3
```

`trl@hf_jobs:a10g-small` is a backend, or a profile, with the place where it computes: the same as a profile with that `compute`.

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

__all__ = ["backend_of", "config_file", "configured", "profiles"]


def configured(word: str | Backend, **options: Any) -> Backend:
    """Give the backend that a word names, set up from its profile, then from `options`.

    Args:
        word: A profile, an installed backend's name, either with the place to compute at (`trl@local`), or a backend that is set up
            already (`options` must be empty then).
        options: Arguments of the backend's constructor.

    Raises:
        BackendMissing: Nothing of that name is installed.
        ConfigError: The profile is wrong, or the backend has no such option.
    """
    if not isinstance(word, str):
        if options:
            raise ConfigError("Options were given beside a backend that is set up already.", fix="Give them to its constructor.")
        return word
    own = profiles()
    name, place = _placed(word, own)
    profile = dict(own.get(name, {}))
    backend = str(profile.pop("backend", name))
    most = _most(f"profile {name!r}", profile) or _limit(backend)
    settings = {key: _from_environment(name, key, value) for key, value in profile.items()} | place | options
    cls = plugins.load(backend)
    known = list(inspect.signature(cls).parameters)
    for key in settings:
        if key not in known:
            if key in place:
                raise ConfigError(f"Backend {cls.name!r} cannot be told where to compute.", fix=f"Say {name!r}.", backend=cls.name)
            guess = nearest(key, known)
            fix = f"Did you mean `{guess}`?" if guess else f"It has: {', '.join(known) or 'none'}."
            raise ConfigError(f"Backend {cls.name!r} has no option `{key}`.", fix=fix, backend=cls.name)
    made = cls(**settings)
    made.max_concurrent = most if most is not None else made.max_concurrent
    return made


def backend_of(word: str) -> str:
    """Give the name of the backend that a word leads to, installed or not: a profile's, or what stands before `@`.

    Raises:
        ConfigError: The file of profiles is wrong, or nothing stands beside the `@`.

    Example:
        >>> backend_of("trl@hf_jobs:a10g-small")
        'trl'
    """
    own = profiles()
    name, _ = _placed(word, own)
    return str(own.get(name, {}).get("backend", name))


def profiles() -> dict[str, dict[str, Any]]:
    """Read the profiles by name; none where there is no file.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or a profile names no backend.
    """
    found = _content().get("profiles", {})
    for name, profile in found.items():
        if not isinstance(profile, dict) or not isinstance(profile.get("backend"), str):
            raise ConfigError(f"Profile {name!r} in {config_file()} names no backend.", fix='Add `backend = "trl"`, for instance.')
    return dict(found)


def config_file() -> Path | None:
    """Find anytune.toml: what `ANYTUNE_CONFIG` names, else the nearest from the working folder upwards."""
    named = os.environ.get("ANYTUNE_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    return next((path for folder in (here, *here.parents) if (path := folder / "anytune.toml").is_file()), None)


def _content() -> dict[str, Any]:
    path = config_file()
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Correct ANYTUNE_CONFIG or the file's permissions.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.", fix="See docs/reference/configuration.md.") from error


def _limit(backend: str) -> int | None:
    """Give the most live jobs of a backend's account by the table `[limits.BACKEND]`."""
    limits = _content().get("limits", {})
    table = limits.get(backend, {}) if isinstance(limits, dict) else None
    if not isinstance(table, dict) or set(table) - {"max_concurrent"}:
        raise ConfigError(
            f"`[limits.{backend}]` in {config_file()} is no table of `max_concurrent` alone.",
            fix="Write `max_concurrent = 3`, for instance.",
        )
    return _most(f"`[limits.{backend}]`", dict(table))


def _most(where: str, table: dict[str, Any]) -> int | None:
    """Take `max_concurrent` out of a table."""
    most = table.pop("max_concurrent", None)
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise ConfigError(f"`max_concurrent` of {where} is {most!r}.", fix="Give a whole number above 0, or leave it out for no limit.")
    return most


def _placed(word: str, own: dict[str, dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """Split `NAME@COMPUTE`; a profile may bear such a name itself."""
    if word in own or "@" not in word:
        return word, {}
    name, _, compute = word.partition("@")
    if not name or not compute:
        raise ConfigError(f"{word!r} names no backend and place.", fix="Write BACKEND@COMPUTE, such as trl@hf_jobs:a10g-small.")
    return name, {"compute": compute}


def _from_environment(profile: str, key: str, value: Any) -> Any:
    if not (isinstance(value, str) and value.startswith("$")):
        return value
    try:
        return os.environ[value[1:]]
    except KeyError:
        raise ConfigError(
            f"Profile {profile!r} takes `{key}` from the environment variable {value[1:]}, which is not set.", fix=f"Set {value[1:]}."
        ) from None
