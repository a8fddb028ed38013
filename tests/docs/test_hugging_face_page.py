"""The pages about the Hugging Face cloud: they name every setting with its default, and what is typed there works at the simulated Hub."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "hugging-face.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def told(heading):
    """The settings in the table below a heading, with what stands there as default."""
    section = SETTINGS.partition(f"### {heading}\n")[2].partition("\n#")[0]
    return {name: default.strip().strip("`") for name, default in ROW.findall(section)}


def real(model, *, but=()):
    """The settings of a class, with their defaults as the page writes them."""
    words = {None: "none", True: "true", False: "false"}
    fields = {name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items() if name not in but}
    return {
        name: "empty" if default in ({}, ()) else words[default] if default is None or isinstance(default, bool) else str(default)
        for name, default in fields.items()
    }


def test_every_setting_of_jobs_is_told_with_its_default():
    from anytune_huggingface.compute.jobs import JobsSettings

    assert told("Hugging Face Jobs: `hf_jobs`") == real(JobsSettings)


def test_every_setting_of_spaces_is_told_with_its_default():
    from anytune_huggingface.compute.jobs import JobsSettings
    from anytune_huggingface.compute.spaces import SpaceSettings

    assert set(JobsSettings.model_fields) - set(SpaceSettings.model_fields) == {"resumes"}
    assert told("Private Spaces: `spaces`") == real(SpaceSettings, but=JobsSettings.model_fields)


def test_every_option_of_an_endpoint_is_told_with_its_default():
    from anytune_huggingface.hub.endpoints import EndpointSettings

    assert told("Inference Endpoints") == real(EndpointSettings)


@pytest.mark.parametrize("table", ["hf_jobs", "rented"])
def test_the_profiles_that_are_shown_can_be_set_up(tmp_path, monkeypatch, table):
    from anytune.profiles import configured

    text = SETTINGS if table == "hf_jobs" else PAGE
    shown = next(found for found in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if "profiles.rented" in found)
    (tmp_path / "anytune.toml").write_text(shown, encoding="utf-8")
    monkeypatch.setenv("ANYTUNE_CONFIG", str(tmp_path / "anytune.toml"))
    settings = configured("rented").compute.settings
    assert (settings.flavor, settings.timeout_s, settings.resumes) == ("a10g-small", 4 * 3600.0, 2)


@pytest.fixture
def account(tmp_path):
    """A simulated Hub with a tiny model in the starter's place, and the environment of somebody who has an account there."""
    from anytune.testing.simulators.hub import HubSimulator

    with HubSimulator(user="ada", orgs=("acme",)) as hub:
        hub.add("model", MODEL, tiny(tmp_path / "tiny"))
        known = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "ANYTUNE_"))}
        own = {"ANYTUNE_HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "huggingface"), "GOMP_SPINCOUNT": "0"}
        yield hub, known | own | hub.environment()


def tiny(folder):
    """Two layers of Llama with random weights, which answer anything."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    special = ["<|im_start|>", "<|im_end|>"]
    vocabulary = {word: place for place, word in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_start|>")
    fast.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=256, eos_token_id=fast.eos_token_id, pad_token_id=fast.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(find_spec("torch") is None, reason="the trl backend is not installed")
def test_what_is_typed_trains_in_the_cloud_publishes_and_serves_here(account, tmp_path):
    hub, environment = account
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    train, _, push = BLOCK.findall(PAGE)
    (tmp_path / "page.py").write_text(train.replace("a10g-small", "cpu-basic") + push, encoding="utf-8")

    def typed(*command):
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    said = typed(sys.executable, "page.py")
    assert re.search(r"^ada/anytune-rented-\w{10}@[0-9a-f]{40} ", said, re.MULTILINE)
    published = hub.store.get("model", "acme/recipes")
    assert published.private
    assert "model.safetensors" in published.files()
    assert hub.count("POST /api/jobs/{namespace}") == 1
    anytune = [sys.executable, "-m", "anytune.cli"]
    assert "It bills nothing by the hour." in typed(*anytune, "deploy", "rented", "--backend", "trl@local", "--ttl", "5m")
    typed(*anytune, "deployments", "stop", "rented")
