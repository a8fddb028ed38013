"""AutoTrain's own words in a spec (`options: {autotrain: {…}}`), spelled as AutoTrain spells them: what the spec itself has no word for."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from anytune.methods import CLM, DPO, ORPO, SFT, Reward
from anytune.settings import Settings
from anytune.spec import LoRA, TrainingSpec

__all__ = ["SETTINGS", "Options"]

_HERE = "this program trains in one process on one device."


def _unsaid(value: object) -> object:
    """Take AutoTrain's ways to say nothing (`none`, an empty text) for None."""
    return None if isinstance(value, str) and value.strip().lower() in {"", "none", "null"} else value


def _said(value: object) -> object:
    return "none" if _unsaid(value) is None else value


class Options(Settings):
    """What only AutoTrain has. None: AutoTrain's own default, or what the device asks for.

    Raises:
        ConfigError: A word is not known, is refused, or has a wrong value.

    Example:
        >>> Options(optimizer="adafactor").optimizer
        'adafactor'
    """

    refused: ClassVar = {
        "unsloth": "Leave it out: unsloth is a library of its own that AutoTrain only hands over to, and is not in its environment here.",
        "distributed_backend": f"Leave it out: {_HERE}",
        "token": "Leave it out: secrets come from the environment (`HF_TOKEN`), never from a spec.",
        "seed": "Say `seed` in `method`: AutoTrain itself only hands it to unsloth, this backend to everything.",
        "trainer": "Say `method: {type: sft}`, `dpo`, `orpo`, `reward` or `clm`.",
        "peft": "Say `adapter: lora` or `adapter: full`.",
        "dpo_beta": "Say `beta` in `method`.",
    }

    optimizer: str = "adamw_torch"
    """One of transformers' optimisers."""
    mixed_precision: Annotated[Literal["fp16", "bf16"] | None, BeforeValidator(_unsaid)] = None
    """In which type products are computed; None: bf16 on a GPU where adapters are trained, otherwise float32."""
    use_flash_attention_2: bool = False
    """Attention by flash-attn, which must be in AutoTrain's environment; GPUs only."""
    disable_gradient_checkpointing: bool | None = None
    """Keep activations instead of computing them twice; None: on a CPU."""
    add_eos_token: bool = True
    """`clm`: end each row with the token that ends generation."""
    padding: Literal["left", "right"] = "right"
    """Where shorter rows are filled up."""
    model_max_length: int = Field(default=2048, ge=8)
    """Most tokens of a row, where the tokenizer knows no smaller limit."""
    max_prompt_length: int | None = Field(default=None, ge=1)
    """`dpo`, `orpo`: tokens of the longest prompt; None: as many as a row may have."""
    max_completion_length: int | None = Field(default=None, ge=1)
    """`dpo`: tokens of the longest answer; None: as many as a row may have."""
    auto_find_batch_size: bool = False
    """Halve the batch until it fits into the GPU's memory."""
    quantization: Annotated[Literal["int4", "int8"] | None, BeforeValidator(_unsaid)] = None
    """The base held in 4 or 8 bits, with `adapter: lora`; `adapter: qlora` means int4. GPUs only."""
    chat_template: Annotated[Literal["tokenizer", "chatml", "zephyr", "none"], BeforeValidator(_said)] = "tokenizer"
    """The model's own template, one of AutoTrain's two, or none: pairs of plain texts are then joined as they stand."""
    scheduler: str | None = None
    """One of transformers' schedules; goes before `lr_scheduler_type` in `method`, which knows the usual ones."""
    max_grad_norm: float | None = None
    """Goes before that in `method`, which takes no 0: gradients are not clipped then."""
    log: Annotated[Literal["tensorboard"] | None, BeforeValidator(_unsaid)] = None
    """Also write TensorBoard's files, into `autotrain/runs` of the run's folder; the same as `report_to: [tensorboard]` in `method`."""
    merge_adapter: bool = True
    """Taken for AutoTrain's sake: both the adapter and the merged model are always kept."""
    eval_strategy: Literal["epoch", "steps", "no"] = "epoch"
    """When the loss on the validation rows is measured; `eval_steps` in `method` goes before it."""
    model_ref: Annotated[str | None, BeforeValidator(_unsaid)] = None
    """`dpo` with all weights: the model that the tuned one is held to; None: the base model."""
    push_to_hub: bool = False
    """Taken for AutoTrain's sake: pushing is a verb of its own (`anytune models push`), after the run."""
    username: str | None = None
    """Whose repository `push_to_hub` means."""

    @classmethod
    def of(cls, spec: TrainingSpec) -> Options:
        """Read a spec's own; a word without a value, or a refused one that is switched off, asks for nothing."""
        given = spec.options.get("autotrain", {}).items()
        asked: dict[str, Any] = {name: value for name, value in given if name == "chat_template" or value is not None}
        return cls(**{name: value for name, value in asked.items() if not (name in cls.refused and value is False)})


_UNKNOWN = {"type", "learning_rate_multiplier"}

SETTINGS = frozenset(
    ({name for method in (SFT, DPO, ORPO, Reward, CLM) for name in method.model_fields} - _UNKNOWN)
    | {"adapter.type"}
    | {f"adapter.{name}" for name in LoRA.model_fields if name != "type"}
    | {f"options.autotrain.{name}" for name in (*Options.model_fields, *Options.refused)}
)
"""Every setting but OpenAI's multiplier of its own base rate; refused words are known, so that they are refused by name."""
