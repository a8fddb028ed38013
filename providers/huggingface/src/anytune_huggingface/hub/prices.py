"""What the Hub's machines are and what they cost, asked of the Hub itself when it is needed: no table of ours can grow old."""

from __future__ import annotations

import re
import threading
import time
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from anytune.errors import ConfigError, MalformedReply
from anytune.settings import nearest
from anytune.values import Value
from anytune_huggingface.device import Device
from anytune_huggingface.hub.errors import asking

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune_huggingface.hub.client import Hub

__all__ = ["Flavor", "Prices", "Sold"]

Sold = Literal["jobs", "spaces", "endpoints"]

_KEPT_S = 3600.0
_PER_HOUR = {"second": 3600.0, "minute": 60.0, "hour": 1.0}
_DIGITS = 4
"""The Hub rounds the price of a minute to a millionth of a dollar: an hour of 0.80 comes back as 0.79998 (2026-11-23)."""

_LEADING = re.compile(r"\s*(\d+(?:\.\d+)?)")


class Flavor(Value):
    """A machine that can be had.

    Attributes:
        name: `a10g-small`; of Inference Endpoints `aws-us-east-1-nvidia-l4-x1`.
        usd_per_hour: Price of one; of an endpoint's replica.
        device: What a program computes with on it.
        accelerator: Name of its accelerator; empty where it has none.
        accelerators: How many of them; 0 where it has none.
        accelerator_memory_gb: Of all of them together.
        memory_gb: Main memory.
        disk_gb: Room for files, where that is told.
        vendor: Of endpoints; empty for others, as the four below.
        region: Where it stands.
        kind: `cpu`, `gpu`, `neuron`, ….
        instance_type: `nvidia-l4`.
        instance_size: `x1`.
        available: Whether it can be had now.
    """

    name: str
    usd_per_hour: float
    device: Device = "cpu"
    accelerator: str = ""
    accelerators: int = 0
    accelerator_memory_gb: float | None = None
    memory_gb: float | None = None
    disk_gb: float | None = None
    vendor: str = ""
    region: str = ""
    kind: str = ""
    instance_type: str = ""
    instance_size: str = ""
    available: bool = True


class Prices:
    """The machines of one account, each list asked at most once an hour.

    Args:
        hub: The account.
        clock: Gives monotonic seconds.
    """

    def __init__(self, hub: Hub, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask nothing yet."""
        self._hub = hub
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Sold, tuple[float, date, dict[str, Flavor]]] = {}

    def flavors(self, sold: Sold) -> dict[str, Flavor]:
        """Give the machines by name.

        Args:
            sold: As what: `jobs`, `spaces` or `endpoints`.

        Raises:
            AnytuneError: The Hub could not be asked.
        """
        return self._read(sold)[1]

    def basis(self, sold: Sold) -> str:
        """Say where the prices are from, as a quote's `basis` puts it."""
        return f"prices read on {self._read(sold)[0].isoformat()} from the Hub"

    def flavor(self, sold: Sold, name: str) -> Flavor:
        """Give one machine.

        Raises:
            ConfigError: There is none of that name; the nearest is named.
        """
        known = self.flavors(sold)
        if name not in known:
            guess = nearest(name, list(known))
            fix = f"Did you mean `{guess}`?" if guess else f"There is: {', '.join(known)}."
            raise ConfigError(f"There is no flavor {name!r} for {_WORDS[sold]}.", fix=fix)
        return known[name]

    def _read(self, sold: Sold) -> tuple[date, dict[str, Flavor]]:
        with self._lock:
            kept = self._kept.get(sold)
            if kept is not None and self._clock() - kept[0] < _KEPT_S:
                return kept[1:]
            found = {flavor.name: flavor for flavor in _asked(self._hub, sold)}
            today = date.today()  # noqa: DTZ011 - the reader's own day
            self._kept[sold] = self._clock(), today, found
            return today, found


_WORDS: dict[Sold, str] = {"jobs": "Jobs", "spaces": "Spaces", "endpoints": "Inference Endpoints"}


def _asked(hub: Hub, sold: Sold) -> list[Flavor]:
    with asking("its machines and prices"):
        match sold:
            case "jobs":
                return [_machine(each) for each in hub.api.list_jobs_hardware()]
            case "spaces":
                return [_machine(each) for each in hub.api.list_spaces_hardware()]
            case "endpoints":
                return [_compute(each) for each in hub.api.list_inference_endpoints_hardware(namespace=hub.namespace, token=hub.bearer)]


def _machine(said: Any) -> Flavor:
    """Read a machine of Jobs or Spaces."""
    if said.unit_label not in _PER_HOUR:
        raise MalformedReply(f"The price of {said.name} is for a {said.unit_label!r}: what that is, is not known.", fix="Update anytune.")
    has = said.accelerator
    return Flavor(
        name=said.name,
        usd_per_hour=round(float(said.unit_cost_usd) * _PER_HOUR[said.unit_label], _DIGITS),
        device="cuda" if has is not None and has.type == "gpu" else "cpu",
        accelerator=has.model if has else "",
        accelerators=int(has.quantity) if has else 0,
        accelerator_memory_gb=_gb(has.vram) if has else None,
        memory_gb=_gb(said.ram),
        disk_gb=_gb(said.ephemeral_storage),
        kind=has.type if has else "cpu",
    )


def _compute(said: Any) -> Flavor:
    """Read a machine of Inference Endpoints."""
    return Flavor(
        name=said.id,
        usd_per_hour=float(said.price_per_hour),
        device="cuda" if said.accelerator == "gpu" else "cpu",
        accelerator="" if said.accelerator == "cpu" else said.architecture,
        accelerators=0 if said.accelerator == "cpu" else int(said.num_accelerators),
        accelerator_memory_gb=said.gpu_memory_gb,
        memory_gb=said.memory_gb,
        vendor=said.vendor,
        region=said.region,
        kind=said.accelerator,
        instance_type=said.instance_type,
        instance_size=said.instance_size,
        available=said.status in {"available", "low_availability"},
    )


def _gb(text: str) -> float | None:
    """Read `46 GB`; None where it says something else."""
    match = _LEADING.match(str(text))
    if match is None:
        return None
    return float(match[1]) * (1000 if "TB" in str(text).upper() else 1)
