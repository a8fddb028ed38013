"""What can go wrong at the memory backend: faults of single calls, and conditions that last."""

from __future__ import annotations

from typing import Literal, NoReturn

from pydantic import Field

from anytune.errors import AuthError, FineTuningUnavailable, QuotaExceeded, RateLimited, Rejected, Unreachable
from anytune.values import Value

__all__ = ["Fault", "Faults", "raise_refusal"]

Kind = Literal[
    "drop_reply",
    "late_commit",
    "server_error",
    "rate_limit",
    "auth",
    "quota",
    "reject",
    "unavailable",
    "vendor_error",
    "slow",
    "exit_before",
    "exit_after",
]


class Fault(Value):
    """Something that goes wrong with some calls of one verb.

    Calls are counted by the store, so that a fault which has happened does not come again in the next process.

    Attributes:
        kind: `drop_reply`: takes effect, then the connection breaks. `late_commit` (submit): the connection breaks, and it takes effect
            `delay_s` later. `server_error`: a 5xx, nothing happened. `rate_limit`, `auth` (echoes the key), `quota`, `reject`,
            `unavailable`: refused. `vendor_error`: an exception that is not ours. `slow`: the reply takes `delay_s`. `exit_before`,
            `exit_after`: the process is gone before or after the effect.
        on: The verb: a method's name, or `*`.
        times: Calls that it concerns.
        skip: Calls that pass before.
        retry_after: Seconds that a `rate_limit` asks for.
        delay_s: Seconds, for `late_commit` and `slow`.
    """

    kind: Kind
    on: str = "submit"
    times: int = Field(default=1, gt=0)
    skip: int = Field(default=0, ge=0)
    retry_after: float | None = None
    delay_s: float = 0.0

    def hits(self, verb: str, nth: int) -> bool:
        """Tell whether the `nth` call (from 0) of `verb` is concerned."""
        return self.on in {verb, "*"} and self.skip <= nth < self.skip + self.times


class Faults(Value):
    """Everything that goes wrong.

    Attributes:
        calls: Faults of single calls; the first that hits is taken.
        list_lag_s: Seconds (of the backend's clock) before a listing shows a new job.
        ignored_filter: The server ignores the filter of a listing and gives every job.
        incomplete_listings: How many listings, from the first one on, are cut short: empty and not complete.
        ready_polls: Polls of a deployment before it is ready.
        vanish_after_polls: Polls of a deployment after which it does not exist any more.
        deploy_error: Deployments fail, for this reason.
        file_polls: Looks at an uploaded file before it is ready.
        file_refused: Uploaded files are refused when they have been looked at, for this reason.
        address_polls: How many looks for a served model, from the first one on, find nothing.
    """

    calls: tuple[Fault, ...] = ()
    list_lag_s: float = Field(default=0.0, ge=0)
    ignored_filter: bool = False
    incomplete_listings: int = Field(default=0, ge=0)
    ready_polls: int = Field(default=0, ge=0)
    vanish_after_polls: int | None = Field(default=None, ge=0)
    deploy_error: str = ""
    file_polls: int = Field(default=0, ge=0)
    file_refused: str = ""
    address_polls: int = Field(default=0, ge=0)

    def of(self, verb: str, nth: int) -> Fault | None:
        """Give the fault of the `nth` call (from 0) of `verb`, if there is one."""
        return next((fault for fault in self.calls if fault.hits(verb, nth)), None)


def raise_refusal(fault: Fault, *, backend: str, verb: str, key: str) -> NoReturn:
    """Raise what a refused or broken call looks like to the caller; what a provider's text may echo (`key`) is echoed."""
    match fault.kind:
        case "rate_limit":
            raise RateLimited(f"Too many requests ({verb}).", retry_after=fault.retry_after, fix="Wait, then try again.", backend=backend)
        case "auth":
            raise AuthError(f"Incorrect API key provided: {key}.", fix="Check the key.", backend=backend, raw={"error": f"key {key}"})
        case "quota":
            raise QuotaExceeded("You exceeded your current quota.", fix="Add credit.", backend=backend)
        case "reject":
            raise Rejected(f"The provider refused {verb}.", fix="Change the request.", backend=backend)
        case "unavailable":
            raise FineTuningUnavailable("No new jobs can be created.", fix="Choose another backend.", backend=backend)
        case "server_error":
            raise Unreachable(f"503 from {verb}.", fix="Try again later.", backend=backend)
        case "vendor_error":
            raise ConnectionResetError(f"{verb}: connection reset by peer")
        case _:
            raise Unreachable(f"The connection broke during {verb}.", fix="Whether it took effect is not known.", backend=backend)
