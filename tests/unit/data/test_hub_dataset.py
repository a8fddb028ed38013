"""Datasets of the Hub, asked with the real client from the simulated Hub; and folders of files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from anytune.data.files import lines, locate, resolve
from anytune.errors import DataError
from anytune.testing import WireFault, WireFaults
from anytune.testing.simulators.hub import HubSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("huggingface_hub")


def rows(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def hub() -> Iterator[HubSimulator]:
    with HubSimulator() as simulator:
        yield simulator


def put(hub: HubSimulator, repo: str, files: dict[str, bytes], **more: Any) -> str:
    """Give the commit that holds these files."""
    return hub.add("dataset", repo, files, **more).sha


@pytest.fixture
def ask(hub: HubSimulator, tmp_path: Path) -> Any:
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
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "ANYTUNE_HOME": str(tmp_path / "anytune"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        shown = subprocess.run([sys.executable, "-c", code, *names], env=env | settings, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    return ask


def test_a_name_gives_the_training_split_and_the_commit_it_was_read_at(hub: HubSimulator, ask: Any):
    first = put(hub, "o/n", {"train.jsonl": rows("old")})
    sha = put(hub, "o/n", {"train.jsonl": rows("a", "b"), "test.jsonl": rows("c"), "load.py": b"raise SystemExit", ".gitattributes": b""})
    newest, test, old = ask("hf:o/n", "hf:o/n:test", f"hf:o/n@{first}")
    assert [row["text"] for row in newest["rows"]] == ["a", "b"]
    assert (newest["revision"], newest["files"], newest["source"]) == (sha, ["train.jsonl"], "hf:o/n")
    assert [row["text"] for row in test["rows"]] == ["c"]
    assert (old["revision"], [row["text"] for row in old["rows"]]) == (first, ["old"])
    assert not any(asked.path.endswith(".py") for asked in hub.requests)


def test_shards_of_a_split_are_read_as_one(hub: HubSimulator, ask: Any):
    shards = {f"data/train-0000{place}-of-00003.jsonl": rows(*(f"{place}{letter}" for letter in "ab")) for place in range(3)}
    put(hub, "o/n", shards | {"data/test-00000-of-00001.jsonl": rows("t"), "README.md": b"# no front matter"})
    (found,) = ask("hf:o/n")
    assert [row["text"] for row in found["rows"]] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert found["files"] == sorted(shards)


def test_what_the_card_says_about_files_comes_first(hub: HubSimulator, ask: Any):
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
    put(hub, "o/n", files)
    found = ask("hf:o/n:small/train", "hf:o/n:small/held_out", "hf:o/n:big/train", "hf:o/n:big", "hf:o/n", "hf:o/n:small/x")
    assert [[row["text"] for row in one.get("rows", ())] for one in found] == [["1"], ["2"], ["3", "4"], ["3", "4"], [], []]
    assert "several configurations; it has big, small" in found[4]["error"]
    assert "no split 'x'; it has held_out, train" in found[5]["error"]


def test_parquet_copies_that_the_hub_made_are_read(hub: HubSimulator, ask: Any, tmp_path: Path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{"text": "a"}]), tmp_path / "x.parquet")
    raw = (tmp_path / "x.parquet").read_bytes()
    copies = {"default/train/0000.parquet": raw, "default/train/0001.parquet": raw, "default/test/0000.parquet": raw}
    put(hub, "o/n", copies, branch="refs/convert/parquet")
    (found,) = ask("hf:o/n@refs/convert/parquet:default/train")
    assert [row["text"] for row in found["rows"]] == ["a", "a"]


def test_offline_what_was_fetched_is_there_and_nothing_else(hub: HubSimulator, ask: Any):
    put(hub, "o/n", {"train-00000-of-00002.jsonl": rows("a"), "train-00001-of-00002.jsonl": rows("b"), "test.jsonl": rows("c")})
    (fetched,) = ask("hf:o/n")
    hub.requests.clear()
    again, test, other = ask("hf:o/n", "hf:o/n:test", "hf:o/other", HF_HUB_OFFLINE="1")
    assert again == fetched
    assert "not fetched on this machine" in test["error"]
    assert "Unset HF_HUB_OFFLINE" in other["error"]
    assert hub.requests == []


def test_a_commit_that_was_fetched_is_not_asked_for_again(hub: HubSimulator, ask: Any):
    sha = put(hub, "o/n", {"train.jsonl": rows("a")})
    first = ask(f"hf:o/n@{sha}")
    hub.requests.clear()
    assert ask(f"hf:o/n@{sha}") == first
    assert not any(asked.path.startswith("/api/datasets") for asked in hub.requests)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("gated", ["is gated", "Accept its terms at https://huggingface.co/datasets/o/n", "HF_TOKEN"]),
        ("not_found", ["no dataset o/n", "HF_TOKEN"]),
        ("unauthorized", ["could not give o/n", "HF_TOKEN"]),
        ("forbidden", ["could not give o/n", "HF_TOKEN"]),
        ("bad_request", ["could not give o/n", "HF_HUB_OFFLINE=1"]),
    ],
)
def test_what_the_hub_refuses_comes_with_the_next_step(hub: HubSimulator, ask: Any, refusal: str, words: list[str]):
    put(hub, "o/n", {"train.jsonl": rows("a")})
    hub.faults = WireFaults(calls=(WireFault(kind="refuse", on="GET /api/datasets/{repo}", name=refusal),))
    (found,) = ask("hf:o/n")
    assert [word for word in words if word not in found["error"]] == []


def test_a_token_opens_what_is_private(hub: HubSimulator, ask: Any):
    put(hub, "ada/n", {"train.jsonl": rows("a")}, private=True)
    assert "HF_TOKEN" in ask("hf:ada/n")[0]["error"]
    assert [row["text"] for row in ask("hf:ada/n", HF_TOKEN=hub.token)[0]["rows"]] == ["a"]


def test_a_token_that_is_refused_is_not_shown(ask: Any):
    token = "hf_" + "x" * 34
    (found,) = ask("hf:o/n", HF_TOKEN=token)
    assert "HF_TOKEN" in found["error"]
    assert token not in found["error"]


def test_an_unknown_revision_and_split_are_named(hub: HubSimulator, ask: Any):
    put(hub, "o/n", {"a/train.jsonl": rows("a"), "a/valid.jsonl": rows("b")})
    put(hub, "o/script", {"script.py": b"", "README.md": b"", "state.json": b"{}"})
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
