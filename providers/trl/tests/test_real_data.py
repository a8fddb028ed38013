"""Masks on real data: SNIPS conversations and BFCL's tool calls, by the starter's own tokenizer.

SNIPS lies in ../shared; BFCL is fetched once from PyPI (`bfcl-eval`, Apache-2.0) as a wheel that is read and never installed. Without
them these tests are skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from itertools import islice
from pathlib import Path

import pytest

from anytune.data import lines
from anytune.data.files import Line
from anytune_huggingface.models import starter
from anytune_huggingface.text.render import IGNORED
from anytune_huggingface.text.tokenizer import load
from anytune_trl.dataset import build, findings
from anytune_trl.shown import show

SNIPS = Path(__file__).resolve().parents[4] / "shared" / "data" / "snips" / "train.jsonl"
BFCL = "bfcl-eval==2026.3.23"
SETS = ("simple_python", "multiple", "parallel", "parallel_multiple")
TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
TOOLS = (
    "{%- if tools -%}<|im_start|>system\nFunctions, one a line, each with the JSON schema of what it takes:\n"
    "{% for tool in tools %}{{ tool.function | tojson }}\n{% endfor %}Put each call into its own tag.<|im_end|>\n{% endif -%}"
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{%- for call in message.tool_calls or [] -%}"
    '<call>{{ {"name": call.function.name, "arguments": call.function.arguments} | tojson }}</call>'
    "{%- endfor -%}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The starter's tokenizer with its own template, and with one that renders tools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTUNE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        folder = starter.ensure_tokenizer()
        _, own = load(folder)
        tokenizer, _ = load(folder)
        tokenizer.chat_template = TOOLS
        return own, type(own)(tokenizer)


@pytest.fixture(scope="module")
def bfcl():
    """Rows of single-turn tool calls with their answers."""
    cache = Path(tempfile.gettempdir()) / "anytune-tests-bfcl"
    if not list(cache.glob("*.whl")):
        fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(cache), BFCL]
        if subprocess.run(fetch, capture_output=True, timeout=120, check=False).returncode:
            pytest.skip(f"{BFCL} cannot be fetched")
    with zipfile.ZipFile(next(cache.glob("*.whl"))) as wheel:

        def read(name):
            return [json.loads(line) for line in wheel.read(f"bfcl_eval/data/{name}.json").decode().splitlines()]

        return [
            chat(question, answer)
            for name in SETS
            for question, answer in zip(read(f"BFCL_v4_{name}"), read(f"possible_answer/BFCL_v4_{name}"), strict=True)
        ]


def chat(question, answer):
    """Make one of anytune's rows: of several right values the first one is the answer."""
    calls = [
        {"type": "function", "function": {"name": dashed(name), "arguments": json.dumps(first(arguments))}}
        for call in answer["ground_truth"]
        for name, arguments in call.items()
    ]
    tools = [{"type": "function", "function": plain(function) | {"name": dashed(function["name"])}} for function in question["function"]]
    return {"messages": [*question["question"][0], {"role": "assistant", "content": "", "tool_calls": calls}], "tools": tools}


def dashed(name):
    return name.replace(".", "_")


def first(arguments):
    return {name: values[0] for name, values in arguments.items() if values[0] != ""}


def plain(schema):
    """Write Python's names of types as JSON Schema's."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: TYPES.get(value, value) if key == "type" and isinstance(value, str) else plain(value) for key, value in schema.items()}


def shown(line, renderer):
    (seen,) = show(line, "sft", renderer, max_length=8192, overlong="error", pieces=True)
    return seen


@pytest.mark.skipif(not SNIPS.is_file(), reason="SNIPS is not here")
def test_of_snips_exactly_the_answers_and_their_stop_tokens_are_learned(tuned):
    renderer, _ = tuned
    for line in islice(lines(SNIPS), 0, 13_784, 9):
        seen = shown(line, renderer)
        assert [piece.text for piece in seen.pieces if piece.trained] == [f"{line.row['messages'][-1]['content']}<|im_end|>"]
        assert "".join(piece.text for piece in seen.pieces) == renderer.tokenizer.apply_chat_template(line.row["messages"], tokenize=False)
        assert seen.findings == ()


@pytest.mark.skipif(not SNIPS.is_file(), reason="SNIPS is not here")
def test_snips_is_clean_and_half_of_its_tokens_are_learned(tuned):
    renderer, _ = tuned
    counts = build(islice(lines(SNIPS), 2000), "sft", renderer, max_length=2048).counts
    assert findings(counts, role="train", max_length=2048, overlong="error") == []
    assert 0.45 < counts.learned_share < 0.55


def test_of_bfcl_exactly_the_calls_and_their_stop_token_are_learned(tuned, bfcl):
    _, renderer = tuned
    assert len(bfcl) == 1000
    for number, row in enumerate(bfcl, start=1):
        seen = shown(Line(number, row), renderer)
        calls = [call["function"] for call in row["messages"][-1]["tool_calls"]]
        (learned,) = [piece.text for piece in seen.pieces if piece.trained]
        assert learned.endswith("</call><|im_end|>")
        said = [json.loads(part.removesuffix("</call>")) for part in learned.removesuffix("<|im_end|>").split("<call>")[1:]]
        assert said == [{"name": call["name"], "arguments": json.loads(call["arguments"])} for call in calls]
        read = seen.pieces[0].text
        assert all(f'"name": "{tool["function"]["name"]}"' in read for tool in row["tools"])
        assert row["messages"][-2]["content"] in read


def test_of_bfcl_the_prompt_is_what_a_server_computes(tuned, bfcl):
    _, renderer = tuned
    for number, row in enumerate(bfcl[::10], start=1):
        dataset = build([Line(number, row)], "sft", renderer, max_length=8192)
        (ids,), (labels,) = dataset.columns["input_ids"], dataset.columns["labels"]
        begins = next(place for place, label in enumerate(labels) if label != IGNORED)
        assert ids[:begins] == renderer.prompt_ids(row["messages"][:-1], row["tools"])


def test_bfcl_is_refused_where_the_template_leaves_tools_out(tuned, bfcl):
    renderer, _ = tuned
    counts = build([Line(n, row) for n, row in enumerate(bfcl[:50], start=1)], "sft", renderer, max_length=8192).counts
    (found,) = findings(counts, role="train", max_length=8192, overlong="error")
    assert (found.code, found.rows) == ("tools-not-rendered", tuple(range(1, 51)))
