"""What a newcomer meets first: the README's commands, links and example, and nothing of anybody's machine."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from anytune import runtime

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PRIVATE = re.compile(r"/(?:root|home/\w+|work|opt)/|(?:pypi|pythonhosted)\.org", re.IGNORECASE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def rows(path: Path) -> None:
    row = {"messages": [{"role": "user", "content": path.stem}, {"role": "assistant", "content": "basil"}]}
    path.write_text("".join(json.dumps(row) + "\n" for _ in range(12)), encoding="utf-8")


def test_the_example_runs_as_written_on_another_backend(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("ANYTUNE_LEDGER", raising=False)
    patient = runtime.Runtime(sleep=lambda _: None)
    monkeypatch.setitem(runtime._RUNTIMES, (str(tmp_path / "state"), None), patient)
    rows(tmp_path / "train.jsonl")
    rows(tmp_path / "valid.jsonl")
    (example,) = blocks("python")
    exec(example.replace('"trl"', '"memory"'), {})
    patient.ledger.close()
    assert "2 cups chopped fresh basil" in capsys.readouterr().out


def test_every_make_target_that_the_pages_name_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for page in PAGES for line in re.findall(r"\bmake ((?:[a-z]+ ?)+)", code(page)) for word in line.split()}
    assert {"quickstart", "test", "install"} <= named
    assert named <= targets


def code(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"`(make [^`]*)`", text) + re.findall(r"^(make [a-z ]*?)(?:  .*)?$", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_changelog_tells_what_is_unreleased():
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_file_names_a_registry_host_or_a_path_of_a_machine():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path == Path(__file__).resolve() or not path.is_file() or path.suffix in {".png", ".gz"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if PRIVATE.search(line):
                found.append(f"{name}:{number}")
    assert found == []
