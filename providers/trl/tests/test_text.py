"""Plain text: learned wholly, also by models that have no chat template."""

from __future__ import annotations

import json

import pytest

from anytune.backend import DeployOrder
from anytune.errors import ConfigError
from anytune.spec import TrainingSpec
from anytune.values import ModelRef
from anytune_huggingface.serving import options as serve
from anytune_huggingface.serving.parity import prompts
from anytune_trl import TRLBackend

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"
)
TEXTS = [{"text": f"the colour of {name} is {colour}"} for name, colour in (("apple", "red"), ("pear", "green"), ("plum", "purple"))] * 4


@pytest.fixture
def base(copied):
    """The tiny model as a base model: no chat template."""
    (copied / "chat_template.jinja").unlink()
    return copied


def test_text_is_trained_and_proven_by_a_chat_model(run, rows):
    run.order(rows(TEXTS)).train()
    assert run.said("failed.json") is None
    parity = json.loads((run.folder / "parity.json").read_text())
    assert parity["rows"][0]["messages"][0]["content"].startswith("the colour of")


def test_text_is_trained_by_a_model_without_a_template(run, rows, base):
    run.order(rows(TEXTS), model=base).train()
    assert run.said("failed.json") is None
    assert run.said("result.json")["metrics"]["learned_share"] > 0.8


def test_a_model_without_a_template_is_not_served(run, rows, base):
    run.order(rows(TEXTS), model=base).train()
    model = run.said("result.json")["model"]
    order = DeployOrder(ref="D", model=ModelRef(id=model["id"], artifacts=model["artifacts"]), name="base", ttl_s=60)
    with pytest.raises(ConfigError, match="no chat template"):
        serve.settings(order)


def test_conversations_for_a_model_without_a_template_are_one_error(rows, base):
    from anytune.data import describe

    data = rows()
    spec = TrainingSpec(backend="trl", model=str(base), train=data)
    (found,) = TRLBackend().check(spec, [describe(data, "train")])
    assert (found.severity, found.code, found.rows) == ("error", "no-template", ())
    assert "chat_template.jinja" in found.fix


def test_there_is_nothing_to_ask_a_model_without_a_template(rows, base):
    from anytune.data import lines
    from anytune_huggingface.text.tokenizer import load

    _, renderer = load(base)
    assert prompts(lines(rows(TEXTS)), "sft", renderer) == []
