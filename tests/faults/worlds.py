"""The providers that lives are led at: the memory backend, and the simulated OpenAI, Azure and Hugging Face Jobs, each over real HTTP."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils._http import default_client_factory
from tests.faults.jobs_backend import HUB_CONSTANTS, jobs_backend
from tests.faults.points import Points, Watched, WatchedMemory
from tests.faults.provider import Provider

from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import AzureSimulator, Life, MemoryBackend, OpenAISimulator, WireFaults
from anytune.testing.simulators.hub import HubSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.backend import Backend

SETTLE_S = 0.15
"""The settle window of a hosted world: well above the few milliseconds in which a request that was sent takes effect here."""

_LONGEST_NAP_S = 0.02


class Made(NamedTuple):
    """A job that a provider has.

    Attributes:
        id: The provider's.
        ref: Our tag, as far as the provider keeps it.
        live: Whether it has not ended.
    """

    id: str
    ref: str
    live: bool


class World:
    """A provider, its backend, and what it truly has. Subclasses fill the blanks.

    Attributes:
        name: The word for it.
        model: What is tuned there.
        trains: Jobs go on to success; else they wait for ever, and lives end by a cancel.
        hosts: Models are hosted there on a host of their own.
    """

    name: ClassVar[str]
    model: ClassVar[str]
    trains: ClassVar[bool] = True
    hosts: ClassVar[bool] = True

    def fresh(self, folder: Path, *, settle_s: float = SETTLE_S, faults: WireFaults | None = None) -> None:
        """Begin with a provider that holds nothing."""
        raise NotImplementedError

    def backend(self, points: Points) -> Backend:
        """Set the backend up, watched."""
        raise NotImplementedError

    def jobs(self) -> list[Made]:
        """Give every job that was ever made there."""
        raise NotImplementedError

    def live_hosts(self) -> list[str]:
        """Give the refs of the hosts that cost money now."""
        return []

    def context(self, folder: Path, points: Points) -> tuple[Runtime, Backend]:
        """Give what a new process has: a runtime whose naps are short, and the backend under its word."""
        backend = self.backend(points)
        retry = Retry(sleep=nap, random=lambda: 1.0)
        context = Runtime(ledger_url=f"sqlite:///{folder}/ledger.db", retry=retry, sleep=nap, backends={backend.name: backend})
        return context, backend

    def close(self) -> None:
        """End the provider."""


def nap(seconds: float) -> None:
    """Sleep, but never for long: whoever waits for a condition looks again."""
    time.sleep(min(seconds, _LONGEST_NAP_S))


class MemoryWorld(World):
    """The memory backend with its state in a file."""

    name = "memory"
    model = "m"
    life = Life(words=("queued", "running", "succeeded"))

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))  # the kernel completes connections: a host that answers
        self._state = Path()

    def fresh(self, folder: Path, *, settle_s: float = 0.0, faults: WireFaults | None = None) -> None:
        del settle_s, faults
        self._state = folder / "provider.json"

    def backend(self, points: Points) -> Backend:
        return WatchedMemory(points, f"http://127.0.0.1:{self._door.getsockname()[1]}", state_file=self._state, life=self.life)

    def jobs(self) -> list[Made]:
        made = MemoryBackend(state_file=self._state).store.read().jobs.values()
        return [Made(job.id, job.ref, live=not job.cancelled and job.life.words[job.position] != "succeeded") for job in made]

    def live_hosts(self) -> list[str]:
        hosts = MemoryBackend(state_file=self._state).store.read().deployments.values()
        return [host.ref for host in hosts if host.state != "gone"]

    def close(self) -> None:
        self._door.close()


class OpenAIWorld(World):
    """The simulated OpenAI; its models answer without a host of their own."""

    name = "openai"
    model = "gpt-4.1-mini-2025-04-14"
    hosts = False

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._settle_s = SETTLE_S
        self.provider = Provider(
            lambda faults: OpenAISimulator(faults=faults, life=Life(words=("queued", "running", "succeeded"))),
            {"told": _told, "jobs": _tagged, "faults": _set_faults, "count": _count, "files": _files},
        )

    def fresh(self, folder: Path, *, settle_s: float = SETTLE_S, faults: WireFaults | None = None) -> None:
        del folder
        self._settle_s = settle_s
        self._told = self.provider.fresh(faults=faults)

    def backend(self, points: Points, *, door: str | None = None) -> Backend:
        from anytune_openai import OpenAIBackend

        made = OpenAIBackend(
            base_url=door or self._told["base_url"], api_key=self._told["api_key"], timeout_s=30.0, settle_s=self._settle_s
        )
        made.connection = dataclasses.replace(made.connection, transport=Watched(points))
        return made

    @property
    def url(self) -> str:
        """The address of the provider."""
        return str(self._told["base_url"])

    def jobs(self) -> list[Made]:
        return [Made(*one) for one in self.provider.ask("jobs")]

    def set_faults(self, faults: WireFaults) -> None:
        """Change what goes wrong."""
        self.provider.ask("faults", faults=faults)

    def close(self) -> None:
        self.provider.close()


class AzureWorld(World):
    """The simulated resource of Azure, with hosts through ARM."""

    name = "azure"
    model = "gpt-4.1-mini-2025-04-14"

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._settle_s = SETTLE_S
        verbs = {"told": _azure_told, "jobs": _tagged, "hosts": _arm_hosts, "faults": _set_faults, "count": _count, "add_model": _add_model}
        self.provider = Provider(lambda faults: AzureSimulator(faults=faults, life=Life(words=("pending", "running", "succeeded"))), verbs)

    def fresh(self, folder: Path, *, settle_s: float = SETTLE_S, faults: WireFaults | None = None) -> None:
        del folder
        self._settle_s = settle_s
        self._told = self.provider.fresh(faults=faults)

    def backend(self, points: Points, *, arm_door: str | None = None) -> Backend:
        from anytune_azure import AzureBackend

        told = self._told | ({"arm_url": arm_door} if arm_door else {})
        made = AzureBackend(**told, timeout_s=30.0, settle_s=self._settle_s)
        made.connection = dataclasses.replace(made.connection, transport=Watched(points))
        return made

    @property
    def url(self) -> str:
        """The address of the provider."""
        return str(self._told["arm_url"])

    def jobs(self) -> list[Made]:
        return [Made(*one) for one in self.provider.ask("jobs")]

    def live_hosts(self) -> list[str]:
        return list(self.provider.ask("hosts"))

    def set_faults(self, faults: WireFaults) -> None:
        """Change what goes wrong."""
        self.provider.ask("faults", faults=faults)

    def close(self) -> None:
        self.provider.close()


class HubWorld(World):
    """The simulated Hugging Face Jobs, whose Jobs wait for a machine for ever: a life there is a create and a cancel."""

    name = "trl@hf_jobs"
    model = "acme/tiny"
    trains = False
    hosts = False

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self.provider = Provider(_hub, {"told": _hub_told, "jobs": _hub_jobs, "faults": _set_faults})

    def fresh(self, folder: Path, *, settle_s: float = SETTLE_S, faults: WireFaults | None = None) -> None:
        del settle_s
        self._told = self.provider.fresh(faults=faults)
        (folder / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}', encoding="utf-8")
        self._folder = folder

    def backend(self, points: Points, *, door: str | None = None) -> Backend:
        return jobs_backend(points, self._folder, self._told["environment"] | ({"HF_ENDPOINT": door} if door else {}))

    def context(self, folder: Path, points: Points) -> tuple[Runtime, Backend]:
        """Let naps move the clock: the place's settle window is four minutes, and no setting."""
        skipped = [0.0]

        def skip(seconds: float) -> None:
            skipped[0] += seconds
            time.sleep(min(seconds, 0.05))

        context, backend = super().context(folder, points)
        context.sleep, context.clock = skip, lambda: time.monotonic() + skipped[0]
        context.retry = Retry(sleep=skip, clock=context.clock, random=lambda: 1.0)
        return context, backend

    @property
    def url(self) -> str:
        """The address of the provider."""
        return str(self._told["environment"]["HF_ENDPOINT"])

    def jobs(self) -> list[Made]:
        return [Made(*one) for one in self.provider.ask("jobs")]

    def close(self) -> None:
        self.provider.close()


WORLDS: dict[str, type[World]] = {world.name: world for world in (MemoryWorld, OpenAIWorld, AzureWorld, HubWorld)}


@contextmanager
def kept_surroundings() -> Iterator[None]:
    """Put back at the end what worlds change in this process: the environment, and what the library of the Hub read from it.

    Meanwhile nothing is logged: of hosts that nobody watches and jobs that exist twice there are hundreds, on purpose.
    """
    environment = dict(os.environ)
    known = {name: getattr(constants, name) for name in HUB_CONSTANTS}
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        os.environ.clear()
        os.environ.update(environment)
        for name, value in known.items():
            setattr(constants, name, value)
        set_client_factory(default_client_factory)


def rows(folder: Path, *, count: int = 12) -> Path:
    """Write a training file."""
    path = folder / "train.jsonl"
    chats = [
        {"messages": [{"role": "user", "content": f"{number} cups of rice"}, {"role": "assistant", "content": f"rice {number}"}]}
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in chats), encoding="utf-8")
    return path


def quick_folder() -> str | None:
    """Give a place in memory for ledgers, where there is one: a process that is killed loses nothing that it wrote there either."""
    place = "/dev/shm"
    return place if os.access(place, os.W_OK) else None


def _told(held: OpenAISimulator) -> dict[str, Any]:
    return {"base_url": held.base_url, "api_key": held.api_key}


def _azure_told(held: AzureSimulator) -> dict[str, Any]:
    return {
        "endpoint": held.endpoint, "api_key": held.api_key, "arm_url": held.arm_url, "arm_token": held.entra_token,
        "subscription_id": held.subscription_id, "resource_group": held.resource_group, "account_name": held.resource,
    }  # fmt: skip


def _hub(faults: WireFaults | None) -> HubSimulator:
    held = HubSimulator(user="acme", orgs=(), scheduling_s=1e6, faults=faults)
    held.add("model", "acme/tiny", {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": b"\x02" + bytes(7) + b"{}"})
    return held


def _hub_told(held: HubSimulator) -> dict[str, Any]:
    return {"environment": held.environment()}


def _hub_jobs(held: HubSimulator) -> list[tuple[str, str, bool]]:
    ended = {"COMPLETED", "CANCELED", "ERROR"}
    return [(job.id, job.labels.get("anytune_ref", ""), job.stage not in ended) for job in held.jobs.values()]


def _tagged(held: OpenAISimulator | AzureSimulator) -> list[tuple[str, str, bool]]:
    return [(job.id, job.metadata.get("anytune_ref", "") or (job.suffix or ""), not job.ended) for job in held.jobs]


def _arm_hosts(held: AzureSimulator) -> list[str]:
    with held.lock:
        return [one.tags.get("anytune_ref", one.name) for one in held.deployments.values() if not one.gone]


def _set_faults(held: Any, faults: WireFaults) -> None:
    held.faults = faults


def _count(held: Any, route: str) -> int:
    return int(held.count(route))


def _files(held: OpenAISimulator) -> int:
    return sum(file.purpose == "fine-tune" for file in held.files)


def _add_model(held: AzureSimulator, model: str) -> None:
    held.add_model(model)
