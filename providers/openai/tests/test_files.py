"""Training files: sent once, found by their name, ready or refused."""

from __future__ import annotations

import hashlib

import openai
import pytest

from anytune.backend import RemoteFile
from anytune.errors import DataError, MalformedReply, NotFound, Rejected
from anytune.retry import Retry
from anytune.testing import WireFault, WireFaults
from anytune.values import LocalFile
from anytune_openai import files
from anytune_openai.dialect import OPENAI

SENT = "POST /files"


def held(sim):
    return [one for one in sim.files if one.purpose == "fine-tune"]


def fail(sim, kind, **more):
    sim.faults = WireFaults(calls=(WireFault(kind=kind, on=SENT, **more),))


def test_a_file_is_sent_with_its_hash_for_a_name(client, sim, train):
    sent = files.upload(client, train, state={})
    (one,) = held(sim)
    assert one.filename == f"anytune-{train.sha256[:32]}.jsonl"
    assert one.content == train.path.read_bytes()
    assert sent == RemoteFile(id=one.id, sha256=train.sha256, size_bytes=train.size_bytes)


def test_the_first_call_sends_without_looking(client, sim, train):
    files.upload(client, train, state={})
    assert sim.count("GET /files") == 0


def test_a_repeated_call_finds_what_it_sent(client, sim, train):
    state = {}
    assert files.upload(client, train, state=state) == files.upload(client, train, state=state)
    assert sim.count(SENT) == 1


@pytest.mark.parametrize("kind", ["drop_reply", "html", "truncated"])
def test_a_lost_reply_leaves_one_file(client, sim, train, kind):
    fail(sim, kind)
    state = {}
    sent = Retry(sleep=lambda _: None).write(lambda: files.upload(client, train, state=state))
    assert [one.id for one in held(sim)] == [sent.id]
    assert sim.count(SENT) == 1


@pytest.mark.parametrize("fault", [{"kind": "drop"}, {"kind": "error", "status": 500}, {"kind": "error", "status": 503}], ids=str)
def test_a_file_that_did_not_arrive_is_sent_again(client, sim, train, fault):
    fail(sim, **fault)
    state = {}
    sent = Retry(sleep=lambda _: None).write(lambda: files.upload(client, train, state=state))
    assert [one.id for one in held(sim)] == [sent.id]
    assert sim.count(SENT) == 2


def test_a_page_of_html_is_no_file(client, sim, train):
    fail(sim, "html")
    with pytest.raises(MalformedReply, match="/files answered 200"):
        files.upload(client, train, state={})


def test_a_file_that_is_not_there_is_named_and_nothing_is_sent(client, sim, train):
    gone = train.model_copy(update={"path": train.path.with_name("gone.jsonl")})
    with pytest.raises(DataError, match=r"gone\.jsonl cannot be read: No such file"):
        files.upload(client, gone, state={})
    assert sim.requests == []


def test_the_same_bytes_are_found_again_by_another_process(client, train):
    sent = files.upload(client, train, state={})
    assert files.find(client, train.sha256) == sent


def test_a_hash_that_was_never_sent_is_not_found(client, train):
    files.upload(client, train, state={})
    assert files.find(client, "0" * 64) is None


def test_files_of_other_names_and_purposes_are_not_ours(client, sim, train):
    client.files.create(file=("train.jsonl", train.path.read_bytes()), purpose="fine-tune")
    client.files.create(file=(files.name_of(train.sha256), train.path.read_bytes()), purpose="batch")
    assert files.find(client, train.sha256) is None


def test_a_deleted_file_is_not_found(client, train):
    client.files.delete(files.upload(client, train, state={}).id)
    assert files.find(client, train.sha256) is None


def test_a_file_that_was_refused_is_not_found(client, sim, train):
    files.upload(client, train, state={})
    sim.faults = WireFaults(file_error="Line 3 is no JSON.")
    assert files.find(client, train.sha256) is None


def test_a_file_of_our_name_and_another_size_is_sent_anew(client, sim, train):
    client.files.create(file=(files.name_of(train.sha256), b'{"cut": 1}\n'), purpose="fine-tune")
    state = {"tried": {train.sha256}}
    sent = files.upload(client, train, state=state)
    assert sim.world.files[sent.id].content == train.path.read_bytes()


def test_all_pages_are_looked_at(sim, client, train, tmp_path, monkeypatch):
    first = files.upload(client, train, state={})
    for number in range(5):
        client.files.create(file=(f"other-{number}.jsonl", b'{"a": 1}\n'), purpose="fine-tune")
    monkeypatch.setattr(files, "_PAGE", 2)
    assert files.find(client, train.sha256) == first
    assert sim.count("GET /files") >= 3


def test_a_page_that_ends_early_hides_nothing(sim, client, train):
    first = files.upload(client, train, state={})
    for number in range(5):
        client.files.create(file=(f"other-{number}.jsonl", b'{"a": 1}\n'), purpose="fine-tune")
    sim.faults = WireFaults(short_pages=True)
    assert files.find(client, train.sha256) == first


def test_a_processed_file_is_ready(client, train):
    assert files.ready(client, files.upload(client, train, state={}), OPENAI)


def test_a_file_that_is_stuck_is_not_ready(client, sim, train):
    sim.faults = WireFaults(stuck_files=True)
    assert not files.ready(client, files.upload(client, train, state={}), OPENAI)


def test_a_refused_file_says_why(client, sim, train):
    sim.faults = WireFaults(file_error="Line 3 is no JSON.")
    sent = files.upload(client, train, state={})
    with pytest.raises(Rejected, match=r"refused the file .*Line 3 is no JSON.*anytune data check"):
        files.ready(client, sent, OPENAI)


def test_a_file_that_is_gone_is_not_found(client, train):
    sent = files.upload(client, train, state={})
    client.files.delete(sent.id)
    with pytest.raises(openai.NotFoundError):
        files.ready(client, sent, OPENAI)


@pytest.mark.parametrize(("word", "expected"), [("uploaded", False), ("processed", True), ("pondering", True), ("", True)])
def test_each_word_of_a_file_is_ready_or_waiting(client, train, word, expected, worded):
    assert files.ready(worded(word), RemoteFile(id="file-1", sha256="0" * 64, size_bytes=1), OPENAI) is expected


def test_a_file_that_the_host_calls_deleted_is_not_found(worded):
    with pytest.raises(NotFound, match="has deleted the file file-1"):
        files.ready(worded("deleted"), RemoteFile(id="file-1", sha256="0" * 64, size_bytes=1), OPENAI)


def test_a_file_of_many_bytes_is_streamed(client, sim, tmp_path):
    path = tmp_path / "many.jsonl"
    line = b'{"messages": [{"role": "user", "content": "' + b"x" * 2**20 + b'"}, {"role": "assistant", "content": "y"}]}\n'
    path.write_bytes(line * 12)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sent = files.upload(client, LocalFile(path=path, sha256=digest, size_bytes=path.stat().st_size, role="train"), state={})
    assert hashlib.sha256(sim.world.files[sent.id].content).hexdigest() == digest


@pytest.fixture
def worded():
    """Give clients of a host whose only file has a given status."""
    from anytune.testing.simulators.service import Reply, Service

    class Host(Service):
        routes = (("GET", "/files/{id}", "file"),)
        word = ""

        def file(self, request, id):  # noqa: A002 - the route's name for it
            status = {"status": self.word} if self.word else {}
            return Reply({"id": id, "object": "file", "bytes": 1, "filename": "x.jsonl", "purpose": "fine-tune", **status})

    with Host() as host, openai.OpenAI(base_url=host.url, api_key="sk-any", max_retries=0) as speaking:

        def give(word):
            host.word = word
            return speaking

        yield give
