"""What asking takes: 1,000 rows times 5 arms at a host with a rate limit, beside a plain loop over the openai client.

    python bench/evaluate.py [--rows 1000] [--per-minute 4800] [--concurrency 8]

The host is a process of its own on loopback. It answers after 50 ms, keeps a bucket of requests that fills evenly (what OpenAI describes of
its own), tells what is left in `x-ratelimit-*` headers and refuses with 429 and `Retry-After`. Who asks is not told the limit.

1. anytune asks everything; its memory is read at a fifth of the answers and at the end.
2. anytune asks everything anew, is killed (`SIGKILL`) in the middle, and goes on: the host counts each question by its content.
3. The plain loop asks the same: `openai.AsyncOpenAI` with its own retries (10 instead of 2), a semaphore and `asyncio.gather`.

Prints Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib.metadata
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.evaluation.asking import Plan

SEED = 20261123
LATENCY_S = 0.05
BURST_S = 1.0
"""The bucket holds what a second gives."""

WHO = {"anytune": "**anytune**", "killed": "**anytune**, killed at half, run again", "plain": "plain loop, openai client"}

_TRAIN = 2_000
_LENGTH = 12
_WORDS = tuple(
    f"{first}{last}" for first in ("ba", "ce", "di", "fo", "gu", "ha", "ki", "lo") for last in ("ran", "sel", "tin", "vor", "zum")
)


def main() -> None:
    """Run all three, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--per-minute", type=float, default=4800.0)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--child", choices=("host", "anytune", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--at", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "host":
        asyncio.run(_Host(given.per_minute).serve())
    elif given.child == "anytune":
        _ask(given.at, given.rows, given.concurrency, given.folder)
    elif given.child == "plain":
        asyncio.run(_plain(given.at, given.rows, given.concurrency))
    else:
        _bench(given)


def _bench(given: argparse.Namespace) -> None:
    total = 5 * given.rows
    print("| who | of the limit | seconds | answered | sent | refused (429) | asked twice | memory at 20 %, at the end |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for who, words in (
        ("anytune", "**anytune**"),
        ("killed", "**anytune**, killed at half, run again"),
        ("plain", "plain loop, openai client"),
    ):
        with tempfile.TemporaryDirectory(prefix="anytune-evaluate-") as folder, _hosted(given.per_minute) as at:
            memory, kept = _run(who, at, given, Path(folder), total)
            seen = _get(at, "/counts")
            lines = [json.loads(line) for line in (Path(folder) / "answers.jsonl").read_text().splitlines()] if who != "plain" else []
        good = sum(not line["error"] for line in lines) if lines else seen["answered"]
        took_s = seen["last_s"] - seen["first_s"] - (seen["gap_s"] if who == "killed" else 0.0)  # while it is started again nobody asks
        # A full bucket is there at the start, and again after the host was left alone.
        share = seen["accepted"] / (given.per_minute / 60 * (took_s + BURST_S * (1 + (who == "killed"))))
        cells = [words, f"{share:.1%}", f"{took_s:.1f}", f"{good:,} of {total:,}", f"{seen['sent']:,}", f"{seen['refused']:,}"]
        print("| " + " | ".join([*cells, f"{seen['twice']}{kept}", memory]) + " |", flush=True)
    versions = f"openai {importlib.metadata.version('openai')}, Python {platform.python_version()}"
    where = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    what = f"{given.rows:,} rows, 5 arms, {given.per_minute:,.0f} requests a minute, {given.concurrency} at once"
    print(f"\n{what}. {versions}, {where}, {time.strftime('%Y-%m-%d')}.")


def _run(who: str, at: str, given: argparse.Namespace, folder: Path, total: int) -> tuple[str, str]:
    """Let one of them ask; give its memory, and what is to be said of questions that were asked twice."""
    child = _child("plain" if who == "plain" else "anytune", at, given, folder)
    memory, words = "–", ""
    if who == "anytune":
        memory = _memory(child, total)
    elif who == "killed":
        answers = folder / "answers.jsonl"
        while not answers.exists() or answers.read_bytes().count(b"\n") < total // 2:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        on_their_way = _settled(at)["answered"] - answers.read_bytes().count(b"\n")
        words = f" (of {on_their_way} on their way at the kill)"
        child = _child("anytune", at, given, folder)
    child.communicate()
    if child.returncode:
        raise SystemExit(f"The child ended with {child.returncode}.")
    return memory, words


def _settled(at: str) -> dict[str, Any]:
    """Wait until the host has answered whatever was on its way."""
    before = _get(at, "/counts")
    while True:
        time.sleep(4 * LATENCY_S)
        if (now := _get(at, "/counts"))["sent"] == before["sent"]:
            return now
        before = now


def _memory(child: subprocess.Popen[str], total: int) -> str:
    """Read the child's own report: its memory (RSS) at a fifth of the answers, and at the end."""
    seen: dict[str, float] = {}
    for line in child.stdout or ():
        done, rss_mb = line.split()
        if int(done) >= total // 5:
            seen.setdefault("early", float(rss_mb))
        seen["late"] = float(rss_mb)
    return f"{seen['early']:.0f}, {seen['late']:.0f} MB"


def _child(kind: str, at: str, given: argparse.Namespace, folder: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, __file__, "--child", kind, "--at", at, "--folder", str(folder)]
    argv += ["--rows", str(given.rows), "--concurrency", str(given.concurrency), "--per-minute", str(given.per_minute)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


@contextmanager
def _hosted(per_minute: float) -> Iterator[str]:
    host = subprocess.Popen(
        [sys.executable, __file__, "--child", "host", "--per-minute", str(per_minute)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert host.stdout is not None
        yield f"http://127.0.0.1:{int(host.stdout.readline())}"
    finally:
        host.terminate()
        host.wait()


def _get(at: str, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(at + path) as reply:  # noqa: S310 - loopback
        found: dict[str, Any] = json.load(reply)
    return found


class _Host:
    """A host with a limit, over asyncio's streams: light enough to keep its latency beside those who ask."""

    def __init__(self, per_minute: float) -> None:
        self._each_s = 60.0 / per_minute
        self._size = self._left = per_minute / 60.0 * BURST_S
        self._at = time.monotonic()
        self._answers: Counter[str] = Counter()
        self._counts = {"sent": 0, "refused": 0, "accepted": 0, "answered": 0, "first_s": 0.0, "last_s": 0.0, "gap_s": 0.0}

    async def serve(self) -> None:
        """Answer until the process is ended."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=256)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
                raw = await reader.readexactly(length)
                status, body, headers = self._told() if head.startswith("get") else await self._asked(raw)
                lines = [f"HTTP/1.1 {status} x", "content-type: application/json", f"content-length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _told(self) -> tuple[int, bytes, dict[str, str]]:
        twice = sum(count - 1 for count in self._answers.values())
        return 200, json.dumps(self._counts | {"twice": twice}).encode(), {}

    async def _asked(self, raw: bytes) -> tuple[int, bytes, dict[str, str]]:
        now, counts = time.monotonic(), self._counts
        counts["sent"] += 1
        counts["gap_s"] = max(counts["gap_s"], now - (counts["last_s"] or now))
        counts["first_s"], counts["last_s"] = counts["first_s"] or now, now
        self._left = min(self._size, self._left + (now - self._at) / self._each_s)
        self._at = now
        headers = {"x-ratelimit-limit-requests": f"{self._size:.0f}"}
        if self._left < 1.0:
            counts["refused"] += 1
            headers |= {"x-ratelimit-remaining-requests": "0", "retry-after": f"{(1.0 - self._left) * self._each_s:.4f}"}
            return 429, b'{"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}', headers
        self._left -= 1.0
        counts["accepted"] += 1
        headers["x-ratelimit-remaining-requests"] = str(int(self._left))
        headers["x-ratelimit-reset-requests"] = f"{(self._size - self._left) * self._each_s * 1000:.0f}ms"
        self._answers[_content(raw)] += 1
        await asyncio.sleep(LATENCY_S)
        counts["answered"] += 1
        message = {"role": "assistant", "content": "An answer of some length, such as a model might give to a question like this one."}
        reply = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        return 200, json.dumps(reply | {"usage": {"prompt_tokens": 90, "completion_tokens": 18, "total_tokens": 108}}).encode(), headers


def _content(raw: bytes) -> str:
    return hashlib.sha256(json.dumps(json.loads(raw), sort_keys=True).encode()).hexdigest()


def _plan(rows: int, at: str) -> Plan:
    from anytune.evaluation.arms import Pool, built  # noqa: PLC0415 - the host and the driver need none of it
    from anytune.evaluation.asking import Plan  # noqa: PLC0415 - as above
    from anytune.evaluation.spec import EvaluationSpec  # noqa: PLC0415 - as above
    from anytune.evaluation.values import Case  # noqa: PLC0415 - as above

    chance = random.Random(SEED)  # noqa: S311 - rows, no secrets

    def case(number: int) -> Case:
        words = " ".join(chance.choices(_WORDS, k=_LENGTH))
        return Case(id=f"{number:016x}", row=number, messages=({"role": "user", "content": f"{words} {number}"},), reference=words[::-1])

    arms = {
        "base": {"type": "zero_shot", "model": "m"},
        "prompted": {"type": "prompt", "model": "m", "system": "Say it backwards."},
        "shots": {"type": "few_shot", "model": "m", "k": 3},
        "found": {"type": "retrieval", "model": "m", "k": 3},
        "tuned": {"type": "prompt", "model": "m", "system": "Backwards."},
    }
    spec = EvaluationSpec(data="test.jsonl", models={"m": {"base_url": f"{at}/v1", "model": "m"}}, arms=arms)
    cases = [case(number) for number in range(rows)]
    pool = Pool.of([case(rows + number) for number in range(_TRAIN)], held_out=cases)
    return Plan(cases, [built(spec, name, pool) for name in arms], seed=SEED)


def _ask(at: str, rows: int, concurrency: int, folder: Path) -> None:
    import psutil  # noqa: PLC0415 - as above

    from anytune.evaluation.asking import Store, ask_all  # noqa: PLC0415 - as above
    from anytune.evaluation.spec import Limits  # noqa: PLC0415 - as above
    from anytune.infer import Endpoint  # noqa: PLC0415 - as above
    from anytune.values import Address  # noqa: PLC0415 - as above

    me = psutil.Process()
    with Store(folder) as store, Endpoint(Address(base_url=f"{at}/v1", model="m")) as endpoint:
        ask_all(
            _plan(rows, at), {"m": endpoint}, store, {"m": Limits(concurrency=concurrency)},
            on_progress=lambda seen: print(seen.done, me.memory_info().rss / 2**20, flush=True),
        )  # fmt: skip


async def _plain(at: str, rows: int, concurrency: int) -> None:
    from openai import AsyncOpenAI, OpenAIError  # noqa: PLC0415 - as above

    plan, gate = _plan(rows, at), asyncio.Semaphore(concurrency)
    order = list(plan.shuffled("m"))

    async with AsyncOpenAI(base_url=f"{at}/v1", api_key="none", max_retries=10) as client:

        async def ask(arm: Any, case: Any) -> bool:
            async with gate:
                question = arm.ask(case)
                try:
                    await client.chat.completions.create(model="m", messages=question.messages, **question.params)
                except OpenAIError:
                    return False
            return True

        await asyncio.gather(*(ask(step.arm, step.case) for step in order))


if __name__ == "__main__":
    main()
