"""Model and adapter folders as an attacker would make them, each from a copy of a good one. Whatever runs writes the canary file."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

SECRET = "canary-secret-file-9d41"
PICKLES = (
    "pytorch_model.bin",
    "adapter_model.bin",
    "training_args.bin",
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    "rng_state.pth",
    "own.pkl",
)


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


class Evil:
    """Makes folders from a good model: `canary` is the file that no load may write, `secret` the one whose content may go nowhere."""

    def __init__(self, good, place):
        self.good, self.place = Path(good), Path(place)
        self.place.mkdir(parents=True, exist_ok=True)
        self.canary, self.secret = self.place / "canary", self.place / "secret.txt"
        self.secret.write_text(SECRET)
        self.code = f"open({str(self.canary)!r}, 'w')\n"
        self.payload = pickle.dumps(Canary(self.canary))

    def models(self):
        """Name each folder of a model, whether it must be refused, and make it."""
        for name, (refused, spoil) in {**self._pickles(), **self._code(), **self._secrets()}.items():
            folder = self.place / "models" / name.replace(" ", "-")
            shutil.copytree(self.good, folder)
            spoil(folder)
            yield name, refused, folder

    def adapters(self):
        """The same for adapters; all are refused."""
        for name, spoil in self._adapters().items():
            folder = self.place / "adapters" / name.replace(" ", "-")
            folder.mkdir(parents=True)
            config = {"peft_type": "LORA", "base_model_name_or_path": str(self.good), "r": 4, "task_type": "CAUSAL_LM"}
            (folder / "adapter_config.json").write_text(json.dumps(config))
            shutil.copy(self.good / "model.safetensors", folder / "adapter_model.safetensors")
            spoil(folder)
            yield name, folder

    def _pickles(self):
        def alone(folder):
            (folder / "model.safetensors").unlink()
            (folder / "pytorch_model.bin").write_bytes(self.payload)

        def decoy(folder):
            (folder / "model.safetensors").rename(folder / "unused.safetensors")
            (folder / "pytorch_model.bin").write_bytes(self.payload)

        def index(folder):
            alone(folder)
            edited(folder / "pytorch_model.bin.index.json", metadata={}, weight_map={"lm_head.weight": "pytorch_model.bin"})

        def beside(folder):
            for name in PICKLES:
                (folder / name).write_bytes(self.payload)

        def both(folder):
            config = {"peft_type": "LORA", "base_model_name_or_path": str(self.good), "r": 4, "task_type": "CAUSAL_LM"}
            edited(folder / "adapter_config.json", **config)
            (folder / "adapter_model.bin").write_bytes(self.payload)

        def named(folder):
            edited(folder / "config.json", transformers_weights="weights.bin")
            (folder / "weights.bin").write_bytes(self.payload)

        return {
            "pickle alone": (True, alone),
            "pickle and a decoy": (True, decoy),
            "pickle by index": (True, index),
            "pickles beside": (False, beside),
            "model and adapter": (True, both),
            "weights by name": (True, named),
        }

    def _code(self):
        def by(file, **auto_map):
            def spoil(folder):
                (folder / "own.py").write_text(self.code)
                edited(folder / file, auto_map=auto_map)

            return spoil

        def generate(folder):
            (folder / "custom_generate").mkdir()
            (folder / "custom_generate" / "generate.py").write_text(self.code)

        def kernel(folder):
            edited(folder / "config.json", attn_implementation="evil/kernel")

        config = by("config.json", AutoConfig="own.Config", AutoModelForCausalLM="own.Model")
        return {
            "code of a model": (True, config),
            "code of a tokenizer": (True, by("tokenizer_config.json", AutoTokenizer=["own.Slow", "own.Fast"])),
            "code of a processor": (True, by("processor_config.json", AutoProcessor="own.Processor")),
            "code to generate": (False, generate),
            "code of a kernel": (True, kernel),
        }

    def _secrets(self):
        def tokenizer(**settings):
            return lambda folder: edited(folder / "tokenizer_config.json", **settings)

        def linked(name):
            def spoil(folder):
                (folder / name).unlink(missing_ok=True)
                (folder / name).symlink_to(self.secret)

            return spoil

        def linked_folder(folder):
            templates = self.place / "templates"
            templates.mkdir(exist_ok=True)
            (templates / "tool_use.jinja").write_text(SECRET)
            (folder / "additional_chat_templates").symlink_to(templates)

        found = {
            "vocabulary from afar": tokenizer(vocab_file=str(self.secret)),
            "vocabulary above": tokenizer(vocab_file="../../secret.txt"),
            "vocabulary in a list": tokenizer(vocab_file=[str(self.secret)]),
            "tokenizer from afar": tokenizer(tokenizer_file=str(self.secret)),
            "merges from afar": tokenizer(init_kwargs={"merges_file": str(self.secret)}),
            "a linked template": linked("chat_template.jinja"),
            "a linked tokenizer": linked("tokenizer.json"),
            "linked tokens": linked("added_tokens.json"),
            "a linked vocabulary": linked("vocab.txt"),
            "linked weights": linked("more.safetensors"),
            "a linked folder": linked_folder,
        }
        return {name: (True, spoil) for name, spoil in found.items()}

    def _adapters(self):
        def set_to(**settings):
            return lambda folder: edited(folder / "adapter_config.json", **settings)

        def pickled(folder):
            (folder / "adapter_model.safetensors").unlink()
            (folder / "adapter_model.bin").write_bytes(self.payload)

        def tokenizer(folder):
            edited(folder / "tokenizer_config.json", vocab_file=str(self.secret))

        def template(folder):
            (folder / "chat_template.jinja").symlink_to(self.secret)

        def further(folder):
            inner = folder / "inner"
            inner.mkdir()
            (inner / "adapter_model.bin").write_bytes(self.payload)
            edited(folder / "adapter_config.json", peft_type="XLORA", hidden_size=32, adapters={"0": str(inner)})

        multitask = {"prompt_tuning_init": "EXACT_SOURCE_TASK", "prompt_tuning_init_state_dict_path": str(self.place / "state.bin")}
        (self.place / "state.bin").write_bytes(self.payload)
        return {
            "a pickled adapter": pickled,
            "code of an adapter": set_to(auto_mapping={"base_model_class": "Model", "parent_library": "own"}),
            "a module of megatron": set_to(megatron_config={"a": 1}, megatron_core="own"),
            "further adapters": further,
            "a pickled prompt": set_to(peft_type="MULTITASK_PROMPT_TUNING", num_virtual_tokens=2, **multitask),
            "another tokenizer": set_to(
                peft_type="PROMPT_TUNING", tokenizer_name_or_path="own", tokenizer_kwargs={"trust_remote_code": True}
            ),
            "a tokenizer beside": tokenizer,
            "a template beside": template,
        }


def edited(path, **settings):
    """Change settings of a JSON file, which may not be there yet."""
    raw = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(raw | settings))
