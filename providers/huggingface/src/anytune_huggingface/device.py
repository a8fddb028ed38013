"""What this machine computes with, found without loading torch."""

from __future__ import annotations

import importlib.metadata
import os
import resource
import sys
from pathlib import Path
from typing import Literal

import psutil

__all__ = ["Device", "bf16_products", "device", "free_memory_bytes", "nvidia", "peak_memory_bytes", "threads"]

Device = Literal["cpu", "cuda"]

_DRIVER = Path("/proc/driver/nvidia/version")
_STATUS = Path("/proc/self/status")


def nvidia() -> bool:
    """Tell whether an NVIDIA driver is loaded and its GPUs are not hidden."""
    return _DRIVER.exists() and os.environ.get("CUDA_VISIBLE_DEVICES") not in {"", "-1"}


def device() -> Device:
    """Tell whether training here will use an NVIDIA GPU: the driver is loaded, torch is built for it, and it is not hidden.

    The training child asks torch itself; this answer is for checks and quotes, which must be quick.
    """
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return "cpu"
    return "cuda" if nvidia() and not version.endswith("+cpu") else "cpu"


def threads() -> int:
    """Count the physical cores that this process may use: hyper-threads share the units that matrix products need."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def bf16_products() -> bool:
    """Tell whether the processor multiplies bf16 by instructions of its own (AVX512-BF16 or AMX); others emulate it, slowly."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2].partition("\n")[0].split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def free_memory_bytes() -> int:
    """Give the memory that is free for a new process."""
    return int(psutil.virtual_memory().available)


def peak_memory_bytes() -> int:
    """Give the most memory that this process has held: main memory on a CPU, the GPU's own where one computes.

    On Linux `getrusage` is of no use: a child begins with the peak of whoever started it (seen 2026-11-22).
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        said = _STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return next((int(line.split()[1]) * 1024 for line in said.splitlines() if line.startswith("VmHWM:")), 0)
