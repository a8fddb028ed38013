"""Keys, tokens and passwords in text: detect-secrets' structured detectors, and the prefixes of services that it does not know.

Detectors that only see "random" strings or the word password are left out: in prose they are wrong far more often than right. A value that
is set to a name such as `db_password` in code or settings is taken where it looks made by a machine. The library is used for its patterns
alone: no file is read, no setting changed, nothing verified over the network.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from re import Match, Pattern

__all__ = ["PERHAPS", "Secrets", "hidden", "shape"]

PERHAPS = ", perhaps the example of a manual"
"""What follows the kind of a secret that has the right form and still is nobody's, by its looks."""

_OWN = {
    # what stands in every such text, and the whole: prefix and length as the services' documentation or GitHub's list of scanned patterns
    # have them (known 2026-11-22)
    "Hugging Face token": ("hf_", r"hf_[A-Za-z0-9]{34,40}"),
    "Hugging Face organisation token": ("api_org_", r"api_org_[A-Za-z0-9]{34}"),
    "OpenAI key": ("sk-", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{40,200}"),
    "Anthropic key": ("sk-ant-", r"sk-ant-[a-z]{3,8}\d\d-[A-Za-z0-9_-]{60,120}"),
    "OpenRouter key": ("sk-or-", r"sk-or-v1-[0-9a-f]{64}"),
    "key that begins with sk-": ("sk-", r"sk-(?:[0-9a-f]{32}|[A-Za-z0-9]{48})"),
    "Azure AI key": ("JQQJ99", r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}"),
    "Google API key": ("AIza", r"AIza[0-9A-Za-z_-]{35}"),
    "Google OAuth secret": ("GOCSPX-", r"GOCSPX-[0-9A-Za-z_-]{28}"),
    "Google OAuth access token": ("ya29.", r"ya29\.[0-9A-Za-z_-]{60,}"),
    "GitHub fine-grained token": ("github_pat_", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    "Groq key": ("gsk_", r"gsk_[A-Za-z0-9]{52}"),
    "xAI key": ("xai-", r"xai-[A-Za-z0-9]{80}"),
    "NVIDIA key": ("nvapi-", r"nvapi-[A-Za-z0-9_-]{64}"),
    "Perplexity key": ("pplx-", r"pplx-[A-Za-z0-9]{48}"),
    "Replicate token": ("r8_", r"r8_[A-Za-z0-9]{37}"),
    "Databricks token": ("dapi", r"dapi[0-9a-f]{32}"),
    "DigitalOcean token": ("_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    "npm token": ("npm_", r"npm_[A-Za-z0-9]{36}"),
    "Shopify token": ("shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    "Square token": ("sq0atp-", r"sq0atp-[0-9A-Za-z_-]{22}"),
    "Linear key": ("lin_api_", r"lin_api_[A-Za-z0-9]{40}"),
    "Postman key": ("PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    "Discord bot token": (".", r"[MNO][A-Za-z\d_-]{23,25}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{38}"),
    "AWS secret key": (
        "ecret",
        r"(?i:aws_?secret_?(?:access_?)?key|secret_?access_?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?([A-Za-z0-9+/]{40})(?![+/=])",
    ),
}

_LOGIN = "password in an address"
_LIBRARY: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # class → module, words for people, and signs of which one stands in every text that it matches; without, a long word
    "AWSKeyDetector": ("aws", "AWS key", ("AKIA", "ASIA", "ABIA", "ACCA", "A3T", "aws", "AWS", "Aws")),
    "AzureStorageKeyDetector": ("azure_storage_key", "Azure storage key", ("AccountKey=",)),
    "BasicAuthDetector": ("basic_auth", _LOGIN, ("://",)),
    "GitHubTokenDetector": ("github_token", "GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    "GitLabTokenDetector": (
        "gitlab_token",
        "GitLab token",
        ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glcbt-", "glimt-", "glptt-", "glagent-", "gloas-", "GR1348941"),
    ),
    "MailchimpDetector": ("mailchimp", "Mailchimp key", ("-us",)),
    "JwtTokenDetector": ("jwt", "JSON Web Token", ("eyJ",)),
    "NpmDetector": ("npm", "npm token", (":_authToken",)),
    "OpenAIDetector": ("openai", "OpenAI key", ("T3BlbkFJ",)),
    "PrivateKeyDetector": ("private_key", "private key", ("PRIVATE KEY", "PuTTY-User-Key-File")),
    "PypiTokenDetector": ("pypi_token", "PyPI token", ("pypi-",)),
    "SendGridDetector": ("sendgrid", "SendGrid key", ("SG.",)),
    "SlackDetector": ("slack", "Slack token", ("xox", "XOX", "hooks.slack.com")),
    "SquareOAuthDetector": ("square_oauth", "Square token", ("sq0csp-",)),
    "StripeDetector": ("stripe", "Stripe key", ("k_live_",)),
    "DiscordBotTokenDetector": ("discord", "Discord token", ()),
    "TelegramBotTokenDetector": ("telegram_token", "Telegram token", ()),
    "TwilioKeyDetector": ("twilio", "Twilio key", ()),
}
_OPAQUE = re.compile(r"[A-Za-z0-9_+/=.-]{16}|://")
_LONG_WORD = re.compile(r"[A-Za-z0-9_-]{27}")

_LETTER = re.compile(r"[A-Za-z0-9]")
_VARIABLE = re.compile(r"[A-Z_]+")
_PREFIX = re.compile(
    r"sk-(?:proj-|svcacct-|admin-|ant-|or-v1-)?|hf_|api_org_|AIza|GOCSPX-|ya29\.|gh[pousr]_|github_pat_|gsk_|xai-|nvapi-|pplx-|r8_|dapi"
    r"|do[opr]_v1_|npm_|shp(?:at|ca|pa|ss)_|sq0(?:atp|csp)-|lin_api_|PMAK-|A[BCKS]I?[AC]A|glpat-|xox[abopsr]-|[rs]k_live_|SG\.|pypi-|eyJ|AccountKey="
    r"|BEGIN "
)
_BODY = re.compile(r"[A-Za-z0-9+/=]{40}")
_STAND_IN = re.compile(
    r"placeholder|dummy|redacted|changeme|your|mytoken|mykey|xxx|\*\*\*|\.\.\.|\u2026|<|>|\{|\$|deadbeef|(?:0123456789){2}", re.IGNORECASE
)
"""What stands where a secret would, in manuals."""

_INVENTED = re.compile(r"example|sample|123456789|abcdef(?:gh|12)|eyJzdWIiOiIxMjM0NTY3ODkw", re.IGNORECASE)
"""What invented secrets of the right form hold: the last is the subject 1234567890 of everybody's example JSON Web Token."""

_NAMED = re.compile(
    r"(?i:(?:api|access|account|auth|private)[_-]?key|passw(?:or)?d|pwd|client[_-]?secret|secret(?:[_-]?key)?|auth[_-]?token)"
    r"[\"']?\s{0,3}(?:=|:=?|=>)\s{0,3}[\"']?([A-Za-z0-9][A-Za-z0-9_+/=-]{11,127})(?![\w.(\[])"
)
_MADE = re.compile(r"(?=[^a-z]*[a-z])(?=(?:[^0-9]*[0-9]){2})[\w+/=-]+")
_WORDS = re.compile(r"[a-z]{6}|[A-Z]{6}|[a-z]{3,}[_-][a-z]{3,}")

_KNOWN_WORDS = frozenset(
    {
        "password",
        "passwd",
        "passwort",
        "pass",
        "pwd",
        "tiger",
        "postgres",
        "pw",
        "secret",
        "token",
        "user",
        "username",
        "root",
        "admin",
        "test",
        "foo",
        "bar",
    }
)
_SHORTEST = 12
_FEW = 8
"""Different characters that a stand-in may have: more stand in every real key."""


class Secrets:
    """Finds secrets in texts.

    Example:
        >>> [kind for kind, _ in Secrets().found("use ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a" + " to push")]
        ['GitHub token']
    """

    def __init__(self) -> None:
        """Load the detectors."""
        from importlib import import_module  # noqa: PLC0415 - detect-secrets takes 0.2 s, and only this check needs it

        def patterns(name: str, module: str) -> tuple[Pattern[str], ...]:
            return tuple(getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist)

        self._formal: Callable[[str], bool] = import_module("detect_secrets.plugins.jwt").JwtTokenDetector.is_formally_valid
        self._detectors = [(kind, patterns(name, module), signs) for name, (module, kind, signs) in _LIBRARY.items()]
        self._detectors += [(kind, (re.compile(rf"{pattern}(?![A-Za-z0-9])"),), (sign,)) for kind, (sign, pattern) in _OWN.items()]

    def found(self, text: str) -> Iterator[tuple[str, str]]:
        """Give the kind and the masked shape of each secret in a text; of two that overlap the one that is known more closely."""
        yield from ((kind, shape(_secret(match))) for kind, match in self._apart(text))

    def masked(self, text: str) -> str:
        """Give a text with the shapes of secrets in their place."""
        for _, match in self._apart(text):
            text = text.replace(_secret(match), shape(_secret(match)))
        return text

    def _apart(self, text: str) -> Iterator[tuple[str, Match[str]]]:
        taken: list[Match[str]] = []
        for kind, match in self._matches(text):
            if not any(match.start() < other.end() and other.start() < match.end() for other in taken):
                taken.append(match)
                yield kind + (PERHAPS if kind != _LOGIN and _INVENTED.search(match[0]) else ""), match

    def _matches(self, text: str) -> Iterator[tuple[str, Match[str]]]:
        long = _LONG_WORD.search(text)
        for kind, patterns, signs in self._detectors:
            if any(sign in text for sign in signs) or (long and not signs):
                for pattern in patterns:
                    yield from ((kind, match) for match in pattern.finditer(text) if self._real(kind, match, text))
        yield from (("password or key in settings", match) for match in _NAMED.finditer(text) if _made(match[1]))

    def _real(self, kind: str, match: Match[str], text: str) -> bool:
        """Tell whether a match is more than letters of a longer word, or a stand-in of a manual."""
        value = match[0]
        if kind == "private key":
            return _BODY.search(text, match.end(), match.end() + 400) is not None
        if kind == _LOGIN:
            user, _, password = value.removeprefix("://").removesuffix("@").partition(":")
            return _real_password(user, password)
        if kind == "JSON Web Token" and not self._formal(value):
            return False
        if _STAND_IN.search(value) or len(set(value)) <= _FEW:
            return False
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        return not (_LETTER.match(before) or (_LETTER.match(after) and _LETTER.match(value[-1])))


def shape(value: str) -> str:
    """Mask a value: the prefix that all of a service's keys have, and its length.

    Example:
        >>> shape("sk-" + "a1b2c3d4" * 6)
        'sk-…(51 characters)'
    """
    prefix = _PREFIX.match(value)
    return f"{prefix[0] if prefix else ''}…({len(value)} characters)"


def hidden(text: str) -> str:
    """Give words for a message, with the shapes of secrets in their place.

    Example:
        >>> hidden("unknown key `ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a`")
        'unknown key `ghp_…(40 characters)`'
    """
    return _detectors().masked(text) if _OPAQUE.search(text) else text


@cache
def _detectors() -> Secrets:
    return Secrets()


def _secret(match: Match[str]) -> str:
    secret = match[match.lastindex or 0] or ""
    return secret if len(secret) >= _SHORTEST else match[0]


def _made(value: str) -> bool:
    """Tell whether a value looks made by a machine: letters and digits mixed, few words."""
    return (
        _MADE.fullmatch(value) is not None
        and len(set(value)) > _FEW
        and not (_WORDS.search(value) or _STAND_IN.search(value) or _INVENTED.search(value))
    )


def _real_password(user: str, password: str) -> bool:
    return not (
        password.lower() in _KNOWN_WORDS
        or password == user
        or len(set(password)) <= 2  # noqa: PLR2004 - "xx", "****"
        or _STAND_IN.search(password)
        or _INVENTED.search(password)
        or _VARIABLE.fullmatch(password)
    )
