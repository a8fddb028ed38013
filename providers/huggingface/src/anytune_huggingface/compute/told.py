"""What a cloud job is told: its order in the record, and how to run it in the variables of its container. No secret is in either."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from anytune.errors import Rejected
from anytune.values import Value
from anytune_huggingface.compute.place import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Order

__all__ = ["QUIET", "TIME_UP", "CloudOrder", "Code", "Told", "told_in"]

TIME_UP = "Its time was up"
"""Why a part paused after which the next one follows, where `resumes` allows it."""

QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
    "GOMP_SPINCOUNT": "0",
}
"""Variables of every container; `tasks` says why."""

_RECORD, _RUNNER, _STARTED = "ANYTUNE_RECORD", "ANYTUNE_RUNNER", "ANYTUNE_STARTED"


class Code(Value):
    """The code that goes along.

    Attributes:
        repo: The dataset repository that holds it as `code/<sha256>.zip`.
        sha256: Of the archive.
        requirements: Lines for pip.
    """

    repo: str
    sha256: str
    requirements: tuple[str, ...]


class CloudOrder(Value):
    """One run, as `anytune/order.json` of its record holds it.

    Attributes:
        model: A Hub id, pinned to a commit.
        spec: The spec, as JSON.
        data: The sha256 of each file, by role.
        resolved: Every setting as the program takes it.
        program: What trains.
        code: Its code.
    """

    ref: str
    name: str
    attempt: int = 1
    ledger: str | None = None
    model: str
    spec: dict[str, Any]
    spec_hash: str
    data: dict[str, str]
    data_repo: str
    resolved: dict[str, Any] = Field(default_factory=dict)
    program: Program
    code: Code

    @property
    def sha256(self) -> str:
        """The hash of all of it."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    @classmethod
    def of(cls, order: Order, *, model: str, data_repo: str, resolved: dict[str, Any], program: Program, code: Code) -> CloudOrder:
        """Make it of core's order: nothing of this machine is in it."""
        spec = order.spec.model_dump(mode="json", exclude_none=True)
        spec |= {role: f"{file.sha256}.jsonl" for role, file in order.data.items()}
        return cls(
            ref=order.ref,
            name=order.name,
            attempt=order.attempt,
            ledger=order.ledger,
            model=model,
            spec=spec,
            spec_hash=order.spec_hash,
            data={role: file.sha256 for role, file in order.data.items()},
            data_repo=data_repo,
            resolved=resolved,
            program=program,
            code=code,
        )


class Told(Value):
    """How a runner shall run.

    Attributes:
        record: The job's record, `owner/name`.
        place: Where it runs.
        part: 1, 2, …: which of the containers that run it after each other it is.
        resumes: How many further parts it may order by itself when its time is up.
        timeout_s: Seconds after which the container is killed.
        grace_s: Seconds before that when it asks for a checkpoint and an end.
        look_s: Seconds between two looks at what is asked of it.
        pace_s: Seconds between two writes of state and logs.
        push_s: Seconds between two pushes of checkpoints, at least.
        keep: Checkpoints that stay in the record.
        first: Id of the first part; None: this is it.
        job: On Jobs: the id of this very part, as its container knows it.
        order_sha256: Of the order: whoever may write to the record cannot let a container run another one.
        flavor: The machine.
        image: The image.
        clean: On a Space: delete it once the job has succeeded.
        clean_data: On a Space: delete the data files with it.
        started_s: When the container started, in seconds since 1970.
    """

    record: str = Field(pattern=r"^[^/]+/[^/]+$")
    place: Literal["hf_jobs", "spaces"] = "hf_jobs"
    part: int = Field(default=1, ge=1)
    resumes: int = Field(default=0, ge=0)
    timeout_s: float = Field(gt=0)
    grace_s: float = Field(ge=0)
    look_s: float = Field(default=15.0, gt=0)
    pace_s: float = Field(default=120.0, gt=0)
    push_s: float = Field(default=120.0, ge=0)
    keep: int = Field(default=2, ge=1)
    first: str | None = None
    job: str | None = None
    order_sha256: str = ""
    flavor: str = ""
    image: str = ""
    clean: bool = True
    clean_data: bool = False
    started_s: float = 0.0

    def environment(self) -> dict[str, str]:
        """Give the variables that say so."""
        return {_RECORD: self.record, _RUNNER: self.model_dump_json(exclude={"record", "job", "started_s"}, exclude_defaults=True)}

    @classmethod
    def here(cls) -> Told:
        """Read the variables of this container.

        Raises:
            ValueError: They are not there, or are no settings.
        """
        record = os.environ.get(_RECORD)
        if not record:
            raise ValueError(f"{_RECORD} is not set: this is meant to be started by anytune in the cloud")
        here = {"record": record, "job": os.environ.get("JOB_ID"), "started_s": float(os.environ.get(_STARTED, time.time()))}
        return cls.model_validate(json.loads(os.environ.get(_RUNNER, "{}")) | here)

    def admitted(self, found: Mapping[str, Any]) -> CloudOrder:
        """Give the order that a record holds.

        Raises:
            Rejected: It is not the one that was sent.
        """
        order = CloudOrder.model_validate(found)
        if order.sha256 != self.order_sha256:
            raise Rejected(
                f"The order in {self.record} is not the one that was sent.",
                fix="Somebody changed it: look at its commits, then start anew.",
            )
        return order


def told_in(variables: Mapping[str, str] | None) -> str:
    """Give the `order_sha256` that stands in the variables of a container; empty where none does."""
    try:
        return str(json.loads((variables or {}).get(_RUNNER, "{}")).get("order_sha256", ""))
    except (ValueError, AttributeError):
        return ""
