"""What a job was made of, read back from the host's record."""

from __future__ import annotations

import json

import pytest

from anytune.errors import MalformedReply, NotFound
from anytune_openai import reading
from anytune_openai.dialect import OPENAI

JOB = {
    "id": "ftjob-1",
    "status": "succeeded",
    "model": "gpt-4.1-mini-2025-04-14",
    "training_file": "file-1",
    "validation_file": None,
    "seed": 3,
}


def test_a_number_stands_in_the_place_of_auto_wherever_the_record_has_it():
    method = {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": "auto", "batch_size": 4, "learning_rate_multiplier": "auto"}},
    }
    told = reading.recipe(JOB | {"method": method, "hyperparameters": {"n_epochs": 3, "batch_size": 4}}, OPENAI)
    assert told.method == {"type": "sft", "num_train_epochs": 3, "batch_size": 4, "seed": 3}
    assert told.files == {"train": "file-1"}


def test_azures_minus_one_is_auto_and_words_of_its_own_are_kept_aside():
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": -1, "beta": 0.2, "l2_multiplier": 0.1}}}
    told = reading.recipe(JOB | {"method": method, "suffix": "rice", "trainingType": "Standard"}, OPENAI)
    assert told.method == {"type": "dpo", "beta": 0.2, "seed": 3}
    assert (told.name, told.others) == ("rice", {"l2_multiplier": 0.1, "trainingType": "Standard"})


def test_a_grader_comes_as_it_is():
    grader = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.a}}"}
    told = reading.recipe(JOB | {"method": {"type": "reinforcement", "reinforcement": {"grader": grader}}}, OPENAI)
    assert told.method["grader"] == grader


def test_a_record_of_nulls_gives_what_it_has():
    told = reading.recipe({"id": "ftjob-1", "status": "running", "model": None, "method": None, "hyperparameters": None}, OPENAI)
    assert (told.method, told.files, told.tuned) == ({"type": "sft"}, {}, None)


def test_other_bytes_than_the_name_says_are_refused(sim, backend, train, tmp_path):
    held = backend.upload(train)
    (file,) = [one for one in sim.files if one.id == held.id]
    file.content = json.dumps({"messages": []}).encode().ljust(len(file.content))
    with pytest.raises(MalformedReply, match="not those the host holds"):
        backend.download(held.id, tmp_path / "came.jsonl")


def test_a_deleted_file_is_not_found(sim, backend, train, tmp_path):
    from anytune.retry import translated

    held = backend.upload(train)
    sim.world.files[held.id].deleted = True
    with pytest.raises(Exception) as raised:
        backend.download(held.id, tmp_path / "came.jsonl")
    assert isinstance(translated(raised.value, backend), NotFound)
