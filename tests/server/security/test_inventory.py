"""Every route has a key in front of it and says whose things it touches (LiteLLM CVE-2026-35029); there is none beside these."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from anytune.server.house import _caller

OPEN = {"/health"}
ADMIN = {"/metrics"}
FOREIGN = {
    "/files/{file_id}",
    "/files/{file_id}/content",
    "/uploads/{upload_id}/parts",
    "/uploads/{upload_id}/complete",
    "/uploads/{upload_id}/cancel",
    "/fine_tuning/jobs/{fine_tuning_job_id}",
    "/fine_tuning/jobs/{fine_tuning_job_id}/cancel",
    "/fine_tuning/jobs/{fine_tuning_job_id}/pause",
    "/fine_tuning/jobs/{fine_tuning_job_id}/resume",
    "/fine_tuning/jobs/{fine_tuning_job_id}/events",
    "/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints",
}


def test_every_route_but_health_needs_a_key(serve, send, every_route):
    server = serve()
    found = every_route(server.app)
    assert len(found) > 30
    for method, path, template, _ in found:
        for headers in ([], [("Authorization", "Bearer sk-anytune-" + "x" * 43)]):
            answer = send(server, method, path, headers, key=False)
            assert answer.status == (200 if template in OPEN else 401), (method, path)


def test_every_served_route_asks_who_is_there(serve, every_route):
    def asks(dependant):
        return dependant.call is _caller or any(asks(inner) for inner in dependant.dependencies)

    server = serve()
    found = [(template, route) for _, _, template, route in every_route(server.app) if type(route) is not Route]
    reading = {template for template, route in found if "completions" in template and route.endpoint.__module__.endswith(".completions")}
    assert {template for template, route in found if not asks(route.dependant)} == OPEN | reading
    assert {template for _, _, template, route in every_route(server.app) if type(route) is Route} == reading


def test_admin_routes_refuse_other_keys(serve, send):
    server = serve()
    key = server.key_of("alice")
    assert [send(server, "GET", path, key=key).status for path in sorted(ADMIN)] == [403] * len(ADMIN)


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/config", "/admin", "/v1/keys", "/debug", "/v1/../health", "/v1/config/update"]
)
def test_there_are_no_other_doors(serve, send, path):
    server = serve()
    assert send(server, "GET", path, key=False).status == 401
    assert send(server, "GET", path).status == 404


def test_a_foreign_id_is_answered_exactly_as_an_unknown_one(serve, send, every_route, upload):
    server = serve()
    alice, bob = server.key_of("alice"), server.key_of("bob")
    json_ = [("Content-Type", "application/json")]
    file_id = upload(server, key=alice)
    order = b'{"filename": "a.jsonl", "purpose": "fine-tune", "bytes": 10, "mime_type": "text/jsonl"}'
    upload_id = send(server, "POST", "/v1/uploads", json_, order, key=alice).json["id"]
    job = b'{"model": "base", "training_file": "%s"}' % file_id.encode()
    job_id = send(server, "POST", "/v1/fine_tuning/jobs", json_, job, key=alice).json["id"]
    known = {"file_id": file_id, "upload_id": upload_id, "fine_tuning_job_id": job_id}
    part = b'--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n{}\r\n--x--\r\n'

    tried = set()
    for method, _, template, _ in every_route(server.app):
        short = template.removeprefix("/openai").removeprefix("/v1")
        names = [name for name in known if f"{{{name}}}" in template]
        if not names or short not in FOREIGN:
            continue
        tried.add(short)
        foreign = known[names[0]]
        unknown = foreign[:-4] + "AAAA"
        body, headers = (part, [("Content-Type", "multipart/form-data; boundary=x")]) if short.endswith("/parts") else (b"", [])
        if short.endswith("/complete"):
            body, headers = b'{"part_ids": ["part_abc"]}', json_
        answers = [send(server, method, template.replace(f"{{{names[0]}}}", one), headers, body, key=bob) for one in (foreign, unknown)]
        assert [answer.status for answer in answers] == [404, 404], (method, template, answers[0].body)
        assert answers[0].body.replace(foreign.encode(), b"ID") == answers[1].body.replace(unknown.encode(), b"ID")
    assert tried == FOREIGN

    for path, found in (("/v1/files", file_id), ("/v1/fine_tuning/jobs", job_id)):
        seen = [[row["id"] for row in send(server, "GET", path, key=key).json["data"]] for key in (alice, bob, server.key)]
        assert seen == [[found], [], [found]]
