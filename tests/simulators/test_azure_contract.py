"""By the description the simulated Azure answers in OpenAI's shapes; only its own words, and what it leaves out of errors, differ."""

from __future__ import annotations

import pytest
from tests.simulators.azure import MINI, Resource, lines

from anytune.testing import Life

WORDS = {"created", "pending", "running", "pausing", "paused", "resuming"}


class Audit:
    """Asks for all that there is, and collects where a reply breaks the schema of its route, and with what."""

    def __init__(self, resource, contract):
        self.resource, self.contract, self.odd, self.routes = resource, contract, set(), set()

    def __call__(self, method, path, **content):
        reply = self.resource.ask(method, path, **content)
        assert reply.status_code in {200, 201}, reply.text
        route = self.resource.azure.requests[-1].route
        self.routes.add(route)
        if reply.headers["content-type"].startswith("application/json"):
            for place, value in self.contract.faults(self.contract.replies[route], reply.json()):
                self.odd.add((place.split("/")[-1], value if isinstance(value, str) else type(value).__name__))
        return reply

    def everything(self):
        file = self("POST", "/files", data={"purpose": "fine-tune"}, files={"file": ("train.jsonl", lines())}).json()["id"]
        for _ in range(3):
            self("GET", f"/files/{file}")
        self("GET", "/files")
        job = self("POST", "/fine_tuning/jobs", json={"model": MINI, "training_file": file, "metadata": {"a": "b"}}).json()["id"]
        for verb in ("pause", "resume"):
            self("POST", f"/fine_tuning/jobs/{job}/{verb}")
            for _ in range(3):
                self("GET", f"/fine_tuning/jobs/{job}")
        self("GET", "/fine_tuning/jobs")
        while (done := self("GET", f"/fine_tuning/jobs/{job}").json())["status"] != "succeeded":
            pass
        self("GET", f"/fine_tuning/jobs/{job}/events")
        self("GET", f"/fine_tuning/jobs/{job}/checkpoints")
        self("GET", "/models")
        tuned = done["fine_tuned_model"]
        self("GET", f"/models/{tuned}")
        self.resource.deploy(tuned)
        self("POST", "/chat/completions", json={"model": "recipes", "messages": [{"role": "user", "content": "3?"}]})
        self.resource.undeploy()
        self("DELETE", f"/models/{tuned}")
        self("DELETE", f"/files/{file}")
        other = self("POST", "/files", data={"purpose": "fine-tune"}, files={"file": ("train.jsonl", lines())}).json()["id"]
        for _ in range(3):
            self("GET", f"/files/{other}")
        second = self("POST", "/fine_tuning/jobs", json={"model": MINI, "training_file": other}).json()["id"]
        self("POST", f"/fine_tuning/jobs/{second}/cancel")


@pytest.fixture
def audit(contract):
    made = []

    def start(**settings):
        made.append(Resource(**settings))
        return Audit(made[-1], contract)

    yield start
    for each in made:
        each.__exit__()


def test_by_the_description_only_azures_words_differ(audit):
    auditor = audit(life=Life(words=("created", "pending", "running", "running", "running", "running", "succeeded")))
    auditor.everything()
    assert auditor.odd <= {("status", word) for word in WORDS}
    assert len(auditor.routes) == 16


def test_as_observed_fields_without_a_value_are_left_out(audit):
    auditor = audit(profile="as_observed")
    auditor.everything()
    assert {value for name, value in auditor.odd if name == "status"} <= WORDS
    assert {name for name, _ in auditor.odd} - {"status"} == {"", "0", "n_epochs"}, "a job as a whole, a job in a listing, and -1 for auto"
