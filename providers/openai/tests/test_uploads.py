"""Large files: parts from the disk, a place to go on from, nothing left behind."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as some

from anytune.errors import DataError, MalformedReply, Rejected
from anytune.retry import Retry
from anytune.testing import WireFault, WireFaults
from anytune_openai import files, uploads

BEGIN, PART, DONE, CANCEL = (
    "POST /uploads",
    "POST /uploads/{id}/parts",
    "POST /uploads/{id}/complete",
    "POST /uploads/{id}/cancel",
)
LIMIT, SIZE = 1000, 700


@pytest.fixture
def large(tmp_path, described):
    path = tmp_path / "large.jsonl"
    path.write_bytes(
        b"".join(b'{"messages": [{"role": "user", "content": "%d"}, {"role": "assistant", "content": "y"}]}\n' % n for n in range(40))
    )
    return described(path)


@pytest.fixture
def state():
    return {}


@pytest.fixture
def send(client, large, state):
    """Upload the large file, as the backend does it."""
    return lambda: files.upload(client, large, state=state, limit_bytes=LIMIT, part_bytes=SIZE)


def parts_of(file):
    return -(-file.size_bytes // SIZE)


def break_call(sim, kind, on, **more):
    sim.faults = WireFaults(calls=(WireFault(kind=kind, on=on, **more),))


def again(call):
    return Retry(sleep=lambda _: None).write(call)


def held(sim):
    return [one for one in sim.files if one.purpose == "fine-tune"]


def test_a_file_over_the_limit_goes_up_in_parts(sim, send, large):
    sent = send()
    (one,) = held(sim)
    assert (one.id, one.filename, one.content) == (sent.id, files.name_of(large.sha256), large.path.read_bytes())
    assert sim.count(PART) == parts_of(large) > 3
    assert sim.count("POST /files") == 0


def test_a_file_at_the_limit_goes_up_whole(client, sim, large):
    files.upload(client, large, state={}, limit_bytes=large.size_bytes, part_bytes=SIZE)
    assert (sim.count("POST /files"), sim.count(BEGIN)) == (1, 0)


def test_the_checksum_is_sent_at_the_end(sim, send, large):
    send()
    (done,) = [one for one in sim.requests if one.route == DONE]
    assert done.json["md5"] == hashlib.md5(large.path.read_bytes()).hexdigest()


@pytest.mark.parametrize("skip", [0, 1, 3])
@pytest.mark.parametrize("kind", ["drop", "drop_reply", "html", "truncated", "error"])
def test_a_repeated_call_goes_on_after_the_last_part_that_arrived(sim, send, large, kind, skip):
    break_call(sim, kind, PART, skip=skip)
    sent = again(send)
    assert sim.world.files[sent.id].content == large.path.read_bytes()
    assert (sim.count(BEGIN), sim.count(PART)) == (1, parts_of(large) + 1)


@pytest.mark.parametrize("kind", ["drop_reply", "html", "truncated"])
def test_a_lost_reply_to_the_beginning_leaves_one_file(sim, send, kind):
    break_call(sim, kind, BEGIN)
    sent = again(send)
    assert [one.id for one in held(sim)] == [sent.id]


@pytest.mark.parametrize("kind", ["drop_reply", "html", "truncated"])
def test_a_lost_reply_to_the_end_is_answered_by_looking(sim, send, large, kind):
    break_call(sim, kind, DONE)
    sent = again(send)
    assert [one.id for one in held(sim)] == [sent.id]
    assert sim.count(PART) == parts_of(large)


def test_an_end_that_did_not_arrive_is_asked_for_again(sim, send, large):
    break_call(sim, "error", DONE, status=503)
    sent = again(send)
    assert sim.world.files[sent.id].content == large.path.read_bytes()
    assert (sim.count(PART), sim.count(DONE)) == (parts_of(large), 2)


def test_nothing_is_tried_twice_by_itself(sim, send):
    break_call(sim, "error", PART, status=500)
    with pytest.raises(openai.InternalServerError):
        send()
    assert (sim.count(PART), sim.count(CANCEL)) == (1, 0)


def test_an_upload_that_was_cancelled_elsewhere_is_begun_anew(client, sim, send, state, large):
    break_call(sim, "error", PART, skip=2, status=500)
    with pytest.raises(openai.InternalServerError):
        send()
    (begun,) = state["begun"].values()
    client.uploads.cancel(begun.id)
    sent = send()
    assert sim.world.files[sent.id].content == large.path.read_bytes()
    assert (sim.count(BEGIN), sim.count(PART)) == (2, 3 + 1 + parts_of(large))


def test_an_upload_that_is_about_to_expire_is_begun_anew(client, sim, large, state):
    now = 5000.0

    def send():
        with large.path.open("rb") as stream:
            return uploads.send(client, large, stream, name="x.jsonl", begun=state, part_bytes=SIZE, clock=lambda: now)

    break_call(sim, "error", PART, skip=2, status=500)
    with pytest.raises(openai.InternalServerError):
        send()
    now += 3599.0
    assert send()["id"]
    assert (sim.count(BEGIN), sim.count(CANCEL)) == (2, 1)


def test_an_upload_that_is_refused_is_cancelled(sim, send, state):
    break_call(sim, "refuse", PART, skip=1, name="upload_size")
    with pytest.raises(openai.BadRequestError):
        send()
    assert state["begun"] == {}
    assert [one.status for one in sim.world.uploads.values()] == ["cancelled"]


def test_a_file_that_changed_on_its_way_is_refused_and_cancelled(sim, send, large, state):
    break_call(sim, "error", PART, skip=2, status=500)
    with pytest.raises(openai.InternalServerError):
        send()
    large.path.write_bytes(b"x" + large.path.read_bytes()[1:])
    with pytest.raises(DataError, match=r"large\.jsonl changed while it was sent"):
        send()
    assert state["begun"] == {}
    assert (sim.count(DONE), sim.count(CANCEL)) == (0, 1)


def test_what_was_begun_is_cancelled_when_the_backend_closes(client, sim, send, state):
    break_call(sim, "error", PART, skip=2, status=500)
    with pytest.raises(openai.InternalServerError):
        send()
    files.abandon(client, state)
    files.abandon(client, state)
    assert [one.status for one in sim.world.uploads.values()] == ["cancelled"]
    assert sim.count(CANCEL) == 1


def test_a_cancel_that_fails_is_no_error(client, sim, send, state):
    break_call(sim, "error", PART, status=500)
    with pytest.raises(openai.InternalServerError):
        send()
    break_call(sim, "drop", CANCEL)
    files.abandon(client, state)
    assert state["begun"] == {}


def test_a_host_without_uploads_is_named_as_the_reason(sim, send):
    break_call(sim, "error", BEGIN, status=404)
    with pytest.raises(Rejected, match=r"large\.jsonl has [\d,]+ bytes, and the host has no uploads in parts"):
        send()


def test_an_answer_without_an_id_is_malformed(sim, send):
    break_call(sim, "html", BEGIN)
    with pytest.raises(MalformedReply, match="/uploads answered 200"):
        send()


MEMORY = """
import resource, sys
from pathlib import Path
from anytune.values import LocalFile
from anytune_openai import OpenAIBackend, files
backend, path = OpenAIBackend(), Path(sys.argv[1])
file = LocalFile(path=path, sha256=sys.argv[2], size_bytes=path.stat().st_size, role="train")
backend.find_file("0" * 64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
files.upload(backend.client, file, state={}, limit_bytes=int(sys.argv[3]), part_bytes=16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("limit", [0, 2**30], ids=["in parts", "whole"])
def test_memory_does_not_grow_with_the_file(sim, tmp_path, limit):
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        for number in range(64):
            file.write(b'{"row": %d, "text": "%s"}\n' % (number, b"x" * 2**20))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    env = os.environ | {"OPENAI_BASE_URL": sim.base_url, "OPENAI_API_KEY": sim.api_key}
    argv = [sys.executable, "-c", MEMORY, str(path), digest, str(limit)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 16 * 1024  # KiB, of 64 MiB; seen: 3 MiB
    assert hashlib.sha256(held(sim)[0].content).hexdigest() == digest


@given(content=some.binary(max_size=300), start=some.integers(0, 300), size=some.integers(0, 300), chunk=some.integers(1, 64))
def test_a_slice_is_the_stretch_of_the_file(content, start, size, chunk):
    size = min(size, max(0, len(content) - start))
    stretch = uploads.Slice(io.BytesIO(content), start, size)
    assert stretch.seek(0, os.SEEK_END) == size
    stretch.seek(0)
    pieces = list(iter(lambda: stretch.read(chunk), b""))
    assert b"".join(pieces) == content[start : start + size]
