"""An account of the Hub: what it reads, what it hides, and what it makes of each refusal."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import traceback

import pytest

from anytune.errors import (
    AuthError,
    ConfigError,
    MalformedReply,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Transient,
    Unreachable,
)
from anytune.testing.simulators.faults import WireFault
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.errors import asking, translate


def hurt(sim, *faults):
    sim.faults = sim.faults.with_calls(*faults)


def test_account_names_host_and_namespace_and_asks_whose_token_it_is_once(sim, hub):
    assert hub.account == f"{sim.url.removeprefix('http://')}/ada"
    assert hub.namespace == "ada"
    assert sim.count("GET /api/whoami-v2") == 1


def test_a_given_namespace_is_not_asked_for(sim):
    assert Hub(token=sim.token, endpoint=sim.url, namespace="acme").account.endswith("/acme")
    assert sim.requests == []


def test_endpoint_and_token_are_read_from_the_environment_when_they_are_needed(sim, monkeypatch):
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", f"{sim.url}/")
    monkeypatch.setenv("HF_TOKEN", sim.token)
    assert hub.namespace == "ada"


def test_the_stored_login_is_taken_where_there_is_no_variable(sim, tmp_path):
    (tmp_path / "token").write_text(sim.token)
    assert Hub(endpoint=sim.url).namespace == "ada"


def test_without_a_token_the_next_step_is_named(sim):
    with pytest.raises(AuthError, match="HF_TOKEN"):
        _ = Hub(endpoint=sim.url).namespace
    assert sim.requests == []


def test_offline_is_refused_before_any_call(sim, hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"switched off.*Unset HF_HUB_OFFLINE"):
        _ = hub.api
    assert sim.requests == []


def test_offline_of_the_library_alone_is_told_the_same_way(sim, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="switched off"):
        _ = hub.namespace
    assert sim.requests == []


@pytest.mark.parametrize("address", ["huggingface.co", "ftp://huggingface.co", "https://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ConfigError, match="HF_ENDPOINT"):
        _ = Hub(endpoint=address).endpoint


def test_the_token_is_in_no_text(sim, hub, caplog):
    caplog.set_level(logging.DEBUG)
    hurt(sim, WireFault(kind="refuse", on="*", name="server_error", times=9))
    with pytest.raises(Unreachable) as caught:
        hub.sha("ada/tiny")
    seen = f"{hub!r} {caught.value} {caught.value.raw} {''.join(traceback.format_exception(caught.value))} {caplog.text}"
    assert sim.token not in seen
    assert sim.token.encode() not in pickle.dumps(caught.value)


def test_a_reply_that_echoes_the_token_is_redacted_with_its_cause(sim, hub):
    def echo():
        with asking("a test"):
            raise ValueError(f"Invalid token {sim.token}")

    _ = hub.token
    with pytest.raises(MalformedReply) as caught:
        echo()
    assert sim.token not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("bad_token", AuthError, "Check HF_TOKEN"),
        ("unauthorized", AuthError, "Check HF_TOKEN"),
        ("repo_hidden", AuthError, "Check HF_TOKEN"),
        ("payment_required", QuotaExceeded, "settings/billing"),
        ("forbidden", AuthError, "write access"),
        ("not_found", NotFound, "Check the id"),
        ("moved_on", Unreachable, "run it again"),
        ("conflict", Unreachable, "run it again"),
        ("rate_limited", RateLimited, "Wait 1 s"),
        ("server_error", Unreachable, "in a few minutes"),
        ("gated", AuthError, "Visit https://huggingface.co/ada/tiny"),
        ("bad_request", Rejected, "Correct what the message names"),
    ],
)
def test_each_refusal_says_what_to_do(sim, hub, name, kind, words):
    sim.add("model", "ada/tiny", {"config.json": "{}"})
    hurt(sim, WireFault(kind="refuse", on="GET /api/models/{repo}/revision/{revision}", name=name))
    with pytest.raises(kind, match=words) as caught:
        hub.sha("ada/tiny")
    assert type(caught.value) is kind
    assert "/api/models/ada/tiny" in str(caught.value)


@pytest.mark.parametrize("kind", ["drop", "html", "truncated"])
def test_a_broken_reply_may_be_asked_for_again(sim, hub, kind):
    sim.add("model", "ada/tiny", {"config.json": "{}"})
    hurt(sim, WireFault(kind=kind, on="GET /api/models/{repo}/revision/{revision}"))
    with pytest.raises(Transient) as caught:
        hub.sha("ada/tiny")
    assert isinstance(caught.value, (Unreachable, MalformedReply))


def test_a_rate_limit_keeps_the_longer_of_both_waits(sim, hub):
    sim.add("model", "ada/tiny", {})
    headers = {"ratelimit": '"api";r=0;t=55', "retry-after": "7"}
    hurt(sim, WireFault(kind="refuse", on="GET /api/models/{repo}/revision/{revision}", name="rate_limited", headers=headers))
    with pytest.raises(RateLimited) as caught:
        hub.sha("ada/tiny")
    assert caught.value.retry_after == 55.0


def test_a_rate_limit_with_something_left_waits_as_retry_after_says(sim, hub):
    sim.add("model", "ada/tiny", {})
    headers = {"ratelimit": '"api";r=4;t=55', "retry-after": "7"}
    hurt(sim, WireFault(kind="refuse", on="GET /api/models/{repo}/revision/{revision}", name="rate_limited", headers=headers))
    with pytest.raises(RateLimited) as caught:
        hub.sha("ada/tiny")
    assert caught.value.retry_after == 7.0


def test_nobody_is_told_that_the_hub_hides_what_is_private(sim):
    sim.add("model", "ada/tiny", {}, private=True)
    with pytest.raises(AuthError, match=r"private or gated.*check its id"):
        Hub(endpoint=sim.url).sha("ada/tiny")


def test_a_name_that_is_none_is_refused_before_it_is_asked(sim, hub):
    with pytest.raises(ConfigError, match="no name of the Hub"):
        hub.sha("a/b/c")
    assert sim.requests == []


def test_what_is_not_of_the_library_is_left_to_core():
    assert translate(ZeroDivisionError()) is None
    assert translate(FileNotFoundError("x")) is None


def test_broken_json_of_somebody_else_is_not_blamed_on_the_hub():
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    assert translate(caught.value) is None


def test_judging_an_error_does_not_load_the_library():
    code = "import sys; from anytune_huggingface.hub.errors import translate; translate(OSError()); print('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_a_port_where_nobody_listens_is_unreachable():
    with pytest.raises(Unreachable, match="HF_ENDPOINT"):
        Hub(token="hf_x", endpoint="http://127.0.0.1:9").sha("ada/tiny")


def test_the_library_does_not_wait_for_ever(hub):
    from huggingface_hub import get_session

    _ = hub.api
    assert get_session().timeout.read == 120.0


def test_a_file_is_read_past_every_cache(sim, hub):
    sim.add("model", "ada/tiny", {"a.json": "1"})
    assert hub.read("ada/tiny", "a.json") == b"1"
    sim.add("model", "ada/tiny", {"a.json": "2"})
    assert hub.read("ada/tiny", "a.json") == b"2"
    assert hub.read("ada/tiny", "b.json") is None


def test_a_file_of_a_repository_that_is_not_there_is_no_absent_file(hub):
    with pytest.raises(NotFound):
        hub.read("ada/nothing", "a.json")


def test_a_file_that_is_cut_is_no_file(sim, hub):
    sim.add("model", "ada/tiny", {"a.json": "12345678"})
    hurt(sim, WireFault(kind="truncated", on="GET /{repo}/resolve/{revision}/{path}"))
    with pytest.raises(Unreachable):
        hub.read("ada/tiny", "a.json")


def test_exists_does_not_take_a_refused_token_for_an_absence(sim, hub):
    sim.add("model", "ada/tiny", {}, private=True)
    assert hub.exists("ada/tiny")
    assert not hub.exists("ada/other")
    with pytest.raises(AuthError):
        Hub(token="hf_" + "0" * 34, endpoint=sim.url).exists("ada/tiny")


def test_what_is_made_is_private_and_made_once(sim, hub):
    hub.create("ada/new")
    hub.create("ada/new")
    assert sim.store.get("model", "ada/new").private


def test_a_public_repository_of_the_same_name_is_refused(sim, hub):
    sim.add("model", "ada/new", {})
    with pytest.raises(Rejected, match="ada/new is public"):
        hub.create("ada/new")


def test_a_create_whose_reply_was_lost_is_found_by_the_next(sim, hub):
    hurt(sim, WireFault(kind="drop_reply", on="POST /api/repos/create"))
    with pytest.raises(Unreachable):
        hub.create("ada/new")
    assert sim.count("POST /api/repos/create") == 1
    hub.create("ada/new")
    assert sim.store.get("model", "ada/new").private


def add(path, content):
    from huggingface_hub import CommitOperationAdd

    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


COMMIT = "POST /api/models/{repo}/commit/{revision}"


@pytest.mark.parametrize("name", ["moved_on", "conflict"])
def test_a_lost_race_is_run_again_on_what_is_there_now(sim, hub, name):
    sim.add("model", "ada/tiny", {"a": "0"})
    hurt(sim, WireFault(kind="refuse", on=COMMIT, name=name, times=2))
    seen = []
    made = hub.commit("ada/tiny", lambda sha: seen.append(sha) or [add("a", b"1")], "A test", sleep=lambda s: None)
    assert sim.store.get("model", "ada/tiny").sha == made
    assert sim.count(COMMIT) == 3
    assert len(seen) == 3


def test_races_without_end_are_given_up(sim, hub):
    sim.add("model", "ada/tiny", {"a": "0"})
    hurt(sim, WireFault(kind="refuse", on=COMMIT, name="moved_on", times=99))
    with pytest.raises(Unreachable, match="only one process"):
        hub.commit("ada/tiny", lambda sha: [add("a", b"1")], "A test", sleep=lambda s: None)
    assert sim.store.get("model", "ada/tiny").files()["a"] == b"0"


def test_a_commit_stands_on_what_was_read(sim, hub):
    sim.add("model", "ada/tiny", {"count": "0"})

    def one_more(sha):
        count = int(hub.read("ada/tiny", "count", revision=sha))
        if count == 0:  # somebody else is faster, once
            sim.add("model", "ada/tiny", {"count": "10"})
        return [add("count", str(count + 1).encode())]

    hub.commit("ada/tiny", one_more, "Count", sleep=lambda s: None)
    assert sim.store.get("model", "ada/tiny").files()["count"] == b"11"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (WireFault(kind="drop_reply", on=COMMIT), Unreachable),
        (WireFault(kind="truncated", on=COMMIT), Unreachable),
        (WireFault(kind="html", on=COMMIT), MalformedReply),
        (WireFault(kind="refuse", on=COMMIT, name="server_error"), Unreachable),
        (WireFault(kind="refuse", on=COMMIT, name="rate_limited"), RateLimited),
        (WireFault(kind="refuse", on=COMMIT, name="payment_required"), QuotaExceeded),
        (WireFault(kind="refuse", on=COMMIT, name="read_token"), AuthError),
    ],
)
def test_a_commit_is_sent_once_and_its_failure_told(sim, hub, fault, kind):
    sim.add("model", "ada/tiny", {"a": "0"})
    hurt(sim, fault)
    with pytest.raises(kind):
        hub.commit("ada/tiny", lambda sha: [add("a", b"1")], "A test")
    assert sim.count(COMMIT) == 1
