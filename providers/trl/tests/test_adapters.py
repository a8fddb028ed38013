"""A checkpoint of a LoRA run as a model of its own: merged once, served or trained further, and refused where it cannot be trusted."""

from __future__ import annotations

import json

import pytest
from transformers import AutoModelForCausalLM

from anytune.backend import DeployOrder
from anytune.errors import ConfigError
from anytune.values import ModelRef
from anytune_huggingface.models import adapters, folders
from anytune_huggingface.serving import options as serve

pytestmark = pytest.mark.filterwarnings("ignore")  # what the training libraries warn of is not ours


@pytest.fixture
def checkpoint(run, rows):
    """Train until there is a checkpoint on the way."""
    run.order(rows(), method={"max_steps": 4, "save_steps": 2, "per_device_train_batch_size": 4}).train()
    assert run.said("failed.json") is None
    return run.folder / "checkpoints" / "checkpoint-2"


def test_a_checkpoint_becomes_a_model_that_loads(checkpoint):
    whole = folders.resolve(str(checkpoint))
    assert whole == checkpoint.parent.parent / "merged-checkpoints" / "checkpoint-2"
    AutoModelForCausalLM.from_pretrained(whole)
    assert folders.resolve(str(checkpoint)) == whole


def test_making_it_leaves_the_checkpoint_fit_to_be_resumed(checkpoint):
    from anytune_huggingface import checkpoints

    folders.resolve(str(checkpoint))
    assert checkpoints.problem(checkpoint) is None


def test_checks_need_no_merged_weights(checkpoint, tiny_model):
    assert folders.resolve(str(checkpoint), weights=False) == tiny_model
    assert not adapters.target(checkpoint).exists()


def test_training_goes_on_from_a_checkpoint(checkpoint, run, rows, tmp_path):
    run.folder, run.task = tmp_path / "further", tmp_path / "further-task"
    run.order(rows(), model=checkpoint, method={"max_steps": 2}).train()
    assert run.said("failed.json") is None
    assert run.said("result.json")["model"]["base_model"] == str(checkpoint)


def test_a_checkpoint_is_deployed_without_loading_torch_in_the_caller(checkpoint):
    chosen = serve.settings(DeployOrder(ref="D1", model=ModelRef(id=str(checkpoint)), name="half", ttl_s=60))
    assert str(checkpoint) in chosen.engine
    assert chosen.engine_model == "half"


def test_a_checkpoint_that_was_changed_is_refused(checkpoint):
    (checkpoint / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "evil"}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot be trusted: adapter_config\.json was changed"):
        folders.resolve(str(checkpoint))


def test_a_pickled_adapter_is_refused(tmp_path, tiny_model):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tiny_model)}), encoding="utf-8")
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ConfigError, match="pickled ones are refused"):
        folders.resolve(str(tmp_path))


def test_an_adapter_with_code_of_its_own_is_refused(tmp_path, tiny_model):
    config = {"base_model_name_or_path": str(tiny_model), "auto_mapping": {"base_model_class": "Evil", "parent_library": "os"}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="custom code"):
        folders.resolve(str(tmp_path))
