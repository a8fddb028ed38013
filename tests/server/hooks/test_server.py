"""From a client's order to the call that tells of its end, also when the server is killed in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml
from tests.server.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import openai

ROWS = "".join(
    json.dumps({"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]}) + "\n" for n in range(12)
).encode()


def order(client: openai.OpenAI) -> str:
    file = client.files.create(file=("rows.jsonl", ROWS), purpose="fine-tune")
    return client.fine_tuning.jobs.create(model="starter", training_file=file.id).id


def test_the_end_of_a_job_is_told_once_it_can_be_seen(serve, receiver, secret: str) -> None:
    server = serve(webhooks={"team": {"url": receiver.url, "secret": secret, "private": True}})
    client = server.client(webhook_secret=secret)

    job_id = order(client)
    until(lambda: receiver.calls)

    event = client.webhooks.unwrap(receiver.calls[0].body, receiver.calls[0].headers)
    assert (event.type, event.data.id) == ("fine_tuning.job.succeeded", job_id)
    assert client.fine_tuning.jobs.retrieve(job_id).status == "succeeded"


def test_only_the_owners_that_were_named_are_told_of(serve, receiver, secret: str) -> None:
    server = serve(webhooks={"ann": {"url": receiver.url, "secret": secret, "private": True, "owners": ["ann"]}})
    theirs = server.client(server.key_of("bob"))
    other = order(theirs)
    until(lambda: theirs.fine_tuning.jobs.retrieve(other).status == "succeeded")

    job_id = order(server.client(server.key_of("ann")))
    until(lambda: receiver.calls)

    assert [json.loads(call.body)["data"]["id"] for call in receiver.calls] == [job_id]


def test_a_call_that_was_not_taken_is_made_again_by_the_next_server(launch, receiver, secret: str, tmp_path: Path) -> None:
    settings = tmp_path / "serve.yaml"
    settings.write_text(
        yaml.safe_dump({"backend": "memory", "webhooks": {"team": {"url": receiver.url, "secret": "$HOOK_SECRET", "private": True}}})
    )
    receiver.script = [503]
    server = launch("--config", str(settings), env={"HOOK_SECRET": secret})
    job_id = order(server.client())
    until(lambda: receiver.calls)
    server.kill()

    launch("--config", str(settings), env={"HOOK_SECRET": secret})
    until(lambda: len(receiver.calls) > 1)

    assert len({(call.headers["webhook-id"], call.body) for call in receiver.calls}) == 1
    assert json.loads(receiver.calls[0].body)["data"]["id"] == job_id
