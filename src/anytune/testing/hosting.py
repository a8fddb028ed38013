"""The deployments of the memory backend: real servers on loopback, in this process or, where the state is a file, in one of their own."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from anytune.backend import Backend, DeployOrder, RemoteDeployment
from anytune.errors import NotFound
from anytune.testing.engine import Engine
from anytune.testing.store import DeploymentRecord, named
from anytune.values import Address, ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from anytune.backend import Ability
    from anytune.testing.faults import Fault, Faults
    from anytune.testing.store import State, Store

__all__ = ["Hosting"]

_HOURLY_USD = 0.5
_CHILDREN: list[subprocess.Popen[bytes]] = []


class Hosting(Backend):
    """The deploying half of `MemoryBackend`."""

    store: Store
    faults: Faults
    clock: Callable[[], float]
    _served: bool
    _key: SecretStr

    if TYPE_CHECKING:

        def _ability(self, ability: Ability, verb: str) -> AbstractContextManager[tuple[State, Fault | None]]: ...
        def _call(self, verb: str) -> AbstractContextManager[tuple[State, Fault | None]]: ...
        def _known_model(self, state: State, model_id: str, *, deleted_too: bool = False) -> None: ...

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Start a server; the same ref gives the same one."""
        started = None
        with self._ability("deploy", "deploy") as (state, _):
            row_id = f"deploy-{order.ref}"
            row = state.deployments.get(row_id)
            if row is None or row.state == "gone":
                self._know(state, order)
                row = started = self._new_row(row_id, order)
                state.deployments[row_id] = row
            answer = _remote(row)
        if started is not None and self.store.path is not None and started.state == "starting":
            argv = [sys.executable, "-m", "anytune.testing.engine", str(self.store.path), started.id]
            silent = subprocess.DEVNULL
            child = subprocess.Popen(argv, stdin=silent, stdout=silent, stderr=silent, start_new_session=True)
            _CHILDREN.append(child)
        return answer

    def _know(self, state: State, order: DeployOrder) -> None:
        if order.adapters and "adapters" not in self.capabilities.abilities:
            self._refuse("adapters", order.ref)
        for model in (order.model, *order.adapters.values()):
            self._known_model(state, model.id)

    def _new_row(self, row_id: str, order: DeployOrder) -> DeploymentRecord:
        row = DeploymentRecord(
            id=row_id,
            ref=order.ref,
            ledger=order.ledger,
            model=order.model,
            adapters=order.adapters,
            token=secrets.token_urlsafe(24),
            ttl_s=order.ttl_s,
            expires_at=self.clock() + order.ttl_s,
        )
        if self.faults.deploy_error:
            row.state, row.error = "failed", self.faults.deploy_error
        elif self.store.path is None:
            engine = Engine(order.model.id, adapters=named(row.adapters), token=row.token, ttl_s=order.ttl_s)
            self.store.engines[row_id] = engine
            row.base_url = engine.base_url
        return row

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Observe a server; `gone` once its port does not answer any more."""
        with self._ability("deploy", "poll_deployment") as (state, _):
            row = self._row(state, deployment_id)
            row.polls += 1
            _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
            vanished = self.faults.vanish_after_polls is not None and row.polls > self.faults.vanish_after_polls
            if (vanished or self.clock() >= row.expires_at) and row.state != "gone":
                self._stop(row)
            if row.state == "starting" and row.base_url and row.polls > self.faults.ready_polls:
                row.state = "ready"
            if (row.state == "stopping" or (row.state == "ready" and self.store.path is not None)) and not _answers(row.base_url):
                row.state = "gone"
            return _remote(row)

    def undeploy(self, deployment_id: str) -> None:
        """Stop a server; again is no error."""
        with self._ability("deploy", "undeploy") as (state, _):
            row = self._row(state, deployment_id)
            if row.state != "gone":
                self._stop(row)

    def list_deployments(self) -> list[RemoteDeployment]:
        """Give the servers that are not gone, newest first."""
        with self._ability("list_deployments", "list_deployments") as (state, _):
            return [_remote(row) for row in reversed(state.deployments.values()) if row.state != "gone"]

    def address(self, model: ModelRef) -> Address:
        """Give the address of a model that needs no deployment, where the backend was made so (`served`)."""
        if not self._served:
            self._refuse("address", model.id)
        with self._call("address") as (state, _):
            if state.counts["address"] <= self.faults.address_polls:
                raise NotFound(f"The model {model.id!r} does not exist.", fix="Ask again later.", backend=self.name)
            self._known_model(state, model.id)
        engine = self.store.engines.get(model.id)
        if engine is None:
            engine = self.store.engines[model.id] = Engine(model.id, token=self._key.get_secret_value() or None)
        return Address(base_url=engine.base_url, model=model.id, credential=self._key)

    def close(self) -> None:
        """Keep the state and the servers: they belong to the provider, not to this instance."""
        return

    def _row(self, state: State, deployment_id: str) -> DeploymentRecord:
        try:
            return state.deployments[deployment_id]
        except KeyError:
            raise NotFound(f"No deployment {deployment_id!r}.", fix="List the deployments.", backend=self.name) from None

    def _stop(self, row: DeploymentRecord) -> None:
        row.state = "stopping"
        engine = self.store.engines.pop(row.id, None)
        if engine is not None:
            engine.close()
        if not row.base_url:
            row.state = "gone"


def _answers(base_url: str) -> bool:
    parts = urlsplit(base_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1.0):
            return True
    except OSError:
        return False


def _remote(row: DeploymentRecord) -> RemoteDeployment:
    known: dict[str, Any] = {"state": row.state, "hourly_usd": _HOURLY_USD, "error": row.error, "model": row.model.id}
    known |= {"ref": row.ref, "ledger": row.ledger or None}
    if row.state == "ready":
        known["address"] = Address(base_url=row.base_url, model=row.model.id, credential=SecretStr(row.token))
    return RemoteDeployment(id=row.id, raw={"id": row.id, "state": row.state}, **known)
