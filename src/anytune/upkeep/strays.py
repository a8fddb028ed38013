"""What runs or bills at providers and this ledger does not know, or took for gone. Nothing here ends or adopts anything by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from anytune import intake, plugins
from anytune.deploy import STOP_TIMEOUT_S, Deployment
from anytune.errors import AnytuneError, ConfigError, NotFound, Unsupported, WaitTimeout
from anytune.pauses import host_pauses
from anytune.profiles import profiles
from anytune.runtime import Runtime, runtime
from anytune.takedown import refused
from anytune.upkeep.cases import Unasked
from anytune.values import Status, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.backend import Backend, RemoteDeployment, RemoteJob
    from anytune.ledger import DeploymentRow, JobRow

__all__ = ["Orphan", "Orphans", "adopt", "end", "orphans"]

_HOURS_A_DAY = 24


class Orphan(Value):
    """One job or host of a provider.

    Attributes:
        kind: Which of the two.
        backend: The word that its backend is set up by.
        remote_id: Its id there.
        state: A job's status or a host's state, as listed.
        whose: `ours`: it carries this ledger's tag, or the id of a row here. `another's`: it carries another ledger's. `unknown`: it
            carries anytune's mark and does not say whose it is.
        why: Why it is shown.
        row: The row here that it belongs to; None where there is none.
        name: A word for people, where it carries one.
        model: What it trains or hosts.
        usd_per_day: What a host bills in 24 hours; None for jobs, and where it is not known.
        fix: The next step.
    """

    kind: Literal["job", "deployment"]
    backend: str
    remote_id: str
    state: str
    whose: Literal["ours", "another's", "unknown"]
    why: str
    row: str | None = None
    name: str | None = None
    model: str | None = None
    usd_per_day: float | None = None
    fix: str = ""


class Orphans(Value):
    """What was found.

    Attributes:
        ours: Jobs and hosts of this ledger.
        others: Those of other ledgers, and hosts that do not say whose they are: never touched from here.
        cut: Words of backends whose listing was longer than what was looked at: there may be more.
        asked: Words of backends that were asked.
        failed: Backends that could not be asked.
        idle: Installed backends that are not set up here, and that no row of the ledger names.
    """

    ours: tuple[Orphan, ...] = ()
    others: tuple[Orphan, ...] = ()
    cut: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    failed: tuple[Unasked, ...] = ()
    idle: tuple[str, ...] = ()

    @property
    def usd_per_day(self) -> float:
        """What our hosts bill in 24 hours, as far as that is known."""
        return sum((one.usd_per_day or 0.0 for one in self.ours), start=0.0)

    @property
    def at_least(self) -> bool:
        """Whether there may be more than was found, or more to pay than is known."""
        unknown = any(one.kind == "deployment" and one.usd_per_day is None for one in self.ours)
        return bool(self.cut or self.failed) or unknown


def orphans(*, backend: str | None = None, limit: int = 1000, context: Runtime | None = None) -> Orphans:
    """Ask every backend that can be set up here, or one, for what the ledger does not know. Reads only.

    Args:
        backend: Only this backend or profile.
        limit: Jobs of an account that are looked at, the newest first.
        context: Ledger and retries; the process's own by default.

    Raises:
        AnytuneError: The backend that was named cannot be asked.
    """
    context = context or runtime()
    search = _Search(context, limit)
    named = _named(context)
    for word in [backend] if backend is not None else dict.fromkeys((*named, *plugins.installed())):
        try:
            search.look(word, named=backend is not None)
        except AnytuneError as error:
            if backend is not None:
                raise
            if isinstance(error, ConfigError) and word not in named:
                search.idle.append(word)
            else:
                search.failed.append(_unasked(word, error))
    return search.result()


def adopt(orphan: Orphan, context: Runtime | None = None) -> JobRow:
    """Take a job of ours that has no row into the ledger, under its name where that is free.

    Raises:
        ConfigError: It is a host, has a row, or is not ours.
        BackendError: Its backend could not be asked.
    """
    if orphan.kind != "job" or orphan.row is not None or orphan.whose != "ours":
        raise ConfigError(f"{orphan.remote_id} is no job of this ledger without a row.", fix=orphan.fix)
    context = context or runtime()
    try:
        return intake.attached(orphan.backend, orphan.remote_id, orphan.name or orphan.remote_id, context)
    except ConfigError:
        if orphan.name is None:
            raise
        return intake.attached(orphan.backend, orphan.remote_id, orphan.remote_id, context)


def end(orphan: Orphan, *, timeout_s: float = STOP_TIMEOUT_S, context: Runtime | None = None) -> None:
    """Take a host of ours down, and wait until its provider confirms that it is gone.

    Raises:
        ConfigError: It is a job, or not ours.
        WaitTimeout: It is not confirmed yet, and may still cost money.
        BackendError: The backend refuses, or cannot be asked; the same holds.
    """
    if orphan.kind != "deployment" or orphan.whose != "ours":
        raise ConfigError(f"{orphan.remote_id} is no host of this ledger, so it is not ended.", fix="Ask whose it is.")
    context = context or runtime()
    row = None if orphan.row is None else context.ledger.deployment(orphan.row)
    if row is not None and row.state != "gone":
        Deployment(row, context=context).stop(timeout_s=timeout_s)
        return
    backend = context.backend(orphan.backend)
    deadline, pause = context.clock() + timeout_s, host_pauses(backend)
    asked, why = False, ""
    while not _is_gone(orphan.remote_id, backend, context):
        if not asked:
            why = refused(orphan.remote_id, backend, context.retry)
            asked = not why
        if context.clock() >= deadline:
            fix = "`anytune orphans --stop` asks again; or delete it at the provider."
            raise WaitTimeout(f"Host {orphan.remote_id} is not confirmed gone, and may still cost money. {why}".rstrip(), fix=fix)
        context.sleep(pause())


class _Search:
    """What was found so far, and which accounts were asked: several words may name one."""

    def __init__(self, context: Runtime, limit: int) -> None:
        self.context = context
        self.limit = limit
        self.found: list[Orphan] = []
        self.cut: list[str] = []
        self.asked: list[str] = []
        self.failed: list[Unasked] = []
        self.idle: list[str] = []
        self._accounts: set[tuple[str, str]] = set()

    def look(self, word: str, *, named: bool) -> None:
        """Ask one backend for its hosts and its jobs; where one of the two cannot be had, the other is asked for all the same."""
        backend = self.context.backend(word)
        able = backend.capabilities.abilities
        looks = [look for ability, look in (("list_deployments", self._hosts), ("list_jobs", self._jobs)) if ability in able]
        if named and not looks:
            raise Unsupported(f"Backend {word!r} cannot list what it holds.", fix="`anytune backends` shows what each one can do.")
        if not looks or (backend.name, backend.account) in self._accounts:
            return
        self._accounts.add((backend.name, backend.account))
        errors: list[AnytuneError] = []
        for look in looks:
            try:
                look(word, backend)
            except AnytuneError as error:
                errors.append(error)
        if len(errors) == len(looks):
            raise errors[0]
        self.asked.append(word)
        self.failed += [_unasked(word, error) for error in errors]

    def result(self) -> Orphans:
        ours = tuple(one for one in self.found if one.whose == "ours")
        others = tuple(one for one in self.found if one.whose != "ours")
        told = {"cut": tuple(self.cut), "asked": tuple(self.asked), "idle": tuple(self.idle)}
        return Orphans(ours=ours, others=others, failed=tuple(self.failed), **told)

    def _hosts(self, word: str, backend: Backend) -> None:
        self.found += _hosts(word, backend, self.context)

    def _jobs(self, word: str, backend: Backend) -> None:
        listed = self.context.retry.read(lambda: backend.list_jobs(self.limit), backend=backend)
        self.found += _jobs(backend=backend, word=word, listed=listed[: self.limit], context=self.context)
        self.cut += [word] if len(listed) >= self.limit else []


def _unasked(word: str, error: AnytuneError) -> Unasked:
    return Unasked(backend=word, type=type(error).__name__, message=error.message, fix=error.fix)


def _named(context: Runtime) -> list[str]:
    """Give the profiles, which hold the settings, and what the ledger's rows name."""
    jobs = (row.profile or row.backend for row in context.ledger.jobs())
    hosts = (row.profile or row.backend for row in context.ledger.deployments())
    return [*dict.fromkeys((*profiles(), *jobs, *hosts))]


def _hosts(word: str, backend: Backend, context: Runtime) -> Iterator[Orphan]:
    listed = context.retry.read(backend.list_deployments, backend=backend)
    rows = [row for row in context.ledger.deployments() if (row.backend, row.account) == (backend.name, backend.account)]
    by_id = {row.remote_id: row for row in rows if row.remote_id} | {row.id: row for row in rows}
    for host in listed:
        row = by_id.get(host.ref or "") or by_id.get(host.id)
        why = _why(row, context)
        if host.state != "gone" and why:
            yield _host(word, host, row, why, context)


def _why(row: DeploymentRow | None, context: Runtime) -> str:
    """Say what is wrong with a host that is there; empty where nothing is."""
    if row is None:
        return "the ledger has no row of it"
    if row.state == "gone":
        return "the ledger took it for gone"
    if row.stop_requested:
        return "its end was asked for, and it is there still"
    return "it is over its time" if row.expires_at <= context.ledger.clock() else ""


def _host(word: str, host: RemoteDeployment, row: DeploymentRow | None, why: str, context: Runtime) -> Orphan:
    ours = row is not None or (host.ledger or "").lower() == context.ledger.uuid.lower()
    whose: Literal["ours", "another's", "unknown"] = "ours" if ours else "another's" if host.ledger else "unknown"
    fix = "If nobody needs it: `anytune orphans --stop`." if ours else "Ask whose it is; delete it at the provider."
    return Orphan(
        kind="deployment",
        backend=word,
        remote_id=host.id,
        state=host.state,
        model=host.model,
        usd_per_day=None if host.hourly_usd is None else host.hourly_usd * _HOURS_A_DAY,
        whose=whose,
        why=why if ours else "another ledger made it" if host.ledger else "it does not say which ledger made it",
        row=row.id if row else None,
        name=row.name if row else None,
        fix=fix,
    )


def _jobs(word: str, backend: Backend, listed: list[RemoteJob], context: Runtime) -> Iterator[Orphan]:
    rows = [row for row in context.ledger.jobs(backend=backend.name) if row.account == backend.account]
    known, by_id = {row.remote_id for row in rows}, {row.id: row for row in rows}
    for job in listed:
        row = by_id.get(job.ref or "")
        mine = row is not None or (job.ledger or "").lower() == context.ledger.uuid.lower()
        ended = job.status.terminal and (row is not None or not mine or job.status is not Status.SUCCEEDED)
        if job.id in known or job.ref is None or ended:
            continue
        if not mine:
            yield _job(word, job, None, "another's" if job.ledger else "unknown", "another ledger made it", "Ask whose it is.")
        elif row is None:
            yield _job(word, job, None, "ours", "the ledger has no row of it", "`anytune orphans --adopt` takes it into the ledger.")
        else:
            why = f"it is a second job of {row.name}, beside {row.remote_id}" if row.remote_id else f"{row.name} has not heard of it"
            what = "cancels it" if row.remote_id or row.status.terminal else "adopts it"
            yield _job(word, job, row, "ours", why, f"`anytune reconcile {row.id}` {what}.")


def _job(word: str, job: RemoteJob, row: JobRow | None, whose: Literal["ours", "another's", "unknown"], why: str, fix: str) -> Orphan:
    return Orphan(
        kind="job",
        backend=word,
        remote_id=job.id,
        state=job.status.value,
        whose=whose,
        why=why,
        row=row.id if row else None,
        name=job.name or (row.name if row else None),
        model=job.base_model,
        fix=fix,
    )


def _is_gone(remote_id: str, backend: Backend, context: Runtime) -> bool:
    try:
        return context.retry.read(lambda: backend.poll_deployment(remote_id), backend=backend).state == "gone"
    except NotFound:
        return True
