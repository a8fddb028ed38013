"""What a folder is refused for, and what it is not: each line names the file at fault."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from anytune.errors import ConfigError
from anytune_huggingface.models import adapters, folders, safety

_SPEC = importlib.util.spec_from_file_location("evil_folders", Path(__file__).parent / "programs" / "evil_folders.py")
evil_folders = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(evil_folders)


@pytest.fixture
def evil(tiny_model, tmp_path):
    return evil_folders.Evil(tiny_model, tmp_path / "evil")


def test_every_evil_model_is_refused_and_the_fault_is_named(evil):
    for name, refused, folder in evil.models():
        if refused:
            with pytest.raises(ConfigError) as caught:
                folders.verify(folder)
            assert str(folder) in caught.value.message, name
            assert caught.value.fix, name
            assert evil_folders.SECRET not in str(caught.value), name
        else:
            folders.verify(folder)
    assert not evil.canary.exists()


def test_every_evil_adapter_is_refused(evil):
    for name, folder in evil.adapters():
        with pytest.raises(ConfigError) as caught:
            adapters.verify(folder)
        assert caught.value.fix, name
    assert not evil.canary.exists()


def test_weights_on_another_disk_may_be_linked_but_not_published(copied, tmp_path):
    far = Path(shutil.move(copied / "model.safetensors", tmp_path / "far.safetensors"))
    (copied / "model.safetensors").symlink_to(far)
    folders.verify(copied)
    with pytest.raises(ConfigError, match="link out of the folder"):
        safety.contained(copied)


def test_a_snapshot_of_the_hub_is_a_folder_of_links_and_is_taken(tiny_model, tmp_path):
    repository = tmp_path / "models--acme--tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for path in tiny_model.iterdir():
        blob = repository / "blobs" / f"blob-{path.name}"
        shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(os.path.relpath(blob, snapshot))
    folders.verify(snapshot)
    safety.contained(snapshot)
    (tmp_path / "secret").write_text("secret")
    (snapshot / "vocab.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match=r"vocab\.txt is a link out"):
        folders.verify(snapshot)


def test_a_template_in_the_settings_has_a_limit_too(copied):
    evil_folders.edited(copied / "tokenizer_config.json", chat_template="x" * (256 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        folders.verify(copied)
