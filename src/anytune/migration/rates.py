"""A learning rate to begin with, by model, method and adapter: the dated table of `rates.yaml`."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from anytune.migration.values import Rate
from anytune.settings import read_yaml

__all__ = ["FACTORS", "rate_for"]

FACTORS = (1 / 3, 1.0, 3.0)
"""What the rate is multiplied by where several are tried."""

_TABLE = Path(__file__).with_name("rates.yaml")


def rate_for(model: str, method: str, *, full: bool = False) -> Rate | None:
    """Give the table's rate; None for a method that it does not have.

    Args:
        model: The base model's id or folder.
        method: `sft`, `dpo`, ….
        full: All weights are trained, not an adapter.

    Example:
        >>> rate_for("Qwen/Qwen3-8B", "sft").value, rate_for("Qwen/Qwen3-8B", "sft", full=True).value
        (0.001, 0.0001)
    """
    table = _table()
    row = next((row for row in table.get(method, ()) if re.search(row["match"], model.lower())), None)
    if row is None:
        return None
    value, source = float(row["lora"]), table["sources"][row["source"]]
    how = "LoRA"
    if full:
        value, how = float(f"{value / table['full_divides_by']:.6g}"), f"full tuning: LoRA's, divided by {table['full_divides_by']}"
    known = "" if row["match"] else "; the table does not know this model"
    return Rate(value=value, basis=f"{value:g} for {how} ({source}, read {table['read']}{known})")


@functools.cache
def _table() -> dict[str, Any]:
    return read_yaml(_TABLE, what="the table of learning rates", fix="Reinstall anytune.")
