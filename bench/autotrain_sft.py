"""A real task, before and after, through AutoTrain: SNIPS utterances to JSON (intent and slots), SmolLM2-135M in its environment.

The task and its scores are those of bench/snips.py; subset, steps and settings were fixed before any held-out row was looked at: the first
training rows, one pass, batch 8, LoRA r16, learning rate 1e-3 falling to 0, each row by itself (AutoTrain would join them into blocks); the
first test rows, greedy. Base and tuned model are served in turn and asked the same.

    python bench/autotrain_sft.py [--rows 240] [--test 40] [--name autotrain-sft]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import snips

import anytune
from anytune.values import Quote

METHOD = {
    "type": "sft",
    "num_train_epochs": 1,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "linear",
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "packing": False,
}


def train(rows: int, name: str) -> tuple[anytune.TunedModel, float, anytune.FineTuneJob]:
    """Tune the starter on the first rows, anew each time: the seconds are measured."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / f"snips-{rows}.jsonl"
        data.write_text("\n".join(snips.read(snips.SNIPS / "train.jsonl", rows)) + "\n", encoding="utf-8")
        begun = time.perf_counter()
        adapter = {"type": "lora", "r": 16}
        job = anytune.FineTuneJob.create(
            backend="autotrain", model="starter", train=data, method=METHOD, adapter=adapter, name=name, new_attempt=True
        )
        return job.wait(), time.perf_counter() - begun, job


def main() -> None:
    """Train, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--test", type=int, default=40)
    parser.add_argument("--name", default="autotrain-sft")
    given = parser.parse_args()
    if not snips.SNIPS.is_dir():
        print(f"skipped: there is no {snips.SNIPS}")
        return
    test = [json.loads(line) for line in snips.read(snips.SNIPS / "test.jsonl", given.test)]
    wanted = [row["messages"][-1]["content"] for row in test]
    tuned, seconds, job = train(given.rows, f"{given.name}-{given.rows}")
    found = {}
    for label, model in (("before", anytune.TunedModel.from_path("starter")), ("after", tuned)):
        answers, asked_s = snips.ask(model, test)
        found[label] = snips.scores(answers, wanted) | {"seconds to answer": asked_s}
    steps = job.metrics()
    speed = steps[-1].values.get("tokens_per_second", float("nan")) if steps else float("nan")
    quoted = job.estimate or Quote()
    print(f"\nSNIPS through AutoTrain, SmolLM2-135M, LoRA r16, first {given.rows} training rows, first {given.test} test rows;")
    print(f"{seconds:.0f} s for training (quoted: {(quoted.minutes or 0) * 60:.0f} s, {(quoted.memory_bytes or 0) / 1e9:.1f} GB),")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    print(f"{speed:.0f} tokens/s in the last interval; {machine}\n")
    print("| metric | before | after |\n|---|---|---|")
    for name in found["before"]:
        form = ".1f" if name.startswith("seconds") else ".3f"
        print(f"| {name} | {found['before'][name]:{form}} | {found['after'][name]:{form}} |")


if __name__ == "__main__":
    main()
