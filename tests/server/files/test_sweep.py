"""What nobody needs is taken away."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from anytune.errors import LedgerError
from anytune.server.book import Book
from anytune.server.book.part import new_id
from anytune.server.store import Store
from anytune.server.sweep import Sweep


@pytest.fixture
def time():
    return SimpleNamespace(now=datetime(2026, 11, 23, 1, tzinfo=UTC), monotonic=0.0)


@pytest.fixture
def house(ledger, tmp_path, time):
    book, store = Book(ledger.database, clock=lambda: time.now), Store(tmp_path / "files")
    return SimpleNamespace(book=book, store=store, sweep=Sweep(book, store, clock=lambda: time.monotonic))


def kept(house, **more):
    file_id = new_id("file-")
    return house.book.files.add("ann", file_id, "rows.jsonl", "fine-tune", *house.store.put(file_id, b"hello"), **more)


def names(house):
    return sorted(place.name for place in house.store.root.iterdir())


def aged(house, file_id, seconds=3601):
    place = house.store.path(file_id)
    when = place.stat().st_mtime - seconds
    os.utime(place, (when, when))


def test_a_file_goes_with_its_bytes_when_its_time_is_over(house, time):
    brief, other = kept(house, expires_at=time.now + timedelta(hours=1)), kept(house)
    house.sweep.round()
    assert names(house) == sorted([brief.id, other.id])
    time.now += timedelta(hours=1)
    house.sweep.round()
    assert names(house) == [other.id]
    assert [row.id for row in house.book.files.listed(None)[0]] == [other.id]


def test_parts_of_an_upload_that_was_left_open_go(house, time):
    upload = house.book.uploads.add("ann", new_id("upload_"), "rows.jsonl", "fine-tune", "text/jsonl", 10)
    part_id = new_id("part_")
    house.book.uploads.add_part(upload.id, part_id, house.store.put(part_id, b"hello").size_bytes, most_upload_bytes=100)
    aged(house, part_id)
    house.sweep.round()
    assert names(house) == [part_id]
    time.now += timedelta(hours=1, minutes=10)
    house.sweep.round()
    assert names(house) == []


def test_bytes_that_no_row_knows_go_after_an_hour_and_not_before(house, time):
    row = kept(house)
    aged(house, row.id)
    house.store.put(stray := new_id("file-"), b"hello")
    house.sweep.round()
    assert names(house) == sorted([row.id, stray])
    aged(house, stray)
    time.monotonic += 3599
    house.sweep.round()
    assert names(house) == sorted([row.id, stray])
    time.monotonic += 1
    house.sweep.round()
    assert names(house) == [row.id]


def test_what_an_earlier_server_was_writing_goes_at_the_start(house):
    incoming = house.store.incoming(new_id("file-"))
    incoming.write(b"half")
    incoming._stream.close()

    async def lived():
        await house.sweep.start()
        await house.sweep.stop()

    asyncio.run(lived())
    assert names(house) == []


def test_the_rounds_outlive_a_lost_database(house, caplog):
    rounds = []

    def expired():
        rounds.append(len(rounds))
        if len(rounds) < 3:
            raise LedgerError("The ledger failed: sk-proj-abcdefgh12345678.", fix="Wait.")
        return []

    house.book.files.expired = expired
    sweep = Sweep(house.book, house.store, every_s=0.001)

    async def lived():
        await sweep.start()
        async with asyncio.timeout(20):
            while len(rounds) < 3:
                await asyncio.sleep(0.001)
        await sweep.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(lived())
    assert "Files could not be swept" in caplog.text
    assert "abcdefgh12345678" not in caplog.text
