"""Row 34: YAML makes values, never objects, wherever a person's file is read."""

from __future__ import annotations

import time

import pytest

from anytune.catalog import opened
from anytune.errors import AnytuneError, ConfigError
from anytune.recipes.autotrain import from_yaml
from anytune.server.configfile import configured
from anytune.spec import TrainingSpec

TAGS = {
    "a call": "!!python/object/apply:os.system ['touch canary']",
    "a new object": "!!python/object/new:subprocess.Popen [['touch', 'canary']]",
    "a module": "!!python/module:antigravity",
    "a name": "!!python/name:os.system",
    "a tuple": "!!python/tuple [1, 2]",
    "an object": "!!python/object:argparse.Namespace {a: 1}",
    "a class of its own": "!Own {a: 1}",
    "an open file": "!!python/object/apply:builtins.open ['canary', 'w']",
}
BROKEN = {
    "a day that is none": "2026-99-99",
    "many brackets": "[" * 2_000,
    "many braces": "{a: " * 2_000,
    "a tab": "\t- a",
    "two documents": "a\n---\nb: 1",
}
WHERE = {
    "spec": ("backend: memory\nmodel: m\ntrain: rows.jsonl\nname: {}\n", "spec.yaml", TrainingSpec.read),
    "AutoTrain config": ("task: llm-sft\nbase_model: m\nproject_name: {}\n", "config.yml", from_yaml),
    "server configuration": ("backend: memory\noptions: {}\n", "server.yaml", lambda path: configured(path, {})),
    "catalogue": ("host: openai\nread: {}\n", "openai.yaml", lambda path: opened("openai")),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANYTUNE_CATALOG", str(tmp_path))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_makes_no_object(tmp_path, where, tag):
    text, name, read = WHERE[where]
    (tmp_path / name).write_text(text.replace("{}", TAGS[tag]))
    with pytest.raises(ConfigError, match=r"is not YAML|could not determine a constructor") as caught:
        read(tmp_path / name)
    assert caught.value.fix
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("text", BROKEN)
def test_what_cannot_be_read_is_refused_in_a_moment(tmp_path, where, text):
    head, name, read = WHERE[where]
    (tmp_path / name).write_text(head.replace("{}", BROKEN[text]))
    began = time.monotonic()
    with pytest.raises(ConfigError):
        read(tmp_path / name)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("where", WHERE)
def test_a_million_laughs_are_not_written_out(tmp_path, where):
    head, name, read = WHERE[where]
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    (tmp_path / name).write_text(laughs + head.replace("{}", "*a39"))
    began = time.monotonic()
    with pytest.raises(AnytuneError) as caught:
        read(tmp_path / name)
    assert time.monotonic() - began < 10
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize("key", ["trust_remote_code", "code_revision"])
def test_a_key_that_would_run_code_is_named(tmp_path, key):
    (tmp_path / "spec.yaml").write_text(f"backend: memory\nmodel: m\ntrain: rows.jsonl\n{key}: true\n")
    with pytest.raises(ConfigError, match=key):
        TrainingSpec.read(tmp_path / "spec.yaml")
    (tmp_path / "config.yml").write_text(f"task: llm-sft\nbase_model: m\nproject_name: p\ndata:\n  path: rows\nparams:\n  {key}: true\n")
    with pytest.raises(ConfigError, match=key):
        from_yaml(tmp_path / "config.yml")
