"""What would be refused is found before anything is sent, and by reading only."""

from __future__ import annotations

import pytest

from anytune.spec import DPO, SFT, TrainingSpec
from anytune.testing import WireFault, WireFaults
from anytune_openai import OpenAIBackend
from anytune_openai.check import clear_text, limits

MODEL = "gpt-4.1-mini-2025-04-14"


class AtOpenAI(OpenAIBackend):
    """Speaks to a simulator as if it were OpenAI's own host."""

    @property
    def catalog(self):
        return "openai"


@pytest.fixture
def at_openai(sim, backend_on):
    return backend_on(sim, kind=AtOpenAI)


def spec(train, method=None, model=MODEL, **settings):
    return TrainingSpec(backend="openai", model=model, train=train.path, method=method or SFT(), **settings)


def codes(found):
    return {one.code: one.severity for one in found}


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (SFT(num_train_epochs=2.5), "num_train_epochs"),
        (SFT(num_train_epochs=51), "num_train_epochs"),
        (SFT(num_train_epochs=0.5), "num_train_epochs"),
        (SFT(batch_size=257), "batch_size"),
        (DPO(beta=2.5), "beta"),
    ],
    ids=str,
)
def test_a_setting_outside_of_the_protocols_limits_is_an_error_that_names_it(train, method, name):
    (found,) = limits(spec(train, method))
    assert (found.code, found.severity) == ("host-limit", "error")
    assert name in found.message
    assert name in found.fix


@pytest.mark.parametrize(
    "method",
    [SFT(), SFT(num_train_epochs=1), SFT(num_train_epochs=50), SFT(n_epochs="auto"), SFT(batch_size=256), DPO(beta=2), DPO(beta="auto")],
    ids=str,
)
def test_settings_within_the_limits_are_fine(train, method):
    assert limits(spec(train, method)) == []


def test_a_check_only_reads(sim, backend, train):
    backend.check(spec(train), [train])
    assert {one.method for one in sim.requests} == {"GET"}


def test_a_model_that_is_not_there_is_an_error_at_openai_and_a_warning_elsewhere(backend, at_openai, train):
    wanted = spec(train, model="gpt-5-tuna")
    assert codes(at_openai.check(wanted, [train]))["not-tunable"] == "error"
    assert codes(backend.check(wanted, [train]))["not-tunable"] == "warning"


def test_a_model_is_looked_up_by_the_name_for_this_backend(backend, train):
    assert backend.check(spec(train, model={"trl": "starter", "openai": MODEL}), [train]) == []


def test_an_account_without_any_job_is_warned_that_only_customers_may_create(at_openai, order, train):
    assert codes(at_openai.check(spec(train), [train])) == {"customers-only": "warning"}
    at_openai.submit(order(at_openai))
    assert at_openai.check(spec(train), [train]) == []


def test_a_day_that_the_host_tells_counts_where_it_is_earlier_than_the_catalogues(sim, at_openai, order, train):
    at_openai.submit(order(at_openai))
    sim.world.models[MODEL].shutdown_date = "2026-12-01"
    (found,) = at_openai.check(spec(train), [train])
    assert found.code in {"model-closing", "model-gone"}  # by the day on which this runs
    assert "2026-12-01" in found.message
    sim.world.models[MODEL].shutdown_date = "2020-01-01"
    assert codes(at_openai.check(spec(train), [train]))["model-gone"] == "error"


@pytest.mark.parametrize("day", [None, "soon", 7], ids=str)
def test_a_day_that_cannot_be_read_says_nothing(sim, at_openai, order, train, day):
    at_openai.submit(order(at_openai))
    sim.world.models[MODEL].shutdown_date = day
    assert at_openai.check(spec(train), [train]) == []


def test_a_key_that_may_not_read_models_stops_nothing(sim, at_openai, train):
    sim.faults = WireFaults(calls=tuple(WireFault(kind="refuse", name="missing_scope", on=on) for on in _READS))
    assert codes(at_openai.check(spec(train), [train])) == {"not-checked": "info"}


_READS = ("GET /models/{name:path}", "GET /models/{id:path}", "GET /models/{id}", "GET /models/{name}", "GET /fine_tuning/jobs")


def test_wandb_without_a_project_is_an_error_and_other_trackers_are_lost(backend, backend_on, sim, train):
    wanted = spec(train, SFT(report_to=("wandb", "mlflow")))
    assert codes(backend.check(wanted, [train])) == {"integration": "error", "lost": "warning"}
    ready = backend_on(sim, integrations={"wandb": {"project": "recipes"}})
    assert codes(ready.check(wanted, [train])) == {"lost": "warning"}
    assert codes(ready.check(wanted.model_copy(update={"strict": True}), [train])) == {"lost": "error"}


def test_an_address_in_clear_text_is_warned_of_unless_it_is_this_machine():
    (found,) = clear_text("http://box.lan:8000/v1")
    assert (found.severity, found.code) == ("warning", "clear-text")
    assert "box.lan" in found.message
    assert clear_text("https://box.lan:8000/v1") == clear_text("http://127.0.0.1:8000/v1") == []
