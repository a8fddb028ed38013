"""Findings about methods, models and days, each on a day that is held still."""

from __future__ import annotations

from datetime import date

import pytest

from anytune import catalog

MINI = "gpt-4.1-mini-2025-04-14"
NOVEMBER = date(2026, 11, 22)


def found(backend="openai", model=MINI, method="sft", today=NOVEMBER, **more):
    return {item.code: item for item in catalog.findings(backend, model, method, today=today, **more)}


def codes(*args, **more):
    return {(item.severity, item.code) for item in found(*args, **more).values()}


def test_in_november_2026_openai_warns_of_accounts_closing_and_shutdown():
    assert codes() == {
        ("warning", "customers-only"), ("warning", "training-closing"), ("warning", "model-closing"), ("info", "others-could"),
    }  # fmt: skip


def test_closing_and_shutdown_are_said_with_their_days_sources_and_successor():
    seen = found()
    assert "OpenAI takes no new jobs after 2027-01-06, 45 days from now" in seen["training-closing"].message
    assert f"{MINI}, and every model tuned on it, stops answering at OpenAI on 2027-01-14, 53 days" in seen["model-closing"].message
    assert "OpenAI names gpt-6-luna as its successor, which cannot be tuned." in seen["model-closing"].message
    assert all("read 2026-11-22" in seen[code].message for code in ("training-closing", "model-closing"))


def test_customers_only_names_both_days():
    message = found()["customers-only"].message
    assert "Since 2026-05-07, only organisations" in message
    assert "Since 2026-07-02, only those of them" in message


def test_before_the_first_restriction_it_is_announced():
    seen = found(today=date(2026, 4, 1))
    assert "From 2026-05-07, only organisations" in seen["customers-only"].message
    assert seen["training-closing"].severity == "info"
    assert "error" not in {item.severity for item in seen.values()}


def test_long_before_any_day_nothing_warns():
    assert {item.severity for item in found(today=date(2025, 5, 1)).values()} == {"info"}


def test_on_the_last_day_jobs_are_still_taken():
    assert ("warning", "training-closing") in codes(today=date(2027, 1, 6))
    assert "0 days from now" in found(today=date(2027, 1, 6))["training-closing"].message


def test_the_day_after_the_last_jobs_are_refused_while_models_still_answer():
    assert codes(today=date(2027, 1, 7)) == {("error", "training-closed"), ("warning", "model-closing"), ("info", "others-could")}
    assert "after 2027-01-06, 1 day ago" in found(today=date(2027, 1, 7))["training-closed"].message


@pytest.mark.parametrize("today", [date(2027, 1, 14), date(2027, 1, 15)])
def test_from_the_day_of_shutdown_the_model_is_gone(today):
    assert codes(today=today) == {("error", "training-closed"), ("error", "model-gone"), ("info", "others-could")}


@pytest.mark.parametrize("model", ["o4-mini-2025-04-16", "gpt-4.1-nano", "gpt-3.5-turbo", "davinci-002"])
def test_models_that_went_in_october_2026_are_gone_in_november(model):
    method = "rft" if model.startswith("o4") else "sft"
    assert found(model=model, method=method)["model-gone"].severity == "error"
    assert "2026-10-23" in found(model=model, method=method)["model-gone"].message
    assert "model-gone" not in found(model=model, method=method, today=date(2026, 10, 22))


def test_the_providers_own_earlier_day_counts():
    seen = found(provider_says=date(2026, 12, 1))["model-closing"].message
    assert "on 2026-12-01, 9 days from now (OpenAI's own list of models)" in seen
    assert "model-gone" in found(provider_says=date(2026, 11, 22))


def test_the_providers_later_day_does_not_delay_the_catalogues():
    assert "2027-01-14" in found(provider_says=date(2027, 6, 1))["model-closing"].message


def test_the_providers_day_counts_for_a_model_that_the_catalogue_does_not_know():
    assert (
        "gpt-nova, and every model tuned on it, stops answering"
        in found(model="gpt-nova", provider_says=date(2027, 1, 1))["model-closing"].message
    )


@pytest.mark.parametrize(
    ("backend", "model", "method"),
    [
        ("openai", MINI, "rft"), ("openai", "gpt-4o-mini", "dpo"), ("openai", "o4-mini", "sft"), ("azure", "gpt-oss-20b", "dpo"), ("openai", MINI, "kto"),
    ],
)  # fmt: skip
def test_a_method_that_the_model_is_not_offered_with_is_an_error(backend, model, method):
    assert found(backend, model, method)["method"].severity == "error"


def test_the_finding_about_a_method_says_what_is_offered():
    seen = found(method="rft")["method"]
    assert seen.message == f"OpenAI does not offer rft for {MINI}."
    assert seen.fix == "It offers: sft, dpo."


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_method_that_the_guides_do_not_confirm_is_a_warning(method):
    assert found(model="gpt-4o-2024-08-06", method=method)["method"].severity == "warning"


def test_an_invitation_is_a_warning():
    assert "by invitation only" in found("azure", "gpt-5", "rft")["customers-only"].message


def test_a_model_that_is_known_and_not_tuned_is_an_error():
    seen = found(model="gpt-6-luna")
    assert seen["not-tunable"].severity == "error"
    assert "gpt-4.1-nano" not in seen["not-tunable"].fix, "what is gone is no advice"
    assert set(seen) == {"not-tunable", "others-could"}


def test_an_unknown_model_is_a_warning_and_the_services_days_hold():
    seen = codes(model="gpt-nova")
    assert ("warning", "unknown-model") in seen
    assert ("warning", "training-closing") in seen


def test_an_unknown_model_alone_is_no_reason_to_send_people_elsewhere():
    assert set(found("azure", "gpt-nova")) == {"unknown-model"}


def test_a_short_name_is_told_with_the_exact_one():
    assert f"`gpt-4.1-mini` is taken as `{MINI}`" in found(model="gpt-4.1-mini")["alias"].message
    assert "alias" not in found()


def test_a_model_tuned_there_goes_by_its_base():
    assert codes(model=f"ft:{MINI}:org::BxYz1234") == codes()


@pytest.mark.parametrize(
    ("backend", "model", "at"),
    [("azure", f"ft:{MINI}:org::BxYz1234", "openai"), ("openai", f"{MINI}.ft-0123456789abcdef", "azure")],
)
def test_a_model_tuned_elsewhere_cannot_be_continued(backend, model, at):
    assert f"was tuned at {at}" in found(backend, model)["not-tunable"].message


def test_azure_goes_on_for_those_who_tuned_before():
    assert codes("azure") == {
        ("warning", "customers-only"), ("warning", "training-closing"), ("info", "model-closing"), ("info", "others-could"),
    }  # fmt: skip
    assert "until 2027-04-14, 143 days from now, and says nothing of later days" in found("azure")["training-closing"].message


def test_a_day_that_is_only_the_earliest_never_refuses():
    seen = found("azure", today=date(2027, 5, 1))
    assert seen["training-closed"].severity == "warning"
    assert "may have closed since" in seen["training-closed"].message


def test_azures_deployments_end_a_year_and_a_half_later():
    assert found("azure", today=date(2027, 10, 13))["model-closing"].severity == "warning"
    assert found("azure", today=date(2027, 10, 14))["model-gone"].severity == "error"


def test_azures_open_models_have_nothing_against_them():
    assert found("azure", "gpt-oss-20b") == {}


def test_others_are_named_with_what_they_ask_of_the_account():
    message = found()["others-could"].message
    assert "`azure` (Ministral-3B, Qwen-32B, Llama-3.3-70B-Instruct, gpt-oss-20b; not for every account: gpt-4.1-2025-04-14" in message
    assert "`trl` (on your own machine, with any open model" in message
    assert MINI not in message.split("`openai`")[1], "the model asked about is no other"


def test_nobody_takes_rft_but_azure():
    others = catalog.others("rft", today=NOVEMBER)
    assert [(other.backend, other.models, other.restricted) for other in others] == [
        ("azure", (), ("o4-mini-2025-04-16", "gpt-5-2025-08-07"))
    ]


def test_openai_is_no_other_once_it_is_closed():
    assert [other.backend for other in catalog.others("sft", today=date(2027, 1, 7))] == ["azure", "trl"]


def test_a_method_that_nobody_takes_has_no_others():
    assert catalog.others("telepathy", today=NOVEMBER) == ()
    assert "others-could" not in found(method="telepathy")


@pytest.mark.parametrize("backend", ["trl", "parrot"])
def test_nothing_is_said_of_hosts_that_take_any_model_or_are_not_known(backend):
    assert found(backend, "starter") == {}


def test_today_is_the_clocks_unless_it_is_given():
    assert isinstance(catalog.findings("azure", MINI, "sft"), list)


def test_the_trl_file_says_what_the_trl_backend_offers():
    backend = pytest.importorskip("anytune_trl").TRLBackend()
    assert set(catalog.opened("trl").host.methods) <= backend.capabilities.methods
