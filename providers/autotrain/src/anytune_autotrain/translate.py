"""Models saved by a newer transformers, made readable for 4.48, in which AutoTrain trains.

4.48 cannot name the tokenizer class `TokenizersBackend`, does not look for `chat_template.jinja`, and, without a word, takes its own
default where `rope_parameters` stands instead of `rope_theta` (seen 2026-11-22): such a model would be trained on wrong positions. So what
4.48 would misread is rewritten on a copy whose weights are links, or refused. The original is never touched, and a model that needs nothing
is used as it is.
"""

from __future__ import annotations

import json
import os
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune_huggingface.models.safety import PICKLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["PROVEN", "TRANSFORMERS", "architectures", "problem", "translate"]

TRANSFORMERS = "4.48.0"

_MAJOR = 5
"""Of transformers, which writes configurations that 4 misreads."""

PROVEN = frozenset({
    *("bloom", "codegen", "cohere", "cohere2", "falcon", "gemma", "glm", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj"),
    *("granite", "granitemoe", "llama", "mamba", "mistral", "mixtral", "mpt", "nemotron", "olmo", "olmo2", "olmoe", "opt", "persimmon"),
    *("phi3", "qwen2", "qwen2_moe", "stablelm", "starcoder2", "xglm"),
})  # fmt: skip
"""Types whose translation was compared, logit by logit, in both versions (2026-11-23). phi and gemma2 were compared too, and differ."""

_ROPE_NAMES = {"gpt_neox": {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}}
"""Where 4.48 reads a number of `rope_parameters` under a name of the architecture's own."""

_ROPE_TYPES = frozenset({"default", "linear", "dynamic", "llama3"})
"""yarn differs: 4.48 has no `original_max_position_embeddings` for it (logits off by 0.19, 2026-11-23). longrope was not compared."""

_LEFT_OUT = frozenset({"generation_config.json", "chat_template.jinja"})
"""4.48 refuses to save some generation settings; whoever publishes the result takes them from the original. The template moves."""

_TOKENIZER_NEWS = ("backend", "is_local", "local_files_only")
_FIX = "Use the folder as its authors published it (saved by transformers 4), train with backend `trl`, or choose another model."


def architectures() -> tuple[str, ...]:
    """Give the model types that AutoTrain's transformers can train as language models, sorted."""
    return tuple(files(__package__).joinpath("architectures.txt").read_text(encoding="utf-8").split())


def problem(folder: Path) -> str | None:
    """Say why AutoTrain cannot train a model, or None where it can, perhaps after a translation. Reads `config.json` only."""
    config = _read(folder / "config.json")
    kind = config.get("model_type")
    if kind not in architectures():
        return f"AutoTrain's transformers {TRANSFORMERS} does not know the architecture {kind!r}; it knows {', '.join(architectures())}."
    if not _newer(config):
        return None
    if kind not in PROVEN:
        known = ", ".join(sorted(PROVEN))
        return (
            f"The model was saved by transformers 5. AutoTrain's {TRANSFORMERS} reads such models of the types {known}, but not {kind!r}."
        )
    rope = config.get("rope_parameters") or {}
    if any(isinstance(value, dict) for value in rope.values()):
        return f"The model has several kinds of rotary positions; transformers {TRANSFORMERS} has one."
    if rope.get("rope_type", "default") not in _ROPE_TYPES:
        return f"The model's rotary positions are of the type {rope['rope_type']!r}, which transformers {TRANSFORMERS} computes otherwise."
    return None


def translate(folder: Path, into: Path, *, verify: Callable[[Path], None]) -> Path:
    """Give a folder that AutoTrain reads rightly: the given one, or a copy made at `into`.

    Args:
        folder: The model: `config.json`, safetensors, tokenizer.
        into: Where a copy goes if one is needed; what is there is replaced.
        verify: Refuses a folder that could run code or read other files when loaded; it is asked of the original and of the copy.

    Raises:
        ConfigError: transformers 4.48 cannot read the model, or what `verify` raises.
    """
    verify(folder)
    wrong = problem(folder)
    if wrong:
        raise ConfigError(f"{wrong} The model is {folder}.", fix=_FIX)
    config, tokenizer = _read(folder / "config.json"), _read(folder / "tokenizer_config.json")
    if not _newer(config) and not _newer_tokenizer(folder, tokenizer):
        return folder
    if _newer_tokenizer(folder, tokenizer) and not (folder / "tokenizer.json").is_file():
        raise ConfigError(f"{folder} has no tokenizer.json, which transformers {TRANSFORMERS} would need.", fix="Save its fast tokenizer.")
    scratch = into.with_name(f"{into.name}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix not in PICKLES and path.name not in _LEFT_OUT | {"config.json", "tokenizer_config.json"}:
            _link(path, scratch / path.name)
    _write(scratch / "config.json", _config(config))
    _write(scratch / "tokenizer_config.json", _tokenizer(folder, tokenizer))
    verify(scratch)
    shutil.rmtree(into, ignore_errors=True)
    scratch.rename(into)
    return into


def _newer(config: dict[str, Any]) -> bool:
    """Tell whether 4.48 would misread a configuration: by what stands in it, since versions are missing in some."""
    major = str(config.get("transformers_version") or "0").partition(".")[0]
    return bool(config.get("rope_parameters")) or (major.isdigit() and int(major) >= _MAJOR)


def _newer_tokenizer(folder: Path, tokenizer: dict[str, Any]) -> bool:
    return (
        tokenizer.get("tokenizer_class") == "TokenizersBackend"
        or isinstance(tokenizer.get("extra_special_tokens"), list)
        or ("chat_template" not in tokenizer and (folder / "chat_template.jinja").is_file())
    )


def _config(config: dict[str, Any]) -> dict[str, Any]:
    """Rewrite a configuration, and those inside it, in the words of 4.48."""
    made = {key: _config(value) if key.endswith("_config") and isinstance(value, dict) else value for key, value in config.items()}
    if "dtype" in made:
        made["torch_dtype"] = made.pop("dtype")
    rope = dict(made.pop("rope_parameters", None) or {})
    if rope:
        names = _ROPE_NAMES.get(str(config.get("model_type")), {})
        for key in ("rope_theta", "partial_rotary_factor"):
            if key in rope:
                made[names.get(key, key)] = rope.pop(key)
        made["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else rope
    made["transformers_version"] = TRANSFORMERS
    return made


def _tokenizer(folder: Path, tokenizer: dict[str, Any]) -> dict[str, Any]:
    """Rewrite a tokenizer's settings: `tokenizer.json` says how to split, the plain fast class adds nothing to it."""
    made = {key: value for key, value in tokenizer.items() if key not in _TOKENIZER_NEWS}
    if not _newer_tokenizer(folder, tokenizer) and tokenizer:
        return made
    made["tokenizer_class"] = "PreTrainedTokenizerFast"
    made.setdefault("clean_up_tokenization_spaces", False)  # 4.48 removes spaces before punctuation unless told not to
    made.setdefault("model_input_names", ["input_ids", "attention_mask"])  # it adds token_type_ids otherwise, which models refuse
    split = _read(folder / "tokenizer.json").get("pre_tokenizer") or {}
    if isinstance(split.get("add_prefix_space"), bool):
        made["add_prefix_space"] = split["add_prefix_space"]
    extra = made.pop("extra_special_tokens", None)
    if isinstance(extra, dict):
        made["extra_special_tokens"] = extra
    elif extra:
        made["additional_special_tokens"] = extra
    template = folder / "chat_template.jinja"
    if template.is_file():
        made["chat_template"] = template.read_text(encoding="utf-8")
    return made


def _link(path: Path, at: Path) -> None:
    source = path.resolve()  # a Hub snapshot is made of links already
    try:
        os.link(source, at)
    except OSError:  # another disk: only weights are worth a link, and `verify` takes links of weights only
        if at.suffix == ".safetensors":
            at.symlink_to(source)
        else:
            shutil.copyfile(source, at)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not readable JSON: {str(error)[:200]}.", fix="Fetch the model again.") from error
    return found if isinstance(found, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
