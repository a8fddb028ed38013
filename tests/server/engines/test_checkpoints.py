"""A checkpoint of a tuned model answers under the model's name with `:ckpt-step-N`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from anytune.job import FineTuneJob
from anytune.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASKED = [{"role": "user", "content": "basil"}]
ROWS = '{"messages": [{"role": "user", "content": "basil"}, {"role": "assistant", "content": "{}"}]}\n'


def test_a_checkpoint_answers(serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("".join(ROWS.replace("basil", f"{number} cups") for number in range(12)))
    hasty = Runtime(backends={"memory": backend}, sleep=lambda _: None)
    job = FineTuneJob.create(backend="memory", model="base", train=tmp_path / "train.jsonl", name="recipes", context=hasty)
    job.wait()
    points = job.checkpoints()
    hasty.ledger.close()
    served = serve(context=context, models={"base": {}})
    name = tuned(served, "anna")
    jobs = served.house.book.jobs
    jobs.change(jobs.by_model(name, None).id, ledger_id=job.id)
    client = served.client(served.key_of("anna"))

    reply = client.chat.completions.create(model=f"{name}:ckpt-step-{points[0].step}", messages=ASKED)

    assert reply.model.endswith(f":ckpt-step-{points[0].step}")
    assert backend.orders[-1].model.id == points[0].model
    assert client.models.retrieve(f"{name}:ckpt-step-{points[0].step}").id
    for wrong in (f"{name}:ckpt-step-999999", f"{name}:ckpt-step-"):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=wrong, messages=ASKED)
    with pytest.raises(openai.NotFoundError):
        served.client(served.key_of("ben")).chat.completions.create(model=f"{name}:ckpt-step-{points[0].step}", messages=ASKED)
