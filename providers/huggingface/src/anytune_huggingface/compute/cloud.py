"""What the places of the Hugging Face cloud share: the account, data, what is told of a job, its checkpoints and model, and hosts."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from anytune.errors import AnytuneError, ConfigError, NotFound
from anytune.settings import Settings
from anytune.values import Finding
from anytune_huggingface.compute import code, lines
from anytune_huggingface.compute.told import CloudOrder, Code, Told
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.data import DataRepo
from anytune_huggingface.hub.names import name
from anytune_huggingface.hub.prices import Flavor, Prices
from anytune_huggingface.hub.record import Record, repo_name
from anytune_huggingface.models import starter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.backend import DeployOrder, LocalFile, Order, RemoteDeployment, RemoteFile
    from anytune.local import Progress
    from anytune.spec import TrainingSpec
    from anytune.values import Event, Metric, ModelRef, Quote
    from anytune_huggingface.compute.lines import Said
    from anytune_huggingface.compute.place import Program
    from anytune_huggingface.device import Device
    from anytune_huggingface.hub.endpoints import Endpoints
    from anytune_huggingface.hub.prices import Sold
    from anytune_huggingface.hub.state import State

__all__ = ["IMAGE", "CloudCompute", "CloudSettings", "figures", "seconds"]

IMAGE = "python:3.11.14-bookworm"
"""Docker's own image of Python on Debian, with a compiler, pinned to a release of the version that all of this was tried with."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_GRACE_SHARE, _GRACE_MIN_S, _GRACE_MAX_S = 0.1, 60.0, 900.0
_OLD_GPUS = re.compile(r"\b(T4|V100|P100)\b")


def seconds(span: str | float) -> float:
    """Read a time such as `30m`, `4h`, `2d` or a number of seconds.

    Raises:
        ConfigError: It is none.
    """
    match = _SPAN.fullmatch(str(span).strip())
    found = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if found <= 0:
        raise ConfigError(f"{span!r} is no time.", fix="Write `30m`, `4h`, `2d` or a number of seconds.")
    return found


def figures(said: Progress | State | None, *, running: bool) -> dict[str, Any]:
    """Give what a snapshot tells of how far a job is; when it will end, only while it runs."""
    told = {} if said is None else said.model_dump(include=set(lines.FIGURES))
    return told if running else told | {"eta_s": None}


class CloudSettings(Settings):
    """What is true of Jobs and Spaces alike. A token is no setting: it comes from HF_TOKEN or the stored login."""

    flavor: str = "l4x1"
    """The machine (`hf jobs hardware` lists them). The default is the cheapest with a GPU that computes in bf16."""

    timeout: str | float = "2h"
    """The longest that one container runs: `30m`, `4h`, or seconds. Before that it writes a checkpoint and stops."""

    grace: str | float | None = None
    """How long before the timeout it does so; by default a tenth of it, between one and fifteen minutes."""

    namespace: str | None = None
    """The user or organisation that owns and pays; by default whose the token is."""

    image: str = IMAGE
    """The Docker image: Python 3.11 or newer with pip or uv. What is installed in it already is not installed again."""

    checkpoints: int = 2
    """How many checkpoints stay in the job's repository."""

    endpoint: dict[str, Any] = Field(default_factory=dict)
    """Settings of every Inference Endpoint that a tuned model is deployed on."""

    look_s: float = 15.0
    """Seconds between two looks of the running job at what is asked of it."""

    push_s: float = 120.0
    """Seconds between two pushes of checkpoints, at least: the Hub is said to allow 128 commits an hour, and each push makes two."""

    pace_s: float = 120.0
    """Seconds between two writes of the job's state to its repository."""

    quiet_s: float = 1.0
    """Seconds of silence after which a log is taken as read."""

    @property
    def timeout_s(self) -> float:
        """Seconds that one container runs at most."""
        return seconds(self.timeout)

    @property
    def grace_s(self) -> float:
        """Seconds before that when it writes a checkpoint and stops."""
        if self.grace is not None:
            return min(seconds(self.grace), 0.9 * self.timeout_s)
        return min(max(_GRACE_SHARE * self.timeout_s, _GRACE_MIN_S), _GRACE_MAX_S, 0.5 * self.timeout_s)


class CloudCompute:
    """What Jobs and Spaces do alike; `JobsCompute` and `SpaceCompute` add how a container is had.

    Args:
        settings: The settings.
        hub: The account; None: of this environment.
    """

    sold: ClassVar[Sold]

    def __init__(self, settings: CloudSettings, hub: Hub | None = None) -> None:
        """Keep what is given; nothing is asked."""
        _ = settings.timeout_s, settings.grace_s  # wrong ones are refused here
        self.hub = hub or Hub(namespace=settings.namespace)
        self.prices = Prices(self.hub)
        self.data = DataRepo(self.hub)
        self._common = settings

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where models are hosted."""
        from anytune_huggingface.hub.endpoints import Endpoints  # noqa: PLC0415 - only where something is hosted

        return Endpoints(self.hub, self._common.endpoint or None, prices=self.prices)

    @property
    def account(self) -> str:
        """The Hub's host and the namespace that pays."""
        return self.hub.account

    @property
    def device(self) -> Device:
        """What the flavor has; by its name where the Hub cannot be asked."""
        try:
            known = self.prices.flavors(self.sold).get(self._common.flavor)
        except AnytuneError:
            known = None
        if known is not None:
            return known.device
        return "cpu" if self._common.flavor.startswith("cpu") else "cuda"

    # Before.

    def check(self, spec: TrainingSpec, model: str) -> list[Finding]:
        """Find what keeps a run from going there."""
        found = list(self._model_findings(model))
        if self.hub.offline:
            fix = "Unset it, or use `compute: local`."
            return [*found, _error("offline", "The environment switches the Hub off (HF_HUB_OFFLINE=1).", fix)]
        if self.hub.token is None:
            return [*found, _error("token", "There is no token for the Hub.", "Set HF_TOKEN, or run `hf auth login`.")]
        try:
            flavor = self.prices.flavor(self.sold, self._common.flavor)
        except ConfigError as error:
            return [*found, _error("flavor", error.message, error.fix)]
        adapter = getattr(spec.adapter, "type", None)
        if adapter == "qlora" and flavor.device == "cpu":
            fix = "Take a flavor with one, such as `l4x1`, or use LoRA."
            found.append(_error("adapter", f"QLoRA needs a GPU, and {flavor.name} has none.", fix))
        if _OLD_GPUS.search(flavor.accelerator):
            message = f"The {flavor.accelerator} of {flavor.name} does not compute in bf16, which training uses: it will be slow."
            found.append(Finding(severity="warning", code="device", message=message, fix="Take `l4x1`, `a10g-small` or a larger one."))
        if spec.method.report_to:
            message = "Keys of trackers are not sent into the cloud: `report_to` has no effect there."
            fix = "Leave `report_to` out; the metrics come to the ledger."
            found.append(Finding(severity="warning", code="lost", message=message, fix=fix))
        return found

    def _model_findings(self, model: str) -> Iterable[Finding]:
        if model == starter.NAME:
            fix = "Take its original: HuggingFaceTB/SmolLM2-135M-Instruct."
            yield _error("model", "The model `starter` is a package of this machine.", fix)
        elif name(model) is None:
            fix = "Push it first (`anytune push`), and give the repository's id `owner/name`."
            yield _error("model", f"The model {model} is a folder of this machine: the cloud cannot see it.", fix)

    def quote(self, found: Quote) -> Quote:
        """Put the price of the expected minutes to a quote."""
        try:
            flavor = self.prices.flavor(self.sold, self._common.flavor)
            basis = self.prices.basis(self.sold)
        except AnytuneError as error:
            return found.model_copy(update={"basis": f"{found.basis}; no price: {error.message}"})
        cost = None if found.minutes is None else round(found.minutes / 60 * flavor.usd_per_hour, 6)
        said = [f"{flavor.usd_per_hour:.4g} USD an hour of {flavor.name}, {basis}"]
        if found.minutes is not None and found.minutes * 60 > self._common.timeout_s - self._common.grace_s:
            said.append(f"longer than the timeout of {self._common.timeout}: it will pause at its end")
        return found.model_copy(update={"cost_usd": cost, "basis": "; ".join([part for part in (found.basis, *said) if part])})

    def price(self, flavor: str | None) -> Flavor | None:
        """Give a machine with its price; None where that is not known."""
        try:
            return self.prices.flavors(self.sold).get(flavor or "")
        except AnytuneError:
            return None

    def upload(self, file: LocalFile) -> RemoteFile:
        """Send a data file to the account's private dataset repository, once for its bytes."""
        return self.data.upload(file)

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a data file there."""
        return self.data.find(sha256)

    # The order.

    def ordered(self, order: Order, program: Program, resolved: dict[str, Any], packed: code.Bundle) -> tuple[Record, CloudOrder]:
        """Make the record of an order; it may be there already."""
        further = (*program.requirements, *(("bitsandbytes",) if getattr(order.spec.adapter, "type", None) == "qlora" else ()))
        told = CloudOrder.of(
            order,
            model=self._pinned(order.model),
            data_repo=self.data.repo,
            resolved=resolved,
            program=program,
            code=Code(repo=self.data.repo, sha256=packed.sha256, requirements=code.requirements(program.distributions, further)),
        )
        record = Record.of(self.hub, order.name, order.ref)
        record.create(told.model_dump(mode="json"))
        return record, CloudOrder.model_validate(record.order())

    def told(self, record: Record, order_sha256: str, **more: Any) -> Told:
        """Say how a container shall run, and which order."""
        given = self._common
        return Told(
            record=record.repo,
            order_sha256=order_sha256,
            timeout_s=given.timeout_s,
            grace_s=given.grace_s,
            look_s=given.look_s,
            pace_s=given.pace_s,
            push_s=given.push_s,
            keep=given.checkpoints,
            flavor=given.flavor,
            image=given.image,
            **more,
        )

    def _pinned(self, model: str) -> str:
        """Pin a model to the commit that its branch stands for now."""
        place = name(model)
        if place is None:
            raise ConfigError(f"{model!r} is no model of the Hub.", fix="Give `owner/name`; push a folder of this machine first.")
        return str(place if place.pinned else place.at(self.hub.sha(place.repo, revision=place.revision or "main")))

    # What is told.

    def events(self, job_id: str, after: str | None) -> list[Event]:
        """Give what the program and its runner said."""
        return lines.events(self._said(job_id), after)

    def metrics(self, job_id: str, after: int | None) -> list[Metric]:
        """Give the numbers of each logged step."""
        return lines.metrics(self._said(job_id), after)

    def _said(self, job_id: str) -> list[Said]:
        """Give all that a job told, oldest first."""
        raise NotImplementedError

    def said(self, record: Record, logs: Iterable[list[str]]) -> list[Said]:
        """Put together what the record and the logs tell."""
        try:
            kept = record.logs()
        except NotFound:
            kept = []
        return lines.joined(*(lines.read(text) for text in (kept, *logs)))

    def delete_model(self, model: ModelRef) -> None:
        """Delete the repository of a job of this account, with its checkpoints; no other repository.

        Raises:
            ConfigError: Anytune did not make it.
            NotFound: It is not there.
        """
        repo = model.id.partition("@")[0]
        record = Record(self.hub, repo)
        try:
            order = record.order()
        except NotFound:
            if self.hub.exists(repo):
                order = {}
            else:
                raise
        mine = repo == f"{self.hub.namespace}/{repo_name(str(order.get('name')), str(order.get('ref')))}"
        if not mine:
            raise ConfigError(f"{repo} was not made by a job of anytune, so it is not deleted.", fix="Delete it yourself.")
        record.delete()

    # Hosts.

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Start an Inference Endpoint."""
        return self.endpoints.deploy(order)

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Observe an Inference Endpoint once."""
        return self.endpoints.poll(deployment_id)

    def undeploy(self, deployment_id: str) -> None:
        """Delete an Inference Endpoint."""
        self.endpoints.undeploy(deployment_id)

    def list_deployments(self) -> list[RemoteDeployment]:
        """List the Inference Endpoints that anytune made."""
        return self.endpoints.list()


def _error(code_: str, message: str, fix: str) -> Finding:
    return Finding(severity="error", code=code_, message=message, fix=fix)
