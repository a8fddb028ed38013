"""What machines there are and what they cost.

Jobs: the table of `hf jobs hardware` in the Hub's documentation (docs/hub/jobs-configuration.md and jobs-pricing.md, read 2026-11-23).
Spaces: the same machines, as the client's `SpaceHardware` names them, at the same prices but that CPU Basic is free; the price of a
Space on ZeroGPU is set to 0 here. Endpoints: docs/source/support/pricing.md of their documentation (read 2026-11-23), a part of its
table; CPU and memory beside a GPU are not in it and are taken from the Jobs machine with that GPU. Quotas are this simulator's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["COMPUTES", "ENDPOINT_QUOTA", "JOB_FLAVORS", "SPACE_FLAVORS", "Compute", "Flavor"]

ENDPOINT_QUOTA = 8
"""Accelerators of a kind that a namespace may use at once; invented."""


class Flavor(NamedTuple):
    """A machine for Jobs and Spaces.

    Attributes:
        pretty: Name for people.
        cpus: vCPUs.
        ram_gb: Memory.
        disk_gb: Ephemeral storage.
        usd_per_hour: Price; billed by the minute.
        gpus: How many.
        gpu: Model of its GPUs; empty: it has none.
        gpu_ram_gb: Of all its GPUs together.
    """

    pretty: str
    cpus: int
    ram_gb: int
    disk_gb: int
    usd_per_hour: float
    gpus: int = 0
    gpu: str = ""
    gpu_ram_gb: int = 0

    def shape(self, name: str) -> dict[str, Any]:
        """Give it as the Hub lists it."""
        micro = round(self.usd_per_hour / 60 * 1e6)
        accelerator = {
            "type": "gpu",
            "model": self.gpu,
            "quantity": str(self.gpus),
            "vram": f"{self.gpu_ram_gb} GB",
            "manufacturer": "Nvidia",
        }
        return {
            "name": name,
            "prettyName": self.pretty,
            "cpu": f"{self.cpus} vCPU",
            "ram": f"{self.ram_gb} GB",
            "ephemeralStorage": f"{self.disk_gb} GB",
            "accelerator": accelerator if self.gpus else None,
            "unitCostMicroUSD": micro,
            "unitCostUSD": micro / 1e6,
            "unitLabel": "minute",
        }


class Compute(NamedTuple):
    """A machine for Inference Endpoints; attributes as of `Flavor`."""

    vendor: str
    region: str
    type: str
    size: str
    usd_per_hour: float
    cpus: int
    ram_gb: float
    architecture: str
    gpus: int = 0
    gpu_ram_gb: int = 0

    @property
    def accelerator(self) -> str:
        """`gpu` or `cpu`."""
        return "gpu" if self.gpus else "cpu"

    def shape(self, used: int) -> dict[str, Any]:
        """Give it as the endpoints' API lists it under its vendor and region; `used` accelerators of its kind are taken."""
        return {
            "id": f"{self.vendor}-{self.region}-{self.type}-{self.size}",
            "accelerator": self.accelerator,
            "instanceType": self.type,
            "instanceSize": self.size,
            "architecture": self.architecture,
            "numAccelerators": self.gpus or self.cpus,
            "numCpus": self.cpus,
            "memoryGb": self.ram_gb,
            "gpuMemoryGb": self.gpu_ram_gb or None,
            "pricePerHour": self.usd_per_hour,
            "status": "available",
            "quota": {"maxAccelerators": ENDPOINT_QUOTA, "usedAccelerators": used},
        }


JOB_FLAVORS: dict[str, Flavor] = {
    "cpu-basic": Flavor("CPU Basic", 2, 16, 50, 0.01),
    "cpu-upgrade": Flavor("CPU Upgrade", 8, 32, 50, 0.03),
    "cpu-performance": Flavor("CPU Performance", 32, 256, 1024, 1.90),
    "cpu-xl": Flavor("CPU XL", 16, 124, 1000, 1.00),
    "t4-small": Flavor("Nvidia T4 - small", 4, 15, 50, 0.40, 1, "T4", 16),
    "t4-medium": Flavor("Nvidia T4 - medium", 8, 30, 100, 0.60, 1, "T4", 16),
    "a10g-small": Flavor("Nvidia A10G - small", 4, 15, 110, 1.00, 1, "A10G", 24),
    "a10g-large": Flavor("Nvidia A10G - large", 12, 46, 200, 1.50, 1, "A10G", 24),
    "a10g-largex2": Flavor("2x Nvidia A10G - large", 24, 92, 1000, 3.00, 2, "A10G", 48),
    "a10g-largex4": Flavor("4x Nvidia A10G - large", 48, 184, 2000, 5.00, 4, "A10G", 96),
    "a100-large": Flavor("Nvidia A100 - large", 12, 142, 1000, 2.50, 1, "A100", 80),
    "a100x4": Flavor("4x Nvidia A100", 48, 568, 4000, 10.00, 4, "A100", 320),
    "a100x8": Flavor("8x Nvidia A100", 96, 1136, 8000, 20.00, 8, "A100", 640),
    "h200": Flavor("Nvidia H200", 23, 256, 3000, 5.00, 1, "H200", 141),
    "h200x2": Flavor("Nvidia H200", 46, 512, 6000, 10.00, 2, "H200", 282),
    "h200x4": Flavor("Nvidia H200", 92, 1024, 12000, 20.00, 4, "H200", 564),
    "h200x8": Flavor("Nvidia H200", 184, 2048, 24000, 40.00, 8, "H200", 1128),
    "rtx-pro-6000": Flavor("Nvidia RTX PRO 6000", 23, 256, 475, 2.75, 1, "RTX PRO 6000", 96),
    "rtx-pro-6000x2": Flavor("Nvidia RTX PRO 6000", 46, 512, 950, 5.50, 2, "RTX PRO 6000", 192),
    "rtx-pro-6000x4": Flavor("Nvidia RTX PRO 6000", 92, 1024, 1900, 11.00, 4, "RTX PRO 6000", 384),
    "rtx-pro-6000x8": Flavor("Nvidia RTX PRO 6000", 184, 2048, 3800, 22.00, 8, "RTX PRO 6000", 768),
    "l4x1": Flavor("1x Nvidia L4", 8, 30, 400, 0.80, 1, "L4", 24),
    "l4x4": Flavor("4x Nvidia L4", 48, 186, 3200, 3.80, 4, "L4", 96),
    "l40sx1": Flavor("1x Nvidia L40S", 8, 62, 380, 1.80, 1, "L40S", 48),
    "l40sx4": Flavor("4x Nvidia L40S", 48, 382, 3200, 8.30, 4, "L40S", 192),
    "l40sx8": Flavor("8x Nvidia L40S", 192, 1534, 6500, 23.50, 8, "L40S", 384),
}

_ONLY_FOR_JOBS = {"cpu-performance", "cpu-xl", "h200", "h200x2", "h200x4", "h200x8"}

SPACE_FLAVORS: dict[str, Flavor] = {
    "zero-a10g": Flavor("ZeroGPU", 8, 32, 50, 0.0, 1, "A10G", 24),
    **{name: flavor for name, flavor in JOB_FLAVORS.items() if name not in _ONLY_FOR_JOBS},
    "cpu-basic": JOB_FLAVORS["cpu-basic"]._replace(usd_per_hour=0.0),
}


def _cpus(vendor: str, region: str, kind: str, architecture: str, *prices: float) -> list[Compute]:
    return [
        Compute(vendor, region, kind, f"x{2**power}", price, 2**power, 2.0 * 2**power, architecture) for power, price in enumerate(prices)
    ]


COMPUTES: tuple[Compute, ...] = (
    *_cpus("aws", "us-east-1", "intel-spr", "Intel Sapphire Rapids", 0.033, 0.067, 0.134, 0.268, 0.536),
    *_cpus("aws", "eu-west-1", "intel-spr", "Intel Sapphire Rapids", 0.033, 0.067, 0.134, 0.268, 0.536),
    Compute("aws", "us-east-1", "nvidia-t4", "x1", 0.5, 4, 15, "NVIDIA T4", 1, 14),
    Compute("aws", "us-east-1", "nvidia-t4", "x4", 3.0, 16, 60, "NVIDIA T4", 4, 56),
    Compute("aws", "us-east-1", "nvidia-l4", "x1", 0.8, 8, 30, "NVIDIA L4", 1, 24),
    Compute("aws", "us-east-1", "nvidia-l4", "x4", 3.8, 48, 186, "NVIDIA L4", 4, 96),
    Compute("aws", "us-east-1", "nvidia-a10g", "x1", 1.0, 4, 15, "NVIDIA A10G", 1, 24),
    Compute("aws", "us-east-1", "nvidia-a10g", "x4", 5.0, 48, 184, "NVIDIA A10G", 4, 96),
    Compute("aws", "us-east-1", "nvidia-l40s", "x1", 1.8, 8, 62, "NVIDIA L40S", 1, 48),
    Compute("aws", "us-east-1", "nvidia-l40s", "x4", 8.3, 48, 382, "NVIDIA L40S", 4, 192),
    Compute("aws", "us-east-1", "nvidia-a100", "x1", 2.5, 12, 142, "NVIDIA A100", 1, 80),
    Compute("aws", "us-east-1", "nvidia-a100", "x4", 10.0, 48, 568, "NVIDIA A100", 4, 320),
    Compute("aws", "us-east-1", "nvidia-h200", "x1", 5.0, 23, 256, "NVIDIA H200", 1, 141),
    Compute("aws", "us-east-1", "nvidia-h200", "x8", 40.0, 184, 2048, "NVIDIA H200", 8, 1128),
    *_cpus("azure", "eastus", "intel-xeon", "Intel Xeon", 0.060, 0.120, 0.240, 0.480),
    *_cpus("gcp", "us-east4", "intel-spr", "Intel Sapphire Rapids", 0.050, 0.100, 0.200, 0.400),
    Compute("gcp", "us-east4", "nvidia-l4", "x1", 0.7, 8, 30, "NVIDIA L4", 1, 24),
    Compute("gcp", "us-east4", "nvidia-a100", "x1", 3.6, 12, 142, "NVIDIA A100", 1, 80),
)
