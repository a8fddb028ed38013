"""Machines and prices, asked of the Hub."""

from __future__ import annotations

from datetime import date

import pytest

from anytune.errors import ConfigError, Unreachable
from anytune.testing.simulators.faults import WireFault
from anytune_huggingface.hub.prices import Prices


@pytest.fixture
def prices(hub):
    return Prices(hub)


def test_prices_are_those_of_an_hour(prices):
    assert prices.flavor("jobs", "a10g-small").usd_per_hour == 1.0
    assert prices.flavor("jobs", "l4x1").usd_per_hour == 0.8
    assert prices.flavor("spaces", "cpu-basic").usd_per_hour == 0.0
    assert prices.flavor("endpoints", "aws-us-east-1-nvidia-l4-x1").usd_per_hour == 0.8


def test_a_machine_says_what_a_program_computes_with(prices):
    gpu, cpu = prices.flavor("jobs", "a10g-large"), prices.flavor("jobs", "cpu-upgrade")
    assert (gpu.device, gpu.accelerator, gpu.accelerators, gpu.accelerator_memory_gb, gpu.memory_gb) == ("cuda", "A10G", 1, 24.0, 46.0)
    assert (cpu.device, cpu.accelerators, cpu.accelerator_memory_gb) == ("cpu", 0, None)


def test_a_machine_of_endpoints_says_how_it_is_ordered(prices):
    found = prices.flavor("endpoints", "aws-us-east-1-nvidia-l4-x1")
    assert (found.vendor, found.region, found.kind, found.instance_type, found.instance_size) == (
        "aws",
        "us-east-1",
        "gpu",
        "nvidia-l4",
        "x1",
    )


def test_an_unknown_machine_names_the_nearest(prices):
    with pytest.raises(ConfigError, match=r"no flavor 'a10g-smal' for Jobs.*`a10g-small`"):
        prices.flavor("jobs", "a10g-smal")
    with pytest.raises(ConfigError, match="There is: cpu-basic"):
        prices.flavor("jobs", "zzzzzz")


def test_a_list_is_asked_once_an_hour(sim, hub):
    now = [0.0]
    prices = Prices(hub, clock=lambda: now[0])
    for at_s in (0.0, 3599.0, 3600.0):
        now[0] = at_s
        prices.flavor("jobs", "cpu-basic")
    assert sim.count("GET /api/jobs/hardware") == 2


def test_the_day_of_reading_is_told(prices):
    assert prices.basis("jobs") == f"prices read on {date.today().isoformat()} from the Hub"  # noqa: DTZ011 - as it is written


def test_a_list_that_could_not_be_read_is_not_kept(sim, prices):
    sim.faults = sim.faults.with_calls(WireFault(kind="drop", on="GET /api/jobs/hardware"))
    with pytest.raises(Unreachable):
        prices.flavors("jobs")
    assert "cpu-basic" in prices.flavors("jobs")
