"""The training child: `python -m anytune_autotrain.train RUN_DIR`, started by the agent.

It reads `order.json`, prepares what AutoTrain needs (its environment, a model that it can read, rendered rows), has its driver train in
a process of its own, and proves the result with the current libraries. It says what happens through `anytune.local.child.Reporter`, and
leaves by one of its words: finished, failed, paused. Killed at any moment, alone or with its driver, it goes on from its last good
checkpoint when it is started again.

RUN_DIR/autotrain holds what AutoTrain was given: `config.yml`, the rendered rows in `data/`, `model/` where the base had to be translated.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
import traceback
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.data import describe
from anytune.data.formats import read
from anytune.errors import AnytuneError, ConfigError, DataError, redact
from anytune.local.child import Reporter
from anytune_autotrain import arguments, child, defaults, environment, words
from anytune_autotrain.adapter import adopt
from anytune_autotrain.data import Part, Writer, build
from anytune_autotrain.findings import findings, stops_training
from anytune_autotrain.follow import Follower
from anytune_autotrain.quote import disk_bytes
from anytune_autotrain.translate import translate
from anytune_huggingface import checkpoints
from anytune_huggingface.device import device, peak_memory_bytes
from anytune_huggingface.models import folders
from anytune_huggingface.order import TrainOrder

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune_huggingface.text.render import Renderer

__all__ = ["Run", "main"]

_PROVED_PAIRS = 32


class Run:
    """One start of a training run, from its order to its result."""

    def __init__(self, run_dir: Path, reporter: Reporter) -> None:
        """Read the order and choose the settings."""
        self.run_dir, self.reporter = run_dir, reporter
        self.order = TrainOrder.read(run_dir)
        self.resolved = defaults.resolve(self.order.training_spec(), device())
        self.output, self.given = run_dir / "checkpoints", run_dir / "autotrain"
        self.started = time.monotonic()

    def __call__(self) -> None:
        """Train, save, prove; or pause."""
        python = environment.ensure(self.reporter.event)
        base = folders.resolve(self.order.model)
        limit = defaults.max_length(self.resolved, folders.context_length(base))
        tokenizer, renderer = words.load(base, self.resolved)
        parts = self._data(renderer, limit)
        self.resolved = defaults.fitted(self.resolved, parts["train"].counts.sequences)
        steps = defaults.steps(self.resolved, parts["train"].counts.sequences)
        self._room(base)
        if not self.reporter.last_progress():
            self.reporter.progress(step=0, total_steps=steps)
        run = self._prepare(base, tokenizer, parts, limit, steps)
        follower = self._train(python, run, parts, partial(adopt, base=base, words=len(tokenizer)))
        if follower.paused:
            self.reporter.event(f"Paused at step {follower.step}.", step=follower.step)
            self.reporter.paused(follower.step)
            return
        self._finish(follower, base, tokenizer, renderer, parts)

    def _data(self, renderer: Renderer, limit: int) -> dict[str, Part]:
        """Render all rows; refuse what cannot be learned from, and say what was left out."""
        writer = Writer(renderer, self.resolved, limit)
        parts: dict[str, Part] = {}
        for role, file in self.order.data.items():
            if describe(file.path, "train" if role == "train" else "validation").sha256 != file.sha256:
                raise DataError(f"The {role} data changed since the job was made.", fix="Create a new job with the file as it is now.")
            if role != "train" and self.resolved.method == "sft":  # both are joined, or neither
                writer = Writer(renderer, self.resolved.model_copy(update={"packing": parts["train"].counts.packed}), limit)
            part = build(read(file.path), writer)
            for finding in findings(part.counts, self.resolved, role=role, limit=limit):
                if stops_training(finding):
                    raise DataError(finding.message, fix=finding.fix, findings=[finding])
                self.reporter.event(finding.message, "info" if finding.severity == "info" else "warning", code=finding.code)
            self._counted(role, part, limit)
            parts[role] = part
        return parts

    def _counted(self, role: str, part: Part, limit: int) -> None:
        counts = part.counts
        learned = f"{counts.tokens} tokens, {counts.learned_share:.1%} of them learned"
        self.reporter.event(
            f"{counts.sequences} {role} sequences of {counts.rows} rows, {learned}.",
            role=role, rows=counts.rows, samples=counts.samples, sequences=counts.sequences, tokens=counts.tokens, packed=counts.packed,
            learned_tokens=counts.learned_tokens, learned_share=round(counts.learned_share, 6), longest=counts.longest, max_length=limit,
            dropped_tokens=counts.dropped_tokens, overlong=len(counts.overlong), overlong_policy=self.resolved.overlong,
        )  # fmt: skip

    def _room(self, base: Path) -> None:
        """Refuse to start what would fill the disk."""
        needed = disk_bytes(folders.parameters(base) or 0, self.resolved)
        free = shutil.disk_usage(self.run_dir).free
        if free < needed:
            raise ConfigError(
                f"The run needs about {needed / 1e9:.1f} GB of disk space, {free / 1e9:.1f} GB are free.",
                fix="Free some (`anytune gc`), or move ANYTUNE_HOME.",
            )

    def _prepare(self, base: Path, tokenizer: Any, parts: dict[str, Part], limit: int, steps: int) -> dict[str, Any]:
        """Write what AutoTrain reads, and give what its driver is told."""
        data = self.given / "data"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role, part in parts.items():
            _write(data / f"{'valid' if role == 'validation' else 'train'}.jsonl", (sample.columns for sample in part.samples))
        validation = "validation" in parts
        params = arguments.params(
            self.resolved,
            model=self._readable(base, tokenizer, parts),
            data=data,
            limit=limit,
            validation=validation,
            reference=self._reference(),
        )
        packed, logs = parts["train"].counts.packed, self.given / "runs"
        extra = arguments.overrides(self.resolved, steps=steps, packed=packed, validation=validation, logs=logs)
        yml = arguments.config(params, extra, method=self.resolved.method, name=self.order.name)
        (self.given / "config.yml").write_text(yml, encoding="utf-8")
        resume = self._resumed()
        self.output.mkdir(mode=0o700, exist_ok=True)
        return {
            "params": params,
            "overrides": extra,
            "output": str(self.output),
            "resume": str(resume) if resume else None,
            "hold": str(self.given / "hold"),
            "texts": True,
        }

    def _readable(self, base: Path, tokenizer: Any, parts: dict[str, Part]) -> Path:
        """Give the folder that AutoTrain's transformers reads: the base, or a copy that was translated or given another tokenizer."""
        changed = self.resolved.chat_template in {"chatml", "zephyr"}
        if self.resolved.method == "reward":
            rows = (ids for part in parts.values() for sample in part.samples for ids in sample.ids.values())
            changed = words.pad_apart(tokenizer, rows) or changed
        source = words.dressed(base, tokenizer, self.given / "dressed") if changed else base
        model = translate(source, self.given / "model", verify=folders.verify)
        if model != base:
            self.reporter.event("AutoTrain is given a copy of the base model that its older transformers reads rightly.")
        return model

    def _reference(self) -> Path | None:
        if self.resolved.method != "dpo" or self.resolved.model_ref is None:
            return None
        return translate(folders.resolve(self.resolved.model_ref), self.given / "reference", verify=folders.verify)

    def _resumed(self) -> Path | None:
        """Choose the checkpoint to go on from; what cannot be trusted is deleted, so that it is never taken later."""
        checkpoint, problems = checkpoints.last_good(self.output)
        for problem in problems:
            self.reporter.event(f"A checkpoint is not used: {problem}.", "warning")
            shutil.rmtree(self.output / problem.partition(":")[0], ignore_errors=True)
        if checkpoint is not None:
            again = max(0, (self.reporter.last_progress().get("step") or 0) - checkpoints.step(checkpoint))
            self.reporter.event(f"Going on from {checkpoint.name}.", checkpoint=checkpoint.name, steps_again=again)
        return checkpoint

    def _train(self, python: Path, run: dict[str, Any], parts: dict[str, Part], adopted: Callable[[Path], None]) -> Follower:
        counts = parts["train"].counts
        follower = Follower(
            self.reporter,
            output=self.output,
            keep=self.resolved.save_total_limit,
            step_tokens=counts.tokens / counts.sequences * self.resolved.global_batch,
            hold=Path(run["hold"]),
            adopt=adopted,
        )
        if run["resume"]:
            follower.last = checkpoints.metrics(Path(run["resume"]))
        with closing(child.events(python, run, self.given)) as said:
            for event in said:
                follower(event)
        return follower

    def _finish(self, follower: Follower, base: Path, tokenizer: Any, renderer: Renderer, parts: dict[str, Part]) -> None:
        from anytune_autotrain.card import card, versions  # noqa: PLC0415
        from anytune_autotrain.save import save  # noqa: PLC0415 - loads torch

        if follower.model is None:
            raise ConfigError("AutoTrain ended without a model.", fix="See the job's log.")
        self.reporter.event("Saving the model.")
        artifacts = save(follower.model, base, tokenizer, renderer, self.resolved, self.run_dir)
        merged = Path(artifacts["merged"])
        counts = {role: part.counts for role, part in parts.items()}
        metrics = {k: v for k, v in follower.last.items() if math.isfinite(v)} | {"learned_share": counts["train"].learned_share}
        metrics |= self._proved(merged, artifacts, renderer, parts)
        seconds = time.monotonic() - self.started
        text = card(self.order, self.resolved, counts, metrics, seconds, follower.versions)
        for folder in (merged, *(Path(artifacts[k]) for k in ("adapter",) if k in artifacts)):
            (folder / "README.md").write_text(text, encoding="utf-8")
        artifacts["card"] = str(merged / "README.md")
        peak = max(peak_memory_bytes(), self.reporter.last_progress().get("peak_memory_bytes") or 0)
        self.reporter.progress(**{**_progress(self.reporter), "peak_memory_bytes": peak})
        self.reporter.event("The saved model loads and answers.", steps=follower.step, seconds=round(seconds, 1))
        self.reporter.finish(
            {
                "model": {"id": str(merged), "base_model": self.order.model, "artifacts": artifacts},
                "metrics": metrics,
                "steps": follower.step,
                "seconds": round(seconds, 3),
                "counts": {role: _numbers(part) for role, part in parts.items()},
                "resolved": self.resolved.model_copy(update={"packing": counts["train"].packed}).model_dump(mode="json"),
                "versions": versions(follower.versions),
            }
        )

    def _proved(self, merged: Path, artifacts: dict[str, str], renderer: Renderer, parts: dict[str, Part]) -> dict[str, float]:
        """Load the weights with the current libraries: a language model answers, a reward model scores."""
        gpu = self.resolved.device == "cuda"
        if self.resolved.method == "reward":
            from anytune_autotrain.save import scored  # noqa: PLC0415 - loads torch

            return scored(merged, parts.get("validation", parts["train"]).samples[:_PROVED_PAIRS], gpu=gpu)
        from anytune_huggingface.serving import parity  # noqa: PLC0415 - heavy
        from anytune_huggingface.serving.proof import prove  # noqa: PLC0415 - heavy

        source = self.order.data.get("validation", self.order.data["train"])
        prompts = parity.prompts(read(source.path), self.resolved.method, renderer)
        artifacts["parity"] = str(prove(merged, renderer, prompts, gpu=gpu))
        return {}


def _progress(reporter: Reporter) -> dict[str, Any]:
    return {name: value for name, value in reporter.last_progress().items() if name != "at"}


def _write(path: Path, rows: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        path.chmod(0o600)
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _numbers(part: Part) -> dict[str, int]:
    return {name: len(value) if isinstance(value, tuple) else int(value) for name, value in part.counts._asdict().items()}


def main(run_dir: Path) -> None:
    """Run, and turn every end into a word for the agent; a driver that was killed has none, and is started again."""
    reporter = Reporter()
    try:
        Run(run_dir, reporter)()
    except child.Interrupted as interrupted:
        reporter.event(str(interrupted), "warning")
        sys.exit(1)
    except AnytuneError as error:
        reporter.fail(str(error))
    except MemoryError as error:
        reporter.fail(f"Memory ran out ({error}). Lower `per_device_train_batch_size` or `max_length`, or use LoRA.")
    except Exception as error:  # noqa: BLE001 - whatever a library raises ends the job with its reason, and the log has the rest
        sys.stderr.write(redact(traceback.format_exc()))
        reporter.fail(redact(f"{type(error).__name__}: {str(error)[:500]}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
