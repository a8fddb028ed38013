"""What the tests of the simulated Azure share: a resource, its clients, and the short way through it."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest

from anytune.testing import AzureSimulator

MINI = "gpt-4.1-mini-2025-04-14"
TUNED = f"{MINI}.ft-0123456789abcdef0123456789abcdef-recipes"


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


def lines(count=12, *, bom=False) -> bytes:
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(count)]
    return (b"\xef\xbb\xbf" if bom else b"") + "".join(json.dumps(row) + "\n" for row in rows).encode()


class Resource:
    """A simulated resource and the real client of its data plane."""

    def __init__(self, *, key=None, **settings):
        self.azure = AzureSimulator(**settings)
        self.client = openai.OpenAI(
            base_url=self.azure.base_url + "/", api_key=self.azure.api_key if key is None else key(self.azure), max_retries=0, timeout=30
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.azure.close()

    def upload(self, content=None, *, ready=True, **more):
        file = self.client.files.create(file=("train.jsonl", lines() if content is None else content), purpose="fine-tune", **more)
        while ready and file.status not in {"processed", "error"}:
            file = self.client.files.retrieve(file.id)
        return file

    def job(self, content=None, **order):
        return self.client.fine_tuning.jobs.create(**{"model": MINI, "training_file": self.upload(content).id, **order})

    def until(self, job, *words, most=30):
        for _ in range(most):
            job = self.client.fine_tuning.jobs.retrieve(job.id)
            if job.status in words:
                return job
        raise AssertionError(f"{job.id} is {job.status}, not {words}")

    def arm(self, method, tail, **body):
        url = f"{self.azure.arm_url}{self.azure.account_id}{tail}"
        headers = {"Authorization": f"Bearer {self.azure.entra_token}"}
        return httpx2.request(method, url, params={"api-version": "2025-09-01"}, headers=headers, json=body or None)

    def deploy(self, model, name="recipes", *, version="1", sku="Standard"):
        properties = {"model": {"format": "OpenAI", "name": model, "version": version}}
        made = self.arm("PUT", f"/deployments/{name}", sku={"name": sku, "capacity": 10}, properties=properties)
        assert made.status_code == 201, made.text
        while self.arm("GET", f"/deployments/{name}").json()["properties"]["provisioningState"] != "Succeeded":
            pass
        return name

    def undeploy(self, name="recipes"):
        self.arm("DELETE", f"/deployments/{name}")
        while self.arm("GET", f"/deployments/{name}").status_code != 404:
            pass

    def chat(self, model="recipes", said="3?"):
        reply = self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": said}])
        return reply.choices[0].message.content

    def ask(self, method, path, *, headers=None, **content):
        """Ask without the client, with the key in Azure's own header."""
        return httpx2.request(method, self.azure.base_url + path, headers={"api-key": self.azure.api_key} | (headers or {}), **content)


def refused(call, *, status, code, kind=openai.APIStatusError):
    """Make a call, expect it to be refused in Azure's shape, and give the error."""
    with pytest.raises(kind) as caught:
        call()
    body = caught.value.body
    assert (caught.value.status_code, body["code"]) == (status, code), body
    assert body["message"]
    return caught.value
