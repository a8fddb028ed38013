"""Inference Endpoints of the simulated Hub: each has an address of its own that really answers, for those who show a token.

By default the engine behind it is `anytune.testing.engine.Engine`, which echoes: it needs no model, but the repo and the revision have to
be there. With `serve` a command is started on a copy of the repo's files instead.

What is not known of the real ones, and decided here (2026-11-23): all messages; that an order for a repo that is not there is taken and
fails; that requests which wake an endpoint are answered 503 until it runs; statuses of creates and deletes; that an endpoint answers to
its repository's name, the names after `--served-model-name`, and, unless it has an image of its own, to `tgi` and `dummy`.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.engine import Engine, echo
from anytune.testing.simulators.hub.cloud import CloudRoutes, Declined, demand
from anytune.testing.simulators.hub.gates import Gate, Way
from anytune.testing.simulators.hub.machines import Log, Machine, free_port, surroundings
from anytune.testing.simulators.hub.prices import COMPUTES, Compute
from anytune.testing.simulators.hub.repos import body_of
from anytune.testing.simulators.hub.shapes import endpoint_shape
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.hub.store import Commit

__all__ = ["Endpoint", "EndpointRoutes"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
_TYPES = ("public", "authenticated", "protected", "private")
_LOOK_S = 0.05


@dataclass
class Endpoint:
    """An Inference Endpoint.

    Attributes:
        name: Of its own in its namespace.
        owner: The namespace.
        by: Who ordered it.
        order: What was ordered, with all changes since.
        at_s: When it was made; this and the other times in seconds since 1970.
        gate: Its address.
        state: As the client's `InferenceEndpointStatus`.
        revision: The commit it serves, once that is known.
        used_s: When the last request came.
        log: What the command of `serve` printed.
        port: Of its engine; 0: there is none.
        turn: Set when its present engine is to end.
    """

    name: str
    owner: str
    by: str
    order: dict[str, Any] = field(repr=False)
    at_s: float
    updated_s: float
    used_s: float
    log: Log
    gate: Gate = field(init=False)
    state: str = "pending"
    message: str = ""
    revision: str | None = None
    port: int = 0
    turn: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def health_route(self) -> str:
        """Path that says whether its engine is well."""
        custom = (self.order["model"].get("image") or {}).get("custom") or {}
        return str(custom.get("health_route") or custom.get("healthRoute") or "/health")

    @property
    def idle_s(self) -> float | None:
        """Seconds without a request after which it goes to zero; None: never."""
        scaling = self.order["compute"].get("scaling") or {}
        minutes = scaling.get("scaleToZeroTimeout")
        return minutes * 60.0 if minutes and scaling.get("minReplica") == 0 else None

    @property
    def model_names(self) -> list[str]:
        """Names that its requests may give as `model`; its repository's first."""
        model = self.order["model"]
        words = [*(model.get("command") or ()), *(model.get("args") or ())]
        served = [after for word, after in pairwise(words) if word == "--served-model-name"]
        own = [] if model.get("image", {"huggingface": {}}).keys() - {"huggingface", "tgi"} else ["tgi", "dummy"]
        return [model["repository"], *served, *own]


class EndpointRoutes(CloudRoutes):
    """The verbs of Inference Endpoints.

    Args:
        serve: Gives the command that serves a folder (a copy of the model's repo) on a port of loopback.
        answer: Makes the text of an answer from a model's name and the messages, where there is no `serve`.
        start_s: Seconds before a new engine is started, half of them `pending`, half `initializing`.
        wake_s: The same, for an endpoint that was scaled to zero.
        engine_timeout_s: Seconds in which an engine has to be well.
        settings: As for the parts below.

    Attributes:
        endpoints: By namespace and name.
    """

    endpoint_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("GET", "/endpoints/v2/provider/{namespace}", "list_endpoint_hardware"),
        ("GET", "/endpoints/v2/endpoint/{namespace}", "list_endpoints"),
        ("POST", "/endpoints/v2/endpoint/{namespace}", "create_endpoint"),
        ("GET", "/endpoints/v2/endpoint/{namespace}/{name}", "get_endpoint"),
        ("PUT", "/endpoints/v2/endpoint/{namespace}/{name}", "update_endpoint"),
        ("DELETE", "/endpoints/v2/endpoint/{namespace}/{name}", "delete_endpoint"),
        ("POST", "/endpoints/v2/endpoint/{namespace}/{name}/pause", "pause_endpoint"),
        ("POST", "/endpoints/v2/endpoint/{namespace}/{name}/resume", "resume_endpoint"),
        ("POST", "/endpoints/v2/endpoint/{namespace}/{name}/scale-to-zero", "scale_endpoint_to_zero"),
    )

    def __init__(
        self,
        *,
        serve: Callable[[Path, int], Sequence[str]] | None = None,
        answer: Callable[[str, list[dict[str, Any]]], str] = echo,
        start_s: float = 0.2,
        wake_s: float = 0.5,
        engine_timeout_s: float = 600.0,
        **settings: Any,
    ) -> None:
        """Have no endpoints."""
        self.serve, self.answer = serve, answer
        self.start_s, self.wake_s, self.engine_timeout_s = start_s, wake_s, engine_timeout_s
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        super().__init__(**settings)

    def noted(self, request: Request) -> Any:
        """Give the body without secrets, and without the password of an image's registry."""
        body = super().noted(request)
        return _without_password(body) if request.path.startswith("/endpoints/") else body

    # The verbs.

    def create_endpoint(self, request: Request, namespace: str) -> Reply:
        """Take an order."""
        body = body_of(request)
        account = self.acting_for(request, namespace)
        compute = _checked(body)
        self.ordering(request, namespace, usd_per_hour=compute.usd_per_hour)
        name = body["name"]
        if (namespace, name) in self.endpoints:
            raise Declined(409, f"The endpoint {name} exists already (simulated)")
        now = self.clock()
        endpoint = Endpoint(name, namespace, account.user, body, now, now, now, Log(self.clock))
        endpoint.gate = Gate(partial(self._way, endpoint))
        self.endpoints[namespace, name] = endpoint
        self._start_endpoint(endpoint, "pending", self.start_s)
        return Reply(endpoint_shape(endpoint), 202)

    def list_endpoints(self, request: Request, namespace: str) -> Reply:
        """List the endpoints of a namespace."""
        self.watching(request, namespace)
        return Reply({"items": [endpoint_shape(each) for each in self.endpoints.values() if each.owner == namespace]})

    def get_endpoint(self, request: Request, namespace: str, name: str) -> Reply:
        """Give an endpoint."""
        return Reply(endpoint_shape(self._endpoint(request, namespace, name)))

    def update_endpoint(self, request: Request, namespace: str, name: str) -> Reply:
        """Change an order; a running endpoint gets a new engine."""
        endpoint = self._endpoint(request, namespace, name, change=True)
        order = _merged(endpoint.order, body_of(request)) | {"name": name}
        compute = _checked(order)
        self.ordering(request, namespace, usd_per_hour=compute.usd_per_hour)
        endpoint.order = order
        if endpoint.state not in {"paused", "scaledToZero"}:
            self._start_endpoint(endpoint, "updating", self.start_s)
        return Reply(endpoint_shape(endpoint))

    def delete_endpoint(self, request: Request, namespace: str, name: str) -> Reply:
        """Remove an endpoint, and its address."""
        endpoint = self._endpoint(request, namespace, name, change=True)
        del self.endpoints[namespace, name]
        self._stop_endpoint(endpoint, "paused")
        endpoint.gate.close()
        return Reply({}, 202)

    def pause_endpoint(self, request: Request, namespace: str, name: str) -> Reply:
        """Stop an endpoint until it is resumed."""
        endpoint = self._endpoint(request, namespace, name, change=True)
        self._stop_endpoint(endpoint, "paused")
        return Reply(endpoint_shape(endpoint))

    def resume_endpoint(self, request: Request, namespace: str, name: str) -> Reply:
        """Start an endpoint that was paused or has failed."""
        endpoint = self._endpoint(request, namespace, name, change=True)
        demand(endpoint.state not in {"running", "pending", "initializing", "updating"}, "The endpoint is already running")
        self.ordering(request, namespace, usd_per_hour=_checked(endpoint.order).usd_per_hour)
        self._start_endpoint(endpoint, "pending", self.start_s)
        return Reply(endpoint_shape(endpoint))

    def scale_endpoint_to_zero(self, request: Request, namespace: str, name: str) -> Reply:
        """Stop an endpoint until somebody asks it something."""
        endpoint = self._endpoint(request, namespace, name, change=True)
        demand(endpoint.state in {"running", "scaledToZero"}, f"The endpoint is {endpoint.state}, not running")
        self._stop_endpoint(endpoint, "scaledToZero")
        return Reply(endpoint_shape(endpoint))

    def list_endpoint_hardware(self, request: Request, namespace: str) -> Reply:
        """List machines and prices, by vendor and region."""
        self.watching(request, namespace)
        vendors: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for compute in COMPUTES:
            vendors.setdefault(compute.vendor, {}).setdefault(compute.region, []).append(compute.shape(self._used_of(namespace, compute)))
        return Reply(
            {
                "vendors": [
                    {"name": vendor, "regions": [{"name": region, "computes": computes} for region, computes in regions.items()]}
                    for vendor, regions in vendors.items()
                ]
            }
        )

    # What happens to an endpoint.

    def _endpoint(self, request: Request, namespace: str, name: str, *, change: bool = False) -> Endpoint:
        self.watching(request, namespace)
        if change:
            self.acting_for(request, namespace)
        endpoint = self.endpoints.get((namespace, name))
        if endpoint is None:
            raise Declined(404, f"There is no endpoint {name} (simulated)")
        return endpoint

    def _used_of(self, namespace: str, compute: Compute) -> int:
        """Count the accelerators of a kind that run for a namespace."""
        running = [_checked(each.order) for each in self.endpoints.values() if each.owner == namespace and each.port]
        return sum(each.gpus or each.cpus for each in running if (each.vendor, each.type) == (compute.vendor, compute.type))

    def _way(self, endpoint: Endpoint, token: str) -> Way:
        """Say where a request to an endpoint goes; it wakes one that sleeps."""
        with self.lock:
            account = self.tokens.get(token)
            kind = endpoint.order["type"]
            if account is None and kind != "public":
                return Way(status=401, reason="Unauthorized (simulated)")
            if kind in {"protected", "private"} and account and endpoint.owner not in {account.user, *account.orgs}:
                return Way(status=403, reason="Forbidden (simulated)")
            endpoint.used_s = self.clock()
            if endpoint.state == "running":
                return Way(port=endpoint.port)
            if endpoint.state == "scaledToZero":
                self._start_endpoint(endpoint, "initializing", self.wake_s)
            return Way(status=503, reason="Service Unavailable")

    def _stop_endpoint(self, endpoint: Endpoint, state: str) -> None:
        endpoint.turn.set()
        endpoint.state, endpoint.message, endpoint.port, endpoint.updated_s = state, "", 0, self.clock()

    def _start_endpoint(self, endpoint: Endpoint, state: str, start_s: float) -> None:
        self._stop_endpoint(endpoint, state)
        endpoint.turn, endpoint.used_s = threading.Event(), self.clock()
        what = f"endpoint-{endpoint.name}"
        self.look_after(what, partial(self._live_endpoint, endpoint, endpoint.turn, start_s), endpoint.turn.set, endpoint.gate.close)

    def _live_endpoint(self, endpoint: Endpoint, turn: threading.Event, start_s: float) -> None:
        updating = endpoint.state == "updating"
        if turn.wait(start_s / 2) or not (updating or self._change_endpoint(endpoint, turn, "initializing")) or turn.wait(start_s / 2):
            return
        with self.lock:
            commit = self._served_commit(endpoint)
        broken = "updateFailed" if updating else "failed"
        if commit is None:
            self._change_endpoint(endpoint, turn, broken, "The repository or its revision was not found (simulated)")
            return
        endpoint.revision = commit.oid
        if self.serve is not None:
            self._run_engine(endpoint, turn, commit, broken)
            return
        repository, *others = endpoint.model_names
        with Engine(repository, adapters=dict.fromkeys(others, repository), reply=self.answer) as engine:
            self._attend(endpoint, turn, int(engine.base_url.rpartition(":")[2].partition("/")[0]))

    def _run_engine(self, endpoint: Endpoint, turn: threading.Event, commit: Commit, broken: str) -> None:
        """Let the command of `serve` answer until it ends or the turn is over."""
        model, port = endpoint.order["model"], free_port()
        env = surroundings(self.url, {**(model.get("env") or {}), **(model.get("secrets") or {})})
        files = {path: blob.content for path, blob in commit.tree.items()}
        machine = Machine([], env=env, log=endpoint.log, files=files)
        machine.command = list(self.serve(machine.folder, port)) if self.serve is not None else []
        machine.start()
        deadline = time.monotonic() + self.engine_timeout_s
        code = machine.ended(_LOOK_S)
        while code is None and not turn.is_set() and time.monotonic() < deadline and not _well(port, endpoint.health_route):
            code = machine.ended(_LOOK_S)
        if code is None and _well(port, endpoint.health_route):
            code = self._attend(endpoint, turn, port, machine)
        if code is not None or time.monotonic() >= deadline:
            self._change_endpoint(
                endpoint, turn, broken, f"The engine ended: {code} (simulated)" if code is not None else "Timed out (simulated)"
            )
        machine.kill()
        machine.ended()

    def _attend(self, endpoint: Endpoint, turn: threading.Event, port: int, machine: Machine | None = None) -> int | None:
        """Let an engine answer until the turn is over (None), or until it ends of itself (its exit code)."""
        if not self._change_endpoint(endpoint, turn, "running", port=port):
            return None
        while not turn.wait(_LOOK_S):
            code = machine.ended(0) if machine is not None else None
            if code is not None:
                return code
            with self.lock:
                idle_s = endpoint.idle_s
                if idle_s is not None and self.clock() - endpoint.used_s >= idle_s and not turn.is_set():
                    self._stop_endpoint(endpoint, "scaledToZero")
        return None

    def _change_endpoint(self, endpoint: Endpoint, turn: threading.Event, state: str, message: str = "", *, port: int = 0) -> bool:
        """Go on to another state, unless the turn is over."""
        with self.lock:
            if turn.is_set():
                return False
            endpoint.state, endpoint.message, endpoint.port, endpoint.updated_s = state, message, port, self.clock()
            return True

    def _served_commit(self, endpoint: Endpoint) -> Commit | None:
        """Give the commit to serve; None: there is none that the endpoint's owner may see."""
        model = endpoint.order["model"]
        repo = self.store.get("model", model["repository"])
        theirs = {endpoint.by, *(org for account in self.tokens.values() if account.user == endpoint.by for org in account.orgs)}
        if repo is None or (repo.private and repo.owner not in theirs):
            return None
        return repo.commit(model.get("revision") or "main")


def _checked(order: dict[str, Any]) -> Compute:
    """Give the machine of an order.

    Raises:
        Refused: The order is none that can be taken.
    """
    demand(isinstance(order.get("name"), str) and bool(_NAME.match(order["name"])), '"name" must be 1 to 32 of a-z, 0-9 and dashes')
    demand(order.get("type") in _TYPES, f'"type" must be one of {", ".join(_TYPES)}')
    for part in ("compute", "model", "provider"):
        demand(isinstance(order.get(part), dict), f'"{part}" is missing')
    demand(isinstance(order["model"].get("repository"), str), '"model.repository" is missing')
    demand(isinstance(order["model"].get("image"), dict), '"model.image" is missing')
    provider, compute = order["provider"], order["compute"]
    wanted = (
        provider.get("vendor"),
        provider.get("region"),
        compute.get("accelerator"),
        compute.get("instanceType"),
        compute.get("instanceSize"),
    )
    found = next((each for each in COMPUTES if (each.vendor, each.region, each.accelerator, each.type, each.size) == wanted), None)
    if found is None:
        raise Declined(400, f"There is no compute {'/'.join(map(str, wanted))} (simulated)")
    return found


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Put changes into an order: parts into parts, but an image and the variables are replaced as a whole."""
    whole = {"image", "env", "secrets", "tags"}
    return old | {
        key: _merged(old[key], value) if key not in whole and isinstance(value, dict) and isinstance(old.get(key), dict) else value
        for key, value in new.items()
    }


def _without_password(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: "(not kept)" if key == "password" else _without_password(value) for key, value in body.items()}
    return body


def _well(port: int, route: str) -> bool:
    """Tell whether an engine says that it is well."""
    engine = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        engine.request("GET", route)
        return engine.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        engine.close()
