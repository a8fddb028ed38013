"""TRL's trainers, told what this machine and this spec need. Loaded in the training child only."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from peft import LoraConfig, PeftModel
from torch.utils.data import Sampler
from transformers import AutoModelForCausalLM, PrinterCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from anytune.errors import ConfigError
from anytune_huggingface.text.render import IGNORED
from anytune_trl.mixed import short_rows, use_bf16_products

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import TrainerCallback

    from anytune_trl.dataset import Dataset
    from anytune_trl.defaults import Resolved

__all__ = ["LengthSampler", "NotFiniteError", "load_model", "trainer_for"]

_HEAD_SCALES = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
_BATCHES_SORTED_TOGETHER = 50


class NotFiniteError(Exception):
    """The loss is not a finite number: raised before the weights are touched."""


class LengthSampler(Sampler[int]):
    """Batches of rows of like length, in an order that seed and epoch alone decide, so that a resumed run sees the rows it would have seen.

    The longest batch comes first in the first epoch: a run that does not fit into memory fails at once, not after hours.
    """

    def __init__(self, lengths: list[int], batch: int, seed: int) -> None:
        """Keep what decides the order."""
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Take the epoch's number, from the trainer."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        """Give the rows of one epoch."""
        chance = random.Random(f"{self.seed}:{self.epoch}")  # noqa: S311 - an order, not a secret
        order = list(range(len(self.lengths)))
        chance.shuffle(order)
        together = self.batch * _BATCHES_SORTED_TOGETHER
        order = [
            i for start in range(0, len(order), together) for i in sorted(order[start : start + together], key=self.lengths.__getitem__)
        ]
        batches = [order[i : i + self.batch] for i in range(0, len(order), self.batch)]
        short = batches.pop() if len(batches[-1]) < self.batch else []
        chance.shuffle(batches)
        if self.epoch == 0 and batches:
            longest = max(range(len(batches)), key=lambda i: max(self.lengths[j] for j in batches[i]))
            batches[0], batches[longest] = batches[longest], batches[0]
        return iter([i for batch in [*batches, short] for i in batch])


class _Ours:
    """What both of TRL's trainers lack: rows by length, no model card a checkpoint, no step on a loss that is no number."""

    lengths: list[int]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:  # noqa: ARG002 - transformers' signature
        args: Any = self.args  # type: ignore[attr-defined]
        return LengthSampler(self.lengths, args.train_batch_size * args.gradient_accumulation_steps, args.seed)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        if self.args.device.type != "cpu":  # type: ignore[attr-defined]
            return super().train(*args, **kwargs)  # type: ignore[misc]
        with short_rows(max(self.lengths, default=0)):
            return super().train(*args, **kwargs)  # type: ignore[misc]

    def create_model_card(self, *_: Any, **__: Any) -> None:
        return

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        if not torch.isfinite(loss):
            raise NotFiniteError(str(loss.item()))
        return loss


class _SFT(_Ours, SFTTrainer):
    """SFT; where the language-model head is cheap to run on the learned tokens only (all but Triton devices), it is."""

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:  # noqa: FBT001, FBT002
        """Score the learned positions only.

        TRL 1.16 projects every position to the vocabulary outside of Triton devices; with a vocabulary of 49,152 and a third of the tokens
        learned that is a good part of a small model's step.
        """
        base = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        config = base.config.get_text_config()
        plain = all(getattr(config, name, None) in (None, 1, 1.0) for name in _HEAD_SCALES) and not self.aux_loss_enabled
        if inputs["input_ids"].device.type != "cpu" or return_outputs or not plain:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        mask = inputs.get("attention_mask")
        if mask is not None and mask[:, 0].all():
            mask = None  # padding on the right comes after all that is learned: causal attention never looks there
        hidden = base.base_model(inputs["input_ids"], attention_mask=mask, use_cache=False).last_hidden_state
        labels = inputs["labels"][:, 1:]
        learned = labels != IGNORED
        total = F.cross_entropy(base.get_output_embeddings()(hidden[:, :-1][learned]), labels[learned], reduction="sum")
        if self.model.training:
            self._total_train_tokens += int(inputs["attention_mask"].sum())
        self._metrics["train" if self.model.training else "eval"]["num_tokens"] = [self._total_train_tokens]
        count = learned.sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        return total / count.clamp(min=1)


class _DPO(_Ours, DPOTrainer):
    """DPO on rows that are tokenised already: TRL 1.16 would render them again."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def load_model(folder: Path, resolved: Resolved) -> Any:
    """Load a base model for training: safetensors only, no code of the model's own.

    Raises:
        ConfigError: Weights are missing.
    """
    # Packed rows are only kept apart by FlashAttention's variable-length kernels.
    attention = "flash_attention_2" if resolved.packing else "sdpa"
    options: dict[str, Any] = {
        "attn_implementation": attention,
        "trust_remote_code": False,
        "use_safetensors": True,
        "local_files_only": True,
    }
    if resolved.adapter == "qlora":
        from transformers import BitsAndBytesConfig  # noqa: PLC0415 - needs bitsandbytes, which only GPU machines have

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
        )
        options["device_map"] = {"": 0}
    # All weights in bf16 would round small updates away: full tuning keeps them in float32 and computes in bf16.
    dtype = torch.bfloat16 if resolved.dtype == "bfloat16" and resolved.adapter != "full" else torch.float32
    model, told = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, output_loading_info=True, **options)
    missing = sorted(told["missing_keys"])
    if missing:  # transformers fills them with random numbers, and warns in a log
        raise ConfigError(f"{folder} lacks {len(missing)} weights of the model, such as {missing[0]}.", fix="Fetch the model again.")
    model.config.use_cache = False
    return model


def trainer_for(
    model: Any,
    tokenizer: Any,
    resolved: Resolved,
    *,
    train: Dataset,
    validation: Dataset | None,
    output: Path,
    steps: int,
    callbacks: list[TrainerCallback],
) -> Any:
    """Make the trainer.

    Args:
        model: The base model, as `load_model` gave it.
        tokenizer: Its tokenizer.
        resolved: All settings.
        train: Rendered rows.
        validation: Rendered validation rows.
        output: Folder of the checkpoints.
        steps: Optimiser steps of the whole run.
        callbacks: Who listens.
    """
    import datasets  # noqa: PLC0415 - heavy, and only here

    rows = [datasets.Dataset.from_dict(part.columns) if part else None for part in (train, validation)]
    common = {**_arguments(resolved, output, steps), "eval_strategy": _eval_strategy(resolved, validation)}
    kind: Any
    if resolved.method == "sft":
        kind, args = (
            _SFT,
            SFTConfig(**common, max_length=None, packing=resolved.packing, dataset_kwargs={"skip_prepare_dataset": not resolved.packing}),
        )
    else:
        kind, args = _DPO, DPOConfig(**common, max_length=None, beta=resolved.beta)
    trainer = kind(
        model=model,
        args=args,
        train_dataset=rows[0],
        eval_dataset=rows[1],
        processing_class=tokenizer,
        peft_config=_peft_config(resolved),
        callbacks=callbacks,
    )
    trainer.lengths = train.lengths
    if resolved.bf16_products:
        use_bf16_products(trainer.model)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _eval_strategy(resolved: Resolved, validation: Dataset | None) -> str:
    if validation is None:
        return "no"
    return "steps" if resolved.eval_steps else "epoch"


def _arguments(resolved: Resolved, output: Path, steps: int) -> dict[str, Any]:
    gpu = resolved.device == "cuda"
    return {
        "output_dir": str(output),
        "use_cpu": not gpu,
        "bf16": gpu,
        "fp16": False,
        "activation_checkpointing": gpu,
        "learning_rate": resolved.learning_rate,
        "num_train_epochs": resolved.num_train_epochs,
        "max_steps": resolved.max_steps or -1,
        "per_device_train_batch_size": resolved.per_device_train_batch_size,
        "per_device_eval_batch_size": resolved.per_device_train_batch_size,
        "gradient_accumulation_steps": resolved.gradient_accumulation_steps,
        "warmup_steps": resolved.warmup_steps,
        "lr_scheduler_type": "constant_with_warmup"
        if resolved.lr_scheduler_type == "constant" and resolved.warmup_steps
        else resolved.lr_scheduler_type,
        "weight_decay": resolved.weight_decay,
        "max_grad_norm": resolved.max_grad_norm,
        "seed": resolved.seed,
        "data_seed": resolved.seed,
        "logging_steps": resolved.logging_steps or max(1, min(10, steps // 100)),
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "steps",
        "save_steps": resolved.save_steps or save_steps(resolved, steps),
        "save_total_limit": None,
        "eval_steps": resolved.eval_steps,
        "report_to": list(resolved.report_to) or "none",
        "push_to_hub": False,
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": gpu,
        "remove_unused_columns": True,
        "prediction_loss_only": True,
    }


def save_steps(resolved: Resolved, steps: int) -> int:
    """Choose how often to save: about ten times a run with an adapter, four times with all weights; short runs at their end."""
    return max(10, -(-steps // (4 if resolved.adapter == "full" else 10)))


def _peft_config(resolved: Resolved) -> Any:
    if resolved.adapter == "full":
        return None
    modules = resolved.target_modules
    return LoraConfig(
        r=resolved.r,
        lora_alpha=resolved.lora_alpha,
        lora_dropout=resolved.lora_dropout,
        target_modules=list(modules) if isinstance(modules, tuple) else modules,
        task_type="CAUSAL_LM",
    )
