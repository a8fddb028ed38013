"""B20-B24: events, metrics and checkpoints."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from anytune.testing.scenarios.needs import needs

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit


class Tell:
    """events, metrics and checkpoints."""

    @needs("events")
    def test_b20_events_are_told_oldest_first(self, kit: BackendKit) -> None:
        """B20: Events are told oldest first, each with an id of its own.

        There are some, and their times have a zone.
        """
        events = kit.backend.events(kit.finished().id)
        assert events, "A finished job had no event."
        assert len({event.id for event in events}) == len(events), "Ids come twice."
        assert all(event.at.tzinfo is not None for event in events)
        assert all(one.at <= two.at for one, two in pairwise(events)), "Not oldest first."
        assert not [secret for event in events for secret in kit.secrets if secret in event.model_dump_json()]

    @needs("events")
    def test_b21_the_cursor_of_events_is_exclusive(self, kit: BackendKit) -> None:
        """B21: `events(after=…)` gives what comes after, without the cursor itself.

        For every event as the cursor; nothing comes after the last one.
        """
        job_id = kit.finished().id
        ids = [event.id for event in kit.backend.events(job_id)]
        for place, cursor in enumerate(ids):
            assert [event.id for event in kit.backend.events(job_id, after=cursor)] == ids[place + 1 :]

    @needs("metrics")
    def test_b22_metrics_are_told_by_rising_step(self, kit: BackendKit) -> None:
        """B22: Metrics are told by rising step, with finite numbers.

        There are some, and their times have a zone.
        """
        metrics = kit.backend.metrics(kit.finished().id)
        assert metrics, "A finished job had no metric."
        assert all(one.step < two.step for one, two in pairwise(metrics)), "Steps do not rise."
        assert all(metric.at.tzinfo is not None for metric in metrics)
        assert all(math.isfinite(number) for metric in metrics for number in metric.values.values())

    @needs("metrics")
    def test_b23_the_cursor_of_metrics_is_exclusive(self, kit: BackendKit) -> None:
        """B23: `metrics(after=…)` gives later steps only.

        For every step as the cursor.
        """
        job_id = kit.finished().id
        steps = [metric.step for metric in kit.backend.metrics(job_id)]
        for place, cursor in enumerate(steps):
            assert [metric.step for metric in kit.backend.metrics(job_id, after=cursor)] == steps[place + 1 :]

    @needs("checkpoints")
    def test_b24_checkpoints_are_told_oldest_first(self, kit: BackendKit) -> None:
        """B24: Checkpoints are told oldest first, each with an id and a model.

        There is at least one: the kit's `method` should ask for it.
        """
        points = kit.backend.checkpoints(kit.finished().id)
        assert points, "A finished job had no checkpoint."
        assert len({point.id for point in points}) == len(points), "Ids come twice."
        assert all(one.step <= two.step for one, two in pairwise(points)), "Not oldest first."
        assert all(point.model for point in points)
