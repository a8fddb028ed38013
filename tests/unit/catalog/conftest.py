from __future__ import annotations

import shutil

import pytest

from anytune.catalog import files


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own: the tester's newer copies stay out."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANYTUNE_CATALOG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def copy(home):
    """Put a changed copy of a shipped catalogue where newer copies lie, and give its path."""

    def put(*changes: tuple[str, str], host: str = "openai"):
        folder = home / "catalog"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{host}.yaml"
        shutil.copy(files._SHIPPED / f"{host}.yaml", path)
        text = path.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(text)
        return path

    return put
