"""What no line of the source may do: a gate over `src/` and each provider's, for what reviews forget (rows 18 to 21 and 34)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("providers/*/src/**/*.py"), *ROOT.glob("examples/*.py")])

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
LOADERS = {"torch.load", "torch.jit.load", "torch.hub.load", "numpy.load", "np.load", "pandas.read_pickle", "pd.read_pickle"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn", "commands.getoutput"}
RUNNERS = {"eval", "exec", "compile", "__import__", "code.interact", "runpy.run_path", "runpy.run_module"}
ARCHIVES = {"extractall", "unpack_archive"}
SAFE_YAML = {"yaml.safe_load", "yaml.safe_dump", "yaml.YAMLError"}

OWN = {
    "providers/huggingface/src/anytune_huggingface/compute/bootstrap.py": {"extractall"},  # our own code, once its sha256 was checked
    "src/anytune/testing/scenarios/refusals.py": {"import pickle", "pickle.dumps", "pickle.loads"},  # errors made there a line before
}
"""What is allowed, where, and why."""
PAGES = {"src/anytune/data/stats.py", "src/anytune/evaluation/report/page.py", "src/anytune/report/page.py"}
"""They render templates of this package."""
SUITE = ("src/anytune/testing/", "examples/")
"""What pytest runs, or a reader: `assert` is their word."""


def dotted(node):
    """Give a call's name as it is written."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "", *reversed(parts)])


def faults(code, path=""):
    """Name what a module must not do."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Assert) and not path.startswith(SUITE):
            found.add("assert")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {f"import {name}" for name in names if name.partition(".")[0] in UNPICKLERS | {"litellm", "commands"}}
        elif isinstance(node, ast.Attribute) and dotted(node).startswith("yaml.") and dotted(node) not in SAFE_YAML:
            found.add(dotted(node))
        elif isinstance(node, ast.Call):
            found |= called(node, path)
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found |= {"trust_remote_code" for key, value in pairs if is_word(key, "trust_remote_code") and not is_word(value, False)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "--trust-remote-code" in node.value:
            found.add("--trust-remote-code")
    return found - OWN.get(path, set())


def called(node, path):
    """Name what is wrong with a call."""
    name, given = dotted(node.func), {word.arg: word.value for word in node.keywords}
    found = {name} & (LOADERS | SHELLS | RUNNERS)
    found |= {"shell=True"} if "shell" in given and not is_word(given["shell"], False) else set()
    found |= {"allow_pickle"} if "allow_pickle" in given and not is_word(given["allow_pickle"], False) else set()
    found |= {"weights_only=False"} if is_word(given.get("weights_only"), False) else set()
    found |= {"trust_remote_code"} if "trust_remote_code" in given and not is_word(given["trust_remote_code"], False) else set()
    found |= {name.rpartition(".")[2]} & ARCHIVES
    if name.rpartition(".")[2] in UNPICKLERS or name.partition(".")[0] in UNPICKLERS:
        found.add(name)
    if name.endswith("Environment") and name.startswith("jinja2") and path not in PAGES:
        found.add(name)
    if name.startswith(("AutoModel", "kind")) and name.endswith(".from_pretrained") and not safetensors(given):
        found.add(f"{name} without use_safetensors")
    return found


def safetensors(given):
    """Tell whether a model is loaded from safetensors or from the GGUF file of our own package: as it says, or as a named set of options."""
    return "gguf_file" in given or is_word(given.get("use_safetensors"), True) or None in given


def is_word(node, value):
    return isinstance(node, ast.Constant) and node.value == value


def test_no_module_does_what_none_may():
    names = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in SOURCES}
    assert {name: wrong for name, code in names.items() if (wrong := faults(code, name))} == {}


PLANTED = {
    "assert allowed": "assert",
    "import pickle": "import pickle",
    "from joblib import load": "import joblib",
    "import litellm": "import litellm",
    "torch.load(path)": "torch.load",
    "np.load(path, allow_pickle=True)": "allow_pickle",
    "torch.save(x); fetch(path, weights_only=False)": "weights_only=False",
    "pickle.loads(x)": "pickle.loads",
    "os.system(word)": "os.system",
    "subprocess.run(word, shell=True)": "shell=True",
    "subprocess.run(word, shell=asked)": "shell=True",
    "eval(word)": "eval",
    "exec(word)": "exec",
    "yaml.load(text)": "yaml.load",
    "yaml.load(text, Loader=yaml.FullLoader)": "yaml.FullLoader",
    "yaml.unsafe_load(text)": "yaml.unsafe_load",
    "Auto.from_pretrained(x, trust_remote_code=True)": "trust_remote_code",
    "Auto.from_pretrained(x, trust_remote_code=asked)": "trust_remote_code",
    "options = {'trust_remote_code': True}": "trust_remote_code",
    "argv = ['vllm', '--trust-remote-code']": "--trust-remote-code",
    "AutoModelForCausalLM.from_pretrained(folder)": "AutoModelForCausalLM.from_pretrained without use_safetensors",
    "archive.extractall(folder)": "extractall",
    "jinja2.Environment()": "jinja2.Environment",
}


@pytest.mark.parametrize("code", PLANTED)
def test_the_gate_bites(code):
    assert PLANTED[code] in faults(code, "src/anytune/x.py")


def test_the_gate_saw_the_source():
    assert len(SOURCES) > 300
    assert any("anytune_trl/trainers.py" in path.as_posix() for path in SOURCES)
