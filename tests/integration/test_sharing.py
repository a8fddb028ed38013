"""Several tuned models of one base on one host, through the public door."""

from __future__ import annotations

import asyncio

import pytest

import anytune
from anytune import aio
from anytune.backend import Capabilities
from anytune.deploy import Deployment
from anytune.errors import ConfigError, NotFound, Unsupported
from anytune.testing import MemoryBackend
from anytune.values import ModelRef

ALONE = Capabilities(methods=frozenset({"sft"}), tag="key", settle_s=0.0, abilities=frozenset({"deploy"}))


@pytest.fixture(autouse=True)
def ledger_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path))
    monkeypatch.delenv("ANYTUNE_LEDGER", raising=False)


@pytest.fixture
def backend():
    backend = MemoryBackend()
    yield backend
    for engine in backend.store.engines.values():
        engine.close()


def tuned(backend, name, **fields):
    return anytune.TunedModel(ModelRef(id=name, base_model="base", **fields), backend=backend)


def test_each_name_of_a_host_answers_as_its_own_model(backend):
    adapters = {"ft:a": tuned(backend, "first"), "ft:b": tuned(backend, "second")}
    with tuned(backend, "base").deploy(ttl_s=60, adapters=adapters) as endpoint:
        said = [endpoint.chat("basil", model=name) for name in ("ft:a", "ft:b", endpoint.model)]
    assert said == ["first heard: basil", "second heard: basil", "base heard: basil"]


def test_the_ledger_keeps_what_a_host_answers_for(backend):
    with tuned(backend, "base").deploy(ttl_s=60, adapters={"ft:a": tuned(backend, "first")}):
        (deployment,) = Deployment.list()
        assert {name: ref["id"] for name, ref in Deployment.get(deployment.id).row.adapters.items()} == {"ft:a": "first"}
        assert deployment.model.id == "base"


def test_a_backend_that_cannot_is_not_asked():
    backend = MemoryBackend(capabilities=ALONE)
    with pytest.raises(Unsupported, match="a host of its own"):
        tuned(backend, "base").deploy(adapters={"ft:a": tuned(backend, "first")})
    assert Deployment.list(live=False) == []
    assert "deploy" not in backend.calls


@pytest.mark.parametrize("name", ["", "two words", "base", "a=b", "../a\n", "x" * 300])
def test_names_that_cannot_be_sent_or_told_apart_are_refused(backend, name):
    with pytest.raises(ConfigError, match="cannot be an adapter's name"):
        tuned(backend, "base").deploy(adapters={name: tuned(backend, "first")})
    assert Deployment.list(live=False) == []


def test_an_adapter_whose_files_are_gone_is_not_deployed(backend):
    with pytest.raises(NotFound, match="first: missing adapter"):
        tuned(backend, "base").deploy(adapters={"ft:a": tuned(backend, "first", missing=("adapter",))})


def test_the_async_door_shares_a_host_too(backend):
    async def ask():
        base, first = (aio.TunedModel(tuned(backend, name)) for name in ("base", "first"))
        async with await base.deploy(ttl_s=60, adapters={"ft:a": first}) as endpoint:
            return await endpoint.chat("basil", model="ft:a")

    assert asyncio.run(ask()) == "first heard: basil"
