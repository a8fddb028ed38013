"""`python -m anytune.local.gate`: the serving child. It starts the engine, sees it answer rightly, guards it, and ends with it.

It needs the extra `anytune[local]` (starlette, uvicorn; httpx2 comes with openai). It does not need the agent: an endpoint outlives that,
and ends by itself when its time is over, when it was asked to stop, when its task's folder is gone, or when its engine dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import uvicorn

from anytune.errors import AnytuneError, DeploymentFailed
from anytune.local import durable, parity
from anytune.local.folder import Folder
from anytune.local.processes import carriers, send, since_boot_s
from anytune.local.proxy import application
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anytune.local.task import Served, ServeSettings

__all__ = ["Gate", "main"]

_WATCH_S = 0.5
_ENGINE_GRACE_S = 5.0
_DRAIN_S = 2
_PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """The end was asked for, or the time is over."""


class Gate:
    """One serving child.

    Args:
        folder: The task's folder.
        settings: What to serve, and how.
        expires_s: Seconds of this boot (`processes.since_boot_s`) when it must be gone; None for no end.
    """

    def __init__(self, folder: Folder, settings: ServeSettings, *, expires_s: float | None) -> None:
        """Take the endpoint's port and an engine's port; start nothing."""
        endpoint = folder.read("endpoint.json") or {}
        self.folder, self.settings, self.token = folder, settings, str(endpoint["token"])
        self.socket = _bound(int(endpoint["port"]))
        self.port = int(endpoint["port"])
        with _bound(0) as trial:
            self.engine_port = int(trial.getsockname()[1])
        self.expires_s = expires_s
        self._told_to_stop = asyncio.Event()
        self._engine: subprocess.Popen[bytes] | None = None

    async def run(self) -> None:
        """Serve until the end, and leave in writing why it ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop.set)
        try:
            self._start_engine()
            await self._guarded(self._serve())
            raise Stopped("It was asked to stop.")  # noqa: TRY301 - the server ends by itself on a signal only
        except Stopped as reason:
            self._write("stopped.json", str(reason))
        except AnytuneError as error:
            self._write("failed.json", str(error))
        finally:
            (self.folder / "ready.json").unlink(missing_ok=True)
            await asyncio.to_thread(self._end_engine)
            self.socket.close()

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Do the work until it ends, or until there is a reason to end it."""
        serving = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self._watch())
        done, _ = await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, watching):
            task.cancel()
        await asyncio.gather(serving, watching, return_exceptions=True)
        for task in (watching, serving):
            if task in done and not task.cancelled():
                task.result()

    async def _watch(self) -> None:
        """Return never; raise once there is a reason to end."""
        while True:
            if self._told_to_stop.is_set() or not self.folder.exists or self.folder.has("cancel"):
                raise Stopped("It was asked to stop.")
            if self.expires_s is not None and since_boot_s() >= self.expires_s:
                raise Stopped("Its time to live is over.")
            if self._engine is not None and self._engine.poll() is not None:
                lines = "\n".join(durable.tail(self.folder / "engine.log", 20))
                raise DeploymentFailed(f"The engine ended with exit code {self._engine.returncode}.\nLast lines of its log:\n{lines}")
            durable.trim(self.folder / "engine.log")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told_to_stop.wait(), _WATCH_S)

    async def _serve(self) -> None:
        """Get ready, say so, and answer."""
        base_url = f"http://127.0.0.1:{self.engine_port}"
        timeout = httpx2.Timeout(None, connect=10)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=32)
        async with httpx2.AsyncClient(base_url=base_url, timeout=timeout, limits=limits, trust_env=False) as client:
            try:
                async with asyncio.timeout(self.settings.ready_timeout_s):
                    await self._healthy(client)
                    reports = {name: await self._prepared(client, name, served) for name, served in self.settings.models.items()}
            except TimeoutError:
                lines = "\n".join(durable.tail(self.folder / "engine.log", 20))
                text = f"The engine was not ready within {self.settings.ready_timeout_s:g} s.\nLast lines of its log:\n{lines}"
                raise DeploymentFailed(text, fix="Raise `ready_timeout_s`, or free the machine.") from None
            config = uvicorn.Config(
                application(client, self.settings, self.token),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_DRAIN_S,
            )
            server = uvicorn.Server(config)
            answering = asyncio.ensure_future(server.serve(sockets=[self.socket]))
            try:
                while not server.started and not answering.done():  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.02)
                self._say_ready(reports)
                await asyncio.shield(answering)
            finally:
                server.should_exit = True
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({answering}, timeout=_DRAIN_S + 1)

    async def _prepared(self, client: httpx2.AsyncClient, name: str, served: Served) -> parity.ParityReport | None:
        """Warm up one of the models, and compare it with the trainer.

        Raises:
            DeploymentFailed: Parity did not hold; the text shows the differences.
        """
        expected = None if served.parity is None else parity.load(served.parity)
        hello = expected.rows[0].messages if expected else ({"role": "user", "content": "Hello"},)
        await parity.ask_engine(client, served.engine_model, hello, max_tokens=2)
        if expected is None:
            return None
        report = await parity.check(client, served.engine_model, expected, mode=self.settings.parity_mode)
        if not report.held:
            shown = "\n".join(f"  {line}" for line in report.differences)
            which = f" of {name}" if self.settings.adapters else ""
            text = f"The engine does not say what the trained model{which} said (parity, {report.mode}):\n{shown}"
            raise DeploymentFailed(text, fix="Check that the engine uses the model's own chat template, dtype and tokenizer.")
        return report

    async def _healthy(self, client: httpx2.AsyncClient) -> None:
        while True:
            with contextlib.suppress(httpx2.HTTPError):
                reply = await client.get(self.settings.health, timeout=10)
                if reply.is_success:
                    return
            await asyncio.sleep(0.1)

    def _start_engine(self) -> None:
        """Start the engine in this process's own group; the kernel ends it if this process is killed."""
        argv = [word.replace("{port}", str(self.engine_port)) for word in self.settings.engine]
        output = os.open(self.folder / "engine.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._engine = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_tie(),  # noqa: PLW1509 - no thread runs yet, and one system call is all that it makes
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DeploymentFailed(f"The engine {argv[0]!r} cannot be started: {reason}.", fix="Check its installation.") from error
        finally:
            os.close(output)

    def _end_engine(self) -> None:
        """End the engine and all that it started."""
        if self._engine is not None and self._engine.poll() is None:
            self._engine.terminate()
            try:
                self._engine.wait(_ENGINE_GRACE_S)
            except subprocess.TimeoutExpired:
                self._engine.kill()
                self._engine.wait()
        send(signal.SIGKILL, child=None, others=carriers(self.folder.id, self.folder.path))

    def _say_ready(self, reports: dict[str, parity.ParityReport | None]) -> None:
        shown = {name: None if report is None else report.model_dump(mode="json") for name, report in reports.items()}
        checked = shown.pop(self.settings.model)
        content = {"base_url": f"http://127.0.0.1:{self.port}/v1", "model": self.settings.model, "pid": os.getpid(), "parity": checked}
        durable.write(self.folder / "ready.json", content | {"adapters": shown})

    def _write(self, name: str, message: str) -> None:
        if self.folder.path.exists():
            durable.write_last(self.folder / name, {"message": message, "at": now().isoformat()})


def _bound(port: int) -> socket.socket:
    """Bind a loopback port.

    Raises:
        DeploymentFailed: Another process has it.
    """
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        text = f"Port {port} on 127.0.0.1 cannot be used: {error.strerror}."
        raise DeploymentFailed(text, fix="Deploy again: another port is chosen.") from error
    return bound


def _tie() -> Callable[[], object] | None:
    """Give what a new process calls to be killed by Linux when its parent ends; elsewhere the agent stops what is left."""
    return partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, int(signal.SIGKILL)) if sys.platform == "linux" else None


def main() -> int:
    """Serve what the task's folder says."""
    folder = Folder(os.environ["ANYTUNE_REF"], Path(os.environ["ANYTUNE_TASK_DIR"]).parents[1])
    expires_s = os.environ.get("ANYTUNE_EXPIRES_S")
    settings = folder.task().serve
    if settings is None:
        raise SystemExit("This task serves nothing.")
    try:
        asyncio.run(_run(folder, settings, float(expires_s) if expires_s else None))
    except DeploymentFailed as error:
        durable.write(folder / "failed.json", {"message": str(error), "at": now().isoformat()})
    return 0


async def _run(folder: Folder, settings: ServeSettings, expires_s: float | None) -> None:
    await Gate(folder, settings, expires_s=expires_s).run()


if __name__ == "__main__":
    sys.exit(main())
