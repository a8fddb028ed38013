"""B09-B13: a job is made once, and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ulid import ULID

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Create:
    """submit and find."""

    def test_b09_submit_makes_exactly_one_job(self, kit: BackendKit) -> None:
        """B09: `submit` makes exactly one job, and `find` sees it.

        The view is complete, and the job is the one that `submit` gave.
        """
        order, job = kit.submitted()
        found = kit.backend.find(order)
        assert found.complete
        assert [one.id for one in found.jobs] == [job.id]
        assert kit.jobs_made in {None, 1}, f"{kit.jobs_made} jobs were made."

    def test_b10_found_jobs_carry_the_ref(self, kit: BackendKit) -> None:
        """B10: A found job carries the order's ref.

        Its spec hash is the order's, where the provider keeps one, and its time of creation has a zone, where it is known.
        """
        order, _ = kit.submitted()
        (found,) = kit.backend.find(order).jobs
        assert found.ref == order.ref
        assert found.spec_hash is None or order.spec_hash.startswith(found.spec_hash)
        assert found.created_at is None or found.created_at.tzinfo is not None

    def test_b11_does_not_find_the_jobs_of_other_orders(self, kit: BackendKit) -> None:
        """B11: `find` gives no job of another order.

        Not even of one with the same name, spec and data: matching is by ref, in the client, as servers may ignore a filter.
        """
        order, _ = kit.submitted()
        assert kit.backend.find(order.model_copy(update={"ref": str(ULID())})).jobs == ()

    def test_b12_finds_the_job_after_reopening(self, kit: BackendKit) -> None:
        """B12: Another instance finds and polls the same job.

        As the next process will do it.
        """
        order, job = kit.submitted()
        other = kit.make()
        assert [one.id for one in other.find(order).jobs] == [job.id]
        assert other.poll(job.id).id == job.id

    def test_b13_two_orders_are_two_jobs(self, kit: BackendKit) -> None:
        """B13: Two orders are two jobs.

        Each is found by its own order only.
        """
        (first_order, first), (second_order, second) = kit.submitted(), kit.cancelled()
        assert first.id != second.id
        assert [one.id for one in kit.backend.find(first_order).jobs] == [first.id]
        assert [one.id for one in kit.backend.find(second_order).jobs] == [second.id]
