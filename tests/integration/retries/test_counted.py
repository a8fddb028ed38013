"""One retry layer, shown by what arrives at the provider: five tries of a read, one of a create, and nothing that the vendor's library adds."""

from __future__ import annotations

import threading

import pytest

from anytune.errors import AnytuneError, RateLimited, Transient

LISTINGS = {"GET /api/jobs/{namespace}", "GET /api/models/{repo}/tree/{revision}"}
"""What `huggingface_hub` asks six times by itself, which no setting ends: six requests then, and not thirty."""


def fails(wire, call):
    with pytest.raises(Transient) as caught:
        call()
    assert isinstance(caught.value, AnytuneError)
    return caught.value


@pytest.mark.parametrize("kind", ["error", "drop", "html"])
def test_a_read_that_fails_always_is_sent_five_times(wire, kind):
    for name, call in wire.reads.items():
        wire.breaks(kind=kind, status=503)
        fails(wire, lambda call=call: wire.retry().read(call, backend=wire.backend))
        tries = 6 if wire.counts.keys() <= LISTINGS and kind != "html" else 5
        assert list(wire.counts.values()) == [tries], (name, wire.counts)


def test_what_may_be_sent_twice_is_sent_five_times_at_most(wire):
    for name, call in wire.writes.items():
        wire.breaks(status=503)
        fails(wire, lambda call=call: wire.retry().write(call, backend=wire.backend))
        assert set(wire.counts.values()) == {5}, (name, wire.counts)  # Azure looks for deployments of a model that it cannot delete


@pytest.mark.parametrize("kind", ["error", "drop", "drop_reply"])
def test_a_create_is_sent_once(wire, kind):
    for name, (call, route) in wire.creates.items():
        wire.breaks(route, kind=kind, status=503)
        fails(wire, lambda call=call: wire.retry().create(call, backend=wire.backend))
        assert wire.counts[route] == 1, (name, wire.counts)


def test_five_tries_take_seven_and_a_half_seconds_of_waiting_at_most(wire):
    name, call = next(iter(wire.reads.items()))
    wire.breaks(status=503)
    fails(wire, lambda: wire.retry().read(call, backend=wire.backend))
    assert wire.waits == [0.5, 1.0, 2.0, 4.0], name


def test_the_provider_says_how_long_to_wait_and_not_for_ever(wire):
    call = wire.reads["poll"]
    wire.breaks(status=429, headers={"retry-after": "7"})
    assert isinstance(fails(wire, lambda: wire.retry().read(call, backend=wire.backend)), RateLimited)
    assert wire.waits == [7.0] * 4
    wire.breaks(status=429, headers={"retry-after": "100000"})
    wire.waits.clear()
    began = wire.now
    fails(wire, lambda: wire.retry().read(call, backend=wire.backend))
    assert wire.waits == [120.0] * 2
    assert wire.now - began <= 300.0


@pytest.mark.parametrize("name", ["openai_wire", "azure_wire"])
def test_the_vendors_client_counts_no_retry_of_its_own(request, name):
    wire = request.getfixturevalue(name)
    for call in wire.reads.values():
        wire.breaks(status=503, headers={"x-should-retry": "true", "retry-after-ms": "1"})
        fails(wire, lambda call=call: wire.retry().read(call, backend=wire.backend))
        assert {asked.headers.get("x-stainless-retry-count", "0") for asked in wire.sim.requests} == {"0"}


def test_a_thousand_calls_that_fail_use_up_the_quota_and_no_more(openai_wire):
    """500 tokens at 5 each: 100 retries, whoever calls and however often (row 17 of the faults)."""
    wire, retry = openai_wire, openai_wire.retry()
    wire.breaks(status=503)

    def some():
        for _ in range(125):
            fails(wire, lambda: retry.read(wire.reads["poll"], backend=wire.backend))

    threads = [threading.Thread(target=some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wire.sim.requests) == 1000 + 500 // 5


@pytest.mark.parametrize("kind", ["error", "drop"])
def test_what_the_hubs_library_has_tried_already_is_not_tried_again(jobs_wire, hub_sim, kind, tmp_path):
    from huggingface_hub import CommitOperationAdd

    from anytune_huggingface.hub.client import Hub
    from anytune_huggingface.hub.errors import asking

    hub = Hub(token=hub_sim.token, endpoint=hub_sim.url, namespace="acme")

    def listing():
        with asking("acme/tiny"):
            return hub.api.list_repo_files("acme/tiny")

    def commit():
        return hub.commit("acme/tiny", lambda _: [CommitOperationAdd("more.safetensors", b"x" * 64)], "more")

    def download():
        with asking("acme/tiny"):
            return hub.api.hf_hub_download("acme/tiny", "model.safetensors", local_dir=tmp_path / "fetched")

    tried = {
        "GET /api/models/{repo}/tree/{revision}": (listing, 6),
        "POST /api/models/{repo}/preupload/{revision}": (commit, 6),
        "POST /{repo}.git/info/lfs/objects/batch": (commit, 6),
        "GET /{repo}/resolve/{revision}/{path}": (download, 6 if kind == "drop" else 5),
    }
    for route, (call, most) in tried.items():
        jobs_wire.breaks(route, kind=kind, status=503)
        fails(jobs_wire, lambda call=call: jobs_wire.retry().read(call, backend=jobs_wire.backend))
        assert jobs_wire.counts[route] == most, route


def test_a_commit_that_fails_always_is_sent_five_times(jobs_wire, hub_sim):
    from huggingface_hub import CommitOperationAdd

    from anytune_huggingface.hub.client import Hub

    hub = Hub(token=hub_sim.token, endpoint=hub_sim.url, namespace="acme")
    route = "POST /api/models/{repo}/commit/{revision}"
    jobs_wire.breaks(route, status=503)
    write = lambda: hub.commit("acme/tiny", lambda _: [CommitOperationAdd("more.json", b"{}")], "more")  # noqa: E731 - one line
    fails(jobs_wire, lambda: jobs_wire.retry().write(write, backend=jobs_wire.backend))
    assert jobs_wire.counts[route] == 5
