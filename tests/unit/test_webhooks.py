"""A call is verified before anything is read of it, wakes whoever waits, and is believed nothing."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from anytune import webhooks
from anytune.errors import AuthError, ConfigError, DataError
from anytune.runtime import Runtime
from anytune.server.hooks import signature
from anytune.values import Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime(ledger_url=f"sqlite:///{tmp_path}/ledger.db")
    yield made
    made.ledger.close()


@pytest.fixture
def job(context: Runtime) -> str:
    """A job that runs at a provider as ftjob-1."""
    key = {"backend": "openai", "account": "a", "profile": None, "host": None, "name": "one"}
    return context.ledger.attach(remote_id="ftjob-1", snapshot=Snapshot(id="ftjob-1", status=Status.RUNNING), **key).id


def body(kind: str = "fine_tuning.job.succeeded", of: str = "ftjob-1") -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "created_at": 1, "type": kind, "data": {"id": of}}).encode()


def call(content: bytes | None = None, *, secret: str = SECRET, at: float | None = None) -> tuple[bytes, dict[str, str]]:
    content = body() if content is None else content
    return content, signature.headers(signature.key_of(secret), "evt_1", int(time.time() if at is None else at), content)


def nudges(context: Runtime, job: str) -> int:
    return context.ledger.nudges().get(job, 0)


def test_a_call_nudges_the_job_that_it_names(context: Runtime, job: str) -> None:
    heard = webhooks.receive(*call(), secret=SECRET, context=context)
    assert (heard.id, heard.type, heard.remote_id, heard.jobs) == ("evt_1", "fine_tuning.job.succeeded", "ftjob-1", (job,))
    assert nudges(context, job) == 1


def test_what_a_call_says_of_the_job_is_not_believed(context: Runtime, job: str) -> None:
    webhooks.receive(*call(body("fine_tuning.job.failed")), secret=SECRET, context=context)
    assert context.ledger.job(job).status is Status.RUNNING


def test_a_call_that_comes_twice_harms_nobody(context: Runtime, job: str) -> None:
    content, headers = call()
    first = webhooks.receive(content, headers, secret=SECRET, context=context)
    assert webhooks.receive(content, headers, secret=SECRET, context=context) == first
    assert context.ledger.job(job).status is Status.RUNNING


def test_a_job_that_has_ended_is_not_nudged_any_more(context: Runtime, job: str) -> None:
    context.ledger.record(job, Snapshot(id="ftjob-1", status=Status.SUCCEEDED))
    assert webhooks.receive(*call(), secret=SECRET, context=context).jobs == (job,)
    assert nudges(context, job) == 0


def test_a_job_that_the_ledger_does_not_know_is_said_so(context: Runtime, job: str) -> None:
    assert webhooks.receive(*call(body(of="ftjob-2")), secret=SECRET, context=context).jobs == ()
    assert nudges(context, job) == 0


def test_a_call_about_something_else_wakes_nobody(context: Runtime, job: str) -> None:
    assert webhooks.receive(*call(body("batch.completed")), secret=SECRET, context=context).jobs == ()
    assert nudges(context, job) == 0


@pytest.mark.parametrize("secrets", [[SECRET, OLD], [OLD, SECRET], [SecretStr(OLD), SecretStr(SECRET)]], ids=["first", "last", "hidden"])
def test_while_a_secret_is_replaced_both_are_taken(context: Runtime, job: str, secrets: list[Any]) -> None:
    for secret in (OLD, SECRET):
        webhooks.receive(*call(secret=secret), secret=secrets, context=context)
    assert nudges(context, job) == 2


def test_names_of_headers_may_be_in_any_case(context: Runtime, job: str) -> None:
    content, headers = call()
    webhooks.receive(content, {name.title(): value for name, value in headers.items()}, secret=SECRET, context=context)
    assert nudges(context, job) == 1


def tampered(name: str) -> tuple[bytes, dict[str, str]]:
    content, headers = call()
    changed = {
        "another body": (body(of="ftjob-9"), headers),
        "another secret": call(secret=OLD),
        "another id": (content, headers | {"webhook-id": "evt_2"}),
        "another time": (content, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
        "an old call": call(at=time.time() - 3600),
        "a call of tomorrow": call(at=time.time() + 86_400),
        "no signature": (content, {key: value for key, value in headers.items() if key != "webhook-signature"}),
        "an empty signature": (content, headers | {"webhook-signature": ""}),
        "a signature of another kind": (content, headers | {"webhook-signature": "v1a,AAAA"}),
        "a signature that is no ASCII": (content, headers | {"webhook-signature": "v1,\u00e9"}),
        "no time": (content, headers | {"webhook-timestamp": "soon"}),
        "no headers": (content, {}),
        "bytes that are no text": (b"\xff\xfe", headers),
    }
    return changed[name]


@pytest.mark.parametrize(
    "name",
    [
        "another body", "another secret", "another id", "another time", "an old call", "a call of tomorrow", "no signature",
        "an empty signature", "a signature of another kind", "a signature that is no ASCII", "no time", "no headers", "bytes that are no text",
    ],
)  # fmt: skip
def test_what_is_not_signed_is_refused_and_wakes_nobody(context: Runtime, job: str, name: str) -> None:
    with pytest.raises(AuthError) as refused:
        webhooks.receive(*tampered(name), secret=SECRET, context=context)
    assert SECRET not in f"{refused.value!r} {refused.value.fix}"
    assert nudges(context, job) == 0


@pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b'{"id": "e", "type": "t", "data": null}', b"[" * 100_000, b"no json"])
def test_what_is_signed_and_no_event_is_refused(context: Runtime, content: bytes) -> None:
    with pytest.raises(DataError):
        webhooks.receive(*call(content), secret=SECRET, context=context)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64", "guess", []], ids=repr)
def test_a_secret_that_anybody_could_guess_is_none(context: Runtime, secret: Any) -> None:
    with pytest.raises(ConfigError):
        webhooks.receive(*call(), secret=secret, context=context)


def test_a_call_as_long_as_a_book_is_not_read(context: Runtime) -> None:
    with pytest.raises(DataError, match="1048577 bytes"):
        webhooks.receive(b"x" * 1_048_577, {}, secret=SECRET, context=context)
