"""What every part of a simulated provider stands on: state, keys, errors, and the methods that a provider overrides where it differs."""

from __future__ import annotations

import hmac
import random
import string
import time
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import TypeAdapter
from werkzeug.exceptions import HTTPException

from anytune.testing.life import Life
from anytune.testing.simulators import course
from anytune.testing.simulators.dialect import AS_OBSERVED, SPEC, Dialect, Profile
from anytune.testing.simulators.errors import ERRORS, ApiError, Refusal, error_of
from anytune.testing.simulators.service import Reply, Service, json_of
from anytune.testing.simulators.state import World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.faults import WireFaults
    from anytune.testing.simulators.state import FileRecord, JobRecord

__all__ = ["Home"]

_Lives = Life | list[Life]


class Home(Service):
    """A provider without a verb.

    Args:
        profile: `spec`: replies as the published description has them; `as_observed`: as live ones were seen.
        faults: What goes wrong; may be changed while it runs.
        life: What happens to a job; several: one for each job in the order of creation, the last one for all that follow.
        api_key: The key it takes.
        clock: Gives seconds since 1970; for lives with `tick_s`, lags and everything that expires.
        port: 0 takes a free one.
        organization: Its id.
        answer: Makes the text of an answer from a model's name and the messages, where no training row has it.

    Attributes:
        closed_to_org: Creates of jobs are refused with 403, as to organisations that may not tune any more.
        keys: The keys it takes, each with its project: a key sees what its own project made.
        world: All that it holds.
    """

    dialects: ClassVar[Mapping[str, Dialect]] = {"spec": SPEC, "as_observed": AS_OBSERVED}

    def __init__(
        self,
        *,
        profile: Profile = "spec",
        faults: WireFaults | Mapping[str, Any] | None = None,
        life: Life | Sequence[Life] | Mapping[str, Any] | None = None,
        api_key: str = "sk-simulated-key",
        clock: Callable[[], float] = time.time,
        port: int = 0,
        organization: str = "org-simulated",
        answer: Callable[[str, list[dict[str, Any]]], str] | None = None,
    ) -> None:
        """Bind a port of loopback and start to answer."""
        if profile not in self.dialects:
            raise ValueError(f"There is no profile {profile!r}; there is: {', '.join(self.dialects)}.")
        self.dialect = self.dialects[profile]
        given = TypeAdapter(_Lives).validate_python(life if life is not None else Life(words=self.dialect.words))
        self.lives: list[Life] = given if isinstance(given, list) else [given]
        self.organization = organization
        self.owner = organization
        self.answer = answer
        self.closed_to_org = False
        self.keys = {api_key: "default"}
        self.api_key = api_key
        self.world = World()
        # The same ids in every run, but for a port that is used again: a ledger would take the new jobs there for the old ones.
        self._random = random.Random(None if port else f"{type(self).__name__} {port}")  # noqa: S311 - ids of a simulation
        super().__init__(faults=faults, clock=clock, port=port)

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`, up to and including `/v1`."""
        return f"{self.url}{self.prefix}"

    @property
    def jobs(self) -> list[JobRecord]:
        """All jobs, oldest first."""
        return list(self.world.jobs.values())

    @property
    def files(self) -> list[FileRecord]:
        """All files that were not deleted, oldest first; those of results too."""
        return [file for file in self.world.files.values() if not file.deleted]

    def fail(self, job_id: str, name: str) -> None:
        """End a job as failed, for a reason of `anytune.testing.simulators.errors.JOB_ERRORS` or in words of your own."""
        with self.lock:
            course.fail(self, self.world.jobs[job_id], name)

    def refuse(self, name: str, **values: Any) -> Refusal:
        """Make the named error, to be raised."""
        return Refusal(error_of(name, organization=self.organization, **values))

    def handled(self, endpoint: str, request: Request, values: Mapping[str, Any]) -> Reply:
        """Let one request take effect, alone; a refusal is its answer."""
        with self.lock:
            try:
                self.check_key(request)
                reply: Reply = getattr(self, endpoint)(request, **values)
            except Refusal as refusal:
                return self.error_reply(refusal.error)
            except HTTPException as broken:  # a form that cannot be read
                return self.error_reply(ApiError(broken.code or 400, broken.description or "The request cannot be read."))
            return reply

    def refusals(self, on: str) -> Collection[str]:  # noqa: ARG002 - for providers with several planes
        """Name the errors that a fault may name: those of `anytune.testing.simulators.errors`."""
        return ERRORS

    def refusal(self, name: str, request: Request) -> Reply:
        """Give the named error, with what is known of the request in its places."""
        body = json_of(request)
        known = {key: value for key, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
        values = {"model": "gpt-4.1-mini-2025-04-14", "key": self.key_of(request), "organization": self.organization}
        parts = {"param": "training_file", "file": known.get("training_file", "file-abc"), "job": request.path.rpartition("jobs/")[2]}
        return self.error_reply(error_of(name, **{**values, **parts, **known}))

    def missing(self, request: Request) -> Reply:
        """Say that there is no such path."""
        return self.error_reply(error_of("no_route", method=request.method, path=request.path))

    def stamp(self, at: float) -> int:
        """Give a moment of the clock as the provider writes it."""
        return int(at + self.faults.clock_skew_s)

    # What a provider may do differently.

    def told(self) -> dict[str, str]:
        """Give what its command says beside `base_url` and `api_key`."""
        return {}

    def key_of(self, request: Request) -> str:
        """Give the key of a request."""
        return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()

    def check_key(self, request: Request) -> None:
        """Refuse a request without a right key."""
        given = self.key_of(request)
        if not given:
            raise self.refuse("no_key")
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in self.keys):
            raise self.refuse("bad_key", key=given)

    def project_of(self, request: Request) -> str:
        """Give the project whose things a request sees."""
        return self.keys.get(self.key_of(request), "default")

    def error_reply(self, error: ApiError) -> Reply:
        """Give an error in the provider's shape."""
        shown = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return Reply({"error": shown}, error.status, error.headers)

    def created(self, body: dict[str, Any], path: str) -> Reply:  # noqa: ARG002 - for providers that answer with a Location
        """Answer a create; `path` is where the new thing can be asked for."""
        return Reply(body, self.dialect.created_status)

    def new_id(self, kind: str) -> str:
        """Make an id. `kind` is `file`, `job`, `event`, `checkpoint`, `upload`, `part`, `model` or `chat`."""
        prefixes = {
            "job": "ftjob-",
            "event": "ftevent-",
            "checkpoint": "ftckpt_",
            "upload": "upload_",
            "part": "part_",
            "chat": "chatcmpl-",
        }
        if kind == "model":
            return self.draw(8)
        return prefixes.get(kind, f"{kind}-") + self.draw(24 if kind != "file" else 22)

    def draw(self, length: int, letters: str = string.ascii_letters + string.digits) -> str:
        """Draw letters for an id."""
        return "".join(self._random.choices(letters, k=length))

    def drawn(self, most: int) -> int:
        """Draw a whole number from 0 on."""
        return self._random.randint(0, most)

    def tuned_name(self, job: JobRecord) -> str:
        """Name the model that a job makes; the same each time."""
        if not job.tuned:
            job.tuned = f"ft:{job.base}:{self.organization.removeprefix('org-')}:{job.suffix or ''}:{self.new_id('model')}"
        return job.tuned

    def checkpoint_name(self, job: JobRecord, step: int) -> str:
        """Name the model of a checkpoint before the last one."""
        return f"{self.tuned_name(job)}:ckpt-step-{step}"

    def may_run(self, job: JobRecord) -> bool:  # noqa: ARG002 - a default
        """Tell whether a job that waits may begin to train now."""
        return True

    def suits(self, suffix: str | None) -> str | None:  # noqa: ARG002 - a default
        """Say why a suffix that fits the schema is refused all the same; None: it is not."""
        return None
