"""Webhook calls that are owed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from anytune.ledger.server_tables import deliveries, jobs
from anytune.server.book.part import Part, new_id, row_of
from anytune.server.book.rows import DeliveryRow

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["PREFIX", "Deliveries"]

PREFIX = "fine_tuning.job."
"""What a type of call begins with; the job's last status follows."""


class Deliveries(Part):
    """Webhook calls that are owed.

    A call is written down before its job's end is: whoever is killed between the two has promised nothing. It falls due once the job has
    ended as the call says.
    """

    def owe(self, job_id: str, type: str, webhook: str) -> None:  # noqa: A002 - OpenAI's word
        """Write down a call; once, however often this is said.

        Args:
            job_id: The order that it is about.
            type: `fine_tuning.job.succeeded`, `….failed` or `….cancelled`.
            webhook: The name of the address in the server's configuration.
        """
        now = self.clock()
        values = {"id": new_id("evt_"), "job_id": job_id, "type": type, "webhook": webhook, "attempts": 0, "error": ""}
        same = select(deliveries.c.id).where(
            deliveries.c.job_id == job_id, deliveries.c.type == type, deliveries.c.webhook == webhook
        )  # fmt: skip
        try:
            with self.database.write() as connection:
                if connection.execute(same).first() is None:
                    connection.execute(insert(deliveries).values(**values, due_at=now, created_at=now))
        except IntegrityError:  # PostgreSQL: another connection wrote the same call first
            with self.database.read() as connection:
                if connection.execute(same).first() is None:
                    raise

    def due(self, webhook: str, *, limit: int = 100) -> list[DeliveryRow]:
        """Give the calls to make now, the oldest first; none whose job has not ended as they say.

        Args:
            webhook: To which address.
            limit: How many at most.
        """
        ended = (jobs.c.id == deliveries.c.job_id) & (deliveries.c.type == literal(PREFIX) + jobs.c.status)
        here = (deliveries.c.webhook == webhook) & (deliveries.c.due_at <= self.clock())
        asked = select(deliveries).join(jobs, ended).where(here).order_by(deliveries.c.due_at).limit(limit)
        with self.database.read() as connection:
            return [row_of(DeliveryRow, row) for row in connection.execute(asked)]

    def done(self, delivery_id: str) -> None:
        """Note that a call was taken."""
        self._attempted(delivery_id, due_at=None, delivered_at=self.clock(), error="")

    def failed(self, delivery_id: str, error: str, due_at: datetime | None) -> None:
        """Note that a call was not taken.

        Args:
            delivery_id: Which.
            error: Why, without anything that the other side sent.
            due_at: When to try again; None gives up.
        """
        self._attempted(delivery_id, due_at=due_at, error=error)

    def _attempted(self, delivery_id: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(
                update(deliveries).where(deliveries.c.id == delivery_id).values(attempts=deliveries.c.attempts + 1, **values)
            )  # fmt: skip
