"""From arguments and Azure's own environment names to the settings of one backend, checked before anything is asked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from anytune.errors import ConfigError
from anytune.settings import nearest
from anytune_azure.identity import Identity, identity
from anytune_openai.client import host_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ARM_URL", "PUBLIC_HOSTS", "TRAINING_TYPES", "AzureSettings", "Target", "resolve", "word"]

ARM_URL = "https://management.azure.com"

PUBLIC_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
"""Ends of the hosts for which the catalogue's rules and prices hold."""

TRAINING_TYPES = {
    "standard": "Standard",
    "globalstandard": "GlobalStandard",
    "global": "GlobalStandard",
    "datazonestandard": "DataZoneStandard",
    "datazone": "DataZoneStandard",
    "developer": "Developer",
    "developertier": "Developer",
}
"""`trainingType` as it is sent. Microsoft's pages write it in five ways, so that case and punctuation do not matter (read 2026-11-22)."""

_SHOWN = re.compile(r"(/openai(/v1)?|/api/projects/[^/]+(/openai(/v1)?)?)?/*$")
"""What the portal shows after the resource's address; a gateway's own path before it stays."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Target(NamedTuple):
    """Which resource deployments are made in: three words of an ARM id."""

    subscription_id: str
    resource_group: str
    account_name: str


class AzureSettings(NamedTuple):
    """Everything that a backend was told.

    Attributes:
        endpoint: `https://RESOURCE.openai.azure.com`, or a gateway's address with its path.
        door: What opens the data plane: the resource's key, or tokens.
        arm: Tokens of the management plane.
        arm_url: Address of the management plane.
        target: The three words by their settings' names, None where unknown.
        training_type: `trainingType`, as it is sent; None leaves the choice to Azure.
        sku: The kind of deployments that name none.
        capacity: Their capacity.
    """

    endpoint: str
    door: SecretStr | Identity
    arm: Identity
    arm_url: str
    target: dict[str, str | None]
    training_type: str | None
    sku: str
    capacity: int

    @property
    def base_url(self) -> str:
        """The address of the v1 data plane."""
        return f"{self.endpoint}/openai/v1"

    @property
    def host(self) -> str:
        """The endpoint's host, with its port where it has one of its own."""
        return host_of(self.endpoint)

    @property
    def account(self) -> str:
        """The resource, one word for the several hosts that the portal shows for it: whose jobs these are hangs on it."""
        label, _, domain = self.host.partition(".")
        return f"{label}{PUBLIC_HOSTS[0]}" if f".{domain}" in PUBLIC_HOSTS else self.host

    @property
    def public(self) -> bool:
        """Whether this is Microsoft's public cloud, whose prices the catalogue knows."""
        return (urlsplit(self.endpoint).hostname or "").endswith(PUBLIC_HOSTS)

    @property
    def credential(self) -> SecretStr | Callable[[], str]:
        """What opens the data plane: the key, or a callable for tokens."""
        return self.door.token if isinstance(self.door, Identity) else self.door

    @property
    def missing(self) -> list[str]:
        """Settings that deployments need and that are not there, each with its environment name."""
        return [f"`{name}` ({_TARGET[name]})" for name, value in self.target.items() if not value]

    def whole_target(self) -> Target:
        """Give the resource that deployments are made in.

        Raises:
            ConfigError: Part of it is not known.
        """
        if self.missing:
            fix = "Set them in the environment or in the profile; `az cognitiveservices account list` shows resources with their groups."
            raise ConfigError(f"To host models in Azure, {', '.join(self.missing)} must be set.", fix=fix, backend="azure")
        return Target(**{name: str(value) for name, value in self.target.items()})


_TARGET = {
    "subscription_id": "AZURE_SUBSCRIPTION_ID",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "account_name": "AZURE_OPENAI_ACCOUNT",
}


def resolve(
    *,
    endpoint: str | None,
    api_key: str | SecretStr | None,
    token: object,
    credential: object,
    scope: str,
    arm_token: object,
    arm_url: str | None,
    arm_scope: str,
    target: dict[str, str | None],
    training_type: str | None,
    sku: str,
    capacity: int,
) -> AzureSettings:
    """Join arguments with the environment; arguments go first.

    Raises:
        ConfigError: Something is missing, contradicts something else, or is no such thing; the text names the setting.
    """
    address = _address(endpoint or os.environ.get("AZURE_OPENAI_ENDPOINT"), "endpoint", "AZURE_OPENAI_ENDPOINT")
    named = {name: target.get(name) or os.environ.get(variable) or None for name, variable in _TARGET.items()}
    if not named["account_name"]:
        named["account_name"] = _account(address)
    return AzureSettings(
        endpoint=address,
        door=_data_plane(api_key, token, credential, scope),
        arm=identity(arm_scope, setting="arm_token", token=_arm_token(arm_token, credential), credential=credential),
        arm_url=_address(arm_url or os.environ.get("AZURE_ARM_URL") or ARM_URL, "arm_url", "AZURE_ARM_URL"),
        target=named,
        training_type=None if training_type is None else TRAINING_TYPES[word(training_type, TRAINING_TYPES, "training_type")],
        sku=sku,
        capacity=capacity,
    )


def word(given: str, known: dict[str, str], setting: str) -> str:
    """Give the key of `known` that a word means; case, blanks and punctuation do not matter.

    Raises:
        ConfigError: It means none; the text names the nearest one.
    """
    plain = re.sub(r"[^a-z0-9]", "", str(given).lower())
    if plain in known:
        return plain
    guess = nearest(plain, list(known))
    fix = f"Did you mean `{known[guess]}`?" if guess else f"Known: {', '.join(dict.fromkeys(known.values()))}."
    raise ConfigError(f"`{setting}` is {given!r}, which Azure does not know.", fix=fix)


def _data_plane(api_key: str | SecretStr | None, token: object, credential: object, scope: str) -> SecretStr | Identity:
    """Choose: what was given as an argument goes before the environment, a key before tokens."""
    if api_key is not None and token is not None:
        raise ConfigError("`api_key` and `token` were both given.", fix="Give one of them.")
    given = api_key or (None if token is not None or credential is not None else os.environ.get("AZURE_OPENAI_API_KEY"))
    if given:
        return given if isinstance(given, SecretStr) else SecretStr(given)
    if api_key is not None:
        raise ConfigError("`api_key` is empty.", fix="Set AZURE_OPENAI_API_KEY, or leave it out to log in by Entra ID.")
    text = token if token is not None else (None if credential is not None else os.environ.get("AZURE_OPENAI_AD_TOKEN") or None)
    return identity(scope, setting="token", token=text, credential=credential)


def _arm_token(arm_token: object, credential: object) -> object:
    if arm_token is not None or credential is not None:
        return arm_token
    return os.environ.get("AZURE_ARM_TOKEN") or None


def _address(text: str | None, setting: str, variable: str) -> str:
    if not text:
        raise ConfigError(
            f"Backend azure needs `{setting}`.", fix=f"Set {variable}, such as https://RESOURCE.openai.azure.com.", backend="azure"
        )
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ConfigError(
            f"`{setting}` is no address: {text!r}.", fix="Write it as https://RESOURCE.openai.azure.com, without a key.", backend="azure"
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        fix = "Write https://; http is for loopback only."
        raise ConfigError(f"`{setting}` {text!r} would carry the credential in the clear.", fix=fix, backend="azure")
    return f"{parts.scheme}://{parts.netloc}{_SHOWN.sub('', parts.path)}"


def _account(endpoint: str) -> str | None:
    """Take the resource's name from the host; a custom domain that is none of Azure's says nothing."""
    host = urlsplit(endpoint).hostname or ""
    return host.split(".", 1)[0] if re.search(r"\.(openai|cognitiveservices|services\.ai)\.azure\.", host) else None
