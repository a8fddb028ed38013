"""Spaces of the simulated Hub: the app of a Docker Space really runs, in a process of this machine.

A commit with a Dockerfile, in a Space whose SDK is `docker`, "builds": its lines are read and shown in the log of the build, RUN, COPY
and FROM are not carried out, and a Dockerfile that cannot be read is a `BUILD_ERROR`. Then CMD really runs, in a folder with the repo's
files, whatever WORKDIR and COPY say; its variables are those of ENV, of the Space, and its secrets.

A real Space listens on its `app_port` (README, 7860) in a container of its own. Here several would collide: each gets a free port of
loopback in the variable PORT, and where the number of `app_port` stands as a word of CMD or as the value of an ENV it is replaced.
The app runs when it answers there; `domains` of the runtime says where, without asking for a token.

What is not known of the real ones, and decided here (2026-11-23): an app that ends is a `RUNTIME_ERROR` whatever its exit code; the old
app is gone while a new one is built (the real one stays, as `RUNNING_BUILDING`); a paused Space stays so when it gets a commit; nobody
visits, so that a Space sleeps after its sleep time, to be woken by a restart.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import yaml

from anytune.testing.simulators.hub.cloud import CloudRoutes, demand
from anytune.testing.simulators.hub.dockerfiles import BadDockerfile, Image, read_dockerfile
from anytune.testing.simulators.hub.errors import Refused
from anytune.testing.simulators.hub.machines import Log, Machine, answers, free_port, surroundings
from anytune.testing.simulators.hub.prices import SPACE_FLAVORS
from anytune.testing.simulators.hub.repos import body_of
from anytune.testing.simulators.hub.shapes import runtime_shape, settings_shape
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.hub.store import Repo

__all__ = ["Setting", "Space", "SpaceRoutes"]

_FREE_SLEEP_S = 48 * 3600
"""CPU Basic sleeps after two days; that cannot be changed (huggingface_hub 2.4.0, `request_space_hardware`)."""

_LOOK_S = 0.05


class Setting(NamedTuple):
    """A variable or a secret; `at_s` in seconds since 1970."""

    value: str
    description: str
    at_s: float

    def __repr__(self) -> str:
        """Keep the value to itself."""
        return f"Setting(description={self.description!r}, at_s={self.at_s})"


@dataclass
class Space:
    """What runs for a Space's repo.

    Attributes:
        repo: Its repo.
        requested: The hardware it shall have.
        hardware: The hardware it has, or had last.
        sleep_s: Seconds it stays awake; None: for ever.
        message: Why it is in an error's stage.
        build_log: What its build said.
        run_log: What its app printed.
        turn: Set when its present life is to end.
    """

    repo: Repo
    requested: str
    sleep_s: int | None
    build_log: Log
    run_log: Log
    hardware: str = "cpu-basic"
    stage: str = "NO_APP_FILE"
    message: str | None = None
    variables: dict[str, Setting] = field(default_factory=dict)
    secrets: dict[str, Setting] = field(default_factory=dict, repr=False)
    port: int = 0
    machine: Machine | None = None
    turn: threading.Event = field(default_factory=threading.Event, repr=False)


class SpaceRoutes(CloudRoutes):
    """The verbs of Spaces, beside those of their repos.

    Args:
        build_s: Seconds that a build takes.
        launch_timeout_s: Seconds in which an app has to answer.
        settings: As for the parts below.

    Attributes:
        spaces: By the id of their repo in lower-case letters.
    """

    space_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("GET", "/api/spaces/hardware", "list_space_hardware"),
        ("GET", "/api/spaces/{repo}/runtime", "space_runtime"),
        ("POST", "/api/spaces/{repo}/hardware", "request_space_hardware"),
        ("POST", "/api/spaces/{repo}/sleeptime", "set_space_sleep_time"),
        ("POST", "/api/spaces/{repo}/pause", "pause_space"),
        ("POST", "/api/spaces/{repo}/restart", "restart_space"),
        ("GET", "/api/spaces/{repo}/logs/build", "space_build_log"),
        ("GET", "/api/spaces/{repo}/logs/run", "space_run_log"),
        ("GET|POST|DELETE", "/api/spaces/{repo}/secrets", "space_secrets"),
        ("GET|POST|DELETE", "/api/spaces/{repo}/variables", "space_variables"),
    )

    def __init__(self, *, build_s: float = 0.2, launch_timeout_s: float = 30 * 60, **settings: Any) -> None:
        """Have no Spaces, and see to those that come."""
        self.build_s = build_s
        self.launch_timeout_s = launch_timeout_s
        self.spaces: dict[str, Space] = {}
        self.store.on_create.append(self._space_created)
        self.store.on_commit.append(self._space_committed)
        self.store.on_delete.append(self._space_deleted)
        super().__init__(**settings)

    def more_of(self, repo: Repo) -> dict[str, Any]:
        """Tell the runtime of a Space with its repo."""
        space = self.spaces.get(repo.repo_id.lower()) if repo.kind == "space" else None
        return super().more_of(repo) | ({} if space is None else {"runtime": runtime_shape(space)})

    # The verbs.

    def create_repo(self, request: Request) -> Reply:
        """Make a repo; one of a Space may come with an order of hardware."""
        body = body_of(request)
        flavor = str(body.get("hardware") or "cpu-basic")
        if body.get("type") == "space":
            demand(flavor in SPACE_FLAVORS, f'"hardware" must be one of [{", ".join(SPACE_FLAVORS)}]')
            owner = body.get("organization") or self.signed_in(request).user
            self.ordering(request, owner, usd_per_hour=SPACE_FLAVORS[flavor].usd_per_hour)
        return super().create_repo(request)

    def space_runtime(self, request: Request, repo: str) -> Reply:
        """Say what a Space does."""
        return Reply(runtime_shape(self._space(request, repo)))

    def request_space_hardware(self, request: Request, repo: str) -> Reply:
        """Give a Space other hardware; it starts anew."""
        body = body_of(request)
        flavor = SPACE_FLAVORS.get(str(body.get("flavor")))
        demand(flavor is not None, f'"flavor" must be one of [{", ".join(SPACE_FLAVORS)}]')
        space = self._space(request, repo, change=True)
        self.ordering(request, space.repo.owner, usd_per_hour=flavor.usd_per_hour if flavor else 0.0)
        space.requested = body["flavor"]
        space.sleep_s = _sleep_s(space.requested, body.get("sleepTimeSeconds"))
        self._restart_if_awake(space)
        return Reply(runtime_shape(space))

    def set_space_sleep_time(self, request: Request, repo: str) -> Reply:
        """Let a Space on hardware that costs sleep after some seconds; -1: never."""
        seconds = body_of(request).get("seconds")
        demand(isinstance(seconds, int) and (seconds > 0 or seconds == -1), '"seconds" must be a number above 0, or -1')
        space = self._space(request, repo, change=True)
        space.sleep_s = _sleep_s(space.requested, seconds)
        return Reply(runtime_shape(space))

    def pause_space(self, request: Request, repo: str) -> Reply:
        """Stop a Space until it is restarted."""
        space = self._space(request, repo, change=True)
        self._halt_space(space, "PAUSED")
        return Reply(runtime_shape(space))

    def restart_space(self, request: Request, repo: str) -> Reply:
        """Start a Space anew; whether from the last build or from nothing (`factory`) makes no difference here."""
        space = self._space(request, repo, change=True)
        self.ordering(request, space.repo.owner, usd_per_hour=SPACE_FLAVORS[space.requested].usd_per_hour)
        self._start_space(space)
        return Reply(runtime_shape(space))

    def space_build_log(self, request: Request, repo: str) -> Reply:
        """Stream the log of the present build."""
        return self.stream(request, self._space(request, repo).build_log)

    def space_run_log(self, request: Request, repo: str) -> Reply:
        """Stream what the present app prints."""
        return self.stream(request, self._space(request, repo).run_log)

    def space_secrets(self, request: Request, repo: str) -> Reply:
        """List secrets without their values, or change one."""
        space = self._space(request, repo, change=True)
        self._settle(request, space, space.secrets)
        return Reply(settings_shape(space.secrets, values=False))

    def space_variables(self, request: Request, repo: str) -> Reply:
        """List variables, or change one."""
        space = self._space(request, repo, change=request.method != "GET")
        self._settle(request, space, space.variables)
        return Reply(settings_shape(space.variables, values=True))

    def list_space_hardware(self, request: Request) -> Reply:  # noqa: ARG002 - a route's shape
        """List machines and prices."""
        return Reply([flavor.shape(name) for name, flavor in SPACE_FLAVORS.items()])

    # What happens to a Space.

    def _space(self, request: Request, repo_id: str, *, change: bool = False) -> Space:
        return self.spaces[self.repo_of(request, repo_id, write=change, kind="space").repo_id.lower()]

    def _settle(self, request: Request, space: Space, settings: dict[str, Setting]) -> None:
        if request.method == "GET":
            return
        body = body_of(request)
        key = body.get("key")
        demand(isinstance(key, str) and key.isidentifier(), '"key" must be the name of a variable')
        if request.method == "POST":
            demand(isinstance(body.get("value"), str), '"value" must be a text')
            settings[str(key)] = Setting(body["value"], body.get("description") or "", self.clock())
        elif settings.pop(str(key), None) is None:
            raise Refused("bad_request", reason=f"There is no {key}")
        self._restart_if_awake(space)

    def _space_created(self, repo: Repo) -> None:
        if repo.kind != "space":
            return
        order = repo.created
        requested = order.get("hardware") or "cpu-basic"
        sleep_s = _sleep_s(requested, order.get("sleepTimeSeconds"))
        space = Space(repo, requested, sleep_s, Log(self.clock), Log(self.clock))
        for settings, name in ((space.variables, "variables"), (space.secrets, "secrets")):
            for each in order.get(name) or ():
                settings[each["key"]] = Setting(each["value"], each.get("description") or "", repo.at_s)
        self.spaces[repo.repo_id.lower()] = space
        self._space_committed(repo)

    def _space_committed(self, repo: Repo) -> None:
        if repo.kind == "space" and (space := self.spaces[repo.repo_id.lower()]).stage != "PAUSED":
            self._start_space(space)

    def _space_deleted(self, repo: Repo) -> None:
        if repo.kind == "space":
            self._halt_space(self.spaces.pop(repo.repo_id.lower()), "DELETING")

    def _restart_if_awake(self, space: Space) -> None:
        if space.stage in {"BUILDING", "APP_STARTING", "RUNNING", "RUNTIME_ERROR"}:
            self._start_space(space)

    def _halt_space(self, space: Space, stage: str) -> None:
        """End the present life of a Space."""
        space.turn.set()
        space.stage, space.message = stage, None
        if space.machine is not None:
            space.machine.kill()
        for log in (space.build_log, space.run_log):
            log.close()

    def _start_space(self, space: Space) -> None:
        """Begin a new life."""
        files = space.repo.files()
        front = _front_matter(files.get("README.md", b"").decode("utf-8", "replace"))
        sdk = front.get("sdk") or space.repo.created.get("sdk")
        self._halt_space(space, "NO_APP_FILE")
        if sdk != "docker" or "Dockerfile" not in files:
            return
        space.turn, space.build_log, space.run_log = threading.Event(), Log(self.clock), Log(self.clock)
        space.stage = "BUILDING"
        port = front.get("app_port")
        care = partial(self._live_space, space, space.turn, files, port if isinstance(port, int) else 7860)
        self.look_after(f"space-{space.repo.repo_id}", care, partial(self._close_space, space, space.turn))

    def _close_space(self, space: Space, turn: threading.Event) -> None:
        with self.lock:
            if space.turn is turn and not turn.is_set():
                self._halt_space(space, "STOPPED")

    def _live_space(self, space: Space, turn: threading.Event, files: dict[str, bytes], app_port: int) -> None:
        if turn.wait(self.build_s):
            return
        try:
            base = surroundings(self.url, {})
            image = read_dockerfile(files["Dockerfile"].decode("utf-8", "replace"), base)
        except BadDockerfile as error:
            self._change_space(space, turn, "BUILD_ERROR", f"{error}")
            space.build_log.close()
            return
        for step in image.steps:
            space.build_log.add(f"--> {step}")
        space.build_log.close()
        machine = self._enter_space(space, turn, image, files, app_port)
        if machine is None:
            return
        code = self._launched(machine, turn, self.launch_timeout_s, partial(answers, space.port))
        if code is None and not turn.is_set():
            if not answers(space.port):
                self._change_space(space, turn, "RUNTIME_ERROR", "Launch timed out, workload was not healthy in time (simulated)")
            elif self._change_space(space, turn, "RUNNING", None):
                code = self._awake(space, machine, turn)
        if code is not None:
            self._change_space(space, turn, "RUNTIME_ERROR", f"Exit code: {code}. Reason: the app has ended (simulated)")
        machine.kill()
        machine.ended()
        space.run_log.close()

    def _enter_space(self, space: Space, turn: threading.Event, image: Image, files: dict[str, bytes], app_port: int) -> Machine | None:
        """Start the app; None: this life has ended."""
        with self.lock:
            if turn.is_set():
                return None
            space.port = free_port()
            moved = {str(app_port): str(space.port)}
            owner, _, name = space.repo.repo_id.partition("/")
            flavor = SPACE_FLAVORS[space.requested]
            own = {
                "SPACE_ID": space.repo.repo_id,
                "SPACE_AUTHOR_NAME": owner,
                "SPACE_REPO_NAME": name,
                "SPACE_HOST": f"127.0.0.1:{space.port}",
                "ACCELERATOR": space.requested if flavor.gpus else "none",
                "CPU_CORES": str(flavor.cpus),
                "MEMORY": f"{flavor.ram_gb}Gi",
            }
            env = {key: moved.get(value, value) for key, value in image.env.items()}
            given = {key: each.value for key, each in (*space.variables.items(), *space.secrets.items())}
            command = [moved.get(word, word) for word in image.command]
            everything = surroundings(self.url, {**own, **env, **given, "PORT": str(space.port)})
            space.machine = Machine(command, env=everything, log=space.run_log, files=files)
            space.hardware, space.stage = space.requested, "APP_STARTING"
            space.run_log.add(f"===== Application Startup at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(self.clock()))} =====")
            space.machine.start()
            return space.machine

    def _awake(self, space: Space, machine: Machine, turn: threading.Event) -> int | None:
        """Wait until a running app ends, of itself (its exit code), or because it sleeps or its life is over (None)."""
        since = time.monotonic()
        while not turn.is_set():
            code = machine.ended(_LOOK_S)
            if code is not None:
                return code
            if space.sleep_s is not None and time.monotonic() - since > space.sleep_s:
                self._change_space(space, turn, "SLEEPING", None)
                return None
        return None

    def _launched(self, machine: Machine, turn: threading.Event, within_s: float, ready: Callable[[], bool]) -> int | None:
        """Wait until an app is ready, or its life or the time is over (None), or until it ends (its exit code)."""
        deadline = time.monotonic() + within_s
        while not turn.is_set() and time.monotonic() < deadline:
            code = machine.ended(_LOOK_S)
            if code is not None:
                return code
            if ready():
                return None
        return None

    def _change_space(self, space: Space, turn: threading.Event, stage: str, message: str | None) -> bool:
        """Go on to another stage, unless this life has ended."""
        with self.lock:
            if turn.is_set():
                return False
            space.stage, space.message = stage, message
            return True


def _sleep_s(flavor: str, seconds: int | None) -> int | None:
    if SPACE_FLAVORS[flavor].usd_per_hour == 0:
        return _FREE_SLEEP_S
    return seconds if seconds is not None and seconds > 0 else None


def _front_matter(readme: str) -> dict[str, Any]:
    """Read the head of a README; empty where it has none, or none that is YAML."""
    parts = readme.split("---\n", 2)
    try:
        front = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    except yaml.YAMLError:
        front = None
    return front if isinstance(front, dict) else {}
