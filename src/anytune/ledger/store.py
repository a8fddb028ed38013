"""The `Ledger`: the one face of the database. Each method is one transaction; what it does lives in the module of its noun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.exc import IntegrityError

from anytune.errors import redact
from anytune.ledger import claims, deployments, files, jobs, logs, many, queue
from anytune.ledger.engine import Database, open_database
from anytune.ledger.migrate import migrate
from anytune.values import now as _now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from anytune.backend import LocalFile, RemoteDeployment, RemoteFile
    from anytune.ledger.rows import DeploymentRow, JobRow
    from anytune.spec import TrainingSpec
    from anytune.values import Event, Finding, Metric, ModelRef, Quote, Snapshot, Status

__all__ = ["Ledger"]


class Ledger:
    """The durable record of jobs, files and deployments. Safe for threads and processes; every write is on disk when its method returns.

    Args:
        database: An open, migrated database.
        uuid: The ledger's own id: remote jobs carry it, so that two ledgers on one account can be told apart.
        clock: Gives the time with its zone.

    Example:
        ```python
        with Ledger.open() as ledger:
            for row in ledger.jobs(status="running"):
                print(row.id, row.name)
        ```
    """

    def __init__(self, database: Database, uuid: str, *, clock: Callable[[], datetime] = _now) -> None:
        """Keep the parts; `open` makes them."""
        self.database = database
        self.uuid = uuid
        self.clock = clock

    @classmethod
    def open(cls, url: str | None = None, *, clock: Callable[[], datetime] = _now) -> Self:
        """Open the ledger, made or migrated forward where needed.

        Args:
            url: A SQLAlchemy URL of SQLite or PostgreSQL; None takes `ANYTUNE_LEDGER`, or `ledger.db` in the state folder.
            clock: Gives the time with its zone.

        Raises:
            ConfigError: The URL cannot hold a ledger.
            LedgerError: It cannot be opened, or is of a newer anytune.
        """
        database = open_database(url)
        try:
            return cls(database, migrate(database), clock=clock)
        except BaseException:
            database.close()
            raise

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections; another use opens new ones."""
        self.database.close()

    def claim(
        self,
        *,
        backend: str,
        account: str,
        name: str,
        profile: str | None,
        spec: TrainingSpec,
        spec_hash: str,
        model: str,
        data: Mapping[str, LocalFile],
        host: str | None,
        sources: Mapping[str, str] | None = None,
        new_attempt: bool = False,
        resolved: Mapping[str, Any] | None = None,
        losses: Iterable[Finding] = (),
        findings: Iterable[Finding] = (),
        estimate: Quote | None = None,
    ) -> tuple[JobRow, bool]:
        """Give the job of the key (backend, account, name), and whether it begins now.

        The same spec hash gives the same job, running or done. A live job is also what `new_attempt` gives; once it has ended,
        `new_attempt` starts the next numbered attempt. A job that the backend rejected never existed there, and begins again.

        `data` are the files to be sent; `sources` the sha256 by role that the spec hash was made of, where they were converted.

        Raises:
            JobConflict: The key belongs to a job with another spec; `differences` shows both.
            JobFailed: The job failed or was cancelled; the text says why, and `new_attempt=True` goes on.
        """
        rest = {"backend": backend, "account": account, "name": name, "profile": profile, "spec_hash": spec_hash, "host": host}
        hashes = sources if sources is not None else {role: file.sha256 for role, file in data.items()}
        said = {"losses": losses, "findings": findings, "estimate": estimate}
        wanted = claims.Claim.of(spec, model=model, data=data, sources=hashes, resolved=dict(resolved or {}), **said, **rest)
        try:
            return self._claim(wanted, new_attempt=new_attempt)
        except IntegrityError:  # PostgreSQL: another process inserted the same key first, so now there is a row to find
            return self._claim(wanted, new_attempt=new_attempt)

    def _claim(self, wanted: claims.Claim, *, new_attempt: bool) -> tuple[JobRow, bool]:
        with self.database.write() as connection:
            return claims.claim(connection, wanted, self.uuid, new_attempt=new_attempt, now=self.clock())

    def attach(
        self, *, backend: str, account: str, profile: str | None, remote_id: str, name: str, host: str | None, snapshot: Snapshot
    ) -> JobRow:
        """Take in a remote job that anytune did not create; the same (backend, account, remote_id) again gives the same row.

        Raises:
            ConfigError: The name is taken by another job.
        """
        key = {"backend": backend, "account": account, "profile": profile, "name": name, "host": host}

        def attached() -> JobRow:
            with self.database.write() as connection:
                return claims.attach(connection, self.uuid, snapshot, remote_id=remote_id, now=self.clock(), **key)

        try:
            return attached()
        except IntegrityError:  # PostgreSQL: another process attached the same job first
            return attached()

    def job(self, job_id: str) -> JobRow:
        """Give a job by its id, the beginning of one (6 characters or more) or its name (the latest attempt).

        Raises:
            NotFound: There is none.
            ConfigError: There are several.
        """
        with self.database.read() as connection:
            return jobs.find(connection, job_id, self.uuid)

    def jobs(
        self,
        *,
        status: Status | str | Iterable[Status | str] | None = None,
        backend: str | None = None,
        name: str | None = None,
        limit: int | None = None,
    ) -> list[JobRow]:
        """Give jobs, newest first."""
        with self.database.read() as connection:
            return jobs.listed(connection, self.uuid, status=status, backend=backend, name=name, limit=limit)

    def holders(self, row: JobRow, *, unseen_since: datetime) -> list[JobRow]:
        """Give the jobs that hold places at the account of a job, and that nobody wrote of since then: they may have ended."""
        with self.database.read() as connection:
            return queue.holders(connection, row, unseen_since=unseen_since)

    def latest(self, *, backend: str, account: str, name: str) -> JobRow | None:
        """Give the latest attempt under a key, or None."""
        with self.database.read() as connection:
            return jobs.latest(connection, self.uuid, backend=backend, account=account, name=name)

    def record(self, job_id: str, snapshot: Snapshot, *, since: int | None = None) -> JobRow:
        """Take in one observation by the status machine (`following`): an ended job stays as it ended.

        Args:
            job_id: Its id.
            snapshot: What was seen.
            since: `JobRow.observation` as it was when the backend was asked. Where somebody recorded a later look meanwhile, this one is
                out of date and only an end is taken from it: a process that was stopped and woke up late writes nothing stale.
        """
        with self.database.write() as connection:
            return jobs.observe(connection, job_id, self.uuid, snapshot, since=since, now=self.clock())

    def record_many(self, seen: Sequence[tuple[JobRow, Snapshot]]) -> list[JobRow]:
        """Take in one observation of each of several jobs, made when its row was as it is given: `record` in one transaction."""
        with self.database.write() as connection:
            return many.observe(connection, seen, self.uuid, now=self.clock())

    def rows(self, ids: Iterable[str]) -> dict[str, JobRow]:
        """Give jobs by their whole ids."""
        with self.database.read() as connection:
            return many.rows(connection, ids, self.uuid)

    def marks(self, ids: Iterable[str]) -> dict[str, datetime]:
        """Say of each job when its row was changed last: by this, one who holds rows knows which to read again."""
        with self.database.read() as connection:
            return many.marks(connection, ids)

    def nudge(self, remote_id: str) -> list[JobRow]:
        """Wake those who wait for the jobs with this id at their backend, in whichever process, and give the jobs."""
        with self.database.write() as connection:
            return many.nudge(connection, remote_id, self.uuid)

    def nudges(self) -> dict[str, int]:
        """Count the nudges of each job that ever had one."""
        with self.database.read() as connection:
            return many.nudges(connection)

    def request_cancel(self, job_id: str, *, reason: str = "") -> JobRow:
        """Write down that a job shall end; one that was never sent is cancelled at once.

        Args:
            job_id: Its id.
            reason: Why, such as a budget that is used up; shown when the same job is asked for again.
        """
        with self.database.write() as connection:
            return jobs.request_cancel(connection, job_id, self.uuid, reason=reason, now=self.clock())

    def overdraw(self, job_id: str, *, reason: str) -> JobRow:
        """Write down that a job's budget is used up, and since when; it is still to be ended."""
        with self.database.write() as connection:
            row = jobs.one(connection, job_id, self.uuid, lock=True)
            said = {"error": redact(reason), "overdrawn_at": row.overdrawn_at or self.clock()}
            return row if row.status.terminal else jobs.change(connection, job_id, self.uuid, now=self.clock(), **said)

    def remove(self, job_id: str) -> None:
        """Forget an ended job with its events and metrics.

        Raises:
            ConfigError: It has not ended.
        """
        with self.database.write() as connection:
            jobs.remove(connection, job_id, self.uuid)

    def add_events(self, job_id: str, events: Iterable[Event]) -> list[Event]:
        """Keep the events that are not known yet (by id), and give those."""
        with self.database.write() as connection:
            return logs.add_events(connection, job_id, events)

    def events(self, job_id: str, after: str | None = None, limit: int | None = None) -> list[Event]:
        """Give events, oldest first; those after the one whose id is `after`."""
        with self.database.read() as connection:
            return logs.events(connection, job_id, after=after, limit=limit)

    def last_event(self, job_id: str) -> str | None:
        """Give the id of the newest event that is known, the cursor for what comes after it."""
        with self.database.read() as connection:
            return logs.last_event(connection, job_id)

    def last_step(self, job_id: str) -> int | None:
        """Give the newest step that has metrics."""
        with self.database.read() as connection:
            return logs.last_step(connection, job_id)

    def add_metrics(self, job_id: str, metrics: Iterable[Metric]) -> None:
        """Keep metrics by step; numbers of a step that is known join it."""
        with self.database.write() as connection:
            logs.add_metrics(connection, job_id, metrics)

    def metrics(self, job_id: str, after: int | None = None) -> list[Metric]:
        """Give metrics by step; those after step `after`."""
        with self.database.read() as connection:
            return logs.metrics(connection, job_id, after=after)

    def remote_file(self, backend: str, account: str, sha256: str) -> RemoteFile | None:
        """Give the file with these bytes, if the backend holds it."""
        with self.database.read() as connection:
            return files.held(connection, (backend, account, sha256))

    def add_remote_file(self, backend: str, account: str, file: RemoteFile) -> None:
        """Write down that the backend holds a file."""
        with self.database.write() as connection:
            files.finish(connection, (backend, account, file.sha256), file, now=self.clock())

    def remote_file_since(self, backend: str, account: str, sha256: str) -> datetime | None:
        """Tell since when the backend holds the file with these bytes."""
        with self.database.read() as connection:
            return files.held_since(connection, (backend, account, sha256))

    def forget_remote_file(self, backend: str, account: str, sha256: str, *, remote_id: str | None = None) -> None:
        """Write down that the backend does not hold a file (any more): the next job sends it again.

        With `remote_id` only where that is still the file: another process may have sent it again meanwhile.
        """
        with self.database.write() as connection:
            files.forget(connection, (backend, account, sha256), remote_id=remote_id)

    def plan_deployment(
        self,
        *,
        backend: str,
        account: str,
        profile: str | None,
        model: ModelRef,
        name: str,
        ttl_s: float,
        host: str | None,
        job_id: str | None = None,
        options: Mapping[str, Any] | None = None,
        adapters: Mapping[str, ModelRef] | None = None,
        hourly_usd: float | None = None,
    ) -> DeploymentRow:
        """Write down a host before it is asked for; it expires `ttl_s` seconds from now."""
        columns = {
            "backend": backend,
            "account": account,
            "profile": profile,
            "name": name,
            "host": host,
            "job_id": job_id,
            "hourly_usd": hourly_usd,
        }
        with self.database.write() as connection:
            return deployments.plan(
                connection,
                ttl_s=ttl_s,
                now=self.clock(),
                model=model.model_dump(mode="json"),
                options=jobs.clean(dict(options or {})),
                adapters={word: each.model_dump(mode="json") for word, each in (adapters or {}).items()},
                **columns,
            )

    def record_deployment(self, deployment_id: str, seen: RemoteDeployment, *, since: datetime | None = None) -> DeploymentRow:
        """Take in one observation of a host; `gone` never changes, and no credential is kept.

        Args:
            deployment_id: Its id.
            seen: What was seen.
            since: `DeploymentRow.updated_at` as it was when the backend was asked: as for `record`, a look that is out of date writes
                nothing but an end.
        """
        with self.database.write() as connection:
            return deployments.observe(connection, deployment_id, seen, now=self.clock(), since=since)

    def request_stop(self, deployment_id: str) -> DeploymentRow:
        """Write down that a host shall end."""
        with self.database.write() as connection:
            return deployments.request_stop(connection, deployment_id, now=self.clock())

    def deployment(self, deployment_id: str) -> DeploymentRow:
        """Give a deployment by its id, the beginning of one or its name (the latest).

        Raises:
            NotFound: There is none.
            ConfigError: There are several.
        """
        with self.database.read() as connection:
            return deployments.find(connection, deployment_id)

    def deployments(self, *, live: bool = False) -> list[DeploymentRow]:
        """Give deployments, newest first; with `live` only those that may still cost something."""
        with self.database.read() as connection:
            return deployments.listed(connection, live=live)
