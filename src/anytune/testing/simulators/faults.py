"""What can go wrong between a client and a simulated provider: faults of single requests, and conditions that last."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from anytune.values import Value

__all__ = ["WireFault", "WireFaults"]

Kind = Literal["drop", "drop_reply", "late_commit", "refuse", "error", "html", "truncated", "slow"]


class WireFault(Value):
    """Something that goes wrong with some requests.

    Attributes:
        kind: `drop`: the connection closes before anything happens. `drop_reply`: it takes effect, then the connection closes.
            `late_commit`: the connection closes, and it takes effect `delay_s` later. `refuse`: the named error of
            `anytune.testing.simulators.errors` (`name`). `error`: a bare `status`, without effect. `html`: a page of HTML on 200, after
            the effect. `truncated`: the reply is cut after `cut_at` bytes (half of it by default), after the effect. `slow`: the reply
            takes `delay_s`.
        on: Method and path template, as in `POST /fine_tuning/jobs` or `GET /files/{id}`; `*` is every request.
        name: Which error, for `refuse`.
        times: Requests that it concerns.
        skip: Requests of this kind that pass before.
        status: HTTP status, for `error`.
        headers: More headers of the reply (`retry-after`, `retry-after-ms`, `x-should-retry`).
        cut_at: Bytes of the whole reply that still arrive, for `truncated`.
        delay_s: Seconds, for `late_commit` and `slow`.
    """

    kind: Kind
    on: str = "POST /fine_tuning/jobs"
    name: str = ""
    times: int = Field(default=1, gt=0)
    skip: int = Field(default=0, ge=0)
    status: int = 500
    headers: dict[str, str] = Field(default_factory=dict)
    cut_at: int | None = Field(default=None, ge=0)
    delay_s: float = Field(default=0.0, ge=0)

    def hits(self, route: str, nth: int) -> bool:
        """Tell whether the `nth` request (from 0) of a route is concerned."""
        return self.on in {route, "*"} and self.skip <= nth < self.skip + self.times


class WireFaults(Value):
    """Everything that goes wrong.

    Attributes:
        calls: Faults of single requests; the first that hits is taken.
        list_lag_s: Seconds (of the simulator's clock) before a listing shows a new job or file.
        job_lag_s: Seconds before a new job can be asked for by its id; until then it is not found.
        ignored_filter: The metadata filter of a listing is ignored: every job is given.
        short_pages: Pages end early and say that there is no more.
        empty_pages: Pages are empty and say that there is more.
        no_has_more: Listings of jobs do not say whether there is more.
        reordered_pages: Listings come in another order at each request.
        unknown_status: A word that jobs show instead of `running`.
        stuck_files: Files never become ready.
        file_error: Files end in status `error`, for this reason.
        model_lag_s: Seconds before a new tuned model is listed and answers.
        arm_failure: Deployments end as `Failed` with this error code.
        deployment_lag_s: Seconds between `Succeeded` and the first answer of a deployment (404 `DeploymentNotFound` until then).
        vanish_after_s: Seconds after which deployments are gone by themselves.
        clock_skew_s: Seconds by which the provider's timestamps are ahead.
    """

    calls: tuple[WireFault, ...] = ()
    list_lag_s: float = Field(default=0.0, ge=0)
    job_lag_s: float = Field(default=0.0, ge=0)
    ignored_filter: bool = False
    short_pages: bool = False
    empty_pages: bool = False
    no_has_more: bool = False
    reordered_pages: bool = False
    unknown_status: str | None = None
    stuck_files: bool = False
    file_error: str = ""
    model_lag_s: float = Field(default=0.0, ge=0)
    arm_failure: str = ""
    deployment_lag_s: float = Field(default=0.0, ge=0)
    vanish_after_s: float | None = Field(default=None, ge=0)
    clock_skew_s: float = 0.0

    def of(self, route: str, nth: int) -> WireFault | None:
        """Give the fault of the `nth` request (from 0) of a route, if there is one."""
        return next((fault for fault in self.calls if fault.hits(route, nth)), None)

    def with_calls(self, *faults: WireFault, **changes: Any) -> WireFaults:
        """Give the same with more faults of single requests, and other conditions."""
        return self.model_copy(update={"calls": (*self.calls, *faults), **changes})
