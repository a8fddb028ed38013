"""docs/how-to/write-a-backend.md shows the fixture plugin's files, all of them and nothing else; the reference's example runs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "fixtures" / "plugin"
DOC = (ROOT / "docs" / "how-to" / "write-a-backend.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference" / "backend-contract.md").read_text(encoding="utf-8")


def blocks(text, title=None):
    head = r"```(?:python|toml)" + (rf' title="{re.escape(title)}"' if title else "")
    return re.findall(rf"^{head}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", ["pyproject.toml", "src/anytune_parrot/__init__.py", "tests/test_conformance.py"])
def test_the_blocks_of_a_file_make_the_whole_file(path):
    shown = "".join(blocks(DOC, path))
    lines = [line for line in (PLUGIN / path).read_text(encoding="utf-8").splitlines() if line]
    assert [line for line in shown.splitlines() if line] == lines


def test_the_doc_says_how_long_the_backend_is():
    lines = (PLUGIN / "src" / "anytune_parrot" / "__init__.py").read_text(encoding="utf-8").splitlines()
    assert f"It has {len(lines)} lines" in DOC


def test_the_profile_of_the_doc_is_toml_for_the_parrot():
    assert tomllib.loads(blocks(DOC)[-1])["profiles"]["slow-parrot"] == {"backend": "parrot", "rows_per_poll": 1}


def test_the_example_of_the_reference_runs(tmp_path):
    (example,) = blocks(REFERENCE)
    (tmp_path / "test_example.py").write_text(example, encoding="utf-8")
    argv = [sys.executable, "-m", "pytest", str(tmp_path), "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
