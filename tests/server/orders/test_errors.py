"""How a body that does not fit is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from anytune.server.errors import invalid
from anytune.server.shapes.orders import JobOrder

PLAIN = {"model": "small", "training_file": "file-a"}


def refusal(body):
    with pytest.raises(ValidationError) as caught:
        JobOrder.model_validate(body)
    found = [error | {"loc": ("body", *error["loc"])} for error in caught.value.errors()]
    error = invalid(found)
    return error.param, error.code, error.message


@pytest.mark.parametrize(
    ("more", "param", "code", "message"),
    [
        ({"colour": 1}, "colour", "unknown_parameter", "Unrecognized request argument supplied: colour."),
        ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs", "invalid_value", "'auto' or less than or equal to 50"),
        ({"hyperparameters": {"n_epochs": "x"}}, "hyperparameters.n_epochs", "invalid_value", "'auto' or a valid integer"),
        (
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}}},
            "method.dpo.hyperparameters.beta",
            "invalid_value",
            "'auto' or less than or equal to 2",
        ),
        ({"method": None}, "method", "invalid_value", "None is not of type 'object'"),
        (
            {"method": {"type": "reinforcement", "reinforcement": {"grader": {"type": "string_check"}}}},
            "method.reinforcement.grader.name",
            "missing_required_parameter",
            "Missing required parameter: 'method.reinforcement.grader.name'.",
        ),
    ],
)
def test_the_field_is_named_without_the_words_of_the_schema(more, param, code, message):
    found = refusal(PLAIN | more)
    assert found[:2] == (param, code)
    assert message in found[2]


def test_a_missing_field_is_told_in_openais_words():
    assert refusal({"model": "small"}) == ("training_file", "missing_required_parameter", "Missing required parameter: 'training_file'.")


def test_a_field_with_an_endless_name_is_cut_in_the_answer():
    param, _, message = refusal(PLAIN | {"k" * 100_000: 1})
    assert len(param) == 128
    assert len(message) < 256
