"""Hosting a model: a deployment has an owner, an hourly cost and a time to live, and ends when the `with` block does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from anytune import posting
from anytune.arrival import arrived
from anytune.backend import DeployOrder, RemoteDeployment
from anytune.crew import checked
from anytune.errors import (
    AnytuneError,
    BackendError,
    ConfigError,
    DeploymentFailed,
    MalformedReply,
    NotFound,
    Transient,
    Unsupported,
    WaitTimeout,
)
from anytune.infer import Endpoint
from anytune.model import TunedModel
from anytune.paths import host
from anytune.pauses import host_pauses
from anytune.retry import translated, unsent
from anytune.runtime import Runtime, runtime
from anytune.served import look
from anytune.takedown import ended, refused
from anytune.values import ModelRef, now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from anytune.backend import Backend
    from anytune.ledger import DeploymentRow
    from anytune.values import Address

__all__ = ["Deployment"]

READY_TIMEOUT_S = 900.0
"""How long a host may take until it answers: engines load weights, hosted ones queue for machines."""

STOP_TIMEOUT_S = 120.0


class Deployment:
    """A running host of one model.

    Example:
        ```python
        with tuned.deploy(ttl_s=600) as endpoint:
            print(endpoint.chat("2 cups chopped fresh basil"))
        ```
    """

    def __init__(self, row: DeploymentRow, *, context: Runtime | None = None) -> None:
        """Hold the row; `start`, `get` and `list` make instances."""
        self._row = row
        self._context = context or runtime()
        self._seen: RemoteDeployment | None = None
        self._entered: Endpoint | None = None

    def __repr__(self) -> str:
        """Show the id, the model and the state."""
        return f"Deployment({self.id!r}, model={self.model.id!r}, state={self.state!r})"

    def __enter__(self) -> Endpoint:
        """Wait until the host answers; take it down again if it does not."""
        try:
            self._entered = self.wait()
        except BaseException:
            self.stop()
            raise
        return self._entered

    def __exit__(self, *_: object) -> None:
        """Close connections and take the host down."""
        if self._entered is not None:
            self._entered.close()
        self.stop()

    @classmethod
    def start(
        cls,
        model: TunedModel,
        *,
        ttl_s: float,
        name: str | None = None,
        options: Mapping[str, Any] | None = None,
        adapters: Mapping[str, TunedModel] | None = None,
        context: Runtime | None = None,
    ) -> Deployment:
        """Ask for a host: a row in the ledger first, then the backend. Does not wait until it answers.

        Raises:
            ConfigError: `ttl_s` is not positive, or the adapters' names cannot be told apart.
            NotFound: Files of a model are missing, or the backend knows no such model.
            Unsupported: The backend gives each tuned model a host of its own, and there are `adapters`.
        """
        if ttl_s <= 0:
            raise ConfigError(f"`ttl_s` is {ttl_s}.", fix="Give the seconds after which the host may be taken down.")
        backend = model.backend
        name = name or model.id.rstrip("/").rsplit("/", 1)[-1]
        crew = checked(model, adapters or {}, backend, name=name)
        context = context or runtime()
        row = context.ledger.plan_deployment(
            backend=backend.name,
            account=backend.account,
            profile=model.backend_name,
            model=model.ref,
            name=name,
            ttl_s=ttl_s,
            job_id=model.job_id,
            host=host(),
            options=options,
            adapters=crew,
        )
        deployment = cls(row, context=context)
        context.backends.setdefault(model.backend_name, backend)
        if "deploy" not in backend.capabilities.abilities:
            try:
                deployment._record(look(row, backend, context))
            except Exception as error:
                deployment._record(RemoteDeployment(id=model.id, state="gone", error=str(error)))  # nothing was started
                raise
            return deployment
        order = DeployOrder(
            ref=row.id, ledger=context.ledger.uuid, model=model.ref, name=row.name, ttl_s=ttl_s, options=dict(options or {}), adapters=crew
        )
        deployment._begin(order, backend)
        return deployment

    def _begin(self, order: DeployOrder, backend: Backend) -> None:
        """Ask for the host. Where that fails nobody has a handle on it: what was made all the same is taken down again."""
        unclear = False

        def ask() -> RemoteDeployment:
            nonlocal unclear
            try:
                made = backend.deploy(order)
            except Exception as error:
                unclear = unclear or (isinstance(translated(error, backend), Transient) and not unsent(error))
                raise
            unclear = True  # from here on there is a host: a ledger that is away now must not hear later that there is none
            return made

        try:
            if self.watched:
                posting.ensure(self._row.profile or backend.name, backend, self._context)  # first: what nobody would end is not begun
            made = self._context.retry.write(ask, backend=backend)
            self._context.retry.write(lambda: self._record(made))
        except BaseException as error:
            if unclear or not isinstance(error, Exception):
                self._row = self._context.ledger.request_stop(self.id)
                if isinstance(error, AnytuneError):
                    error.fix = f"{error.fix} Whether a host was made is not known: `anytune reconcile` looks for it, and ends it.".strip()
            else:
                self._record(RemoteDeployment(id=self.id, state="gone", error=str(error)))
            raise
        if self.state == "gone":  # somebody took it for one that was never made, while its backend was still being asked
            why = refused(made.id, backend, self._context.retry)
            if why:
                raise WaitTimeout(
                    f"Host {made.id} was taken for one that was never made, and bills: {why}", fix="`anytune orphans --stop` ends it."
                )

    @classmethod
    def get(cls, deployment_id: str, *, context: Runtime | None = None) -> Deployment:
        """Find a deployment by its id or the beginning of it.

        Raises:
            NotFound: The ledger knows none.
        """
        context = context or runtime()
        return cls(context.ledger.deployment(deployment_id), context=context)

    @classmethod
    def list(cls, *, live: bool = True, context: Runtime | None = None) -> Sequence[Deployment]:
        """Give the deployments, newest first; without `live=False` only those that may still cost something."""
        context = context or runtime()
        return [cls(row, context=context) for row in context.ledger.deployments(live=live)]

    @property
    def id(self) -> str:
        """Its id in the ledger."""
        return self._row.id

    @property
    def name(self) -> str:
        """A word for people."""
        return self._row.name

    @property
    def state(self) -> str:
        """As last seen: `planned`, `starting`, `ready`, `failed`, `stopping`, `gone` (confirmed) or `unknown`."""
        return self._row.state

    @property
    def row(self) -> DeploymentRow:
        """The ledger's row, as last read."""
        return self._row

    @property
    def model(self) -> TunedModel:
        """What is hosted."""
        return TunedModel(
            ModelRef.model_validate(self._row.model),
            backend=self._row.profile or self._row.backend,
            job_id=self._row.job_id,
            context=self._context,
        )

    @property
    def host(self) -> str | None:
        """The machine that asked for it; a local one runs there."""
        return self._row.host

    @property
    def expires_at(self) -> datetime:
        """When it is taken down by itself."""
        return self._row.expires_at

    @property
    def watched(self) -> bool:
        """Whether `anytune.watch` ends it: it runs at a provider that keeps no time to live.

        Raises:
            AnytuneError: Its backend cannot be set up here.
        """
        able = self._backend.capabilities
        return self.hosted and not (able.local or able.keeps_ttl)

    @property
    def hosted(self) -> bool:
        """Whether it is a host of its own; False where the provider serves the model anyway, and bills only calls.

        Raises:
            AnytuneError: Its backend cannot be set up here.
        """
        return "deploy" in self._backend.capabilities.abilities

    @property
    def elsewhere(self) -> bool:
        """Whether it runs on another machine of one's own, which alone can look at it and end it.

        Raises:
            AnytuneError: Its backend cannot be set up here.
        """
        return self._row.host != host() and self._backend.capabilities.local

    @property
    def hourly_usd(self) -> float | None:
        """US dollars an hour, called or not; 0 on one's own machine and where only calls are billed, None where it is not known."""
        return self._row.hourly_usd

    @property
    def cost_usd(self) -> float | None:
        """US dollars since it was asked for, by the hourly price; None where that is not known.

        A provider counts from when the host began and to when it was gone, in its own steps, and not while it sleeps: this is the most that
        it can be, and the bill has the last word.
        """
        if self._row.hourly_usd is None:
            return None
        end = self._row.ended_at or now()
        return self._row.hourly_usd * max((end - self._row.created_at).total_seconds(), 0.0) / 3600

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers.

        Raises:
            DeploymentFailed: It is not ready, or not any more.
        """
        seen = self._seen if self._seen and self._seen.address else self.refresh()
        if seen.state != "ready" or seen.address is None:
            raise DeploymentFailed(
                f"Deployment {self.id} is {seen.state}. {seen.error}".strip(), fix="`wait()` until it is ready, or deploy again."
            )
        return Endpoint(seen.address, retry=self._context.retry)

    def refresh(self) -> RemoteDeployment:
        """Look once. A deployment of another machine is not looked at: its state stays as that machine reported it.

        Raises:
            BackendError: The backend could not be asked.
            ConfigError: It is set up for another account here, which would say that there is no such host.
        """
        self._row = self._context.ledger.deployment(self.id)
        if self.elsewhere or self._row.remote_id is None or self._row.state == "gone":
            return RemoteDeployment(
                id=self._row.remote_id or self.id, state=self._state_word, hourly_usd=self._row.hourly_usd, error=self._row.error
            )
        self._same_account()
        since = self._row.updated_at
        if "deploy" not in self._backend.capabilities.abilities:
            try:
                return self._record(look(self._row, self._backend, self._context), since=since)
            except NotFound as error:
                return self._record(RemoteDeployment(id=self.model.id, state="gone", error=str(error)))
        remote_id = self._row.remote_id
        return self._record(self._context.retry.read(lambda: self._backend.poll_deployment(remote_id), backend=self._backend), since=since)

    def wait(self, *, timeout_s: float = READY_TIMEOUT_S) -> Endpoint:
        """Wait until the host answers.

        Raises:
            DeploymentFailed: It will not.
            WaitTimeout: It does not yet; it goes on, and costs on.
        """
        deadline = self._context.clock() + timeout_s
        pause = host_pauses(self._backend)
        while (address := self.arrival(waited_s=timeout_s if self._context.clock() >= deadline else None)) is None:
            self._context.sleep(pause())
        return Endpoint(address, retry=self._context.retry)

    def arrival(self, *, waited_s: float | None = None) -> Address | None:
        """Look once for who waits; a backend that is away for a while ends no wait. Arguments and errors as for `arrived`."""
        try:
            seen = self.refresh()
        except Transient as error:
            seen = RemoteDeployment(id=self.id, state="starting", error=str(error))
        return arrived(self._row, seen, waited_s=waited_s)

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> Self:
        """Take the host down and wait until the backend confirms that it is gone. Stopping again is no error.

        The wish is written down first: if this program dies now, the next `anytune deployments list` shows what still runs. A backend that
        cannot take it yet, as while it still makes the host, is asked again until then.

        Raises:
            WaitTimeout: It is not confirmed yet, and may still cost money.
            BackendError: The backend refuses, or cannot be asked; the same holds.
            ConfigError: The backend is set up for another account here.
            Unsupported: It runs on another machine of one's own.
        """
        if self.state == "gone":
            return self
        self._row = self._context.ledger.request_stop(self.id)
        if "deploy" not in self._backend.capabilities.abilities:
            self._record(RemoteDeployment(id=self.model.id, state="gone"))
            return self
        if self.elsewhere:
            raise Unsupported(f"Deployment {self.id} runs on {self._row.host}.", fix=f"Stop it on {self._row.host}.")
        self._same_account()
        try:
            self._seen = ended(self._row, self._backend, self._context, timeout_s=timeout_s)
        except (BackendError, MalformedReply) as error:
            error.fix = f"{error.fix} Until it is gone it may cost money: `anytune deployments stop {self.id}` asks again.".strip()
            raise
        finally:
            self._row = self._context.ledger.deployment(self.id)
        return self

    def _same_account(self) -> None:
        """Refuse to ask another account: it would say that there is no such host, and that would be taken for its end."""
        if self._backend.account != self._row.account and not self._backend.capabilities.local:
            raise ConfigError(
                f"Deployment {self.id} belongs to account {self._row.account}, and {self.model.backend_name} is set up for "
                f"{self._backend.account} here.",
                fix="Give the key, endpoint or profile of that account.",
                backend=self._row.backend,
            )

    def _record(self, seen: RemoteDeployment, *, since: datetime | None = None) -> RemoteDeployment:
        self._seen = seen
        self._row = self._context.ledger.record_deployment(self.id, seen, since=since)
        return seen

    @property
    def _backend(self) -> Backend:
        return self._context.backend(self._row.profile or self._row.backend)

    @property
    def _state_word(self) -> Any:
        return "starting" if self._row.state == "planned" else self._row.state
