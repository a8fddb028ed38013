"""Row 10: PostgreSQL is stopped and started at random during a load of jobs, and nothing is lost or made twice."""

from __future__ import annotations

import random

import pytest
from tests.faults.postgres.outages import Plan, run
from tests.postgres import or_skip


@pytest.mark.slow
def test_a_database_that_stops_again_and_again_loses_no_job_and_makes_none_twice():
    or_skip()
    plan = Plan(jobs=32, seed=random.SystemRandom().randrange(10_000))
    ended = run(plan)
    print(f"seed {plan.seed}: {ended}")
    assert ended.complaints == []
    assert (ended.lost, ended.twice, ended.unlike, ended.forgotten, ended.created) == (0, 0, 0, 0, plan.jobs)
    assert ended.stops >= 3
