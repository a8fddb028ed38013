"""What these tests share: wheels made on the spot, AutoTrain's real environment (made once for a machine), and a model of two layers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from anytune_autotrain import driver
from anytune_autotrain.environment import Environment
from anytune_autotrain.translate import translate

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FRUIT = ("apple red", "pear green", "plum purple", "lime green", "cherry red", "grass green", "sky yellow")
WORDS = "what is the colour of apple pear plum cherry lime red green purple yellow sky grass please answer you are helpful system user assistant"


@pytest.fixture(autouse=True)
def anytune_home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ANYTUNE_HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    return home


def wait_for(condition, seconds=90.0):
    """Poll until a condition gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture(scope="session")
def until():
    return wait_for


@pytest.fixture(scope="session")
def real():
    """The path of the python of AutoTrain's environment, in the user's cache: made by the first test run on a machine (a minute)."""
    return Environment().ensure(lambda text: None)


def write_wheel(folder, name, version="1.0", code="", requires=()):
    """Write a wheel with one module."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    files = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture(scope="session")
def wheel():
    return write_wheel


def make_tiny(folder, **config):
    """Save a random model of 60,000 weights with transformers 5."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([WORDS] * 5, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|im_start|>")
    fast.chat_template = CHATML
    shape = {
        "vocab_size": len(fast), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "tie_word_embeddings": True, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
    }  # fmt: skip
    LlamaForCausalLM(LlamaConfig(**(shape | config))).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A model folder as transformers 5 saves it."""
    return make_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def readable(tiny, tmp_path_factory):
    """The same, made readable for AutoTrain."""
    return translate(tiny, tmp_path_factory.mktemp("translated") / "tiny", verify=lambda folder: None)


def write_rows(folder, trainer, rows=28, validation=4):
    """Write rendered rows as the driver reads them."""
    folder.mkdir(exist_ok=True)
    for split, count in (("train", rows), ("validation", validation)):
        made = []
        for i in range(count):
            name, colour = FRUIT[i % len(FRUIT)].split()
            prompt = f"<|im_start|>user\nwhat is the colour of {name}<|im_end|>\n"
            good, bad = (f"<|im_start|>assistant\n{answer}<|im_end|>\n" for answer in (colour, "black"))
            made.append({
                "dpo": {"prompt": prompt, "chosen": good, "rejected": bad},
                "orpo": {"prompt": prompt, "chosen": good, "rejected": bad},
                "reward": {"chosen": prompt + good, "rejected": prompt + bad},
            }.get(trainer, {"text": prompt + good}))  # fmt: skip
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return folder


class Driven:
    """A driver that runs, and what it says."""

    def __init__(self, python, run, output, program=()):
        output.mkdir(parents=True, exist_ok=True)
        self.output, self.log, self.events = output, output / "log.txt", []
        (output / "RUN.json").write_text(json.dumps(run | {"output": str(output)}))
        read, write = os.pipe()
        env = os.environ | {"ANYTUNE_EVENTS_FD": str(write), "HF_TOKEN": "hf_invented0invented0", "SPACE_ID": "me/space"}
        with self.log.open("w") as log:
            argv = [str(python), "-I", "-B", *map(str, program), driver.__file__, str(output / "RUN.json")]
            self.child = subprocess.Popen(argv, pass_fds=[write], env=env, stdout=log, stderr=log, cwd="/")
        os.close(write)
        self._reader = threading.Thread(target=self._read, args=[read])
        self._reader.start()

    def _read(self, descriptor):
        with os.fdopen(descriptor) as stream:
            for line in stream:
                self.events.append(json.loads(line))

    def wait(self):
        self.code = self.child.wait(timeout=240)
        self._reader.join(timeout=30)
        return self

    def kill(self, sign=signal.SIGKILL):
        self.child.send_signal(sign)
        return self.wait()

    def of(self, event):
        return [found for found in self.events if found["event"] == event]


@pytest.fixture(scope="session")
def drive(real, readable, tmp_path_factory):
    """Start a driver on the tiny model: `drive("sft", overrides={…}, params={…})`; it is killed at the end if it still runs."""
    started = []

    def start(trainer, *, params=None, overrides=None, validation=True, python=real, rows=28, program=(), **run):
        folder = tmp_path_factory.mktemp(trainer)
        asked = {
            "model": str(readable), "data_path": str(write_rows(folder / "data", trainer, rows)), "train_split": "train",
            "valid_split": "validation" if validation else None, "trainer": trainer, "block_size": 64, "model_max_length": 512,
            "batch_size": 2, "gradient_accumulation": 1, "lr": 1e-3, "peft": True, "quantization": None, "target_modules": "all-linear",
            "lora_r": 4, "lora_alpha": 8, "padding": "right", "max_prompt_length": 32, "max_completion_length": 32,
        }  # fmt: skip
        ours = {
            "max_steps": 4,
            "save_strategy": "steps",
            "save_steps": 2,
            "save_total_limit": 9,
            "logging_steps": 1,
            "seed": 7,
            "use_cpu": True,
        }
        if validation:
            ours |= {"eval_strategy": "steps", "eval_steps": 2}
        whole = {"params": asked | (params or {}), "overrides": ours | (overrides or {}), "resume": None, "hold": None, "texts": True} | run
        started.append(Driven(python, whole, folder / "out", program))
        return started[-1]

    yield start
    for one in started:
        if one.child.poll() is None:
            one.kill()


@pytest.fixture(scope="session")
def ours():
    """The interpreter that the tests run in."""
    return Path(sys.executable)
