"""How near quotes of the trl backend come to what runs take: estimate, probe and actual of a few runs of the starter, one after the other.

The table in docs/benchmarks.md is made with it, each run in a child of the agent, as a user's would be.

    python bench/local_quotes.py [--only PART-OF-A-NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import anytune
from anytune.values import Quote

SNIPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "snips" / "train.jsonl"
RUNS: dict[str, dict[str, Any]] = {
    "LoRA, 96 rows, 12 steps of 8": {"rows": 96, "method": {"type": "sft", "num_train_epochs": 1, "per_device_train_batch_size": 8}},
    "LoRA, 96 rows, 6 steps of 16": {"rows": 96, "method": {"type": "sft", "num_train_epochs": 1, "per_device_train_batch_size": 16}},
    "LoRA, 480 rows, 60 steps of 8": {"rows": 480, "method": {"type": "sft", "num_train_epochs": 1, "per_device_train_batch_size": 8}},
    "all weights, 96 rows, 12 steps of 8": {
        "rows": 96,
        "method": {"type": "sft", "num_train_epochs": 1, "per_device_train_batch_size": 8},
        "adapter": "full",
    },
    "DPO with LoRA, 48 rows, 12 steps of 4": {
        "rows": 48,
        "method": {"type": "dpo", "num_train_epochs": 1, "per_device_train_batch_size": 4},
    },
}


def rows(count: int, method: str) -> list[dict[str, Any]]:
    """Give the first rows; for DPO with another row's answer as the rejected one."""
    found = [json.loads(line) for line in SNIPS.read_text(encoding="utf-8").splitlines()[: count + 1]]
    if method == "sft":
        return found[:count]
    asked = [(row["messages"][:-1], row["messages"][-1:]) for row in found]
    return [{"prompt": prompt, "chosen": answer, "rejected": asked[n + 1][1]} for n, (prompt, answer) in enumerate(asked[:count])]


def measured(name: str, run: dict[str, Any], folder: Path) -> tuple[Quote, Quote, Quote]:
    """Quote a run, probe it, carry it out."""
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows(run["rows"], run["method"]["type"])), encoding="utf-8")
    given = {"backend": "trl", "model": "starter", "train": data, "name": "-".join(re.findall(r"\w+", name))} | {
        k: v for k, v in run.items() if k != "rows"
    }
    probed = anytune.FineTuneJob.preflight(probe=True, **given)
    probed.raise_if_bad()
    job = anytune.FineTuneJob.create(**given)
    job.wait()
    return job.estimate or Quote(), probed.quote, job.actual


def line(name: str, found: tuple[Quote, Quote, Quote]) -> str:
    """Write one line of the table in docs/benchmarks.md."""
    seconds = [round((quote.minutes or 0) * 60, 1) for quote in found]
    giga = [(quote.memory_bytes or 0) / 1e9 for quote in found]
    times = " | ".join(f"{value:.0f} s" for value in seconds)
    memory = ", ".join(f"{value:.2f}" for value in giga)
    errors = [", ".join(f"{value / actual - 1:+.0%}".replace("%", " %") for value in before) for *before, actual in (seconds, giga)]
    return f"| {name} | {times} | {errors[0]} | {memory} GB | {errors[1]} |"


def main() -> None:
    """Measure all runs in a state folder of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ANYTUNE_HOME"] = str(Path(scratch) / "home")
        for name, run in RUNS.items():
            if only in name:
                print(line(name, measured(name, run, Path(scratch))), f"<!-- load {os.getloadavg()[0]:.1f} -->", flush=True)


if __name__ == "__main__":
    main()
