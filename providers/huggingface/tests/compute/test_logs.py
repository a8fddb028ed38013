"""Logs as far as they go: one that runs may be broken off, one that has ended is read whole or not at all."""

from __future__ import annotations

import pytest

from anytune.errors import Unreachable
from anytune.testing.simulators.faults import WireFault, WireFaults
from anytune_huggingface.compute.logs import Logs
from anytune_huggingface.hub.client import Hub

ROUTE = "GET /api/jobs/{namespace}/{job_id}/logs"


@pytest.fixture(scope="module")
def path(hub, watch):
    from huggingface_hub import HfApi

    command = ["python", "-c", "for each in range(50): print(each)"]
    job = HfApi(endpoint=hub.url, token=hub.token).run_job(image="python", command=command, flavor="cpu-basic", namespace="acme")
    watch(lambda: hub.jobs[job.id].stage, lambda stage: stage == "COMPLETED")
    return f"/api/jobs/acme/{job.id}/logs"


@pytest.fixture
def slow(hub):
    """Let the next request for a log be answered after half a second."""
    hub.faults = WireFaults(calls=(WireFault(kind="slow", on=ROUTE, skip=hub.count(ROUTE), delay_s=0.5),))
    yield
    hub.faults = WireFaults()


def test_a_hub_that_takes_its_time_does_not_shorten_a_log_that_has_ended(path, slow):
    assert [line for line in Logs(Hub(namespace="acme"), quiet_s=0.1).lines(path, ended=True) if line.isdigit()] == [*map(str, range(50))]


def test_a_log_that_may_grow_is_not_waited_for(path, slow):
    assert Logs(Hub(namespace="acme"), quiet_s=0.1).lines(path) == []


def test_a_log_that_has_ended_and_is_broken_off_is_asked_for_again(hub, path):
    logs = Logs(Hub(namespace="acme"), quiet_s=0.1)
    hub.faults = WireFaults(calls=(WireFault(kind="drop", on=ROUTE, times=1000),))
    with pytest.raises(Unreachable):
        logs.lines(path, ended=True)
    hub.faults = WireFaults()
    assert "49" in logs.lines(path, ended=True)
