"""What must hold before the server listens: nobody is let in by a guessable key, and nobody from elsewhere without a key."""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anytune.errors import ConfigError, hide
from anytune.server.book.keys import ADMIN, digest
from anytune.server.book.rows import KeyRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.server.book import Book
    from anytune.server.config import ServeConfig

__all__ = ["VARIABLE", "FirstKey", "first_key", "loopback", "weakness"]

VARIABLE: Final = "ANYTUNE_API_KEY"
"""The environment variable that may hold the owner's key."""

_CHARS = 32
_BITS = 96.0
_GRAM = 3
_FRESH = 0.8
_RUNS = 0.5
_WORDS = re.compile(
    r"(?i)sk[-_](?:anytune-|proj-|1234\w*)?|change[-_]?me|pass(?:word|wd)|secret|example|placeholder|qwert[yz]|letmein|default|insert"
    r"|master|admin|token|your[-_]|api[-_]?key|dummy|anytune|openai|12345+|abcdef"
)
"""Words that people put into keys; what is left without them must be strong enough. LiteLLM refuses `sk-1234` too."""

_MAKE = "Make one: python -c 'import secrets; print(\"sk-\" + secrets.token_urlsafe(32))'"


@dataclass(frozen=True)
class FirstKey:
    """How the owner gets in.

    Attributes:
        shown: A key that was made now, to be shown this once; None where there is one already.
        held: The key of ANYTUNE_API_KEY, in force as long as this server runs; None where the variable is not set.
    """

    shown: str | None = None
    held: KeyRow | None = None


def first_key(book: Book, config: ServeConfig, environ: Mapping[str, str]) -> FirstKey:
    """Decide which key lets the owner in, and refuse to start where that would not be safe.

    Args:
        book: Where keys are kept.
        config: What the owner decided; `host` says who can reach the server.
        environ: The environment.

    Raises:
        ConfigError: ANYTUNE_API_KEY is weak, or other machines could reach a server that has no key yet.
    """
    given = environ.get(VARIABLE)
    if given is not None:
        if (why := weakness(given)) is not None:
            raise ConfigError(f"{VARIABLE} is weak: {why}.", fix=_MAKE)
        hide(given)
        held = KeyRow(id=VARIABLE, owner=ADMIN, label=VARIABLE, digest=digest(given), admin=True, created_at=book.clock())
        return FirstKey(held=held)
    if not loopback(config.host) and not book.keys.any():
        raise ConfigError(
            f"Other machines can reach {config.host}, and there is no key yet.",
            fix=f"Make one (`anytune serve keys add OWNER --admin`), set {VARIABLE}, or listen on 127.0.0.1.",
        )
    made = book.keys.first()
    return FirstKey(shown=None if made is None else made[1])


def loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: whatever it leads to
        return False


def weakness(key: str) -> str | None:
    """Say why a key could be guessed, without a character of it; None where it is strong.

    A key that was made at random passes from 32 hexadecimal characters (128 bits) on.
    """
    if not key.isascii() or not key.isprintable() or " " in key:
        return "it must have printable ASCII characters only, and no spaces"
    rest = _WORDS.sub("", key)
    if len(rest) < _CHARS:
        return f"it has {len(rest)} characters beside common words, and needs {_CHARS} at least"
    steps = [abs(ord(one) - ord(other)) for one, other in itertools.pairwise(rest)]
    grams = [rest[at : at + _GRAM] for at in range(len(rest) - _GRAM + 1)]
    if _entropy_bits(rest) < _BITS or len(set(grams)) < _FRESH * len(grams):
        return "its characters repeat"
    if sum(step <= 1 for step in steps) > _RUNS * len(steps):
        return "its characters follow one another as in an alphabet"
    return None


def _entropy_bits(text: str) -> float:
    """Estimate bits by how often each character stands in the text (Shannon); an upper bound for keys that people think up."""
    return -sum(count * math.log2(count / len(text)) for count in Counter(text).values())
