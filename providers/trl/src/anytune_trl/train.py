"""The training child: `python -m anytune_trl.train RUN_DIR`, started by the agent.

It reads `order.json`, says what happens through `anytune.local.child.Reporter`, and leaves by one of its words: finished, failed, paused.
Killed at any moment, it goes on from its last good checkpoint when it is started again.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.data import describe
from anytune.data.formats import read
from anytune.errors import AnytuneError, ConfigError, DataError, redact
from anytune.local.child import Reporter
from anytune_huggingface import checkpoints
from anytune_huggingface.models import folders
from anytune_huggingface.order import TrainOrder
from anytune_trl import defaults
from anytune_trl.dataset import Counts, Dataset, build, findings, stops_training
from anytune_trl.quote import disk_bytes

if TYPE_CHECKING:
    from anytune_huggingface.text.render import Renderer
    from anytune_trl.callbacks import Follower
    from anytune_trl.defaults import Resolved

__all__ = ["Run", "main"]


class Run:
    """One start of a training run, from its order to its result."""

    def __init__(self, run_dir: Path, reporter: Reporter) -> None:
        """Read the order and choose the settings; torch is loaded here."""
        import torch  # noqa: PLC0415 - after the environment was set

        self.run_dir, self.reporter = run_dir, reporter
        self.order = TrainOrder.read(run_dir)
        self.spec = self.order.training_spec()
        self.resolved: Resolved = defaults.resolve(self.spec, "cuda" if torch.cuda.is_available() else "cpu")
        self.output = run_dir / "checkpoints"
        self.started = time.monotonic()
        if self.resolved.device == "cpu":
            torch.set_flush_denormal(True)

    def __call__(self) -> None:
        """Train, save, prove; or pause."""
        base = folders.resolve(self.order.model)
        tokenizer, renderer = load_renderer(base)
        parts = self._data(renderer, base)
        steps = defaults.steps(self.resolved, parts["train"].counts.samples)
        self._room(base)
        if not self.reporter.last_progress():
            self.reporter.progress(step=0, total_steps=steps)
        trainer, follower = self._train(base, tokenizer, parts, steps)
        if follower.paused:
            self.reporter.event(f"Paused at step {trainer.state.global_step}.", step=trainer.state.global_step)
            self.reporter.paused(trainer.state.global_step)
            return
        self._finish(trainer, follower, base, tokenizer, renderer, parts)

    def _data(self, renderer: Renderer, base: Path) -> dict[str, Dataset]:
        """Render all rows; refuse what cannot be learned from, and say what was left out."""
        limit = defaults.max_length(self.spec, folders.context_length(base))
        parts = {}
        for role, file in self.order.data.items():
            if describe(file.path, "train" if role == "train" else "validation").sha256 != file.sha256:
                raise DataError(f"The {role} data changed since the job was made.", fix="Create a new job with the file as it is now.")
            part = build(read(file.path), self.resolved.method, renderer, max_length=limit, overlong=self.resolved.overlong)
            for finding in findings(part.counts, role=role, max_length=limit, overlong=self.resolved.overlong):
                if stops_training(finding):
                    raise DataError(finding.message, fix=finding.fix, findings=[finding])
                self.reporter.event(finding.message, "warning", code=finding.code)
            self._counted(role, part.counts, limit)
            parts[role] = part
        return parts

    def _counted(self, role: str, counts: Counts, limit: int) -> None:
        self.reporter.event(
            f"{counts.samples} {role} samples of {counts.rows} rows, {counts.tokens} tokens, {counts.learned_share:.1%} of them learned.",
            role=role, rows=counts.rows, samples=counts.samples, tokens=counts.tokens, learned_tokens=counts.learned_tokens,
            learned_share=round(counts.learned_share, 6), longest=counts.longest, max_length=limit,
            overlong=len(counts.overlong), unlearned=len(counts.unlearned), overlong_policy=self.resolved.overlong,
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

    def _train(self, base: Path, tokenizer: Any, parts: dict[str, Dataset], steps: int) -> tuple[Any, Follower]:
        from anytune_trl.callbacks import Follower, NothingLearnedError  # noqa: PLC0415 - heavy
        from anytune_trl.trainers import NotFiniteError, load_model, trainer_for  # noqa: PLC0415 - heavy

        follower = Follower(self.reporter, keep=self.resolved.save_total_limit)
        model = load_model(base, self.resolved)
        trainer = trainer_for(
            model,
            tokenizer,
            self.resolved,
            train=parts["train"],
            validation=parts.get("validation"),
            output=self.output,
            steps=steps,
            callbacks=[follower],
        )
        checkpoint = self._resumed()
        if checkpoint is not None and checkpoints.step(checkpoint) >= steps:
            # transformers 5.23 would do one step more.
            trainer._load_from_checkpoint(str(checkpoint))  # noqa: SLF001 - what `train` itself calls first
            trainer.state.global_step, trainer.state.max_steps = checkpoints.step(checkpoint), steps
            follower.last = checkpoints.metrics(checkpoint)
            return trainer, follower
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except NotFiniteError as error:
            raise DataError(f"The loss became {error} after step {trainer.state.global_step}. {_kept(self.output)}", fix=_CALMER) from error
        except NothingLearnedError as error:
            raise DataError(f"{error} {_kept(self.output)}", fix=_CALMER) from error
        return trainer, follower

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

    def _finish(self, trainer: Any, follower: Follower, base: Path, tokenizer: Any, renderer: Renderer, parts: dict[str, Dataset]) -> None:
        from anytune_huggingface.serving import parity  # noqa: PLC0415 - heavy
        from anytune_huggingface.serving.proof import prove  # noqa: PLC0415 - heavy
        from anytune_trl.card import card, versions  # noqa: PLC0415
        from anytune_trl.save import save  # noqa: PLC0415 - heavy

        self.reporter.event("Saving the model.")
        artifacts = save(trainer, tokenizer, base, self.resolved, renderer, self.run_dir)
        merged = Path(artifacts["merged"])
        source = self.order.data.get("validation", self.order.data["train"])
        prompts = parity.prompts(read(source.path), self.resolved.method, renderer)
        proof = prove(merged, renderer, prompts, gpu=self.resolved.device == "cuda")
        follower.tell(trainer.state)  # saving and proving may have taken the most memory
        counts = {role: part.counts for role, part in parts.items()}
        metrics = {k: v for k, v in follower.last.items() if math.isfinite(v)} | {"learned_share": counts["train"].learned_share}
        seconds = time.monotonic() - self.started
        text = card(self.order, self.resolved, counts, metrics, seconds)
        for folder in (merged, *(Path(artifacts[k]) for k in ("adapter",) if k in artifacts)):
            (folder / "README.md").write_text(text, encoding="utf-8")
        artifacts |= {"card": str(merged / "README.md"), "parity": str(proof)}
        self.reporter.event("The saved model loads and answers.", steps=trainer.state.global_step, seconds=round(seconds, 1))
        self.reporter.finish(
            {
                "model": {"id": str(merged), "base_model": self.order.model, "artifacts": artifacts},
                "metrics": metrics,
                "steps": trainer.state.global_step,
                "seconds": round(seconds, 3),
                "counts": {role: _numbers(part) for role, part in counts.items()},
                "resolved": self.resolved.model_dump(mode="json"),
                "versions": versions(),
            }
        )


def _numbers(counts: Counts) -> dict[str, int]:
    return {name: value if isinstance(value, int) else len(value) for name, value in counts._asdict().items()}


_CALMER = "Lower `learning_rate`, look at the data, or try another model."


def _kept(output: Path) -> str:
    good, _ = checkpoints.last_good(output)
    return f"The last good checkpoint is kept: {good.name}." if good else "No checkpoint had been written yet."


def load_renderer(folder: Path) -> tuple[Any, Renderer]:
    """Load a verified folder's tokenizer, ready for training, and what renders with it."""
    from anytune_huggingface.text.tokenizer import load  # noqa: PLC0415 - loads transformers

    return load(folder)


def main(run_dir: Path) -> None:
    """Run, and turn every end into a word for the agent."""
    reporter = Reporter()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # TRL refuses several GPUs in one process
    try:
        Run(run_dir, reporter)()
    except AnytuneError as error:
        reporter.fail(str(error))
    except MemoryError as error:
        reporter.fail(f"Memory ran out ({error}). Lower `per_device_train_batch_size` or `max_length`, or use LoRA.")
    except Exception as error:  # noqa: BLE001 - whatever a library raises ends the job with its reason, and the log has the rest
        sys.stderr.write(redact(traceback.format_exc()))
        if "out of memory" in str(error).lower():
            reporter.fail("The GPU's memory ran out. Lower `per_device_train_batch_size` or `max_length`, or use QLoRA.")
        else:
            reporter.fail(redact(f"{type(error).__name__}: {str(error)[:500]}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
