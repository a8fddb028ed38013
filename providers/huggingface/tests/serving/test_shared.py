"""Several adapters of one base in one engine: each answers as it does alone, over weights that are in memory once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anytune.backend import DeployOrder
from anytune.errors import ConfigError
from anytune.values import ModelRef
from anytune_huggingface.serving import options as serve

pytestmark = pytest.mark.filterwarnings("ignore")  # what the training libraries warn of is not ours

QUESTION = [{"role": "user", "content": "what is the colour of apple"}]
NAMES = ("ft:tiny:team:first", "ft:tiny:team:second", "ft:tiny:team:third")


@pytest.fixture
def tuned(tiny_model, tmp_path):
    """Save three adapters that say three different things, as a run leaves them: each with its merged weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from anytune_huggingface.models.merge import merge

    made = {}
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        adapter, merged = tmp_path / f"run-{seed}" / "adapter", tmp_path / f"run-{seed}" / "merged"
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(tiny_model), LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM")
        )
        for label, weight in model.named_parameters():
            if "lora_B" in label:
                torch.nn.init.normal_(weight)
        model.save_pretrained(adapter)
        merge(tiny_model, adapter, merged)
        made[name] = ModelRef(id=str(merged), base_model=str(tiny_model), artifacts={"merged": str(merged), "adapter": str(adapter)})
    return made


def order_of(tuned, base, **options):
    return DeployOrder(ref="D1", model=ModelRef(id=str(base)), name="tiny", ttl_s=60, adapters=tuned, options=options)


@pytest.fixture
def adapter(tmp_path, tiny_model):
    """Write what `serve` looks at: an adapter's configuration beside something named as its weights."""

    def write(name, *, base=tiny_model, rank=8, kind="LORA"):
        folder = tmp_path / name / "adapter"
        folder.mkdir(parents=True)
        config = {"peft_type": kind, "base_model_name_or_path": str(base), "r": rank}
        (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "adapter_model.safetensors").write_bytes(b"")
        return ModelRef(id=str(folder.parent / "merged"), base_model=str(base), artifacts={"adapter": str(folder)})

    return write


def test_each_adapter_answers_as_alone_over_weights_held_once(tuned, tiny_model):
    import torch
    from fastapi.testclient import TestClient
    from transformers import AutoModelForCausalLM

    from anytune_huggingface.serving import shared
    from anytune_huggingface.serving.parity import Prompt, row
    from anytune_huggingface.text.tokenizer import load

    found = shared.held(tiny_model, "tiny", {name: adapters_of(ref) for name, ref in tuned.items()})
    base = found["tiny"][0]
    held = {id(weight) for weight in base.parameters()}
    for name in tuned:
        own = [weight for label, weight in found[name][0].named_parameters() if "lora_" not in label]
        assert own
        assert all(id(weight) in held for weight in own)
    with TestClient(shared.application(found, 0)) as client:
        answers = {name: ask(client, name) for name in (*tuned, "tiny")}
    alone = {}
    for name, ref in tuned.items():
        model = AutoModelForCausalLM.from_pretrained(ref.artifacts["merged"], dtype=torch.float32).eval()
        _, renderer = load(Path(ref.artifacts["merged"]))
        alone[name] = row(model, renderer, Prompt(QUESTION, None))["text"]
    assert {name: answers[name] for name in tuned} == alone
    assert len({*answers.values()}) == len(answers), answers


def adapters_of(ref):
    return Path(ref.artifacts["adapter"])


def ask(client, model, **params):
    body = {"model": model, "messages": QUESTION, "max_tokens": 16, "temperature": 0} | params
    reply = client.post("/v1/chat/completions", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["model"] == model
    return reply.json()["choices"][0]["message"]["content"]


def test_names_that_it_does_not_hold_are_refused_and_nothing_is_loaded(tiny_model):
    from fastapi.testclient import TestClient

    from anytune_huggingface.serving import shared

    with TestClient(shared.application({"tiny": shared.alone(tiny_model)}, 0)) as client:
        assert ask(client, "tiny")
        body = {"model": "HuggingFaceTB/SmolLM2-135M-Instruct", "messages": QUESTION}
        assert client.post("/v1/chat/completions", json=body).status_code == 404


def test_the_engine_is_told_every_adapter_by_its_name(adapter, tiny_model):
    first, second = adapter("first"), adapter("second")
    (Path(first.artifacts["adapter"]).parent / "parity.json").write_text("{}", encoding="utf-8")
    chosen = serve.settings(order_of({"ft:a": first, "ft:b": second}, tiny_model))
    module = chosen.engine.index("anytune_huggingface.serving.engine")
    assert chosen.engine[module + 1 : module + 3] == (str(tiny_model), "{port}")
    assert chosen.engine[module + 4 :] == ("tiny", "ft:a", first.artifacts["adapter"], "ft:b", second.artifacts["adapter"])
    assert {name: model.engine_model for name, model in chosen.models.items()} == {"tiny": "tiny", "ft:a": "ft:a", "ft:b": "ft:b"}
    assert [model.parity is not None for model in chosen.adapters.values()] == [True, False]


def test_the_cache_is_shared_out_among_the_models(adapter, tiny_model):
    alone = serve.settings(order_of({}, tiny_model)).engine
    crew = {f"ft:{number}": adapter(f"a{number}") for number in range(3)}
    shared = serve.settings(order_of(crew, tiny_model)).engine
    assert int(shared[shared.index("{port}") + 1]) == int(alone[alone.index("{port}") + 1]) // 4
    unbatched = serve.settings(order_of(crew, tiny_model, continuous_batching=False))
    assert unbatched.engine[unbatched.engine.index("{port}") + 1] == "0"


def test_vllm_is_given_the_adapters_as_modules(adapter, tiny_model, tmp_path, monkeypatch):
    executable = tmp_path / "vllm"
    executable.write_text("#!/bin/sh\n", encoding="utf-8")
    executable.chmod(0o755)
    monkeypatch.setattr(serve, "nvidia", lambda: True)
    crew = {"ft:a": adapter("first", rank=12), "ft:b": adapter("second", rank=4)}
    chosen = serve.settings(order_of(crew, tiny_model, vllm=str(executable)))
    told = chosen.engine[chosen.engine.index("--enable-lora") :]
    assert told[:6] == ("--enable-lora", "--max-loras", "2", "--max-lora-rank", "16", "--lora-modules")
    assert [json.loads(word) for word in told[6:]] == [{"name": name, "path": ref.artifacts["adapter"]} for name, ref in crew.items()]
    assert chosen.parity_mode == "gpu"


def test_an_adapter_of_another_base_is_refused(adapter, tiny_model, copied):
    with pytest.raises(ConfigError, match="is an adapter of"):
        serve.settings(order_of({"ft:a": adapter("first", base=copied)}, tiny_model))


def test_a_model_without_an_adapter_cannot_share(tiny_model):
    with pytest.raises(ConfigError, match="has no adapter"):
        serve.settings(order_of({"ft:a": ModelRef(id=str(tiny_model))}, tiny_model))


def test_an_adapter_of_another_kind_cannot_share(adapter, tiny_model):
    with pytest.raises(ConfigError, match="no LoRA adapter"):
        serve.settings(order_of({"ft:a": adapter("first", kind="IA3")}, tiny_model))


def test_an_adapter_with_pickled_weights_is_refused(adapter, tiny_model):
    ref = adapter("first")
    Path(ref.artifacts["adapter"], "adapter_model.safetensors").rename(Path(ref.artifacts["adapter"], "adapter_model.bin"))
    with pytest.raises(ConfigError, match="pickled ones are refused"):
        serve.settings(order_of({"ft:a": ref}, tiny_model))
