"""Azure OpenAI (Microsoft Foundry), simulated: the data plane under `/openai/v1` and Azure Resource Manager under `/subscriptions`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.life import Life
from anytune.testing.simulators import course
from anytune.testing.simulators.arm import ArmPlane
from anytune.testing.simulators.arm_errors import ARM_REFUSALS
from anytune.testing.simulators.arm_records import PROVISIONING, Deployment, Operation
from anytune.testing.simulators.azure_dialect import AZURE_AS_OBSERVED, AZURE_BASES, AZURE_SPEC, AzureJobOrder, AzureLimits
from anytune.testing.simulators.azure_errors import AZURE_ERRORS, azure_reply, job_code
from anytune.testing.simulators.azure_tokens import DATA_AUDIENCES, SimulatedCredential, claims_of
from anytune.testing.simulators.base import TuningSimulator
from anytune.testing.simulators.errors import Refusal
from anytune.testing.simulators.service import Reply, Service
from anytune.testing.simulators.state import JobRecord, ModelRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.dialect import Dialect
    from anytune.testing.simulators.errors import ApiError
    from anytune.testing.simulators.orders import JobOrder
    from anytune.testing.simulators.state import CheckpointRecord, EventRecord

__all__ = ["AzureSimulator"]

_SINCE = 1_744_000_000.0
_CLASSIC = re.compile(r"/openai/deployments/([^/]+)(?=/chat/completions$)")
_SUFFIX = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SHORTEST_S, _LONGEST_S = 1_209_600, 2_592_000
# What a job of OpenAI's says, as Azure words it (examples of Microsoft's description of 2025-04-01-preview).
_SAID = {
    "Files validated, moving job to queued state": "Job enqueued. Waiting for jobs ahead to complete.",
    "Fine-tuning job started": "Job started.",
    "The job has successfully completed": "Job succeeded.",
}
# The words of lives that are not Azure's, as Azure has them.
_WORDS = {"validating_files": "created", "queued": "pending"}


class AzureSimulator(ArmPlane, TuningSimulator):
    """One Azure OpenAI resource, and the part of Azure Resource Manager (ARM) that deploys its models. More arguments as for `Home`.

    A tuned model answers only through a deployment, by the deployment's name. Files are `pending` and `running` before a job may use them.
    Keys come as `api-key` or as a bearer token; ARM takes tokens only.

    Args:
        api_key: The resource's key.
        resource: The resource's name, `accounts/{resource}` at ARM.
        subscription_id: The subscription it is in.
        resource_group: The resource group it is in.
        location: Its region.
        entra_token: A token that is good for both planes; it also signs what `credential` gives, which is good for one.
        provisioning: The states of a new deployment; without `tick_s`, each GET moves it on.
        quota: Capacity (thousands of tokens a minute) by kind of hosting, lower case; by default 250 of each kind.
        max_deployments: How many the resource takes.
        limits: What the resource holds at once: jobs that run, wait and exist, and files.
        shows_suffix: Jobs repeat their suffix as `suffix`, as Microsoft's description has it; else only the tuned model's name shows it.

    Attributes:
        unauthorized: `read`, `write`, `delete`: what the caller may not do at ARM (403).
        arm_page_size: Deployments on a page of ARM's listing.

    Example:
        >>> with AzureSimulator() as provider:
        ...     provider.base_url == provider.endpoint + "/openai/v1", provider.arm_url == provider.endpoint
        (True, True)
    """

    routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        *ArmPlane.arm_routes,
        *TuningSimulator.routes,
        ("DELETE", "/fine_tuning/jobs/{id}", "delete_job"),
    )
    prefix: ClassVar[str] = "/openai/v1"
    dialects: ClassVar[Mapping[str, Dialect]] = {"spec": AZURE_SPEC, "as_observed": AZURE_AS_OBSERVED}
    job_order: ClassVar[type[JobOrder]] = AzureJobOrder

    def __init__(
        self,
        *,
        api_key: str = "simulated-azure-key",
        resource: str = "anytune-sim",
        subscription_id: str = "00000000-0000-0000-0000-0000000005ab",
        resource_group: str = "anytune-rg",
        location: str = "eastus2",
        entra_token: str = "simulated-entra-token",  # noqa: S107 - a token of the simulator
        provisioning: Life = PROVISIONING,
        quota: Mapping[str, int] | None = None,
        max_deployments: int = 30,
        limits: AzureLimits = AzureLimits(),  # noqa: B008 - frozen
        shows_suffix: bool = True,
        **settings: Any,
    ) -> None:
        """Bind a port of loopback and start to answer."""
        self.subscription_id, self.resource_group, self.resource, self.location = subscription_id, resource_group, resource, location
        self.entra_token, self.provisioning, self.max_deployments, self.limits = entra_token, provisioning, max_deployments, limits
        self.shows_suffix = shows_suffix
        self.quota = dict(quota or dict.fromkeys(("standard", "globalstandard", "datazonestandard", "developertier"), 250))
        self.arm_page_size = 20
        self.deployments: dict[str, Deployment] = {}
        self.operations: dict[str, Operation] = {}
        self.unauthorized: set[str] = set()
        super().__init__(api_key=api_key, **settings)
        self.lives = [life.model_copy(update={"words": tuple(_WORDS.get(word, word) for word in life.words)}) for life in self.lives]
        for name, base in AZURE_BASES.items():
            self.world.models[name] = ModelRecord(name, _SINCE, base=name, shutdown_date=base.answers_until)

    @property
    def endpoint(self) -> str:
        """The resource's endpoint, as in `AZURE_OPENAI_ENDPOINT`."""
        return self.url

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`, up to and including `/openai/v1`."""
        return f"{self.url}{self.prefix}"

    @property
    def arm_url(self) -> str:
        """Where Azure Resource Manager is."""
        return self.url

    def told(self) -> dict[str, str]:
        """Give what its command says beside `base_url` and `api_key`."""
        return {"endpoint": self.endpoint, "arm_url": self.arm_url, "token": self.entra_token, "resource": self.account_id}

    def credential(self, *, lives_s: float = 3600.0) -> SimulatedCredential:
        """Give a credential in the shape of `azure-identity`'s, whose tokens are good for one audience each, `lives_s` seconds long."""
        return SimulatedCredential(self.entra_token, lives_s=lives_s, clock=self.clock)

    def add_model(self, name: str, *, knows: Mapping[str, str] | None = None) -> None:
        """Put in a tuned model, as if a job had made it that was deleted since.

        Args:
            name: `{base}.ft-{32 hexadecimal digits}`.
            knows: Answers by question.
        """
        base, now = name.split(".ft-", maxsplit=1)[0], self.clock()
        body = {"model": base, "training_file": "file-of-before"}
        job = JobRecord(self.new_id("job"), body, base, base, "supervised", {}, Life(words=("succeeded",)), now, "default", seen=True)
        for asked, said in (knows or {}).items():
            job.rows.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]})
        job.tuned, job.finished_at = name, now
        with self.lock:
            self.world.models[name] = ModelRecord(name, now, owned_by=self.owner, base=base, job=job, project="default")

    # How requests come in.

    def within(self, path: str) -> str:
        """Give the part of a path that the templates describe: `/arm/…` for the control plane, nothing before it for the data plane."""
        if path.lower().startswith("/subscriptions"):
            return self.within_arm(path)
        for prefix in (f"{self.prefix}/", "/openai/"):
            if path.startswith(prefix):
                return _CLASSIC.sub("", path) if _CLASSIC.match(path) else "/" + path.removeprefix(prefix)
        return f"/elsewhere{path}"

    def trace(self) -> dict[str, str]:
        """Give the headers that every reply has, those of ARM too."""
        identity = super().trace()["x-request-id"]
        return {"x-request-id": identity, "apim-request-id": identity, "x-ms-request-id": identity, "x-ms-correlation-request-id": identity}

    def guard(self, request: Request) -> Reply | None:
        """Refuse what ARM refuses first; the older paths of the data plane need a version of the API."""
        if self.is_arm(request):
            return self.guard_arm(request)
        classic = not request.path.startswith(f"{self.prefix}/")
        return self.missing(request) if classic and not request.args.get("api-version") else None

    def handled(self, endpoint: str, request: Request, values: Mapping[str, Any]) -> Reply:
        """Let one request take effect, alone; keys are the data plane's business."""
        if not self.is_arm(request):
            return super().handled(endpoint, request, values)
        return Service.handled(self, endpoint, request, values)

    def key_of(self, request: Request) -> str:
        """Give the key or the token of a request."""
        return request.headers.get("api-key") or super().key_of(request)

    def check_key(self, request: Request) -> None:
        """Refuse a request without the key or a token for this plane."""
        given = self.key_of(request)
        if not given:
            raise self.refuse("no_key")
        if given in {*self.keys, self.entra_token}:
            return
        claims = claims_of(given, self.entra_token)
        if claims is None:
            raise self.refuse("bad_token" if given.count(".") == 2 else "bad_key")
        if claims.audience not in DATA_AUDIENCES or claims.expires_on <= self.clock():
            raise self.refuse("bad_token")

    # How refusals look.

    def refuse(self, name: str, **values: Any) -> Refusal:
        """Make the named error, to be raised."""
        return Refusal(AZURE_ERRORS[name].filled(values)) if name in AZURE_ERRORS else super().refuse(name, **values)

    def refusals(self, on: str) -> Collection[str]:
        """Name the errors that a fault may name, by the plane; ARM answers to a data plane's name of `*` that it breaks."""
        return ARM_REFUSALS if " /arm" in on else {*super().refusals(on), *AZURE_ERRORS}

    def refusal(self, name: str, request: Request) -> Reply:
        """Give the named error of the plane that the request is for."""
        if self.is_arm(request):
            return self.arm_refusal(name, request)
        if name not in AZURE_ERRORS:
            return super().refusal(name, request)
        action = "Microsoft.CognitiveServices/accounts/OpenAI/fine-tunes/write"
        known = {"action": action, "method": request.method, "path": request.path, "model": "a model", "file": "file-abc", "what": "jobs"}
        return azure_reply(self.refuse(name, **known, count=100, limit=100, job=request.path.rpartition("jobs/")[2]).error)

    def missing(self, request: Request) -> Reply:
        """Give the answer to a path that is not there."""
        return self.arm_refusal("no_such_path", request) if self.is_arm(request) else azure_reply(AZURE_ERRORS["no_route"])

    def error_reply(self, error: ApiError) -> Reply:
        """Give an error in Azure's shape."""
        return azure_reply(error)

    # What Azure does otherwise.

    def created(self, body: dict[str, Any], path: str) -> Reply:
        """Answer a create with its place."""
        return Reply(body, self.dialect.created_status, {"Location": f"{self.base_url}{path}"})

    def create_job(self, request: Request) -> Reply:
        """Take an order, if the resource has room."""
        there = [job for job in self.jobs if not job.deleted]
        waiting = [job for job in there if not job.ended and "running" not in job.life.words[: job.position + 1]]
        for count, limit, what in ((len(there), self.limits.jobs, "jobs"), (len(waiting), self.limits.queued, "queued jobs")):
            if count >= limit:
                raise self.refuse("quota", count=count, limit=limit, what=f"fine-tuning {what}")
        return super().create_job(request)

    def delete_job(self, request: Request, id: str) -> Reply:  # noqa: A002 - the template's word
        """Forget a job that has ended; its model stays."""
        job = self.job(request, id)
        if not job.ended:
            raise self.refuse("job_not_ended", job=id)
        job.deleted = True
        return Reply(None, 204)

    def may_run(self, job: JobRecord) -> bool:
        """Let so many jobs train at once; a poll of one that waits moves those that train, as time would."""
        running = [other for other in self.jobs if other is not job and other.word == "running" and not other.deleted]
        for other in running:
            course.advance(self, other, poll=True)
        return sum(other.word == "running" for other in running) < self.limits.running

    def check_file(self, filename: str, purpose: str, size_bytes: int) -> None:
        """Refuse a file that is of no use, or one too many."""
        super().check_file(filename, purpose, size_bytes)
        count = sum(file.purpose != "fine-tune-results" for file in self.files)
        if count >= self.limits.files:
            raise self.refuse("quota", count=count, limit=self.limits.files, what="files")

    def file_expiry(self, form: Mapping[str, Any]) -> int | None:
        """Read in how many seconds a file is to go: 14 to 30 days, named with dots or with brackets."""
        given = {name.replace("expires_after.", "expires_after[") + "]" * ("." in name): value for name, value in form.items()}
        seconds = super().file_expiry(given)
        if seconds is not None and not _SHORTEST_S <= seconds <= _LONGEST_S:
            raise self.refuse("bad_field", param="expires_after.seconds", reason=f"expected {_SHORTEST_S} to {_LONGEST_S}.")
        return seconds

    def suits(self, suffix: str | None) -> str | None:
        """Refuse a suffix with dots, or one that is too long."""
        if suffix is None or _SUFFIX.fullmatch(suffix):
            return None
        return "expected up to 40 letters, digits, '-' and '_'."

    def deployable(self, name: str, version: str) -> bool:
        """Tell whether a model may be deployed: a base model in its version, a tuned one or a checkpoint as version 1."""
        base = AZURE_BASES.get(self.full_name(name))
        return base.version == version if base else version == "1" and self._deployed_model(name) is not None

    def base_models(self) -> dict[str, str]:
        """Give the base models and their versions."""
        return {name.removesuffix(f"-{base.version}"): base.version for name, base in AZURE_BASES.items()}

    def serving(self, request: Request, name: str) -> ModelRecord:
        """Find the model behind a deployment."""
        classic = _CLASSIC.match(request.path)
        deployment = self.answering(classic.group(1) if classic else name)
        model = self._deployed_model(deployment.model["name"]) if deployment else None
        if model is None:
            raise self.refuse("deployment_not_found")
        return model

    def deletable(self, model: ModelRecord) -> None:
        """Refuse to delete a model that is deployed, or that is Microsoft's."""
        super().deletable(model)
        self.sweep()
        if any(self._deployed_model(one.model["name"]) is model for one in self.deployments.values()):
            raise self.refuse("model_in_use", model=model.id)

    def _deployed_model(self, name: str) -> ModelRecord | None:
        """Find a model by the name that ARM has for it: its own, or a checkpoint's id."""
        for job in self.jobs:
            name = next((point.model for point in job.checkpoints if point.id == name), name)
        model = self.world.models.get(self.full_name(name))
        young = model is not None and model.job is not None and self.clock() - model.created_at < self.faults.model_lag_s
        return None if young else model

    # How names and replies look.

    def new_id(self, kind: str) -> str:
        """Make an id of 32 hexadecimal digits."""
        prefixes = {"file": "file-", "job": "ftjob-", "event": "ftevent-", "checkpoint": "ftchkpt-", "model": ""}
        return prefixes[kind] + self.draw(32, "0123456789abcdef") if kind in prefixes else super().new_id(kind)

    def tuned_name(self, job: JobRecord) -> str:
        """Name the model that a job makes; the same each time."""
        if not job.tuned:
            job.tuned = f"{job.base}.ft-{self.new_id('model')}" + (f"-{job.suffix}" if job.suffix else "")
        return job.tuned

    def job_shape(self, job: JobRecord) -> dict[str, Any]:
        """Give a job as JSON."""
        shown = super().job_shape(job)
        if shown["error"] and shown["error"]["code"]:
            shown["error"]["code"] = job_code(shown["error"]["code"])
        if self.shows_suffix:
            shown["suffix"] = job.suffix
        if job.body.get("trainingType"):
            shown["trainingType"] = job.body["trainingType"]
        if self.dialect.profile == "spec":
            return shown
        asked = {name: -1 if value == "auto" else value for name, value in job.settings.items() if name == "n_epochs" or value != "auto"}
        shown |= {"hyperparameters": asked, "method": {"type": job.method}}
        shown["organisation_id"] = shown.pop("organization_id")
        del shown["seed"]
        return {name: value for name, value in shown.items() if value not in (None, [])}

    def event_shape(self, event: EventRecord) -> dict[str, Any]:
        """Give an event as JSON."""
        shown = super().event_shape(event)
        return shown | {"message": _SAID.get(event.message, event.message)}

    def checkpoint_shape(self, job: JobRecord, checkpoint: CheckpointRecord) -> dict[str, Any]:
        """Give a checkpoint as JSON, with what the whole validation file gave."""
        shown = super().checkpoint_shape(job, checkpoint)
        whole = {f"full_{name}": value for name, value in checkpoint.metrics.items() if name.startswith("valid_")}
        return shown | {"metrics": {**checkpoint.metrics, **whole}}

    def model_shape(self, model: ModelRecord) -> dict[str, Any]:
        """Give a model as JSON."""
        base = AZURE_BASES.get(model.base)
        tuned = {} if model.job is None else {"model": model.base, "fine_tune": model.job.id}
        until = {} if base is None else {"fine_tune": _day(base.trains_until), "inference": _day(base.answers_until)}
        own = {
            "created_at": self.stamp(model.created_at),
            "status": "succeeded",
            "capabilities": {
                "fine_tune": model.tunable,
                "inference": True,
                "completion": False,
                "chat_completion": True,
                "embeddings": False,
            },
            "lifecycle_status": "generally-available",
            "deprecation": until,
        }
        return {**super().model_shape(model), **own, **tuned}


def _day(date: str) -> int:
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp())
