"""Who is asking: a token for each of Azure's two doors, from `azure-identity`, from a credential of the caller's own, or as given.

The data plane (files, jobs, chats) and the management plane (deployments) take tokens for different audiences. Neither a key nor a token
of the data plane opens the management plane.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from anytune.errors import AnytuneError, AuthError, ConfigError, Unreachable, hide

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ARM_SCOPE", "DATA_SCOPE", "LOGIN", "Identity", "identity"]

DATA_SCOPE = "https://ai.azure.com/.default"
"""Audience of the data plane in Microsoft's pages of September 2026. Older samples say `https://cognitiveservices.azure.com/.default`."""

ARM_SCOPE = "https://management.azure.com/.default"
"""Audience of the management plane."""

LOGIN = (
    "Log in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of a service principal, "
    "or run where a managed identity is assigned."
)


class Identity(NamedTuple):
    """Where tokens for one door come from.

    Attributes:
        token: Gives a token that is good now; it is asked for every request, and keeps one until shortly before it expires.
        source: What it is, for error texts; never the token.
        renew: What to do when a token was refused.
        fixed: It gives the same token for ever, which ends some day.
    """

    token: Callable[[], str]
    source: str
    renew: str
    fixed: bool = False

    def ends_at(self) -> datetime | None:
        """Give when a token that is not renewed ends; None for one that is, and where the token does not say it."""
        if not self.fixed:
            return None
        part = self.token().split(".")[1:2]
        try:
            claims = json.loads(base64.urlsafe_b64decode(part[0] + "=" * (-len(part[0]) % 4)))
            return datetime.fromtimestamp(claims["exp"], UTC)
        except (LookupError, TypeError, ValueError, OverflowError, OSError):  # no JSON web token, or one without its end
            return None


def identity(scope: str, *, setting: str, token: object = None, credential: object = None) -> Identity:
    """Make tokens for one scope from the first thing that is given, else from `DefaultAzureCredential`.

    Args:
        scope: The audience with `/.default`.
        setting: Name of the setting that `token` was given as, for error texts.
        token: A token's text, or a callable without arguments that gives one.
        credential: Anything with azure-core's `get_token`, or a callable that is given the scope and gives a token's text.

    Raises:
        ConfigError: One of them is neither.
    """
    if token is not None:
        return _given(scope, setting, token)
    if credential is None:
        return Identity(_lazily(_default, scope), "DefaultAzureCredential", LOGIN)
    kind = type(credential).__name__
    if hasattr(credential, "get_token"):
        return Identity(_lazily(_provider, credential, scope), kind, f"Check what {kind} logs in as. {LOGIN}")
    if callable(credential):
        asked = functools.partial(credential, scope)
        return Identity(_translated(asked), "the callable given as `credential`", "It must give a token for the scope.")
    raise ConfigError(
        f"`credential` is a {kind}.", fix="Give a credential of azure-identity, or a callable that takes a scope and gives a token."
    )


def _given(scope: str, setting: str, token: object) -> Identity:
    resource = scope.removesuffix("/.default")
    renew = f"Get a new one: `az account get-access-token --resource {resource} --query accessToken --output tsv`; it lives about an hour."
    if callable(token):
        return Identity(_translated(token), f"the callable given as `{setting}`", f"It must give tokens for {resource}.")
    text = token.get_secret_value() if isinstance(token, SecretStr) else token
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"`{setting}` is empty or no text.", fix=renew)
    hide(text.strip())
    kept = SecretStr(text.strip())  # no bare text: a traceback with local variables would show it
    return Identity(kept.get_secret_value, f"the token given as `{setting}`", renew, fixed=True)


@functools.cache
def _credential() -> Any:
    """Give one `DefaultAzureCredential` for both scopes: it remembers which of its ways worked."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - heavy, and not needed with a key

    logging.getLogger("azure").addHandler(logging.NullHandler())  # where nobody logs, Python would print all that it tried on stderr
    return DefaultAzureCredential()


def _default(scope: str) -> Callable[[], str]:
    return _provider(_credential(), scope)


def _provider(credential: Any, scope: str) -> Callable[[], str]:
    from azure.identity import get_bearer_token_provider  # noqa: PLC0415 - as above

    return get_bearer_token_provider(credential, scope)


def _lazily(make: Callable[..., Callable[[], str]], *arguments: object) -> Callable[[], str]:
    """Make a provider with the first token: it keeps that token until shortly before its end, so that one is made only."""
    made = functools.cache(make)

    def give() -> str:
        return made(*arguments)()

    return _translated(give)


def _translated(give: Callable[[], object]) -> Callable[[], str]:
    def token() -> str:
        try:
            found = give()
        except AnytuneError:
            raise
        except Exception as error:
            raise _ours(error) from error
        if not isinstance(found, str) or not found:
            raise AuthError("The credential gave no token.", fix=LOGIN, backend="azure")
        hide(found)
        return found

    return token


def _ours(error: Exception) -> AnytuneError:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError  # noqa: PLC0415 - as above

    lines = str(error).strip().splitlines() or [type(error).__name__]  # azure-identity's first line says it; what else it tried follows
    if isinstance(error, ClientAuthenticationError):  # CredentialUnavailableError is one of them
        return AuthError(f"No token of Entra ID: {lines[0]}", fix=LOGIN, backend="azure", raw=str(error))
    if isinstance(error, (ServiceRequestError, ServiceResponseError, OSError)):
        return Unreachable(f"Entra ID could not be asked: {lines[0]}", fix="Check the network, then try again.", backend="azure")
    return AuthError(f"The credential broke with {type(error).__name__}: {lines[0]}", fix=LOGIN, backend="azure")
