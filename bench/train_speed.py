# ruff: noqa: PLC0415 - each contestant pays for its own imports, outside of what is measured
"""Training speed on this machine: anytune's trl backend, TRL's Python defaults, and the best plain TRL script we can write.

Same rows, model, adapter, batch and optimiser steps; each run is a process of its own, and the runs are interleaved. Measured is `train()`
alone: CPU seconds of the process (all threads) and wall seconds; imports, loading and the final saving are left out for all.

    python bench/train_speed.py [--rows 96] [--rounds 5] [--data rows.jsonl]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SNIPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "snips" / "train.jsonl"
BATCH = 8
LORA: dict[str, Any] = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
NAMES = {"anytune": "anytune (backend trl)", "plain": "best plain TRL script", "defaults": "TRL's Python defaults"}
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": ""}


def conversations(path: Path) -> list[dict[str, Any]]:
    """Read the rows, each as a prompt and a completion of messages."""
    rows = [json.loads(line)["messages"] for line in path.read_text(encoding="utf-8").splitlines()]
    return [{"prompt": row[:-1], "completion": row[-1:]} for row in rows]


def defaults(path: Path, folder: Path, steps: int, output: Path) -> Any:
    """What one writes after reading TRL's front page; `use_cpu` only because it refuses to start without (1.16, without a GPU)."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    args = SFTConfig(
        output_dir=str(output), max_steps=steps, per_device_train_batch_size=BATCH, use_cpu=True, report_to="none", disable_tqdm=True
    )
    return SFTTrainer(model=str(folder), args=args, train_dataset=Dataset.from_list(conversations(path)), peft_config=LoraConfig(**LORA))


def plain(path: Path, folder: Path, steps: int, output: Path) -> Any:
    """What one writes who knows which of TRL's settings matter on a CPU: bf16 only where the processor has it, nothing recomputed."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from anytune_huggingface.device import bf16_products

    torch.set_flush_denormal(True)
    native = bf16_products()
    args = SFTConfig(
        output_dir=str(output),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=2e-4,
        use_cpu=True,
        bf16=native,
        activation_checkpointing=False,
        train_sampling_strategy="group_by_length",
        dataloader_pin_memory=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if native else torch.float32, attn_implementation="sdpa")
    return SFTTrainer(model=model, args=args, train_dataset=Dataset.from_list(conversations(path)), peft_config=LoraConfig(**LORA))


def anytune(path: Path, folder: Path, steps: int, output: Path) -> Any:
    """What the backend's training child does, with its reports and its checkpoint."""
    import torch

    from anytune.local.child import Reporter
    from anytune.spec import TrainingSpec
    from anytune_huggingface.text import tokenizer
    from anytune_trl import dataset, trainers
    from anytune_trl import defaults as chosen
    from anytune_trl.callbacks import Follower

    torch.set_flush_denormal(True)
    spec = TrainingSpec(backend="trl", model="starter", train=path, method={"type": "sft", "max_steps": steps})
    resolved = chosen.resolve(spec, "cpu")
    loaded, renderer = tokenizer.load(folder)
    rows = dataset.build(path, "sft", renderer, max_length=2048)
    model = trainers.load_model(folder, resolved)
    (output / "task").mkdir()
    follower = Follower(Reporter(output / "task"), keep=2)
    return trainers.trainer_for(
        model, loaded, resolved, train=rows, validation=None, output=output / "checkpoints", steps=steps, callbacks=[follower]
    )


def one(who: str, path: Path, steps: int) -> None:
    """Run one contestant in this process, and print its figures as JSON."""
    from anytune_huggingface.models import starter

    makers = {"defaults": defaults, "plain": plain, "anytune": anytune}
    with tempfile.TemporaryDirectory() as scratch:
        trainer = makers[who](path, starter.ensure(), steps, Path(scratch))
        cpu, wall = time.process_time(), time.perf_counter()
        trainer.train()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        tokens = trainer._total_train_tokens  # noqa: SLF001 - TRL's own count
    print("RESULT " + json.dumps({"cpu": cpu, "wall": wall, "tokens": tokens}))


def run(who: str, path: Path, steps: int) -> dict[str, float]:
    """Run one contestant in a process of its own."""
    given = [sys.executable, __file__, "--one", who, "--data", str(path), "--steps", str(steps)]
    # TRL's defaults run as a user finds them; the two others know about waiting threads and about the memory of a step.
    heap = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "34359738368"}
    knowing = {} if who == "defaults" else {"OMP_NUM_THREADS": str(_cores()), "GOMP_SPINCOUNT": "0"} | heap
    environment = {name: value for name, value in os.environ.items() if name not in {"OMP_NUM_THREADS", "GOMP_SPINCOUNT"}} | QUIET | knowing
    done = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"{who} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return found


def _cores() -> int:
    from anytune_huggingface.device import threads

    return threads()


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Lay out medians, spread and ratios."""
    lines = ["| who | CPU s (median) | spread | wall s (median) | tokens/s of wall | CPU against defaults |", "|---|---|---|---|---|---|"]
    base = statistics.median(r["cpu"] for r in found["defaults"])
    for who, runs in found.items():
        cpu, wall = (statistics.median(r[name] for r in runs) for name in ("cpu", "wall"))
        spread = (max(r["cpu"] for r in runs) - min(r["cpu"] for r in runs)) / cpu
        rate = runs[0]["tokens"] / wall
        lines.append(f"| {NAMES[who]} | {cpu:.1f} | {spread:.0%} | {wall:.1f} | {rate:.0f} | {base / cpu:.2f}x |")
    return "\n".join(lines)


def main() -> None:
    """Run all, interleaved, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=96, help="training rows: one pass is made, in batches of 8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=SNIPS)
    parser.add_argument("--one", choices=list(NAMES), help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.data, given.steps)
        return
    if not given.data.is_file():
        print(f"skipped: there is no {given.data}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "rows.jsonl"
        data.write_text("\n".join(given.data.read_text(encoding="utf-8").splitlines()[: given.rows]) + "\n", encoding="utf-8")
        found: dict[str, list[dict[str, float]]] = {who: [] for who in NAMES}
        for number in range(given.rounds):
            order = list(NAMES)[number % 3 :] + list(NAMES)[: number % 3]
            for who in order:
                found[who].append(run(who, data, given.rows // BATCH))
                print(f"round {number + 1} {who}: {found[who][-1]['cpu']:.1f} CPU-s, {found[who][-1]['wall']:.1f} s", file=sys.stderr)
    tokens = {who: int(runs[0]["tokens"]) for who, runs in found.items()}
    print(f"\nSmolLM2-135M, LoRA r16 all-linear, {given.rows} rows, {given.rows // BATCH} steps of {BATCH}, {given.rounds} rounds,")
    print(f"tokens {tokens};")
    print(f"{_processor()}, {_cores()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}\n")
    print(table(found))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
