"""What `anytune serve` costs between a client and an engine, next to LiteLLM's proxy in the same minutes on the same machine.

    python bench/server.py [--rounds N] [--litellm PATH | --alone]

A stub engine, a process of its own, answers at once. The same chat request goes to it directly, through `anytune serve` (one worker,
key check, model lookup and all) and through LiteLLM's proxy (one worker, a master key). The three take turns in every round, so that a slow
minute hits all of them. LiteLLM is installed into an environment that is thrown away afterwards (`--litellm` takes one that is there,
`--alone` does without). Prints Markdown. Takes about 2 minutes beside the installation; use a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LITELLM = "litellm[proxy]==1.106.2"
MODEL = "bench"
KEY = f"sk-{secrets.token_urlsafe(32)}"
ANSWER = "Tear the basil, do not cut it. " * 8
CHUNKS = 20
SEQUENTIAL, STREAMS, CLIENTS, WINDOW_S, STARTS = 250, 40, 50, 2.0, 5
GOALS = {"median": "≤ 2 ms", "p99": "≤ 8 ms", "rate": "≥ 300", "start": "≤ 2 s", "memory": "≤ 150 MB"}


class Engine(asyncio.Protocol):
    """The stub: any POST is a chat, answered whole or, with `"stream": true`, in pieces that are ready at once."""

    def __init__(self) -> None:
        """Make the answers once."""
        self.buffer = b""
        said = {"id": "chatcmpl-1", "created": 1, "model": MODEL}
        usage = {"prompt_tokens": 20, "completion_tokens": 64, "total_tokens": 84}
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": ANSWER, "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
        body = json.dumps({**said, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        self.whole = _reply("application/json", f"content-length: {len(body)}", body)
        deltas: list[dict[str, object]] = [{"role": "assistant", "content": "Tear"}, *[{"content": " it"}] * (CHUNKS - 1), {}]
        pieces = [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"} for delta in deltas]
        lines = [json.dumps({**said, "object": "chat.completion.chunk", "choices": [piece]}) for piece in pieces]
        chunks = b"".join(_chunk(f"data: {line}\n\n".encode()) for line in [*lines, "[DONE]"])
        self.stream = _reply("text/event-stream", "transfer-encoding: chunked", chunks + b"0\r\n\r\n")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self.buffer) < end + 4 + size:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + size], self.buffer[end + 4 + size :]
            self.transport.write(self.stream if b'"stream": true' in body or b'"stream":true' in body else self.whole)


def _reply(kind: str, framing: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode() + body


def _chunk(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


async def stub(port: int) -> None:
    """Serve the stub engine until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Engine, "127.0.0.1", port)
    await server.serve_forever()


@dataclass
class Arm:
    """One way to the engine, and what was measured on it."""

    name: str
    port: int
    path: str = "/v1/chat/completions"
    process: psutil.Process | None = None
    sequential: list[list[float]] = field(default_factory=list)
    first_piece: list[float] = field(default_factory=list)
    crowded: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    idle_mb: float = 0.0
    busy_mb: float = 0.0
    failed: int = 0

    def request(self, *, stream: bool = False) -> bytes:
        """Write the request as it goes over the wire."""
        asked = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "How is basil cut? " * 10}],
            **({"stream": True} if stream else {}),
        }
        body = json.dumps(asked).encode()
        head = f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {KEY}\r\n"
        return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

    @property
    def pooled(self) -> list[float]:
        """Give the seconds of all rounds together."""
        return [seconds for each in self.sequential for seconds in each]

    def memory_mb(self) -> float:
        """Give the resident memory of its process and all children."""
        if self.process is None:
            return 0.0
        family = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family) / 1e6


class Line:
    """One connection that is kept, and the little HTTP that a load generator needs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take both ends of an open connection."""
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        """Open one."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[int, float, float]:
        """Send a request and read its whole reply: status, seconds to the first piece of the body, seconds in all."""
        begun = time.perf_counter()
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            first = await self._chunks(begun)
        else:
            await self.reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
            first = time.perf_counter()
        return int(head[9:12]), first - begun, time.perf_counter() - begun

    async def _chunks(self, begun: float) -> float:
        first = 0.0
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            first = first or time.perf_counter()
            await self.reader.readexactly(size + 2)
        await self.reader.readexactly(2)
        return first or begun

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def one_by_one(arm: Arm, count: int, *, stream: bool = False) -> list[float]:
    """Ask `count` times, one after the other on one connection: seconds each, to the first piece where it is a stream."""
    line, request, times = await Line.to(arm.port), arm.request(stream=stream), []
    for _ in range(count):
        status, first, whole = await line.ask(request)
        arm.failed += status != 200  # noqa: PLR2004
        times.append(first if stream else whole)
    await line.close()
    return times


async def crowd(arm: Arm) -> tuple[float, list[float]]:
    """Ask with many clients at once for a while: replies a second, and the seconds that each took."""
    request, times = arm.request(), []
    until = time.perf_counter() + WINDOW_S

    async def client() -> None:
        line = await Line.to(arm.port)
        while time.perf_counter() < until:
            status, _, whole = await line.ask(request)
            arm.failed += status != 200  # noqa: PLR2004
            times.append(whole)
        await line.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(times) / (time.perf_counter() - begun), times


async def measure(arms: Sequence[Arm], rounds: int) -> None:
    """Let the arms take turns, after a warm-up; the order turns, too."""
    for arm in arms:
        await one_by_one(arm, 50)
        await crowd(arm)
        arm.failed = 0
    for number in range(rounds):
        turned = [*arms[number % len(arms) :], *arms[: number % len(arms)]]
        for arm in turned:
            slow = arm.name == "LiteLLM"
            arm.sequential.append(await one_by_one(arm, SEQUENTIAL // (4 if slow else 1)))
            arm.first_piece += await one_by_one(arm, STREAMS // (4 if slow else 1), stream=True)
        for arm in turned:
            rate, times = await crowd(arm)
            arm.rates.append(rate)
            arm.crowded += times
    for arm in arms:
        arm.busy_mb = arm.memory_mb()


def started(argv: Sequence[str], env: dict[str, str], ready: Callable[[], bool], log: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start a program and wait until it is ready: the process and the seconds that it took."""
    with log.open("ab") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(argv, env={**os.environ, **env}, stdout=out, stderr=out)
    while not ready():
        if process.poll() is not None or time.perf_counter() - begun > 120:  # noqa: PLR2004
            process.kill()
            raise SystemExit(f"{argv[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.005)
    return process, time.perf_counter() - begun


def answers(port: int, path: str | None) -> Callable[[], bool]:
    """Make the question whether a port answers 200 to a GET, or, without a path, whether it is open."""

    def ask() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            if path is None:
                return True
            line.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n".encode())
            return line.recv(64).startswith(b"HTTP/1.1 200")
        return False

    return ask


def free_port() -> int:
    """Find a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running(arm: Arm, argv: Sequence[str], env: dict[str, str], path: str | None, folder: Path, starts: int) -> Iterator[Arm]:
    """Start a program `starts` times; the last one stays until the end."""
    log = folder / f"{arm.name.split()[0]}.log"
    for number in range(starts):
        process, seconds = started(argv, env, answers(arm.port, path), log)
        arm.starts.append(seconds)
        if number < starts - 1:
            process.terminate()
            process.wait(30)
    arm.process = psutil.Process(process.pid)
    arm.idle_mb = arm.memory_mb()
    try:
        yield arm
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def litellm(given: Path | None, folder: Path) -> Path | None:
    """Give LiteLLM's program, from an environment that is there or one made now; None where it cannot be had."""
    home = given or folder / "litellm"
    if given is None:
        venv.create(home, with_pip=True)
        done = subprocess.run(
            [home / "bin" / "python", "-m", "pip", "install", "-qq", LITELLM], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"LiteLLM is left out: {done.stderr.strip().splitlines()[-1] if done.stderr else 'pip failed'}\n")
            return None
    program = home / "bin" / "litellm"
    return program if program.exists() else None


def programs(stack: contextlib.ExitStack, folder: Path, peer: Path | None) -> list[Arm]:
    """Start the engine, the server and, if it is there, LiteLLM."""
    engine = Arm("the engine itself", free_port())
    stack.enter_context(running(engine, [sys.executable, __file__, "--stub", str(engine.port)], {}, None, folder, 1))
    upstream = f"http://127.0.0.1:{engine.port}/v1"
    ours = Arm("anytune serve", free_port())
    argv = [sys.executable, "-m", "anytune.cli", "serve", "--backend", "openai", "--model", f"{MODEL}={MODEL}", "--port", str(ours.port)]
    env = {"ANYTUNE_HOME": str(folder / "home"), "ANYTUNE_API_KEY": KEY, "OPENAI_BASE_URL": upstream, "OPENAI_API_KEY": "stub"}
    stack.enter_context(running(ours, argv, env, "/health", folder, STARTS))
    if peer is None:
        return [engine, ours]
    target = {"model": f"openai/{MODEL}", "api_base": upstream, "api_key": "stub"}
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": target}]}), encoding="utf-8")
    other = Arm("LiteLLM", free_port())
    argv = [
        str(peer),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(other.port),
        "--num_workers",
        "1",
        "--telemetry",
        "False",
    ]
    env = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    stack.enter_context(running(other, argv, env, "/health/liveliness", folder, 1))
    return [engine, ours, other]


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that a share of all is not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def row(what: str, values: Sequence[str], goal: str = "") -> str:
    """Lay out one line of the table."""
    return f"| {what} | {' | '.join(values)} | {goal} |"


def table(arms: Sequence[Arm]) -> str:
    """Lay out what was measured; LiteLLM's column gives how many times ours it is."""
    engine, ours = arms[:2]
    base, base_99 = [statistics.median(each) for each in engine.sequential], percentile(engine.pooled, 0.99)

    def added(arm: Arm) -> float:
        return 1e3 * statistics.median(statistics.median(own) - plain for own, plain in zip(arm.sequential, base, strict=True))

    def added_99(arm: Arm) -> float:
        return 1e3 * (percentile(arm.pooled, 0.99) - base_99)

    measures: list[tuple[str, Callable[[Arm], float], str, str]] = [
        ("one at a time, median, ms", lambda arm: 1e3 * statistics.median(arm.pooled), ".2f", ""),
        ("added by it, median, ms", added, ".2f", GOALS["median"]),
        ("added by it, p99, ms", added_99, ".2f", GOALS["p99"]),
        ("first piece of a stream, median, ms", lambda arm: 1e3 * statistics.median(arm.first_piece), ".2f", ""),
        (f"{CLIENTS} at once, replies/s (median of rounds)", lambda arm: statistics.median(arm.rates), ",.0f", GOALS["rate"]),
        (f"{CLIENTS} at once, p99, ms", lambda arm: 1e3 * percentile(arm.crowded, 0.99), ".0f", ""),
        ("start to a 200 of its health, s", lambda arm: statistics.median(arm.starts), ".2f", GOALS["start"]),
        ("memory after the start, MB", lambda arm: arm.idle_mb, ".0f", GOALS["memory"]),
        ("memory after the load, MB", lambda arm: arm.busy_mb, ".0f", GOALS["memory"]),
    ]
    lines = [row("", [arm.name for arm in arms], "goal"), "|---|" + "---:|" * (len(arms) + 1)]
    for what, of, form, goal in measures:
        values = [format(of(arm), form) for arm in arms]
        values[0] = "" if what.startswith("added") else values[0]
        if len(arms) > 2:  # noqa: PLR2004
            ratio = of(arms[2]) / of(ours)
            values[2] += f" ({ratio:.1f}x)" if ratio > 1 else f" (1/{1 / ratio:.0f})"
        lines.append(row(what, values, goal))
    return "\n".join(lines)


def main() -> None:
    """Start all, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--litellm", type=Path, help="an environment that holds LiteLLM's proxy")
    parser.add_argument("--alone", action="store_true", help="without LiteLLM")
    parser.add_argument("--stub", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.stub:
        asyncio.run(stub(said.stub))
        return
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        peer = None if said.alone else litellm(said.litellm, folder)
        arms = programs(stack, folder, peer)
        asyncio.run(measure(arms, said.rounds))
        print(table(arms))
        failed = ", ".join(f"{arm.name} {arm.failed}" for arm in arms if arm.failed) or "none"
        shape = f"{said.rounds} interleaved rounds of {SEQUENTIAL} requests one at a time and {WINDOW_S:g} s of {CLIENTS} at once"
        print(f"\n{shape}; {LITELLM if peer else 'without LiteLLM'}; other replies than 200: {failed}.")
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
