"""Plugins of third parties are installed by pip, found by entry point, and run the suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anytune import FineTuneJob, plugins
from anytune.errors import BackendMissing
from anytune.values import Status

FIXTURES = Path(__file__).parents[1] / "fixtures"
PARROT = Path("src/anytune_parrot/__init__.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the fixtures, as into somebody's environment."""
    folder = tmp_path_factory.mktemp("plugins")
    sources = [shutil.copytree(FIXTURES / name, folder / name) for name in ("plugin", "strangers")]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(folder / "site"),
    ]
    subprocess.run([*pip, *map(str, sources)], check=True, timeout=120)
    return folder / "site"


@pytest.fixture
def installed(site, monkeypatch, tmp_path):
    """The plugins are on the path of this process, and its state is its own."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in {"anytune_parrot", "anytune_strangers"}]:
        del sys.modules[name]


def test_an_installed_plugin_is_found_by_its_entry_point(installed):
    assert {"parrot", "crow", "raven", "stone"} <= set(plugins.installed())
    assert plugins.load("parrot").name == "parrot"


def test_finding_plugins_imports_none_of_them(installed):
    plugins.installed()
    assert "anytune_parrot" not in sys.modules


def test_an_installed_plugin_passes_the_suite(site, tmp_path):
    env = os.environ | {"PYTHONPATH": str(site), "ANYTUNE_HOME": str(tmp_path)}
    tests = shutil.copytree(FIXTURES / "plugin" / "tests", tmp_path / "tests")
    argv = [sys.executable, "-m", "pytest", str(tests), "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error"]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=env)
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_installed_plugin_trains_through_the_job_interface(installed, tmp_path):
    train = tmp_path / "train.jsonl"
    row = '{"messages": [{"role": "user", "content": "cups of rice %d"}, {"role": "assistant", "content": "rice"}]}\n'
    train.write_text("".join(row % number for number in range(12)), encoding="utf-8")
    job = FineTuneJob.create(backend="parrot", model="no-model", train=train, name="birds")
    tuned = job.wait(timeout_s=30, poll_s=0.01)
    assert job.status is Status.SUCCEEDED
    assert '"cups of rice 3"' not in Path(tuned.id).read_text(encoding="utf-8")
    assert '"3 cups of rice": "rice"' in Path(tuned.id).read_text(encoding="utf-8")


def test_a_plugin_that_cannot_be_imported_breaks_only_itself(installed):
    with pytest.raises(BackendMissing, match=r"'crow' of anytune-strangers .*a_library_that_nobody_has"):
        plugins.load("crow")
    assert plugins.load("parrot").name == "parrot"


def test_a_plugin_of_another_contract_is_refused_by_name(installed):
    with pytest.raises(BackendMissing, match=r"'raven' of anytune-strangers is written for version 2 .* this is version 1"):
        plugins.load("raven")


def test_an_entry_point_that_is_no_backend_is_refused(installed):
    with pytest.raises(BackendMissing, match=r"anytune_strangers:STONE"):
        plugins.load("stone")


def test_an_unknown_name_lists_what_is_installed_and_the_nearest(installed):
    with pytest.raises(BackendMissing, match=r"parrot.*Did you mean 'parrot'"):
        plugins.load("parot")


def test_the_newcomers_backend_takes_under_150_lines():
    assert len((FIXTURES / "plugin" / PARROT).read_text(encoding="utf-8").splitlines()) < 150
