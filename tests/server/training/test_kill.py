"""A server that is killed at any stage of an order goes on after the next start: one job, every event once."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.server.waiting import until

from anytune.testing import DurableMemoryBackend, Life

ROWS = "".join(
    json.dumps({"messages": [{"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": f"answer {n}"}]}) + "\n"
    for n in range(12)
)


@pytest.mark.parametrize("status", ["validating_files", "queued", "running"])
def test_a_killed_server_goes_on_with_the_job(launch, tmp_path, status):
    config = tmp_path / "server.yaml"
    config.write_text(yaml.safe_dump({"backend": "memory", "options": {"life": Life.of(steps=20, tick_s=0.1).model_dump(mode="json")}}))
    first = launch("--config", str(config))
    client = first.client(max_retries=2)
    file = client.files.create(file=("rows.jsonl", ROWS.encode()), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="starter", training_file=file.id)
    reached = {"validating_files": 0, "queued": 1, "running": 2, "succeeded": 3}
    until(lambda: reached[client.fine_tuning.jobs.retrieve(job.id).status] >= reached[status])
    first.kill()

    client = launch("--config", str(config)).client(max_retries=2)
    ended = until(lambda: (found := client.fine_tuning.jobs.retrieve(job.id)).status == "succeeded" and found)
    assert ended.fine_tuned_model.startswith("ft:starter:")
    assert DurableMemoryBackend().calls["jobs"] == 1
    messages = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=100)]
    assert len(messages) == len(set(messages))
    assert {f"Step {n}/20: loss" for n in range(1, 21)} <= {message.rsplit(" ", 1)[0] for message in messages}
    assert messages[0] == "The job has successfully completed"
