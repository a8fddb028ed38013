"""Posting the watch: a process of `anytune.watch` over a backend account is started, where none runs.

A floor below `deploy`, which posts it; the watch itself stands above, since it stops deployments.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from anytune import profiles
from anytune.errors import AnytuneError, redact
from anytune.local import detached
from anytune.paths import home, host
from anytune.values import Value, now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.backend import Backend
    from anytune.runtime import Runtime

__all__ = ["Trouble", "ensure", "leave_word", "scope", "take_back", "troubles"]

_log = logging.getLogger(__name__)


class Trouble(Value):
    """Why a watch can do nothing: hosts over their time bill on, budgets are not held.

    Attributes:
        backend: The word that names the backend.
        account: Whose hosts and jobs.
        at: When it was last seen.
        message: What the backend said.
    """

    backend: str
    account: str
    at: datetime
    message: str


def ensure(word: str, backend: Backend, context: Runtime) -> bool:
    """Start the watch over a backend's hosts, unless one runs. Any number of callers start one.

    The process gets the caller's whole environment, since only the vendor's own libraries know which names they read there (keys, sign-in,
    proxies, certificates); nothing of it is in its arguments or its log.

    Args:
        word: What names the backend: an installed one, or a profile.
        backend: What the caller has under that word.
        context: Whose ledger it looks at.

    Returns:
        False where another process could not set up this backend by its word, as one that was made in code from arguments: then its hosts
        end at their time only if a program is there to end them, and a warning says so.

    Raises:
        AnytuneError: It did not start.
    """
    reason = _strange(word, backend)
    if reason:
        _log.warning(
            "Hosts and budgets at backend %r are not watched: %s. If this program ends early, `anytune reap` takes down what is over "
            "its time or its budget; a profile in anytune.toml, or the vendor's environment names, let a watch do it.",
            word,
            reason,
        )
        return False
    try:
        lock = scope(word, backend.account, context)
        detached.ensure(
            "The watch over deployments and budgets",
            "anytune.watch",
            ["--backend", word, "--account", backend.account],
            lock=lock,
            said=lock.with_suffix(".start"),
            log=lock.with_suffix(".log"),
            environment=_environment(context),
            cwd=_here(),
        )
    except OSError as error:
        text = f"The watch over deployments and budgets did not start: {error.filename}: {error.strerror}."
        raise AnytuneError(text, fix="Correct the permissions of the home folder, or the space in it.") from error
    return True


def scope(word: str, account: str, context: Runtime) -> Path:
    """Give the lock of the watch over one word and account in one ledger."""
    folder = home() / "watch"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(f"{context.ledger.uuid}\n{word}\n{account}".encode()).hexdigest()[:16]
    return folder / f"{name}.lock"


def leave_word(lock: Path, word: str, account: str, message: str) -> None:
    """Write down why a watch can do nothing for now; `troubles` reads it."""
    text = json.dumps({"backend": word, "account": account, "at": now().isoformat(timespec="seconds"), "message": redact(message)})
    fresh = lock.with_suffix(".fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(lock.with_suffix(".trouble"))


def take_back(lock: Path) -> None:
    """Take that word back."""
    lock.with_suffix(".trouble").unlink(missing_ok=True)


def troubles(context: Runtime, scopes: Iterable[tuple[str, str]]) -> list[Trouble]:
    """Give why the watches of this machine over these words and accounts can do nothing, where one left word of it."""
    found = []
    for word, account in dict.fromkeys(scopes):
        try:
            path = scope(word, account, context).with_suffix(".trouble")
            found.append(Trouble.model_validate_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):  # there is none
            continue
    return found


def _strange(word: str, backend: Backend) -> str:
    """Say why the word does not lead to this backend elsewhere; empty where it does."""
    try:
        twin = profiles.configured(word)
    except AnytuneError as error:
        return f"another process cannot set it up by this name ({error.message.rstrip('.')})"
    try:
        if type(twin) is not type(backend) or twin.account != backend.account:
            return "this name leads to another account or backend there than the one that was given in code"
    finally:
        twin.close()
    return ""


def _environment(context: Runtime) -> dict[str, str]:
    """Give the caller's environment, with what this process knows beside it: other folders lead to the same places."""
    config = profiles.config_file()
    known = {"ANYTUNE_HOME": str(home()), "ANYTUNE_HOST": host()}
    if context.ledger_url is not None:
        known["ANYTUNE_LEDGER"] = context.ledger_url
    if config is not None:
        known["ANYTUNE_CONFIG"] = str(config.resolve())
    return dict(os.environ) | known


def _here() -> Path:
    """Give the caller's folder: a profile may hold relative paths."""
    try:
        return Path.cwd()
    except OSError:  # it was removed under the caller
        return Path("/")
