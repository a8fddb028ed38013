"""Examples in docstrings run, and what they show is true."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [ROOT / "src", *sorted(ROOT.glob("providers/[a-z]*/src"))]
MODULES = {
    ".".join(path.relative_to(room).with_suffix("").parts).removesuffix(".__init__")
    for room in ROOMS
    for path in room.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_examples_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "state"))
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
