"""A host that takes no jobs any more says on which days it closes, and who could take the run instead."""

from __future__ import annotations

from datetime import date

import pytest

from anytune.errors import FineTuningUnavailable, Terminal
from anytune_openai import OpenAIBackend
from anytune_openai.closing import unavailable

TODAY = date(2026, 11, 22)


class AtOpenAI(OpenAIBackend):
    """Speaks to a simulator as if it were OpenAI's own host."""

    @property
    def catalog(self):
        return "openai"


def refusal(catalogued="openai", **more):
    given = {"host": "OpenAI", "catalogued": catalogued, "model": "gpt-4.1-mini-2025-04-14", "today": TODAY} | more
    return unavailable("OpenAI answered 403.", **given)


def test_it_tells_the_days_on_which_it_closes():
    said = refusal().message
    assert said.startswith("OpenAI answered 403.")
    for day in ("2026-05-07", "2026-07-02", "2027-01-06", "2027-01-14"):
        assert day in said


def test_it_tells_who_could_take_the_run():
    fix = refusal().fix
    assert "`trl`" in fix
    assert "`azure`" in fix
    assert "Change `backend` and `model`" in fix


def test_reinforcement_is_not_promised_where_nobody_offers_it_to_everyone():
    assert "`trl`" not in refusal(method="rft").fix


def test_without_a_model_the_hosts_own_days_are_told():
    assert "2027-01-06" in refusal(model="").message


def test_of_a_host_that_the_catalogue_does_not_know_no_days_are_told():
    error = refusal(catalogued=None, fix="Ask the host.")
    assert error.message == "OpenAI answered 403."
    assert error.fix.startswith("Ask the host.")
    assert "Another backend" in error.fix


def test_a_catalogue_that_cannot_be_read_hides_no_refusal(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path))
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "openai.yaml").write_text("host: [", encoding="utf-8")
    assert isinstance(refusal(), FineTuningUnavailable)


@pytest.mark.parametrize("model", ["gpt-4.1-mini-2025-04-14", "gpt-4o-2024-08-06"])
def test_a_closed_organisation_gets_dates_and_alternatives_for_its_own_model(sim, backend_on, order, model):
    backend = backend_on(sim, kind=AtOpenAI)
    made = order(backend, model=model)
    sim.closed_to_org = True
    with pytest.raises(FineTuningUnavailable) as raised:
        backend.submit(made)
    error = raised.value
    assert isinstance(error, Terminal)
    assert error.backend == "openai"
    assert model in error.message
    assert "2027-01-14" in error.message
    assert "`trl`" in error.fix
    assert sim.jobs == []


def test_a_closed_organisation_at_another_host_is_told_so_without_openais_dates(sim, backend, order):
    made = order(backend)
    sim.closed_to_org = True
    with pytest.raises(FineTuningUnavailable) as raised:
        backend.submit(made)
    assert "2027" not in str(raised.value)
