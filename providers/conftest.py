"""For all providers: a model small enough for unit tests, two layers of Llama with random weights and a tokenizer trained on the spot."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{% for call in message.get('tool_calls', []) %}<tool_call>{{ call.function.name }} {{ call.function.arguments | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}"
    "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>\n{% endif %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOLS_FIRST = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}{% endfor %}<|im_end|>\n{% endif %}"
    + CHATML.replace("{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>\n{% endif %}", "")
)
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named "
    "SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THINKING = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEMPLATES = {"chatml": CHATML, "tools-first": TOOLS_FIRST, "smollm2": SMOLLM2, "thinking": THINKING}
WORDS = "what is the colour of apple pear plum cherry lime red green purple yellow sky grass please answer you are helpful system user assistant get weather"


@pytest.fixture(autouse=True)
def anytune_home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ANYTUNE_HOME", str(home))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home


@pytest.fixture(autouse=True)
def subnormal_floats():
    """Give subnormal floats back to the tests that follow: training on a CPU lets the processor take them for zero."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def make_tokenizer(template=TOOLS_FIRST):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([WORDS] * 5, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|im_start|>")
    fast.chat_template = template
    return fast


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A folder with a random model of 60,000 weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _chat(question="what is the colour of apple", answer="red"):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


FRUIT = [
    ("apple", "red"),
    ("pear", "green"),
    ("plum", "purple"),
    ("lime", "green"),
    ("cherry", "red"),
    ("grass", "green"),
    ("sky", "yellow"),
]


@pytest.fixture
def chat():
    """Make a row."""
    return _chat


@pytest.fixture
def fruit():
    """Questions and answers of the rows."""
    return FRUIT


@pytest.fixture(scope="session")
def tokenizer_with():
    """Make the tiny tokenizer with a chat template, by name or as text."""
    return lambda template="tools-first": make_tokenizer(TEMPLATES.get(template, template))


@pytest.fixture
def rows(tmp_path):
    """Write rows to a JSONL file."""

    def write(found=None, name="rows.jsonl"):
        found = found or [_chat(f"what is the colour of {fruit}", colour) for fruit, colour in FRUIT * 4]
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def simulated_hub(tmp_path_factory):
    """A Hub on loopback that this process, and what it starts, take for the Hub; for a whole module."""
    from anytune.testing import HubSimulator
    from anytune.testing.simulators.hub import spoken_to

    with HubSimulator(user="acme", orgs=()) as sim, spoken_to(tmp_path_factory.mktemp("hub"), sim):
        yield sim


def wait_for(condition, seconds=90.0):
    """Poll until a condition gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture
def until():
    return wait_for


@pytest.fixture
def copied(tiny_model, tmp_path):
    """A copy of the tiny model that a test may spoil."""
    import shutil

    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))
