"""Row 26 of the list: a webhook cannot be turned against the network that the server stands in."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.server
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from anytune.errors import ConfigError
from anytune.server.config import ServeConfig, Webhook
from anytune.server.hooks.addresses import allowed
from anytune.server.hooks.post import Post, Untaken

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
PUBLIC = "93.184.215.14"


def webhook(url: str, *, private: bool = False) -> Webhook:
    return Webhook(url=url, secret=SECRET, private=private)


def send(post: Post, to: Webhook) -> None:
    async def story() -> None:
        try:
            await post.send(to, {"webhook-id": "evt_1"}, b"{}")
        finally:
            await post.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001",
        "0.0.0.0", "[::]", "169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "10.0.0.8", "192.168.1.1", "172.16.0.1", "100.64.0.1",
        "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "user@127.0.0.1", "ok\\@127.0.0.1",
        "127.0.0.1#@ok.example", "ok.example#@127.0.0.1", " 127.0.0.1", "127.0.0.1%00.ok.example", "ok.example\r\nx", "①②⑦.0.0.1", "", "[::1",
    ],
)  # fmt: skip
def test_a_configuration_with_such_a_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="webhook"):
        webhook(f"https://{host}/hook")


@pytest.mark.parametrize("scheme", ["http", "file", "gopher", "ftp", "HTTPS", "unix", ""])
def test_only_https_goes_out(scheme: str) -> None:
    with pytest.raises(ConfigError, match="webhook"):
        webhook(f"{scheme}://hooks.example.com/hook")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "0.0.0.0", "[fe80::1]", "224.0.0.1"]
)
def test_private_does_not_open_what_hands_out_credentials(host: str) -> None:
    with pytest.raises(ConfigError, match="not public"):
        webhook(f"http://{host}/hook", private=True)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fd12::1", "100.64.0.9", "::ffff:10.0.0.1"])
def test_private_opens_the_own_network_and_nothing_else_does(ip: str) -> None:
    assert allowed(ipaddress.ip_address(ip), private=True)
    assert not allowed(ipaddress.ip_address(ip), private=False)


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:10.0.0.1"], ["fe80::1%lo"], []]
)
def test_a_name_with_one_such_address_is_not_called(answers: list[str], canary: Any) -> None:
    with pytest.raises(Untaken, match="its name"):
        send(Post(resolve=lambda *_: answers), webhook(f"https://hooks.example.com:{canary.port}/hook"))

    assert not canary.called


def test_a_name_that_changes_its_mind_is_asked_once_and_has_no_say_after_that(canary: Any) -> None:
    """DNS flip: the first answer is public, all later ones are the loopback."""
    asked: list[str] = []
    seen: list[httpx2.Request] = []

    def flip(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    send(Post(resolve=flip, transport=httpx2.MockTransport(answer)), webhook("https://hooks.example.com/hook?a=b"))

    (request,) = seen
    assert asked == ["hooks.example.com"]
    assert str(request.url) == f"https://{PUBLIC}/hook?a=b"
    assert request.headers["host"] == "hooks.example.com"
    assert request.extensions["sni_hostname"] == "hooks.example.com"
    assert not canary.called


def test_the_next_address_of_a_name_is_tried_where_the_first_does_not_answer() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.host)
        if request.url.host == PUBLIC:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200)

    send(Post(resolve=lambda *_: [PUBLIC, "1.1.1.1"], transport=httpx2.MockTransport(answer)), webhook("https://hooks.example.com/"))

    assert seen == [PUBLIC, "1.1.1.1"]


def serving(handler: type[http.server.BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


class Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_redirect_to_the_loopback_is_not_followed(canary: Any) -> None:

    class Elsewhere(Silent):
        def do_POST(self) -> None:
            self.send_response(302)
            self.send_header("location", f"http://127.0.0.1:{canary.port}/latest/meta-data")
            self.end_headers()

    server = serving(Elsewhere)
    with pytest.raises(Untaken, match=r"answered 302, and redirects are not followed"):
        send(Post(), webhook(f"http://127.0.0.1:{server.server_address[1]}/", private=True))
    server.shutdown()
    server.server_close()

    assert not canary.called


def test_a_reply_without_end_is_not_read() -> None:
    sent: list[int] = []

    class Endless(Silent):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                sent.extend(self.wfile.write(b"x" * 2**20) for _ in range(10_000))

    server = serving(Endless)
    send(Post(timeout_s=10), webhook(f"http://127.0.0.1:{server.server_address[1]}/", private=True))
    server.shutdown()
    server.server_close()

    assert sum(sent) < 64 * 2**20


def test_a_receiver_that_never_answers_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        began = time.monotonic()
        with pytest.raises(Untaken, match=r"no answer within 0\.3 s"):
            send(Post(timeout_s=0.3), webhook(f"http://127.0.0.1:{deaf.getsockname()[1]}/", private=True))

    assert time.monotonic() - began < 5


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for hooks.example.com, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=hooks.example.com",
         "-addext", "subjectAltName=DNS:hooks.example.com", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(("name", "believed"), [("hooks.example.com", True), ("other.example.com", False)])
def test_the_certificate_must_be_for_the_name_though_the_address_is_pinned(certificate: Path, name: str, believed: bool) -> None:
    class Fine(Silent):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()

    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = serving(Fine, offered)
    post = Post(resolve=lambda *_: ["127.0.0.1"], trust=ssl.create_default_context(cafile=str(certificate / "cert.pem")))
    to = webhook(f"https://{name}:{server.server_address[1]}/", private=True)
    if believed:
        send(post, to)
    else:
        with pytest.raises(Untaken, match="the connection failed"):
            send(post, to)
    server.shutdown()
    server.server_close()


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch, canary: Any) -> None:
    for variable in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, canary.url)
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(Untaken):
        send(Post(timeout_s=0.3), webhook(f"http://127.0.0.1:{deaf.getsockname()[1]}/", private=True))

    assert not canary.called


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "hunter2-hunter2-hunter2-hunter2-hunter2", "whsec_not base64 at all but long enough"]
)
def test_a_weak_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError, match="whsec_") as refused:
        Webhook(url="https://hooks.example.com/", secret=secret)

    assert len(secret) < 7 or secret not in str(refused.value)


def test_a_secret_may_come_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_SECRET", SECRET)
    config = ServeConfig(backend="memory", webhooks={"team": {"url": "https://hooks.example.com/", "secret": "$TEAM_SECRET"}})

    assert config.webhooks["team"].secret.get_secret_value() == SECRET
    assert SECRET not in repr(config)
    assert SECRET not in config.model_dump_json()


def test_a_secret_whose_variable_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError, match="NO_SUCH_SECRET"):
        Webhook(url="https://hooks.example.com/", secret="$NO_SUCH_SECRET")
