"""The quickstart's story: check the recipes, train, deploy base and tuned one after the other, ask both the same held-out rows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.cli import show
from anytune.errors import BackendError
from anytune.spec import SFT, LoRA, TrainingSpec
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anytune.batch import Answer
    from anytune.job import FineTuneJob
    from anytune.model import TunedModel
    from anytune.preflight import Preflight

__all__ = ["Example", "Report", "exact_match", "spec", "tell"]

NAME = "quickstart"
FOLDER = Path(__file__).parent
MAX_TOKENS = 24
"""The longest expected answer has 23 tokens of the starter's tokenizer (2026-11-22); one more lets it stop."""

CONCURRENCY = 8
EXAMPLES = 3


class Example(Value):
    """One held-out recipe and what both models made of it."""

    recipe: str
    expected: str
    base: str
    tuned: str


class Report(Value):
    """What the quickstart saw.

    Attributes:
        rows: Held-out recipes that both models were asked.
        base_exact_match: Share of answers of the base model that equal the expected text (0 to 1).
        tuned_exact_match: The same for the tuned model.
        train_seconds: From creating the job to its end.
        total_seconds: Everything.
        tokens_per_second: Of training, over all steps, as the trainer counted; None where it did not.
        examples: The first held-out recipes.
    """

    job_id: str
    rows: int
    base_exact_match: float
    tuned_exact_match: float
    train_seconds: float
    total_seconds: float
    tokens_per_second: float | None
    examples: tuple[Example, ...]

    def figures(self) -> dict[str, Any]:
        """Give the figures alone, for programs."""
        return self.model_dump(mode="json", exclude={"job_id", "examples"})


def spec(backend: str = "trl") -> TrainingSpec:
    """Give the recipe of the quickstart: fixed beforehand, never tuned on the held-out rows."""
    return TrainingSpec(
        backend=backend,
        model="starter",
        train=FOLDER / "train.jsonl",
        method=SFT(
            max_steps=14,
            per_device_train_batch_size=8,
            learning_rate=1e-3,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=2,
            logging_steps=1,
            seed=1,
        ),
        adapter=LoRA(r=16, lora_alpha=32, target_modules="all-linear"),
        name=NAME,
    )


def tell(*, backend: str = "trl", clock: Callable[[], float] = time.monotonic) -> Report:
    """Run the whole story.

    Raises:
        AnytuneError: A part of it failed; the message says which.
    """
    from anytune.cli.follow import follow  # noqa: PLC0415 - brings the progress bar along
    from anytune.job import FineTuneJob  # noqa: PLC0415 - so that `spec` can be read without the ledger
    from anytune.model import TunedModel  # noqa: PLC0415 - as above

    begun = clock()
    recipe = spec(backend)
    held_out = [json.loads(line)["messages"] for line in (FOLDER / "test.jsonl").read_text(encoding="utf-8").splitlines()]

    def told(found: Preflight) -> None:
        show.findings(found.errors)
        show.note(f"{found.stats.rows} recipes to learn from and {len(held_out)} held out: checked.")

    job = FineTuneJob.create(recipe, new_attempt=True, on_preflight=told)
    show.note(f"Training the starter model for {recipe.method.max_steps} steps: job {job.id}.")
    tuned = follow(job)
    trained = clock()
    base_answers = _ask(TunedModel.from_path("starter", backend=backend), "base", held_out)
    tuned_answers = _ask(tuned, "tuned", held_out)
    expected = [messages[-1]["content"] for messages in held_out]
    return Report(
        job_id=job.id,
        rows=len(held_out),
        base_exact_match=exact_match(base_answers, expected),
        tuned_exact_match=exact_match(tuned_answers, expected),
        train_seconds=round(trained - begun, 1),
        total_seconds=round(clock() - begun, 1),
        tokens_per_second=_speed(job),
        examples=tuple(
            Example(recipe=messages[-2]["content"], expected=right, base=base, tuned=after)
            for messages, right, base, after in zip(held_out[:EXAMPLES], expected, base_answers, tuned_answers, strict=False)
        ),
    )


def exact_match(answers: Sequence[str], expected: Sequence[str]) -> float:
    """Give the share of answers that are, without white space around them, exactly the expected text.

    Example:
        >>> exact_match(['{"ingredients": ["kale"]} ', "kale"], ['{"ingredients": ["kale"]}', '{"ingredients": ["kale"]}'])
        0.5
    """
    return sum(answer.strip() == right for answer, right in zip(answers, expected, strict=True)) / len(expected)


def _ask(model: TunedModel, name: str, held_out: list[list[dict[str, str]]]) -> list[str]:
    show.note(f"Starting a server for the {name} model, and asking it {len(held_out)} held-out recipes.")
    with model.deploy(ttl_s=900, name=f"quickstart-{name}") as endpoint:
        answers = endpoint.chat_many(
            [messages[:-1] for messages in held_out], concurrency=CONCURRENCY, max_tokens=MAX_TOKENS, temperature=0.0
        )
    return [_text(answer, name) for answer in answers]


def _text(answer: Answer, name: str) -> str:
    if answer.text is None:  # a score over fewer rows than announced would be no score
        raise BackendError(
            f"The {name} model gave no answer to held-out recipe {answer.index + 1}: {answer.error}", fix="Run the quickstart again."
        )
    return answer.text


def _speed(job: FineTuneJob) -> float | None:
    """Average what the trainer measured step by step; the last step's figure alone would be noise."""
    measured = [metric.values["tokens_per_second"] for metric in job.metrics() if "tokens_per_second" in metric.values]
    return round(sum(measured) / len(measured), 1) if measured else job.snapshot.tokens_per_second
