"""B25-B28: cancel, pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.testing.scenarios.needs import needs
from anytune.values import Status

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Control:
    """cancel, pause and resume."""

    def test_b25_a_cancelled_job_ends_cancelled(self, kit: BackendKit) -> None:
        """B25: A job that is cancelled ends as `cancelled`, without a model.

        Not as failed, and not as if nothing had been asked.
        """
        _, job = kit.cancelled()
        last = kit.backend.poll(job.id)
        assert last.status is Status.CANCELLED
        assert last.model is None

    def test_b26_cancelling_again_is_no_error(self, kit: BackendKit) -> None:
        """B26: Cancelling again is no error.

        Core repeats a cancel until the end is confirmed.
        """
        _, job = kit.cancelled()
        kit.backend.cancel(job.id)
        assert kit.backend.poll(job.id).status is Status.CANCELLED

    def test_b27_cancelling_a_finished_job_changes_nothing(self, kit: BackendKit) -> None:
        """B27: Cancelling a job that has succeeded is no error and changes nothing.

        It keeps its status and its model.
        """
        last = kit.finished()
        kit.backend.cancel(last.id)
        again = kit.backend.poll(last.id)
        assert (again.status, again.model) == (last.status, last.model)

    @needs("pause", "resume")
    def test_b28_a_paused_job_holds_and_goes_on(self, kit: BackendKit) -> None:
        """B28: A paused job holds, and goes on to succeed after `resume`.

        Pausing twice is no error. The kit's `long` makes the job long enough to be paused.
        """
        job = kit.backend.submit(kit.order(long=True))
        kit.until(job.id, lambda seen: seen.status is Status.RUNNING, "start")
        kit.backend.pause(job.id)
        held = kit.until(job.id, lambda seen: seen.status is Status.PAUSED or seen.status.terminal, "pause")
        assert held.status is Status.PAUSED, f"It went on to {held.status}."
        kit.backend.pause(job.id)
        kit.drive()
        assert kit.backend.poll(job.id).status is Status.PAUSED, "It did not stay paused."
        kit.backend.resume(job.id)
        last = kit.until(job.id, lambda seen: seen.status.terminal, "end after a resume")
        assert last.status is Status.SUCCEEDED, f"It ended as {last.status}: {last.error}"
