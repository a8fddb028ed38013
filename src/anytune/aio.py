"""The same verbs, awaited. Waits sleep on the loop, every other call takes a thread for its own duration; chats use `AsyncOpenAI`.

```python
from anytune import aio

job = await aio.FineTuneJob.create(backend="trl", model="starter", train="train.jsonl")
tuned = await job.wait()
async with await tuned.deploy() as endpoint:
    print(await endpoint.chat("2 cups chopped fresh basil"))
```
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Self

from anytune import deploy as _deploy
from anytune import fleet as _fleet
from anytune import infer as _infer
from anytune import job as _job
from anytune import model as _model
from anytune.errors import WaitTimeout
from anytune.naps import EVERY_S, Nap
from anytune.observe import pauses, refuse_to_wait
from anytune.pauses import host_pauses
from anytune.retry import AsyncRetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import openai

    from anytune.backend import Backend, RemoteDeployment
    from anytune.batch import Answer
    from anytune.fleet import Change
    from anytune.preflight import Preflight
    from anytune.runtime import Runtime
    from anytune.values import Address, Checkpoint, Event, Metric, Pushed, Snapshot, Status

__all__ = ["Deployment", "Endpoint", "FineTuneJob", "TunedModel", "watch_many"]


class FineTuneJob:
    """`anytune.FineTuneJob`, awaited. `sync` is the plain handle; what is known without asking is read from it."""

    def __init__(self, sync: _job.FineTuneJob) -> None:
        """Wrap a plain handle."""
        self.sync = sync

    @classmethod
    async def create(cls, *args: Any, **settings: Any) -> FineTuneJob:
        """Arguments as for `anytune.FineTuneJob.create`."""
        return cls(await asyncio.to_thread(_job.FineTuneJob.create, *args, **settings))

    @classmethod
    async def preflight(cls, *args: Any, **settings: Any) -> Preflight:
        """Arguments as for `anytune.FineTuneJob.preflight`."""
        return await asyncio.to_thread(_job.FineTuneJob.preflight, *args, **settings)

    @classmethod
    async def get(cls, job: str) -> FineTuneJob:
        """Arguments as for `anytune.FineTuneJob.get`."""
        return cls(await asyncio.to_thread(_job.FineTuneJob.get, job))

    @classmethod
    async def list(cls, **filters: Any) -> Sequence[FineTuneJob]:
        """Arguments as for `anytune.FineTuneJob.list`."""
        return [cls(found) for found in await asyncio.to_thread(lambda: _job.FineTuneJob.list(**filters))]

    @classmethod
    async def attach(cls, backend: str | Backend, remote_id: str, *, name: str | None = None) -> FineTuneJob:
        """Arguments as for `anytune.FineTuneJob.attach`."""
        return cls(await asyncio.to_thread(lambda: _job.FineTuneJob.attach(backend, remote_id, name=name)))

    @property
    def id(self) -> str:
        """The attempt's id in the ledger, and its tag at the backend."""
        return self.sync.id

    @property
    def name(self) -> str:
        """The name."""
        return self.sync.name

    @property
    def status(self) -> Status:
        """As last seen."""
        return self.sync.status

    @property
    def snapshot(self) -> Snapshot:
        """The last observation."""
        return self.sync.snapshot

    async def refresh(self) -> Snapshot:
        """Look once."""
        return await asyncio.to_thread(self.sync.refresh)

    async def events(self, *, after: str | None = None) -> Sequence[Event]:
        """Give the events after a cursor."""
        return await asyncio.to_thread(lambda: self.sync.events(after=after))

    async def metrics(self, *, after: int | None = None) -> Sequence[Metric]:
        """Give the metrics after a step."""
        return await asyncio.to_thread(lambda: self.sync.metrics(after=after))

    async def checkpoints(self) -> Sequence[Checkpoint]:
        """Give the checkpoints that exist."""
        return await asyncio.to_thread(self.sync.checkpoints)

    async def pause(self) -> Self:
        """Ask for a checkpoint and a stop."""
        await asyncio.to_thread(self.sync.pause)
        return self

    async def resume(self) -> Self:
        """Go on from the last good checkpoint."""
        await asyncio.to_thread(self.sync.resume)
        return self

    async def cancel(self) -> Self:
        """Ask for the end."""
        await asyncio.to_thread(self.sync.cancel)
        return self

    async def wait(
        self, *, on_event: Callable[[Event], Any] | None = None, timeout_s: float | None = None, poll_s: float | None = None
    ) -> TunedModel:
        """Wait on the loop; arguments and errors as for `anytune.FineTuneJob.wait`. `on_event` may be a coroutine function."""
        deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        pause, nap = pauses(self.sync.backend, poll_s), Nap(self.sync.row, self.sync.context)
        while True:
            seen = await asyncio.to_thread(lambda: self.sync.observe(strict=False))
            for event in seen.events:
                told = on_event(event) if on_event is not None else None
                if inspect.isawaitable(told):
                    await told
            if seen.snapshot.status.terminal:
                return await self.result()
            refuse_to_wait(self.sync.row, seen.snapshot)
            if deadline is not None and asyncio.get_running_loop().time() >= deadline:
                raise WaitTimeout(
                    f"Job {self.name} is {self.status.value} after {timeout_s:g} s.", fix="It goes on; wait again.", job_id=self.id
                )
            await _napped(nap, pause(seen))

    async def result(self) -> TunedModel:
        """Give the model of a job that succeeded."""
        return TunedModel(await asyncio.to_thread(self.sync.result))


async def _napped(nap: Nap, seconds: float) -> None:
    """Wait so many seconds on the loop; a nudge ends it early."""
    for part in nap.parts(seconds):
        if seconds > EVERY_S and await asyncio.to_thread(nap.nudged):
            return
        await asyncio.sleep(part)


async def watch_many(
    jobs: Iterable[FineTuneJob] | None = None,
    *,
    timeout_s: float | None = None,
    poll_s: float | None = None,
    context: Runtime | None = None,
) -> AsyncIterator[Change]:
    """Watch many jobs on the loop; arguments, answers and errors as for `anytune.watch_many`. `Change.job` is the plain handle."""
    clock = asyncio.get_running_loop().time
    deadline = None if timeout_s is None else clock() + timeout_s
    plain = None if jobs is None else [job.sync for job in jobs]
    fleet = await asyncio.to_thread(lambda: _fleet.Fleet(plain, poll_s=poll_s, context=context))
    with fleet:
        while True:
            for change in await asyncio.to_thread(fleet.step):
                yield change
            if not fleet.watched:
                break
            if deadline is not None and clock() >= deadline:
                raise fleet.out_of_patience(timeout_s or 0.0)


class TunedModel:
    """`anytune.TunedModel`, awaited."""

    def __init__(self, sync: _model.TunedModel) -> None:
        """Wrap a plain model."""
        self.sync = sync

    @classmethod
    def from_id(cls, backend: str | Backend, model_id: str, *, base_model: str | None = None) -> TunedModel:
        """Arguments as for `anytune.TunedModel.from_id`."""
        return cls(_model.TunedModel.from_id(backend, model_id, base_model=base_model))

    @classmethod
    def from_path(cls, path: str | Path, *, backend: str | Backend = "trl") -> TunedModel:
        """Arguments as for `anytune.TunedModel.from_path`."""
        return cls(_model.TunedModel.from_path(path, backend=backend))

    @property
    def id(self) -> str:
        """A hosted model's id, or the absolute path of a local one."""
        return self.sync.id

    @property
    def base_model(self) -> str | None:
        """What was tuned."""
        return self.sync.base_model

    async def deploy(
        self,
        *,
        ttl_s: float = _model.DEFAULT_TTL_S,
        name: str | None = None,
        adapters: Mapping[str, TunedModel] | None = None,
        **options: Any,
    ) -> Deployment:
        """Start a host; arguments as for `anytune.TunedModel.deploy`."""
        crew = {word: each.sync for word, each in (adapters or {}).items()}
        return Deployment(await asyncio.to_thread(lambda: self.sync.deploy(ttl_s=ttl_s, name=name, adapters=crew, **options)))

    async def push(self, repo: str, **how: Any) -> Pushed:
        """Publish the model in a repository of a hub; arguments as for `anytune.TunedModel.push`."""
        return await asyncio.to_thread(lambda: self.sync.push(repo, **how))

    async def delete(self) -> None:
        """Delete the model at its backend, for good."""
        await asyncio.to_thread(self.sync.delete)


class Deployment:
    """`anytune.Deployment`, awaited: `async with` gives the endpoint."""

    def __init__(self, sync: _deploy.Deployment) -> None:
        """Wrap a plain deployment."""
        self.sync = sync
        self._entered: Endpoint | None = None

    async def __aenter__(self) -> Endpoint:
        """Wait until the host answers; take it down again if it does not."""
        try:
            self._entered = await self.wait()
        except BaseException:
            await asyncio.shield(self.stop())
            raise
        return self._entered

    async def __aexit__(self, *_: object) -> None:
        """Close connections and take the host down."""
        if self._entered is not None:
            await self._entered.close()
        await asyncio.shield(self.stop())

    @classmethod
    async def get(cls, deployment_id: str) -> Deployment:
        """Find a deployment by its id or the beginning of it."""
        return cls(await asyncio.to_thread(_deploy.Deployment.get, deployment_id))

    @classmethod
    async def list(cls, *, live: bool = True) -> Sequence[Deployment]:
        """Give the deployments, newest first."""
        return [cls(found) for found in await asyncio.to_thread(lambda: _deploy.Deployment.list(live=live))]

    @property
    def id(self) -> str:
        """Its id in the ledger."""
        return self.sync.id

    @property
    def cost_usd(self) -> float | None:
        """US dollars since the start, by the hourly price."""
        return self.sync.cost_usd

    async def refresh(self) -> RemoteDeployment:
        """Look once."""
        return await asyncio.to_thread(self.sync.refresh)

    async def wait(self, *, timeout_s: float = _deploy.READY_TIMEOUT_S) -> Endpoint:
        """Wait on the loop until the host answers; errors as for `anytune.Deployment.wait`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        pause = host_pauses(self.sync.model.backend)
        while True:
            address = await self._arrival(timeout_s if clock() >= deadline else None)
            if address is not None:
                return Endpoint(address)
            await asyncio.sleep(pause())

    async def _arrival(self, waited_s: float | None) -> Address | None:
        return await asyncio.to_thread(lambda: self.sync.arrival(waited_s=waited_s))

    async def stop(self) -> Self:
        """Take the host down and wait until it is confirmed gone."""
        await asyncio.to_thread(self.sync.stop)
        return self


class Endpoint:
    """`anytune.Endpoint`, awaited: every question goes over `openai.AsyncOpenAI`."""

    def __init__(self, address: Address, *, retry: AsyncRetry | None = None) -> None:
        """Keep the address; nothing is opened before the first question."""
        self.address = address
        self._plain = _infer.Endpoint(address)
        self._retry = retry or AsyncRetry()
        self._client: openai.AsyncOpenAI | None = None

    async def __aenter__(self) -> Self:
        """Give the endpoint itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close connections."""
        await self.close()

    async def chat(
        self, messages: str | Sequence[Mapping[str, Any]], *, tools: Sequence[Mapping[str, Any]] | None = None, **params: Any
    ) -> _infer.Reply:
        """Ask once; arguments and errors as for `anytune.Endpoint.chat`."""
        request = self._plain.request(messages, tools, params)

        async def ask() -> _infer.Reply:
            return _infer.reply_from(await self.openai().chat.completions.create(**request))

        return await self._retry.read(ask)

    async def stream(self, messages: str | Sequence[Mapping[str, Any]], **params: Any) -> AsyncIterator[str]:
        """Give the answer's text piece by piece."""
        request = self._plain.request(messages, None, params)
        chunks = await self._retry.read(lambda: self.openai().chat.completions.create(**request, stream=True))
        async with chunks:
            async for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    async def chat_many(
        self, rows: Iterable[str | Sequence[Mapping[str, Any]]], *, concurrency: int = 8, out: Path | str | None = None, **params: Any
    ) -> Sequence[Answer]:
        """Ask many; arguments as for `anytune.Endpoint.chat_many`, in threads of their own."""
        return await asyncio.to_thread(lambda: self._plain.chat_many(rows, concurrency=concurrency, out=out, **params))

    def openai(self) -> openai.AsyncOpenAI:
        """Give a ready `openai.AsyncOpenAI` for all else; its own retries are off."""
        if self._client is None:
            import openai  # noqa: PLC0415 - takes half a second

            async def fresh() -> str:
                return await asyncio.to_thread(_infer.credential, self.address)  # who gives tokens may ask the network for one

            key = _infer.credential(self.address) if self.address.token is None else fresh
            self._client = openai.AsyncOpenAI(
                base_url=self.address.base_url,
                api_key=key,
                max_retries=0,
                timeout=_infer.TIMEOUT_S,
                default_headers=_infer.headers(self.address),
            )
        return self._client

    async def close(self) -> None:
        """Close connections; the host goes on."""
        self._plain.close()
        if self._client is not None:
            await self._client.close()
            self._client = None
