"""Engines that answer: started when a model is first asked, shared, replaced before their time is over, and stopped when idle.

An engine's row in the ledger says which model it is for and which server started it, so that a server that was killed finds its engines
again. A host that somebody deployed by hand is used, and never stopped.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CapacityLimiter, to_thread

from anytune.deploy import READY_TIMEOUT_S
from anytune.errors import AnytuneError, DeploymentFailed, LedgerError
from anytune.pauses import host_pauses
from anytune.server.engines.engine import Engine, Held
from anytune.server.engines.hosts import Hosts
from anytune.server.engines.rooms import Rooms
from anytune.server.engines.wire import Wire
from anytune.server.errors import ApiError, api_error
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anytune.deploy import Deployment
    from anytune.runtime import Runtime
    from anytune.server.config import ServeConfig
    from anytune.server.engines.names import Lead, Names
    from anytune.server.house import Caller
    from anytune.server.metrics import Metrics
    from anytune.values import Address

__all__ = ["Pool"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_THREADS = 16
_STOP_S, _AGAIN_S, _WATCH_S = 60.0, 60.0, 15.0
_ROUNDS = 3
_COOL_S = 10.0
"""For so long a model whose engine failed is refused at once."""
_MATES = 8
"""Tuned models that share an engine from its start; more join when they are asked."""
_MOST_MATES = 32
_RETRY_AFTER = {"Retry-After": "10"}


class Pool:
    """The engines of one server.

    Args:
        config: What its owner decided.
        context: Ledger, retries, clock and backends.
        names: Where models' names lead to.
        metrics: Counters.
    """

    def __init__(self, config: ServeConfig, context: Runtime, names: Names, metrics: Metrics) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.context, self.names, self.metrics = config, context, names, metrics
        self.hosts = Hosts(config, context)
        self.rooms = Rooms(config, self.end, self._count)
        self._engines: dict[str, Engine] = {}
        self._starting: dict[str, asyncio.Task[Engine]] = {}
        self._failed: dict[str, tuple[float, ApiError]] = {}
        self._apart: set[str] = set()
        self._wanted: dict[str, dict[str, ModelRef]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._threads = CapacityLimiter(_THREADS)
        self._wire: Wire | None = None

    @property
    def wire(self) -> Wire:
        """What questions are sent over.

        Raises:
            ApiError: 503: the server is not up yet, or ends.
        """
        if self._wire is None:
            raise ApiError(503, "The server is not ready.", headers=_RETRY_AFTER)
        return self._wire

    async def start(self) -> None:
        """Adopt the engines that an earlier server left, and begin to stop idle ones."""
        self._wire = Wire()
        for left in await self._call(self.hosts.left):
            if left.ending or left.key in self._starting:
                self._spawn(self.end(Engine(left.key, deployment=left.deployment, own=True)))
            else:
                self._begin(left.key, self._adopted(left.key, left.deployment))
        self._spawn(self._watch())

    async def stop(self) -> None:
        """Leave. Engines on this machine go on until a server comes again or their time is over; those that bill by the hour are ended."""
        tasks = [*self._tasks, *self._starting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = await self._call(self.hosts.left)
        dear = [Engine(each.key, deployment=each.deployment, own=True) for each in left if each.dear]
        await asyncio.gather(*(self.end(engine) for engine in dear))
        if self._wire is not None:
            await self._wire.close()
            self._wire = None

    async def answer(self, caller: Caller, name: str) -> Held:
        """Find the engine for a model's name, or start one and wait. Let go of it with `release`.

        Raises:
            ApiError: 404: there is no such model; 503: its engine is not ready in time, or failed.
        """
        lead = self.names.known(caller, name)
        if lead is None:
            lead = await self._call(lambda: self.names.look(caller, name))
        engine = self._found(lead) or await self._made(lead)
        if engine.address is None:
            raise _away(lead)
        engine.asked = lead
        return Held(engine, engine.address, lead)

    async def doubt(self, engine: Engine) -> bool:
        """Look at an engine that did not answer, and tell whether asking again is worth it: it runs after all, or is out of the way now."""
        if engine.deployment is None:
            return False
        try:
            await self._call(lambda: engine.deployment and engine.deployment.arrival())
        except DeploymentFailed as error:
            _log.warning("Engine %s is gone: %s", engine.key, error.message.splitlines()[0])
            self._drop(engine)
            if engine.own:
                self._spawn(self.end(engine))
        except AnytuneError:
            return False
        return True

    async def forget(self, name: str, model_ids: set[str]) -> None:
        """End what answers for a model that is being deleted; its name is known no more."""
        self.names.forget(name)
        for engine in list(self._engines.values()):
            deployed = engine.deployment.model.id if engine.deployment else None
            if deployed in model_ids or name in engine.adapters:
                self._drop(engine)
                if engine.own:
                    await self.end(engine)

    async def end(self, engine: Engine) -> None:
        """Take an engine out of use, let the questions that it answers end, and take its host down."""
        self._drop(engine)
        with suppress(TimeoutError):
            await self.rooms.drained(engine)
        deployment = engine.deployment
        if deployment is None or not engine.own:
            return
        try:
            await self._call(lambda: deployment.stop(timeout_s=_STOP_S))
        except AnytuneError as error:
            _log.error("Engine %s may still run: %s", engine.key, error.message.splitlines()[0])
            self._spawn(self._ended_later(engine))
        finally:
            self.rooms.leave(engine)

    async def _ended_later(self, engine: Engine) -> None:
        """Ask again for an end that was refused, or not confirmed: until then the host may cost something."""
        await asyncio.sleep(_AGAIN_S)
        await self.end(engine)

    def _found(self, lead: Lead) -> Engine | None:
        for key in (lead.alone, lead.key):
            engine = self._engines.get(key)
            if engine is not None and engine.ready and engine.knows(lead):
                return engine
        return None

    async def _made(self, lead: Lead) -> Engine:
        """Wait for the engine of a model; whoever asks meanwhile waits for the same one."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.config.answer_wait_s
        for _ in range(_ROUNDS):
            key = self._key(lead)
            self._wanted.setdefault(key, {})[lead.name] = lead.model
            task = self._starting.get(key) or self._begin(key, self._started(lead, key))
            await asyncio.wait({task}, timeout=max(deadline - clock(), 0.0))
            if not task.done():
                break
            if not task.cancelled():
                self._judge(task, lead)
            found = self._found(lead)
            if found is not None:
                return found
        raise _away(lead)

    def _judge(self, task: asyncio.Task[Engine], lead: Lead) -> None:
        """Raise what starting an engine raised; where a shared one fails, each model gets an engine of its own."""
        error = task.exception()
        if error is None:
            return
        if lead.base is not None and lead.name not in self._apart:
            self._apart.add(lead.name)
            self._failed.pop(lead.key, None)
            return
        raise error if isinstance(error, ApiError) else _away(lead)

    async def _started(self, lead: Lead, key: str) -> Engine:
        until, failure = self._failed.get(key, (0.0, None))
        if failure is not None and asyncio.get_running_loop().time() < until:
            raise failure
        try:
            standing = await self._call(lambda: self.hosts.standing(lead))
        except AnytuneError as error:
            raise self._noted(key, error) from None
        if standing is not None:
            return self._take(Engine(lead.alone, deployment=standing[1]), standing[0])
        former = self._engines.get(key)
        adapters = await self._call(lambda: self._mates(lead, key, former))
        engine = Engine(key, adapters=adapters, own=True)
        await self.rooms.enter(engine, former)
        try:
            engine.deployment = await self._call(lambda: self.hosts.start(lead, key, adapters))
            self._count()
            return self._take(engine, await self._arrived(engine.deployment))
        except BaseException as error:
            await self._given_up(engine, error)
            if isinstance(error, AnytuneError):
                raise self._noted(key, error) from None
            raise

    async def _given_up(self, engine: Engine, error: BaseException) -> None:
        """Clear away an engine that did not come; one that is only left behind, as at the server's end, is found again by its row."""
        if engine.deployment is None or isinstance(error, asyncio.CancelledError):
            self.rooms.leave(engine)
        else:
            await self.end(engine)

    async def _adopted(self, key: str, deployment: Deployment) -> Engine:
        adapters = {word: ModelRef.model_validate(ref) for word, ref in deployment.row.adapters.items()}
        engine = Engine(key, adapters=adapters, deployment=deployment, own=True)
        self.rooms.take(engine)
        try:
            return self._take(engine, await self._arrived(deployment))
        except BaseException as error:
            await self._given_up(engine, error)
            raise

    async def _arrived(self, deployment: Deployment) -> Address:
        clock = asyncio.get_running_loop().time
        deadline = clock() + READY_TIMEOUT_S

        def look() -> Address | None:
            return deployment.arrival(waited_s=READY_TIMEOUT_S if clock() >= deadline else None)

        pause = host_pauses(self.hosts.backend(deployment.row.profile or deployment.row.backend))
        while (address := await self._call(look)) is None:  # noqa: ASYNC110 - hosts are asked, they tell nothing
            await asyncio.sleep(pause())
        return address

    def _take(self, engine: Engine, address: Address) -> Engine:
        """Let an engine answer from now on; the one before it ends when its last answer does."""
        former = self._engines.get(engine.key)
        engine.address, engine.released = address, self.rooms.changed
        self._engines[engine.key] = engine
        self._failed.pop(engine.key, None)
        self.rooms.changed()
        if former is not None and former is not engine:
            self._spawn(self.end(former))
        self._count()
        return engine

    def _drop(self, engine: Engine) -> None:
        engine.closing = True
        if self._engines.get(engine.key) is engine:
            del self._engines[engine.key]
        self._count()

    def _key(self, lead: Lead) -> str:
        return lead.alone if lead.name in self._apart else lead.key

    def _mates(self, lead: Lead, key: str, former: Engine | None) -> dict[str, ModelRef]:
        """Choose the tuned models that share an engine: who is asked, who shared it before, and the newest of the same base."""
        wanted = self._wanted.pop(key, {})
        if lead.base is None or lead.name in self._apart:
            return {}
        chosen = wanted | {lead.name: lead.model}
        for name, model in (former.adapters if former else {}).items():
            if len(chosen) < _MOST_MATES:
                chosen.setdefault(name, model)
        for mate in self.names.sharing(key):
            if len(chosen) >= _MATES:
                break
            chosen.setdefault(mate.name, mate.model)
        return {name: model for name, model in chosen.items() if model.id != lead.base.id and name not in self._apart}

    async def _watch(self) -> None:
        """Stop idle engines, and replace used ones before their time is over."""
        pause = max(min(self.config.idle_s / 4, self.config.engine_ttl_s / 10, _WATCH_S), 0.05)
        while True:
            await asyncio.sleep(pause)
            for engine in list(self._engines.values()):
                if engine.idle_s() >= self.config.idle_s:
                    self._drop(engine)
                    self._spawn(self.end(engine))
                elif engine.expires_soon and engine.key not in self._starting:
                    self._renew(engine)

    def _renew(self, engine: Engine) -> None:
        if engine.own and engine.asked is not None:
            self._begin(engine.key, self._started(engine.asked, engine.key))
        else:
            self._drop(engine)
            self._spawn(self.end(engine))

    def _begin(self, key: str, work: Coroutine[Any, Any, Engine]) -> asyncio.Task[Engine]:
        task = asyncio.create_task(work)
        self._starting[key] = task

        def done(task: asyncio.Task[Engine]) -> None:
            del self._starting[key]
            if not task.cancelled() and task.exception() is not None:
                _log.warning("Engine %s did not start: %s", key, type(task.exception()).__name__)
            self._count()

        task.add_done_callback(done)
        return task

    def _noted(self, key: str, error: AnytuneError) -> ApiError:
        """Keep why an engine did not come, without where the ledger lies, and without the last lines of a log that may follow."""
        answer = api_error(error)
        said = answer.message if isinstance(error, LedgerError) else error.message.splitlines()[0]
        status = answer.status if answer.status < 500 else 503  # noqa: PLR2004 - HTTP
        refusal = ApiError(status, f"The model's engine did not start: {said}", code="engine_failed", param="model", headers=_RETRY_AFTER)
        self._failed[key] = (asyncio.get_running_loop().time() + _COOL_S, refusal)
        return refusal

    def _count(self) -> None:
        ready = sum(engine.ready for engine in self.rooms.taken)
        self.metrics.engines(ready=ready, starting=len(self.rooms.taken) - ready)

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("Engines are not looked after as they should be.", exc_info=error)

        task.add_done_callback(done)

    async def _call(self, work: Callable[[], _T]) -> _T:
        return await to_thread.run_sync(work, limiter=self._threads)


def _away(lead: Lead) -> ApiError:
    text = f"The engine of `{lead.name}` is being started and does not answer yet. Ask again in a while."
    return ApiError(503, text, code="engine_starting", param="model", headers=_RETRY_AFTER)
