"""Hosting a tuned model on Inference Endpoints: from an order to a create, from the service's record to what anytune says of a host.

The name of an endpoint follows from the deployment's ref, so that the same order finds what it made before, also where the reply to its
making was lost. The ref itself is kept in its tags and in its variable `ANYTUNE_REF`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from anytune.backend import RemoteDeployment
from anytune.errors import ConfigError, NotFound, Rejected, Transient, Unsupported
from anytune.values import Address
from anytune_huggingface.hub.endpoint_options import EndpointSettings
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.names import name as hub_name
from anytune_huggingface.hub.prices import Prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import DeployOrder
    from anytune_huggingface.hub.client import Hub
    from anytune_huggingface.hub.names import HubName

__all__ = ["STATES", "EndpointSettings", "Endpoints", "named"]

State = Literal["starting", "ready", "failed", "stopping", "gone", "unknown"]

STATES: dict[str, State] = {
    "pending": "starting",
    "initializing": "starting",
    "updating": "starting",
    "updateFailed": "failed",
    "running": "ready",  # once it answers
    "paused": "failed",  # nobody waits for it: only `resume` brings it back
    "failed": "failed",
    "scaledToZero": "ready",  # the next request wakes it and waits; `starting` where its address is not known
}
"""Every state of the library's `InferenceEndpointStatus` (huggingface_hub 2.4.0, 2026-11-23)."""

_ASLEEP = frozenset({"paused", "scaledToZero"})
"""Nothing runs and nothing is billed."""

_SAID = {
    "paused": "It is paused and costs nothing; resume it, or stop it for good.",
    "scaledToZero": "It sleeps and costs nothing; the next question wakes it and waits some minutes.",
    "updateFailed": "Its last change failed; an older engine may still run and cost.",
}

_PREFIX = "anytune-"
_TAG, _OF_LEDGER = "anytune-ref-", "anytune-ledger-"
_VARIABLE = "ANYTUNE_REF"
_TAIL = 10
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_PROBE_S = 20.0
_HOLD, _HOLD_S = "X-Scale-Up-Timeout", 600
"""Has the service's proxy keep a request for so many seconds until a machine is ready, where it would answer 503 (its guide to autoscaling,
read 2026-11-23). As long as a question to a model may take."""

_OK = 200


def named(ref: str) -> str:
    """Name the endpoint of a deployment: the same whoever asks again.

    Example:
        >>> named("01KAPV5T6GZ0M3R8D9YQ4W7XCE")
        'anytune-d9yq4w7xce'
    """
    return f"{_PREFIX}{ref[-_TAIL:].lower()}"


_HUB, _SERVICE = "https://huggingface.co", "https://api.endpoints.huggingface.cloud"


class Endpoints:
    """The Inference Endpoints of one namespace, with the verbs that a place to compute needs; making the object asks nothing.

    Args:
        hub: The account.
        settings: Options where an order says nothing else.
        prices: The machines and their prices.
    """

    def __init__(self, hub: Hub, settings: EndpointSettings | Mapping[str, Any] | None = None, *, prices: Prices | None = None) -> None:
        """Check the settings.

        Raises:
            ConfigError: One of them is wrong, or the account's Hub is not the one that Inference Endpoints belong to.
        """
        _refuse_foreign(hub)
        self._hub = hub
        self._settings = settings if isinstance(settings, EndpointSettings) else EndpointSettings.of(settings or {})
        self._prices = prices or Prices(hub)
        self._answered: dict[str, tuple[str, str]] = {}

    # The verbs.

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Make the endpoint of an order, or look at the one that it made before; a sleeping one is woken.

        Raises:
            ConfigError: An option is wrong, or the model is not on the Hub.
            NotFound: The Hub has no such model.
            Rejected: The repository holds no model, or the endpoint's name is taken.
            Unsupported: There are `adapters`.
        """
        if order.adapters:
            raise Unsupported("One Inference Endpoint serves one model here.", fix="Deploy each adapter's merged model alone.")
        chosen = EndpointSettings.of(order.options, self._settings)
        place = _on_the_hub(order, chosen.revision)
        name = named(order.ref)
        try:
            found = self._get(name)
        except NotFound:
            found = self._create(name, order, chosen, place)
        ours = _ref(found)
        if ours != order.ref:
            fix = "Delete it if nobody needs it, or give the deployment another ref by starting it again."
            raise Rejected(f"The endpoint {name} exists and is not of this deployment ({ours or 'it carries no ref'}).", fix=fix)
        if found.status in _ASLEEP:
            found = self._resume(name)
        return self._observed(found, probe=True)

    def poll(self, deployment_id: str) -> RemoteDeployment:
        """Look once: `ready` only where it really answers, `gone` only where the service says that it does not exist."""
        name = _plain(deployment_id)
        if name is None:
            return RemoteDeployment(id=deployment_id, state="gone", hourly_usd=0.0)
        try:
            return self._observed(self._get(name), probe=True)
        except NotFound:
            self._answered.pop(name, None)
            return RemoteDeployment(id=name, state="gone", hourly_usd=0.0)

    def undeploy(self, deployment_id: str) -> None:
        """Delete an endpoint; one that is not there is no error. `poll` says `gone` once that is confirmed."""
        name = _plain(deployment_id)
        if name is None:
            return
        self._answered.pop(name, None)
        try:
            with asking(f"endpoint {name}"):
                self._hub.api.delete_inference_endpoint(name, namespace=self._hub.namespace, token=self._hub.bearer)
        except NotFound:
            return

    def list(self) -> list[RemoteDeployment]:
        """Give the namespace's endpoints that carry anytune's mark; none is asked whether it answers."""
        with asking("the endpoints"):
            found = self._hub.api.list_inference_endpoints(namespace=self._hub.namespace, token=self._hub.bearer)
        return [self._observed(each, probe=False) for each in found if _ref(each) is not None]

    def pause(self, deployment_id: str) -> None:
        """Stop the machines of an endpoint, which costs nothing then, until `resume`.

        Raises:
            NotFound: There is no such endpoint.
        """
        name = self._known(deployment_id)
        self._answered.pop(name, None)
        with asking(f"endpoint {name}"):
            self._hub.api.pause_inference_endpoint(name, namespace=self._hub.namespace, token=self._hub.bearer)

    def resume(self, deployment_id: str) -> None:
        """Start a paused, sleeping or failed endpoint again; one that runs is left alone.

        Raises:
            NotFound: There is no such endpoint.
        """
        self._resume(self._known(deployment_id))

    # Its parts.

    def _known(self, deployment_id: str) -> str:
        name = _plain(deployment_id)
        if name is None:
            raise NotFound(f"{deployment_id!r} names no endpoint.", fix="Names have a-z, 0-9 and dashes, 32 at most.")
        return name

    def _get(self, name: str) -> Any:
        with asking(f"endpoint {name}"):
            return self._hub.api.get_inference_endpoint(name, namespace=self._hub.namespace, token=self._hub.bearer)

    def _resume(self, name: str) -> Any:
        with asking(f"endpoint {name}"):
            return self._hub.api.resume_inference_endpoint(name, namespace=self._hub.namespace, running_ok=True, token=self._hub.bearer)

    def _create(self, name: str, order: DeployOrder, chosen: EndpointSettings, place: HubName) -> Any:
        """Make exactly one create call; 409 means that the endpoint is there by now."""
        machine = chosen.machine(self._prices.flavors("endpoints"))
        revision, closed = self._model(place)
        try:
            with asking(f"endpoint {name}"):
                return self._hub.api.create_inference_endpoint(
                    name,
                    repository=place.repo,
                    revision=revision,
                    framework="pytorch",
                    task="text-generation",
                    vendor=machine.vendor,
                    region=machine.region,
                    accelerator=machine.kind,
                    instance_type=machine.instance_type,
                    instance_size=machine.instance_size,
                    min_replica=chosen.min_replica,
                    max_replica=chosen.max_replica,
                    scale_to_zero_timeout=chosen.sleeps_after_minutes,
                    custom_image=chosen.custom_image,
                    container_args=list(chosen.args) or None,
                    env={**chosen.env, _VARIABLE: order.ref},
                    secrets={"HF_TOKEN": self._hub.bearer} if closed else None,
                    type=chosen.type,
                    tags=["anytune", f"{_TAG}{order.ref.lower()}", *([f"{_OF_LEDGER}{order.ledger.lower()}"] if order.ledger else [])],
                    namespace=self._hub.namespace,
                    token=self._hub.bearer,
                )
        except Rejected as error:
            try:
                return self._get(name)
            except NotFound:
                raise error from None

    def _model(self, place: HubName) -> tuple[str, bool]:
        """Give the commit to serve, and whether its files need a token.

        Raises:
            NotFound: There is no such repository or revision.
            Rejected: It holds no model that an engine may load.
        """
        with asking(place.repo):
            info = self._hub.api.model_info(place.repo, revision=place.revision or "main", token=self._hub.bearer)
            files = {each.rfilename for each in info.siblings or ()}
            commit, closed = str(info.sha), bool(info.private or info.gated)
        if "config.json" not in files or not any(name.endswith(".safetensors") and "/" not in name for name in files):
            fix = "Push the merged model first: `anytune push`. An adapter alone is not served there."
            raise Rejected(f"{place} holds no model (config.json and *.safetensors at its root).", fix=fix)
        return commit, closed

    def _observed(self, found: Any, *, probe: bool) -> RemoteDeployment:
        name, word = str(found.name), str(found.status)
        status = found.raw.get("status") or {}
        state = STATES.get(word, "unknown")
        told = str(status.get("message") or "")
        seen = RemoteDeployment(
            id=name,
            state=state,
            hourly_usd=self._hourly(found, word, status),
            error=" ".join(part for part in (_SAID.get(word, ""), told if state == "failed" else "") if part),
            ref=_ref(found),
            ledger=_tagged(found, _OF_LEDGER),
            model=f"{found.repository}@{found.revision}" if found.revision else str(found.repository),
            raw={"state": word, "message": told, "url": found.url, "type": str(found.type)},
        )
        if state != "ready" or not probe:
            return seen
        address, why = self._address(found) if word not in _ASLEEP else (self._sleeper(found), seen.error)
        return seen.model_copy(update={"address": address} if address else {"state": "starting", "error": why})

    def _hourly(self, found: Any, word: str, status: Mapping[str, Any]) -> float | None:
        """Give what an endpoint costs: its machine's price for each replica that is to run."""
        if word in _ASLEEP:
            return 0.0
        compute, provider = found.raw.get("compute") or {}, found.raw.get("provider") or {}
        scaling = compute.get("scaling") or {}
        replicas = status.get("targetReplica") or scaling.get("minReplica") or 1
        wanted = (provider.get("vendor"), provider.get("region"), compute.get("instanceType"), compute.get("instanceSize"))
        try:
            known = self._prices.flavors("endpoints").values()
        except Transient:
            return None  # an observation is worth more than its price
        price = next(
            (each.usd_per_hour for each in known if (each.vendor, each.region, each.instance_type, each.instance_size) == wanted), None
        )
        return None if price is None else price * int(replicas)

    def _address(self, found: Any) -> tuple[Address | None, str]:
        """Ask an endpoint that says it runs; a second time only after it changed, since each request keeps it from sleeping."""
        name, stamp = str(found.name), f"{found.url} {found.updated_at}"
        if self._answered.get(name, ("", ""))[0] != stamp:
            model, why = self._served(str(found.url or ""), str(found.health_route or "/health"))
            if model is None:
                return None, why
            self._answered[name] = stamp, model
        return self._at(found, self._answered[name][1]), ""

    def _sleeper(self, found: Any) -> Address | None:
        """Give the address of an endpoint that sleeps, unasked: that would wake it. Its model is as it was seen, else its repository."""
        if not _trusted(str(found.url or "")):
            return None
        return self._at(found, self._answered.get(str(found.name), ("", str(found.repository)))[1])

    def _at(self, found: Any, model: str) -> Address:
        base_url = f"{str(found.url).rstrip('/')}/v1"
        return Address(base_url=base_url, model=model, credential=SecretStr(self._hub.bearer), headers={_HOLD: str(_HOLD_S)})

    def _served(self, url: str, health: str) -> tuple[str | None, str]:
        """Give the name that an endpoint's engine answers to, or why it does not yet."""
        if not _trusted(url):
            return None, "It runs, and its address is not one that a token may be sent to."
        well, _ = self._fetched(f"{url.rstrip('/')}{health}")
        if well != _OK:
            return None, f"It runs, and its health route answers {well or 'nothing'} yet."
        status, body = self._fetched(f"{url.rstrip('/')}/v1/models")
        try:
            return str(json.loads(body)["data"][0]["id"]), ""
        except (ValueError, KeyError, IndexError, TypeError):
            return (
                None,
                f"It runs, and names no model at /v1/models ({status or 'no answer'}): is its engine one that speaks as OpenAI does?",
            )

    def _fetched(self, url: str) -> tuple[int, bytes]:
        """Ask for a page of an endpoint; 0 where it does not answer."""
        import httpx2  # noqa: PLC0415 - comes with huggingface_hub

        head = {"Authorization": f"Bearer {self._hub.bearer}"}
        try:
            answer = httpx2.get(url, headers=head, timeout=_PROBE_S, follow_redirects=False)
        except httpx2.HTTPError:
            return 0, b""
        return answer.status_code, answer.content


def _on_the_hub(order: DeployOrder, revision: str | None) -> HubName:
    word = order.model.artifacts.get("merged", order.model.id)
    place = hub_name(word) or hub_name(order.model.id)
    if place is None:
        raise ConfigError(
            f"The model {word} is not on the Hub, and Inference Endpoints serve from there.", fix="Push it first: `anytune push`."
        )
    if place.subfolder is not None:
        raise ConfigError(f"{place} is a folder in a repository; Inference Endpoints serve whole ones.", fix="Push it to one of its own.")
    return place.at(revision) if revision else place


def _plain(deployment_id: str) -> str | None:
    """Give the name that an id means; core knows a deployment by its ref alone where the reply to its making was lost."""
    if _ULID.fullmatch(deployment_id):
        return named(deployment_id)
    return deployment_id if _NAME.fullmatch(deployment_id) else None


def _ref(found: Any) -> str | None:
    env = (found.raw.get("model") or {}).get("env") or {}
    if env.get(_VARIABLE):
        return str(env[_VARIABLE])
    tagged = _tagged(found, _TAG)
    return None if tagged is None else tagged.upper()


def _tagged(found: Any, prefix: str) -> str | None:
    """Give what follows a prefix in the tags, as it stands there: in small letters."""
    return next((str(tag)[len(prefix) :] for tag in found.raw.get("tags") or () if str(tag).startswith(prefix)), None)


def _trusted(url: str) -> bool:
    """Tell whether a token may go there: over TLS, or to where the service itself is asked without it (a proxy, a test)."""
    from huggingface_hub import constants  # noqa: PLC0415 - loaded by whoever gave the address

    return url.startswith("https://") or (url.startswith("http://") and constants.INFERENCE_ENDPOINTS_ENDPOINT.startswith("http://"))


def _refuse_foreign(hub: Hub) -> None:
    """Keep another Hub's token from the service of huggingface.co, whose address is a constant of the library."""
    from huggingface_hub import constants  # noqa: PLC0415 - as above

    if hub.endpoint != _HUB and constants.INFERENCE_ENDPOINTS_ENDPOINT.startswith(_SERVICE):
        raise ConfigError(
            f"Inference Endpoints belong to {_HUB}, and HF_ENDPOINT names {hub.endpoint}.",
            fix="Serve the model on this machine: `anytune deploy JOB --backend trl@local`.",
        )
