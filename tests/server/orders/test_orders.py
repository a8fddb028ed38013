"""What may be ordered, and what an order means to whoever trains."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from anytune.errors import ConfigError
from anytune.methods import DPO, RFT, SFT
from anytune.server.book.rows import JobRow
from anytune.server.errors import ApiError
from anytune.server.shapes.names import checkpoint_name, model_name
from anytune.server.shapes.orders import JobOrder
from anytune.server.training.orders import body_of, first_news, refuse_unserved, spec_of

CONTRACT = Path(__file__).parents[4] / "shared" / "contracts" / "openai_finetune_subset.json"
PLAIN = {"model": "small", "training_file": "file-a"}
SAME = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.a}}"}
PYTHON = {"type": "python", "name": "code", "source": "def grade(sample, item):\n    return 1.0"}
FILES = {"train": Path("/files/train.jsonl")}


def supervised(**hyperparameters):
    return PLAIN | {"method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}}


def reinforcement(grader):
    return PLAIN | {"method": {"type": "reinforcement", "reinforcement": {"grader": grader}}}


def joined(**graders):
    return {"type": "multi", "name": "all", "graders": graders, "calculate_output": " + ".join(graders)}


def row(body=PLAIN, *, job_id="ftjob-abcdefghijklmnopQRSTUVWX", **target):
    body = dict(body)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    told = {"backend": "trl", "model": "starter"} | target
    more = {"request_hash": "", "stage": "received", "status": "validating_files", "created_at": now, "updated_at": now}
    return JobRow(sequence=1, id=job_id, owner="ann", request=body, model=body["model"], target=told, **more)


ACCEPTED = [
    PLAIN,
    PLAIN | {"validation_file": None, "suffix": None, "seed": None, "integrations": None, "metadata": None},
    PLAIN | {"validation_file": "file-b", "suffix": "s" * 64, "seed": 2**31 - 1, "metadata": {"a": "b"}},
    PLAIN | {"hyperparameters": {"n_epochs": 50, "batch_size": 256, "learning_rate_multiplier": 0.1}},
    PLAIN | {"hyperparameters": {"n_epochs": "auto"}},
    PLAIN | {"method": {"type": "supervised"}},
    supervised(n_epochs=1, learning_rate_multiplier=2),
    PLAIN | {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2, "n_epochs": 3}}}},
    reinforcement(SAME),
    reinforcement(PYTHON),
    PLAIN | {"integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}]},
]
REFUSED = [
    {"model": "small"},
    PLAIN | {"model": None},
    PLAIN | {"training_file": 1},
    PLAIN | {"suffix": ""},
    PLAIN | {"suffix": "s" * 65},
    PLAIN | {"seed": -1},
    PLAIN | {"seed": 2**31},
    PLAIN | {"seed": "1"},
    PLAIN | {"seed": True},
    PLAIN | {"method": None},
    PLAIN | {"hyperparameters": None},
    PLAIN | {"method": {"type": "ppo"}},
    PLAIN | {"method": {"supervised": {}}},
    PLAIN | {"metadata": {"a": 1}},
    PLAIN | {"integrations": [{"type": "mlflow"}]},
    PLAIN | {"integrations": [{"type": "wandb", "wandb": {}}]},
    supervised(n_epochs=0),
    supervised(n_epochs=51),
    supervised(n_epochs=1.5),
    supervised(n_epochs="many"),
    supervised(batch_size=257),
    supervised(learning_rate_multiplier=0),
    PLAIN | {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.1}}}},
    reinforcement({"type": "string_check"}),
    PLAIN | {"method": {"type": "reinforcement", "reinforcement": {}}},
]
STRICTER = [
    PLAIN | {"trainingType": "Standard"},
    PLAIN | {"metadata": {str(n): "" for n in range(17)}},
    PLAIN | {"metadata": {"k" * 65: ""}},
    PLAIN | {"metadata": {"k": "v" * 513}},
    supervised(beta=0.1),
    supervised(learning_rate_multiplier=float("inf")),
    PLAIN | {"model": ""},
]
"""What OpenAI's text refuses and its schema does not."""


@pytest.fixture(scope="module")
def described():
    if not CONTRACT.exists():
        pytest.skip("the contract is not in this checkout")
    components = json.loads(CONTRACT.read_text(encoding="utf-8"))["components"]
    schema = components["schemas"]["CreateFineTuningJobRequest"] | {"components": components}
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("body", ACCEPTED, ids=json.dumps)
def test_what_the_contract_accepts_is_accepted(body, described):
    assert body_of(JobOrder.model_validate(body)) == body
    assert described.is_valid(body)


@pytest.mark.parametrize("body", REFUSED, ids=json.dumps)
def test_what_the_contract_refuses_is_refused(body, described):
    with pytest.raises(ValidationError):
        JobOrder.model_validate(body)
    assert not described.is_valid(body)


@pytest.mark.parametrize("body", STRICTER, ids=json.dumps)
def test_what_only_the_text_of_the_contract_refuses_is_refused_too(body):
    with pytest.raises(ValidationError):
        JobOrder.model_validate(body)


@pytest.mark.parametrize("grader", [PYTHON, joined(one=SAME, two=PYTHON), {**joined(one=SAME), "graders": PYTHON}], ids=json.dumps)
def test_a_python_grader_is_refused_wherever_it_stands(grader):
    with pytest.raises(ApiError) as caught:
        refuse_unserved(JobOrder.model_validate(reinforcement(grader)))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "python_grader_refused", "method.reinforcement.grader")


def test_a_grader_that_cannot_work_is_refused_before_anything_is_paid_for():
    with pytest.raises(ApiError, match="neither") as caught:
        refuse_unserved(JobOrder.model_validate(reinforcement(SAME | {"input": "{{sampel.output_text}}"})))
    assert caught.value.code == "invalid_grader"
    refuse_unserved(JobOrder.model_validate(reinforcement(SAME)))


def test_reinforcement_without_its_section_names_the_missing_grader():
    with pytest.raises(ApiError, match=r"method\.reinforcement\.grader"):
        refuse_unserved(JobOrder.model_validate(PLAIN | {"method": {"type": "reinforcement"}}))


def test_integrations_are_refused_with_the_reason_and_an_empty_list_is_none():
    refuse_unserved(JobOrder.model_validate(PLAIN | {"integrations": []}))
    with pytest.raises(ApiError, match="no job here reports") as caught:
        refuse_unserved(JobOrder.model_validate(PLAIN | {"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}))
    assert caught.value.param == "integrations"


@pytest.mark.parametrize("body", [PLAIN | {"suffix": "a\0b"}, PLAIN | {"metadata": {"a\0": "b"}}])
def test_a_text_that_no_database_takes_is_refused(body):
    with pytest.raises(ApiError, match=r"U\+0000"):
        body_of(JobOrder.model_validate(body))


def test_an_order_becomes_a_spec_by_hugging_faces_names():
    body = supervised(n_epochs=3, batch_size=8, learning_rate_multiplier=0.5) | {"seed": 7}
    spec = spec_of(row(body), FILES | {"validation": Path("/files/valid.jsonl")}, "trl")
    assert (spec.backend, spec.model, spec.train, spec.validation) == ("trl", "starter", FILES["train"], Path("/files/valid.jsonl"))
    assert spec.job_name == "abcdefghijklmnopQRSTUVWX"
    assert spec.settings() == {"num_train_epochs": 3.0, "batch_size": 8, "learning_rate_multiplier": 0.5, "seed": 7}
    assert isinstance(spec.method, SFT)


def test_the_deprecated_place_of_hyperparameters_counts_where_the_method_has_none_of_its_own():
    body = PLAIN | {"hyperparameters": {"n_epochs": 2}}
    assert spec_of(row(body), FILES, "trl").settings() == {"num_train_epochs": 2.0}
    both = body | {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 5}}}}
    assert spec_of(row(both), FILES, "trl").settings() == {"num_train_epochs": 5.0}
    assert [news.origin for news in first_news(row(both))] == ["created", "mapped", "idle-hyperparameters"]


def test_preference_orders_become_dpo_with_beta():
    spec = spec_of(row(PLAIN | {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.3}}}}), FILES, "trl")
    assert isinstance(spec.method, DPO)
    assert spec.settings() == {"beta": 0.3}


def test_reinforcement_orders_keep_their_grader():
    spec = spec_of(row(reinforcement(SAME)), FILES, "openai")
    assert isinstance(spec.method, RFT)
    assert spec.settings() == {"grader": SAME}


def test_the_owners_settings_hold_where_the_request_says_nothing_or_auto():
    entry = {"hyperparameters": {"n_epochs": 4, "max_length": 512, "beta": 0.2, "seed": 3}, "adapter": {"type": "lora", "r": 8}}
    spec = spec_of(row(supervised(n_epochs="auto"), **entry, budget={"max_hours": 1.0}), FILES, "trl")
    assert spec.settings() == {"num_train_epochs": 4.0, "max_length": 512, "seed": 3, "adapter.type": "lora", "adapter.r": 8}
    assert spec.budget.max_hours == 1.0
    said = spec_of(row(supervised(n_epochs=1) | {"seed": 9}, **entry), FILES, "trl")
    assert (said.method.num_train_epochs, said.method.seed) == (1.0, 9)


def test_a_multiplier_multiplies_the_rate_that_the_owner_set_and_is_told():
    order = row(supervised(learning_rate_multiplier=0.5), hyperparameters={"learning_rate": 2e-4})
    assert spec_of(order, FILES, "trl").settings() == {"learning_rate": 1e-4}
    assert any("learning_rate_multiplier multiplies" in news.message for news in first_news(order))


def test_a_rate_that_becomes_impossible_is_refused_by_name():
    order = row(supervised(learning_rate_multiplier=1e9), hyperparameters={"learning_rate": 2e-4})
    with pytest.raises(ConfigError, match="learning_rate"):
        spec_of(order, FILES, "trl")


def test_the_first_events_say_that_the_job_was_made_and_what_its_model_means_here():
    told = [news.message for news in first_news(row(PLAIN | {"model": "gpt-4.1-mini-2025-04-14"}))]
    assert told == ["Created fine-tuning job: ftjob-abcdefghijklmnopQRSTUVWX", "gpt-4.1-mini-2025-04-14 is trained here as starter by trl."]
    assert [news.origin for news in first_news(row(PLAIN | {"model": "starter"}))] == ["created"]


def test_events_name_a_models_folder_and_never_where_it_lies():
    told = first_news(row(model="/srv/secret/models/tiny"))[1].message
    assert told == "small is trained here as tiny by trl."
    continued = first_news(row(PLAIN | {"model": "ft:small:anytune::abcdefgh"}, model="/srv/secret/runs/x/merged"))
    assert continued[1].message == "Training goes on from ft:small:anytune::abcdefgh."


def test_settings_of_another_method_are_told_to_be_idle():
    body = PLAIN | {"method": {"type": "supervised", "dpo": {"hyperparameters": {"beta": 0.1}}}}
    told = first_news(row(body))[-1]
    assert (told.level, told.message) == ("warn", "method.dpo is not used: the method is supervised.")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "ft:small:org::QRSTUVWX"),
        ({"suffix": "My Recipes: v2/../x"}, "ft:small:org:my-recipes-v2-x:QRSTUVWX"),
        ({"suffix": "…"}, "ft:small:org::QRSTUVWX"),
        ({"model": "owner/Small-1.5B"}, "ft:Small-1.5B:org::QRSTUVWX"),
        ({"model": "ft:small:org:first:AAAAAAAA"}, "ft:small:org::QRSTUVWX"),
    ],
)
def test_a_tuned_model_is_named_by_its_order(body, name):
    order = row(PLAIN | body)
    assert model_name(order, "org") == name
    assert checkpoint_name(order, "org", 12) == f"{name}:ckpt-step-12"
