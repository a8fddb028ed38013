"""Inference Endpoints: one for an order, ready only when it answers, and gone only when the service says so."""

from __future__ import annotations

import time

import pytest

from anytune.backend import DeployOrder
from anytune.errors import AuthError, ConfigError, NotFound, QuotaExceeded, RateLimited, Rejected, Transient, Unreachable, Unsupported
from anytune.infer import Endpoint
from anytune.retry import Retry
from anytune.testing.simulators.faults import WireFault
from anytune.values import ModelRef
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.endpoint_options import EndpointSettings
from anytune_huggingface.hub.endpoints import STATES, Endpoints, named

REF = "01KAPV5T6GZ0M3R8D9YQ4W7XCE"
CREATE = "POST /endpoints/v2/endpoint/{namespace}"
GET = "GET /endpoints/v2/endpoint/{namespace}/{name}"
MODEL = {"config.json": '{"model_type": "llama"}', "model.safetensors": b"\0" * 8, "tokenizer.json": "{}"}


@pytest.fixture
def model(sim):
    sim.add("model", "ada/tuned", MODEL, private=True)
    return ModelRef(id="ada/tuned")


@pytest.fixture
def endpoints(hub):
    return Endpoints(hub)


@pytest.fixture
def order(model):
    def make(ref=REF, model=model, adapters=None, **options):
        return DeployOrder(ref=ref, model=model, name="tuned", ttl_s=600, options=options, adapters=adapters or {})

    return make


def hurt(sim, *faults):
    sim.faults = sim.faults.with_calls(*faults)


def settled(endpoints, name, *, wanted="ready", seconds=20.0):
    end = time.monotonic() + seconds
    while (seen := endpoints.poll(name)).state != wanted:
        assert time.monotonic() < end, seen
        time.sleep(0.05)
    return seen


def body_of(sim):
    return next(asked.json for asked in sim.requests if asked.route == CREATE)


def test_an_endpoint_becomes_ready_and_says_its_model_and_its_price(sim, hub, endpoints, order):
    made = endpoints.deploy(order())
    assert (made.id, made.state, made.ref, made.hourly_usd) == ("anytune-d9yq4w7xce", "starting", REF, 0.8)
    seen = settled(endpoints, made.id)
    assert seen.address.model == "ada/tuned"
    assert seen.address.base_url == f"{sim.endpoints['ada', made.id].gate.url}/v1"
    assert seen.address.credential.get_secret_value() == sim.token
    assert sim.token not in repr(seen)
    assert seen.model == f"ada/tuned@{sim.store.get('model', 'ada/tuned').sha}"


def test_the_same_order_again_gives_the_same_endpoint(sim, endpoints, order):
    assert endpoints.deploy(order()).id == endpoints.deploy(order()).id
    assert sim.count(CREATE) == 1


@pytest.mark.parametrize("kind", ["drop_reply", "truncated", "html"])
def test_a_create_whose_reply_was_lost_is_found_by_the_next(sim, endpoints, order, kind):
    hurt(sim, WireFault(kind=kind, on=CREATE))
    with pytest.raises(Transient):
        endpoints.deploy(order())
    assert sim.count(CREATE) == 1
    assert endpoints.deploy(order()).ref == REF
    assert sim.count(CREATE) == 1
    assert len(sim.endpoints) == 1


def test_two_who_make_the_same_at_once_get_the_same(sim, endpoints, order):
    endpoints.deploy(order())
    hurt(sim, WireFault(kind="error", on=GET, status=404, skip=1))  # the first look of the second one comes too early
    assert endpoints.deploy(order()).ref == REF
    assert sim.count(CREATE) == 2
    assert len(sim.endpoints) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("payment_required", QuotaExceeded),
        ("unauthorized", AuthError),
        ("forbidden", AuthError),
        ("bad_request", Rejected),
        ("rate_limited", RateLimited),
        ("server_error", Unreachable),
    ],
)
def test_a_refused_create_is_told_and_made_once(sim, endpoints, order, name, kind):
    hurt(sim, WireFault(kind="refuse", on=CREATE, name=name))
    with pytest.raises(kind):
        endpoints.deploy(order())
    assert sim.count(CREATE) == 1
    assert sim.endpoints == {}


def test_the_endpoint_of_another_deployment_is_not_taken(sim, endpoints, order):
    endpoints.deploy(order())
    sim.endpoints["ada", named(REF)].order["model"]["env"] = {}
    sim.endpoints["ada", named(REF)].order["tags"] = []
    with pytest.raises(Rejected, match="not of this deployment"):
        endpoints.deploy(order())


def test_the_ref_is_found_again_by_the_tag_alone(sim, endpoints, order):
    endpoints.deploy(order())
    sim.endpoints["ada", named(REF)].order["model"]["env"] = {}
    assert endpoints.poll(named(REF)).ref == REF
    assert [each.ref for each in endpoints.list()] == [REF]


def test_an_endpoint_says_which_ledger_made_it(endpoints, order):
    endpoints.deploy(order().model_copy(update={"ledger": "9B1DEB4D-3b7d"}))
    assert [each.ledger for each in endpoints.list()] == ["9b1deb4d-3b7d"]


def test_an_endpoint_is_not_public_and_serves_a_pinned_commit(sim, endpoints, order):
    endpoints.deploy(order())
    body = body_of(sim)
    assert body["type"] == "authenticated"
    assert body["model"]["revision"] == sim.store.get("model", "ada/tuned").sha
    assert body["model"]["image"] == {"vLLM": {"url": "vllm/vllm-openai:v0.23.0", "port": 8000}}
    assert body["provider"] == {"region": "us-east-1", "vendor": "aws"}


def test_a_private_model_brings_a_token_and_a_public_one_does_not(sim, endpoints, order):
    sim.add("model", "ada/open", MODEL)
    endpoints.deploy(order())
    endpoints.deploy(order(ref="01KAPV5T6GZ0M3R8D9YQ4W7XCF", model=ModelRef(id="ada/open")))
    private, public = (sim.endpoints["ada", named(ref)].order["model"].get("secrets") for ref in (REF, "01KAPV5T6GZ0M3R8D9YQ4W7XCF"))
    assert private == {"HF_TOKEN": sim.token}
    assert public is None


def test_the_revision_of_the_name_is_served(sim, endpoints, order):
    first = sim.store.get("model", "ada/tuned").sha
    sim.add("model", "ada/tuned", MODEL | {"config.json": "{}"})
    endpoints.deploy(order(model=ModelRef(id=f"ada/tuned@{first}")))
    assert body_of(sim)["model"]["revision"] == first


def test_options_reach_the_service(sim, endpoints, order):
    endpoints.deploy(
        order(
            engine="custom",
            image="acme/engine:1",
            port=9000,
            flavor="gcp-us-east4-nvidia-l4-x1",
            min_replica=0,
            max_replica=2,
            scale_to_zero_minutes=15,
            args=["--max-model-len", "2048"],
        )
    )
    body = body_of(sim)
    assert body["provider"] == {"region": "us-east4", "vendor": "gcp"}
    assert body["compute"]["scaling"] == {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 15}
    assert body["model"]["image"]["custom"]["url"] == "acme/engine:1"
    assert body["model"]["args"] == ["--max-model-len", "2048"]


def test_settings_fill_in_what_an_order_leaves_out(sim, hub, order):
    Endpoints(hub, {"instance_type": "nvidia-a10g"}).deploy(order(max_replica=3))
    assert body_of(sim)["compute"]["instanceType"] == "nvidia-a10g"
    assert body_of(sim)["compute"]["scaling"]["maxReplica"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"instance_typ": "x"}, "`instance_type`"),
        ({"type": "public"}, "allow_public"),
        ({"type": "protected"}, "authenticated"),
        ({"type": "secret"}, "`type`"),
        ({"engine": "custom"}, "needs an `image`"),
        ({"min_replica": 2}, "larger than"),
        ({"min_replica": 1, "scale_to_zero_minutes": 5}, "`min_replica` 0"),
        ({"instance_type": "nvidia-l44"}, "aws-us-east-1-nvidia-l4-x1"),
        ({"flavor": "aws-us-east-1-nvidia-l4-x2"}, "aws-us-east-1-nvidia-l4-x"),
        ({"accelerator": "cpu"}, "accelerator `cpu`"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_made(sim, endpoints, order, options, words):
    with pytest.raises(ConfigError, match=words):
        endpoints.deploy(order(**options))
    assert sim.count(CREATE) == 0


def test_a_public_endpoint_has_to_be_said_twice(sim, endpoints, order):
    endpoints.deploy(order(type="public", allow_public=True))
    assert body_of(sim)["type"] == "public"


@pytest.mark.parametrize(
    ("word", "kind", "words"),
    [
        ("/srv/somebody/model", ConfigError, "anytune push"),
        ("starter", ConfigError, "anytune push"),
        ("ada/tuned:adapter", ConfigError, "whole ones"),
        ("ada/nothing", NotFound, "Check the id"),
        ("ada/tuned@nowhere", NotFound, "Check the revision"),
        ("ada/adapter", Rejected, "holds no model"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is_made(sim, endpoints, order, word, kind, words):
    sim.add("model", "ada/adapter", {"adapter_config.json": "{}", "adapter_model.safetensors": b"\0"})
    with pytest.raises(kind, match=words):
        endpoints.deploy(order(model=ModelRef(id=word)))
    assert sim.count(CREATE) == 0


def test_adapters_do_not_share_an_endpoint(endpoints, order, model):
    with pytest.raises(Unsupported, match="one model"):
        endpoints.deploy(order(adapters={"a": model}))


def test_every_state_of_the_library_is_mapped_once():
    from huggingface_hub import InferenceEndpointStatus

    assert set(STATES) == {each.value for each in InferenceEndpointStatus}


def test_a_state_that_is_not_known_is_unknown(sim, endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    sim.endpoints["ada", named(REF)].state = "levitating"
    assert endpoints.poll(named(REF)).state == "unknown"


@pytest.mark.parametrize(
    ("word", "state", "usd"),
    [("paused", "failed", 0.0), ("updateFailed", "failed", 0.8), ("failed", "failed", 0.8)],
)
def test_what_does_not_run_is_not_ready(sim, endpoints, order, word, state, usd):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    sim.endpoints["ada", named(REF)].state = word
    seen = endpoints.poll(named(REF))
    assert (seen.state, seen.hourly_usd, seen.address) == (state, usd, None)


def test_an_endpoint_that_runs_and_does_not_answer_is_not_ready(sim, endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    found = sim.endpoints["ada", named(REF)]
    found.gate.close()
    seen = Endpoints(Hub(token=sim.token, endpoint=sim.url)).poll(named(REF))
    assert (seen.state, seen.address) == ("starting", None)
    assert "answers nothing" in seen.error


def test_looking_again_does_not_keep_an_endpoint_awake(sim, endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    used = sim.endpoints["ada", named(REF)].used_s
    assert endpoints.poll(named(REF)).address.model == "ada/tuned"
    assert sim.endpoints["ada", named(REF)].used_s == used


def test_an_engine_that_cannot_load_the_model_is_failed_with_its_reason(sim, endpoints, order):
    endpoints.deploy(order())
    sim.store.delete(sim.store.get("model", "ada/tuned"))
    assert "not found" in settled(endpoints, named(REF), wanted="failed").error


def test_a_token_goes_to_no_address_in_clear_text(sim, endpoints, order, monkeypatch):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    before = sim.endpoints["ada", named(REF)].used_s
    monkeypatch.setattr("anytune_huggingface.hub.endpoints._trusted", lambda url: url.startswith("https://"))
    seen = Endpoints(Hub(token=sim.token, endpoint=sim.url)).poll(named(REF))
    assert (seen.state, seen.address) == ("starting", None)
    assert sim.endpoints["ada", named(REF)].used_s == before


def test_paused_costs_nothing_and_resumes(endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    endpoints.pause(named(REF))
    assert endpoints.poll(named(REF)).hourly_usd == 0.0
    endpoints.resume(named(REF))
    assert settled(endpoints, named(REF)).hourly_usd == 0.8


def test_the_same_order_wakes_an_endpoint_that_was_paused(endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    endpoints.pause(named(REF))
    endpoints.deploy(order())
    assert settled(endpoints, named(REF)).state == "ready"


def test_a_deleted_endpoint_is_gone_and_deleting_it_again_is_no_error(sim, endpoints, order):
    endpoints.deploy(order())
    endpoints.undeploy(named(REF))
    assert endpoints.poll(named(REF)).state == "gone"
    endpoints.undeploy(named(REF))
    assert sim.endpoints == {}


def test_a_delete_whose_reply_was_lost_is_done(sim, endpoints, order):
    endpoints.deploy(order())
    hurt(sim, WireFault(kind="drop_reply", on="DELETE /endpoints/v2/endpoint/{namespace}/{name}"))
    with pytest.raises(Unreachable):
        endpoints.undeploy(named(REF))
    endpoints.undeploy(named(REF))
    assert endpoints.poll(named(REF)).state == "gone"


def test_what_could_not_be_asked_is_not_gone(sim, endpoints, order):
    endpoints.deploy(order())
    hurt(sim, WireFault(kind="refuse", on=GET, name="server_error", skip=1, times=9))
    with pytest.raises(Unreachable):
        endpoints.poll(named(REF))


def test_an_endpoint_is_known_by_its_ref_too(endpoints, order):
    endpoints.deploy(order())
    assert endpoints.poll(REF).id == named(REF)
    endpoints.undeploy(REF)
    assert endpoints.poll(REF).state == "gone"


def test_a_listing_gives_ours_alone(sim, endpoints, order, connect):
    endpoints.deploy(order())
    connect(sim)
    assert len(sim.endpoints) == 2
    assert [(each.id, each.ref) for each in endpoints.list()] == [(named(REF), REF)]


@pytest.fixture
def connect():
    """Make an endpoint of somebody else in the same namespace."""

    def make(sim):
        import huggingface_hub

        huggingface_hub.HfApi(endpoint=sim.url, token=sim.token).create_inference_endpoint(
            "theirs",
            repository="ada/tuned",
            framework="pytorch",
            accelerator="gpu",
            instance_size="x1",
            instance_type="nvidia-l4",
            region="us-east-1",
            vendor="aws",
            namespace="ada",
            token=sim.token,
        )

    return make


def test_every_call_shows_the_token(sim, endpoints, order):
    endpoints.deploy(order())
    endpoints.pause(named(REF))
    endpoints.resume(named(REF))
    endpoints.list()
    endpoints.undeploy(named(REF))
    assert {asked.status for asked in sim.requests if asked.path.startswith("/endpoints/")} <= {200, 202, 404}


def test_a_price_that_cannot_be_read_does_not_hide_an_endpoint(sim, hub, endpoints, order):
    endpoints.deploy(order())
    hurt(sim, WireFault(kind="refuse", on="GET /endpoints/v2/provider/{namespace}", name="server_error", skip=1, times=9))
    assert Endpoints(hub).poll(named(REF)).hourly_usd is None


def test_settings_are_checked_when_they_are_given(hub):
    with pytest.raises(ConfigError, match="`region`"):
        Endpoints(hub, {"regoin": "x"})
    assert EndpointSettings.of({}).type == "authenticated"


def test_an_endpoint_sleeps_by_itself_unless_machines_shall_always_run(sim, endpoints, order):
    """Nobody has to be alive for the bill to end: fifteen minutes after the last question the service stops the machine."""
    endpoints.deploy(order())
    assert body_of(sim)["compute"]["scaling"] == {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15}
    assert EndpointSettings(scale_to_zero_minutes=60).sleeps_after_minutes == 60
    assert EndpointSettings(min_replica=1).sleeps_after_minutes is None


def test_a_sleeping_endpoint_costs_nothing_and_is_not_woken_by_looking(sim, hub, endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    hub.api.scale_to_zero_inference_endpoint(named(REF), namespace="ada", token=sim.token)
    for looking in (endpoints, Endpoints(Hub(token=sim.token, endpoint=sim.url))):
        seen = looking.poll(named(REF))
        assert (seen.state, seen.hourly_usd, seen.address.model) == ("ready", 0.0, "ada/tuned")
        assert "the next question wakes it" in seen.error
    assert sim.endpoints["ada", named(REF)].state == "scaledToZero"


def test_the_next_question_wakes_a_sleeping_endpoint_and_waits_for_its_answer(sim, hub, endpoints, order):
    endpoints.deploy(order())
    settled(endpoints, named(REF))
    hub.api.scale_to_zero_inference_endpoint(named(REF), namespace="ada", token=sim.token)
    with Endpoint(endpoints.poll(named(REF)).address, retry=Retry(sleep=lambda _: None)) as asked:
        assert "2 cups of basil" in asked.chat("2 cups of basil")
    assert endpoints.poll(named(REF)).hourly_usd == 0.8
