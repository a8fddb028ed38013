from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from anytune.cli import invoke

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Cli:
    """Runs command lines in this process, and keeps what they printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._capsys = capsys
        self.out = self.err = ""
        self.code = -1

    def __call__(self, *arguments: str) -> str:
        self._capsys.readouterr()
        self.code = invoke(arguments)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.out + self.err, self.err
        return self.out

    def json(self, *arguments: str) -> Any:
        lines = self(*arguments, "--json").splitlines()
        assert len(lines) == 1, f"one JSON document is promised on stdout, got: {self.out!r}"
        return json.loads(lines[0])

    def configure(self, **profiles: str) -> None:
        """Write profiles, each as the lines of its table."""
        text = "".join(
            f'[profiles.{name}]\nbackend = "memory"\nstate_file = "{self.folder / name}.json"\n{more}\n' for name, more in profiles.items()
        )
        (self.folder / "anytune.toml").write_text(text)

    def spec(self, name: str = "minutes", **more: str) -> str:
        """Write a spec with a few good rows, and give its path."""
        rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
        (self.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        keys = {"backend": "trial", "model": "starter", "train": "rows.jsonl", "name": name} | more
        path = self.folder / f"{name}.yaml"
        path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
        return str(path)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Give a command line with a home and a profile `trial` of its own."""
    for name in ("ANYTUNE_LEDGER", "ANYTUNE_DEBUG", "ANYTUNE_SLOTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANYTUNE_CONFIG", str(tmp_path / "anytune.toml"))
    monkeypatch.setenv("ANYTUNE_HOST", "here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("anytune.observe._FIRST_S", 0.01)
    monkeypatch.setattr("anytune.observe._LONGEST_S", 0.01)
    found = Cli(tmp_path, capsys)
    found.configure(trial="")
    return found


@pytest.fixture
def failing(cli: Cli) -> Callable[[str], None]:
    def configure(error: str) -> None:
        cli.configure(trial=f'life = {{ words = ["running", "failed"], error = "{error}" }}')

    return configure


@pytest.fixture
def rows(cli: Cli) -> Callable[..., str]:
    """Write rows into a file of the folder, and give its path."""

    def write(*found: Any, name: str = "rows.jsonl") -> str:
        path = cli.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
        return str(path)

    return write
