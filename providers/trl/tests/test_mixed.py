"""LoRA's products in bf16 with sums in float32: the same numbers to bf16's precision, and only where that is all a layer does."""

from __future__ import annotations

import contextlib

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from anytune_trl.mixed import short_rows, use_bf16_products

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)  # PEFT 0.21 asks transformers 5.23

IDS = torch.arange(3, 67).reshape(2, 32)


def lora(folder, **settings):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(
        model, LoraConfig(**({"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | settings))
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    return model


def learned(model):
    """Give the loss and all gradients of one step."""
    loss = model(IDS, labels=IDS).loss
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for _, weight in model.named_parameters() if weight.requires_grad])


def test_loss_and_gradients_are_those_of_float32(tiny_model):
    loss, gradients = learned(lora(tiny_model))
    mixed = lora(tiny_model)
    assert use_bf16_products(mixed) == 14
    ours, ours_gradients = learned(mixed)
    assert ours == pytest.approx(loss, rel=2e-3)
    assert torch.nn.functional.cosine_similarity(ours_gradients, gradients, dim=0) > 0.999
    assert ours_gradients.dtype == torch.float32


def test_a_small_change_of_an_adapter_is_not_rounded_away(tiny_model):
    model = lora(tiny_model)
    use_bf16_products(model)
    with torch.no_grad():
        before = model(IDS).logits
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.mul_(1.02)
        assert not torch.equal(model(IDS).logits, before)


def test_with_the_adapter_off_the_base_model_answers(tiny_model):
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    model = lora(tiny_model)
    use_bf16_products(model)
    with torch.no_grad(), model.disable_adapter():
        torch.testing.assert_close(model(IDS).logits, base(IDS).logits, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("settings", [{"lora_dropout": 0.1}, {"use_dora": True}])
def test_layers_that_do_more_stay_as_they_are(tiny_model, settings):
    assert use_bf16_products(lora(tiny_model, **settings)) == 0


def test_the_kernels_of_a_run_are_given_back_after_it():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with contextlib.suppress(RuntimeError), short_rows(100):
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
        raise RuntimeError
    assert torch.backends.mkldnn.matmul.fp32_precision == before
