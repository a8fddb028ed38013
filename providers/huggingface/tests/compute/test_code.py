"""The code that goes along into the cloud: the same bytes for the same code, pinned requirements, and a container that checks them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import pytest

from anytune.errors import BackendMissing
from anytune_huggingface.compute import code
from anytune_huggingface.hub.client import Hub

OURS = ("anytune", "anytune-huggingface", "anytune-trl")


@pytest.fixture(scope="module")
def packed():
    return code.bundle(OURS)


@pytest.fixture(scope="module")
def names(packed):
    return zipfile.ZipFile(io.BytesIO(packed.content)).namelist()


def test_the_same_code_gives_the_same_bytes(packed):
    assert code.bundle(reversed(OURS)) == packed


def test_the_packages_are_in_it_whole(names):
    assert {"anytune/__init__.py", "anytune_huggingface/compute/remote.py", "anytune_trl/train.py", "anytune/py.typed"} <= set(names)
    assert any(name.startswith("anytune_trl-") and name.endswith("entry_points.txt") for name in names)


def test_tests_and_compiled_files_stay_here(names):
    assert not [name for name in names if "/testing/" in name or "/tests/" in name or "__pycache__" in name or name.endswith(".pyc")]


def test_no_path_of_this_machine_is_in_it(packed):
    archive = zipfile.ZipFile(io.BytesIO(packed.content))
    here = code.__file__.encode()
    assert not [name for name in archive.namelist() if here in archive.read(name)]


def test_requirements_are_pinned_to_what_is_installed():
    found = code.requirements(OURS, ("torch", "trl"))
    assert all("==" in line for line in found)
    assert [line for line in found if line.startswith("torch==")] == [line for line in found if line.partition("==")[0] == "torch"]
    assert not [line for line in found if "+" in line]
    assert not [line for line in found if line.startswith("anytune")]


def test_extras_are_kept_and_followed():
    found = {line.partition("==")[0] for line in code.requirements(("anytune", "anytune-huggingface"))}
    assert "transformers[serving]" in found
    assert "starlette" in found  # of `anytune[local]`


def test_what_is_not_installed_is_asked_for_as_it_was_written():
    assert "surely-not-installed>=2" in code.requirements(("anytune",), ("surely-not-installed>=2",))


def test_a_missing_distribution_is_named():
    with pytest.raises(BackendMissing, match="anytune-nothing is not installed"):
        code.bundle(("anytune-nothing",))


class TestInTheContainer:
    @pytest.fixture
    def container(self, hub, packed, tmp_path):
        """Run the bootstrap as a container would, with this archive."""
        code.send(Hub(token=hub.token, endpoint=hub.url, namespace="acme"), "acme/anytune-data", packed)

        def run(sha256=packed.sha256, requirements=(), token=hub.token):
            told = {"repo": "acme/anytune-data", "sha256": sha256, "requirements": requirements}
            env = {
                "PATH": str(tmp_path),
                "HF_ENDPOINT": hub.url,
                "HF_TOKEN": token,
                "ANYTUNE_CODE": json.dumps(told),
                "ANYTUNE_BOOTSTRAP": code.BOOTSTRAP,
                "TMPDIR": str(tmp_path),
            }
            command = [sys.executable, "-c", "import os; exec(os.environ['ANYTUNE_BOOTSTRAP'])"]
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

        return run

    def test_the_runner_of_the_archive_takes_over(self, container):
        ended = container()
        assert "ANYTUNE_RECORD is not set" in ended.stderr
        assert "anytune-code-" in ended.stderr

    def test_other_bytes_are_refused(self, hub, container, packed):
        other = "0" * 64
        files = hub.store.get("dataset", "acme/anytune-data").files()
        hub.add("dataset", "acme/anytune-data", files | {f"code/{other}.zip": packed.content}, private=True)
        ended = container(sha256=other)
        assert ended.returncode == 1
        assert "not the code that was sent" in ended.stderr

    def test_a_refused_token_is_said_and_not_shown(self, container):
        ended = container(token="hf_" + "x" * 34)
        assert ended.returncode == 1
        assert "cannot be had from the Hub" in ended.stderr
        assert "x" * 34 not in ended.stderr + ended.stdout

    def test_only_what_is_missing_is_installed(self, container, tmp_path):
        import pydantic

        tool = tmp_path / "uv"
        tool.write_text(f"#!{sys.executable}\nimport os, sys\nprint('installs', sys.argv[5:], 'HF_TOKEN' in os.environ)\n")
        tool.chmod(0o755)
        ended = container(requirements=[f"pydantic=={pydantic.VERSION}", "surely-not-installed==1.0", "pydantic==0.1"])
        assert "installs ['surely-not-installed==1.0', 'pydantic==0.1'] False" in ended.stdout
