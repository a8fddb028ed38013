"""Workers that are killed every 0.05 to 0.4 s at a faulty provider: every job ends as its script wanted, once. The seed is printed."""

from __future__ import annotations

import os
import random

import pytest
from tests.faults.loop import Loop, Plan

pytestmark = pytest.mark.slow


@pytest.fixture
def seed():
    drawn = int(os.environ.get("SEED") or random.randrange(1_000_000))
    print(f"SEED={drawn}")
    return drawn


def test_no_job_is_lost_and_none_lives_twice(seed):
    ended = Loop(Plan(jobs=8, kills=20, seed=seed, patience_s=200)).run()
    assert ended.sound, ended
    assert (ended.twice, ended.kills >= 20, ended.jobs >= 8) == (0, True, True)


def test_where_listings_lag_longer_than_the_window_the_sweep_ends_what_was_made_twice(seed):
    ended = Loop(Plan(jobs=4, kills=8, settle_s=0.1, lag_s=1.0, seed=seed, patience_s=200)).run()
    assert ended.sound, ended
