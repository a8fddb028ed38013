"""The server under every simulator: real HTTP on loopback, routes, a log of what was asked, and the faults on the way."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Self

from pydantic import TypeAdapter
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from anytune.testing.simulators.faults import WireFault, WireFaults

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = ["Asked", "Reply", "Service", "json_of"]

_LATE = "anytune.late"
"""In the environ of a request that takes effect later, which needs its files until then."""

_PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")

_PAGE = b"<!doctype html><title>Sign in</title><p>Your network asks for a password."


class Asked(NamedTuple):
    """A request that arrived.

    Attributes:
        method: `GET`, `POST`, …
        path: As it was asked for, without the query.
        route: The route's template, as `WireFault.on` names it: `POST /fine_tuning/jobs`.
        query: The query's parameters; of several with one name the first.
        json: The body, where it was JSON; without secrets.
        headers: Lower-case names; without the credential.
        status: What was answered; 0 where the connection was closed instead.
    """

    method: str
    path: str
    route: str
    query: dict[str, str]
    json: Any
    headers: dict[str, str]
    status: int


class Reply(NamedTuple):
    """An answer: `body` is JSON unless it is bytes or an iterable of bytes (a stream)."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}


class Service:
    """A simulated provider. Subclasses give `routes` and say what an error looks like.

    Args:
        faults: What goes wrong; may be changed while it runs.
        clock: Gives seconds since 1970.
        port: 0 takes a free one.

    Raises:
        ValueError: `faults`, now or later, names an error that this provider does not have.

    Attributes:
        routes: `(methods, template, name of the method that answers)`; in templates `{id}` is a part of the path, `{id:path}` several.
        converters: What else the places of templates stand for, by their name: `{repo}` is what the converter `repo` takes.
        prefix: What stands before every template.
    """

    routes: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    converters: ClassVar[Mapping[str, type[BaseConverter]]] = {}
    prefix: ClassVar[str] = ""

    def __init__(
        self, *, faults: WireFaults | Mapping[str, Any] | None = None, clock: Callable[[], float] = time.time, port: int = 0
    ) -> None:
        """Bind a port of loopback and start to answer."""
        self.faults = TypeAdapter(WireFaults).validate_python(faults or WireFaults())  # refused before a port is bound
        self.clock = clock
        self.requests: list[Asked] = []
        self.lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._map = Map([self._rule(*route) for route in self.routes], strict_slashes=False, converters=self.converters)
        self._late: list[tuple[threading.Timer, Request]] = []
        self._closed = False
        self._server = make_server("127.0.0.1", port, self._application, threaded=True, request_handler=_Quiet)
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # socketserver's, which make_server's result mixes in
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=type(self).__name__, daemon=True)
        self._thread.start()

    @property
    def faults(self) -> WireFaults:
        """What goes wrong; a `refuse` with a name that this provider does not have is itself refused (`ValueError`)."""
        return self._faults

    @faults.setter
    def faults(self, faults: WireFaults) -> None:
        for fault in faults.calls:
            known = self.refusals(fault.on)
            if fault.kind == "refuse" and fault.name not in known:
                raise ValueError(f"There is no error {fault.name!r} for {fault.on!r}; there is: {', '.join(sorted(known))}.")
        self._faults = faults

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def count(self, route: str) -> int:
        """Count the requests of a route, such as `POST /fine_tuning/jobs`, whatever they were answered."""
        return sum(one.route == route for one in self.requests)

    def close(self) -> None:
        """Stop answering, also on connections that clients keep; the port is free when this returns."""
        self._closed = True
        for timer, request in self._late:
            timer.cancel()
            request.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.close()

    def refusals(self, on: str) -> Collection[str]:
        """Name the errors that `WireFault(kind="refuse")` may name on a route, or on all (`*`)."""
        raise NotImplementedError

    def refusal(self, name: str, request: Request) -> Reply:
        """Give the named error as this provider words it."""
        raise NotImplementedError

    def missing(self, request: Request) -> Reply:
        """Give the answer to a path that is not there."""
        raise NotImplementedError

    def within(self, path: str) -> str:
        """Give the part of a path that the templates of `routes` describe."""
        return path.removeprefix(self.prefix) if path.startswith(f"{self.prefix}/") else f"/elsewhere{path}"

    def handled(self, endpoint: str, request: Request, values: Mapping[str, Any]) -> Reply:
        """Let one request take effect: call the method that answers it, alone."""
        with self.lock:
            reply: Reply = getattr(self, endpoint)(request, **values)
            return reply

    def guard(self, request: Request) -> Reply | None:  # noqa: ARG002 - a default
        """Refuse a request before it is looked at (key, version); None lets it pass."""
        return None

    def trace(self) -> dict[str, str]:
        """Give the headers that every reply has."""
        return {"x-request-id": f"req_{next(self._numbers):012d}"}

    def noted(self, request: Request) -> Any:
        """Give what `requests` keeps of a body; a provider that is sent secrets leaves them out."""
        return json_of(request)

    @classmethod
    def _rule(cls, methods: str, template: str, endpoint: str) -> Rule:
        def place(found: re.Match[str]) -> str:
            name, kind = found.groups()
            return f"<{kind or (name if name in cls.converters else 'default')}:{name}>"

        return Rule(_PLACE.sub(place, template), methods=methods.split("|"), endpoint=(endpoint, template))

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        _read(request)
        try:
            reply = None if self._closed else self._answer(request)
        finally:
            if _LATE not in environ:
                request.close()  # files that came with it
        if reply is None:
            _hang_up(environ["werkzeug.socket"])
        return reply(environ, start_response)

    def _answer(self, request: Request) -> Response | None:
        path = self.within(request.path)
        try:
            (endpoint, template), values = self._map.bind("simulator").match(path, request.method)
            route = f"{request.method} {template}"
        except HTTPException:
            endpoint, values, route = None, {}, f"{request.method} {path}"
        with self.lock:
            fault = self.faults.of(route, self._counts[route])
            self._counts[route] += 1
        asked = Asked(request.method, request.path, route, request.args.to_dict(), self.noted(request), _headers(request), 0)

        def work() -> Reply:
            return self.guard(request) or (self.missing(request) if endpoint is None else self.handled(endpoint, request, values))

        reply = self._with_fault(fault, request, work)
        made = None if reply is None else self._made(reply, fault)
        self.requests.append(asked._replace(status=made.status_code if made is not None else 0))
        if made is None or fault is None or fault.kind != "truncated":
            return made
        _cut(request.environ["werkzeug.socket"], made, fault.cut_at)
        return None

    def _with_fault(self, fault: WireFault | None, request: Request, work: Callable[[], Reply]) -> Reply | None:
        match fault.kind if fault else "":
            case "drop":
                return None
            case "drop_reply":
                work()
                return None
            case "late_commit":
                request.environ[_LATE] = True
                timer = threading.Timer(fault.delay_s if fault else 0.0, _then_close, (work, request))
                timer.daemon = True
                self._late.append((timer, request))
                timer.start()
                return None
            case "refuse":
                return self.refusal(fault.name if fault else "", request)
            case "error":
                return self.refusal("server_error", request)._replace(status=fault.status if fault else 500)
            case "html":
                work()
                return Reply(_PAGE, headers={"Content-Type": "text/html"})
            case "slow":
                time.sleep(fault.delay_s if fault else 0.0)
                return work()
            case _:
                return work()

    def _made(self, reply: Reply, fault: WireFault | None) -> Response:
        given = fault.headers if fault else {}
        known = {**self.trace(), **reply.headers}
        if "retry-after" in given:  # clients believe the other word first
            known.pop("retry-after-ms", None)
        headers = {**known, **given}
        if isinstance(reply.body, (bytes, type(None))) or not isinstance(reply.body, (dict, list, str)):
            return Response(reply.body, status=reply.status, headers=headers)
        return Response(json.dumps(reply.body), status=reply.status, headers={"Content-Type": "application/json", **headers})


def _then_close(work: Callable[[], Reply], request: Request) -> None:
    with request:
        work()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Stay quiet."""


def json_of(request: Request) -> Any:
    """Give the body of a request, where it is JSON; None where it is not."""
    if request.mimetype != "application/json":
        return None
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items() if name.lower() not in {"authorization", "api-key"}}


def _read(request: Request) -> None:
    """Take the whole body off the connection, which the client may go on to use."""
    if request.mimetype != "multipart/form-data":
        request.get_data()
        return
    with contextlib.suppress(HTTPException):  # whoever asks for the files meets it again
        _ = request.files


def _hang_up(connection: socket.socket) -> NoReturn:
    """Close the connection without another word.

    Raises:
        ConnectionAbortedError: Always: it tells werkzeug that there is nobody to answer.
    """
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def _cut(connection: socket.socket, made: Response, cut_at: int | None) -> None:
    """Send the beginning of a reply."""
    body = made.get_data()
    made.headers["Content-Length"] = str(len(body))
    head = f"HTTP/1.1 {made.status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in made.headers) + "\r\n"
    whole = head.encode() + body
    connection.sendall(whole[: len(head) + len(body) // 2 if cut_at is None else cut_at])
