"""Models of transformers 5 in transformers 4.48: the same numbers and tokens, or a refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from anytune.errors import ConfigError
from anytune_autotrain.translate import PROVEN, architectures, problem, translate

SHAPE = {"vocab_size": 353, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
USUAL = SHAPE | {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}  # fmt: skip
OLD = SHAPE | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
EXPERTS = {"num_experts_per_tok": 2}
ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 2500.0}}
PARTIAL = {"rope_parameters": {"rope_type": "default", "rope_theta": 2500.0, "partial_rotary_factor": 0.25}}
MODELS = (
    dict.fromkeys(
        ("cohere", "cohere2", "falcon", "granite", "llama", "mistral", "olmo", "olmo2", "phi3", "qwen2", "starcoder2"), USUAL | ROPE
    )
    | dict.fromkeys(("gpt_neox", "nemotron", "persimmon", "stablelm"), USUAL | PARTIAL)
    | {kind: USUAL | ROPE | {"head_dim": 8} for kind in ("gemma", "glm")}
    | {kind: USUAL | ROPE | EXPERTS | {"num_local_experts": 4} for kind in ("granitemoe", "mixtral")}
    | {"olmoe": USUAL | ROPE | EXPERTS | {"num_experts": 4}}
    | {"qwen2_moe": USUAL | ROPE | EXPERTS | {"num_experts": 4, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32}}
    | dict.fromkeys(("gpt2", "gpt_bigcode"), OLD)
    | {kind: OLD | {"rotary_dim": 4} for kind in ("codegen", "gptj")}
    | {
        "bloom": SHAPE | {"hidden_size": 32, "n_layer": 2, "n_head": 4},
        "mamba": USUAL,
        "mpt": SHAPE | {"d_model": 32, "n_heads": 4, "n_layers": 2},
    }
    | {"opt": USUAL | {"ffn_dim": 64, "word_embed_proj_dim": 32}}
    | {"xglm": SHAPE | {"d_model": 32, "ffn_dim": 64, "num_layers": 2, "attention_heads": 4}}
    | {"gpt_neo": SHAPE | {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global"], 2]]}}
)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
ROPES = {"linear": {"rope_type": "linear", "factor": 4.0}, "dynamic": {"rope_type": "dynamic", "factor": 2.0}, "llama3": LLAMA3}
MODELS |= {f"llama-{name}": USUAL | {"rope_parameters": rope | {"rope_theta": 500000.0}} for name, rope in ROPES.items()}

LOGITS = """
import json, sys, torch
from transformers import AutoModelForCausalLM
for name in sys.argv[2:]:
    model = AutoModelForCausalLM.from_pretrained(f"{sys.argv[1]}/{name}", torch_dtype=torch.float32).eval()
    ids = (torch.arange(48) * 37 % 353)[None]
    with torch.no_grad():
        torch.save(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits, f"{sys.argv[1]}/{name}.pt")
"""
TEXTS = [
    "Hello, world!", " leading", "trailing ", "  two  spaces", "don't stop", "Ünïcödé ßtraße", "日本語のテキスト", "emoji 👩‍👩‍👧‍👦 🚀", "tab\tnew\nline\r\n",
    "1234567890 3.14", "<|im_start|>user\nhi<|im_end|>", "<|im_end|><|im_end|>", "a" * 50, "", "def f(x):\n    return x**2", "x.y/z?q=1&r=2",
    "MiXeD CaSe", "... !? ,", "مرحبا", "\u00a0nbsp\u200bzw",
]  # fmt: skip
TOKENS = """
import json, sys
from transformers import AutoTokenizer
asked = json.load(sys.stdin)
made = AutoTokenizer.from_pretrained(asked["folder"])
chat = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "what is it"}, {"role": "assistant", "content": "red"}]
print(json.dumps({
    "ids": [made(text)["input_ids"] for text in asked["texts"]],
    "decoded": [made.decode(made(text)["input_ids"]) for text in asked["texts"]],
    "inputs": sorted(made("a")),
    "chat": made.apply_chat_template(chat, tokenize=False),
    "prompt": made.apply_chat_template(chat[:2], tokenize=False, add_generation_prompt=True),
    "special": [made.bos_token, made.eos_token, made.pad_token, made.unk_token, len(made)],
}))
"""


def accept(folder):
    """Stands for the check of a folder's safety."""


def run(python, program, *args, text=""):
    done = subprocess.run([python, "-c", program, *args], input=text, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def edited(folder, name, **changes):
    """Change a JSON file of a model; None removes a key."""
    path = folder / name
    kept = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in kept.items() if value is not None}))


@pytest.fixture
def copied(tiny, tmp_path):
    """A copy that a test may spoil."""
    folder = tmp_path / "copied"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def logits(real, tmp_path_factory):
    """The logits of every proven architecture, in both versions."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    new, old = tmp_path_factory.mktemp("new"), tmp_path_factory.mktemp("old")
    for name, shape in MODELS.items():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name.partition("-")[0], **shape)).float()
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=0.3)  # large enough that positions matter
        model.save_pretrained(new / name)
        assert translate(new / name, old / name, verify=accept) == old / name
    run(sys.executable, LOGITS, str(new), *MODELS)
    run(real, LOGITS, str(old), *MODELS)
    return {name: (torch.load(new / f"{name}.pt"), torch.load(old / f"{name}.pt")) for name in MODELS}


class TestNumbers:
    @pytest.mark.parametrize("name", MODELS)
    def test_are_the_same_in_both_versions(self, logits, name):
        new, old = logits[name]
        assert new.abs().max() > 0.1
        assert (new - old).abs().max() < 1e-4

    def test_are_proven_for_each_architecture_that_is_translated(self):
        assert {name.partition("-")[0] for name in MODELS} == PROVEN

    def test_would_be_of_wrong_positions_without_the_translation(self, readable, copied, real):
        program = "import sys; from transformers import AutoConfig; print(*(AutoConfig.from_pretrained(folder).rope_theta for folder in sys.argv[1:]))"
        assert run(real, program, str(readable), str(copied)).split() == ["500000.0", "10000.0"]


class TestTokens:
    def same(self, folder, made, real):
        new, old = (
            json.loads(run(python, TOKENS, text=json.dumps({"folder": str(where), "texts": TEXTS})))
            for python, where in ((sys.executable, folder), (real, made))
        )
        assert new == old

    def test_and_the_chat_template_are_the_same_in_both_versions(self, tiny, readable, real):
        self.same(tiny, readable, real)

    @pytest.mark.slow
    def test_of_the_starter_are_the_same_in_both_versions(self, real, tmp_path, monkeypatch):
        monkeypatch.delenv("ANYTUNE_HOME")
        starter = pytest.importorskip("anytune_huggingface.models.starter")
        folder = starter.ensure()
        made = translate(folder, tmp_path / "starter", verify=accept)
        self.same(folder, made, real)


class TestCopy:
    def test_links_the_weights_and_leaves_the_original_alone(self, tiny, readable):
        assert (readable / "model.safetensors").samefile(tiny / "model.safetensors")
        assert "rope_parameters" in json.loads((tiny / "config.json").read_text())

    def test_is_not_made_of_what_transformers_4_saved(self, readable, tmp_path):
        assert translate(readable, tmp_path / "copy", verify=accept) == readable
        assert not (tmp_path / "copy").exists()

    def test_keeps_additional_special_tokens(self, copied, tmp_path):
        edited(copied, "tokenizer_config.json", extra_special_tokens=["<|im_start|>"])
        made = json.loads((translate(copied, tmp_path / "copy", verify=accept) / "tokenizer_config.json").read_text())
        assert (made["additional_special_tokens"], made.get("extra_special_tokens")) == (["<|im_start|>"], None)

    def test_replaces_what_an_interrupted_translation_left(self, tiny, tmp_path):
        (tmp_path / "copy.tmp" / "half").mkdir(parents=True)
        made = translate(tiny, tmp_path / "copy", verify=accept)
        assert (made / "config.json").is_file()
        assert not (tmp_path / "copy.tmp").exists()


class TestRefusal:
    def test_of_an_architecture_that_4_48_does_not_know_lists_those_it_knows(self, copied, tmp_path):
        edited(copied, "config.json", model_type="qwen3")
        with pytest.raises(ConfigError, match=r"does not know the architecture 'qwen3'; it knows .*qwen2") as refused:
            translate(copied, tmp_path / "copy", verify=accept)
        assert "backend `trl`" in refused.value.fix

    def test_of_an_architecture_that_was_not_compared(self, copied):
        edited(copied, "config.json", model_type="phi")
        assert "but not 'phi'" in problem(copied)

    @pytest.mark.parametrize("kind", ["yarn", "longrope", "proportional"])
    def test_of_rotary_positions_that_4_48_computes_otherwise(self, copied, kind):
        edited(copied, "config.json", rope_parameters={"rope_type": kind, "rope_theta": 10000.0, "factor": 2.0})
        assert f"{kind!r}" in problem(copied)

    def test_of_several_kinds_of_rotary_positions(self, copied):
        edited(copied, "config.json", rope_parameters={"full_attention": {"rope_theta": 1.0}, "sliding_attention": {"rope_theta": 2.0}})
        assert "several kinds" in problem(copied)

    def test_of_what_the_check_of_folders_refuses(self, tiny, tmp_path):
        def refuse(folder):
            raise ConfigError(f"{folder.name} asks for custom code.", fix="Use another.")

        with pytest.raises(ConfigError, match="tiny asks for custom code"):
            translate(tiny, tmp_path / "copy", verify=refuse)
        assert not (tmp_path / "copy").exists()

    def test_of_a_copy_that_the_check_refuses_leaves_nothing_in_place(self, tiny, tmp_path):
        def refuse(folder):
            if folder != tiny:
                raise ConfigError("not safe", fix="Use another.")

        with pytest.raises(ConfigError, match="not safe"):
            translate(tiny, tmp_path / "copy", verify=refuse)
        assert not (tmp_path / "copy").exists()

    def test_of_a_new_tokenizer_without_its_file(self, copied, tmp_path):
        (copied / "tokenizer.json").unlink()
        with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
            translate(copied, tmp_path / "copy", verify=accept)


def test_the_list_of_architectures_is_that_of_the_environment(real):
    program = "from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as m; print(*sorted(m))"
    assert tuple(run(real, program).split()) == architectures()
