"""Trains with AutoTrain 0.8.36, inside AutoTrain's own environment: `python -I -B driver.py RUN.json`.

A stand-alone program: it imports the standard library and what that environment holds, never anytune. `-I` keeps our packages out, and this
folder, whose names would go before others'; `repairs.py` beside it is loaded by its path. It says what happens as JSON lines on the file
descriptor that `ANYTUNE_EVENTS_FD` names; standard output and error carry the libraries' noise. AutoTrain ends with 0 after a failure
(their issue 877); this ends with 0 once the weights are on disk or the run is paused, else with 1.

RUN.json, whose paths are absolute:
    params: fields of AutoTrain's `LLMTrainingParams`; `model` and `data_path` are folders, the latter with `train.jsonl`.
    overrides: fields of the trainer's arguments class (transformers, trl 0.13), which go before what AutoTrain makes of `params`.
    output: folder for `checkpoint-N/` and, at the end, `model/`.
    resume: checkpoint folder to go on from, or null.
    hold: path whose existence asks for a checkpoint and a stop, or null.
    texts: the columns (`text_column`; `prompt`, `chosen`, `rejected`) are rendered texts, and no template is applied (default true).

Events, by `event`: `started` (versions, step, total_steps, counts), `progress` (step, total_steps, tokens, peak_memory_bytes), `metric`
(step, values, as they come: NaN and zero are the reader's to judge), `checkpoint` (step, path; it is whole), `paused` (step),
`finished` (output, step, tokens) and `failed` (kind, message; kinds: `config`, `data`, `environment`, `memory`, `error`).
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

AUTOTRAIN = "0.8.36"

_CLM = "autotrain.trainers.clm"
_TRAINERS = {
    "default": ("TrainingArguments", "Trainer"),
    "sft": ("SFTConfig", "SFTTrainer"),
    "dpo": ("DPOConfig", "DPOTrainer"),
    "orpo": ("ORPOConfig", "ORPOTrainer"),
    "reward": ("RewardConfig", "RewardTrainer"),
}
_COLUMNS = {"dpo": ("prompt", "chosen", "rejected"), "orpo": ("prompt", "chosen", "rejected"), "reward": ("chosen", "rejected")}
LEANS_ON: dict[str, tuple[str, ...]] = {
    "autotrain": ("__version__",),
    f"{_CLM}.params": ("LLMTrainingParams",),
    f"{_CLM}.utils": ("get_callbacks", "process_data_with_chat_template", "process_input_data"),
    "autotrain.trainers.common": ("ALLOW_REMOTE_CODE",),
    **{f"{_CLM}.train_clm_{name}": ("train", *names) for name, names in _TRAINERS.items()},
    "transformers": ("GenerationConfig", "Trainer", "TrainerCallback", "set_seed"),
    "trl": ("RewardTrainer",),
    "datasets": ("Dataset", "disable_caching"),
}
"""What is replaced or called here, none of it public: as read in AutoTrain 0.8.36 on 2026-11-23, and looked for before anything else."""

_SWITCHED_ON = (
    *("DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"),
    *("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
)
_SWITCHED_OFF = ("ALLOW_REMOTE_CODE", "TOKENIZERS_PARALLELISM")  # the first: AutoTrain itself would run code that comes with a model
_UNWANTED = ("ENDPOINT_ID", "SPACE_ID", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY")  # AutoTrain pauses what the first two name
_LEFTOVERS = ("training_args.bin", "README.md")  # a pickle that nothing reads; a card that says nothing of this run
_DISTRIBUTIONS = ("autotrain-advanced", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")


class _Trouble(Exception):
    """A failure that can be named; `kind` is one of the module's."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Paused(Exception):
    """Training stopped because it was asked to, with a checkpoint on disk."""


class _Trained(Exception):
    """The checkpoint to go on from has all its steps already: transformers 4.48 would make one more."""


class _Counts:
    """What became of the rows: `rows` came in, `sequences` of `sequence_tokens` tokens in all are trained on, `tokens` were in the rows.

    `tokens` is known for texts only (`default`, `sft`), with the end token that each row gets; `tokens - sequence_tokens` were cut off or
    dropped as the last part of a block.
    """

    def __init__(self, *, packing: bool) -> None:
        self.packing = packing
        self.known: dict[str, int | None] = {}

    def rows(self, config: Any, tokenizer: Any, train: Any, valid: Any) -> None:
        """Count what comes in."""
        self.known |= {"rows": len(train), "validation_rows": 0 if valid is None else len(valid), "tokens": None}
        if config.trainer in {"default", "sft"}:
            texts = train[config.text_column]
            ends = len(texts) if (config.add_eos_token if config.trainer == "default" else self.packing) else 0
            batches = (tokenizer(texts[i : i + 1000])["input_ids"] for i in range(0, len(texts), 1000))
            self.known["tokens"] = ends + sum(len(ids) for batch in batches for ids in batch)

    def sequences(self, train: Any, valid: Any) -> None:
        """Count what goes into training, and refuse to train on nothing."""
        tokens = sum(len(ids) for ids in train["input_ids"]) if "input_ids" in train.column_names else None
        self.known |= {"sequences": len(train), "sequence_tokens": tokens, "validation_sequences": 0 if valid is None else len(valid)}
        for name, found in (("training", train), ("validation", valid)):
            if found is not None and len(found) == 0:
                raise _Trouble(
                    "data", f"The {name} rows are too long, or too few for one block of `block_size` tokens: no sequence is left."
                )


class _Follower:
    """What the trainer tells while it runs; mixed into transformers' callback class once that can be imported."""

    def __init__(self, events: Callable[..., None], counts: _Counts, hold: str | None) -> None:
        self.events, self.counts, self.hold = events, counts, hold
        self.paused = False
        self.last: dict[str, Any] = {"step": 0, "total_steps": 0, "tokens": None}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - transformers' signature
        """Say what is about to be trained."""
        versions = {name: importlib.metadata.version(name) for name in _DISTRIBUTIONS}
        about = {"counts": self.counts.known, "device": args.device.type, "devices": max(1, args.n_gpu)}
        self.events("started", versions=versions, step=state.global_step, total_steps=state.max_steps, **about)
        self._remember(state)
        if state.global_step >= state.max_steps:
            raise _Trained

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Save at the very end, so that a death while the model is written costs no training; stop when asked to."""
        if state.global_step >= state.max_steps:
            control.should_save = True
        elif self.hold and Path(self.hold).exists():
            self.paused = control.should_save = control.should_training_stop = True
        self._remember(state)
        self.events("progress", **self.last, peak_memory_bytes=_peak_memory_bytes())

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002
        """Pass one line of numbers on."""
        values = {k: float(v) for k, v in (logs or {}).items() if isinstance(v, (int, float)) and k != "total_flos"}
        self.events("metric", step=state.global_step, values=values)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Name the checkpoint once all of it is written."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        _tidy(folder)
        self.events("checkpoint", step=state.global_step, path=str(folder))

    def _remember(self, state: Any) -> None:
        self.last = {"step": state.global_step, "total_steps": state.max_steps, "tokens": state.num_input_tokens_seen or None}


def main(argv: list[str]) -> int:
    """Carry a run out; give the exit code."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    descriptor = int(os.environ["ANYTUNE_EVENTS_FD"])
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - os takes it by position
    stream = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)

    def events(event: str, **values: Any) -> None:
        stream.write(json.dumps({"event": event} | values) + "\n")

    try:
        run = json.loads(Path(argv[1]).read_text(encoding="utf-8"))
        output = Path(run["output"]).absolute()
        scratch = output / ".scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "tmp").mkdir(parents=True)
        _surround(scratch)
        _carry_out(run, output, scratch, events)
    except Exception as error:  # noqa: BLE001 - whatever the libraries raise is told to the parent
        traceback.print_exc()
        events("failed", **dict(zip(("kind", "message"), _named(error), strict=True)))
        return 1
    return 0


def _surround(scratch: Path) -> None:
    """Set the process up before any library is imported: offline, no remote code, no secrets, nothing written outside of `scratch`."""
    os.environ.update(dict.fromkeys(_SWITCHED_ON, "1") | dict.fromkeys(_SWITCHED_OFF, "false"))
    os.environ.update({"HF_HOME": str(scratch / "hf"), "HF_DATASETS_CACHE": str(scratch / "datasets"), "TMPDIR": str(scratch / "tmp")})
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # idle threads of torch would spin and take the other cores' time
    # On several GPUs transformers would multiply the batch by their number.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    for name in _UNWANTED:
        os.environ.pop(name, None)
    os.umask(0o077)
    os.chdir(scratch)


def _carry_out(run: dict[str, Any], output: Path, scratch: Path, events: Callable[..., None]) -> None:
    name, params = _checked(run)
    modules = _modules()
    counts = _Counts(packing=bool(run["overrides"].get("packing", True)))
    mixed: Any = type("AutoTrainFollower", (_Follower, modules["transformers"].TrainerCallback), {})
    follower = mixed(events, counts, run.get("hold"))
    modules["transformers"].set_seed(int(run["overrides"].get("seed", params.get("seed", 42))))
    _replace_data(modules, counts, texts=run.get("texts", True))
    _replace_arguments(modules[f"{_CLM}.train_clm_{name}"], name, run["overrides"], output)
    _replace_training(modules, follower, counts, run.get("resume"))
    try:
        config = modules[f"{_CLM}.params"].LLMTrainingParams(**params)
        modules[f"{_CLM}.train_clm_{name}"].train(config)
        _tidy(scratch / "model")
        shutil.rmtree(output / "model", ignore_errors=True)
        (scratch / "model").rename(output / "model")
    except _Paused:
        pass
    finally:
        os.chdir(output)
        shutil.rmtree(scratch, ignore_errors=True)  # copies of the data, caches
        _tidy(output)
    if follower.paused:
        events("paused", step=follower.last["step"])
    else:
        events("finished", output=str(output / "model"), **follower.last)


def _checked(run: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give the trainer's name and AutoTrain's parameters, whole."""
    params = dict(run["params"])
    name = {"generic": "default"}.get(params.get("trainer", "default"), params.get("trainer", "default"))
    if name not in _TRAINERS:
        raise _Trouble("config", f"AutoTrain has no trainer {name!r}.")
    if params.get("token") or params.get("push_to_hub"):
        raise _Trouble("config", "`token` and `push_to_hub` are not for this program: nothing here talks to a host.")
    for key in ("model", "data_path"):
        if not Path(params[key]).is_absolute() or not Path(params[key]).is_dir():
            raise _Trouble("config", f"`{key}` is no absolute path of a folder.")
    resume = run.get("resume")
    if resume is not None and not (Path(resume) / "trainer_state.json").is_file():
        raise _Trouble("config", f"The checkpoint {Path(resume).name} has no trainer_state.json.")
    forced = {"trainer": name, "project_name": "model", "merge_adapter": False, "log": "none"}
    return name, params | forced | ({"chat_template": None} if run.get("texts", True) else {})


def _modules() -> dict[str, Any]:
    """Import what `LEANS_ON` names, and look for each name in it."""
    found: dict[str, Any] = {}
    for module, names in LEANS_ON.items():
        try:
            found[module] = importlib.import_module(module)
        except Exception as error:
            raise _Trouble("environment", f"{module} cannot be imported: {type(error).__name__}: {error}") from error
        for name in names:
            if not hasattr(found[module], name):
                raise _Trouble("environment", f"{module} has no `{name}`, as AutoTrain {AUTOTRAIN} has.")
    if found["autotrain"].__version__ != AUTOTRAIN:
        raise _Trouble("environment", f"This is AutoTrain {found['autotrain'].__version__}; this program knows {AUTOTRAIN} only.")
    if found["autotrain.trainers.common"].ALLOW_REMOTE_CODE:
        raise _Trouble("environment", "AutoTrain would run code that comes with a model.")
    return found


def _replace_data(modules: dict[str, Any], counts: _Counts, *, texts: bool) -> None:
    """Read rows as texts and keep the validation rows, which `process_data_with_chat_template` drops (AutoTrain's issues 633 and 849)."""
    utils, dataset = modules[f"{_CLM}.utils"], modules["datasets"].Dataset
    template, mapped = utils.process_data_with_chat_template, dataset.map
    modules["datasets"].disable_caching()

    def read(config: Any) -> tuple[Any, Any]:
        names = _COLUMNS.get(config.trainer, (config.text_column,))
        splits = (config.train_split, config.valid_split)
        train, valid = (split and dataset.from_dict(_columns(Path(config.data_path) / f"{split}.jsonl", names)) for split in splits)
        return train, valid

    def process(config: Any, tokenizer: Any, train: Any, valid: Any) -> tuple[Any, Any]:
        without = config.model_copy(update={"valid_split": None})
        train, valid = (rows and template(without, tokenizer, rows, None)[0] for rows in (train, valid))
        counts.rows(config, tokenizer, train, valid)
        return train, valid

    def map_here(self: Any, *args: Any, num_proc: int | None = None, **given: Any) -> Any:  # noqa: ARG001
        # AutoTrain asks for four processes, and each drops its own last tokens: eight short rows would leave nothing at all.
        return mapped(self, *args, **given)

    if texts:
        utils.process_input_data = read
    utils.process_data_with_chat_template = process
    dataset.map = map_here


def _columns(path: Path, names: tuple[str, ...]) -> dict[str, list[str]]:
    """Read rendered rows; `datasets` itself would take texts that look like dates for dates."""
    columns: dict[str, list[str]] = {name: [] for name in names}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            for name in names:
                if not isinstance(row.get(name), str):
                    raise _Trouble("data", f"Row {number} of {path.name}: `{name}` is missing or no text.")
                columns[name].append(row[name])
    if not columns[names[0]]:
        raise _Trouble("data", f"{path.name} has no rows.")
    return columns


def _replace_arguments(module: Any, name: str, overrides: dict[str, Any], output: Path) -> None:
    """Let the overrides go before what AutoTrain computes."""
    class_name = _TRAINERS[name][0]
    real = getattr(module, class_name)
    unknown = sorted(set(overrides) - {field.name for field in dataclasses.fields(real)} | set(overrides) & {"output_dir", "hub_token"})
    if unknown:
        raise _Trouble("config", f"`{unknown[0]}` cannot be overridden: it is not a field of {class_name}, or not the caller's to set.")
    ours: dict[str, Any] = {
        "report_to": [],
        "load_best_model_at_end": False,  # it wants adapter_model.bin, which peft 0.14 does not write
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "include_num_input_tokens_seen": name in {"default", "sft"},
    }
    if name == "sft":
        ours |= {"eval_packing": False, "remove_unused_columns": True}  # texts beside the tokens break rows that are not packed

    def arguments(**given: Any) -> Any:
        return real(**(given | ours | overrides | {"output_dir": str(output)}))

    setattr(module, class_name, arguments)


def _replace_training(modules: dict[str, Any], follower: Any, counts: _Counts, resume: str | None) -> None:
    """Follow the trainer, go on from a checkpoint, and keep what AutoTrain does at the end from being done after a pause."""
    transformers, repairs = modules["transformers"], _beside("repairs")
    real = transformers.Trainer.train

    def train(self: Any, *_: Any, **__: Any) -> None:
        counts.sequences(self.train_dataset, self.eval_dataset)
        repairs.plain_generation(self.model, transformers.GenerationConfig)
        with suppress(_Trained):
            real(self, resume_from_checkpoint=resume)
        if follower.paused:
            raise _Paused

    transformers.Trainer.train = train
    modules[f"{_CLM}.utils"].get_callbacks = lambda config: [follower]  # noqa: ARG005 - the others log, upload and write empty pickles
    modules["trl"].RewardTrainer.visualize_samples = lambda *_, **__: None  # it prints rows
    repairs.correct_passes(transformers.Trainer)
    repairs.correct_padding(modules[f"{_CLM}.train_clm_sft"])


def _beside(name: str) -> Any:
    """Load a file that lies beside this one."""
    spec = importlib.util.spec_from_file_location(f"anytune_driver_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise _Trouble("environment", f"{name}.py is missing beside driver.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tidy(folder: Path) -> None:
    for name in _LEFTOVERS:
        (folder / name).unlink(missing_ok=True)


def _peak_memory_bytes() -> int:
    torch = sys.modules["torch"]
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _named(error: Exception) -> tuple[str, str]:
    """Give a failure's kind, and one line about it."""
    if isinstance(error, _Trouble):
        return error.kind, str(error)
    text = " ".join(str(error).split())[:500]
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:
        return "memory", f"There is not enough memory: {text}"
    kind = "data" if "at least yield one packed sequence" in text else "config" if type(error).__name__ == "ValidationError" else "error"
    return kind, f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    sys.exit(main(sys.argv))
