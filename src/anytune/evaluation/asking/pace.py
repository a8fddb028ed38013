"""How fast one model is asked: as fast as its spec and its host allow, and by all workers alike.

Three things hold a question back, and it goes out when none does: the places in flight, the requests a minute, the tokens a minute. Limits
are known from the spec, or from what hosts say with each answer (`x-ratelimit-remaining-requests` and its kin). A refusal (429) makes all
workers of the model wait together for as long as the host asks, and halves the places; each round of answers gives one back.

A refused question was not asked: it waits for its place anew, and is no failed try of `anytune.retry`.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytune.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anytune.evaluation.spec import Limits

__all__ = ["Bucket", "Pacer", "Stopped", "Ticket", "seconds"]

_BEHIND_S = 1.0
"""What was not used of a stated rate is made up for, up to so many seconds of it: a worker that woke late loses nothing."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
"""The pauses after a refusal that does not say how long: each in a row twice the last."""
_LEAST = 0.05
"""Of these, what is waited at least where a host says less: some ask for no wait at all, and refuse again."""

_PATIENCE_S = 600.0
"""A host that asks for more patience than that, or refuses for so long without an answer between, ends the run."""

_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS_S = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)


class Stopped(BaseException):
    """The run is being stopped, and a worker leaves its place. As with asyncio's cancellation, no handler of errors may take it for one."""


@dataclass
class Ticket:
    """The right to ask once.

    Attributes:
        number: Counts the questions that were sent to this model.
        tokens: What was taken from the tokens a minute.
        sent_at: Monotonic seconds.
    """

    number: int
    tokens: float
    sent_at: float


class Bucket:
    """A limit of requests or of tokens: what may be sent now, and when more may.

    Args:
        per_minute: The stated limit; None where only the host says one.
        now: Monotonic seconds.

    Example:
        >>> bucket = Bucket(60, now=0.0)
        >>> bucket.take(1, now=0.0)
        >>> bucket.wait_s(1, now=0.25)
        0.75
    """

    def __init__(self, per_minute: float | None, *, now: float) -> None:
        """Begin with the first one allowed."""
        self._spacing_s = None if per_minute is None else 60.0 / per_minute
        self._due = now
        self._left: float | None = None
        self._each_s = 0.0
        self._full_at = 0.0
        self._told_at = now
        self._heard = 0

    def wait_s(self, cost: float, *, now: float) -> float:
        """Give the seconds until so much may be sent."""
        stated = max(self._due - now, 0.0) if self._spacing_s is not None else 0.0
        if self._left is None or now >= self._full_at:
            return stated
        missing = cost - self._left
        return max(stated, min(self._told_at + missing * self._each_s, self._full_at) - now)

    def take(self, cost: float, *, now: float) -> None:
        """Count what is sent now."""
        if self._spacing_s is not None:
            self._due = max(self._due, now - _BEHIND_S) + cost * self._spacing_s
        if self._left is not None:
            self._left -= cost

    def give(self, cost: float) -> None:
        """Correct what was taken, once it is known better."""
        if self._spacing_s is not None:
            self._due -= cost * self._spacing_s

    def told(self, *, left: float, limit: float | None, full_s: float, since: float, number: int, now: float) -> None:
        """Hear what the host says is left.

        Args:
            left: What it had left when it answered question `number`.
            limit: What it has when nothing is used; None where it does not say.
            full_s: Seconds until then.
            since: What was sent since that question.
            number: An older question's news are no news.
            now: Monotonic seconds.
        """
        if number < self._heard:
            return
        self._heard = number
        used = limit - left if limit is not None and limit > left else 1.0
        self._left, self._each_s = left - since, full_s / used
        # What takes longer than a pause is tried all the same: the host refuses then, and says for how long.
        self._told_at, self._full_at = now, now + min(full_s, _LONGEST_PAUSE_S)


class Pacer:
    """Lets workers ask one model. Threads share it.

    Args:
        limits: What the spec states.
        stop: Set when the run ends.
        clock: Gives monotonic seconds.
    """

    def __init__(self, limits: Limits, *, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with all places free."""
        self._clock, self._stop = clock, stop
        self._turn = threading.Condition()
        self._most = limits.concurrency
        self._places = float(limits.concurrency)
        self._flying: dict[int, float] = {}
        self._sent = 0
        self._sent_tokens = 0.0
        self._tokens_before: dict[int, float] = {}
        now = clock()
        self._requests, self._tokens = Bucket(limits.requests_per_minute, now=now), Bucket(limits.tokens_per_minute, now=now)
        self._until, self._refused_since, self._refusals, self._narrowed = 0.0, 0.0, 0, 0

    def enter(self, tokens: float) -> Ticket:
        """Wait for the right to ask.

        Args:
            tokens: What the question may take, as the tokens a minute count it.

        Raises:
            Stopped: The run ends.
        """
        with self._turn:
            while True:
                if self._stop.is_set():
                    raise Stopped
                now = self._clock()
                wait_s = self._wait_s(tokens, now)
                if wait_s is not None and wait_s <= 0:
                    return self._sent_now(tokens, now)
                self._turn.wait(wait_s if wait_s is not None else 1.0)

    def leave(self, ticket: Ticket, *, used_tokens: float | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Give the place back, and hear what the host said.

        Args:
            ticket: From `enter`.
            used_tokens: What the question took; None where that is not known.
            headers: Of the reply, where one came.
        """
        with self._turn:
            if used_tokens is not None:
                self._tokens.give(ticket.tokens - used_tokens)
                self._refusals = 0
                self._places = min(self._most, self._places + 1.0 / self._places)
            self._hear(ticket, headers or {})
            self._flying.pop(ticket.number, None)
            self._tokens_before.pop(ticket.number, None)
            self._turn.notify_all()

    def refused(self, ticket: Ticket, error: RateLimited, headers: Mapping[str, str]) -> None:
        """Let all wait, after a 429.

        Raises:
            RateLimited: The host has no more patience than we have.
        """
        self.leave(ticket, headers=headers)
        with self._turn:
            now = self._clock()
            self._refused_since = now if self._refusals == 0 else self._refused_since
            if ticket.number > self._narrowed:  # the others of the same volley are refused for the same reason
                self._refusals += 1
                self._places = max(1.0, self._places / 2)
                self._narrowed = self._sent
            own_s = min(_FIRST_PAUSE_S * 2.0 ** (self._refusals - 1), _LONGEST_PAUSE_S)
            asked_s = error.retry_after if error.retry_after is not None else seconds(headers.get("x-ratelimit-reset-requests", ""))
            pause_s = own_s if asked_s is None else max(asked_s, own_s * _LEAST)
            if pause_s > _PATIENCE_S or now - self._refused_since > _PATIENCE_S:
                raise RateLimited(
                    f"{error.message} (it asks for {pause_s:.0f} s of patience)",
                    retry_after=error.retry_after,
                    fix="What was answered is kept: run the same again later.",
                )
            self._until = max(self._until, now + pause_s)

    def wake(self) -> None:
        """Let those who wait see that the run ends."""
        with self._turn:
            self._turn.notify_all()

    def _wait_s(self, tokens: float, now: float) -> float | None:
        """Give the seconds to wait; None for until somebody leaves."""
        if len(self._flying) >= int(self._places):
            return None
        paused_s = max(self._until - now, 0.0)
        return max(paused_s, self._requests.wait_s(1, now=now), self._tokens.wait_s(tokens, now=now))

    def _sent_now(self, tokens: float, now: float) -> Ticket:
        self._sent += 1
        self._sent_tokens += tokens
        self._requests.take(1, now=now)
        self._tokens.take(tokens, now=now)
        self._flying[self._sent] = now
        self._tokens_before[self._sent] = self._sent_tokens
        return Ticket(self._sent, tokens, now)

    def _hear(self, ticket: Ticket, headers: Mapping[str, str]) -> None:
        sent_since = {
            "requests": float(self._sent - ticket.number),
            "tokens": self._sent_tokens - self._tokens_before.get(ticket.number, self._sent_tokens),
        }
        for kind, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            left, limit = (_number(headers.get(f"x-ratelimit-{word}-{kind}", "")) for word in ("remaining", "limit"))
            full_s = seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))
            if left is not None and full_s is not None:
                bucket.told(left=left, limit=limit, full_s=full_s, since=sent_since[kind], number=ticket.number, now=self._clock())


def seconds(text: str) -> float | None:
    """Read how long a host says that something takes; None where it cannot be read.

    Example:
        >>> seconds("6m0s"), seconds("120ms"), seconds("1.5"), seconds("soon")
        (360.0, 0.12, 1.5, None)
    """
    if (plain := _number(text)) is not None:
        return plain
    found = _TIME.fullmatch(text.strip())
    if not text.strip() or found is None:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS_S, strict=True) if part)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
