"""What OpenAI's API has and this server has not is answered as such."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import openai
import pytest

from anytune.server.routes.unserved import UNSERVED

CONTRACT = Path(__file__).parents[4] / "shared" / "contracts" / "openai_finetune_subset.json"


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.fixture
def served(still):
    return still()


def test_each_operation_of_the_contract_is_served_or_said_to_be_unserved(served):
    if not CONTRACT.exists():
        pytest.skip("the contract is not in this checkout")
    paths = json.loads(CONTRACT.read_text(encoding="utf-8"))["paths"]
    wanted = {(method.upper(), plain(path)) for path, methods in paths.items() for method in methods}
    ours = {(method.upper(), plain(path)) for path, methods in served.app.openapi()["paths"].items() for method in methods}
    assert wanted - {(method, path.removeprefix("/v1")) for method, path in ours} == set()


def test_what_is_unserved_is_a_501_in_openais_shape_that_clients_do_not_repeat(served):
    for method, path, reason in UNSERVED:
        place = re.sub(r"\{[^}]*\}", "ft:small:anytune::abcdefgh:ckpt-step-2", path)
        for root in (served.base_url, f"{served.root}/openai/v1"):
            body = {"json": {}} if method == "POST" else {}
            reply = httpx2.request(method, f"{root}{place}", headers={"authorization": f"Bearer {served.key}"}, **body)
            assert reply.status_code == 501, (method, place)
            error = reply.json()["error"]
            assert (error["type"], error["code"], error["param"]) == ("not_implemented_error", "not_implemented", None)
            assert error["message"] == f"{method} {path} is not served. {reason}"
            assert reply.headers["x-should-retry"] == "false"
            assert reply.headers["x-request-id"]


def test_without_a_key_nothing_is_told_about_what_is_unserved(served):
    for method, path, _ in UNSERVED:
        body = {"json": {}} if method == "POST" else {}
        assert httpx2.request(method, served.base_url + path.replace("{", "").replace("}", ""), **body).status_code == 401


def test_the_real_client_raises_at_once(served):
    client = served.client(max_retries=2)
    grader = {"type": "string_check", "name": "a", "operation": "eq", "input": "x", "reference": "x"}
    with pytest.raises(openai.InternalServerError) as caught:
        client.fine_tuning.alpha.graders.validate(grader=grader)
    assert caught.value.status_code == 501
    with pytest.raises(openai.InternalServerError):
        client.fine_tuning.checkpoints.permissions.create("ft:small:anytune::abcdefgh:ckpt-step-2", project_ids=["p"]).data  # noqa: B018
