"""The server is killed while bytes come in: nothing half-written is ever seen, and what was answered is there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time

import pytest
from tests.server.waiting import until

from anytune.server.book.part import new_id

BOUNDARY = "xX0boundary0Xx"
DEADLINE_S = 30.0


def open_form(served, path, name, announced):
    """Begin a form of `announced` bytes of a file; the caller sends as many as it likes."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n' if name == "file" else ""
    ) + f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="rows.jsonl"\r\n\r\n'
    tail = f"\r\n--{BOUNDARY}--\r\n"
    host, port = served.root.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {served.key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(head) + announced + len(tail)}\r\n\r\n{head}".encode()
    )
    return connection


def partials(state):
    return [place for place in (state / "server" / "files").iterdir() if place.name.startswith(".")]


def half_sent(served, state, path, name):
    """Send the half of a form, and wait until the server has begun to write it."""
    connection = open_form(served, path, name, 4_000_000)
    connection.sendall(b"x" * 2_000_000)
    until(lambda: any(place.stat().st_size for place in partials(state)), "a write")
    return connection


def test_a_file_that_was_half_sent_is_never_seen(launch, state):
    served = launch("--backend", "memory")
    whole = served.client().files.create(file=("rows.jsonl", b"{}\n" * 100), purpose="fine-tune")
    with half_sent(served, state, "/v1/files", "file"):
        assert [file.id for file in served.client().files.list()] == [whole.id]
        served.kill()
    again = launch("--backend", "memory").client()
    assert [file.id for file in again.files.list()] == [whole.id]
    assert again.files.content(whole.id).read() == b"{}\n" * 100
    assert partials(state) == []


def test_a_client_that_leaves_in_the_middle_leaves_nothing(launch, state):
    served = launch("--backend", "memory")
    half_sent(served, state, "/v1/files", "file").close()
    until(lambda: not partials(state), "the end of the half-sent file")
    assert list(served.client().files.list()) == []


def test_an_upload_goes_on_after_the_server_was_killed_in_the_middle_of_a_part(launch, state):
    served = launch("--backend", "memory")
    client = served.client()
    first, second = os.urandom(3_000_000), os.urandom(1_000_000)
    upload = client.uploads.create(bytes=4_000_000, filename="rows.jsonl", mime_type="text/jsonl", purpose="fine-tune")
    part = client.uploads.parts.create(upload.id, data=first)
    with half_sent(served, state, f"/v1/uploads/{upload.id}/parts", "data"):
        served.kill()
    client = launch("--backend", "memory").client()
    assert partials(state) == []
    rest = client.uploads.parts.create(upload.id, data=second)
    md5 = hashlib.md5(first + second).hexdigest()
    done = client.uploads.complete(upload.id, part_ids=[part.id, rest.id], md5=md5)
    assert client.files.content(done.file.id).read() == first + second
    assert sorted(place.name for place in (state / "server" / "files").iterdir()) == [done.file.id]


@pytest.mark.slow
def test_whenever_it_is_killed_what_was_answered_is_there_and_nothing_else(launch, state):
    """Twelve kills while four clients send: each file that was answered is whole, each that is listed is whole."""
    sent, bodies = {}, {}
    for turn in range(12):
        served = launch("--backend", "memory")
        stop = threading.Event()

        def send(served=served, stop=stop):
            client = served.client()
            with contextlib.suppress(Exception):
                while not stop.is_set():
                    name, content = f"{new_id('rows-')}.jsonl", os.urandom(300_000)
                    bodies[name] = content
                    sent[client.files.create(file=(name, content), purpose="fine-tune").id] = name

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        before = len(sent)
        until(lambda before=before: len(sent) > before, "a file that was taken")
        time.sleep(0.02 * turn)
        served.kill()
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
    client = launch("--backend", "memory").client()
    listed = {file.id: file for file in client.files.list()}
    assert sent.keys() <= listed.keys()
    for file in listed.values():
        assert client.files.content(file.id).read() == bodies[file.filename]
    assert partials(state) == []
