"""What is put right in the libraries of AutoTrain's environment. `driver.py` loads this file by its path, inside that environment.

A stand-alone file, as the driver is: it imports the standard library and what that environment holds, never anytune.
"""

from __future__ import annotations

from functools import partial
from typing import Any

__all__ = ["correct_padding", "correct_passes", "plain_generation"]

_KEPT = ("bos_token_id", "eos_token_id", "pad_token_id")


def correct_passes(trainer: Any) -> None:
    """Put right what transformers 4.48.0 does with gradient accumulation (read and seen 2026-11-23).

    It forgets to divide by the passes of a step where it has counted labels, so that losses and gradients come out that many times too
    large. It takes as many batches for an epoch's last step as rows, not batches, are left over: steps of wrong sizes, or none; and it does
    not find its place again in such an epoch. So nothing is counted, and an epoch is as many rows as fill its steps, others each time.

    Args:
        trainer: transformers' `Trainer` class, which is changed.
    """
    real = trainer.get_batch_samples

    def batches(self: Any, iterator: Any, count: int) -> tuple[Any, None]:
        return real(self, iterator, count)[0], None

    def sampler(self: Any) -> Any:
        import torch  # noqa: PLC0415 - after the environment is set

        rows, step = len(self.train_dataset), self._train_batch_size * self.args.gradient_accumulation_steps
        return torch.utils.data.RandomSampler(self.train_dataset, num_samples=rows - rows % step or rows)

    trainer.get_batch_samples, trainer._get_train_sampler = batches, sampler  # noqa: SLF001 - pinned to 4.48.0


def correct_padding(sft: Any) -> None:
    """Have SFT learn every token of a row; trl 0.13 would not learn the end token where it also pads.

    Args:
        sft: AutoTrain's module, whose `SFTTrainer` is replaced.
    """
    trainer = sft.SFTTrainer

    def with_collator(**given: Any) -> Any:
        return trainer(**given, data_collator=partial(_collate, pad_id=given["processing_class"].pad_token_id))

    sft.SFTTrainer = with_collator


def plain_generation(model: Any, kind: Any) -> None:
    """Leave a model without sampling settings: at the end of training 4.48 refuses to save those that disagree, as some published ones do.

    Args:
        model: A model, or what peft made of one.
        kind: transformers' `GenerationConfig`.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if getattr(base, "generation_config", None) is not None:
        base.generation_config = kind(**{key: getattr(base.generation_config, key) for key in _KEPT})


def _collate(rows: list[dict[str, Any]], *, pad_id: int) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - after the environment is set

    longest = max(len(row["input_ids"]) for row in rows)
    ids = [(list(row["input_ids"]), longest - len(row["input_ids"])) for row in rows]
    return {
        "input_ids": torch.tensor([found + [pad_id] * missing for found, missing in ids]),
        "attention_mask": torch.tensor([[1] * len(found) + [0] * missing for found, missing in ids]),
        "labels": torch.tensor([found + [-100] * missing for found, missing in ids]),
    }
