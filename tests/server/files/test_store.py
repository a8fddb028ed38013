"""Bytes on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from types import SimpleNamespace

import pytest

from anytune.server.book.part import new_id
from anytune.server.errors import ApiError
from anytune.server.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "home" / "files")


def names(store):
    return sorted(place.name for place in store.root.iterdir())


def test_what_is_put_is_there_whole_with_its_length_and_hash(store):
    file_id = new_id("file-")
    assert store.put(file_id, b"hello") == (5, hashlib.sha256(b"hello").hexdigest())
    assert store.path(file_id).read_bytes() == b"hello" == b"".join(store.chunks(file_id))
    assert names(store) == [file_id]


def test_only_the_owner_of_the_process_reads_folder_and_files(store):
    old = os.umask(0)
    try:
        store.put(file_id := new_id("file-"), b"hello")
        fresh = Store(store.root.parent / "more")
    finally:
        os.umask(old)
    assert stat.S_IMODE(store.path(file_id).stat().st_mode) == 0o600
    assert stat.S_IMODE(fresh.root.stat().st_mode) == 0o700


def test_an_id_that_is_taken_is_never_written_over(store):
    store.put(file_id := new_id("file-"), b"first")
    with pytest.raises(FileExistsError):
        store.put(file_id, b"second")
    assert store.path(file_id).read_bytes() == b"first"
    assert names(store) == [file_id]


_A = "a" * 23
_NO_IDS = ("", ".", "..", "../x", "/etc/passwd", "file-", "file-../../../../../etc/pass", f"file-{_A}", f"file-{_A}aa", f"part-{_A}a")
_NEAR_IDS = (f"file-{_A}\0", f"file-{_A}a\n", f"file-{_A}é", f"FILE-{_A}a", f"upload_{_A}a")


@pytest.mark.parametrize("file_id", _NO_IDS + _NEAR_IDS)
def test_what_is_no_id_of_ours_never_becomes_a_path(store, file_id):
    for action in (store.path, store.remove, store.incoming, lambda name: next(store.chunks(name)), lambda name: store.put(name, b"")):
        with pytest.raises(ApiError) as caught:
            action(file_id)
        assert caught.value.status == 404
    assert names(store) == []


def test_a_file_that_was_not_committed_leaves_nothing(store):
    with store.incoming(new_id("file-")) as incoming:
        incoming.write(b"half")
        assert len(names(store)) == 1
        assert names(store)[0].startswith(".")
    assert names(store) == []


def test_a_file_is_not_under_its_name_before_all_of_it_is_flushed(store, monkeypatch):
    file_id, seen = new_id("file-"), []
    monkeypatch.setattr("anytune.server.store.os.fsync", lambda handle: seen.append(file_id in names(store)))
    store.put(file_id, b"hello")
    assert seen == [False, True]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(store, monkeypatch, number):
    def full(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("anytune.server.store.os.fsync", full)
    with pytest.raises(ApiError, match="disk is full") as caught:
        store.put(new_id("file-"), b"hello")
    assert caught.value.status == 507
    assert names(store) == []


def test_what_an_earlier_process_was_writing_is_cleared(store):
    store.put(kept := new_id("file-"), b"whole")
    incoming = store.incoming(new_id("file-"))
    incoming.write(b"half")
    incoming._stream.close()
    assert Store(store.root).clear() == 1
    assert names(store) == [kept]


def test_old_bytes_that_nobody_knows_are_swept_and_foreign_files_stay(store):
    known, stray = (new_id("file-") for _ in range(2))
    for file_id in (known, stray):
        store.put(file_id, b"hello")
    (store.root / "notes.txt").write_text("the owner's own")
    assert store.older_than(3600) == []
    old = store.older_than(0)
    assert set(old) == {known, stray}
    assert store.sweep({known}, old) == 1
    assert names(store) == sorted([known, "notes.txt"])


def test_removing_twice_is_no_error(store):
    store.put(file_id := new_id("part_"), b"hello")
    store.remove(file_id)
    store.remove(file_id)
    assert names(store) == []


def test_age_is_told_by_the_clock_of_the_store(tmp_path):
    time = SimpleNamespace(offset=0.0)
    store = Store(tmp_path / "files", clock=lambda: store.path(file_id).stat().st_mtime + time.offset)
    store.put(file_id := new_id("file-"), b"hello")
    assert store.older_than(10) == []
    time.offset = 10.0
    assert store.older_than(10) == [file_id]
