from __future__ import annotations

import json

import pytest

from anytune.spec import TrainingSpec
from anytune_huggingface.models import folders
from anytune_huggingface.models.shape import Shape
from anytune_trl import defaults
from anytune_trl.quote import Load, activation_bytes, memory_bytes, quote, work

LOAD = Load(tokens=100_000, learned_share=0.4, mean=80.0, longest=120)
STARTER = Shape(layers=30, hidden=576, heads=9, kv_heads=3, head=64, inner=1536, vocabulary=49152)
PARAMETERS = 134_515_008


def settings(device="cpu", **spec):
    made = defaults.resolve(TrainingSpec(backend="trl", model="m", train="t.jsonl", **spec), device)
    return made.model_copy(update={"bf16_products": device == "cpu" and made.adapter == "lora"})


def test_sizes_are_read_from_the_config(tiny_model):
    shape = Shape.read(tiny_model)
    assert (shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head, shape.inner) == (2, 32, 4, 2, 8, 64)
    norms = 5 * 32
    assert shape.parameters + norms == folders.parameters(tiny_model)


def test_the_starters_weights_are_those_of_its_sizes():
    assert STARTER.parameters == pytest.approx(PARAMETERS, rel=0.001)


def test_a_mixture_of_experts_counts_all_weights_and_works_with_some(tmp_path):
    config = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 100,
        "moe_intermediate_size": 32,
        "num_experts": 8,
        "num_experts_per_tok": 2,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = Shape.read(tmp_path)
    assert shape.layer_weights - shape.active_weights == 2 * 6 * 3 * 64 * 32


def test_lora_adds_what_peft_adds(tiny_model):
    shape = Shape.read(tiny_model)
    q, kv = (32 + 32) * 8, (32 + 16) * 8
    assert shape.adapter_weights(8, ("q_proj", "v_proj")) == 2 * (q + kv)
    assert shape.adapter_weights(8, "all-linear") > shape.adapter_weights(8, ("q_proj", "v_proj"))


def test_the_estimate_of_memory_is_near_what_was_measured():
    # SmolLM2-135M, 96 SNIPS rows of at most 121 tokens in batches of 8: 3.35 to 3.59 GB with LoRA, 4.17 GB with all weights (2026-11-22).
    assert memory_bytes(LOAD, STARTER, PARAMETERS, settings()) == pytest.approx(3.5e9, rel=0.25)
    assert memory_bytes(LOAD, STARTER, PARAMETERS, settings(adapter="full")) == pytest.approx(4.17e9, rel=0.25)


def test_memory_grows_with_the_batch_the_longest_row_and_the_vocabulary():
    base = activation_bytes(LOAD, STARTER, settings())
    assert activation_bytes(LOAD, STARTER, settings(method={"type": "sft", "per_device_train_batch_size": 16})) == pytest.approx(2 * base)
    assert activation_bytes(LOAD._replace(longest=240), STARTER, settings()) > 2 * base
    large = STARTER.model_copy(update={"vocabulary": 4 * STARTER.vocabulary})
    assert activation_bytes(LOAD, large, settings()) > base


def test_a_gpu_keeps_a_layers_border_instead_of_all_activations():
    shape = STARTER.model_copy(update={"vocabulary": 1})  # logits are kept either way
    assert activation_bytes(LOAD, shape, settings("cuda")) < activation_bytes(LOAD, shape, settings()) / 10


def test_qlora_needs_less_memory_than_lora_and_lora_less_than_all_weights():
    llama = Shape(layers=32, hidden=4096, heads=32, kv_heads=8, head=128, inner=14336, vocabulary=128_256, tied=False)
    sizes = [memory_bytes(LOAD, llama, llama.parameters, settings("cuda", adapter=adapter)) for adapter in ("qlora", "lora", "full")]
    assert sizes == sorted(sizes)
    assert sizes[1] == pytest.approx(20e9, rel=0.25)


def test_work_follows_method_and_adapter():
    sft, full, dpo = (work(LOAD, STARTER, settings(**given)) for given in ({}, {"adapter": "full"}, {"method": "dpo"}))
    assert sft < full
    assert sft < dpo


def test_a_quote_says_how_it_was_made():
    found = quote(LOAD, STARTER, PARAMETERS, settings())
    assert found.tokens == 100_000
    assert found.cost_usd == 0
    for words in ("minutes estimated from", "memory estimated from", "30 layers of width 576", "8 rows of 120 tokens"):
        assert words in found.basis
