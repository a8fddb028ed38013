"""The blocking half of engines: hosts in the ledger, and what one may cost. Everything here runs in a thread."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytune.deploy import Deployment
from anytune.errors import AnytuneError, NotFound, Unsupported
from anytune.infer import credential
from anytune.model import TunedModel
from anytune.paths import home, host
from anytune.server.errors import ApiError
from anytune.server.training import backends
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Backend
    from anytune.runtime import Runtime
    from anytune.server.config import ServeConfig
    from anytune.server.engines.names import Lead
    from anytune.values import Address, ModelRef

__all__ = ["Hosts", "Left", "bearer", "free"]

_log = logging.getLogger(__name__)
_MARK = re.compile(r"serve-(?P<server>[0-9a-f]{8})-(?P<key>[0-9a-f]{16})")
_SOON_S = 30.0


@dataclass(frozen=True)
class Left:
    """An engine that a server of this state folder left.

    Attributes:
        key: Which model, hosted how.
        deployment: Its host.
        ending: Whether it is to end: that was asked for already, or the server was killed before it heard which host was made for it.
        dear: Whether it bills by the hour.
    """

    key: str
    deployment: Deployment
    ending: bool
    dear: bool


class Hosts:
    """Hosts that a server starts, finds and ends.

    Args:
        config: What its owner decided.
        context: Ledger, retries, clock and backends.
    """

    def __init__(self, config: ServeConfig, context: Runtime) -> None:
        """Find the word by which this server knows its own hosts in the ledger."""
        self.config, self.context = config, context
        whose = f"{host()}\n{(config.home or home() / 'server').resolve()}"
        self.server = hashlib.sha256(whose.encode()).hexdigest()[:8]

    def name(self, key: str) -> str:
        """Name an engine in the ledger: what an engine is for can be read from its row, whoever is killed when."""
        return f"serve-{self.server}-{key}"

    def backend(self, word: str) -> Backend:
        """Give a backend, set up as the server's owner said.

        Raises:
            ConfigError: It cannot be set up.
        """
        return backends.backend(self.context, word, backends.options(self.config, word))

    def left(self) -> list[Left]:
        """Give the engines of an earlier server of this state folder that may still run, the newest first."""
        found = []
        for deployment in Deployment.list(context=self.context):
            mark = _MARK.fullmatch(deployment.name)
            if mark is None or mark["server"] != self.server or deployment.row.host != host():
                continue
            try:
                dear = not free(self.backend(deployment.row.profile or deployment.row.backend))
            except AnytuneError as error:
                _log.warning("Engine %s cannot be looked after: %s", deployment.id, error.message)
                continue
            ending = deployment.row.stop_requested or deployment.row.remote_id is None
            found.append(Left(mark["key"], deployment, ending=ending, dear=dear))
        return found

    def standing(self, lead: Lead) -> tuple[Address, Deployment | None] | None:
        """Find who answers for a model already: a host that its owner started, or the provider itself; None where nobody does.

        Raises:
            ApiError: 404: the provider knows no such model.
        """
        backend = self.backend(lead.backend)
        if "deploy" not in backend.capabilities.abilities:
            return self._served(lead, backend), None
        for deployment in Deployment.list(context=self.context):
            if self._fits(deployment, lead, backend):
                try:
                    return deployment.endpoint.address, deployment
                except AnytuneError:
                    continue
        if backend.capabilities.local:
            return None
        try:
            return self._served(lead, backend), None
        except (ApiError, Unsupported):
            return None

    def start(self, lead: Lead, key: str, adapters: Mapping[str, ModelRef]) -> Deployment:
        """Ask for a host; it ends by itself after the configured time, whatever becomes of the server.

        Raises:
            ApiError: 400: it would cost money, and nobody allowed that.
        """
        backend = self.backend(lead.backend)
        if not (lead.deploy if lead.deploy is not None else free(backend)):
            raise ApiError(
                400,
                f"The model `{lead.name}` has no host, and one at {backend.name} may bill by the hour. The server's owner can deploy it "
                "(`anytune deploy`), or allow hosts with `deploy: true` in the model's entry of the configuration.",
                code="model_not_deployed",
                param="model",
            )
        model = lead.model if lead.base is None or key == lead.alone else lead.base
        return Deployment.start(
            TunedModel(model, backend=lead.backend, job_id=lead.job_id if model is lead.model else None, context=self.context),
            ttl_s=self.config.engine_ttl_s,
            name=self.name(key),
            options=lead.options,
            adapters={word: TunedModel(ref, backend=lead.backend, context=self.context) for word, ref in adapters.items()},
            context=self.context,
        )

    def _served(self, lead: Lead, backend: Backend) -> Address:
        try:
            return self.context.retry.read(lambda: backend.address(lead.model), backend=backend)
        except NotFound as error:
            raise ApiError(404, f"The model `{lead.name}` does not answer: {error}", code="model_not_found", param="model") from None

    def _fits(self, deployment: Deployment, lead: Lead, backend: Backend) -> bool:
        row = deployment.row
        return (
            row.state == "ready"
            and not row.stop_requested
            and _MARK.fullmatch(row.name) is None
            and (row.backend, row.account, row.model["id"]) == (backend.name, backend.account, lead.model.id)
            and (row.host == host() or not backend.capabilities.local)
            and (row.expires_at - now()).total_seconds() > _SOON_S
        )


def free(backend: Backend) -> bool:
    """Tell whether a host costs nothing by the hour: it is one's own machine, or its bills are made up."""
    return backend.capabilities.local or backend.capabilities.scripted


def bearer(address: Address) -> str:
    """Give the `Authorization` header to send now; may ask the network where tokens expire."""
    return f"Bearer {credential(address)}"
