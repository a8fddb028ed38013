"""The few calls of Azure Resource Manager that hosting a model takes: one request each, nothing retried, everything translated.

Microsoft's management SDK is not used: its sign-in refuses plain http, so that it could not be tested against a server on loopback, and
it brings its own retries. The tests hold this client against that SDK's view of the same resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from anytune.errors import MalformedReply, NotFound, Unreachable
from anytune_azure.errors import arm_error, unreadable

if TYPE_CHECKING:
    import httpx2

    from anytune_azure.identity import Identity
    from anytune_azure.settings import Target

__all__ = ["API_VERSION", "Arm"]

API_VERSION = "2025-09-01"
"""Of Microsoft.CognitiveServices; also what azure-mgmt-cognitiveservices 14.1.0 speaks (read 2026-11-22)."""

_PAGES = 100
"""More pages than any resource has: a listing that goes on longer goes round in circles."""

_SEVERAL = {"ResourceNotFound", "DeploymentNotFound", "NotFound", ""}
"""Codes of a 404 that do not tell a missing deployment from a missing resource."""


class Arm:
    """Deployments of one resource.

    Args:
        url: Address of the management plane.
        identity: Gives tokens for it.
        target: Which resource.
        timeout_s: Seconds for one answer.
        transport: What carries the requests; None: the client's own.
    """

    def __init__(
        self, url: str, identity: Identity, target: Target, *, timeout_s: float, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Keep what to ask and as whom; nothing is opened yet."""
        self._url = url
        self._identity = identity
        self._target = target
        self._timeout_s = timeout_s
        self._transport = transport
        self._client: httpx2.Client | None = None
        self._operations: dict[str, str] = {}

    def get(self, name: str) -> dict[str, Any]:
        """Give a deployment's record.

        Raises:
            NotFound: It is not there, and the resource is: confirmed by its list of deployments, since Azure's 404 does not tell which.
            ConfigError: Subscription, group or resource are not there.
        """
        reply = self._send("GET", self._path(name), f"look at deployment {name}", may_miss=True)
        if reply is None:
            self._confirm_missing(name)
            raise NotFound(
                f"There is no deployment {name}.", fix="`anytune deployments list --remote` shows what is there.", backend="azure"
            )
        return reply

    def put(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make a deployment, or the same once more: a PUT with the same body changes nothing."""
        return self._send("PUT", self._path(name), f"deploy {name}", json=body, remember=name) or {}

    def delete(self, name: str) -> None:
        """Ask for a deployment's end; one that is not there is no error."""
        if self._send("DELETE", self._path(name), f"delete deployment {name}", may_miss=True) is None:
            self._confirm_missing(name)

    def all(self) -> list[dict[str, Any]]:
        """Give every deployment of the resource, following Azure's pages."""
        found: list[dict[str, Any]] = []
        address: str | None = self._path()
        for _ in range(_PAGES):
            if address is None:
                return found
            page = self._send("GET", address, "list deployments") or {}
            found += [row for row in page.get("value") or [] if isinstance(row, dict)]
            address = self._next(page.get("nextLink"))
        raise MalformedReply("Azure's list of deployments does not end.", fix="Try again later.", backend="azure")

    def failure(self, name: str) -> object:
        """Give the error of the operation that made a deployment, where this instance started it; None where it is not known."""
        address = self._operations.get(name)
        if address is None:
            return None
        return (self._send("GET", address, f"ask why {name} failed", may_miss=True) or {}).get("error")

    def close(self) -> None:
        """Give back connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _confirm_missing(self, name: str) -> None:
        """Ask the resource itself.

        Raises:
            Unreachable: It lists what it has just denied.
        """
        if any(str(row.get("name", "")).lower() == name.lower() for row in self.all()):
            raise Unreachable(f"Azure denies deployment {name} and lists it.", fix="Try again in a minute.", backend="azure")

    def _path(self, name: str = "") -> str:
        subscription, group, account = (quote(part, safe="") for part in self._target)
        resource = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/{account}"
        place = f"/deployments/{quote(name, safe='')}" if name else "/deployments"
        return f"{self._url}{resource}{place}?api-version={API_VERSION}"

    def _next(self, link: object) -> str | None:
        """Check that a link leads back to the same host: the token goes with the request."""
        if not link:
            return None
        if urlsplit(str(link))[:2] != urlsplit(self._url)[:2]:
            raise MalformedReply(f"Azure's next page lies at another host: {str(link)[:80]!r}.", fix="Check `arm_url`.", backend="azure")
        return str(link)

    def _send(
        self, method: str, address: str, doing: str, *, json: object = None, remember: str = "", may_miss: bool = False
    ) -> dict[str, Any] | None:
        """Make one request; with `may_miss`, None is given for a 404 that may mean the deployment."""
        import httpx2  # noqa: PLC0415 - 0.1 s, and only hosting needs it

        headers = {"Authorization": f"Bearer {self._identity.token()}"}
        try:
            reply = self._opened().request(method, address, json=json, headers=headers)
        except httpx2.TimeoutException as error:
            raise Unreachable(f"Azure did not answer within {self._timeout_s:g} s when asked to {doing}.", fix="Try again.") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            fix = "Check the network and `arm_url`, then try again."
            raise Unreachable(f"{type(error).__name__} when Azure was asked to {doing}: {error}.", fix=fix, backend="azure") from error
        body = _json(reply)
        if reply.status_code == httpx2.codes.NOT_FOUND and may_miss and _code(body) in _SEVERAL:
            return None
        if not reply.is_success and not reply.is_redirect:
            raise arm_error(
                reply.status_code, body, doing=doing, renew=self._identity.renew, headers=dict(reply.headers), raw=reply.text[:2000]
            )
        if reply.is_redirect or (reply.content and not isinstance(body, dict)):
            fix = "Check that `arm_url` is Azure's, and no proxy's."
            raise MalformedReply(unreadable(reply.status_code, reply.text), fix=fix, backend="azure")
        watched = reply.headers.get("azure-asyncoperation")
        if remember and watched:
            self._operations[remember] = self._next(watched) or ""
        return body if isinstance(body, dict) else {}

    def _opened(self) -> httpx2.Client:
        if self._client is None:
            import httpx2  # noqa: PLC0415 - as above

            self._client = httpx2.Client(timeout=self._timeout_s, transport=self._transport)
        return self._client


def _json(reply: httpx2.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code") or "") if isinstance(error, dict) else ""
