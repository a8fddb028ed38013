"""Which names lead where."""

from __future__ import annotations

import pytest

from anytune.backend import Capabilities
from anytune.errors import AnytuneError
from anytune.runtime import Runtime
from anytune.server.config import ServeConfig
from anytune.server.errors import ApiError
from anytune.server.training.offers import Offers
from anytune.testing import MemoryBackend

LOCAL = Capabilities(methods=frozenset({"sft"}), tag="key", settle_s=0, local=True)
HOSTILE = [
    "../etc",
    "/etc/passwd",
    "~/x",
    "a/b/c",
    "a/../b",
    ".hidden",
    "a b",
    "a\nb",
    "",
    "ft:small:acme::abcdefgh",
    "memory:job-1",
    "x" * 200,
]


def offers(*, local=False, **settings):
    backend = MemoryBackend(capabilities=LOCAL) if local else MemoryBackend()
    return Offers(ServeConfig(backend="memory", **settings), Runtime(backends={"memory": backend}))


def refusal(found, name):
    with pytest.raises(ApiError) as caught:
        found.target(name)
    return caught.value.status, caught.value.code, caught.value.param


def test_a_listed_name_leads_to_its_entry_with_everything_filled_in():
    found = offers(models={"gpt-x": {"model": "starter", "hyperparameters": {"seed": 1}}, "plain": {"backend": "trl"}})
    target = found.target("gpt-x")
    assert (target.backend, target.model, target.hyperparameters) == ("memory", "starter", {"seed": 1})
    assert (found.target("plain").backend, found.target("plain").model) == ("trl", "plain")
    assert found.names() == ["gpt-x", "plain"]


@pytest.mark.parametrize("name", ["starter", "other", *HOSTILE])
def test_where_names_are_listed_no_other_leads_anywhere(name):
    assert refusal(offers(models={"gpt-x": {}}), name) == (404, "model_not_found", "model")


def test_a_hosted_backends_own_names_are_passed_on():
    found = offers()
    for name in ("gpt-4.1-mini-2025-04-14", "owner/model-7B", "Qwen3_0.6B"):
        assert found.target(name).model == name
    assert found.names() == []


@pytest.mark.parametrize("name", [*HOSTILE, "gpt-4.1-mini-2025-04-14.ft-0123456789abcdef0123456789abcdef"])
def test_no_path_and_no_tuned_model_of_the_account_is_passed_on(name):
    assert refusal(offers(), name) == (404, "model_not_found", "model")


def test_a_local_backend_offers_the_starter_alone():
    found = offers(local=True)
    assert found.target("starter").model == "starter"
    assert found.names() == ["starter"]
    for name in ("owner/model", "models", *HOSTILE):
        assert refusal(found, name) == (404, "model_not_found", "model")


def test_a_backend_is_set_up_once_with_the_options_of_the_server():
    found = Offers(ServeConfig(backend="memory", options={"account": "lab"}), Runtime())
    assert found.backend("memory").account == "lab"
    assert found.backend("memory") is found.backend("memory")


def test_a_backend_that_cannot_be_set_up_is_the_servers_fault_and_its_reason_is_not_told(caplog):
    found = Offers(ServeConfig(backend="memory", options={"colour": "sk-secret"}), Runtime())
    with pytest.raises(ApiError) as caught:
        found.backend("memory")
    assert (caught.value.status, caught.value.code) == (503, "backend_unavailable")
    assert "colour" not in caught.value.message
    assert "colour" in caplog.text
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backend": "nowhere"}, "nowhere"),
        ({"backend": "memory", "models": {"a": {"backend": "nowhere"}}}, "nowhere"),
        ({"backend": "memory", "models": {"a": {"hyperparameters": {"lerning_rate": 1}}}}, "learning_rate"),
        ({"backend": "memory", "models": {"a": {"hyperparameters": {"grader": {}}}}}, "grader"),
        ({"backend": "memory", "models": {"a": {"hyperparameters": {"seed": -1}}}}, "seed"),
        ({"backend": "memory", "models": {"a": {"hyperparameters": {"beta": 0}}}}, "beta"),
    ],
)
def test_what_the_owner_wrote_wrongly_is_said_before_the_server_listens(settings, said):
    with pytest.raises(AnytuneError) as caught:
        Offers(ServeConfig(**settings), Runtime()).check()
    assert said in f"{caught.value.message} {caught.value.fix}"


def test_a_good_configuration_passes_the_check_without_setting_a_backend_up():
    context = Runtime()
    models = {"a": {"backend": "trl", "model": "starter", "hyperparameters": {"n_epochs": 2, "beta": 0.1}}}
    Offers(ServeConfig(backend="memory", models=models), context).check()
    assert context.backends == {}
