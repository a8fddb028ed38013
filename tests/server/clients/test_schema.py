"""Whatever the server's own schema allows, and what it does not, is answered as the schema says, and never by a failure."""

from __future__ import annotations

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from tests.server.clients.rows import ENDED, chat_file, until

MODEL = "memory-1"
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
ORDER = ("get", "post", "delete")
"""What is deleted is asked for first."""


@pytest.fixture
def world(serve, recorded):
    """Start a server with something of everything: its schema, its address and its key, and ids that are there."""
    served = serve(models={MODEL: {}}, slots=4)
    front = recorded(served.base_url)
    head = {"Authorization": f"Bearer {served.key}"}
    with httpx2.Client(base_url=front.base_url, headers=head, timeout=30, trust_env=False) as ask:
        file = ask.post("/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", chat_file())}).json()["id"]
        job = ask.post("/fine_tuning/jobs", json={"model": MODEL, "training_file": file}).json()["id"]
        done = until(lambda: ask.get(f"/fine_tuning/jobs/{job}").json(), lambda seen: seen["status"] in ENDED)
        upload = ask.post("/uploads", json={"filename": "a.jsonl", "purpose": "fine-tune", "bytes": 4, "mime_type": "text/jsonl"})
    known = {"file_id": file, "fine_tuning_job_id": job, "model": done["fine_tuned_model"], "upload_id": upload.json()["id"]}
    return served.app.openapi(), front, head, known


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_operation_of_the_schema_keeps_to_it(world, mode):
    described, front, head, known = world
    schema = schemathesis.openapi.from_dict(described)
    operations = [found.ok() for found in schema.get_all_operations()]
    served = [each for each in operations if "501" not in each.definition.raw["responses"]]
    wrong = [fault for each in sorted(served, key=lambda one: ORDER.index(one.method)) for fault in faults(each, mode, front, head, known)]
    assert not wrong, "\n\n".join(wrong)
    assert len(front.exchanges) > 2 * len(served)


def faults(operation, mode, front, head, known):
    """Ask for one operation in many ways, and give what was wrong with the replies."""

    @settings(
        max_examples=12, deadline=None, database=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), there=st.booleans())
    def ask(case, there):
        if there and case.path_parameters:
            case.path_parameters |= {name: value for name, value in known.items() if name in case.path_parameters}
        case.call_and_validate(base_url=front.base_url.removesuffix("/v1"), headers=head, checks=CHECKS, timeout=20)

    try:
        ask()
    except BaseExceptionGroup as group:
        return [f"{operation.label}: {error}" for error in group.exceptions]
    except Exception as error:  # noqa: BLE001 - all operations are told of at once
        return [] if type(error).__name__ in {"Unsatisfiable", "SkipTest"} else [f"{operation.label}: {type(error).__name__} {error}"]
    return []
