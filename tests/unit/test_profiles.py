"""From a word to a configured backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune import plugins, profiles
from anytune.errors import BackendMissing, ConfigError
from anytune.runtime import Runtime
from anytune.spec import TrainingSpec
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


class Placed(MemoryBackend):
    """A backend that can be told where to compute."""

    name = "trl"

    def __init__(self, *, compute: str = "local", account: str = "acme") -> None:
        super().__init__(account=account)
        self.compute = compute


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> None:
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda name: Placed if name == "trl" else load(name))


@pytest.mark.parametrize("word", ["trl@local", "trl@hf_jobs:a10g-small", "trl@spaces:t4-small"])
def test_a_word_may_say_where_a_backend_computes(word: str, placed: None) -> None:
    found = profiles.configured(word)
    assert isinstance(found, Placed)
    assert found.compute == word.partition("@")[2]
    assert profiles.backend_of(word) == "trl"


def test_a_profile_may_be_told_another_place(folder: Path, placed: None) -> None:
    write(folder, '[profiles.lab]\nbackend = "trl"\ncompute = "local"\naccount = "lab"\n')
    found = profiles.configured("lab@hf_jobs:l4x1")
    assert isinstance(found, Placed)
    assert (found.compute, found.account) == ("hf_jobs:l4x1", "lab")
    assert profiles.backend_of("lab@hf_jobs:l4x1") == "trl"


def test_a_profile_of_just_that_name_comes_first(folder: Path, placed: None) -> None:
    write(folder, '[profiles."trl@lab"]\nbackend = "memory"\naccount = "lab"\n')
    assert profiles.configured("trl@lab").account == "lab"
    assert profiles.backend_of("trl@lab") == "memory"


def test_a_backend_that_computes_in_one_place_refuses_another() -> None:
    with pytest.raises(ConfigError, match="cannot be told where to compute") as caught:
        profiles.configured("memory@hf_jobs:l4x1")
    assert caught.value.fix == "Say 'memory'."


@pytest.mark.parametrize("word", ["trl@", "@local", "@"])
def test_half_a_word_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="names no backend and place"):
        profiles.configured(word)


def test_an_unknown_backend_with_a_place_is_named_without_it() -> None:
    with pytest.raises(BackendMissing, match="'memori'"):
        profiles.configured("memori@local")


def test_a_model_is_found_by_the_backends_name(placed: None) -> None:
    spec = TrainingSpec(backend="trl@local", model={"trl": "starter", "openai": "gpt"}, train="rows.jsonl")
    assert spec.model_for(spec.backend, profiles.configured(spec.backend).name) == "starter"


def test_a_runtime_gives_one_backend_for_each_place(placed: None) -> None:
    context = Runtime()
    assert context.backend("trl@local") is context.backend("trl@local")
    assert context.backend("trl@local") is not context.backend("trl@hf_jobs:l4x1")


def test_a_profile_says_how_many_jobs_may_be_live_and_the_backend_does_not_see_it(folder: Path) -> None:
    write(folder, '[profiles.lab]\nbackend = "memory"\nmax_concurrent = 3\n')
    assert profiles.configured("lab").max_concurrent == 3
    assert profiles.configured("memory").max_concurrent is None


def test_a_backend_without_a_profile_has_its_limit_in_a_table(folder: Path) -> None:
    write(
        folder,
        '[limits.memory]\nmax_concurrent = 2\n\n[profiles.lab]\nbackend = "memory"\n\n[profiles.wide]\nbackend = "memory"\nmax_concurrent = 9\n',
    )
    found = [profiles.configured(word).max_concurrent for word in ("memory", "lab", "wide")]
    assert found == [2, 2, 9]


@pytest.mark.parametrize("value", ["0", "-1", '"3"', "true", "2.5"])
def test_a_limit_that_is_no_whole_number_above_0_is_refused(folder: Path, value: str) -> None:
    write(folder, f'[profiles.lab]\nbackend = "memory"\nmax_concurrent = {value}\n')
    with pytest.raises(ConfigError, match="max_concurrent"):
        profiles.configured("lab")


def test_a_table_of_limits_with_another_key_is_refused(folder: Path) -> None:
    write(folder, "[limits.memory]\nmax_live = 2\n")
    with pytest.raises(ConfigError, match=r"limits\.memory"):
        profiles.configured("memory")
