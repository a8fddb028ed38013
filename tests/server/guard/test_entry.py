"""What every request must pass, over real HTTP."""

from __future__ import annotations

import logging
import socket

import openai
import pytest
from tests.server.waiting import until

JSON = [("Content-Type", "application/json")]


def test_health_needs_no_key(serve, send):
    answer = send(serve().root, path="/health", key=None)
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/v1/echo", "GET", 200), ("/v1/nothing", "GET", 404), ("/v1/echo", "PUT", 405), ("/v1/broken", "POST", 500), ("/health", "GET", 200)],
)
def test_every_answer_has_an_id_and_how_long_it_took(guarded, send, path, method, status):
    answer = send(guarded().url, method, path)
    assert answer.status == status
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_refusals_have_an_id_too_and_openai_s_shape(guarded, send):
    answer = send(guarded().url, key="wrong")
    assert answer.status == 401
    assert len(answer.headers["x-request-id"]) == 36
    assert set(answer.error) == {"message", "type", "param", "code"}
    assert answer.error["code"] == "invalid_api_key"


def test_ids_differ(guarded, send):
    url = guarded().url
    assert len({send(url).headers["x-request-id"] for _ in range(5)}) == 5


def test_a_client_s_own_id_is_not_taken(guarded, send):
    assert send(guarded().url, headers=[("x-request-id", "mine")]).headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    "headers", [[("Authorization", "Bearer {}")], [("api-key", "{}")], [("Authorization", "bearer {}"), ("api-key", "{}")]]
)
def test_a_key_comes_as_bearer_or_as_api_key(guarded, send, headers):
    server = guarded()
    _, key = server.keys.add("alice")
    answer = send(server.url, key=None, headers=[(name, value.format(key)) for name, value in headers])
    assert answer.status == 200
    assert b'"owner":"alice"' in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic {}")],
        [("Authorization", "{}")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer {}x")],
        [("Authorization", "Bearer {}"), ("api-key", "another")],
        [("Authorization", "Bearer {}"), ("Authorization", "Bearer another")],
        [("api-key", "Bearer {}")],
        [("x-api-key", "{}")],
        [("Authorization", "Bearer " + "k" * 600)],
        [("Authorization", "Bearer clé")],
    ],
)
def test_without_one_right_key_nobody_is_let_in(guarded, send, headers):
    server = guarded()
    _, key = server.keys.add("alice")
    answer = send(server.url, key=None, headers=[(name, value.format(key)) for name, value in headers])
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert key not in answer.body.decode()
    assert server.seen == []


def test_a_revoked_key_is_refused_and_other_keys_go_on(guarded, send):
    server = guarded()
    row, key = server.keys.add("alice")
    _, other = server.keys.add("alice")
    server.keys.revoke(row.id)
    assert send(server.url, key=key).status == 401
    assert send(server.url, key=other).status == 200


def test_the_use_of_a_key_is_written_down(guarded, send):
    server = guarded()
    _, key = server.keys.add("alice")
    send(server.url, key=key)
    until(lambda: server.keys.listed()[0].used_at is not None)


@pytest.mark.parametrize("value", ["gzip", "br", "identity, gzip", "deflate"])
def test_encoded_bodies_are_refused(guarded, send, value):
    server = guarded()
    answer = send(server.url, "POST", headers=[*JSON, ("Content-Encoding", value), ("Content-Length", "2")], body=b"{}")
    assert (answer.status, server.seen) == (415, [])


def test_a_post_without_a_body_needs_no_type(guarded, send):
    assert send(guarded().url, "POST").status == 200


def test_a_body_within_its_limit_arrives_whole(guarded, send):
    server = guarded(limits={"body_bytes": 100_000})
    body = b"x" * 100_000
    assert send(server.url, "POST", headers=[*JSON, ("Content-Length", str(len(body)))], body=body).status == 200
    assert server.seen == [body]


def test_an_announced_body_over_its_limit_is_refused_before_it_comes(guarded, send):
    server = guarded(limits={"body_bytes": 1000})
    answer = send(server.url, "POST", headers=[*JSON, ("Content-Length", "1001")])
    assert (answer.status, server.seen) == (413, [])
    assert answer.headers["connection"] == "close"


def test_a_body_without_a_length_is_counted_while_it_comes(guarded):
    server = guarded(limits={"body_bytes": 1000})
    with openai.OpenAI(api_key="sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42", base_url=server.url, max_retries=0) as client:
        sent = []

        def chunks():
            for _ in range(2000):
                sent.append(1)
                yield b"x" * 65536

        with pytest.raises(openai.APIStatusError) as refused:
            client.post("/v1/echo", cast_to=object, content=chunks(), options={"headers": {"content-type": "application/json"}})
    assert refused.value.status_code == 413
    assert len(sent) < 2000
    assert server.seen == []


def test_a_client_that_sends_too_long_a_body_reads_why(guarded):
    server = guarded(limits={"body_bytes": 1000})
    with openai.OpenAI(api_key="sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42", base_url=f"{server.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            client.post("/echo", cast_to=object, body={"padding": "x" * 20_000_000})
        assert refused.value.status_code == 413
        assert refused.value.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Length", "-1")], 400),
        ([("Content-Length", "1e3")], 400),
        ([*JSON, ("Content-Length", "9" * 15)], 413),
        ([*JSON, ("Content-Type", "text/plain")], 400),
        ([("x-padding", "x" * 70_000)], 431),
        ([(f"x-{number}", "1") for number in range(120)], 431),
    ],
)
def test_heads_that_contradict_themselves_or_are_too_long_are_refused(guarded, send, headers, status):
    assert send(guarded().url, "POST", headers=headers).status == status


def test_a_url_has_a_limit(guarded, send):
    assert send(guarded().url, path="/v1/echo?" + "x" * 9000).status == 414


def test_a_head_that_never_ends_is_cut(guarded):
    server = guarded()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx-endless: ")
        sent = 0
        with pytest.raises(ConnectionError):  # noqa: PT012 - whichever piece it is
            while sent < 64 * 2**20:
                sent += wire.send(b"x" * 65536)
    assert sent < 16 * 2**20


def test_a_head_that_does_not_come_is_given_up(guarded, monkeypatch):
    monkeypatch.setattr("anytune.server.guard.protocol.HEAD_S", 0.2)
    server = guarded()
    for begun in (b"", b"GET /health HTT"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
            wire.sendall(begun)
            assert wire.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_body_that_does_not_come_is_given_up(guarded, monkeypatch):
    monkeypatch.setattr("anytune.server.guard.bodies.STALL_S", 0.2)
    server = guarded()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
        head = "host: 127.0.0.1\r\nauthorization: Bearer sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42\r\ncontent-type: application/json\r\n"
        wire.sendall(f"POST /v1/echo HTTP/1.1\r\n{head}content-length: 10\r\n\r\nabc".encode())
        assert wire.recv(100).startswith(b"HTTP/1.1 408 ")
    assert server.seen == []


def test_many_requests_go_over_one_connection(guarded):
    server = guarded()
    with openai.OpenAI(api_key="sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42", base_url=server.url, max_retries=0) as client:
        for number in range(20):
            assert client.post("/v1/echo", cast_to=dict, body={"n": number})["admin"]
    assert len(server.seen) == 20


def test_an_unexpected_error_tells_its_id_and_nothing_else(guarded, send, caplog):
    secret = b'{"prompt": "my diary 77"}'
    server = guarded()
    with caplog.at_level(logging.DEBUG):
        answer = send(server.url, "POST", "/v1/broken", headers=[*JSON, ("Content-Length", str(len(secret)))], body=secret)
        until(lambda: any("unexpected" in record.getMessage() for record in caplog.records))
    assert answer.status == 500
    assert answer.error["type"] == "server_error"
    assert answer.headers["x-request-id"] in answer.error["message"]
    logged = "\n".join(record.getMessage() + str(record.exc_text or "") + str(record.exc_info or "") for record in caplog.records)
    assert f"{answer.headers['x-request-id']}: unexpected RuntimeError at " in logged
    assert "diary" not in logged + answer.body.decode()
    assert "conftest.py" in logged


def test_the_access_log_has_the_route_s_template_and_the_key_s_id_only(guarded, send, caplog):
    server = guarded()
    row, key = server.keys.add("alice")
    with caplog.at_level(logging.INFO, "anytune.server.access"):
        answer = send(server.url, path="/v1/files/file-private?q=hidden", key=key)
        until(lambda: any(record.name == "anytune.server.access" for record in caplog.records))
    lines = [record.getMessage() for record in caplog.records if record.name == "anytune.server.access"]
    assert len(lines) == 1
    assert lines[0].startswith("GET /files/{file_id} 200 ")
    assert lines[0].endswith(f" ms key={row.id} request={answer.headers['x-request-id']}")


def test_websockets_are_closed(guarded, send):
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x" * 24), ("Sec-WebSocket-Version", "13")]
    assert send(guarded().url, path="/v1/echo", headers=upgrade).status == 200  # plain HTTP: nothing is upgraded


def test_a_ledger_that_cannot_be_read_is_told_as_such(guarded, send, monkeypatch):
    from anytune.errors import LedgerError

    server = guarded()
    _, key = server.keys.add("alice")

    def fail(found):
        raise LedgerError("postgresql://admin:hunter2@db is gone")

    monkeypatch.setattr(server.keys, "by_digest", fail)
    answer = send(server.url, key=key)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert b"hunter2" not in answer.body


def test_a_body_of_a_stranger_is_not_read(guarded):
    server = guarded()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
        wire.sendall(
            b"POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data\r\ncontent-length: 99999999\r\n\r\nabc"
        )
        got = b""
        while piece := wire.recv(4096):  # until the server closes
            got += piece
    assert got.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in got


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 3\r\ntransfer-encoding: chunked\r\n",
        b"content-length: 3\r\ncontent-length: 4\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"content-length : 3\r\n",
        b"content-length: +3\r\n",
    ],
)
def test_a_body_whose_length_is_in_doubt_is_refused(guarded, head):
    server = guarded()
    key = b"authorization: Bearer sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
        wire.sendall(b"POST /v1/echo HTTP/1.1\r\nhost: 127.0.0.1\r\n" + key + head + b"\r\n0\r\n\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert server.seen == []
