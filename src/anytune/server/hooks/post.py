"""One call to one webhook: looked up, pinned, sent, and judged by its status alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
from anyio import CapacityLimiter, to_thread

import anytune
from anytune.server.hooks import addresses

if TYPE_CHECKING:
    import ssl

    from anytune.server.config import Webhook

__all__ = ["Gone", "Post", "Untaken"]

_GONE = 410
_LOOKUPS = 8
"""Names looked up at the same time, also those that nobody waits for any more: a resolver that hangs takes none of the API's threads."""


class Untaken(Exception):
    """A call that was not taken; the text says why, in our words only."""


class Gone(Untaken):
    """The receiver wants no more of it (410)."""


class Post:
    """Makes calls.

    Nothing of a reply is read but its status, no redirect is followed, no proxy of the environment is asked, and no connection is kept: the
    next call is checked anew.

    Args:
        resolve: Gives the addresses of a name.
        transport: How requests travel.
        trust: Which certificates are believed; None for the system's.
        timeout_s: Seconds for one call, with the look-up of its name.
    """

    def __init__(
        self,
        *,
        resolve: addresses.Resolve = addresses.system,
        transport: httpx2.AsyncBaseTransport | None = None,
        trust: ssl.SSLContext | None = None,
        timeout_s: float = 15.0,
    ) -> None:
        """Keep the parts; nothing is opened."""
        self._resolve, self._transport, self._trust, self._timeout_s = resolve, transport, trust, timeout_s
        self._client: httpx2.AsyncClient | None = None
        self._lookups = CapacityLimiter(_LOOKUPS)

    async def send(self, webhook: Webhook, headers: dict[str, str], body: bytes) -> None:
        """Make one call; any 2xx is a yes.

        Raises:
            Untaken: Nobody answered in time, or not with a yes, or the address is not allowed.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._called(webhook, headers, body)
        except TimeoutError:
            raise Untaken(f"no answer within {self._timeout_s:g} s") from None
        except addresses.Refused as refused:
            raise Untaken(str(refused)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Untaken(f"the connection failed ({type(error).__name__})") from None
        if status == _GONE:
            raise Gone(f"answered {status}")
        if not httpx2.codes.is_success(status):
            raise Untaken(f"answered {status}" + (", and redirects are not followed" if httpx2.codes.is_redirect(status) else ""))

    async def close(self) -> None:
        """Let go of what is open."""
        if self._client is not None:
            await self._client.aclose()

    async def _called(self, webhook: Webhook, headers: dict[str, str], body: bytes) -> int:
        target = addresses.place(webhook.url, private=webhook.private)
        pinned = await to_thread.run_sync(
            lambda: addresses.looked_up(target, private=webhook.private, resolve=self._resolve),
            abandon_on_cancel=True,
            limiter=self._lookups,
        )
        own = {"host": target.authority, "content-type": "application/json", "user-agent": f"anytune/{anytune.__version__}"}
        for place, ip in enumerate(pinned, start=1):
            request = self._opened().build_request(
                "POST",
                target.at(ip),
                headers=own | headers,
                content=body,
                extensions={"sni_hostname": target.host.strip("[]")},  # the name is what the certificate must be for
            )
            try:
                reply = await self._opened().send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if place == len(pinned):
                    raise
                continue  # nothing was sent yet: the name's next address
            await reply.aclose()
            return reply.status_code
        raise addresses.Refused("its name could not be looked up")

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self._transport,
                verify=self._trust or True,
                trust_env=False,
                follow_redirects=False,
                timeout=self._timeout_s,
                limits=httpx2.Limits(max_keepalive_connections=0),  # a connection is to an address; the next name at it may be another
            )
        return self._client
