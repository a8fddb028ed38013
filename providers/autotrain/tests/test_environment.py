"""AutoTrain's own environment, with wheels of a few lines in place of AutoTrain."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from anytune.errors import ConfigError
from anytune_autotrain import environment, installer
from anytune_autotrain.environment import Environment
from anytune_autotrain.pins import Pins
from anytune_autotrain.plan import diagnose

PINS = """
[torch]
fruit-stone==1.0
[libraries]
fruit-apple==1.0
[alone]
fruit-tree==1.0
[tested]
fruit-seed==1.0
[probe]
fruit_tree
fruit_apple
"""


def write_shelf(folder, wheel):
    """Wheels: apple brings seed along; tree asks for what does not exist, so it can only be installed alone."""
    wheel(folder, "fruit-stone")
    wheel(folder, "fruit-seed")
    wheel(folder, "fruit-seed", "9.0", "raise RuntimeError('not tested')")
    wheel(folder, "fruit-apple", code="import fruit_seed", requires=["fruit-seed"])
    wheel(folder, "fruit-apple", "2.0", "import fruit_seed", ["fruit-seed"])
    wheel(folder, "fruit-tree", code="import fruit_stone", requires=["fruit-nowhere"])
    return folder


def read_pins(folder, text=PINS):
    path = folder / "pins.txt"
    path.write_text(text)
    return Pins.read(path)


@pytest.fixture
def shelf(tmp_path, wheel, monkeypatch):
    """A folder of wheels, the only place where pip looks."""
    folder = write_shelf(tmp_path / "wheels", wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    return folder


@pytest.fixture
def pins(tmp_path):
    return read_pins(tmp_path)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory, wheel):
    """An environment made once, and what was said meanwhile; tests take copies."""
    folder = tmp_path_factory.mktemp("pattern")
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(write_shelf(folder / "wheels", wheel)))
        patch.setenv("PIP_EXTRA_INDEX_URL", "")
        python = Environment(folder / "env", read_pins(folder), room_bytes=1).ensure(said.append)
    return python, said


@pytest.fixture
def made(pattern, pins, shelf, tmp_path):
    """A healthy environment of the test's own."""
    shutil.copytree(pattern[0].parent.parent, tmp_path / "env", symlinks=True)
    return Environment(tmp_path / "env", pins, room_bytes=1)


@pytest.fixture
def fresh(pins, shelf, tmp_path):
    """An environment that was never made."""
    return Environment(tmp_path / "env", pins, room_bytes=1)


def packages(env):
    (folder,) = env.folder.glob("lib/python*/site-packages")
    return folder


class TestMaking:
    def test_says_each_part_and_ends_ready(self, pattern):
        python, said = pattern
        assert [text.split(":")[1].strip(" …") for text in said[:-1]] == ["venv", "torch", "libraries", "autotrain", "trying it"]
        assert said[-1] == "AutoTrain's environment is ready."
        assert subprocess.run([python, "-I", "-c", "import fruit_tree, fruit_apple"], check=False).returncode == 0

    def test_takes_what_comes_along_as_it_was_tested(self, pattern):
        assert list((pattern[0].parent.parent).glob("lib/python*/site-packages/fruit_seed-1.0.dist-info"))

    def test_is_done_once_and_needs_no_network_afterwards(self, made, shelf):
        shutil.rmtree(shelf)
        said = []
        assert made.ensure(said.append) == made.python
        assert said == []

    def test_goes_on_with_the_part_that_failed(self, fresh, shelf, wheel):
        apple = shelf / "fruit_apple-1.0-py3-none-any.whl"
        apple.rename(shelf / "away")
        with pytest.raises(ConfigError, match=r"fruit-apple==1\.0") as failed:
            fresh.ensure(lambda text: None)
        assert "pip config list" in failed.value.fix
        assert (fresh.status().state, fresh.status().detail) == ("partial", "Done: venv, torch; an install was interrupted, or goes on.")
        (shelf / "away").rename(apple)
        said = []
        fresh.ensure(said.append)
        assert "part 3 of 5" in said[0]
        assert fresh.status().state == "ready"

    @pytest.mark.slow
    def test_goes_on_after_its_process_was_killed(self, fresh, pins, until, tmp_path):
        program = (
            "import sys; from pathlib import Path; from anytune_autotrain.environment import Environment; from anytune_autotrain.pins import Pins;"
            "Environment(Path(sys.argv[1]), Pins.read(Path(sys.argv[2])), room_bytes=1).ensure(lambda text: None)"
        )
        child = subprocess.Popen([sys.executable, "-c", program, fresh.folder, tmp_path / "pins.txt"])
        marker = fresh.folder / "anytune.json"
        until(lambda: marker.is_file() and "venv" in json.loads(marker.read_text())["done"])
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert fresh.status().state == "partial"
        made = fresh.python.lstat()
        fresh.ensure(lambda text: None)
        assert fresh.python.lstat() == made
        assert fresh.status().state == "ready"

    def test_is_watched_by_a_second_process_that_comes_meanwhile(self, fresh, pins, until):
        first, second = [], []
        thread = threading.Thread(target=fresh.ensure, args=[first.append])
        thread.start()
        until(lambda: first)
        assert Environment(fresh.folder, pins, room_bytes=1).ensure(second.append) == fresh.python
        thread.join()
        assert second[:2] == first[:2]

    def test_wants_room_on_the_disk(self, pins, shelf, tmp_path):
        with pytest.raises(ConfigError, match=r"needs 1,000,000,000,000,000 bytes more in .*, and [\d,]+ are free") as refused:
            Environment(tmp_path / "env", pins, room_bytes=10**15).ensure(lambda text: None)
        assert environment.VARIABLE in refused.value.fix
        assert not (tmp_path / "env").exists()

    def test_says_that_no_index_was_reached(self, made, shelf, monkeypatch):
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_EXTRA_INDEX_URL")
        for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_CONFIG_FILE": "/dev/null"}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match="could not be installed") as failed:
            installer.install(made.python, ["fruit-nowhere"])
        assert "connect to the network" in failed.value.fix
        assert "127.0.0.1" not in str(failed.value)

    def test_says_what_is_downloaded_without_its_address(self, tmp_path):
        pip = tmp_path / "python"
        pip.write_text("#!/bin/sh\necho '  Downloading https://packages.invalid/f/torch-2.0-py3.whl (190.1 MB)'\n")
        pip.chmod(0o700)
        said = []
        installer.install(pip, ["torch"], say=said.append)
        assert said == ["Downloading torch-2.0-py3.whl (190.1 MB)"]


class TestRepair:
    def repaired(self, env, *, check=False):
        said = []
        env.ensure(said.append, check=check)
        assert env.status().state == "ready"
        return " ".join(said)

    @pytest.mark.slow
    def test_makes_it_anew_where_its_python_is_gone(self, made):
        made.python.unlink()
        assert (made.status().state, made.status().detail) == ("broken", "Its python is gone.")
        assert "part 1 of 5" in self.repaired(made)

    def test_installs_again_what_was_removed(self, made):
        shutil.rmtree(packages(made) / "fruit_apple-1.0.dist-info")
        assert made.status().detail == "Of its packages, fruit-apple is missing instead of 1.0."
        assert "part 1 of 5" not in self.repaired(made)

    def test_finds_files_that_are_gone_when_it_checks(self, made):
        (packages(made) / "fruit_apple.py").unlink()
        assert "lost files of fruit-apple==1.0" in self.repaired(made, check=True)
        assert (packages(made) / "fruit_apple.py").is_file()

    def test_finds_packages_that_are_gone_when_it_checks(self, made):
        shutil.rmtree(packages(made) / "fruit_seed-1.0.dist-info")
        (packages(made) / "fruit_seed.py").unlink()
        said = self.repaired(made, check=True)
        assert "part 3 of 5" in said
        assert "part 1 of 5" not in said

    def test_installs_only_what_differs_for_another_list(self, made, tmp_path):
        newer = Environment(made.folder, read_pins(tmp_path, PINS.replace("fruit-apple==1.0", "fruit-apple==2.0")), room_bytes=1)
        assert newer.status().detail == "Of its packages, fruit-apple is 1.0 instead of 2.0."
        assert "part 1 of 5" not in self.repaired(newer)

    @pytest.mark.slow
    def test_says_what_does_not_import_where_nothing_helps(self, made, shelf, wheel):
        wheel(shelf, "fruit-apple", code="raise RuntimeError('rotten')", requires=["fruit-seed"])
        (packages(made) / "fruit_apple.py").unlink()
        with pytest.raises(ConfigError, match="does not work: RuntimeError: rotten"):
            made.ensure(lambda text: None, check=True)
        assert made.status().state == "partial"


class TestFolderOfTheCallers:
    @pytest.fixture
    def given(self, made):
        (made.folder / "anytune.json").unlink()
        return made

    def test_is_used_where_it_has_what_is_needed(self, given, shelf):
        shutil.rmtree(shelf)
        assert given.status().state == "partial"
        given.ensure(lambda text: None)
        assert given.status().state == "ready"

    def test_is_never_installed_into(self, given):
        shutil.rmtree(packages(given) / "fruit_apple-1.0.dist-info")
        with pytest.raises(ConfigError, match=r"was not made by anytune.*fruit-apple is missing"):
            given.ensure(lambda text: None)
        assert not list(packages(given).glob("fruit_apple-*"))

    def test_is_never_deleted(self, given):
        given.ensure(lambda text: None)
        with pytest.raises(ConfigError, match="left alone"):
            given.remove()
        assert given.python.exists()

    def test_is_named_by_a_variable(self, monkeypatch, tmp_path):
        monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "mine"))
        assert environment.status().path == tmp_path / "mine"
        assert environment.status().state == "missing"
        assert environment.main(["--status"]) == 1


class TestStatus:
    def test_of_one_never_made_says_how_to_make_it(self, fresh):
        assert (fresh.status().state, fresh.status().fix) == ("missing", "Run: python -m anytune_autotrain.environment")

    def test_knows_the_size_once_it_is_made(self, made):
        assert made.status().size_bytes > 1_000_000

    def test_after_removal_is_missing(self, made):
        made.remove()
        assert made.status().state == "missing"
        assert [path.name for path in made.folder.parent.iterdir() if path.name.startswith("env")] == []

    def test_is_said_on_the_command_line(self, real, capsys):
        assert environment.main(["--status"]) == 0
        assert capsys.readouterr().out.startswith("ready: ")


class TestOlder:
    """Environments of other lists of pins stay in the cache until somebody deletes them."""

    @pytest.fixture
    def left(self, pattern, monkeypatch, tmp_path):
        monkeypatch.delenv(environment.VARIABLE, raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        folder = tmp_path / "anytune" / Environment().folder.name.replace(Pins.read().digest, "0123456789ab")
        shutil.copytree(pattern[0].parent.parent, folder, symlinks=True)
        return folder

    def test_are_found_and_deleted_when_asked(self, left, capsys):
        assert environment.older() == [left]
        assert environment.main(["--remove-older"]) == 1  # this version's own has not been made
        assert f"removed: {left}" in capsys.readouterr().out
        assert not left.exists()
        assert environment.older() == []

    def test_are_shown_by_doctor_with_what_deletes_them(self, left):
        told = diagnose()[-1]
        assert (told.severity, told.code) == ("info", "environment")
        assert str(left) in told.message
        assert environment.REMOVE_OLDER in told.fix

    def test_are_no_folders_of_the_callers_own(self, left):
        (left / "anytune.json").unlink()
        assert environment.older() == []


class TestPins:
    def test_take_the_version_of_a_cpu_build_in_use(self):
        assert Pins.read().like("2.99.0+cpu").torch == ("torch==2.99.0",)

    @pytest.mark.parametrize("torch", [None, "2.99.0", "2.99.0+cu130"])
    def test_take_their_own_version_otherwise(self, torch):
        assert Pins.read().like(torch) == Pins.read()

    def test_are_exact(self):
        pins = Pins.read()
        assert all(pin.count("==") == 1 for pin in (*pins.torch, *pins.libraries, *pins.alone, *pins.tested))
        assert pins.versions()["autotrain-advanced"] == "0.8.36"

    def test_of_no_section_are_refused(self, tmp_path):
        with pytest.raises(ConfigError, match="no section: fruit"):
            read_pins(tmp_path, "fruit==1.0\n")


def test_no_package_sees_a_key_while_it_is_installed(monkeypatch):
    keys = {"HF_TOKEN", "OPENAI_API_KEY", "AZURE_CLIENT_SECRET", "WANDB_API_KEY"}
    for name in keys:
        monkeypatch.setenv(name, "secret")
    assert not keys & set(installer.environment())


def test_pip_sees_the_callers_settings_but_not_the_callers_packages(monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_CONSTRAINT", "PIP_CERT"):
        monkeypatch.setenv(name, "/somewhere")
    seen = installer.environment()
    assert seen["PIP_CERT"] == "/somewhere"
    assert not {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_CONSTRAINT"} & set(seen)
