"""Each refusal that a real account has met becomes the right error, over the real client, and its next step helps."""

from __future__ import annotations

import pickle
import time
from email.utils import format_datetime

import httpx2
import openai
import pytest

from anytune.errors import (
    AnytuneError,
    AuthError,
    FineTuningUnavailable,
    MalformedReply,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Terminal,
    Transient,
    Unreachable,
)
from anytune.testing import WireFault, WireFaults
from anytune.testing.simulators.errors import ERRORS
from anytune.values import ModelRef, now
from anytune_openai import OPENAI
from anytune_openai.errors import translate
from anytune_openai.waiting import retry_after

CREATE, CANCEL = "POST /fine_tuning/jobs", "POST /fine_tuning/jobs/{id}/cancel"

EXPECTED = {
    "rate_limit": (RateLimited, "Wait"),
    "rate_limit_requests": (RateLimited, "Wait"),
    "quota": (QuotaExceeded, "billing"),
    "credit_gone": (QuotaExceeded, "credit"),
    "daily_limit": (RateLimited, "tomorrow"),
    "concurrent_limit": (RateLimited, "until one has ended"),
    "bad_key": (AuthError, "OPENAI_API_KEY"),
    "no_key": (AuthError, "OPENAI_API_KEY"),
    "closed": (FineTuningUnavailable, "backend"),
    "missing_scope": (AuthError, "permission"),
    "country": (AuthError, "trl"),
    "model_not_found": (NotFound, "name"),
    "not_tunable": (FineTuningUnavailable, "model that is tuned there"),
    "bad_training_file": (Rejected, "sends it"),
    "file_not_ready": (Rejected, "wait a minute"),
    "file_not_found": (NotFound, "sends it"),
    "bad_file_format": (Rejected, "anytune data convert"),
    "bad_purpose": (Rejected, "message names"),
    "null_in_string": (Rejected, "message names"),
    "extra_field": (Rejected, "leave it out"),
    "missing_field": (Rejected, "message names"),
    "bad_field": (Rejected, "message names"),
    "bad_json": (Rejected, "message names"),
    "job_not_found": (NotFound, "project"),
    "job_finished": (Rejected, "ended"),
    "job_not_paused": (Rejected, "message names"),
    "job_not_running": (Rejected, "message names"),
    "upload_not_found": (NotFound, "project"),
    "upload_not_pending": (Rejected, "message names"),
    "upload_size": (Rejected, "message names"),
    "upload_md5": (Rejected, "message names"),
    "upload_part": (Rejected, "message names"),
    "too_large": (Rejected, "message names"),
    "model_in_use": (Unreachable, "few minutes"),
    "no_permission": (AuthError, "permission"),
    "no_route": (NotFound, "base_url"),
    "timeout": (Unreachable, "looked for first"),
    "conflict": (Unreachable, "looked for first"),
    "server_error": (Unreachable, "looked for first"),
    "bad_gateway": (Unreachable, "looked for first"),
    "overloaded": (Unreachable, "looked for first"),
}
"""What a create is answered, by the simulator's names: the class, and the word in the next step that makes it help."""


def refused(backend, call):
    """Make a call that must fail, and give its error as core sees it."""
    with pytest.raises(Exception) as raised:
        call()
    ours = raised.value if isinstance(raised.value, AnytuneError) else backend.translate(raised.value)
    assert ours is not None, repr(raised.value)
    return ours


def test_every_refusal_that_is_known_is_looked_at_here():
    assert set(EXPECTED) == set(ERRORS)


@pytest.mark.parametrize(("name", "expected", "essential"), [(name, *rest) for name, rest in EXPECTED.items()])
def test_each_refusal_is_the_right_error_with_a_step_that_helps(sim, backend, order, name, expected, essential):
    made = order(backend)
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on=CREATE),))
    error = refused(backend, lambda: backend.submit(made))
    assert type(error) is expected
    assert essential in error.fix
    assert str(ERRORS[name].status) in error.message
    assert isinstance(error, Transient) != isinstance(error, Terminal)
    assert pickle.loads(pickle.dumps(error)).fix == error.fix
    assert sim.count(CREATE) == 1


@pytest.mark.parametrize(("status", "expected"), [(418, Rejected), (422, Rejected), (500, Unreachable), (529, Unreachable)])
def test_a_status_without_a_known_body_goes_by_its_class(sim, backend, order, status, expected):
    made = order(backend)
    sim.faults = WireFaults(calls=(WireFault(kind="error", status=status, on=CREATE),))
    assert type(refused(backend, lambda: backend.submit(made))) is expected


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("drop", {}, Unreachable),
        ("drop_reply", {}, Unreachable),
        ("truncated", {}, Unreachable),
        ("html", {}, MalformedReply),
        ("slow", {"delay_s": 1.5}, Unreachable),
    ],
)
def test_a_reply_that_is_none_leaves_the_outcome_open_and_the_create_is_sent_once(sim, backend_on, order, kind, more, expected):
    backend = backend_on(sim, timeout_s=1.0 if kind == "slow" else 60.0)
    made = order(backend)
    sim.faults = WireFaults(calls=(WireFault(kind=kind, on=CREATE, **more),))
    error = refused(backend, lambda: backend.submit(made))
    assert type(error) is expected
    assert isinstance(error, Transient)
    deadline = time.monotonic() + 20.0
    while not sim.count(CREATE):  # it is written down once it was answered, also to a client that has gone
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sim.count(CREATE) == 1


@pytest.mark.parametrize("headers", [{"x-should-retry": "true"}, {"retry-after": "1"}, {"retry-after-ms": "10"}], ids=str)
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_the_vendors_client_never_sends_a_create_twice(sim, backend, order, status, headers):
    made = order(backend)
    sim.faults = WireFaults(calls=(WireFault(kind="error", status=status, on=CREATE, headers=headers, times=9),))
    refused(backend, lambda: backend.submit(made))
    assert sim.count(CREATE) == 1


def test_an_address_where_nobody_listens_is_unreachable(sim, backend):
    sim.close()
    error = refused(backend, lambda: backend.poll("ftjob-x"))
    assert isinstance(error, Unreachable)
    assert "base_url" in error.fix


def test_a_model_that_is_in_use_is_not_deleted_by_trying_again(sim, backend):
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name="model_in_use", on="*"),))
    error = refused(backend, lambda: backend.delete_model(ModelRef(id="ft:m")))
    assert isinstance(error, Rejected)
    assert "Stop what still uses it" in error.fix


def test_a_403_elsewhere_than_at_a_create_is_about_the_key(sim, backend):
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name="closed", on="*"),))
    assert isinstance(refused(backend, lambda: backend.poll("ftjob-x")), AuthError)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "121"}, 121.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 0.0),
        ({}, None),
    ],
    ids=str,
)
def test_how_long_to_wait_is_read_in_every_form(headers, expected):
    assert retry_after(headers) == expected


def test_a_date_to_wait_for_is_held_against_our_clock_where_the_host_tells_no_time():
    assert retry_after({"retry-after": format_datetime(now(), usegmt=True)}) == pytest.approx(0.0, abs=2.0)


@pytest.mark.parametrize(("words", "essential"), [("48 requests per day", "tomorrow"), ("3 active requests", "until one has ended")])
def test_a_limit_on_jobs_is_known_by_its_message_where_its_code_is_a_rates(words, essential):
    asked = httpx2.Request("POST", "https://api.openai.com/v1/fine_tuning/jobs")
    body = {"message": f"This fine-tune request has been rate limited: at most {words}.", "code": "rate_limit_exceeded"}
    error = translate(openai.RateLimitError("No.", response=httpx2.Response(429, request=asked), body=body), OPENAI)
    assert isinstance(error, RateLimited)
    assert essential in error.fix


def test_a_rate_limit_says_how_long_to_wait(sim, backend):
    sim.faults = WireFaults(calls=(WireFault(kind="error", status=429, on="*", headers={"retry-after": "90"}),))
    error = refused(backend, lambda: backend.poll("ftjob-x"))
    assert isinstance(error, RateLimited)
    assert (error.retry_after, "90 s" in error.fix) == (90.0, True)


@pytest.mark.parametrize(
    "body",
    [None, "<html>", "quota", ["a"], {}, {"message": None, "code": None, "type": None}, {"code": 7, "message": {"a": 1}}],
    ids=str,
)
def test_a_body_of_any_shape_is_translated(body):
    asked = httpx2.Request("POST", "https://api.openai.com/v1/fine_tuning/jobs")
    error = openai.BadRequestError("No.", response=httpx2.Response(400, request=asked), body=body)
    ours = translate(error, OPENAI)
    assert isinstance(ours, Rejected)
    assert ours.fix


def test_what_is_not_of_the_wire_is_left_to_core():
    assert translate(RuntimeError("a stranger"), OPENAI) is None


def test_the_text_of_the_vendors_exception_is_never_read():
    """openai 3 writes other texts than openai 2 did; status, code, type and the body's message are what counts."""
    asked = httpx2.Request("GET", "https://api.openai.com/v1/models")
    body = {"message": "Slow down.", "type": "tokens", "code": "rate_limit_exceeded", "param": None}
    error = openai.RateLimitError("insufficient_quota is not ready", response=httpx2.Response(429, request=asked), body=body)
    assert type(translate(error, OPENAI)) is RateLimited


def test_a_cancel_of_what_has_ended_is_no_error_and_of_what_is_unknown_it_is(sim, backend, order):
    job = backend.submit(order(backend))
    while not backend.poll(job.id).status.terminal:
        pass
    backend.cancel(job.id)
    assert isinstance(refused(backend, lambda: backend.cancel("ftjob-unknown")), NotFound)
    sim.faults = WireFaults(calls=(WireFault(kind="error", status=400, on=CANCEL, times=9),))
    other = backend.submit(order(backend))
    assert isinstance(refused(backend, lambda: backend.cancel(other.id)), Rejected)


def test_a_connection_that_is_refused_names_the_address_and_the_setting(backend_on, sim):
    backend = backend_on(sim)
    sim.close()
    error = refused(backend, lambda: backend.poll("ftjob-1"))
    assert sim.base_url.split("/")[2] in error.message
    assert "refused" in error.message
    assert "`base_url`" in error.fix


def test_the_wires_own_address_setting_is_named():
    error = openai.APIConnectionError(request=httpx2.Request("GET", "https://kitchn.openai.azure.com/openai/v1/files"))
    ours = translate(error, OPENAI.model_copy(update={"host": "Azure OpenAI", "address": "endpoint"}))
    assert "Azure OpenAI at kitchn.openai.azure.com" in ours.message
    assert "`endpoint`" in ours.fix


def test_a_code_that_is_the_status_is_said_once():
    reply = httpx2.Response(401, request=httpx2.Request("GET", "https://host.example/v1/files"))
    ours = translate(openai.AuthenticationError("no", response=reply, body={"code": "401", "message": "Wrong key."}), OPENAI)
    assert ours.message == "OpenAI answered 401: Wrong key."
