"""Asking a plan: some workers for each model, one book of answers, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import AnytuneError, ConfigError, Transient
from anytune.evaluation.arms import Asking
from anytune.evaluation.asking.answers import Answers
from anytune.evaluation.asking.pace import Pacer, Stopped
from anytune.evaluation.asking.purse import Budget, Purse
from anytune.evaluation.asking.question import FATAL, asked
from anytune.evaluation.asking.store import Key, Line
from anytune.evaluation.spec import Limits
from anytune.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from anytune.evaluation.arms import Ask
    from anytune.evaluation.asking.plan import Plan, Step
    from anytune.evaluation.asking.question import Came
    from anytune.evaluation.asking.store import Store
    from anytune.infer import Endpoint

__all__ = ["Progress", "ask_all"]

_LOOK_S = 0.1
_GRACE_S = 10.0
"""How long answers that are on their way may take when a run ends early: they are paid for."""

_HOPELESS = 20
"""So many failed questions in a row that none was answered between, and the model counts as down, or as asked in a wrong way."""

_LONGEST_ERROR = 500

_DEADLINE_S = 3_600.0
"""Of one question with its tries: waiting for a place counts in it, and must not keep an error from being tried again."""


def _patient() -> Retry:
    return Retry(deadline_s=_DEADLINE_S)


class Progress(NamedTuple):
    """How far a run has come.

    Attributes:
        done: Questions that have an answer, good or failed; of `total`.
        failed: Of these, how many failed in this run.
        spent_usd: What all answers of the store cost, as far as prices are known.
    """

    done: int
    total: int
    failed: int
    spent_usd: float


def ask_all(
    plan: Plan,
    endpoints: Mapping[str, Endpoint],
    store: Store,
    limits: Mapping[str, Limits] | None = None,
    budget: Budget | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    *,
    retries: Callable[[], Retry] = _patient,
) -> Answers:
    """Ask everything of a plan that the store does not have yet; what failed in an earlier run is asked again.

    An error of one question stays with it (`Answer.error`). What every question would meet ends the run: a wrong key, no such model, no
    credit, a host that is down. So does a budget that is used up, and Ctrl-C; whatever was answered is kept, and the same call goes on.

    Args:
        plan: What is asked.
        endpoints: Who is asked, by the key that arms have as `model`.
        store: An open store.
        limits: How fast, by the same keys; by default 8 at once.
        budget: What may be spent.
        on_progress: Called about ten times a second by the thread that called.
        retries: Makes the retry layer of each model.

    Raises:
        ConfigError: There is no endpoint for a model, or the store cannot be written to.
        BudgetExceeded: The budget does not reach any further.
        BackendError: No question of a model can be answered.
    """
    missing = [key for key in plan.models if key not in endpoints]
    if missing:
        raise ConfigError(f"There is no endpoint for {', '.join(missing)}.", fix="Give one for each model of the plan.")
    crew = _Crew(plan, endpoints, store, limits or {}, budget or Budget(), retries)
    with crew.working():
        while crew.busy(_LOOK_S):
            if on_progress is not None:
                on_progress(crew.progress())
    if on_progress is not None:
        on_progress(crew.progress())
    return Answers(plan, store)


class _Crew:
    """The workers of one run."""

    def __init__(
        self,
        plan: Plan,
        endpoints: Mapping[str, Endpoint],
        store: Store,
        limits: Mapping[str, Limits],
        budget: Budget,
        retries: Callable[[], Retry],
    ) -> None:
        self._plan, self._store, self._endpoints = plan, store, endpoints
        self._stop = threading.Event()
        self._guard = threading.Lock()
        held = {key: limits.get(key) or Limits() for key in plan.models}
        self._purse = Purse(budget, store, {key: limit.concurrency for key, limit in held.items()}, stop=self._stop)
        self._pacers = {key: Pacer(limit, stop=self._stop) for key, limit in held.items()}
        self._claimed: set[Key] = set()
        self._done = self._failed = 0
        self._ended = False
        self._idle, self._at_work = threading.Event(), 0
        self._troubles = dict.fromkeys(plan.models, 0)
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(key, queue, retry), name=f"anytune-ask-{key}-{number}", daemon=True)
            for key, limit in held.items()
            for queue, retry in [(_Queue(plan.shuffled(key)), retries())]
            for number in range(limit.concurrency)
        ]

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let all work; at the end, whatever it is, nobody starts anything new and what is on its way may arrive."""
        for endpoint in self._endpoints.values():
            endpoint.openai()  # made once, before threads could make two
        try:
            self._start()
            yield
            if self._error is not None:
                raise self._error
        except KeyboardInterrupt:
            self._end()
            raise KeyboardInterrupt(
                f"Stopped: {len(self._store):,} answers are kept in {self._store.folder}; run the same again to go on."
            ) from None
        finally:
            self._end()

    def busy(self, patience_s: float) -> bool:
        """Wait a moment; tell whether there is still somebody at work, and nothing has gone wrong."""
        # `Thread.join` would not do: where Ctrl-C comes into it, CPython 3.11 takes the thread for ended (bpo-45274, seen here 2026-11-23).
        return not self._idle.wait(patience_s) and self._error is None

    def progress(self) -> Progress:
        """Say how far it is."""
        copied = len(self._plan) - sum(arm.model is not None for arm in self._plan.arms) * len(self._plan.cases) * self._plan.repeats
        return Progress(self._done + copied, len(self._plan), self._failed, self._purse.spent_usd)

    def _end(self) -> None:
        """Start nothing more, and wait for what is on its way, once: a second Ctrl-C does not wait again."""
        self._stop.set()
        if self._ended:
            return
        self._ended = True
        for pacer in self._pacers.values():
            pacer.wake()
        self._idle.wait(_GRACE_S)

    def _start(self) -> None:
        self._count(1)
        try:
            for thread in self._threads:
                self._count(1)
                thread.start()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        """Count who is at work."""
        with self._guard:
            self._at_work += change
            if not self._at_work:
                self._idle.set()

    def _work(self, model: str, queue: _Queue, retry: Retry) -> None:
        try:
            while not self._stop.is_set() and (step := queue.next()) is not None:
                self._step(model, step, retry)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - the thread that called raises it
            with self._guard:
                self._error = self._error or error
            self._stop.set()
        finally:
            self._count(-1)

    def _step(self, model: str, step: Step, retry: Retry) -> None:
        """Ask one question, unless it is answered, or being asked, already."""
        arm = step.arm
        if not isinstance(arm, Asking):
            return
        ask = arm.ask(step.case)
        key = Key(self._plan.digest(arm, ask), step.repeat)
        with self._guard:
            if key in self._store or key in self._claimed:
                self._done += 1
                return
            self._claimed.add(key)
        most_usd = self._purse.most(model, ask)
        self._purse.reserve(most_usd)
        line = None
        try:
            line = self._asked(model, step, key, ask, retry)
            self._store.append(line.model_copy(update={"reserved_usd": most_usd or None}))
        finally:
            self._purse.settle(most_usd, model, line)
        with self._guard:
            self._done += 1
            self._claimed.discard(key)

    def _asked(self, model: str, step: Step, key: Key, ask: Ask, retry: Retry) -> Line:
        """Ask, and give the answer or the error as a line."""
        about: dict[str, Any] = {
            "case": step.case.id,
            "arm": step.arm.name,
            "repeat": step.repeat,
            "request": key.request.hex(),
            "model": model,
        }
        try:
            came: Came = asked(self._endpoints[model], ask, self._pacers[model], retry)
        except FATAL as error:
            raise type(error)(f"Model {model!r}: {error.message}", fix=f"{error.fix} {self._kept()}", backend=error.backend) from error
        except AnytuneError as error:
            self._count_trouble(model, error)
            return Line(**about, error=_writable(f"{type(error).__name__}: {error.message}"[:_LONGEST_ERROR]))
        with self._guard:
            self._troubles[model] = 0
        reply = came.reply
        text, calls = _writable([str(reply), reply.tool_calls])
        return Line(
            **about,
            text=text,
            tool_calls=tuple(calls),
            finish_reason=reply.finish_reason,
            usage=reply.usage,
            latency_s=came.latency_s,
            asked_at=came.asked_at,
        )

    def _count_trouble(self, model: str, error: AnytuneError) -> None:
        """End the run where nothing is answered any more: errors of a host that is down are not wrong answers."""
        with self._guard:
            self._failed += 1
            self._troubles[model] += 1
            hopeless = self._troubles[model] >= _HOPELESS
        if hopeless:
            fix = "Look whether it is up." if isinstance(error, Transient) else "Correct what the message names."
            text = f"Model {model!r} failed {_HOPELESS} questions one after the other; the last: {error.message}"
            raise type(error)(text[:_LONGEST_ERROR], fix=f"{fix} {self._kept()}", backend=error.backend)

    def _kept(self) -> str:
        return f"{len(self._store):,} answers are kept: run the same again to go on."


def _writable(value: Any) -> Any:
    """Replace halves of surrogate pairs, which models cut apart and no file takes."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


class _Queue:
    """Steps that workers share, made when their turn comes."""

    def __init__(self, steps: Iterator[Step]) -> None:
        self._steps, self._guard = steps, threading.Lock()

    def next(self) -> Step | None:
        """Give the next step; None at the end."""
        with self._guard:
            return next(self._steps, None)
