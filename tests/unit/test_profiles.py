"""From a word to a configured backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune import profiles
from anytune.errors import BackendMissing, ConfigError
from anytune.testing.memory import MemoryBackend

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANYTUNE_CONFIG", raising=False)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "anytune.toml").write_text(text, encoding="utf-8")


def test_a_backends_own_name_needs_no_file() -> None:
    assert profiles.configured("memory").name == "memory"


def test_a_profile_names_a_backend_and_its_options(folder: Path) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\naccount = "lab"\n')
    assert profiles.configured("lab").account == "lab"


def test_the_file_is_found_from_a_folder_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\naccount = "lab"\n')
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert profiles.configured("lab").account == "lab"


def test_arguments_replace_the_profiles(folder: Path) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\naccount = "lab"\n')
    assert profiles.configured("lab", account="mine").account == "mine"


def test_a_value_may_come_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\naccount = "$LAB_ACCOUNT"\n')
    monkeypatch.setenv("LAB_ACCOUNT", "from-environment")
    assert profiles.configured("lab").account == "from-environment"


def test_a_missing_variable_is_named(folder: Path) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\naccount = "$LAB_ACCOUNT"\n')
    with pytest.raises(ConfigError, match="LAB_ACCOUNT"):
        profiles.configured("lab")


def test_an_unknown_option_gets_the_nearest_right_one(folder: Path) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\nacount = "lab"\n')
    with pytest.raises(ConfigError, match="Did you mean `account`"):
        profiles.configured("lab")


def test_a_profile_without_a_backend_is_refused(folder: Path) -> None:
    write(folder, '[profiles.lab]\naccount = "lab"\n')
    with pytest.raises(ConfigError, match="names no backend"):
        profiles.configured("lab")


def test_what_is_not_toml_is_refused_with_its_path(folder: Path) -> None:
    write(folder, "[profiles")
    with pytest.raises(ConfigError, match=r"anytune\.toml is not TOML"):
        profiles.configured("memory")


def test_a_named_file_that_is_missing_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTUNE_CONFIG", str(folder / "nowhere.toml"))
    with pytest.raises(ConfigError, match="Cannot read"):
        profiles.configured("memory")


def test_an_unknown_backend_lists_what_is_installed() -> None:
    with pytest.raises(BackendMissing, match="memory"):
        profiles.configured("memori")


def test_a_backend_that_is_set_up_is_taken_as_it_is() -> None:
    backend = MemoryBackend(account="mine")
    assert profiles.configured(backend) is backend
    with pytest.raises(ConfigError):
        profiles.configured(backend, account="other")
