"""Three LoRA adapters of the starter: in one engine, and each merged in an engine of its own. Answers, seconds and memory."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

import anytune
from anytune.paths import home
from anytune.values import ModelRef
from anytune_huggingface.models import starter

NAMES = ("first", "second", "third")
QUESTIONS = ("What is the capital of France?", "Write a haiku about rain.", "List three primes.", "Explain gravity to a child.",
             "2 cups chopped fresh basil", "Who wrote Hamlet?")  # fmt: skip


def adapters(folder: Path) -> dict[str, anytune.TunedModel]:
    """Save three adapters of rank 16 with random weights, strong enough to be heard."""
    base = starter.ensure()
    made = {}
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        whole = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model = get_peft_model(whole, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
        for label, weight in model.named_parameters():
            if "lora_B" in label:
                torch.nn.init.normal_(weight, std=0.012)
        model.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(base).save_pretrained(folder / name)
        ref = ModelRef(id=str(folder / name), base_model="starter", artifacts={"adapter": str(folder / name)})
        made[name] = anytune.TunedModel(ref, backend="trl")
    return made


def measured(endpoints: dict[str, anytune.Endpoint]) -> dict[str, Any]:
    """Ask everything at once, and look at the engines' memory."""

    def ask(pair: tuple[str, str]) -> str:
        return str(endpoints[pair[0]].chat(pair[1], model=pair[0], temperature=0, max_tokens=48))

    pairs = [(name, question) for question in QUESTIONS for name in NAMES]
    begun = time.monotonic()
    with ThreadPoolExecutor(9) as pool:
        said = dict(zip(map(str, pairs), pool.map(ask, pairs), strict=True))
    return {"said": said, "seconds": round(time.monotonic() - begun, 1), "engines_mib": engines()}


def engines() -> list[int]:
    """Give the proportional memory of every engine of this state folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("ANYTUNE_TASK_DIR", "").startswith(str(home()))
            if ours and "anytune_huggingface.serving.engine" in process.cmdline():
                found.append(process.memory_full_info().pss >> 20)
    return found


def main() -> None:
    """Measure both ways, and compare the answers."""
    with tempfile.TemporaryDirectory() as folder:
        tuned = adapters(Path(folder))
        with anytune.TunedModel.from_path("starter").deploy(ttl_s=900, adapters=tuned) as one:
            shared = measured(dict.fromkeys(NAMES, one))
        with contextlib.ExitStack() as stack:
            alone = measured({name: stack.enter_context(model.deploy(ttl_s=900, name=name)) for name, model in tuned.items()})
    equal = sum(alone["said"][pair] == text for pair, text in shared["said"].items())
    figures = {way: {key: value for key, value in found.items() if key != "said"} for way, found in (("shared", shared), ("alone", alone))}
    print(json.dumps(figures | {"equal_answers": f"{equal} of {len(shared['said'])}"}, indent=1))


if __name__ == "__main__":
    main()
