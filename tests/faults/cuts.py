"""The connection breaks at every byte of the reply to a create: between the real client and the simulated provider stands a proxy that cuts."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import struct
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from tests.faults.ledgers import Broken
from tests.faults.points import Points
from tests.faults.worlds import AzureWorld, HubWorld, OpenAIWorld, kept_surroundings, quick_folder, rows

from anytune.data import describe
from anytune.deploy import Deployment
from anytune.ledger import submit
from anytune.model import TunedModel
from anytune.spec import TrainingSpec, spec_hash
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.ledger import JobRow

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without patience: the close is a reset."""

MODEL = "gpt-4.1-mini-2025-04-14.ft-0123456789abcdef0123456789abcdef"


class Cutter:
    """A TCP proxy on loopback that lets only the first bytes of one reply pass.

    Args:
        url: The server behind it.
        request: The beginning of the request whose reply is cut, such as `b"POST /v1/fine_tuning/jobs "`.
    """

    def __init__(self, url: str, request: bytes) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname or "", parts.port or 80)
        self._request = request
        self._allowed: int | None = None
        self.replied = 0
        self.cuts = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "") -> str:
        """Give the address of the proxy."""
        return f"http://127.0.0.1:{self._door.getsockname()[1]}{path}"

    def cut_at(self, allowed: int | None) -> None:
        """Let so many bytes of the next such reply pass, then break the connection: closed at even numbers, reset at odd ones."""
        self._allowed = allowed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        """Carry bytes both ways until one side ends; requests are not pipelined, so what comes back belongs to the last one."""
        with client, contextlib.suppress(OSError), socket.create_connection(self._behind) as server:
            watched = False
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if client in readable:
                    asked = client.recv(65536)
                    if asked.startswith(self._request):
                        watched, self.replied = True, 0
                    server.sendall(asked)
                    if not asked:
                        return
                if server in readable:
                    reply = server.recv(65536)
                    if not reply:
                        return
                    if watched and self._broken(client, reply):
                        return
                    client.sendall(reply)

    def _broken(self, client: socket.socket, reply: bytes) -> bool:
        """Send what is still allowed of a reply, and break off where it is more."""
        before, self.replied = self.replied, self.replied + len(reply)
        if self._allowed is None or self.replied <= self._allowed:
            return False
        client.sendall(reply[: self._allowed - before])
        if self._allowed % 2:
            time.sleep(0.001)  # a reset may overtake what was sent
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._allowed = None
        self.cuts += 1
        return True


class Cuts(NamedTuple):
    """What was cut: `offsets` of the `length` bytes of a reply, and how long it took."""

    offsets: int
    length: int
    seconds: float


class _Table:
    """A world, a proxy in front of it, and a ledger."""

    world: OpenAIWorld | AzureWorld | HubWorld
    request: bytes

    def __init__(self) -> None:
        self._kept = ExitStack()
        self._kept.enter_context(kept_surroundings())
        self.folder = Path(tempfile.mkdtemp(prefix="anytune-cuts-", dir=quick_folder()))
        os.environ["ANYTUNE_HOME"] = str(self.folder / "home")
        self.world.fresh(self.folder)
        self.number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.ledger.close()
        self.backend.close()
        self.world.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._kept.close()

    def opened(self, cutter: Cutter) -> None:
        """Set the backend up behind the proxy."""
        self.cutter = cutter
        self.context, _ = self.world.context(self.folder, Points())
        self.backend = self.behind(cutter)
        self.context.backends = {self.backend.name: self.backend}

    def one(self, at: int | None) -> None:
        """Make one thing with its reply cut, and see that there is one."""
        raise NotImplementedError


class JobCuts(_Table):
    """The reply to the create of a job."""

    def __init__(self, world: OpenAIWorld | HubWorld) -> None:
        self.world = world
        self.request = b"POST /v1/fine_tuning/jobs " if isinstance(world, OpenAIWorld) else b"POST /api/jobs/acme "
        super().__init__()
        self.train = describe(rows(self.folder), "train")

    def behind(self, cutter: Cutter):
        return self.world.backend(Points(), door=cutter.url("/v1" if isinstance(self.world, OpenAIWorld) else ""))

    def one(self, at: int | None) -> None:
        self.number += 1
        row = self._claimed(f"cut-{self.number}")
        made = len(self.world.jobs())
        self.cutter.cut_at(at)
        row = submit(self.context.ledger, self.backend, row, retry=self.context.retry, clock=self.context.clock, sleep=self.context.sleep)
        new = self.world.jobs()[made:]
        if [(job.id, job.ref) for job in new] != [(row.remote_id, row.id)]:
            raise Broken(f"G2: the reply was cut at byte {at}; the ledger has {row.remote_id}, and there was made: {new}")

    def _claimed(self, name: str) -> JobRow:
        spec = TrainingSpec(backend=self.backend.name, model=self.world.model, train=self.train.path, name=name)
        data = {"train": self.train}
        digest = spec_hash(spec, model=self.world.model, data={"train": self.train.sha256})
        fixed = {"profile": None, "spec": spec, "spec_hash": digest, "model": self.world.model, "data": data, "host": None}
        return self.context.ledger.claim(backend=self.backend.name, account=self.backend.account, name=name, **fixed)[0]


class HostCuts(_Table):
    """The reply to the PUT that makes a deployment at Azure."""

    def __init__(self, world: AzureWorld) -> None:
        self.world = world
        self.request = b"PUT /subscriptions/"
        super().__init__()
        world.provider.ask("add_model", model=MODEL)

    def behind(self, cutter: Cutter):
        return self.world.backend(Points(), arm_door=cutter.url())

    def one(self, at: int | None) -> None:
        self.cutter.cut_at(at)
        tuned = TunedModel(ModelRef(id=MODEL), backend=self.backend.name, context=self.context)
        host = Deployment.start(tuned, ttl_s=600.0, context=self.context)
        live = self.world.live_hosts()
        if live != [host.id]:
            raise Broken(f"G2: the reply was cut at byte {at}; the ledger has {host.id}, and there is: {live}")
        host.stop()
        if self.world.live_hosts():
            raise Broken(f"G7: the reply was cut at byte {at}, and the host still costs money")


def cut(table: _Table, offsets: Iterable[int] | None = None, *, every: int = 1) -> Cuts:
    """Cut a reply at these bytes, or at every so many of them.

    Raises:
        Broken: There was no thing, or more than one, or another one than the ledger has.
    """
    began = time.monotonic()
    with table, Cutter(table.world.url, table.request) as cutter:
        table.opened(cutter)
        table.one(None)  # the first one loads what the others need
        table.one(None)
        length = cutter.replied
        wanted = list(offsets if offsets is not None else range(0, length, every))
        for at in wanted:
            table.one(at)
        if cutter.cuts != len(wanted):
            raise Broken(f"{cutter.cuts} of {len(wanted)} replies were cut")
    return Cuts(len(wanted), length, time.monotonic() - began)
