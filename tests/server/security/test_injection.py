"""Row 24: text from requests is only ever data to the database (LiteLLM CVE-2026-42208), on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest
from sqlalchemy import inspect, text

from anytune.server.book.keys import digest

CORPUS = [
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "'; DROP TABLE anytune_server_keys; --",
    "1; SELECT pg_sleep(10)--",
    "' UNION SELECT id, owner, label, digest, 1, 1, 1, 1, created_at, used_at, revoked_at FROM anytune_server_keys --",
    "\\'; DELETE FROM anytune_server_files; --",
    "%' ESCAPE '!",
    "_%",
    "$1",
    ":digest",
    "%(digest)s",
    "{0.__class__}",
    "\u02bc OR 1=1",
    "\x00",
    "x" * 4000,
    "\U0001f600",
]
"""What was tried on others, and what a driver could mistake for its own place holders."""


def state_of(server):
    database = server.house.context.ledger.database
    with database.read() as connection:
        tables = sorted(inspect(connection).get_table_names())
        names = [name for name in tables if name.startswith("anytune_server_")]
        return tables, {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in names}


@pytest.fixture
def server(database, serve):
    made = serve()
    made.house.book.keys.add("alice")
    return made


def asked(send, server, method, path, headers=(), body=b"", *, key=None):
    begun = time.monotonic()
    answer = send(server, method, path, headers, body, key=key)
    assert time.monotonic() - begun < 5
    assert 400 <= answer.status < 500 or answer.status in {200, 501}, (path[:100], answer.status, answer.body[:300])
    return answer


def test_credentials(server, send):
    before = state_of(server)
    for word in CORPUS:
        raw = word.encode().replace(b"\x00", b"").decode("latin-1")
        for headers in (
            [("Authorization", f"Bearer {raw}")],
            [("api-key", raw)],
            [("Authorization", f"Bearer sk-anytune-{raw[:43]:x<43}")],
        ):
            assert asked(send, server, "GET", "/v1/files", headers, key=False).status == 401
    assert state_of(server) == before


def test_hashes(server):
    keys = server.house.book.keys
    before = state_of(server)
    for word in CORPUS:
        if "\x00" not in word:  # a hash is made here and has none
            assert keys.by_digest(word) is None
    assert keys.by_digest(digest("x")) is None
    assert state_of(server) == before


@pytest.mark.parametrize(
    "template",
    [
        "/v1/files/{}",
        "/v1/files/{}/content",
        "/v1/files?purpose={}",
        "/v1/files?after={}",
        "/v1/files?order={}&limit=2",
        "/v1/fine_tuning/jobs/{}",
        "/v1/fine_tuning/jobs/{}/events",
        "/v1/fine_tuning/jobs/{}/checkpoints",
        "/v1/fine_tuning/jobs?after={}",
        "/v1/fine_tuning/jobs?limit={}",
        "/v1/fine_tuning/jobs?metadata[{}]=a",
        "/v1/fine_tuning/jobs?metadata[a]={}",
        "/v1/models/{}",
    ],
)
def test_paths_and_filters(server, send, template):
    before = state_of(server)
    for word in CORPUS:
        asked(send, server, "GET", template.format(quote(word, safe="")))
    assert state_of(server) == before


def test_deletions_and_orders_of_what_is_not_there(server, send):
    before = state_of(server)
    for word in CORPUS:
        place = quote(word, safe="")
        asked(send, server, "DELETE", f"/v1/files/{place}")
        asked(send, server, "DELETE", f"/v1/models/{place}")
        for verb in ("cancel", "pause", "resume"):
            asked(send, server, "POST", f"/v1/fine_tuning/jobs/{place}/{verb}")
        for verb in ("cancel", "complete"):
            asked(send, server, "POST", f"/v1/uploads/{place}/{verb}", [("Content-Type", "application/json")], b'{"part_ids": ["p"]}')
    assert state_of(server) == before


def test_bodies(server, send, upload):
    file_id = upload(server)
    before = state_of(server)
    for word in CORPUS:
        for order in (
            {"model": word, "training_file": file_id},
            {"model": "m", "training_file": word},
            {"model": "m", "training_file": "file-unknown", "suffix": word, "metadata": {word[:60]: word[:500]}},
        ):
            headers = [("Content-Type", "application/json"), ("Idempotency-Key", quote(word)[:200])]
            asked(send, server, "POST", "/v1/fine_tuning/jobs", headers, json.dumps(order).encode())
        chat = {"model": word, "messages": [{"role": "user", "content": word}]}
        asked(send, server, "POST", "/v1/chat/completions", [("Content-Type", "application/json")], json.dumps(chat).encode())
    after = state_of(server)
    assert after[0] == before[0]
    assert {name: count for name, count in after[1].items() if "key" in name or "file" in name} == {
        name: count for name, count in before[1].items() if "key" in name or "file" in name
    }
