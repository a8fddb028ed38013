"""Datasets of the Hub, asked with the real client from a small Hub on loopback; and folders of files."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from anytune.data.files import lines, locate, resolve
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("huggingface_hub")

SHA = "c0ffee" + "0" * 34
OLD = "0ld".replace("l", "1") + "0" * 37


def rows(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


class Hub(http.server.ThreadingHTTPServer):
    """Speaks the few routes that the client asks for files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, dict[str, bytes]] = {}  # by repository and commit
        self.refused: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()

    def put(self, repo: str, files: dict[str, bytes], commit: str = SHA) -> None:
        self.files[f"{repo}@{commit}"] = files


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        self.server.tokens.add(self.headers.get("Authorization"))
        parts = path.removeprefix("/api").removeprefix("/datasets/").split("/")
        repo, rest = "/".join(parts[:2]), parts[2:]
        if repo in self.server.refused:
            status, code = self.server.refused[repo]
            self.reply(status, b"", {"X-Error-Code": code} if code else {})
        elif path.startswith("/api/datasets/") and rest[:1] in ([], ["revision"]):
            commit = {"main": SHA, "old": OLD, "refs/convert/parquet": SHA}.get("/".join(rest[1:]) or "main", "/".join(rest[1:]))
            if f"{repo}@{commit}" in self.server.files:
                self.reply(200, json.dumps({"id": repo, "sha": commit, "siblings": []}).encode())
            else:
                known = any(name.startswith(f"{repo}@") for name in self.server.files)
                self.reply(404, b"", {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})
        elif rest[:1] == ["tree"]:
            files = self.server.files[f"{repo}@{rest[1]}"]
            listing = [
                {"type": "file", "path": name, "size": len(raw), "oid": hashlib.sha1(raw).hexdigest()} for name, raw in files.items()
            ]
            self.reply(200, json.dumps(listing).encode())
        elif path.startswith("/datasets/") and rest[:1] == ["resolve"]:
            raw = self.server.files[f"{repo}@{rest[1]}"]["/".join(rest[2:])]
            self.reply(200, raw, {"ETag": f'"{hashlib.sha1(raw).hexdigest()}"', "X-Repo-Commit": rest[1]})
        else:
            self.reply(404, b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(hub: Hub, tmp_path: Path) -> Any:
    """Locate names in a process of its own, since the client reads its environment when it is imported."""
    code = """
import json, sys
from anytune.data.files import lines, locate
from anytune.errors import DataError
for name in sys.argv[1:]:
    try:
        found = locate(name)
        print(json.dumps({**found.model_dump(mode="json"), "rows": [line.row for line in lines(found.path)]}))
    except DataError as error:
        print(json.dumps({"error": str(error)}))
"""

    def ask(*names: str, **settings: str) -> list[dict[str, Any]]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))} | {
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
            "HF_HOME": str(tmp_path / "hf"),
            "ANYTUNE_HOME": str(tmp_path / "anytune"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        shown = subprocess.run([sys.executable, "-c", code, *names], env=env | settings, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    return ask


def test_a_name_gives_the_training_split_and_the_commit_it_was_read_at(hub: Hub, ask: Any):
    hub.put("o/n", {"train.jsonl": rows("a", "b"), "test.jsonl": rows("c"), "load.py": b"raise SystemExit", ".gitattributes": b""})
    hub.put("o/n", {"train.jsonl": rows("old")}, OLD)
    newest, test, old = ask("hf:o/n", "hf:o/n:test", "hf:o/n@old")
    assert [row["text"] for row in newest["rows"]] == ["a", "b"]
    assert (newest["revision"], newest["files"], newest["source"]) == (SHA, ["train.jsonl"], "hf:o/n")
    assert [row["text"] for row in test["rows"]] == ["c"]
    assert (old["revision"], [row["text"] for row in old["rows"]]) == (OLD, ["old"])
    assert not any(name.endswith(".py") for name in hub.asked)


def test_shards_of_a_split_are_read_as_one(hub: Hub, ask: Any):
    shards = {f"data/train-0000{place}-of-00003.jsonl": rows(*(f"{place}{letter}" for letter in "ab")) for place in range(3)}
    hub.put("o/n", shards | {"data/test-00000-of-00001.jsonl": rows("t"), "README.md": b"# no front matter"})
    (found,) = ask("hf:o/n")
    assert [row["text"] for row in found["rows"]] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert found["files"] == sorted(shards)


def test_what_the_card_says_about_files_comes_first(hub: Hub, ask: Any):
    card = """---
license: mit
configs:
- config_name: small
  data_files:
  - split: train
    path: [x/one.csv]
  - split: held_out
    path: "x/two*"
- config_name: big
  data_files: "y/*.jsonl"
---
# A dataset
"""
    files = {
        "README.md": card.encode(),
        "x/one.csv": b"text\n1\n",
        "x/two.csv": b"text\n2\n",
        "y/a.jsonl": rows("3"),
        "y/b.jsonl": rows("4"),
    }
    hub.put("o/n", files)
    found = ask("hf:o/n:small/train", "hf:o/n:small/held_out", "hf:o/n:big/train", "hf:o/n:big", "hf:o/n", "hf:o/n:small/x")
    assert [[row["text"] for row in one.get("rows", ())] for one in found] == [["1"], ["2"], ["3", "4"], ["3", "4"], [], []]
    assert "several configurations; it has big, small" in found[4]["error"]
    assert "no split 'x'; it has held_out, train" in found[5]["error"]


def test_parquet_copies_that_the_hub_made_are_read(hub: Hub, ask: Any, tmp_path: Path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{"text": "a"}]), tmp_path / "x.parquet")
    raw = (tmp_path / "x.parquet").read_bytes()
    hub.put("o/n", {"default/train/0000.parquet": raw, "default/train/0001.parquet": raw, "default/test/0000.parquet": raw})
    (found,) = ask("hf:o/n@refs/convert/parquet:default/train")
    assert [row["text"] for row in found["rows"]] == ["a", "a"]


def test_offline_what_was_fetched_is_there_and_nothing_else(hub: Hub, ask: Any):
    hub.put("o/n", {"train-00000-of-00002.jsonl": rows("a"), "train-00001-of-00002.jsonl": rows("b"), "test.jsonl": rows("c")})
    (fetched,) = ask("hf:o/n")
    hub.asked.clear()
    again, test, other = ask("hf:o/n", "hf:o/n:test", "hf:o/other", HF_HUB_OFFLINE="1")
    assert again == fetched
    assert "not fetched on this machine" in test["error"]
    assert "Unset HF_HUB_OFFLINE" in other["error"]
    assert hub.asked == []


def test_a_commit_that_was_fetched_is_not_asked_for_again(hub: Hub, ask: Any):
    hub.put("o/n", {"train.jsonl": rows("a")})
    first = ask(f"hf:o/n@{SHA}")
    hub.asked.clear()
    assert ask(f"hf:o/n@{SHA}") == first
    assert not any("/api/" in name for name in hub.asked)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "GatedRepo", ["is gated", "Accept its terms at https://huggingface.co/datasets/o/n", "HF_TOKEN"]),
        (404, "RepoNotFound", ["no dataset o/n", "HF_TOKEN"]),
        (401, "", ["could not give o/n", "HF_TOKEN"]),
        (403, "", ["could not give o/n", "HF_TOKEN"]),
        (400, "", ["could not give o/n", "HF_HUB_OFFLINE=1"]),
    ],
)
def test_what_the_hub_refuses_comes_with_the_next_step(hub: Hub, ask: Any, status: int, code: str, words: list[str]):
    hub.refused["o/n"] = (status, code)
    (found,) = ask("hf:o/n")
    assert [word for word in words if word not in found["error"]] == []


def test_a_token_is_sent_and_never_shown(hub: Hub, ask: Any):
    token = "hf_" + "x" * 34
    (found,) = ask("hf:o/n", HF_TOKEN=token)
    assert f"Bearer {token}" in hub.tokens
    assert token not in found["error"]


def test_an_unknown_revision_and_split_are_named(hub: Hub, ask: Any):
    hub.put("o/n", {"a/train.jsonl": rows("a"), "a/valid.jsonl": rows("b")})
    hub.put("o/script", {"script.py": b"", "README.md": b"", "state.json": b"{}"})
    revision, split, script, name = ask("hf:o/n@never", "hf:o/n:test", "hf:o/script", "hf:a b")
    assert "no revision 'never'" in revision["error"]
    assert "no split 'test'; it has train, validation" in split["error"]
    assert "holds no data files" in script["error"]
    assert "hf:OWNER/NAME" in name["error"]


def test_a_hub_that_is_not_there_is_told_from_a_dataset_that_is_not(ask: Any):
    (found,) = ask("hf:o/n", HF_ENDPOINT="http://127.0.0.1:9")
    assert "could not give o/n" in found["error"]
    assert "HF_HUB_OFFLINE=1" in found["error"]


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError) as caught:
        resolve("hf:o/n")
    assert caught.value.fix == 'pip install "anytune[data]"'


# ---- folders ----------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_path_is_given_back_as_it_is(folder: Path):
    for path in (folder / "a.jsonl", folder / "none.jsonl"):
        assert resolve(path) == path
        assert resolve(str(path)) == path


def test_files_of_a_folder_are_read_as_one_and_anew_once_they_change(folder: Path):
    for name in ("b.jsonl", "a.jsonl"):
        (folder / name).write_bytes(rows(name))
    (folder / "notes.txt").write_text("no rows")
    assert [line.row["text"] for line in lines(resolve(folder))] == ["a.jsonl", "b.jsonl"]
    assert resolve(folder) == resolve(folder)
    (folder / "b.jsonl").write_bytes(rows("more", "rows"))
    assert [line.row["text"] for line in lines(resolve(folder))] == ["a.jsonl", "more", "rows"]


def test_the_only_data_file_of_a_folder_is_taken_itself(folder: Path):
    (folder / "train.csv").write_bytes(b"text\na\n")
    (folder / "test.csv").write_bytes(b"text\nb\n")
    assert resolve(folder) == folder / "train.csv"


def test_the_same_rows_in_two_forms_are_read_once(folder: Path):
    (folder / "train.csv").write_bytes(b"text\na\n")
    (folder / "train.jsonl").write_bytes(rows("a"))
    assert locate(folder).files == ("train.jsonl",)


def test_a_broken_row_of_a_shard_is_named_with_its_file(folder: Path):
    (folder / "a.jsonl").write_bytes(rows("a"))
    (folder / "b.jsonl").write_bytes(rows("a") + b"oh\n")
    with pytest.raises(DataError, match=r"Row 2 of b.jsonl is not JSON"):
        resolve(folder)
    assert list((folder.parent / "home" / "datasets").iterdir()) == []


def test_a_folder_of_nothing_is_refused(folder: Path):
    with pytest.raises(DataError, match="holds no data files"):
        resolve(folder)
