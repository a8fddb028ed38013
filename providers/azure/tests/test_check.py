"""What is found before anything is paid."""

from __future__ import annotations

import pytest

from anytune.spec import TrainingSpec


@pytest.fixture
def found(backend_for, train):
    def look(model="gpt-4.1-mini-2025-04-14", **settings):
        backend = backend_for(**settings)
        spec = TrainingSpec(backend="azure", model=model, train=train.path, name="recipes")
        return {one.code: one for one in backend.check(spec, [train])}

    return look


def test_a_resource_that_is_set_up_has_nothing_against_it(found, sim):
    assert found() == {}
    assert [one for one in sim.requests if not one.route.startswith("GET ")] == []


def test_settings_that_hosting_lacks_are_named_before_training(found):
    warning = found(subscription_id=None, resource_group=None)["deploy-settings"]
    assert warning.severity == "warning"
    assert "AZURE_SUBSCRIPTION_ID" in warning.message
    assert "AZURE_RESOURCE_GROUP" in warning.message
    assert "AZURE_OPENAI_ACCOUNT" not in warning.message


def test_a_model_that_the_resource_does_not_have_is_found(found):
    assert "not-tunable" in found(model="gpt-9")


def test_a_resource_that_is_full_of_files_is_found(found, backend_for, sim, described, rows, tmp_path):
    backend = backend_for()
    for number in range(50):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("{}\n" * (number + 1))
        backend.upload(described(path))
    assert "50 training files" in found()["files-full"].message
