"""What goes wrong between the real client and the simulated Hub."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import errors
from huggingface_hub.utils import parse_ratelimit_headers

from anytune.testing import WireFault, WireFaults
from anytune.testing.simulators.hub.errors import HUB_ERRORS

COMMIT = "POST /api/models/{repo}/commit/{revision}"
INFO = "GET /api/models/{repo}"


def faulty(**fault):
    return WireFaults(calls=(WireFault(**fault),))


@pytest.fixture
def repo(hub):
    hub.add("model", "acme/one", {"a": "1"})
    return "acme/one"


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("unauthorized", (401, errors.HfHubHTTPError), "Invalid username or password"),
        ("bad_token", (401, errors.HfHubHTTPError), "Invalid credentials"),
        ("payment_required", (402, errors.HfHubHTTPError), "Payment required"),
        ("forbidden", (403, errors.HfHubHTTPError), "permissions"),
        ("gated", (403, errors.GatedRepoError), "Access to model acme/one is restricted"),
        ("not_found", (404, errors.RepositoryNotFoundError), "Repository Not Found"),
        ("revision_not_found", (404, errors.RevisionNotFoundError), "Invalid rev id"),
        ("conflict", (409, errors.HfHubHTTPError), "Conflict"),
        ("rate_limited", (429, errors.HfHubHTTPError), "your 'api' rate limit"),
        ("server_error", (500, errors.HfHubHTTPError), "Internal Error"),
    ],
)
def test_a_refusal_reads_as_the_hubs(hub, api, repo, name, expected, words):
    hub.faults = faulty(kind="refuse", on=INFO, name=name)
    with pytest.raises(errors.HfHubHTTPError, match=words) as caught:
        api.model_info(repo)
    assert (caught.value.response.status_code, type(caught.value)) == expected
    assert api.model_info(repo).id == repo


def test_an_error_that_the_hub_does_not_have_is_refused_before_it_happens(hub):
    with pytest.raises(ValueError, match=r"no error 'quota' .* rate_limited"):
        hub.faults = faulty(kind="refuse", on="*", name="quota")


def test_a_rate_limit_says_when_to_come_back_and_the_client_does(hub, api, repo):
    hub.faults = faulty(kind="refuse", on="GET /api/models/{repo}/tree/{revision}", name="rate_limited")
    reply = httpx2.get(f"{hub.url}/api/models/{repo}/tree/main")
    told = parse_ratelimit_headers(reply.headers)
    assert (reply.headers["retry-after"], told.remaining, told.reset_in_seconds, told.limit) == ("1", 0, 1, 1000)
    hub.faults = faulty(kind="refuse", on="GET /api/models/{repo}/tree/{revision}", name="rate_limited", skip=1)
    assert api.list_repo_files(repo) == ["a"]
    assert [asked.status for asked in hub.requests] == [429, 429, 200]


def test_a_commit_whose_reply_is_lost_was_made_and_is_not_made_twice(hub, api, repo):
    hub.faults = faulty(kind="drop_reply", on=COMMIT)
    with pytest.raises(httpx2.RemoteProtocolError):
        api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo)
    made = hub.store.get("model", repo).sha
    assert hub.store.get("model", repo).files()["a"] == b"2"
    assert api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo).oid == made
    assert hub.count(COMMIT) == 1


def test_a_commit_that_never_arrives_was_not_made(hub, api, repo):
    before = hub.store.get("model", repo).sha
    for fault in ({"kind": "drop"}, {"kind": "error", "status": 503}):
        hub.faults = faulty(on=COMMIT, skip=hub.count(COMMIT), **fault)
        with pytest.raises((httpx2.RemoteProtocolError, errors.HfHubHTTPError)):
            api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo)
    assert hub.store.get("model", repo).sha == before


def test_a_commit_that_is_made_late_comes_before_the_one_that_names_its_parent(hub, api, repo):
    first = hub.store.get("model", repo).sha
    done = []
    hub.store.on_commit.append(lambda found: done.append(found.sha))
    hub.faults = faulty(kind="late_commit", on=COMMIT, delay_s=0.05)
    with pytest.raises(httpx2.RemoteProtocolError):
        api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo, parent_commit=first)
    deadline = time.monotonic() + 10
    while not done and time.monotonic() < deadline:
        api.model_info(repo)
    with pytest.raises(errors.HfHubHTTPError, match="A commit has happened since"):
        api.upload_file(path_or_fileobj=b"3", path_in_repo="a", repo_id=repo, parent_commit=first)
    assert hub.store.get("model", repo).files()["a"] == b"2"


def test_a_page_of_a_network_that_asks_for_a_password_is_no_repo(hub, api, repo):
    hub.faults = faulty(kind="html", on=INFO)
    with pytest.raises(ValueError, match="Expecting value"):
        api.model_info(repo)


def test_a_repo_that_was_made_while_the_reply_was_lost_is_found_again(hub, api):
    hub.faults = faulty(kind="drop_reply", on="POST /api/repos/create")
    with pytest.raises(httpx2.RemoteProtocolError):
        api.create_repo("acme/two", private=True)
    assert api.create_repo("acme/two", private=True, exist_ok=True).repo_id == "acme/two"
    assert [found.repo_id for found in hub.store.all("model")] == ["acme/two"]


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_an_upload_that_breaks_is_tried_again(hub, api, repo):
    hub.faults = faulty(kind="drop", on="PUT /lfs/{oid}")
    api.upload_file(path_or_fileobj=b"w" * (1 << 20), path_in_repo="w.safetensors", repo_id=repo)
    assert hub.count("PUT /lfs/{oid}") == 2
    assert len(hub.store.get("model", repo).files()["w.safetensors"]) == 1 << 20


def test_a_hub_that_is_busy_is_asked_again_until_it_is_not(hub, api):
    hub.faults = faulty(kind="refuse", on="POST /api/repos/create", name="create_conflict", times=3)
    assert api.create_repo("acme/two").repo_id == "acme/two"
    assert [asked.status for asked in hub.requests] == [409, 409, 409, 200]


BAD = {
    "POST /api/repos/create": [b"no json", b"[]", b"{}", b'{"name": 3}', b'{"name": "x", "type": "kernel"}'],
    "DELETE /api/repos/delete": [b"{}"],
    "POST /api/models/acme/one/preupload/main": [b"{}", b'{"files": [3]}', b'{"files": [{"path": "x", "size": "?"}]}'],
    "POST /api/models/acme/one/commit/main": [
        b"",
        b"?",
        b"3",
        b'{"key": "header", "value": 3}',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "a"}}',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "a", "content": "?", "encoding": "base64"}}',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "../a", "content": "x"}}',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "renamedFile", "value": {"path": "a"}}',
    ],
    "POST /acme/one.git/info/lfs/objects/batch": [b"{}", b'{"objects": [{}]}'],
    "POST /acme/one.git/info/lfs/objects/verify": [b"{}"],
    "POST /api/models/acme/one/tag/main": [b"{}"],
    "GET /api/models?apps=ollama": [b""],
}


@pytest.mark.parametrize(("route", "body"), [(route, body) for route, bodies in BAD.items() for body in bodies])
def test_what_cannot_be_read_is_refused_and_changes_nothing(hub, repo, route, body):
    method, path = route.split()
    reply = httpx2.request(method, hub.url + path, content=body, headers={"Authorization": f"Bearer {hub.token}"})
    assert (reply.status_code, bool(reply.json()["error"])) == (400, True)
    assert len(hub.store.get("model", repo).history()) == 1


def test_the_page_about_simulators_names_every_error():
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "simulators.md").read_text(encoding="utf-8")
    assert [name for name in HUB_ERRORS if f"`{name}`" not in page] == []
