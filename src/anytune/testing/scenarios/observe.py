"""B14-B19: what is seen of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune.errors import NotFound
from anytune.values import Snapshot, Status

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit

UNKNOWN_ID = "anytune-conformance-no-such-id"


class Observe:
    """poll."""

    def test_b14_poll_gives_a_sane_snapshot(self, kit: BackendKit) -> None:
        """B14: A snapshot is of the job that was asked for, and its numbers can be true.

        The step is not beyond the last one; the time has a zone; it survives JSON; no secret is in it.
        """
        _, job = kit.submitted()
        seen = kit.backend.poll(job.id)
        assert isinstance(seen, Snapshot)
        assert seen.id == job.id
        assert seen.step is None or seen.total_steps is None or 0 <= seen.step <= seen.total_steps
        assert seen.observed_at.tzinfo is not None
        dump = seen.model_dump_json()
        assert Snapshot.model_validate_json(dump) == seen
        assert not [secret for secret in kit.secrets if secret in dump], "A secret is in the snapshot."

    def test_b15_unknown_ids_are_not_found(self, kit: BackendKit) -> None:
        """B15: An id that does not exist is `NotFound`.

        For `poll` and `cancel`, and for `events`, `metrics` and `checkpoints` where they are declared.
        """
        verbs = ["poll", "cancel", *(verb for verb in ("events", "metrics", "checkpoints") if kit.can(verb))]
        for verb in verbs:
            error = kit.refusal(lambda verb=verb: getattr(kit.backend, verb)(UNKNOWN_ID))  # type: ignore[misc]
            assert isinstance(error, NotFound), f"`{verb}` of an unknown id: {error!r}"

    def test_b16_each_status_of_the_provider_is_mapped(self, kit: BackendKit) -> None:
        """B16: Every status of the provider is mapped as its documentation says.

        The kit's `statuses` are enumerated.
        """
        if kit.statuses is None or kit.map_status is None:
            pytest.skip("The kit names no statuses of the provider.")
        mapped = {word: kit.map_status(word) for word in kit.statuses}
        assert mapped == dict(kit.statuses)

    def test_b17_an_unknown_status_is_unknown(self, kit: BackendKit) -> None:
        """B17: A status that the provider invents tomorrow is `unknown`.

        Never `failed`: nobody said so.
        """
        if kit.map_status is None:
            pytest.skip("The kit names no statuses of the provider.")
        assert kit.map_status("hibernating") is Status.UNKNOWN

    def test_b18_a_good_job_succeeds_and_gives_a_model(self, kit: BackendKit) -> None:
        """B18: A good job succeeds, and gives a model.

        With an id, and nothing of it missing.
        """
        last = kit.finished()
        assert last.model is not None
        assert last.model.id
        assert last.model.missing == ()
        assert last.error == ""

    def test_b19_the_end_stays_the_end(self, kit: BackendKit) -> None:
        """B19: A job that has ended stays as it is.

        Status and model are the same in later polls, also through another instance.
        """
        last = kit.finished()
        for backend in (kit.backend, kit.backend, kit.make()):
            again = backend.poll(last.id)
            assert (again.status, again.model) == (last.status, last.model)
