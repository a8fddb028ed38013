from __future__ import annotations

import ast
import json
import subprocess
import sys

import jinja2.sandbox
import pytest

from anytune.backend import DataStats
from anytune.data import describe
from anytune.errors import ConfigError, Unsupported
from anytune.spec import TrainingSpec
from anytune_autotrain import AutoTrainBackend, environment
from anytune_huggingface.compute.dockerfile import dockerfile

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

ALONE = {"type": "sft", "packing": False}


@pytest.fixture
def backend(real):
    return AutoTrainBackend()


@pytest.fixture
def no_gpu(backend, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return backend


def spec_of(data, model, **given):
    return TrainingSpec(**({"backend": "autotrain", "model": str(model), "train": data, "method": ALONE} | given))


def check(backend, data, model, **given):
    return backend.check(spec_of(data, model, **given), [describe(data, "train")])


def errors(found):
    return {finding.code: finding for finding in found if finding.severity == "error"}


def codes(found):
    return {finding.code: finding for finding in found}


def test_importing_the_backend_loads_no_training_library():
    code = (
        "import sys, anytune_autotrain as a; a.AutoTrainBackend().capabilities; "
        "print(sorted({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_good_run_is_told_that_everything_is_learned(backend, rows, tiny_model):
    found = check(backend, rows(), tiny_model)
    assert {(one.severity, one.code) for one in found} == {("info", "all-learned")}


def test_tokens_are_counted_as_the_trainer_takes_them(backend, rows, tiny_model):
    from transformers import AutoTokenizer

    from anytune.data import lines

    data = rows()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    each = [len(tokenizer.apply_chat_template(line.row["messages"], return_dict=False)) for line in lines(data)]
    quote = backend.quote(
        spec_of(data, tiny_model, method=ALONE | {"num_train_epochs": 3, "per_device_train_batch_size": 1}), DataStats(rows=28)
    )
    assert quote.tokens == 3 * sum(each)
    joined = backend.quote(
        spec_of(
            data, tiny_model, method={"type": "sft", "max_length": 32, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1}
        ),
        DataStats(rows=28),
    )
    assert joined.tokens == (sum(each) + 28) // 32 * 32
    assert "estimated" in joined.basis


def test_joining_rows_is_said_with_its_steps_and_losses(backend, rows, tiny_model):
    found = codes(check(backend, rows(), tiny_model, method={"type": "sft", "max_length": 64}))
    assert found["packed"].severity == "warning"
    assert "joins the 28 train rows into 9 blocks of 64 tokens; the run takes 1 steps" in found["packed"].message
    few = codes(
        check(
            backend,
            rows([{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 3),
            tiny_model,
            method="sft",
        )
    )
    assert "do not fill one block" in few["packed"].message


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"adapter": "qlora"}, "qlora", "need an NVIDIA GPU"),
        ({"adapter": "lora", "options": {"autotrain": {"quantization": "int8"}}}, "qlora", "int8 weights need an NVIDIA GPU"),
        ({"options": {"autotrain": {"use_flash_attention_2": True}}}, "flash-attention", "needs an NVIDIA GPU"),
        ({"options": {"autotrain": {"unsloth": True}}}, "options", "`unsloth` is not a setting"),
        ({"options": {"autotrain": {"distributed_backend": "deepspeed"}}}, "options", "`distributed_backend` is not a setting"),
        ({"options": {"autotrain": {"token": "hf_x"}}}, "options", "`token` is not a setting"),
        ({"options": {"autotrain": {"optimiser": "adafactor"}}}, "options", "Unknown setting `optimiser`"),
        ({"options": {"autotrain": {"quantization": "int4"}}}, "options", "needs an adapter"),
        ({"method": ALONE | {"max_length": 12}}, "overlong", "longer than max_length=12"),
        ({"method": {"type": "sft", "max_length": 4096}}, "max-length", "beyond the model's 512 positions"),
        ({"method": {"type": "rft", "grader": {"type": "string_check"}}}, "method", "does not offer method 'rft'"),
        ({"model": "/no/such/model"}, "model", "no model folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_with_the_reason(no_gpu, rows, tiny_model, given, code, words):
    found = errors(check(no_gpu, rows(), **({"model": tiny_model} | given)))
    assert words in found[code].message


def test_a_word_that_is_switched_off_is_no_word(backend, rows, tiny_model):
    options = {
        "autotrain": {"unsloth": False, "distributed_backend": None, "push_to_hub": True, "username": "me", "optimizer": "adafactor"}
    }
    assert not errors(check(backend, rows(), tiny_model, options=options))


def test_training_with_a_grader_has_no_settings(backend, rows, tiny_model):
    with pytest.raises(Unsupported, match="does not train with graders"):
        backend.resolved(spec_of(rows(), tiny_model, method={"type": "rft", "grader": {"type": "string_check"}}))


def test_an_unknown_architecture_is_refused_with_those_that_are_known(backend, rows, copied):
    config = json.loads((copied / "config.json").read_text()) | {"model_type": "qwen3"}
    (copied / "config.json").write_text(json.dumps(config))
    found = errors(check(backend, rows(), copied))["architecture"]
    assert "does not know the architecture 'qwen3'; it knows" in found.message
    assert "llama" in found.message


def test_prompts_over_a_limit_of_autotrains_own_are_refused_and_not_cut(backend, rows, tiny_model, fruit):
    data = rows([{"prompt": f"what is the colour of {name}", "chosen": colour, "rejected": "sky"} for name, colour in fruit])
    short = {"autotrain": {"max_prompt_length": 4}}
    assert not errors(check(backend, data, tiny_model, method="dpo"))
    assert "max_prompt_length=4" in errors(check(backend, data, tiny_model, method="dpo", options=short))["overlong"].message
    cut = codes(check(backend, data, tiny_model, method={"type": "dpo", "overlong": "truncate"}, options=short))
    assert cut["truncated"].severity == "warning"


def test_turns_that_are_not_to_be_learned_are_named(backend, rows, chat, tiny_model):
    row = chat()
    row["messages"] = [*row["messages"], {"role": "user", "content": "pear"}, {"role": "assistant", "content": "green", "weight": 0}]
    found = codes(check(backend, rows([row, chat()]), tiny_model))
    assert found["dropped-feature"].rows == (1,)


def test_rows_are_shown_as_they_are_learned_every_token(backend, rows, tiny_model, chat, fruit):
    (shown,) = backend.render(spec_of(rows(), tiny_model), [(1, chat())])
    assert (shown.prompt_tokens, [piece.trained for piece in shown.pieces]) == (1, [False, True])
    assert "".join(piece.text for piece in shown.pieces).endswith("<|im_start|>assistant\nred<|im_end|>\n")
    pair = {"prompt": "what is the colour of apple", "chosen": "red", "rejected": "sky"}
    sides = list(backend.render(spec_of(rows(), tiny_model, method="dpo"), [(1, pair)]))
    assert [side.label for side in sides] == ["chosen", "rejected"]
    assert sides[0].pieces[-1].text == "red<|im_end|>"


def test_texts_without_a_template_are_joined_as_they_stand(backend, rows, tiny_model):
    raw = {"autotrain": {"chat_template": None}}
    pair = {"prompt": "apple", "chosen": " red", "rejected": " sky"}
    (chosen, _) = backend.render(spec_of(rows(), tiny_model, method="orpo", options=raw), [(1, pair)])
    assert "".join(piece.text for piece in chosen.pieces) == "apple red<|im_end|>"


@pytest.mark.parametrize("template", ["chatml", "zephyr"])
def test_autotrains_own_templates_render_as_autotrain_does(backend, real, tiny_model, chat, template):
    (source,) = real.parent.parent.glob("lib/python*/site-packages/autotrain/trainers/clm/utils.py")
    constants = {node.targets[0].id: node.value for node in ast.parse(source.read_text()).body if isinstance(node, ast.Assign)}
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    theirs = environment.from_string(ast.literal_eval(constants[f"{template.upper()}_CHAT_TEMPLATE"]))
    spec = spec_of("rows.jsonl", tiny_model, options={"autotrain": {"chat_template": template}})
    (shown,) = backend.render(spec, [(1, chat("apple", "red"))])
    eos = {"chatml": "<|im_end|>", "zephyr": "</s>"}[template]
    assert "".join(piece.text for piece in shown.pieces) == theirs.render(chat("apple", "red"), eos_token=eos)


def test_a_missing_environment_is_announced_with_its_size(backend, rows, tiny_model, monkeypatch, tmp_path):
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "none"))
    found = codes(check(backend, rows(), tiny_model))["environment"]
    assert found.severity == "info"
    assert "GB from the package index" in found.message
    told = backend.diagnose()[0]
    assert (told.severity, told.code) == ("info", "environment")
    assert "is missing" in told.message


def test_a_ready_environment_is_shown_by_doctor(backend):
    told = backend.diagnose()[0]
    assert "is ready, 1.8 GB" in told.message
    assert "AutoTrain 0.8.36" in told.message


def test_a_large_file_is_sampled_and_the_longest_row_is_found_all_the_same(backend, rows, chat, tiny_model):
    many = [chat(f"colour {n}") for n in range(5200)]
    many[4321] = chat("apple " * 600)
    found = codes(check(backend, rows(many), tiny_model))
    assert found["overlong"].rows == (4322,)
    assert "5,000 of 5,200 train rows" in found["sampled"].message


def test_a_tracker_that_autotrains_environment_has_not_is_refused(backend, rows, tiny_model):
    found = errors(check(backend, rows(), tiny_model, method=ALONE | {"report_to": ["wandb", "tensorboard"]}))
    assert set(found) == {"report-to"}
    assert "'wandb'" in found["report-to"].message


def test_tensorboard_is_written_by_the_specs_own_word(tiny_model):
    assert AutoTrainBackend().resolved(spec_of("rows.jsonl", tiny_model, method=ALONE | {"report_to": ["tensorboard"]}))["tensorboard"]


def test_the_image_of_a_space_is_built_with_autotrains_environment():
    lines = dockerfile("python:3.11-slim", AutoTrainBackend.program).splitlines()
    made = lines.index('RUN ["python", "-m", "anytune_autotrain.environment"]')
    assert lines.index("USER user") < made


def test_another_place_to_compute_is_refused():
    with pytest.raises(ConfigError, match="no compute 'moon'"):
        AutoTrainBackend(compute="moon")
