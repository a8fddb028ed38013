"""What goes wrong on the way to the simulated OpenAI, as the real client meets it."""

from __future__ import annotations

import json
import time

import openai
import pytest

from anytune.testing import WireFault, WireFaults
from anytune.testing.simulators.errors import ERRORS, JOB_ERRORS

MINI = "gpt-4.1-mini-2025-04-14"
CREATE = "POST /fine_tuning/jobs"


@pytest.fixture
def order(rows):
    """Sends one create of a job, with a file that is there already."""

    def make(client, **settings):
        content = rows.lines(rows.chat())
        held = client.files.list().data
        file = held[0] if held else client.files.create(file=("train.jsonl", content), purpose="fine-tune")
        return client.fine_tuning.jobs.create(model=MINI, training_file=file.id, **settings)

    return make


def faults(kind, **settings):
    return WireFaults(calls=(WireFault(kind=kind, **settings),))


def test_a_dropped_request_makes_no_job(connect, order):
    provider, client = connect(faults=faults("drop"))
    with pytest.raises(openai.APIConnectionError):
        order(client)
    assert (provider.jobs, provider.count(CREATE)) == ([], 1)
    assert order(client).id == provider.jobs[0].id


def test_a_lost_reply_leaves_one_job_behind(connect, order):
    provider, client = connect(faults=faults("drop_reply"))
    with pytest.raises(openai.APIConnectionError):
        order(client, metadata={"mine": "1"})
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"mine": "1"})] == [provider.jobs[0].id]
    assert provider.requests[-2].status == 0


def test_the_client_that_retries_a_lost_reply_pays_twice(connect, order):
    provider, client = connect(retries=2, faults=faults("drop_reply"))
    order(client)
    assert (len(provider.jobs), provider.count(CREATE)) == (2, 2)


def test_a_late_commit_appears_after_the_client_has_given_up(connect, order):
    provider, client = connect(faults=faults("late_commit", delay_s=0.3))
    with pytest.raises(openai.APIConnectionError):
        order(client)
    assert list(client.fine_tuning.jobs.list()) == []
    deadline = time.monotonic() + 10
    while not provider.jobs:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [job.id for job in client.fine_tuning.jobs.list()] == [provider.jobs[0].id]


def test_a_slow_reply_outlives_the_clients_patience_and_takes_effect(connect, order):
    provider, client = connect(faults=faults("slow", delay_s=0.5), timeout_s=5)
    with pytest.raises(openai.APITimeoutError):
        order(client, timeout=0.1)
    deadline = time.monotonic() + 10
    while not provider.jobs:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_each_named_error_reaches_the_client_as_it_is_written(connect, contract, name):
    _, client = connect(faults=faults("refuse", on="GET /models", name=name))
    expected = ERRORS[name]
    with pytest.raises(openai.APIStatusError) as caught:
        client.models.list()
    error = caught.value
    assert (error.status_code, error.code, error.type) == (expected.status, expected.code, expected.type)
    assert contract.faults("ErrorResponse", {"error": error.body}) == []
    assert error.request_id.startswith("req_")
    assert {key: error.response.headers[key] for key in expected.headers} == dict(expected.headers)


def test_a_refusal_that_the_provider_does_not_have_is_refused_with_those_that_it_has(start):
    wrong, said = faults("refuse", on="*", name="rate-limit"), r"no error .rate-limit. for .\*.; there is: .*rate_limit"
    with pytest.raises(ValueError, match=said):
        start(faults=wrong)
    provider = start()
    with pytest.raises(ValueError, match=said):
        provider.faults = wrong
    assert provider.faults.calls == ()


@pytest.mark.parametrize(
    ("status", "error"), [(408, openai.APIStatusError), (409, openai.ConflictError), (503, openai.InternalServerError)]
)
def test_a_bare_status_has_no_effect(connect, order, status, error):
    provider, client = connect(faults=faults("error", status=status))
    with pytest.raises(error):
        order(client)
    assert provider.jobs == []


@pytest.mark.parametrize(("header", "value", "least_s"), [("retry-after", "1", 1.0), ("retry-after-ms", "300", 0.3)])
def test_the_client_obeys_how_long_it_is_to_wait(connect, header, value, least_s):
    provider, client = connect(retries=1, faults=faults("error", on="GET /models", status=429, headers={header: value}))
    began = time.monotonic()
    client.models.list()
    assert time.monotonic() - began >= least_s
    assert [asked.headers.get("x-stainless-retry-count") for asked in provider.requests] == ["0", "1"]


@pytest.mark.parametrize("headers", [{"retry-after": "121"}, {"x-should-retry": "false"}], ids=str)
def test_the_client_gives_up_where_it_is_told_to(connect, headers):
    provider, client = connect(retries=2, faults=faults("error", on="GET /models", headers=headers))
    with pytest.raises(openai.InternalServerError):
        client.models.list()
    assert provider.count("GET /models") == 1


def test_a_page_of_html_is_a_text_to_the_client_and_the_job_is_made(connect, order):
    provider, client = connect(strict=False, faults=faults("html"))
    assert str(order(client)).startswith("<!doctype html>")
    assert len(provider.jobs) == 1


def test_a_reply_that_is_cut_is_no_reply_and_the_job_is_made(connect, order):
    provider, client = connect(faults=faults("truncated"))
    with pytest.raises((openai.APIError, json.JSONDecodeError)):
        order(client)
    assert len(provider.jobs) == 1


def test_a_fault_waits_for_its_turn_and_ends(connect):
    _, client = connect(faults=faults("error", on="GET /models", skip=1, times=2))
    told = []
    for _ in range(4):
        try:
            client.models.list()
            told.append(200)
        except openai.InternalServerError as error:
            told.append(error.status_code)
    assert told == [200, 500, 500, 200]


def test_a_new_job_is_listed_only_after_the_lag(connect, order):
    now = [1_800_000_000.0]
    _, client = connect(clock=lambda: now[0], faults=WireFaults(list_lag_s=30))
    job = order(client, metadata={"mine": "1"})
    assert list(client.fine_tuning.jobs.list()) == []
    assert client.fine_tuning.jobs.retrieve(job.id).id == job.id
    now[0] += 31
    assert [each.id for each in client.fine_tuning.jobs.list(metadata={"mine": "1"})] == [job.id]


def test_an_ignored_filter_gives_jobs_that_nobody_asked_for(connect, order):
    _, client = connect(faults=WireFaults(ignored_filter=True))
    job = order(client)
    assert [each.id for each in client.fine_tuning.jobs.list(metadata={"mine": "1"})] == [job.id]


def test_short_pages_hide_jobs_and_empty_ones_promise_more(connect, order):
    provider, client = connect()
    jobs = [order(client).id for _ in range(4)]
    provider.faults = WireFaults(short_pages=True)
    assert [each.id for each in client.fine_tuning.jobs.list()] == jobs[:1:-1]
    provider.faults = WireFaults(empty_pages=True)
    page = client.fine_tuning.jobs.list()
    assert (page.data, page.has_more) == ([], True)


def test_reordered_pages_repeat_some_jobs_and_hide_others(connect, order):
    provider, client = connect()
    jobs = [order(client).id for _ in range(8)]
    provider.faults = WireFaults(reordered_pages=True)
    orders = {tuple(each.id for each in client.fine_tuning.jobs.list(limit=100)) for _ in range(4)}
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(jobs)}


def test_a_word_that_nobody_knows_stands_for_running(connect, order):
    _, client = connect(strict=False, faults=WireFaults(unknown_status="simmering"))
    job = order(client)
    assert [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(7)] == [
        "validating_files", "queued", "simmering", "simmering", "simmering", "simmering", "succeeded",
    ]  # fmt: skip


def test_a_file_that_cannot_be_processed_says_why(connect, rows):
    _, client = connect(faults=WireFaults(file_error="Line 3 is broken"))
    file = client.files.create(file=("train.jsonl", rows.lines(rows.chat())), purpose="fine-tune")
    assert (file.status, file.status_details) == ("error", "Line 3 is broken")
    with pytest.raises(openai.BadRequestError, match="is not ready"):
        client.fine_tuning.jobs.create(model=MINI, training_file=file.id)


def test_a_new_model_answers_only_after_the_lag(connect, order):
    now = [1_800_000_000.0]
    _, client = connect(clock=lambda: now[0], faults=WireFaults(model_lag_s=120))
    job = order(client)
    while job.status != "succeeded":
        job = client.fine_tuning.jobs.retrieve(job.id)
    asked = {"model": job.fine_tuned_model, "messages": [{"role": "user", "content": "3?"}]}
    for call in (lambda: client.models.retrieve(job.fine_tuned_model), lambda: client.chat.completions.create(**asked)):
        with pytest.raises(openai.NotFoundError) as caught:
            call()
        assert caught.value.code == "model_not_found"
    now[0] += 121
    assert client.chat.completions.create(**asked).choices[0].message.content == "3!"


def test_the_providers_clock_may_be_ahead(connect, order):
    _, client = connect(clock=lambda: 1_800_000_000.0, faults=WireFaults(clock_skew_s=600))
    assert order(client).created_at == 1_800_000_600


@pytest.mark.parametrize("name", sorted(JOB_ERRORS))
def test_a_job_can_be_made_to_fail_for_each_known_reason(connect, order, name):
    provider, client = connect()
    job = order(client)
    provider.fail(job.id, name)
    failed = client.fine_tuning.jobs.retrieve(job.id)
    assert (failed.status, failed.error.code) == ("failed", JOB_ERRORS[name].code)
    assert client.fine_tuning.jobs.list_events(job.id).data[0].level == "error"


def test_a_new_job_is_found_by_its_id_only_after_the_lag(connect, order):
    now = [1_800_000_000.0]
    _, client = connect(clock=lambda: now[0], faults=WireFaults(job_lag_s=5))
    job = order(client)
    with pytest.raises(openai.NotFoundError, match=f"Could not find fine tune: {job.id}"):
        client.fine_tuning.jobs.retrieve(job.id)
    now[0] += 6
    assert client.fine_tuning.jobs.retrieve(job.id).id == job.id


def test_the_client_asks_once_more_where_a_listing_does_not_say_whether_there_is_more(connect, order):
    provider, client = connect(strict=False, faults=WireFaults(no_has_more=True))
    job = order(client)
    assert [each.id for each in client.fine_tuning.jobs.list()] == [job.id]
    assert provider.count("GET /fine_tuning/jobs") == 2


def test_an_unknown_profile_is_refused_by_name(start):
    with pytest.raises(ValueError, match="There is no profile 'real'; there is: spec, as_observed"):
        start(profile="real")


@pytest.mark.parametrize("cut_at", [0, 1, 8, 40, 120, 300])
def test_wherever_a_reply_is_cut_there_is_one_job_and_no_answer(connect, order, cut_at):
    provider, client = connect(faults=faults("truncated", cut_at=cut_at))
    with pytest.raises((openai.APIError, json.JSONDecodeError)):
        order(client)
    assert len(provider.jobs) == 1


def test_it_says_nothing_on_the_console(connect, order, capfd):
    _, client = connect(faults=faults("drop", on="GET /models"))
    with pytest.raises(openai.APIConnectionError):
        client.models.list()
    order(client)
    assert capfd.readouterr() == ("", "")


def test_an_error_is_worded_for_the_request_whatever_its_body_holds(connect):
    _, client = connect(faults=faults("refuse", on="POST /chat/completions", name="model_not_found"))
    with pytest.raises(openai.NotFoundError, match="The model `basil` does not exist"):
        client.chat.completions.create(model="basil", messages=[], extra_body={"name": "n", "key": "k", "organization": "o"})


def test_the_wait_that_a_fault_asks_for_is_the_only_one(connect, order):
    _, client = connect(faults=faults("refuse", name="rate_limit", headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as refused:
        order(client)
    assert refused.value.response.headers["retry-after"] == "7"
    assert "retry-after-ms" not in refused.value.response.headers


def test_a_path_without_the_version_is_not_found(connect):
    provider, client = connect()
    with client.with_options(base_url=provider.url) as astray, pytest.raises(openai.NotFoundError, match="Invalid URL"):
        astray.models.list()


def test_a_port_that_is_used_again_gives_other_ids(start, rows):
    ids, port = [], 0
    for _ in range(3):
        provider = start(port=port)
        port = int(provider.url.rpartition(":")[2])
        with openai.OpenAI(base_url=provider.base_url, api_key=provider.api_key) as client:
            ids.append(client.files.create(file=("train.jsonl", rows.lines(rows.chat())), purpose="fine-tune").id)
        provider.close()
    assert len(set(ids)) == 3
