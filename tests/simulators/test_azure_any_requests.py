"""Whatever is asked of the simulated Azure, at either plane, in whatever order: it never breaks, and refuses in Azure's shape."""

from __future__ import annotations

import json
from contextlib import closing

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simulators.azure import MINI, TUNED, lines

from anytune.testing import AzureSimulator

SCALARS = st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
SKUS = st.fixed_dictionaries({}, optional={"name": st.sampled_from(["Standard", "developertier", "Gold"]) | JSON, "capacity": JSON}) | JSON
MODELS = (
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from([TUNED, "gpt-4.1-mini"]) | JSON,
            "format": st.just("OpenAI") | JSON,
            "version": st.just("1") | JSON,
        },
    )
    | JSON
)
BODIES = (
    st.fixed_dictionaries({}, optional={"sku": SKUS, "properties": st.fixed_dictionaries({"model": MODELS}) | JSON, "tags": JSON}) | JSON
)
GOOD = {"sku": {"name": "Standard", "capacity": 5}, "properties": {"model": {"format": "OpenAI", "name": TUNED, "version": "1"}}}
NAMES = st.sampled_from(["first", "second", "x", "a.b", "..", "ü", "first/skus"])
ORDERS = st.dictionaries(
    st.sampled_from(["trainingType", "hyperparameters", "method", "suffix", "metadata", "model", "seed", "x"]), JSON, max_size=2
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["PUT", "PATCH"]), NAMES, BODIES | st.just(GOOD)),
        st.tuples(st.sampled_from(["GET", "DELETE"]), NAMES, st.none()),
        st.tuples(st.just("LIST"), st.sampled_from(["0", "1", "-1", "x", "٣"]), st.none()),
        st.tuples(st.just("JOB"), st.none(), ORDERS),
        st.tuples(st.just("CHAT"), NAMES, JSON),
        st.tuples(st.just("POLL"), st.none(), st.none()),
    ),
    max_size=14,
)


class Asker:
    def __init__(self, azure):
        self.azure = azure
        self.arm = azure.arm_url + azure.account_id + "/deployments"
        self.http = httpx2.Client(
            headers={"api-key": azure.api_key, "Authorization": f"Bearer {azure.entra_token}", "Content-Type": "application/json"}
        )
        self.file = self._upload()
        self.job = "none"

    def _upload(self):
        form = {"data": {"purpose": "fine-tune"}, "files": {"file": ("a.jsonl", lines())}}
        sent = httpx2.post(self.azure.base_url + "/files", headers={"api-key": self.azure.api_key}, **form).json()["id"]
        while self.http.get(f"{self.azure.base_url}/files/{sent}").json()["status"] != "processed":
            pass
        return sent

    def take(self, verb, name, body):
        data, version = self.azure.base_url, {"api-version": "2025-09-01"}
        match verb:
            case "PUT" | "PATCH":
                return self.http.request(verb, f"{self.arm}/{name}", params=version, content=json.dumps(body))
            case "GET" | "DELETE":
                return self.http.request(verb, f"{self.arm}/{name}", params=version)
            case "LIST":
                return self.http.get(self.arm, params=version | {"$skipToken": name})
            case "JOB":
                reply = self.http.post(f"{data}/fine_tuning/jobs", content=json.dumps({"model": MINI, "training_file": self.file, **body}))
                self.job = reply.json().get("id", self.job)
                return reply
            case "CHAT":
                return self.http.post(f"{data}/chat/completions", content=json.dumps({"model": name, "messages": body}))
            case _:
                return self.http.get(f"{data}/fine_tuning/jobs/{self.job}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, profile=st.sampled_from(["spec", "as_observed"]))
def test_no_sequence_of_requests_breaks_it(steps, profile):
    with AzureSimulator(profile=profile) as azure:
        azure.add_model(TUNED)
        asker = Asker(azure)
        with closing(asker.http):
            for step in steps:
                reply = asker.take(*step)
                assert reply.status_code < 500, reply.text
                if reply.status_code >= 400:
                    assert {"code", "message"} <= set(reply.json()["error"])
                    assert all(reply.json()["error"][name] for name in ("code", "message"))
