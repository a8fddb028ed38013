"""The key is in no text that anyone could read: not in what is shown, raised, logged or kept."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

from anytune.testing import OpenAISimulator, WireFault, WireFaults
from anytune.testing.simulators.service import Reply
from anytune.values import ModelRef

KEY = "sk-proj-canary4Rm8zQ0pLx"
PROMPT = "cups of rice"


class Echoing(OpenAISimulator):
    """A host whose errors repeat the key that it was sent (seen with a 401 in 2026)."""

    def handled(self, endpoint, request, values):
        if endpoint == "retrieve_job":
            message = f"Incorrect API key provided: {self.key_of(request)}. Header was 'Bearer {self.key_of(request)}'."
            return Reply({"error": {"message": message, "type": "server_error", "param": None, "code": None}}, 500)
        return super().handled(endpoint, request, values)


@pytest.fixture
def everything_logged(caplog):
    for name in ("", "openai", "httpx2", "httpcore2", "anytune", "anytune_openai"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_the_key_is_in_no_text_of_the_backend(sim, backend_on):
    sim.keys[KEY] = "default"
    backend = backend_on(sim, api_key=KEY)
    backend.list_jobs()
    shown = [repr(backend), str(backend), repr(backend.connection), str(backend.capabilities), backend.account, repr(vars(backend))]
    assert not [text for text in shown if KEY in text]


def test_the_key_is_in_no_address_that_is_shown_or_stored(sim, backend_on, order):
    sim.keys[KEY] = "default"
    backend = backend_on(sim, api_key=KEY)
    address = backend.address(ModelRef(id="gpt-4.1-mini-2025-04-14"))
    assert address.credential is not None
    assert address.credential.get_secret_value() == KEY
    assert KEY not in f"{address!r} {address.model_dump_json()}"


@pytest.mark.parametrize("simulator", [OpenAISimulator, Echoing])
def test_the_key_is_in_no_error_even_where_the_host_repeats_it(simulator, backend_on):
    with simulator() as sim:
        backend = backend_on(sim, api_key=KEY)
        with pytest.raises(Exception, match="Error code") as raised:
            backend.poll("ftjob-x")
        error = backend.translate(raised.value)
        kept = copy.copy(error)
        shown = f"{error} {error!r} {error.raw} {error.fix} {pickle.dumps(error)!r} {kept!r} {vars(error)}"
        shown += "".join(traceback.format_exception_only(error))
        assert KEY not in shown


def test_neither_key_nor_rows_are_logged_at_any_level(everything_logged, backend_on, order, sim):
    sim.keys[KEY] = "default"
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name="rate_limit", on="GET /fine_tuning/jobs"),))
    backend = backend_on(sim, api_key=KEY)
    made = order(backend)
    job = backend.submit(made)
    with pytest.raises(Exception, match="Error code"):
        backend.find(made)
    while not (seen := backend.poll(job.id)).status.terminal:
        pass
    backend.events(job.id)
    backend.metrics(job.id)
    backend.address(seen.model)
    backend.close()
    logged = "\n".join(f"{record.name} {record.getMessage()} {record.args}" for record in everything_logged.records)
    assert "fine_tuning/jobs" in logged, "nothing was logged, so that this proves nothing"
    assert KEY not in logged
    assert PROMPT not in logged


def test_a_key_in_a_record_is_not_kept(sim, backend, order):
    made = order(backend)
    wandb = {"type": "wandb", "wandb": {"project": KEY}}
    job = backend.client.fine_tuning.jobs.create(model=made.model, training_file=made.files["train"].id, integrations=[wandb])
    assert KEY not in backend.poll(job.id).model_dump_json()
    assert KEY not in "".join(one.model_dump_json() for one in backend.list_jobs())


def test_a_key_without_any_shape_is_hidden_too(backend_on):
    key = "c4naryKeyOfNoShapeAtAll0123456789"
    with Echoing(api_key=key) as sim:
        backend = backend_on(sim)
        with pytest.raises(Exception, match="Error code") as raised:
            backend.poll("ftjob-x")
        error = backend.translate(raised.value)
        assert key not in f"{error} {error.raw} {vars(error)}"
