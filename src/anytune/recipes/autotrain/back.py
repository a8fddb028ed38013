"""A spec into an AutoTrain YAML that AutoTrain itself can run, with all that it has no word for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding
from anytune.errors import ConfigError
from anytune.recipes.autotrain.config import unknown
from anytune.recipes.autotrain.into import OVERLONG
from anytune.recipes.autotrain.rows import Data, data_of
from anytune.recipes.autotrain.words import OPTIONS, PARAMS
from anytune.spec import LoRA, QLoRA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["Recipe", "from_spec"]

_TASKS: Mapping[str, str] = {"sft": "llm-sft", "dpo": "llm-dpo", "orpo": "llm-orpo", "reward": "llm-reward", "clm": "llm-generic"}
_FIELDS: Mapping[str, str] = {
    "learning_rate": "lr",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "gradient_accumulation",
    "lr_scheduler_type": "scheduler",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "max_length": "block_size",
    "save_total_limit": "save_total_limit",
    "logging_steps": "logging_steps",
    "seed": "seed",
}
"""Fields of the method that AutoTrain has another name for, and nothing else."""
_ELSEWHERE = frozenset({"type", "num_train_epochs", "warmup_steps", "report_to", "beta", "packing", "overlong"})
_PLACES = frozenset({"chat_template", "log", "push_to_hub", "username"})
"""Options that stand elsewhere than under `params`."""
_NAME_CHARS = 50
_BETA = 0.1


class Recipe(NamedTuple):
    """A spec in AutoTrain's words.

    Attributes:
        config: What the YAML holds.
        findings: What AutoTrain has no word for.
    """

    config: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def yaml(self) -> str:
        """The YAML."""
        import yaml  # noqa: PLC0415 - only what is written needs it

        text: str = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
        return text


def from_spec(spec: TrainingSpec) -> Recipe:
    """Translate a spec. Rows that AutoTrain could not read as they lie are written for it into the state folder.

    Raises:
        ConfigError: The method has no word in AutoTrain, or `options.autotrain` holds a word that is none.
        DataError: The rows cannot be read, or have no word there.
    """
    if spec.method.type not in _TASKS:
        raise ConfigError(f"AutoTrain does not offer method {spec.method.type!r}.", fix=f"It offers: {', '.join(sorted(_TASKS))}.")
    options = spec.options.get("autotrain", {})
    for name in options:
        if name not in OPTIONS:
            raise unknown(name, OPTIONS, "`options.autotrain`")
    said: list[Finding] = []
    data = data_of(spec)
    config: dict[str, Any] = {
        "task": _TASKS[spec.method.type],
        "base_model": _model(spec, said),
        "project_name": _name(spec.job_name, said),
        "log": _log(spec, options, said),
        "backend": _backend(spec.backend, said),
        "data": _data(data, options),
        "params": _method(spec, said) | _adapter(spec) | {name: each for name, each in options.items() if name not in _PLACES},
    }
    longest = config["params"].get("block_size", 0)
    if longest > PARAMS["model_max_length"].default and "model_max_length" not in options:
        config["params"]["model_max_length"] = longest
    if options.get("push_to_hub"):
        config["hub"] = {"username": options.get("username") or "${HF_USERNAME}", "token": "${HF_TOKEN}", "push_to_hub": True}
    return Recipe(config, (*data.findings, *said, *_plain(spec, data, options), *_beside(spec)))


def _model(spec: TrainingSpec, said: list[Finding]) -> str:
    words = ("autotrain",) if isinstance(spec.model, str) or "autotrain" in spec.model or "trl" not in spec.model else ("trl",)
    model = spec.model_for(*words)
    if model == "starter":
        said.append(_lost("model", model, "Give a model of the Hub, or a folder: AutoTrain itself has no starter."))
    return model


def _name(name: str, said: list[Finding]) -> str:
    plain = re.sub(r"[^A-Za-z0-9-]", "-", name)[:_NAME_CHARS]
    if plain != name:
        said.append(_lost("name", name, f"AutoTrain calls it {plain!r}: letters, digits and hyphens, at most {_NAME_CHARS}."))
    return plain


def _log(spec: TrainingSpec, options: Mapping[str, Any], said: list[Finding]) -> str:
    trackers = spec.method.report_to or ()
    if len(trackers) + ("log" in options) > 1:
        said.append(_lost("report_to", list(trackers), "AutoTrain reports to one tracker: the first is taken."))
    return str(next(iter(trackers), options.get("log", "none")))


def _backend(word: str, said: list[Finding]) -> str:
    name, _, place = word.partition("@")
    if place.startswith("spaces:"):
        return f"spaces-{place.removeprefix('spaces:')}"
    if name != "autotrain":
        said.append(_lost("backend", word, "AutoTrain trains it on this machine."))
    return "local"


def _data(data: Data, options: Mapping[str, Any]) -> dict[str, Any]:
    asked = options.get("chat_template", "tokenizer")
    template = asked if data.chat and asked != "none" else None
    splits = {"train_split": data.train_split, "valid_split": data.valid_split}
    return {"path": data.path, **splits, "chat_template": template, "column_mapping": dict(data.columns)}


def _plain(spec: TrainingSpec, data: Data, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Say where a template is applied here, and by AutoTrain itself to messages only."""
    if spec.method.type in {"dpo", "orpo", "reward"} and not data.chat and options.get("chat_template") != "none":
        message = "AutoTrain joins prompts and answers of plain text as they stand; here the model's chat template is put around them."
        yield finding(
            "differs", message, "Write them as messages; or say `options: {autotrain: {chat_template: none}}`.", severity="warning"
        )


def _method(spec: TrainingSpec, said: list[Finding]) -> dict[str, Any]:
    method = spec.method
    given = {name: getattr(method, name) for name in sorted(method.model_fields_set) if getattr(method, name) is not None}
    found: dict[str, Any] = {_FIELDS[name]: each for name, each in given.items() if name in _FIELDS}
    if "num_train_epochs" in given:
        found["epochs"] = max(1, round(given["num_train_epochs"]))
        if found["epochs"] != given["num_train_epochs"]:
            said.append(_lost("num_train_epochs", given["num_train_epochs"], f"AutoTrain trains whole epochs: {found['epochs']}."))
    if given.get("warmup_steps", 0.0) >= 1:
        said.append(_lost("warmup_steps", given["warmup_steps"], "AutoTrain knows a share of all steps only, such as 0.1."))
    elif "warmup_steps" in given:
        found["warmup_ratio"] = given["warmup_steps"]
    if method.type == "dpo" and given.get("beta", "auto") != "auto":
        found["dpo_beta"] = given["beta"]
    known = _ELSEWHERE | _FIELDS.keys()
    said += [*_fixed(method.type, given), *(_lost(name, each, "") for name, each in given.items() if name not in known)]
    return found


def _fixed(method: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    """List what AutoTrain does in one way only, where another one is wanted."""
    if given.get("seed", PARAMS["seed"].default) != PARAMS["seed"].default:
        yield _lost("seed", given["seed"], "AutoTrain itself hands it to unsloth alone, and trains with 42.")
    if method == "orpo" and given.get("beta", "auto") not in {"auto", _BETA}:
        yield _lost("beta", given["beta"], "AutoTrain trains ORPO with 0.1.")
    if "packing" in given and given["packing"] is not (method in {"sft", "clm"}):
        yield _lost("packing", given["packing"], "AutoTrain always packs texts and conversations, and never pairs.")
    if "overlong" in given and given["overlong"] != OVERLONG.get(method):
        yield _lost("overlong", given["overlong"], "AutoTrain cuts long rows; those of a reward model it leaves out.")


def _adapter(spec: TrainingSpec) -> dict[str, Any]:
    adapter = spec.adapter
    if adapter is None:
        return {}
    if not isinstance(adapter, LoRA):
        return {"peft": False}
    of_option = spec.options.get("autotrain", {}).get("quantization")
    found: dict[str, Any] = {"peft": True, "quantization": "int4" if isinstance(adapter, QLoRA) else of_option}
    names = {"r": "lora_r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout"}
    found |= {name: getattr(adapter, field) for field, name in names.items() if getattr(adapter, field) is not None}
    modules = adapter.target_modules
    if modules is not None:
        found["target_modules"] = modules if isinstance(modules, str) else ",".join(modules)
    return found


def _beside(spec: TrainingSpec) -> list[Finding]:
    said = []
    if spec.budget is not None:
        said.append(_lost("budget", spec.budget.model_dump(exclude_none=True), "AutoTrain knows no limits."))
    if spec.adapter is None:
        said.append(finding("differs", "No `adapter` is set: AutoTrain trains all weights.", "Set one, such as {type: lora, r: 16}."))
    if spec.strict:
        said.append(_lost("strict", spec.strict, "AutoTrain passes over what it does not know."))
    for name, own in sorted(spec.options.items()):
        said += [
            _lost(f"options.{name}.{word}", each, "AutoTrain has no word for it.") for word, each in own.items() if name != "autotrain"
        ]
    return said


def _lost(name: str, value: object, why: str) -> Finding:
    return finding("lost", f"AutoTrain has no word for `{name}` (set to {value!r}).", why)
