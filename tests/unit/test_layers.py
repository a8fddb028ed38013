"""What production code may hold and load. Who may import whom is import-linter's (`make lint`)."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import anytune
import anytune.testing

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "src").rglob("*.py"))
PROVIDERS = sorted(ROOT.glob("providers/*/src/**/*.py"))
PRODUCTION = [*CORE, *PROVIDERS]

HEAVY = {
    "PIL", "alembic", "anytune_autotrain", "anytune_azure", "anytune_huggingface", "anytune_openai", "anytune_trl", "azure", "datasets",
    "detect_secrets", "fastapi", "ftfy",
    "huggingface_hub", "jinja2", "jsonschema", "matplotlib", "msgspec", "openai", "orjson", "peft", "phonenumbers", "pyarrow",
    "pydantic", "pytest", "rensa", "rich", "sqlalchemy", "starlette", "stdnum", "tenacity", "toktok", "torch", "transformers", "trl",
    "typer", "uvicorn", "werkzeug", "yaml",
}  # fmt: skip
FORBIDDEN_IMPORTS = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "anytune.testing"}
FORBIDDEN_CALLS = {
    "eval", "exec", "os.popen", "os.system", "pickle.load", "pickle.loads", "subprocess.getoutput", "torch.load", "yaml.full_load", "yaml.load",
    "yaml.unsafe_load",
}  # fmt: skip
FORBIDDEN_ARGUMENTS = {"shell": True, "trust_remote_code": True}
FILE_LINES = 400
FUNCTION_LINES = 60


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(shown.stdout))


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8"), path.name) for path in PRODUCTION}


def test_importing_anytune_loads_nothing_heavy():
    assert loaded_after("import anytune") & HEAVY == set()


@pytest.mark.parametrize(
    "statement", ["import anytune.data", "from anytune.cli.app import app", "from anytune import FineTuneJob, SFT, LoRA"]
)
def test_what_only_a_check_of_rows_needs_is_loaded_by_it_alone(statement):
    of_checks = {
        "PIL",
        "detect_secrets",
        "ftfy",
        "jsonschema",
        "matplotlib",
        "msgspec",
        "orjson",
        "phonenumbers",
        "pyarrow",
        "rensa",
        "stdnum",
        "toktok",
    }
    assert loaded_after(statement) & of_checks == set()


@pytest.mark.parametrize("package", [anytune, anytune.testing], ids=lambda package: package.__name__)
def test_public_names_are_the_lazy_names_and_lead_where_they_live(package):
    assert {*package.__all__, "__version__"} == {*package._HOMES, "__version__"}
    for name, home in package._HOMES.items():
        assert getattr(package, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error_and_not_an_import():
    with pytest.raises(AttributeError, match="no attribute 'FineTunJob'"):
        _ = anytune.FineTunJob


def test_the_names_of_a_first_script_load_no_training_database_or_http_library():
    heavy = HEAVY - {"pydantic", "tenacity"}
    assert loaded_after("from anytune import FineTuneJob, SFT, LoRA") & heavy == set()


@pytest.mark.parametrize("compute", ["local", "hf_jobs", "spaces"])
@pytest.mark.parametrize("name", ["trl", "autotrain"])
def test_setting_up_a_backend_that_trains_loads_no_torch_and_no_hub(name, compute):
    heavy = {"torch", "transformers", "trl", "datasets", "peft", "huggingface_hub", "sqlalchemy", "openai", "httpx2"}
    load = f"[found] = m.entry_points(group='anytune.backends', name='{name}'); found.load()(compute='{compute}').capabilities"
    assert loaded_after(f"import importlib.metadata as m; {load}") & heavy == set()


@pytest.mark.parametrize("name", ["openai", "azure"])
def test_importing_a_hosted_backend_loads_neither_the_vendors_client_nor_the_ledger(name):
    heavy = {"openai", "httpx2", "azure", "sqlalchemy", "yaml"}
    statement = f"import importlib.metadata as m; [e.load() for e in m.entry_points(group='anytune.backends', name={name!r})]"
    assert loaded_after(statement) & heavy == set()


def test_production_code_neither_unpickles_nor_evaluates_nor_starts_shells(trees):
    found = []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                bad = {dotted(node.func)} & (FORBIDDEN_CALLS if "testing" not in path.parts else FORBIDDEN_CALLS - {"pickle.loads"})
                bad |= {
                    word.arg
                    for word in node.keywords
                    if word.arg in FORBIDDEN_ARGUMENTS and not (isinstance(word.value, ast.Constant) and word.value.value is False)
                }
                found += [f"{short(path)}:{node.lineno} {name}" for name in bad]
    assert found == []


def test_production_code_imports_no_unsafe_module_and_no_test_code(trees):
    found = []
    for path, tree in trees.items():
        if "testing" in path.parts:
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [
                f"{short(path)}:{node.lineno} {name}"
                for name in names
                if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN_IMPORTS)
            ]
    assert found == []


def test_production_code_asserts_nothing_since_dash_o_would_drop_it(trees):
    found = [
        f"{short(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and "testing" not in path.parts
    ]
    assert found == []


def test_only_the_command_line_prints(trees):
    found = [
        f"{short(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func) == "print" and "cli" not in path.parts
    ]
    assert found == []


def test_nothing_swallows_every_exception_in_silence(trees):
    found = [
        f"{short(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or dotted(node.type) in {"Exception", "BaseException"})
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]
    assert found == []


def test_files_are_short():
    found = {short(path): lines for path in PRODUCTION if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES}
    assert found == {}


def test_functions_are_short(trees):
    found = {
        f"{short(path)}:{node.name}": lines
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert found == {}


def test_no_module_is_a_drawer_of_odds_and_ends():
    drawers = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
    assert [short(path) for path in PRODUCTION if path.stem in drawers] == []


def test_providers_use_public_names_of_core_only(trees):
    found = []
    for path in PROVIDERS:
        for node in ast.walk(trees[path]):
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "anytune":
                continue
            module = importlib.import_module(node.module)
            public = set(getattr(module, "__all__", ()))
            private = [part for part in node.module.split(".") if part.startswith("_")]
            names = [alias.name for alias in node.names]
            private += [name for name in names if name not in public and not is_module(f"{node.module}.{name}")]
            found += [f"{short(path)}:{node.lineno} {node.module} {name}" for name in private]
    assert found == []


def is_module(name: str) -> bool:
    return not name.rpartition(".")[2].startswith("_") and importlib.util.find_spec(name) is not None
