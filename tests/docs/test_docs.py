"""Every Python block of the docs runs, page by page, against a backend that trains nothing and answers everything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from anytune import errors
from anytune.spec import TrainingSpec, json_schema

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
REFERENCE = ROOT / "docs" / "reference"
ABOUT_HOSTS = {"openai", "azure", "bring-existing-jobs"}
"""Pages that are run against simulators of hosts."""
ABOUT_THE_SERVER = {"tutorial/server", "how-to/run-the-server"}
"""Pages that are run against a server with the settings that they show."""


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [(text[: found.start(1)].count("\n"), found[1]) for found in BLOCK.finditer(text)]


@pytest.fixture
def desk(rehearsed, tmp_path):
    """A folder such as a reader has: data files, and backends that train nothing."""
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(24)]
    lines = [json.dumps(row) + "\n" for row in rows]
    (tmp_path / "train.jsonl").write_text("".join(lines[:12]))
    (tmp_path / "valid.jsonl").write_text("".join(lines[12:]))
    (tmp_path / "anytune.toml").write_text('[profiles.trial]\nbackend = "memory"\n')
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_blocks_of_a_page_run_one_after_the_other(page, desk, request):
    if page.stem in ABOUT_HOSTS:
        request.getfixturevalue("hosted")
    if f"{page.parent.name}/{page.stem}" in ABOUT_THE_SERVER:
        request.getfixturevalue("served")
    namespace = {"__name__": "reader"}
    for line, code in blocks(page):
        exec(compile("\n" * line + code, str(page), "exec"), namespace)  # so that a traceback points into the page


def test_the_published_schema_is_current():
    published = json.loads((REFERENCE / "spec.schema.json").read_text())
    assert published == json_schema(), "run: anytune schema > docs/reference/spec.schema.json"


def test_the_spec_page_names_every_setting():
    schema = json_schema()
    names = {name for part in (schema, *schema["$defs"].values()) for name in part.get("properties", {})} - {"type"}
    page = (REFERENCE / "spec.md").read_text()
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_the_spec_page_names_every_alias():
    from anytune.spec import CLM, DPO, ORPO, RFT, SFT, Budget, Full, LoRA, QLoRA, Reward

    page = (REFERENCE / "spec.md").read_text()
    aliases = {alias for part in (TrainingSpec, SFT, DPO, ORPO, Reward, CLM, RFT, LoRA, QLoRA, Full, Budget) for alias in part.aliases}
    assert sorted(alias for alias in aliases if f"`{alias}`" not in page) == []


def test_the_errors_page_explains_every_error():
    page = (REFERENCE / "errors.md").read_text()
    own = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.AnytuneError)]
    missing = [name for name in own if name not in {"AnytuneError", "BackendError"} and f"| `{name}` |" not in page]
    assert missing == []


def test_the_errors_page_shows_the_tree_of_the_module():
    tree = re.search(r"```text\n(.*?)```", errors.__doc__, re.DOTALL)[1]
    assert tree in (REFERENCE / "errors.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_yaml_block_of_a_page_is_yaml(page):
    for found in re.finditer(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        assert isinstance(yaml.safe_load(found[1]), dict)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_example_spec_is_the_quickstarts():
    from anytune.cli.quickstart import story

    example, told = TrainingSpec.read(ROOT / "examples" / "recipes.yaml"), story.spec()
    assert example.train.resolve() == told.train.resolve()
    assert example.adapter == told.adapter
    assert example.settings() | {"logging_steps": 1} == told.settings()


def test_the_example_program_runs(desk, capsys):
    import runpy

    example = ROOT / "examples" / "quickstart.py"
    assert len(example.read_text().splitlines()) < 150
    runpy.run_path(str(example))["main"]("trial")
    assert "venison" in capsys.readouterr().out


def test_the_example_of_data_runs_from_a_messy_sheet_to_two_quotes(desk, capsys):
    import runpy

    example = ROOT / "examples" / "check_and_convert.py"
    assert len(example.read_text().splitlines()) < 150
    runpy.run_path(str(example))["main"]("parcels")
    told = capsys.readouterr().out
    assert "as it came: 63 rows, not ok" in told
    assert "split: 50 train, 10 validation; 1 left out" in told
    assert told.count("  quote: 4200 tokens in 3.0 epochs") == 2
    assert (desk / "parcels" / "azure-train.jsonl").read_bytes().startswith(b"\xef\xbb\xbf{")
