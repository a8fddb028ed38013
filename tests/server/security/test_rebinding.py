"""Row 27: a page that makes its own name lead to this machine is not answered (MCP SDK CVE-2025-66416), and no page is let in at all."""

from __future__ import annotations

import pytest

from anytune.server.config import ServeConfig
from anytune.server.errors import ApiError
from anytune.server.guard.heads import Head, Hosts

EVIL = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example#127.0.0.1",
    "127.0.0.1@evil.example",
]


def test_every_route_refuses_another_host(serve, send, every_route):
    server = serve()
    for method, path, _, _ in every_route(server.app):
        for host in EVIL:
            assert send(server, method, path, host=[host]).status == 421, (method, path, host)


def test_every_route_refuses_web_pages_and_none_lets_them_read(serve, send, every_route):
    server = serve()
    for method, path, _, _ in every_route(server.app):
        for origin in ("https://evil.example", "null", "http://127.0.0.1:8080"):
            answer = send(server, method, path, [("Origin", origin)])
            assert answer.status == 403, (method, path, origin)
            assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_no_route_answers_a_preflight(serve, send, every_route):
    server = serve()
    for path in {path for _, path, _, _ in every_route(server.app)}:
        headers = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")]
        answer = send(server, "OPTIONS", path, headers, key=False)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def head(*hosts):
    return Head(hosts=list(hosts), origin=False, bearers=[], keys=[], media_type=b"", encoded=False, length=None, chunked=False)


def allowed(named, **settings):
    try:
        Hosts(ServeConfig(backend="memory", **settings)).check(head(named))
    except ApiError as error:
        return error.status != 421
    return True


@pytest.mark.parametrize("host", [b"127.0.0.1", b"127.0.0.1:8080", b"localhost:1", b"LOCALHOST", b"[::1]:8080"])
def test_the_loopback_s_names_are_answered(host):
    assert allowed(host)


@pytest.mark.parametrize(
    "host", [b"", b"box", b"192.168.1.7", b"0.0.0.0", b"localhost.", b"127.0.0.1:", b"127.0.0.1:80 ", b"::1", b"127.1", b"2130706433"]
)
def test_on_the_loopback_no_other_name_is(host):
    assert not allowed(host)


def test_names_of_the_configuration_are_answered():
    settings = {"host": "0.0.0.0", "allow_hosts": ("tune.example.org", "Box:8080")}
    assert allowed(b"tune.example.org:443", **settings)
    assert allowed(b"BOX", **settings)
    assert not allowed(b"evil.example", **settings)
    assert not allowed(b"tune.example.org.evil.example", **settings)


@pytest.mark.parametrize("host", [b"192.168.1.7:8080", b"[fe80::1]:8080", b"0.0.0.0:8080"])
def test_where_other_machines_may_ask_an_address_is_no_trick(host):
    assert allowed(host, host="0.0.0.0")
    assert allowed(b"10.0.0.5:8080", host="10.0.0.5")


def test_a_request_has_exactly_one_host(serve, send):
    server = serve()
    good = server.root.removeprefix("http://")
    assert send(server, "GET", "/health", host=[good, "evil.example"]).status in {400, 421}
    assert send(server, "GET", "/health", host=[]).status in {400, 421}
