"""Files that come in parts, as OpenAI's client sends them."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import openai
import pytest

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)


def begin(client, size=SIZE, name="rows.jsonl", **more):
    return client.uploads.create(**({"bytes": size, "filename": name, "mime_type": "text/jsonl", "purpose": "fine-tune"} | more))


def add(client, upload, data):
    return client.uploads.parts.create(upload.id, data=data)


def stored(served):
    return sorted(place.name for place in served.house.store.root.iterdir())


def refusal(action, *arguments, **more):
    with pytest.raises(openai.APIStatusError) as caught:
        action(*arguments, **more)
    return caught.value


def code_of(action, *arguments, **more):
    error = refusal(action, *arguments, **more)
    return error.status_code, error.code


def param_of(action, *arguments, **more):
    error = refusal(action, *arguments, **more)
    return error.status_code, error.param


def test_the_clients_own_way_of_sending_in_parts_works(served, client, tmp_path):
    place = tmp_path / "rows.jsonl"
    place.write_bytes(CONTENT)
    md5 = hashlib.md5(CONTENT).hexdigest()
    done = client.uploads.upload_file_chunked(file=place, mime_type="text/jsonl", purpose="fine-tune", part_size=1000, md5=md5)
    assert (done.status, done.file.bytes, done.file.filename, done.file.status) == ("completed", len(CONTENT), "rows.jsonl", "processed")
    assert client.files.content(done.file.id).read() == CONTENT
    assert stored(served) == [done.file.id]


def test_the_order_at_the_end_decides_and_parts_not_named_are_dropped(served, client):
    upload = begin(client, size=6)
    assert (upload.status, upload.object, upload.file) == ("pending", "upload", None)
    assert upload.expires_at - upload.created_at == 3600
    tail, head, again = (add(client, upload, data) for data in (b"def", b"abc", b"def"))
    assert (head.upload_id, head.object) == (upload.id, "upload.part")
    assert len(stored(served)) == 3
    done = client.uploads.complete(upload.id, part_ids=[head.id, tail.id])
    assert client.files.content(done.file.id).read() == b"abcdef"
    assert stored(served) == [done.file.id]
    assert again.id not in stored(served)


def test_parts_may_come_at_once(client):
    upload = begin(client, size=2000)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda number: add(client, upload, b"%02d" % number * 50), range(20)))
    done = client.uploads.complete(upload.id, part_ids=[part.id for part in parts])
    assert client.files.content(done.file.id).read() == b"".join(b"%02d" % number * 50 for number in range(20))


def test_completing_again_gives_the_same_file(client):
    upload = begin(client, size=3)
    part = add(client, upload, b"abc")
    first, second = (client.uploads.complete(upload.id, part_ids=[part.id]) for _ in range(2))
    assert first.file == second.file
    assert len(list(client.files.list())) == 1
    client.files.delete(first.file.id)
    assert client.uploads.complete(upload.id, part_ids=[part.id]).file is None


def test_completing_at_once_makes_one_file(served, client):
    upload = begin(client, size=300_000)
    part = add(client, upload, b"x" * 300_000)

    def complete(_):
        try:
            return client.uploads.complete(upload.id, part_ids=[part.id]).file.id
        except openai.ConflictError:
            return None

    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(complete, range(6))) - {None}
    assert len(made) == 1
    assert stored(served) == list(made)
    assert [file.id for file in client.files.list()] == list(made)


def test_parts_that_do_not_make_up_the_file_are_refused_and_the_upload_stays_open(client):
    upload, other = begin(client, size=6), begin(client, size=6)
    part, foreign = add(client, upload, b"abc"), add(client, other, b"def")
    for ids in ([part.id, foreign.id], [part.id, "part_x"], [part.id, part.id], []):
        assert param_of(client.uploads.complete, upload.id, part_ids=ids) == (400, "part_ids")
    assert code_of(client.uploads.complete, upload.id, part_ids=[part.id]) == (400, "invalid_upload_size")
    more = add(client, upload, b"def")
    ids = [part.id, more.id]
    assert code_of(client.uploads.complete, upload.id, part_ids=ids, md5="0" * 32) == (400, "invalid_md5")
    assert code_of(client.uploads.complete, upload.id, part_ids=ids, md5="é") == (400, "invalid_md5")
    assert client.uploads.complete(upload.id, part_ids=ids, md5=hashlib.md5(b"abcdef").hexdigest().upper()).file.bytes == 6


def test_a_cancelled_upload_takes_nothing_any_more(served, client):
    upload = begin(client, size=3)
    part = add(client, upload, b"abc")
    assert client.uploads.cancel(upload.id).status == "cancelled"
    assert client.uploads.cancel(upload.id).status == "cancelled"
    assert stored(served) == []
    assert code_of(add, client, upload, b"abc") == (400, "upload_not_pending")
    assert code_of(client.uploads.complete, upload.id, part_ids=[part.id]) == (400, "upload_not_pending")


def test_an_upload_closes_after_an_hour(served, client):
    upload = begin(client, size=3)
    part = add(client, upload, b"abc")
    later = served.house.book.clock() + timedelta(hours=1)
    served.house.book.uploads.clock = lambda: later
    assert code_of(add, client, upload, b"abc") == (400, "upload_not_pending")
    assert code_of(client.uploads.complete, upload.id, part_ids=[part.id]) == (400, "upload_not_pending")


def test_its_file_may_expire(client):
    upload = begin(client, size=3, expires_after={"anchor": "created_at", "seconds": 7200})
    done = client.uploads.complete(upload.id, part_ids=[add(client, upload, b"abc").id])
    assert done.file.expires_at == pytest.approx(done.file.created_at + 7200, abs=1)


THAT_CANNOT_BE = [
    ({"bytes": 0}, "bytes"),
    ({"bytes": -1}, "bytes"),
    ({"bytes": True}, "bytes"),
    ({"bytes": "10"}, "bytes"),
    ({"bytes": 2**63}, "bytes"),
    ({"filename": "rows.csv"}, "filename"),
    ({"filename": "a\0.jsonl"}, "filename"),
    ({"filename": "x" * 256 + ".jsonl"}, "filename"),
    ({"purpose": "vision"}, "purpose"),
    ({"mime_type": "x" * 256}, "mime_type"),
    ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds"),
    ({"extra_body": {"path": "/etc/passwd"}}, "path"),
]


def test_an_upload_that_cannot_be_is_refused(client):
    for more, param in THAT_CANNOT_BE:
        assert param_of(begin, client, **more) == (400, param)


def test_a_name_that_is_no_text_is_refused(served):
    body = b'{"filename": "\\ud800.jsonl", "purpose": "fine-tune", "bytes": 1, "mime_type": "text/jsonl"}'
    headers = {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"}
    assert httpx2.post(f"{served.base_url}/uploads", content=body, headers=headers, trust_env=False).status_code == 400


def test_somebody_elses_upload_is_not_there(served):
    ann, bob = (served.client(served.key_of(name)) for name in ("ann", "bob"))
    upload = begin(ann, size=3)
    part = add(ann, upload, b"abc")
    for action in (
        lambda: add(bob, upload, b"abc"),
        lambda: bob.uploads.cancel(upload.id),
        lambda: bob.uploads.complete(upload.id, part_ids=[part.id]),
    ):
        assert param_of(action) == (404, "upload_id")
    assert ann.uploads.complete(upload.id, part_ids=[part.id]).status == "completed"


def test_a_part_is_held_to_the_servers_limit_and_all_parts_to_the_owners(serve):
    served = serve(limits={"part_bytes": 1000, "upload_bytes": 2500})
    client = served.client(served.key_of("ann", storage_bytes=2200))
    assert code_of(begin, client, size=2501) == (400, "upload_too_large")
    assert code_of(begin, client, size=2201) == (400, "storage_limit_exceeded")
    upload = begin(client, size=2000)
    assert code_of(add, client, upload, b"x" * 1001)[0] == 413
    assert code_of(add, client, upload, b"") == (400, "empty_file")
    parts = [add(client, upload, b"x" * 1000) for _ in range(2)]
    assert code_of(add, client, upload, b"x" * 201)[0] in {400, 413}
    assert len(stored(served)) == 2
    client.uploads.complete(upload.id, part_ids=[part.id for part in parts])
    assert len(stored(served)) == 1
