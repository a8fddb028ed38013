"""OpenAI's own class for Azure, by the address that apps give it: `azure_endpoint`."""

from __future__ import annotations

import openai
import pytest

from anytune.server.azure import later

MINI = "gpt-4.1-mini-2025-04-14"
ASKED = [{"role": "user", "content": "2 cups chopped fresh basil"}]


def test_the_class_for_azure_works_by_its_endpoint(serve):
    served = serve(models={MINI: {"model": "memory-1"}})
    with openai.AzureOpenAI(azure_endpoint=served.root, api_key=served.key, api_version="2024-10-21", max_retries=0) as client:
        file = client.files.create(file=("train.jsonl", b'{"messages": [{"role": "user", "content": "a"}]}\n'), purpose="fine-tune")
        assert [each.id for each in client.files.list()] == [file.id]
        assert client.files.content(file.id).content.startswith(b"{")
        assert not list(client.fine_tuning.jobs.list())
        assert client.chat.completions.create(model=MINI, messages=ASKED).choices[0].message.content
        assert list(client.chat.completions.create(model=MINI, messages=ASKED, stream=True))


def test_earlier_paths_need_a_key_too(serve):
    served = serve(models={MINI: {"model": "memory-1"}})
    with (
        openai.AzureOpenAI(azure_endpoint=served.root, api_key="wrong", api_version="2024-10-21", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.files.list()


@pytest.mark.parametrize(
    ("path", "led"),
    [
        ("/openai/fine_tuning/jobs/ftjob-1/cancel", "/openai/v1/fine_tuning/jobs/ftjob-1/cancel"),
        ("/openai/deployments/my/model/completions", "/openai/v1/completions"),
        ("/openai/v1/files", "/openai/v1/files"),
        ("/v1/files", "/v1/files"),
        ("/openai/deployments/a/embeddings", "/openai/v1/deployments/a/embeddings"),
        ("/openai", "/openai"),
    ],
)
def test_each_path_leads_to_one_place(path, led):
    assert later(path) == led


def test_a_base_url_without_v1_is_told_so(serve):
    served = serve(models={MINI: {"model": "memory-1"}})
    with (
        openai.OpenAI(base_url=served.root, api_key=served.key, max_retries=0) as client,
        pytest.raises(openai.NotFoundError, match="ends in /v1"),
    ):
        client.models.list()


def test_a_model_that_cannot_be_trained_is_answered_with_those_that_can(serve):
    served = serve(models={MINI: {"model": "memory-1"}, "only-chat": {"model": "memory-1", "train": False}})
    client = served.client()
    file = client.files.create(file=("train.jsonl", b"{}\n"), purpose="fine-tune")
    for name in ("gpt-5", "only-chat"):
        with pytest.raises(openai.BadRequestError, match=rf"There is: {MINI}\."):
            client.fine_tuning.jobs.create(model=name, training_file=file.id)
