"""One engine as the pool sees it, and the hold that a question has on it while it is answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from anyio import to_thread

from anytune.server.engines.hosts import bearer
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anytune.deploy import Deployment
    from anytune.server.engines.names import Lead
    from anytune.values import Address, ModelRef

__all__ = ["Engine", "Held"]

_SOON_S = 600.0


class Engine:
    """Something that answers.

    Args:
        key: Which model, hosted how.
        adapters: Tuned models that share it, by the name that they are asked by.
        deployment: Its host; None where the provider serves the model anyway.
        own: Whether this server started it, and ends it.
    """

    def __init__(
        self, key: str, *, adapters: Mapping[str, ModelRef] | None = None, deployment: Deployment | None = None, own: bool = False
    ) -> None:
        """Count from now on; it answers once `address` is set."""
        self.key, self.adapters, self.deployment, self.own = key, dict(adapters or {}), deployment, own
        self.address: Address | None = None
        self.asked: Lead | None = None
        self.closing = False
        self.questions = 0
        self.used_at = time.monotonic()
        self.released: Callable[[], object] = lambda: None

    @property
    def ready(self) -> bool:
        """Whether new questions may go to it."""
        return self.address is not None and not self.closing

    def knows(self, lead: Lead) -> bool:
        """Tell whether it answers for a name."""
        return lead.base is None or self.key == lead.alone or lead.model.id == lead.base.id or lead.name in self.adapters

    @property
    def expires_soon(self) -> bool:
        """Whether it ends by itself so soon that it needs a successor: in the last quarter of its time, ten minutes at most."""
        if self.deployment is None:
            return False
        left_s = (self.deployment.expires_at - now()).total_seconds()
        return left_s <= min(self.deployment.row.ttl_s / 4, _SOON_S)

    def idle_s(self) -> float:
        """Give the seconds without a question; 0 while one is answered."""
        return 0.0 if self.questions else time.monotonic() - self.used_at


class Held:
    """An engine that answers one question: it is not ended for idleness before `release`.

    Attributes:
        engine: Which.
        model: The name that it wants as `model`.
    """

    __slots__ = ("_address", "engine", "model")

    def __init__(self, engine: Engine, address: Address, lead: Lead) -> None:
        """Take hold."""
        self.engine, self._address = engine, address
        self.model = lead.name if lead.name in engine.adapters else address.model
        engine.questions += 1

    @property
    def base_url(self) -> str:
        """URL up to and including `/v1`."""
        return self._address.base_url

    @property
    def own(self) -> bool:
        """Whether it is this machine's: its key stays the same, and is given out while its gate lives."""
        return self._address.token is not None and self._address.credential is not None

    async def headers(self) -> dict[str, str]:
        """Give the headers of a question: the engine's own, and the key that is good now."""
        address = self._address
        headers = {**address.headers, "content-type": "application/json", "accept-encoding": "identity"}
        if address.token is not None:
            headers["authorization"] = await to_thread.run_sync(bearer, address)
        elif address.credential is not None:
            headers["authorization"] = bearer(address)
        return headers

    def release(self) -> None:
        """Let go; the engine's idle time begins when nobody holds it."""
        self.engine.questions -= 1
        self.engine.used_at = time.monotonic()
        self.engine.released()
