"""Keys in the book, and `anytune serve keys`."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from anytune.cli import invoke
from anytune.errors import ConfigError, NotFound
from anytune.server.book.keys import Keys, digest, issued
from anytune.values import now


@pytest.fixture
def keys(ledger):
    return Keys(ledger.database, now)


def test_a_key_has_256_random_bits_and_is_kept_as_its_hash_only(keys, state):
    row, key = keys.add("alice", label="laptop")
    assert re.fullmatch(r"sk-anytune-[A-Za-z0-9_-]{43}", key)
    assert issued(key)
    assert row.digest == digest(key)
    stored = b"".join(path.read_bytes() for path in state.iterdir() if path.is_file())
    assert key.encode() not in stored
    assert row.digest.encode() in stored


def test_a_key_is_found_by_its_hash_until_it_is_revoked(keys):
    row, key = keys.add("alice", live_jobs=2)
    assert keys.by_digest(digest(key)) == row
    assert keys.by_digest(digest(key + "x")) is None
    assert keys.revoke(row.id[:20]).revoked_at is not None
    assert keys.by_digest(digest(key)) is None
    assert keys.revoke(row.id).revoked_at == keys.listed()[0].revoked_at


def test_the_first_key_is_an_admin_s_and_made_once(keys):
    row, _ = keys.first()
    assert (row.owner, row.admin) == ("admin", True)
    assert keys.first() is None
    keys.revoke(row.id)
    assert not keys.any()
    assert keys.first() is not None


@pytest.mark.parametrize("owner", ["", " ", "a b", "../x", "x" * 65, "-x", "al\nice", "' OR 1=1 --"])
def test_owners_are_plain_words(keys, owner):
    with pytest.raises(ConfigError, match="owner"):
        keys.add(owner)
    assert keys.listed() == []


@pytest.mark.parametrize("wrong", [{"label": "x" * 256}, {"label": "a\x1b[2J"}, {"live_jobs": 0}, {"requests_per_minute": -1}])
def test_labels_and_limits_are_checked(keys, wrong):
    with pytest.raises(ConfigError):
        keys.add("alice", **wrong)


@pytest.mark.parametrize("word", ["", "%", "____", "01%", "' OR 1=1 --", "../..", "0" * 26])
def test_only_an_id_or_its_beginning_revokes(keys, word):
    keys.add("alice")
    with pytest.raises(NotFound):
        keys.revoke(word)
    assert keys.any()


def test_an_ambiguous_id_revokes_nothing(keys):
    rows = [keys.add("alice")[0] for _ in range(2)]
    with pytest.raises(ConfigError, match="Several"):
        keys.revoke(rows[0].id[:4])
    assert all(row.revoked_at is None for row in keys.listed())


def test_a_key_given_in_place_of_an_id_is_not_shown(keys, capsys):
    _, key = keys.add("alice")
    assert invoke(["serve", "keys", "revoke", key]) == 2
    assert key not in "".join(capsys.readouterr())


def test_keys_are_made_listed_and_revoked_on_the_command_line(state, capsys):
    assert invoke(["serve", "keys", "add", "alice", "--label", "laptop", "--live-jobs", "2", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert issued(made["key"])
    assert (made["owner"], made["live_jobs"], made["admin"]) == ("alice", 2, False)
    assert invoke(["serve", "keys", "add", "bob", "--admin"]) == 0
    said = capsys.readouterr()
    assert issued(said.out.strip())
    assert "shown this once" in said.err

    assert invoke(["serve", "keys", "revoke", made["id"]]) == 0
    capsys.readouterr()
    assert invoke(["serve", "keys", "list", "--json"]) == 0
    assert [row["owner"] for row in json.loads(capsys.readouterr().out)] == ["bob"]
    assert invoke(["serve", "keys", "list", "--all", "--json"]) == 0
    every = json.loads(capsys.readouterr().out)
    assert [row["owner"] for row in every] == ["alice", "bob"]
    assert not {"digest", "key"} & every[0].keys()
    assert invoke(["serve", "keys", "list"]) == 0
    assert "bob" in capsys.readouterr().out


def test_the_database_refuses_the_same_hash_twice(keys, state):
    row, _ = keys.add("alice")
    with sqlite3.connect(state / "ledger.db") as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute(
            "INSERT INTO anytune_server_keys (id, owner, label, digest, admin, created_at) VALUES ('x', 'eve', '', ?, 1, '2026-01-01')",
            [row.digest],
        )
    raw.close()
