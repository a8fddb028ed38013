"""Data files on the Hub: private, named by content, sent once, and verified when they come back."""

from __future__ import annotations

import hashlib

import pytest

from anytune.backend import LocalFile
from anytune.errors import DataError, NotFound, Rejected, Unreachable
from anytune.testing.simulators.faults import WireFault
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.data import DataRepo

COMMIT = "POST /api/datasets/{repo}/commit/{revision}"


@pytest.fixture
def data(hub):
    return DataRepo(hub)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"messages": []}\n')
    return of(path)


def of(path):
    content = path.read_bytes()
    return LocalFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), role="train")


def test_a_file_is_kept_privately_under_its_content(sim, data, file):
    assert data.find(file.sha256) is None
    sent = data.upload(file)
    assert (sent.id, sent.sha256, sent.size_bytes) == (f"ada/anytune-data/{file.sha256}.jsonl", file.sha256, file.size_bytes)
    assert sim.store.get("dataset", "ada/anytune-data").private
    assert data.find(file.sha256) == sent


def test_the_same_bytes_are_sent_once(sim, data, file):
    data.upload(file)
    data.upload(file)
    assert sim.count(COMMIT) == 1


def test_an_upload_whose_reply_was_lost_is_not_sent_again(sim, data, file):
    sim.faults = sim.faults.with_calls(WireFault(kind="drop_reply", on=COMMIT))
    with pytest.raises(Unreachable):
        data.upload(file)
    data.upload(file)
    assert sim.count(COMMIT) == 1


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the library's own upload of large files
@pytest.mark.parametrize("lfs_from_bytes", [4, 10_000_000])
def test_what_comes_back_is_what_was_sent(start, file, tmp_path, lfs_from_bytes):
    sim = start(lfs_from_bytes=lfs_from_bytes)
    data = DataRepo(Hub(token=sim.token, endpoint=sim.url))
    data.upload(file)
    (tmp_path / "there").mkdir()
    fetched = data.fetch(file.sha256, tmp_path / "there")
    assert fetched.read_bytes() == file.path.read_bytes()
    assert [path.name for path in (tmp_path / "there").iterdir()] == [f"{file.sha256}.jsonl"]


def test_a_good_copy_is_not_fetched_again(sim, data, file, tmp_path):
    data.upload(file)
    first = data.fetch(file.sha256, tmp_path / "there")
    before = len(sim.requests)
    assert data.fetch(file.sha256, tmp_path / "there") == first
    assert len(sim.requests) == before


def test_a_file_that_somebody_changed_is_refused(sim, data, file, tmp_path):
    data.upload(file)
    sim.add("dataset", "ada/anytune-data", {f"{file.sha256}.jsonl": "evil\n"})
    with pytest.raises(DataError, match="not what its name says"):
        data.fetch(file.sha256, tmp_path / "there")
    assert not (tmp_path / "there" / f"{file.sha256}.jsonl").exists()


def test_a_file_that_changed_since_it_was_checked_is_not_sent(sim, data, file):
    file.path.write_text("other\n")
    with pytest.raises(DataError, match="changed since"):
        data.upload(file)
    assert sim.count(COMMIT) == 0


def test_a_file_that_is_not_there_is_named(data, file):
    file.path.unlink()
    with pytest.raises(DataError, match=r"rows\.jsonl does not exist"):
        data.upload(file)


def test_a_public_repository_gets_no_data(sim, data, file):
    sim.add("dataset", "ada/anytune-data", {})
    with pytest.raises(Rejected, match="public"):
        data.upload(file)
    assert sim.count(COMMIT) == 0


def test_what_was_never_sent_is_not_found(data, tmp_path):
    with pytest.raises(NotFound):
        data.fetch("0" * 64, tmp_path)


def test_a_name_that_is_no_hash_is_refused(sim, data, tmp_path):
    for call in (data.find, lambda word: data.fetch(word, tmp_path)):
        with pytest.raises(DataError, match="is not a sha256"):
            call("../secret")
    assert sim.requests == []
