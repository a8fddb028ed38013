"""B64-B66: many jobs are observed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.testing.scenarios.needs import needs
from anytune.testing.scenarios.observe import UNKNOWN_ID

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit

_STRANGERS = 250


class Many:
    """poll_many."""

    @needs("poll_many")
    def test_b64_many_are_seen_as_each_is_alone(self, kit: BackendKit) -> None:
        """B64: `poll_many` says of each job what `poll` says.

        Its status, model and error; also through another instance.
        """
        ended = [kit.finished().id, kit.cancelled()[1].id]
        for backend in (kit.backend, kit.make()):
            seen, alone = backend.poll_many(ended), {job_id: backend.poll(job_id) for job_id in ended}
            assert set(seen) == set(ended)
            said = {job_id: (one.id, one.status, one.model, one.error) for job_id, one in seen.items()}
            assert said == {job_id: (one.id, one.status, one.model, one.error) for job_id, one in alone.items()}

    @needs("poll_many")
    def test_b65_what_is_not_seen_is_left_out(self, kit: BackendKit) -> None:
        """B65: A job that `poll_many` does not see is left out, and no other job is given.

        An id that does not exist is no error here: core polls it alone, and is told.
        """
        first, second = kit.finished().id, kit.cancelled()[1].id
        assert set(kit.backend.poll_many([first, UNKNOWN_ID])) == {first}
        assert set(kit.backend.poll_many([second])) == {second}
        assert kit.backend.poll_many([]) == {}

    @needs("poll_many")
    def test_b66_many_may_be_more_than_fit_in_a_request(self, kit: BackendKit) -> None:
        """B66: `poll_many` takes more ids than fit in one request.

        Shown with 250 that do not exist, before two that do.
        """
        ended = [kit.finished().id, kit.cancelled()[1].id]
        strangers = [f"{UNKNOWN_ID}-{number}" for number in range(_STRANGERS)]
        assert set(ended) <= set(kit.backend.poll_many([*strangers, *ended]))
