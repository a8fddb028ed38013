"""A config into a spec. AutoTrain's defaults that change what is learned are written out, so that other backends train with them too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding
from anytune.errors import ConfigError
from anytune.recipes.autotrain.columns import Columns
from anytune.recipes.autotrain.data import files
from anytune.recipes.autotrain.words import PARAMS, TRAINERS
from anytune.spec import TrainingSpec

if TYPE_CHECKING:
    from anytune.recipes.autotrain.config import Config
    from anytune.values import Finding

__all__ = ["Translation", "to_spec"]

TEMPLATES = ("tokenizer", "chatml", "zephyr")
LONGEST = 1024
"""Tokens of a block where AutoTrain is told nothing."""
OVERLONG = {"sft": "truncate", "dpo": "truncate", "orpo": "truncate", "reward": "drop"}
"""What AutoTrain does about rows over `block_size`; blocks of continued pre-training have no rows."""
SCHEDULES = frozenset({"linear", "cosine", "constant", "constant_with_warmup"})

_OF_LORA = ("quantization", "target_modules", "merge_adapter", "lora_r", "lora_alpha", "lora_dropout")
_OF_PAIRS = ("max_prompt_length", "max_completion_length")
_PAIRED = frozenset({"dpo", "orpo", "reward"})


class Translation(NamedTuple):
    """A config as a spec.

    Attributes:
        spec: The spec.
        findings: What was left out, or is done otherwise than by AutoTrain itself, on any backend.
        moving: What another backend than `autotrain` does otherwise with the same numbers.
    """

    spec: TrainingSpec
    findings: tuple[Finding, ...]
    moving: tuple[Finding, ...]

    def told(self, backend: str) -> tuple[Finding, ...]:
        """Give what to say where a backend trains it."""
        return self.findings if backend == "autotrain" else (*self.findings, *self.moving)


def to_spec(config: Config, backend: str | None = None) -> Translation:
    """Translate a config. Data whose columns are not anytune's own is written into a file of such rows, kept in the state folder.

    Args:
        config: What AutoTrain was asked for.
        backend: Who shall train, instead of the config's own backend.

    Raises:
        ConfigError: A value has no word in a spec.
        DataError: The data is not there, or not what the config says.
    """
    method = TRAINERS[config["trainer"]]
    chat = config["chat_template"] is not None
    if chat and config["chat_template"] not in TEMPLATES:
        raise ConfigError(
            f"AutoTrain has no chat template {config['chat_template']!r}.", fix=f"There are: {', '.join(TEMPLATES)}, or null."
        )
    rejected = config["rejected_text_column"]
    data = files(config, Columns(method, chat, config["text_column"], rejected, config["prompt_text_column"]))
    if config["push_to_hub"] and not config["username"]:
        raise ConfigError("`push_to_hub` needs a `username`.", fix="Name the account or organisation that the model shall belong to.")
    given: dict[str, Any] = {
        "backend": backend or config.backend,
        "model": _model(config["model"]),
        "train": data.train,
        **({"validation": data.validation} if data.validation is not None else {}),
        "method": _method(config, method),
        "adapter": _adapter(config),
        "name": config["project_name"],
    }
    options = _options(config, method)
    if options:
        given["options"] = {"autotrain": options}
    spec = TrainingSpec(**given)
    return Translation(
        spec, (*data.findings, *_left_out(config, method), *_otherwise(config, data.validation)), tuple(_moving(config, method))
    )


def _model(said: str) -> str:
    return str(Path(said).resolve()) if Path(said).is_dir() else said


def _method(config: Config, method: str) -> dict[str, Any]:
    block = LONGEST if config["block_size"] == -1 else config["block_size"]
    found: dict[str, Any] = {
        "type": method,
        "num_train_epochs": config["epochs"],
        "learning_rate": config["lr"],
        "per_device_train_batch_size": config["batch_size"],
        "gradient_accumulation_steps": config["gradient_accumulation"],
        "warmup_steps": _share(config["warmup_ratio"]),
        "weight_decay": config["weight_decay"],
        "max_length": min(block, config["model_max_length"]),
        "seed": config["seed"],
    }
    if config["scheduler"] in SCHEDULES:
        found["lr_scheduler_type"] = config["scheduler"]
    if config["max_grad_norm"] > 0:
        found["max_grad_norm"] = config["max_grad_norm"]
    if method in OVERLONG:
        found["overlong"] = OVERLONG[method]
    if method in {"dpo", "orpo"}:  # AutoTrain hands its beta to DPO alone; ORPO's is TRL's default
        found["beta"] = config["dpo_beta"] if method == "dpo" else 0.1
    if "save_total_limit" in config.given:
        found["save_total_limit"] = config["save_total_limit"]
    if config["logging_steps"] > 0:
        found["logging_steps"] = config["logging_steps"]
    if config["log"] not in {"none", "tensorboard"}:
        found["report_to"] = (config["log"],)
    return found


def _share(ratio: float) -> float:
    if not 0 <= ratio < 1:
        raise ConfigError(f"`warmup_ratio` is {ratio:g}.", fix="Give a share of all steps, such as 0.1.")
    return ratio


def _adapter(config: Config) -> dict[str, Any]:
    if not config["peft"]:
        return {"type": "full"}
    if config["quantization"] not in {None, "int4", "int8"}:
        raise ConfigError(f"`quantization` is {config['quantization']!r}.", fix="AutoTrain knows int4, int8 and null.")
    found: dict[str, Any] = {"type": "qlora" if config["quantization"] == "int4" else "lora"}
    found |= {"r": config["lora_r"], "lora_alpha": config["lora_alpha"], "lora_dropout": config["lora_dropout"]}
    modules = (config["target_modules"] or "").strip()
    if modules.lower() == "all-linear":
        found["target_modules"] = "all-linear"
    elif modules:
        found["target_modules"] = tuple(name.strip() for name in modules.split(","))
    return found


def _options(config: Config, method: str) -> dict[str, Any]:
    """Give what only AutoTrain has words for, where it is another thing than what the backend takes by itself."""
    plain = (name for name, word in PARAMS.items() if word.fate == "option" and name != "chat_template")
    found = {name: config[name] for name in plain if _said(name, config) and _counts(name, config, method)}
    template = config["chat_template"]
    if template is None and method in _PAIRED:  # the backend would take the model's own template
        found["chat_template"] = "none"
    elif template not in {None, "tokenizer"}:
        found["chat_template"] = template
    if config["peft"] and config["quantization"] == "int8":
        found["quantization"] = "int8"
    if config["log"] == "tensorboard":
        found["log"] = "tensorboard"
    if config["scheduler"] not in SCHEDULES:
        found["scheduler"] = config["scheduler"]
    if config["max_grad_norm"] <= 0:
        found["max_grad_norm"] = config["max_grad_norm"]
    return found


def _said(name: str, config: Config) -> bool:
    """Tell whether a word is written out: the backend cuts no prompts unless it is told to, AutoTrain does."""
    return name == "max_prompt_length" or config[name] != PARAMS[name].default


def _counts(name: str, config: Config, method: str) -> bool:
    """Tell whether AutoTrain looks at a word at all in such a run."""
    if name in _OF_LORA:
        return bool(config["peft"])
    if name in _OF_PAIRS:
        return method in {"dpo", "orpo"}
    if name == "model_ref":
        return method == "dpo" and not config["peft"]
    return name != "add_eos_token" or method == "clm"


def _left_out(config: Config, method: str) -> list[Finding]:
    said = []
    for name in config.given:
        word = PARAMS[name]
        if word.fate == "left-out" and config[name] != word.default:
            said.append(finding("left-out", f"`{name}` is left out: {word.to}.", "Take it out of the config."))
        elif not _counts(name, config, method) or (name == "dpo_beta" and method != "dpo"):
            said.append(finding("left-out", f"`{name}` has no effect in this run, in AutoTrain neither.", "", severity="info"))
    if config.clear_token:
        fix = "Set HF_TOKEN in the environment, write `${HF_TOKEN}`, and revoke the token: whoever could read it has it."
        said.append(finding("token-in-clear", "A token stands in the config in clear. It was not read.", fix))
    return said


def _otherwise(config: Config, validation: Path | None) -> list[Finding]:
    said = []
    if config["seed"] != PARAMS["seed"].default:
        said.append(_differs("`seed` is the run's: AutoTrain itself hands it to unsloth alone, and trains with 42."))
    if validation is None:
        said.append(_differs("Checkpoints are kept: AutoTrain itself writes none where there are no validation rows."))
    elif not str(validation).startswith("hf:"):
        said.append(_differs("The validation rows count: AutoTrain itself drops a local validation split."))
    return said


def _moving(config: Config, method: str) -> list[Finding]:
    said = []
    chat = config["chat_template"] is not None
    if chat and method == "sft":
        said.append(_moved("AutoTrain learns every token of a conversation; others learn the assistant's turns only, as is usual."))
    if method == "sft":
        said.append(_moved("AutoTrain packs rows into blocks of `block_size`; others do so only with `packing: true` (trl: on a GPU)."))
    if method in {"dpo", "orpo"}:
        said.append(
            _moved(f"AutoTrain cuts prompts at {config['max_prompt_length']} tokens (`max_prompt_length`); others keep them whole.")
        )
    if method == "reward" and not chat:
        said.append(_moved("AutoTrain scores the answers' text alone; others put the prompt before it."))
    return said


def _differs(message: str) -> Finding:
    return finding("differs", message)


def _moved(message: str) -> Finding:
    return finding("differs", message, "Compare the results before you rely on them.", severity="warning")
