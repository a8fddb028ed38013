"""The recipe assistant of OpenAI's tutorial, at any host: `python examples/recipe_assistant.py openai`, or `azure`, `trl`, `autotrain`.

The backend is one word; nothing else changes. Data, tokens, price, preflight, training, checkpoints, a host, questions, and at the end
nothing is left that costs money. Run it twice: the job is made once. docs/tutorial/openai.md and azure.md tell it step by step.
"""

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import anytune
from anytune import catalog
from anytune.data.stats import stats
from anytune.values import DataStats

MODEL = {"openai": "gpt-4.1-mini-2025-04-14", "azure": "gpt-4.1-mini-2025-04-14", "trl": "starter", "autotrain": "starter"}
HOSTING = {"azure": {"sku": "developer"}}  # no fee by the hour, gone after a day at the latest: right for a trial
EPOCHS = 2
VALIDATION = 16

Messages = list[dict[str, str]]


def data(folder: Path) -> list[Messages]:
    """Write the training and validation rows that come with anytune, and give those that nobody trains on."""
    recipes = files("anytune.cli.quickstart")
    held_out = recipes.joinpath("test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text(recipes.joinpath("train.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "valid.jsonl").write_text("".join(held_out[:VALIDATION]), encoding="utf-8")
    return [json.loads(line)["messages"] for line in held_out[VALIDATION:]]


def price(backend: str, train: Path) -> None:
    """Count tokens as the host's models do, and say what the host charges for them; offline."""
    counted = stats(train, encoding="o200k_base")
    if counted.tokens is None:
        return
    quote = catalog.quote(backend, MODEL[backend], "sft", DataStats(rows=counted.rows, tokens=counted.tokens.total), epochs=EPOCHS)
    print(f"{counted.rows} rows, {counted.tokens.total:,} tokens, the longest row has {counted.tokens.longest}")
    if quote is None:
        print("no bill: it is trained here")
        return
    print(f"training: {'no price is published' if quote.cost_usd is None else f'${quote.cost_usd:.2f}'} for {quote.tokens:,} tokens")
    hosting = catalog.hosting(backend, HOSTING.get(backend, {}).get("sku"))
    if hosting is not None and hosting.hourly_usd is not None:
        print(f"hosting: ${hosting.hourly_usd:.2f} an hour")


def ask(endpoint: anytune.Endpoint, asked: list[Messages]) -> int:
    """Count the answers that are exactly the expected text."""
    answers = endpoint.chat_many([messages[:-1] for messages in asked], max_tokens=64, temperature=0.0)
    for messages, answer in list(zip(asked, answers, strict=True))[:2]:
        print(f"  {messages[-2]['content'].splitlines()[0]}: {' / '.join((answer.text or answer.error or '').splitlines())[:100]}")
    return sum((answer.text or "").strip() == messages[-1]["content"] for messages, answer in zip(asked, answers, strict=True))


def main(backend: str = "openai", folder: str = "recipes", *, poll_s: float | None = None, delete: bool = False) -> None:
    """Tell the story."""
    desk = Path(folder)
    held_out = data(desk)
    price(backend, desk / "train.jsonl")

    wanted: dict[str, Any] = {
        "backend": backend,
        "model": MODEL,
        "train": desk / "train.jsonl",
        "validation": desk / "valid.jsonl",
        "method": anytune.SFT(num_train_epochs=EPOCHS, seed=1),
        "name": "recipe-assistant",
    }
    report = anytune.FineTuneJob.preflight(**wanted)
    for finding in (*report.findings, *report.losses):
        print(f"{finding.severity} {finding.code}: {finding.message} {finding.fix}")
    report.raise_if_bad()

    job = anytune.FineTuneJob.create(**wanted)
    print(f"job {job.remote_id} at {job.backend_name}")
    tuned = job.wait(on_event=lambda event: print(f"  {event.message}"), poll_s=poll_s)
    print(f"{job.name} is {job.status.value}: {tuned.id}, {job.snapshot.trained_tokens} tokens trained")
    for metric in job.metrics()[-1:]:
        print(f"step {metric.step}: {', '.join(f'{name} {value:.3g}' for name, value in metric.values.items())}")
    print(f"checkpoints: {', '.join(checkpoint.id for checkpoint in job.checkpoints())}")

    seen = json.loads((desk / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])["messages"]
    with tuned.deploy(ttl_s=1800, name=job.name, **HOSTING.get(backend, {})) as endpoint:
        print(f"answers as {endpoint.model}")
        print(f"a recipe that it has seen: {ask(endpoint, [seen])} of 1 exactly right")
        print(f"recipes that it has not seen: {ask(endpoint, held_out)} of {len(held_out)} exactly right")
    print("taken down")

    if delete:
        tuned.delete()
        print(f"deleted {tuned.id}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", nargs="?", default="openai", choices=MODEL)
    parser.add_argument("--folder", default="recipes", help="where the data files are written")
    parser.add_argument("--poll-s", type=float, help="seconds between two looks at the job")
    parser.add_argument("--delete", action="store_true", help="delete the tuned model at the end")
    main(**vars(parser.parse_args()))
