"""Text to SQL with LoRA, at any host: `python examples/text_to_sql.py trl`, or `autotrain`, `openai`, `azure`.

The backend is one word; nothing else changes. Rows are made on the spot: a table, a question, a query. No held-out row's table is among
those that are learned; an answer counts when its query finds, on a small database, what the right one finds. The base is asked first.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import anytune

MODEL = {"trl": "starter", "autotrain": "starter", "openai": "gpt-4.1-mini-2025-04-14", "azure": "gpt-4.1-mini-2025-04-14"}
HOSTING = {"azure": {"sku": "developer"}}
METHOD = anytune.SFT(
    num_train_epochs=1,
    learning_rate=1e-3,
    lr_scheduler_type="constant",
    per_device_train_batch_size=8,
    gradient_accumulation_steps=1,
    packing=False,  # each row stands alone: AutoTrain would otherwise join a hundred short rows into one step
    seed=1,
)

LEARNED = {
    "books": "pages",
    "cars": "price",
    "films": "minutes",
    "rivers": "length",
    "players": "goals",
    "houses": "rooms",
    "songs": "plays",
}
HELD_OUT = {"planets": "moons", "bridges": "height", "cakes": "calories"}
GROUPS = {"country": ["Chile", "Japan", "Kenya"], "colour": ["red", "green", "blue"], "owner": ["Ada", "Ben", "Cleo"]}
QUESTIONS = [
    ("How many {table} are there?", "SELECT COUNT(*) FROM {table}"),
    ("How many {table} have the {group} {word}?", "SELECT COUNT(*) FROM {table} WHERE {group} = '{word}'"),
    ("Which {table} have more than {limit} {number}?", "SELECT name FROM {table} WHERE {number} > {limit}"),
    ("What is the highest {number} of {table}?", "SELECT MAX({number}) FROM {table}"),
    ("What is the average {number} of {table} with {group} {word}?", "SELECT AVG({number}) FROM {table} WHERE {group} = '{word}'"),
    ("List the {table} by {number}, the highest first.", "SELECT name FROM {table} ORDER BY {number} DESC"),
    ("How many {table} are there for each {group}?", "SELECT {group}, COUNT(*) FROM {table} GROUP BY {group}"),
]

Messages = list[dict[str, str]]


def conversations(tables: dict[str, str], count: int, seed: int) -> list[Messages]:
    """Make rows: the table and the question, then the query."""
    draw, made = random.Random(seed), []  # noqa: S311 - the same rows on every run
    for number in range(count):
        asked, query = QUESTIONS[number % len(QUESTIONS)]
        table, group = draw.choice(sorted(tables)), draw.choice(sorted(GROUPS))
        names = {
            "table": table,
            "number": tables[table],
            "group": group,
            "word": draw.choice(GROUPS[group]),
            "limit": draw.randrange(2, 90),
        }
        schema = f"CREATE TABLE {table} (name TEXT, {group} TEXT, {tables[table]} INTEGER)"
        made.append(
            [{"role": "user", "content": f"{schema}\n{asked.format(**names)}"}, {"role": "assistant", "content": query.format(**names)}]
        )
    return made


def data(folder: Path, rows: int, held_out: int) -> list[Messages]:
    """Write the rows that are learned, and give those that nobody trains on."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"messages": messages}) + "\n" for messages in conversations(LEARNED, rows, seed=1)]
    (folder / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    return conversations(HELD_OUT, held_out, seed=2)


def found(schema: str, query: str) -> list[Any] | None:
    """Run a query on a small database of its own, which it may only read; None where it cannot be run."""
    database = sqlite3.connect(":memory:")
    database.execute(schema)
    table, group = schema.split()[2], schema.split()[5]
    for number in range(12):
        values = (f"{table} {number}", GROUPS[group][number % 3], number * 37 % 100)
        database.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", values)  # noqa: S608 - the table's name is ours
    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY)
    database.set_progress_handler(lambda: 1, 100_000)  # a query that never ends is ended
    try:
        return database.execute(query).fetchall()
    except (sqlite3.Error, sqlite3.Warning):
        return None
    finally:
        database.close()


def right(messages: Messages, answer: str | None) -> bool:
    """Tell whether an answer finds what the right query finds."""
    schema = messages[0]["content"].splitlines()[0]
    return bool(answer) and found(schema, answer) == found(schema, messages[1]["content"])


def score(endpoint: anytune.Endpoint, asked: list[Messages]) -> int:
    """Ask all, and count the answers that are right."""
    answers = endpoint.chat_many([messages[:-1] for messages in asked], max_tokens=40, temperature=0.0)
    for messages, answer in list(zip(asked, answers, strict=True))[:2]:
        print(f"  {messages[0]['content'].splitlines()[1]}  ->  {' '.join((answer.text or answer.error or '').split())[:100]}")
    return sum(right(messages, answer.text) for messages, answer in zip(asked, answers, strict=True))


def main(backend: str = "trl", folder: str = "sql", *, rows: int = 336, held_out: int = 28, poll_s: float | None = None) -> dict[str, int]:
    """Tell the story; gives the right answers of base and tuned model."""
    desk, host = Path(folder), backend.partition("@")[0]  # `trl@hf_jobs:a10g-small` is trl, elsewhere
    asked = data(desk, rows, held_out)
    job = anytune.FineTuneJob.create(
        backend=backend,
        model=MODEL,
        train=desk / "train.jsonl",
        method=METHOD,
        adapter=anytune.LoRA(r=16, lora_alpha=32, target_modules="all-linear"),
        name="text-to-sql",
        on_preflight=lambda report: print(*(f"{one.severity} {one.code}: {one.message}" for one in report.losses), sep="\n"),
    )
    tuned = job.wait(poll_s=poll_s)
    print(f"{job.name} is {job.status.value} at {job.backend_name}: {job.snapshot.trained_tokens} tokens trained")

    models = {"tuned": tuned}
    if host not in HOSTING:  # Azure hosts base models by other deployments than tuned ones
        models = {"base": anytune.TunedModel.from_id(backend, MODEL[host])} | models
    scores = {}
    for who, model in models.items():
        with model.deploy(ttl_s=1800, name=f"sql-{who}", **HOSTING.get(host, {})) as endpoint:
            scores[who] = score(endpoint, asked)
            print(f"{who}: {scores[who]} of {len(asked)} right")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", nargs="?", default="trl", help=", ".join(MODEL))
    parser.add_argument("--folder", default="sql", help="where the data file is written")
    parser.add_argument("--rows", type=int, default=336, help="rows to learn from")
    parser.add_argument("--held-out", type=int, default=28, help="rows to ask at the end")
    parser.add_argument("--poll-s", type=float, help="seconds between two looks at the job")
    main(**vars(parser.parse_args()))
