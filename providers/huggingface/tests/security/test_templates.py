"""Row 23: a chat template is a program that came with a model. It reaches nothing of the machine, and ends within time and memory."""

from __future__ import annotations

import json
import resource
import time

import pytest

from anytune.errors import DataError
from anytune_huggingface.text.bounded import LIMIT_S, TooMuchError

pytestmark = pytest.mark.filterwarnings("ignore")  # what the training libraries warn of is not ours

CANARY = "template_canary"
DEEP = "{% if 1 %}" * 5000 + "{% endif %}" * 5000

ESCAPES = (
    "{{ lipsum.__globals__['os'].popen('touch CANARY') }}",
    "{{ messages.__class__.__mro__[1].__subclasses__() }}",
    "{{ (messages|attr('__class__')|attr('__mro__'))[1] }}",
    "{{ (''|attr('__cl' ~ 'ass__')).mro() }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "{{ '{m.__class__.__mro__}'.format_map({'m': messages})[1].x }}",
    "{{ raise_exception.__globals__['os'].system('touch CANARY') }}",
    "{{ strftime_now.__globals__['open']('CANARY', 'w') }}",
    "{{ self.__init__.__globals__.os }}",
    "{{ namespace.__init__.__globals__.os }}",
    "{{ cycler.__init__.__globals__.os.popen('touch CANARY') }}",
    "{{ joiner.__init__.__globals__.os.popen('touch CANARY') }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'a': 1}) }}",
    "{% include 'CANARY' %}",
    "{% import '/etc/passwd' as x %}",
    "{% extends '/etc/passwd' %}",
)
HUNGRY = (
    "{{ range(10**9) }}",
    "{% for i in range(10**9) %}{{ i }}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for c in 'a' * 10000000 %}{% for c in 'a' * 10000000 %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10**10 }}",
    "{{ 'a' * 10000000000 }}",
    "{{ 'a'|center(10000000000) }}",
    "{{ 'a'.ljust(10000000000) }}",
    "{{ '{:>10000000000}'.format(1) }}",
    "{{ '{:>{}}'.format(1, 10000000000) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ '%10000000000d'|format(1) }}",
    "{{ '%*d' % (10000000000, 1) }}",
    "{{ 2 ** (2 ** 40) }}",
    "{{ 10 ** 100000000 }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}{{ ns.x }}",
    "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
    "{{ range(99999)|map('center', 99999)|join }}",
    "{{ (range(99999)|list * 99999)|length }}",
    "{{ 1.5|round(1000000000) }}",
    "{{ [1]|batch(10000000000, 'x')|list }}",
    "{{ messages|tojson(indent=1000000000) }}",
    "{{ 'a'|indent(1000000000, true) }}",
    "{% filter center(10000000000) %}a{% endfilter %}",
    "{% set x %}{% for i in range(99999) %}{% for j in range(99999) %}aaaaaaaa{% endfor %}{% endfor %}{% endset %}{{ x }}",
    "{{ dict(a='b' * 10**9) }}",
)
ENDLESS = ("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", "{% for x in messages recursive %}{{ loop(messages) }}{% endfor %}", DEEP)
TALK = [{"role": "user", "content": "what is the colour of apple"}, {"role": "assistant", "content": "red"}]


@pytest.fixture(scope="module")
def dressed(tiny_model, tmp_path_factory):
    """Give a verified copy of the model whose tokenizer brings a template."""
    import shutil

    folder = tmp_path_factory.mktemp("dressed") / "model"
    shutil.copytree(tiny_model, folder)

    def dress(template):
        (folder / "chat_template.jinja").write_text(template)
        return folder

    return dress


def refused(dressed, template):
    """Render with a template that came with a model; give the refusal, after which no more than its share of time and memory is gone."""
    from anytune_huggingface.models import folders
    from anytune_huggingface.text.tokenizer import load

    folder = dressed(template)
    folders.verify(folder)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(DataError) as caught:
        load(folder)[1].prompt_ids(TALK[:1])
    assert time.monotonic() - began < LIMIT_S + 3  # loading the tokenizer takes a part of it
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # in KiB
    return caught.value


@pytest.mark.parametrize("template", ESCAPES)
def test_a_template_does_not_leave_its_sandbox(dressed, template, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    error = refused(dressed, template.replace("CANARY", CANARY))
    assert "chat template refuses" in error.message
    assert not (tmp_path / CANARY).exists()


@pytest.mark.parametrize("template", HUNGRY)
def test_a_template_ends_within_time_and_memory(dressed, template):
    error = refused(dressed, template)
    assert isinstance(error.__cause__, TooMuchError)
    assert "sane chat template" in error.fix


@pytest.mark.parametrize("template", ENDLESS, ids=["macro", "loop", "deep"])
def test_a_template_without_end_ends(dressed, template):
    assert "recursion" in refused(dressed, template).message


@pytest.mark.parametrize("name", ["tools-first", "smollm2", "thinking", "chatml"])
def test_what_transformers_renders_stays_the_same(tokenizer_with, name):
    from transformers.utils import chat_template_utils

    from anytune_huggingface.text import bounded

    bounded.install()
    assert chat_template_utils._compile_jinja_template.bounded
    template = tokenizer_with(name).chat_template
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    talks = [TALK, [{"role": "system", "content": "be brief"}, *TALK, *TALK], [{"role": "user", "content": "a\nb <b> & \u00fc"}]]
    for messages in talks:
        for more in ({}, {"tools": tools}, {"add_generation_prompt": True}):
            given = {"messages": messages, "tools": None, "add_generation_prompt": False} | more
            theirs = chat_template_utils._cached_compile_jinja_template(template).render(**given)
            assert chat_template_utils._compile_jinja_template(template).render(**given) == theirs


def test_loops_know_where_they_are(tokenizer_with):
    from transformers.utils import chat_template_utils

    from anytune_huggingface.text import bounded

    bounded.install()
    template = (
        "{% for m in messages if m %}{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }}"
        "{% if loop.index == 2 %}{% break %}{% endif %}{% else %}none{% endfor %}{% for k, v in tools|dictsort %}{{ k ~ v ~ none }}{% endfor %}"
    )
    for messages in ([], ["a"], ["a", "", "b", "c"]):
        given = {"messages": messages, "tools": {"x": 1, "y": 2}}
        theirs = chat_template_utils._cached_compile_jinja_template(template).render(**given)
        assert chat_template_utils._compile_jinja_template(template).render(**given) == theirs


def test_a_long_row_has_a_longer_purse(tokenizer_with):
    from anytune_huggingface.text import bounded
    from anytune_huggingface.text.render import Renderer

    bounded.install()
    long = [{"role": "user", "content": "apple " * 400_000}]
    template = "{% for m in messages %}{{ m.content.split('</think>')[-1].replace('\\n', ' ')|trim }}{% endfor %}"
    assert len(Renderer(tokenizer_with(template))._text(long, None, 1)) == 2_399_999


def test_the_engine_of_a_hungry_model_answers_with_an_error_and_goes_on(dressed):
    from fastapi.testclient import TestClient

    from anytune_huggingface.serving import shared

    model, tokenizer = shared.alone(dressed("{% if messages|length > 2 %}" + HUNGRY[2] + "{% endif %}{{ messages[0].content }}"))
    with TestClient(shared.application({"tiny": (model, tokenizer)}, 0), raise_server_exceptions=False) as engine:
        body = {"model": "tiny", "max_tokens": 2, "temperature": 0}
        began = time.monotonic()
        assert engine.post("/v1/chat/completions", json=body | {"messages": TALK + TALK}).status_code in {400, 500}
        assert time.monotonic() - began < LIMIT_S + 5
        assert engine.post("/v1/chat/completions", json=body | {"messages": TALK[:1]}).status_code == 200


@pytest.mark.slow
def test_training_on_such_a_model_fails_with_the_reason(dressed, tmp_path, monkeypatch):
    from anytune.data import describe
    from anytune.spec import TrainingSpec
    from anytune_huggingface.order import DataFile, TrainOrder
    from anytune_trl.train import main

    data = tmp_path / "rows.jsonl"
    data.write_text((json.dumps({"messages": TALK}) + "\n") * 4)
    spec = TrainingSpec(backend="trl", model=str(dressed(HUNGRY[2])), train=data, method={"type": "sft", "max_steps": 1})
    file = DataFile(path=data, sha256=describe(data, "train").sha256)
    order = TrainOrder(
        ref="R1",
        name="a",
        model=spec.model,
        spec=spec.model_dump(mode="json", exclude_none=True),
        spec_hash="",
        host="here",
        data={"train": file},
    )
    order.write(tmp_path / "run")
    (tmp_path / "task").mkdir()
    monkeypatch.setenv("ANYTUNE_TASK_DIR", str(tmp_path / "task"))
    began = time.monotonic()
    main(tmp_path / "run")
    assert time.monotonic() - began < 30
    assert "chat template refuses" in json.loads((tmp_path / "task" / "failed.json").read_text())["message"]
