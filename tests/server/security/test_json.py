"""Row 31: JSON that is too deep, too long or no JSON is refused by name, in bodies and in training files."""

from __future__ import annotations

import json

import httpx2
import pytest
from tests.server.waiting import until

BODIES = {
    "cut off in the depth": b'{"model":' + b"[" * 100_000,
    "too deep": b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": b'{"model":NaN}',
    "five thousand digits": b'{"model":' + b"9" * 5000 + b"}",
    "half a character": b'{"model":"\\ud800"}',
    "not UTF-8": b'{"model":"\xff"}',
    "a list": b"[]",
    "nothing": b"",
}
PATHS = ("/fine_tuning/jobs", "/uploads", "/chat/completions", "/completions")
ROW = json.dumps({"messages": [{"role": "user", "content": "1?"}, {"role": "assistant", "content": "1!"}]})


@pytest.fixture
def asked(serve):
    served = serve()
    with httpx2.Client(base_url=served.base_url, headers={"authorization": f"Bearer {served.key}"}) as client:
        yield client


def test_a_body_that_is_no_request_is_400_in_openais_shape(asked):
    for path in PATHS:
        for name, body in BODIES.items():
            reply = asked.post(path, content=body, headers={"content-type": "application/json"})
            assert (path, name, reply.status_code) == (path, name, 400)
            assert reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "row", ['{"messages":' + "[" * 100_000, '{"messages": NaN}', '{"messages": "' + "x" * 40_000_000], ids=["deep", "NaN", "long"]
)
def test_a_row_that_is_no_json_ends_the_job_by_its_number(asked, row):
    content = "\n".join([ROW] * 11 + [row, ""]).encode()
    file = asked.post("/files", data={"purpose": "fine-tune"}, files={"file": ("rows.jsonl", content)}).json()["id"]
    job = asked.post("/fine_tuning/jobs", json={"model": "small", "training_file": file}).json()["id"]

    error = until(lambda: asked.get(f"/fine_tuning/jobs/{job}").json()["error"], "the end of the job")

    assert "12" in error["message"], error
    assert error["param"] == "training_file"
