"""Where a model answers: looking costs nothing where its age says enough, and questions name who pays."""

from __future__ import annotations

import time

import pytest

from anytune.errors import NotFound
from anytune.infer import Endpoint
from anytune.retry import translated
from anytune.testing import OpenAISimulator
from anytune.values import ModelRef
from anytune_openai import OpenAIBackend

MODEL = ModelRef(id="gpt-4.1-mini-2025-04-14")
DAY_S = 86_400.0


def tuned(backend: OpenAIBackend, order) -> ModelRef:
    job = backend.submit(order)
    while (seen := backend.poll(job.id)).model is None:
        assert not seen.status.terminal, seen.error
    return seen.model


def test_a_model_of_yesterday_is_not_asked(order):
    with OpenAISimulator(clock=lambda: time.time() - DAY_S) as host:
        backend = OpenAIBackend(base_url=host.base_url, api_key=host.api_key)
        address = backend.address(tuned(backend, order(backend)))
        backend.close()
        assert host.count("POST /chat/completions") == 0
        assert host.count("GET /models/{id:path}") == 1
    assert address.base_url == host.base_url


def test_a_new_model_is_asked_once(order):
    with OpenAISimulator() as host:
        backend = OpenAIBackend(base_url=host.base_url, api_key=host.api_key)
        model = tuned(backend, order(backend))
        backend.address(model)
        backend.address(model)
        backend.close()
        assert host.count("POST /chat/completions") == 1


def test_a_model_that_is_not_there_is_not_found():
    with OpenAISimulator() as host:
        backend = OpenAIBackend(base_url=host.base_url, api_key=host.api_key)
        with pytest.raises(Exception, match="404") as caught:
            backend.address(ModelRef(id="ft:gpt-4.1-mini-2025-04-14:org::gone0000"))
        assert isinstance(translated(caught.value, backend), NotFound)
        backend.close()


@pytest.mark.parametrize(("organization", "project"), [("org-mine", "proj_mine"), (None, None)])
def test_questions_name_who_pays_and_nobody_else(monkeypatch, organization, project):
    with OpenAISimulator() as host:
        backend = OpenAIBackend(base_url=host.base_url, api_key=host.api_key, organization=organization, project=project)
        address = backend.address(MODEL)
        backend.close()
        monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
        with Endpoint(address) as endpoint:
            endpoint.chat("hello")
        asked = host.requests[-1].headers
    assert (asked.get("openai-organization"), asked.get("openai-project")) == (organization, project)
