"""Lead every evil folder along every way to a loader: `load_paths.py GOOD_MODEL PLACE [planted]`. Ends with 1 where something got through.

It checks by itself, without `assert`, so that it checks as much under `python -O`. Each folder meets the front doors, which look at it
first, and the loaders behind them, which are told nothing: pickles and code must come to nothing at both. `planted` adds a loader that
unpickles, and takes the first folders only: it must be caught.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))
from evil_folders import SECRET, Evil  # beside this program


def doors(place):
    """Give what a person can do with a folder: each looks at it first."""
    from anytune import FineTuneJob
    from anytune.backend import DeployOrder
    from anytune.values import ModelRef
    from anytune_autotrain.translate import translate
    from anytune_huggingface.hub.changes import published
    from anytune_huggingface.models import folders, push
    from anytune_huggingface.serving import options

    rows = place / "rows.jsonl"
    row = {"messages": [{"role": "user", "content": "apple"}, {"role": "assistant", "content": "red"}]}
    rows.write_text((json.dumps(row) + "\n") * 12)
    made = iter(range(10_000))

    def preflight(backend):
        def look(folder):
            found = FineTuneJob.preflight(backend=backend, model=str(folder), train=str(rows))
            return found.model_dump_json() if hasattr(found, "model_dump_json") else repr(found)

        return look

    def serve(folder):
        return repr(options.settings(DeployOrder(ref="D1", model=ModelRef(id=str(folder)), name="m", ttl_s=60)))

    def publish(folder):
        verified = push._folder(None, ModelRef(id=str(folder)), adapter=(folder / "adapter_config.json").is_file())
        return "".join(path.read_bytes().decode("latin-1") for name, path in published(verified) if not name.endswith(".safetensors"))

    return {
        "resolve": lambda folder: str(folders.resolve(str(folder))),
        "preflight of trl": preflight("trl"),
        "preflight of autotrain": preflight("autotrain"),
        "translate for autotrain": lambda folder: content(translate(folder, place / f"copy-{next(made)}", verify=folders.verify)),
        "serve": serve,
        "publish": publish,
    }


def loaders(good):
    """Give what loads, with nobody before it."""
    from anytune_huggingface.models.merge import merged
    from anytune_huggingface.serving import shared
    from anytune_huggingface.text import tokenizer
    from anytune_trl.trainers import load_model

    settings = SimpleNamespace(packing=False, adapter="lora", dtype="float32")
    return {
        "tokenizer": lambda folder: repr(tokenizer.load(folder)),
        "train": lambda folder: repr(load_model(folder, settings)),
        "serve one": lambda folder: repr(shared.alone(folder)),
        "serve several": lambda folder: repr(shared.held(good, "base", {"it": folder})),
        "merge": lambda folder: repr(merged(good, folder)),
    }


def content(folder):
    """Give the text of a folder's files."""
    texts = [path.read_bytes().decode("latin-1") for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return "".join(texts)


def meet(evil, folder, ways):
    """Take each way; give what each said, and name those that ran something."""
    said, ran = {}, []
    for way, take in ways.items():
        try:
            said[way] = ("taken", take(folder))
        except Exception as error:  # noqa: BLE001 - whatever a loader raises is an answer
            said[way] = (type(error).__name__, "".join(traceback.format_exception(error)))
        if evil.canary.exists():
            evil.canary.unlink()
            ran.append(way)
    return said, ran


def main(good, place, planted):
    """Try all; give what got through."""
    evil = Evil(good, place)
    front, behind = doors(place), loaders(Path(good))
    if planted:
        behind["planted"] = lambda folder: pickle.loads((folder / "pytorch_model.bin").read_bytes())
    wrong, tried = [], 0
    cases = [(f"model: {name}", refused, folder) for name, refused, folder in evil.models()]
    cases += [(f"adapter: {name}", True, folder) for name, folder in evil.adapters()]
    for name, refused, folder in cases[:2] if planted else cases:
        said, ran = meet(evil, folder, front)
        behind_said, behind_ran = meet(evil, folder, behind)
        tried += len(said) + len(behind_said)
        wrong += [f"{name}: {way} ran code" for way in (*ran, *behind_ran)]
        wrong += [f"{name}: {way} shows the secret" for way, (_, text) in said.items() if SECRET in text]
        if refused:
            doors_open = [way for way, (kind, text) in said.items() if kind == "taken" and not text_refuses(way, text)]
            wrong += [f"{name}: {way} took it" for way in doors_open]
        if refused and said["resolve"][0] != "ConfigError":
            wrong.append(f"{name}: resolve says {said['resolve'][0]}")
        if not refused and said["resolve"][0] != "taken":
            wrong.append(f"{name}: refused, though it can be loaded safely: {said['resolve'][1][-300:]}")
    if SECRET in content(os.environ["ANYTUNE_HOME"]):
        wrong.append("the secret lies in ANYTUNE_HOME")
    return wrong, tried


def text_refuses(way, text):
    """Tell whether a preflight, which raises nothing, found the folder at fault."""
    return way.startswith("preflight") and '"error"' in text


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    found, count = main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:] == ["planted"])
    print(json.dumps({"asserts": __debug__, "tried": count, "wrong": found}))
    sys.exit(1 if found or not count else 0)
