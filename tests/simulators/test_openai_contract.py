"""Every reply of the simulated OpenAI is what the published contract says; as observed, it differs in the six known ways only."""

from __future__ import annotations

import hashlib

import pytest

from anytune.testing import Life, WireFaults

MINI = "gpt-4.1-mini-2025-04-14"
PAUSES = {"pausing", "paused"}
GRADER = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.answer}}"}
LABELS = {
    "type": "label_model",
    "name": "kind",
    "model": "m",
    "input": [{"role": "user", "content": "a"}],
    "labels": ["a"],
    "passing_labels": ["a"],
}
JOINED = {"type": "multi", "name": "both", "calculate_output": "same", "graders": GRADER}
DPO = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": 2}}}
RFT = {"type": "reinforcement", "reinforcement": {"grader": GRADER}}


def everything(ask, rows):
    """Ask once for all that there is, and for much that is refused."""
    file = ask.upload(rows.chat())
    for path in (
        f"/files/{file}",
        f"/files/{file}/content",
        "/files",
        "/files?purpose=batch",
        "/files?limit=1&order=asc",
        "/files?order=up",
    ):
        ask("GET", path)
    job = ask.job(suffix="recipes", seed=7, metadata={"a": "b"}, validation_file=file).json()["id"]
    ask("POST", f"/fine_tuning/jobs/{job}/resume")
    ask("POST", f"/fine_tuning/jobs/{job}/pause")
    ask.until(job, "paused")
    ask("GET", "/fine_tuning/jobs")
    ask("POST", f"/fine_tuning/jobs/{job}/resume")
    done = ask.until(job, "succeeded")
    for path in ("events", "events?limit=2", "events?limit=0", "events?after=nothing", "checkpoints", "checkpoints?limit=1"):
        ask("GET", f"/fine_tuning/jobs/{job}/{path}")
    ask("GET", "/fine_tuning/jobs", params={"metadata[a]": "b"})
    ask("GET", "/fine_tuning/jobs", params={"metadata": "null", "limit": "1"})
    ask("GET", f"/files/{done['result_files'][0]}")
    ask("GET", f"/files/{done['result_files'][0]}/content")
    ended = ask.job().json()["id"]
    ask("POST", f"/fine_tuning/jobs/{ended}/cancel")
    ask("GET", f"/fine_tuning/jobs/{ended}")
    ask("POST", f"/fine_tuning/jobs/{ended}/cancel")
    dpo = ask.job(rows.preference(), method=DPO).json()["id"]
    ask.until(dpo, "succeeded")
    rft = ask.job(rows.graded(), model="o4-mini-2025-04-16", method=RFT).json()["id"]
    ask.until(rft, "succeeded")
    short = ask.job(rows.chat(7)).json()["id"]
    ask.until(short, "failed")
    ask("GET", f"/fine_tuning/jobs/{short}/events")
    talk(ask, done["fine_tuned_model"])
    uploads(ask, rows)
    ask("DELETE", f"/files/{file}")
    ask("DELETE", f"/files/{file}")


def talk(ask, tuned):
    said = {"model": tuned, "messages": [{"role": "user", "content": "3?"}]}
    tools = [{"type": "function", "function": {"name": "convert", "parameters": {"type": "object"}}}]
    for more in (
        {},
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"model": "ft:nothing"},
        {"messages": []},
    ):
        ask("POST", "/chat/completions", json=said | more)
    for more in ({}, {"stream": True}):
        ask("POST", "/chat/completions", json={"model": MINI, "messages": said["messages"], "tools": tools, **more})
    ask("POST", "/chat/completions", content=b"[1]", headers={"Content-Type": "application/json"})
    for method, path in (
        ("GET", ""),
        ("GET", f"/{tuned}"),
        ("GET", "/nothing"),
        ("DELETE", f"/{MINI}"),
        ("DELETE", f"/{tuned}"),
        ("DELETE", f"/{tuned}"),
    ):
        ask(method, f"/models{path}")


def uploads(ask, rows):
    content = rows.lines(rows.chat())
    order = {"filename": "big.jsonl", "purpose": "fine-tune", "bytes": len(content), "mime_type": "text/jsonl"}
    first = ask("POST", "/uploads", json=order).json()["id"]
    parts = [ask("POST", f"/uploads/{first}/parts", files={"data": piece}).json()["id"] for piece in (content[:100], content[100:])]
    ask("POST", f"/uploads/{first}/complete", json={"part_ids": parts[:1]})
    ask("POST", f"/uploads/{first}/complete", json={"part_ids": parts, "md5": "0" * 32})
    ask("POST", f"/uploads/{first}/complete", json={"part_ids": ["part_other"]})
    ask("POST", f"/uploads/{first}/complete", json={"part_ids": parts, "md5": hashlib.md5(content).hexdigest()})
    ask("POST", f"/uploads/{first}/cancel")
    other = ask("POST", "/uploads", json=order).json()["id"]
    ask("POST", f"/uploads/{other}/cancel")
    ask("POST", f"/uploads/{other}/parts", files={"data": b"late"})
    ask("POST", "/uploads/upload_nothing/cancel")
    ask("POST", "/uploads", json=order | {"filename": "big.csv"})


def test_by_the_description_every_reply_of_every_route_is_valid_but_for_the_words_of_a_pause(audited, contract, rows):
    ask = audited()
    everything(ask, rows)
    assert ask.routes == set(contract.replies) | {"GET /files/{id}/content"}
    assert {fault[2] for fault in ask.odd} == {"paused"}
    assert {fault[1].rpartition("/")[2] for fault in ask.odd} == {"status"}


def test_as_observed_exactly_the_known_differences_break_the_description(audited, rows):
    ask = audited(profile="as_observed")
    everything(ask, rows)
    broken = {(place.rpartition("/")[2], repr(value) if not isinstance(value, dict) else "{…}") for _, place, value in ask.odd}
    assert broken == {
        ("status", "'pausing'"),
        ("status", "'paused'"),
        ("error", "{…}"),
        ("hyperparameters", "None"),
        ("expires_at", "None"),
        ("status_details", "None"),
        ("data", "None"),
    }
    assert ask.job(suffix="recipes").json()["user_provided_suffix"] == "recipes"


def test_by_the_description_a_job_does_not_repeat_its_suffix(audited):
    assert "user_provided_suffix" not in audited().job(suffix="recipes").json()


@pytest.mark.parametrize(
    "faults", [{"file_error": "Line 3 is broken"}, {"stuck_files": True}, {"clock_skew_s": 500.5}, {"empty_pages": True}]
)
def test_replies_stay_valid_under_lasting_conditions(audited, rows, faults):
    ask = audited(faults=WireFaults(**faults))
    file = ask.upload(rows.chat())
    for path in ("/files", f"/files/{file}", "/fine_tuning/jobs"):
        ask("GET", path)
    ask.job()
    assert ask.odd == []


def test_paths_that_are_not_there_and_keys_that_are_wrong_are_answered_with_errors(audited):
    ask = audited()
    for method, path in (
        ("GET", "/fine_tuning"),
        ("PUT", "/files"),
        ("GET", "/files/file-no"),
        ("POST", "/fine_tuning/jobs/ftjob-no/cancel"),
    ):
        assert ask(method, path).status_code == 404
    ask.http.headers["Authorization"] = "Bearer sk-wrong-1234567890"
    refused = ask("GET", "/files")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert "sk-wrong-1234567890" in refused.text, "as the real one does: clients must redact it"
    del ask.http.headers["Authorization"]
    assert ask("GET", "/files").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 51}}}},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "many"}}}},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"batch_size": 257}}}},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"learning_rate_multiplier": 0}}}},
        {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.5}}}},
        {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0}}}},
        {"method": {"type": "reinforcement", "reinforcement": {}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": {**GRADER, "operation": "is"}}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": {**GRADER, "name": None}}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": LABELS}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": {"type": "text_similarity", "name": "near", "input": "a"}}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": GRADER, "hyperparameters": {"reasoning_effort": "much"}}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": GRADER, "hyperparameters": {"compute_multiplier": 11}}}},
        {"method": {"type": "kto"}},
        {"method": {}},
        {"hyperparameters": {"n_epochs": 0}},
        {"suffix": "x" * 65},
        {"suffix": ""},
        {"suffix": 5},
        {"seed": -1},
        {"seed": 2147483648},
        {"metadata": {"a": 1}},
        {"metadata": ["a"]},
        {"integrations": [{"type": "wandb"}]},
        {"integrations": [{"type": "mlflow", "wandb": {"project": "p"}}]},
        {"model": None},
        {"training_file": None},
        {"validation_file": 3},
    ],
    ids=str,
)
def test_what_the_contract_refuses_of_an_order_is_refused_here(audited, contract, change):
    assert contract.faults("CreateFineTuningJobRequest", {"model": MINI, "training_file": "file-1", **change})
    ask = audited()
    reply = ask.job(**change)
    assert reply.status_code == 400
    assert ask.provider.jobs == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"suffix": None, "seed": None, "validation_file": None, "metadata": None, "integrations": None},
        {"hyperparameters": {"n_epochs": "auto", "batch_size": 256, "learning_rate_multiplier": 0.1}},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50}}}},
        {"method": {"type": "supervised"}},
        {"suffix": "x" * 64, "seed": 2147483647, "metadata": {}},
        {"integrations": [{"type": "wandb", "wandb": {"project": "p", "name": None, "tags": ["a"]}}]},
    ],
    ids=str,
)
def test_what_the_contract_takes_of_an_order_is_taken_here(audited, contract, change):
    assert contract.faults("CreateFineTuningJobRequest", {"model": MINI, "training_file": "file-1", **change}) == []
    ask = audited()
    assert ask.job(**change).status_code == 200
    assert ask.odd == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 3}, "invalid batch_size, extra fields not permitted"),
        ({"model": "gpt-6-luna"}, "Model gpt-6-luna is not available for fine-tuning or does not exist."),
        ({"training_file": "file-abc"}, "invalid training_file: file-abc"),
        ({"validation_file": "file-abc"}, "invalid validation_file: file-abc"),
        (
            {"metadata": {str(n): "" for n in range(17)}},
            "Invalid 'metadata': Dictionary should have at most 16 items after validation, not more",
        ),
        ({"method": {"type": "reinforcement"}}, "Missing required parameter: 'method.reinforcement.grader'."),
    ],
    ids=str,
)
def test_an_order_is_refused_in_the_words_of_the_provider(audited, change, message):
    reply = audited().job(**change)
    assert (reply.status_code, reply.json()["error"]["message"]) == (400, message)


def test_as_observed_null_is_no_text(audited):
    reply = audited(profile="as_observed").job(suffix=None)
    assert reply.json()["error"] == {
        "message": "None is not of type 'string' - 'suffix'",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_a_life_without_an_end_and_with_words_of_its_own_stays_valid_where_its_words_are(audited):
    ask = audited(life=Life(words=("queued", "running", "running")))
    job = ask.job().json()["id"]
    for _ in range(5):
        ask("GET", f"/fine_tuning/jobs/{job}")
    assert ask.odd == []


@pytest.mark.parametrize(
    "grader",
    [
        {
            "type": "text_similarity",
            "name": "near",
            "input": "{{sample.output_text}}",
            "reference": "{{item.answer}}",
            "evaluation_metric": "bleu",
        },
        {"type": "python", "name": "own", "source": "def grade(sample, item):\n    return 1.0\n"},
        {
            "type": "score_model",
            "name": "judge",
            "model": "gpt-4.1-2025-04-14",
            "input": [{"role": "user", "content": "Good?"}],
            "range": [0, 1],
        },
        JOINED,
    ],
    ids=lambda grader: grader["type"],
)
def test_every_kind_of_grader_is_taken_and_shown(audited, rows, grader):
    ask = audited()
    job = ask.job(rows.graded(), model="o4-mini-2025-04-16", method={"type": "reinforcement", "reinforcement": {"grader": grader}}).json()
    assert job["method"]["reinforcement"]["grader"] == grader
    assert ask.until(job["id"], "succeeded")["trained_tokens"] > 0
    assert ask.odd == []


def test_joined_graders_may_come_by_their_names_as_the_guides_show_them(audited, rows):
    grader = {**JOINED, "graders": {"same": GRADER}}
    assert audited().job(rows.graded(), method={"type": "reinforcement", "reinforcement": {"grader": grader}}).status_code == 200
