"""One order makes one job, whatever becomes of its replies."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import openai
import pytest

MODELS = {"small": {"model": "starter"}}


@pytest.fixture
def served(still):
    return still(models=MODELS)


def message(connection: socket.socket) -> bytes:
    """Read one request or reply; nothing where the other side has hung up."""
    found, whole = b"", None
    while whole is None or len(found) < whole:
        if not (more := connection.recv(65536)):
            return b""
        found += more
        if whole is None and (end := found.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"content-length: (\d+)", found[:end].lower())
            whole = end + 4 + (int(length[1]) if length else 0)
    return found


@contextmanager
def losing_replies(upstream: str, *, lost: int):
    """Pass requests on, and hang up instead of giving the first replies to a create, after the server has given them."""
    address = urlsplit(upstream)
    listener = socket.create_server(("127.0.0.1", 0))
    dropped: list[bytes] = []

    def relay(client: socket.socket) -> None:
        with client, socket.create_connection((address.hostname, address.port)) as server:
            while asked := message(client):
                server.sendall(asked)
                reply = message(server)
                if asked.startswith(b"POST /v1/fine_tuning/jobs ") and len(dropped) < lost:
                    dropped.append(reply)
                    return
                client.sendall(reply)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=relay, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", dropped
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def test_a_client_that_loses_replies_and_tries_again_by_itself_makes_one_job(served, uploaded):
    file_id = uploaded(served.client())
    with losing_replies(served.base_url, lost=2) as (base_url, dropped), openai.OpenAI(base_url=base_url, api_key=served.key) as client:
        job = client.fine_tuning.jobs.create(model="small", training_file=file_id)
    assert [reply.split(b" ", 2)[1] for reply in dropped] == [b"200", b"200"]
    assert [each.id for each in served.client().fine_tuning.jobs.list()] == [job.id]
    assert len(served.client().fine_tuning.jobs.list_events(job.id).data) == 2, "its first events are told once"


def test_two_orders_of_one_body_are_two_jobs(served, uploaded):
    client = served.client()
    file_id = uploaded(client)
    assert client.fine_tuning.jobs.create(model="small", training_file=file_id) != client.fine_tuning.jobs.create(
        model="small", training_file=file_id
    )
    assert len(client.fine_tuning.jobs.list().data) == 2


def test_an_idempotency_key_stands_for_one_order_of_one_owner(served, uploaded):
    ann, bob = served.client(served.key_of("ann")), served.client(served.key_of("bob"))

    def order(client, file_id, **fields):
        return client.fine_tuning.jobs.create(model="small", training_file=file_id, extra_headers={"Idempotency-Key": "run-1"}, **fields)

    file_id = uploaded(ann)
    first = order(ann, file_id)
    assert order(ann, file_id).id == first.id
    assert order(bob, uploaded(bob)).id != first.id
    with pytest.raises(openai.ConflictError) as caught:
        order(ann, file_id, suffix="other")
    assert caught.value.code == "idempotency_key_reused"
    ann.fine_tuning.jobs.cancel(first.id)
    assert order(ann, file_id).status == "cancelled", "the key still stands for that job"


@pytest.mark.parametrize("header", ["Idempotency-Key", "x-stainless-retry-count"])
def test_an_order_that_is_sent_again_is_found_though_its_file_is_gone(served, uploaded, header):
    client = served.client()
    file_id = uploaded(client)

    def order():
        return client.fine_tuning.jobs.create(model="small", training_file=file_id, extra_headers={header: "1"})

    first = order()
    served.house.book.files.remove(file_id)
    assert order().id == first.id


def test_who_cancels_and_orders_anew_gets_a_new_job_though_the_first_try_was_lost(served, uploaded):
    client = served.client()
    file_id = uploaded(client)
    first = client.fine_tuning.jobs.create(model="small", training_file=file_id)
    client.fine_tuning.jobs.cancel(first.id)
    again = client.fine_tuning.jobs.create(model="small", training_file=file_id, extra_headers={"x-stainless-retry-count": "1"})
    assert (again.id != first.id, again.status) == (True, "validating_files")


def test_racing_orders_with_one_key_make_one_job(served, uploaded):
    client = served.client()
    file_id, made = uploaded(client), []

    def order():
        headers = {"Idempotency-Key": "race"}
        made.append(client.fine_tuning.jobs.create(model="small", training_file=file_id, extra_headers=headers).id)

    threads = [threading.Thread(target=order) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 12
    assert len(set(made)) == 1


def test_a_key_that_is_too_long_is_refused(served, uploaded):
    client = served.client()
    with pytest.raises(openai.BadRequestError):
        client.fine_tuning.jobs.create(model="small", training_file=uploaded(client), extra_headers={"Idempotency-Key": "k" * 256})
