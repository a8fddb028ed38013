"""Deployments by the resource that they are in: `RESOURCE/NAME`.

The endpoint, whose host is the account, and the resource that deployments are made in are two settings. A deployment that is looked for in
another resource is not there, and that would be taken for its end while it goes on to bill.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from anytune.errors import ConfigError
from anytune.values import now

if TYPE_CHECKING:
    from anytune.backend import RemoteDeployment
    from anytune_azure.settings import AzureSettings

__all__ = ["name_in", "placed", "warn_of_short_tokens"]

_log = logging.getLogger(__name__)


def warn_of_short_tokens(settings: AzureSettings, ttl_s: float) -> None:
    """Say it where nobody will be able to end a deployment at its time: a token from the command line lives for about an hour."""
    ends = settings.arm.ends_at()
    if ends is not None and ends < now() + timedelta(seconds=ttl_s):
        _log.warning(
            "%s ends at %s UTC, before the deployment's time is over: it cannot be taken down then, and bills on. Stop it before, or "
            "log in by `az login` or a service principal, whose tokens are renewed.",
            settings.arm.source.capitalize(),
            f"{ends:%Y-%m-%d %H:%M}",
        )


def placed(seen: RemoteDeployment, settings: AzureSettings) -> RemoteDeployment:
    """Give a deployment with the resource before its name."""
    return seen.model_copy(update={"id": f"{settings.whole_target().account_name}/{seen.id}"})


def name_in(deployment_id: str, settings: AzureSettings) -> str:
    """Give the name, or the ref, of a deployment of this resource.

    Raises:
        ConfigError: It is in another one.
    """
    resource, _, name = deployment_id.rpartition("/")
    ours = settings.whole_target().account_name
    if resource and resource.lower() != ours.lower():
        raise ConfigError(
            f"Deployment {name} is in the resource {resource}, and this backend is set up for {ours}.",
            fix=f"Set `account_name` (AZURE_OPENAI_ACCOUNT) to {resource}, with its subscription and group.",
            backend="azure",
        )
    return name
