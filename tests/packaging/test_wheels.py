"""The wheels as a user gets them: built from the sdist, looked into, installed outside the tree, and started."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [ROOT, *sorted(path.parent for path in ROOT.glob("providers/[a-z]*/pyproject.toml"))]


class Built(NamedTuple):
    room: Path
    wheel: Path

    @property
    def project(self) -> dict:
        return tomllib.loads((self.room / "pyproject.toml").read_text())["project"]

    @property
    def files(self) -> list[str]:
        return zipfile.ZipFile(self.wheel).namelist()

    def metadata(self, name: str) -> str:
        return zipfile.ZipFile(self.wheel).read(next(file for file in self.files if file.endswith(f".dist-info/{name}"))).decode()


def must(*argv: str | Path) -> None:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Built]:
    out = tmp_path_factory.mktemp("dist")
    for room in ROOMS:
        must(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, room)
    found = {}
    for room in ROOMS:
        name = tomllib.loads((room / "pyproject.toml").read_text())["project"]["name"]
        found[name] = Built(room, next(out.glob(f"{name.replace('-', '_')}-[0-9]*.whl")))
    return found


@pytest.fixture(scope="module")
def away(wheels, tmp_path_factory) -> Path:
    """A fresh environment with our wheels; everything else is lent by the environment that runs the tests."""
    home = tmp_path_factory.mktemp("away")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    must(*install, *(built.wheel for built in wheels.values()))
    site = next(home.glob("lib/python3*/site-packages"))
    # A path in a .pth file is appended, and .pth files found there are not read: the editable anytune of the lender stays out of sight.
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def run_away(away: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    program, *rest = argv
    env = {"PATH": os.defpath, "HOME": str(away), "ANYTUNE_HOME": str(away / "state")}
    return subprocess.run([away / "bin" / program, *rest], cwd=away, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_wheels_hold_the_package_and_nothing_else(wheels):
    for built in wheels.values():
        src = built.room / "src"
        ours = {str(path.relative_to(src)) for path in src.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        inside = {file for file in built.files if ".dist-info/" not in file}
        assert inside == ours, built.wheel.name


def test_wheels_hold_no_path_hooks_tests_or_compiled_code(wheels):
    for built in wheels.values():
        strange = [file for file in built.files if file.endswith((".pth", ".so", ".pyc")) or "tests/" in file or "conftest" in file]
        assert strange == [], built.wheel.name


def test_wheels_are_typed_and_licensed(wheels):
    for name, built in wheels.items():
        assert f"{name.replace('-', '_')}/py.typed" in built.files
        assert any(file.endswith("licenses/LICENSE") for file in built.files), f"{name} needs its own copy of LICENSE"
        assert built.metadata("licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_core_holds_its_migrations_and_data(wheels):
    files = wheels["anytune"].files
    assert any(file.startswith("anytune/ledger/migrations/") and file.endswith(".py") for file in files)
    assert {"anytune/cli/quickstart/train.jsonl", "anytune/cli/quickstart/test.jsonl"} <= set(files)


def named(line):
    """Give a requirement without its marker, the name written as the standard wants it."""
    requirement = Requirement(line)
    requirement.name, requirement.marker = canonicalize_name(requirement.name), None
    return str(requirement)


def test_metadata_asks_for_the_declared_libraries_only(wheels):
    for built in wheels.values():
        project = built.project
        metadata = email.message_from_string(built.metadata("METADATA"))
        asked = {named(line) for line in metadata.get_all("Requires-Dist", [])}
        extras = project.get("optional-dependencies", {})
        lines = [line for lines in (project["dependencies"], *extras.values()) for line in lines]
        declared = {named(line) for line in lines if Requirement(line).name != project["name"]}  # hatchling unfolds `anytune[trl]`
        assert asked == declared
        assert set(metadata.get_all("Provides-Extra", [])) == set(extras)


def test_distributions_move_in_lockstep(wheels):
    versions = {name: built.wheel.name.split("-")[1] for name, built in wheels.items()}
    assert len(set(versions.values())) == 1, versions
    for name, built in wheels.items():
        ours = [Requirement(line) for line in built.project["dependencies"] if line.startswith("anytune")]
        assert name == "anytune" or ours, f"{name} does not ask for core"
        assert all(requirement.specifier.contains(versions["anytune"]) for requirement in ours)


def test_extras_forward_to_rooms_that_exist(wheels):
    extras = wheels["anytune"].project["optional-dependencies"]
    forwarded = {Requirement(line).name for lines in extras.values() for line in lines if line.startswith("anytune-")}
    assert forwarded == {name for name, built in wheels.items() if name != "anytune" and built.project.get("entry-points")}
    reached = {extra for line in extras["all"] for extra in Requirement(line).extras}
    assert reached >= {name.removeprefix("anytune-") for name in forwarded}


def test_every_dependency_has_its_reason_in_contributing():
    reasons = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for room in ROOMS:
        told = tomllib.loads((room / "pyproject.toml").read_text())
        groups = [
            told["project"]["dependencies"],
            *told["project"].get("optional-dependencies", {}).values(),
            *told.get("dependency-groups", {}).values(),
        ]
        names = {Requirement(line).name for lines in groups for line in lines if isinstance(line, str)}
        missing = {
            name
            for name in names
            if not name.startswith(("anytune", "types-")) and not re.search(rf"^\|.*\b{name}\b.*\|", reasons, re.MULTILINE)
        }
        assert missing == set(), f"{room.name}: no reason for {missing}"


def test_the_installed_wheel_is_what_python_imports(away):
    shown = run_away(away, "python", "-c", "import anytune; print(anytune.__file__)")
    assert shown.stdout.startswith(str(away)), shown.stdout + shown.stderr


def test_every_public_name_loads_from_the_wheel(away):
    code = "import anytune; print(len([getattr(anytune, name) for name in anytune.__all__]))"
    shown = run_away(away, "python", "-c", code)
    assert shown.returncode == 0, shown.stderr
    assert int(shown.stdout) > 20


def test_the_command_starts_from_the_wheel(away):
    shown = run_away(away, "anytune", "--version")
    assert shown.returncode == 0, shown.stderr
    assert "0.1.0" in shown.stdout


def test_backends_are_found_from_the_wheels(away):
    code = "from importlib.metadata import entry_points as e; print(sorted({p.name for p in e(group='anytune.backends')}))"
    shown = run_away(away, "python", "-c", code)
    assert shown.stdout.strip() == "['autotrain', 'azure', 'memory', 'openai', 'trl']", shown.stderr


def test_a_new_ledger_migrates_from_the_wheel(away):
    code = "from anytune.ledger import Ledger; ledger = Ledger.open(); print(ledger.jobs()); ledger.close()"
    shown = run_away(away, "python", "-c", code)
    assert shown.stdout.strip() == "[]", shown.stderr
