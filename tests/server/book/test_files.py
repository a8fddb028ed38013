"""Files and uploads in the book."""

from __future__ import annotations

from datetime import timedelta

import pytest

from anytune.server.book.part import new_id
from anytune.server.errors import ApiError
from anytune.server.store import Stored

SHA256 = "0" * 64


@pytest.fixture
def file(book):
    def added(owner="ann", size_bytes=10, purpose="fine-tune", **more):
        return book.files.add(owner, new_id("file-"), "rows.jsonl", purpose, size_bytes, SHA256, **more)

    return added


@pytest.fixture
def upload(book):
    def begun(owner="ann", size_bytes=10, **more):
        return book.uploads.add(owner, new_id("upload_"), "rows.jsonl", "fine-tune", "text/jsonl", size_bytes, **more)

    return begun


def part_of(book, upload, size_bytes=5, **more):
    return book.uploads.add_part(upload.id, new_id("part_"), size_bytes, **({"most_upload_bytes": 1000} | more))


def refused(action, *arguments, **more):
    with pytest.raises(ApiError) as caught:
        action(*arguments, **more)
    return caught.value


def test_a_file_is_its_owners_and_not_found_by_anybody_else(book, file):
    kept = file("ann")
    assert book.files.get(kept.id, "ann") == book.files.get(kept.id, None) == kept
    foreign, unknown = refused(book.files.get, kept.id, "bob"), refused(book.files.get, new_id("file-"), "bob")
    assert foreign.status == unknown.status == 404
    assert foreign.message == f"No such File object: {kept.id}"
    assert foreign.param == unknown.param == "id"


@pytest.mark.parametrize("file_id", ["", "file-", "../ledger.db", "file-\0aaaaaaaaaaaaaaaaaaaaaaa", "file-' OR 1=1 --", "é" * 400])
def test_what_is_no_id_is_not_found(book, file_id):
    assert refused(book.files.get, file_id, None).status == 404


def test_pages_follow_each_other_in_both_orders(book, file):
    ids = [file().id for _ in range(5)]
    file("bob")
    for order, expected in (("asc", ids), ("desc", ids[::-1])):
        seen, after, more = [], None, True
        while more:
            page, more = book.files.listed("ann", order=order, after=after, limit=2)
            seen += [row.id for row in page]
            after = seen[-1]
        assert seen == expected
    assert len(book.files.listed(None)[0]) == 6


def test_a_list_is_of_one_purpose_where_that_is_asked_for(book, file):
    result = file(purpose="fine-tune-results")
    file()
    assert [row.id for row in book.files.listed("ann", purpose="fine-tune-results")[0]] == [result.id]


def test_a_page_after_an_unknown_or_foreign_file_is_refused(book, file):
    error = refused(book.files.listed, "ann", after=file("bob").id)
    assert (error.status, error.param) == (404, "after")


def test_an_owner_keeps_no_more_than_allowed(book, file, upload):
    file(size_bytes=60)
    file("bob", size_bytes=90)
    part_of(book, upload(), 30)
    assert book.files.stored_bytes("ann") == 90
    error = refused(file, size_bytes=11, most_bytes=100)
    assert (error.status, error.code) == (400, "storage_limit_exceeded")
    assert refused(upload, size_bytes=11, most_bytes=100).code == "storage_limit_exceeded"
    assert refused(part_of, book, upload(), 11, most_bytes=100).code == "storage_limit_exceeded"
    file(size_bytes=10, most_bytes=100)
    assert book.files.stored_bytes("ann") == 100


def test_a_file_whose_time_is_over_goes_but_not_while_an_order_is_to_read_it(book, file, time):
    needed, free = (file(expires_at=time.now + timedelta(hours=1)) for _ in range(2))
    file()
    order, _ = book.jobs.add("ann", {"training_file": needed.id, "model": "m"}, "m", {})
    assert book.files.expired() == []
    time.now += timedelta(hours=1)
    assert [row.id for row in book.files.expired()] == [free.id]
    assert book.files.needed(needed.id) == [order.id]
    book.jobs.change(order.id, stage="submitted")
    assert book.files.needed(needed.id) == [order.id]
    book.jobs.change(order.id, ledger_id="a job that the backend has", status="running")
    assert book.files.needed(needed.id) == []
    assert [row.id for row in book.files.expired()] == [needed.id, free.id]


def test_bytes_are_known_by_files_and_by_parts(book, file, upload):
    kept, part = file(), part_of(book, upload())
    strays = [new_id("file-") for _ in range(1200)]
    assert book.files.known([*strays, kept.id, part.id]) == {kept.id, part.id}


def test_an_upload_becomes_a_file_and_forgets_its_parts(book, upload, time):
    begun = upload(file_expires_s=3600)
    parts = {part_of(book, begun).id for _ in range(3)}
    done, gone = book.uploads.complete(begun.id, file_id := new_id("file-"), Stored(10, SHA256))
    assert (done.status, done.file_id, set(gone)) == ("completed", file_id, parts)
    kept = book.files.get(file_id, "ann")
    assert (kept.size_bytes, kept.filename, kept.expires_at) == (10, "rows.jsonl", time.now + timedelta(hours=1))
    assert book.uploads.parts(begun.id) == []
    again, gone = book.uploads.complete(begun.id, new_id("file-"), Stored(10, SHA256))
    assert (again.file_id, gone) == (file_id, [])


def test_a_cancelled_upload_takes_nothing_any_more(book, upload):
    begun = upload()
    part = part_of(book, begun)
    assert book.uploads.cancel(begun.id)[1] == [part.id]
    assert book.uploads.cancel(begun.id)[0].status == "cancelled"
    assert refused(part_of, book, begun).code == "upload_not_pending"
    assert refused(book.uploads.complete, begun.id, new_id("file-"), Stored(5, SHA256)).code == "upload_not_pending"


def test_a_completed_upload_cannot_be_cancelled(book, upload):
    begun = upload()
    book.uploads.complete(begun.id, new_id("file-"), Stored(10, SHA256))
    assert refused(book.uploads.cancel, begun.id).code == "upload_not_pending"


def test_an_upload_closes_after_an_hour_and_its_parts_go_when_nobody_can_be_joining_them(book, upload, time):
    begun = upload()
    part = part_of(book, begun)
    time.now += timedelta(hours=1)
    assert book.uploads.get(begun.id, "ann").status == "expired"
    assert refused(part_of, book, begun).code == "upload_not_pending"
    assert book.uploads.expire() == []
    time.now += timedelta(minutes=10)
    assert book.uploads.expire() == [part.id]
    assert book.uploads.get(begun.id, "ann").status == "expired"
    time.now += timedelta(days=30)
    assert book.uploads.expire() == []
    assert refused(book.uploads.get, begun.id, "ann").status == 404


def test_an_upload_that_was_being_joined_when_its_hour_ended_is_completed(book, upload, time):
    begun = upload()
    part_of(book, begun)
    time.now += timedelta(hours=1, minutes=5)
    assert book.uploads.complete(begun.id, new_id("file-"), Stored(10, SHA256))[0].status == "completed"


def test_somebody_elses_upload_is_not_found(book, upload):
    error = refused(book.uploads.get, upload("ann").id, "bob")
    assert (error.status, error.param) == (404, "upload_id")


def test_an_upload_has_so_many_bytes_and_parts_and_no_more(book, upload, monkeypatch):
    begun = upload()
    part_of(book, begun, 600)
    assert refused(part_of, book, begun, 401).code == "upload_too_large"
    monkeypatch.setattr("anytune.server.book.uploads._MOST_PARTS", 1)
    assert refused(part_of, book, begun, 1).code == "upload_too_large"


def test_so_many_uploads_are_open_and_no_more(upload, monkeypatch, time):
    monkeypatch.setattr("anytune.server.book.uploads._OPEN", 2)
    upload(), upload(), upload("bob")
    assert refused(upload).status == 429
    time.now += timedelta(hours=1)
    upload()
