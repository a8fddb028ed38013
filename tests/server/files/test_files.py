"""Files over HTTP, as OpenAI's client sees them."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from types import SimpleNamespace

import httpx2
import openai
import pytest

from anytune.server.book import Book
from anytune.server.book.part import new_id
from anytune.server.errors import ApiError
from anytune.server.house import Caller
from anytune.server.routes.files import delete_file
from anytune.server.store import Store

ROWS = b'{"messages": []}\n' * 20


def send(client, name="rows.jsonl", content=ROWS, purpose="fine-tune", **more):
    return client.files.create(file=(name, content), purpose=purpose, **more)


def stored(served):
    return sorted(place.name for place in served.house.store.root.iterdir())


def test_a_file_is_sent_listed_read_and_deleted(served, client):
    file = send(client)
    assert (file.bytes, file.filename, file.purpose, file.status, file.object) == (
        len(ROWS),
        "rows.jsonl",
        "fine-tune",
        "processed",
        "file",
    )
    assert file.expires_at is None
    assert client.files.retrieve(file.id) == file
    assert [listed.id for listed in client.files.list()] == [file.id]
    assert client.files.content(file.id).read() == ROWS
    assert client.files.wait_for_processing(file.id).status == "processed"
    assert served.house.book.files.get(file.id, None).sha256 == hashlib.sha256(ROWS).hexdigest()
    gone = client.files.delete(file.id)
    assert (gone.id, gone.deleted, gone.object) == (file.id, True, "file")
    with pytest.raises(openai.NotFoundError, match="No such File object") as caught:
        client.files.retrieve(file.id)
    assert caught.value.param == "id"
    assert stored(served) == []


def test_a_file_comes_back_as_it_was_whatever_its_size_and_bytes(client):
    content = bytes(range(256)) * 4096 * 3 + b"\r\n--\r\n-"
    assert client.files.content(send(client, content=content).id).read() == content


def test_what_is_read_is_never_taken_for_a_page(served, client):
    file = send(client, name='<script>"x";é.jsonl', content=b"<script>alert(1)</script>")
    raw = client.files.with_raw_response.content(file.id)
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["content-disposition"].startswith("attachment;")
    assert raw.headers["x-content-type-options"] == "nosniff"


def test_pages_follow_each_other(client):
    ids = [send(client).id for _ in range(5)]
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == ids
    page = client.files.list(limit=2)
    assert (page.has_more, page.first_id, page.last_id) == (True, ids[4], ids[3])
    empty = client.files.list(purpose="batch")
    assert (empty.data, empty.has_more, empty.first_id, empty.last_id) == ([], False, "", "")


def test_a_page_that_cannot_be_is_refused(client):
    for query in ({"limit": 0}, {"limit": 10_001}, {"limit": 10**40}, {"limit": "x"}, {"order": "up"}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.get("/files", cast_to=object, options={"params": query})
        assert caught.value.param in query


def test_a_file_may_expire(served, client):
    file = send(client, expires_after={"anchor": "created_at", "seconds": 3600})
    assert file.expires_at == pytest.approx(file.created_at + 3600, abs=1)
    later = served.house.book.clock() + timedelta(hours=1)
    served.house.book.files.clock = lambda: later
    from anytune.server.sweep import Sweep

    Sweep(served.house.book, served.house.store).round()
    assert list(client.files.list()) == []
    assert stored(served) == []


OF_NO_USE = [
    ({"purpose": "assistants"}, "purpose"),
    ({"purpose": "fine-tune-results"}, "purpose"),
    ({"purpose": ""}, "purpose"),
    ({"name": "rows.csv"}, "file"),
    ({"name": "x" * 300 + ".jsonl"}, "file"),
    ({"name": "folder/"}, "file"),
    ({"content": b""}, "file"),
    ({"expires_after": {"anchor": "created_at", "seconds": 3599}}, "expires_after.seconds"),
    ({"expires_after": {"anchor": "created_at", "seconds": "\N{FULLWIDTH DIGIT NINE}" * 4}}, "expires_after.seconds"),
    ({"expires_after": {"anchor": "last_used", "seconds": 3600}}, "expires_after.anchor"),
    ({"extra_body": {"base_url": "http://127.0.0.1:1"}}, "base_url"),
]


def test_a_file_that_is_of_no_use_is_refused_and_leaves_nothing(served, client):
    for more, param in OF_NO_USE:
        with pytest.raises(openai.BadRequestError) as caught:
            send(client, **more)
        assert caught.value.param == param
        assert caught.value.type == "invalid_request_error"
    assert stored(served) == []


def test_somebody_elses_file_is_not_there_and_an_admin_sees_all(served, client):
    ann, bob = (served.client(served.key_of(name)) for name in ("ann", "bob"))
    file = send(ann)
    unknown = new_id("file-")
    for action in (bob.files.retrieve, bob.files.delete, bob.files.content):
        answers = []
        for file_id in (file.id, unknown):
            with pytest.raises(openai.NotFoundError) as caught:
                action(file_id)
            answers.append(caught.value.body | {"message": caught.value.body["message"].replace(file_id, "…")})
        assert answers[0] == answers[1]
    assert list(bob.files.list()) == []
    assert [seen.id for seen in client.files.list()] == [file.id]
    assert client.files.content(file.id).read() == ROWS
    assert ann.files.retrieve(file.id) == file


def test_an_owner_keeps_no_more_than_its_key_allows(served):
    ann = served.client(served.key_of("ann", storage_bytes=1000))
    first = send(ann, content=b"x" * 600)
    with pytest.raises(openai.APIStatusError) as caught:
        send(ann, content=b"x" * 401)
    assert caught.value.status_code in {400, 413}
    second = send(ann, content=b"x" * 400)
    with pytest.raises(openai.BadRequestError) as caught:
        send(ann, content=b"x")
    assert caught.value.code == "storage_limit_exceeded"
    assert stored(served) == sorted([first.id, second.id])
    ann.files.delete(first.id)
    send(ann, content=b"x" * 600)


def test_a_file_is_held_to_the_servers_limit(serve):
    served = serve(limits={"file_bytes": 1000})
    send(served.client(), content=b"x" * 1000)
    for size in (1001, 200_000):
        with pytest.raises(openai.APIStatusError) as caught:
            send(served.client(), content=b"x" * size)
        assert caught.value.status_code == 413
    assert len(stored(served)) == 1


def test_a_file_that_an_order_is_still_to_read_stays(tmp_path, ledger):
    house = SimpleNamespace(book=Book(ledger.database), store=Store(tmp_path / "files"))
    file_id, caller = new_id("file-"), Caller(owner="ann", key_id="key")
    house.book.files.add("ann", file_id, "rows.jsonl", "fine-tune", *house.store.put(file_id, ROWS))
    order, _ = house.book.jobs.add("ann", {"model": "m", "training_file": "file-x", "validation_file": file_id}, "m", {})
    with pytest.raises(ApiError, match=order.id) as caught:
        delete_file(file_id, house, caller)
    assert (caught.value.status, caught.value.code) == (409, "file_in_use")
    assert house.store.path(file_id).read_bytes() == ROWS
    house.book.jobs.change(order.id, stage="submitted", status="queued")
    with pytest.raises(ApiError, match=order.id):
        delete_file(file_id, house, caller)
    house.book.jobs.change(order.id, ledger_id="a job that the backend has")
    assert delete_file(file_id, house, caller).deleted


@pytest.mark.parametrize("pace", ["_PAUSE_S", "_WHOLE_S"])
def test_a_file_that_comes_too_slowly_is_given_up(served, monkeypatch, pace):
    monkeypatch.setattr(f"anytune.server.multipart.{pace}", 0.3)
    over = threading.Event()

    def body():
        yield b'--edge\r\nContent-Disposition: form-data; name="file"; filename="rows.jsonl"\r\n\r\n'
        while not over.wait(10 if pace == "_PAUSE_S" else 0.05):
            yield b"x"

    threading.Timer(2, over.set).start()
    headers = {"Authorization": f"Bearer {served.key}", "Content-Type": "multipart/form-data; boundary=edge"}
    answer = httpx2.post(f"{served.base_url}/files", content=body(), headers=headers, trust_env=False, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "too_slow")
    assert stored(served) == []


def test_bytes_that_the_owner_lost_are_said_to_be_lost(served, client):
    file = send(client)
    served.house.store.path(file.id).unlink()
    with pytest.raises(openai.InternalServerError) as caught:
        client.files.content(file.id)
    assert caught.value.code == "file_lost"
    client.files.delete(file.id)


@pytest.mark.parametrize("path", ["/v1/files", "/openai/v1/files?api-version=2025-04-01-preview"])
def test_clients_of_azure_find_files_under_their_own_path(served, path):
    form = {"files": {"file": ("rows.jsonl", ROWS)}, "data": {"purpose": "fine-tune"}}
    answer = httpx2.post(served.root + path, headers={"api-key": served.key}, trust_env=False, **form)
    assert answer.status_code == 200
    assert answer.json()["filename"] == "rows.jsonl"
