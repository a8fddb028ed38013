"""Row 28: what a web page can send without asking (text, forms, no type at all) has no effect (FastAPI CVE-2021-32677)."""

from __future__ import annotations

import json

from sqlalchemy import text

SIMPLE = [
    [("Content-Type", "text/plain")],
    [("Content-Type", "text/plain; charset=application/json")],
    [("Content-Type", "application/x-www-form-urlencoded")],
    [("Content-Type", "multipart/form-data; boundary=x")],
    [("Content-Type", "application/jsonp")],
    [("Content-Type", "text/json")],
    [],
]


def counts(server):
    with server.house.context.ledger.database.read() as connection:
        names = ("files", "uploads", "parts", "jobs", "events")
        return [connection.execute(text(f"SELECT count(*) FROM anytune_server_{name}")).scalar() for name in names]


def test_simple_requests_have_no_effect_on_any_route(serve, send, every_route, upload):
    server = serve()
    file_id = upload(server)
    body = json.dumps(
        {
            "model": "starter",
            "training_file": file_id,
            "messages": [{"role": "user", "content": "x"}],
            "filename": "a",
            "bytes": 10,
            "mime_type": "text/jsonl",
            "purpose": "fine-tune",
        }
    ).encode()
    before = counts(server)
    for method, path, template, _ in every_route(server.app):
        if method not in {"POST", "PUT", "PATCH", "DELETE"}:
            continue
        form = template.endswith(("/v1/files", "/parts"))
        for headers in SIMPLE:
            if form and headers and headers[0][1].startswith("multipart/"):
                continue  # its own type, which a page could send: the key and Origin are what stops it there
            assert send(server, method, path, headers, body).status == 415, (method, path, headers)
        if form:
            assert send(server, method, path, [("Content-Type", "application/json")], body).status == 415
    assert counts(server) == before


def test_a_form_without_a_key_or_from_a_page_has_no_effect(serve, send):
    server = serve()
    body = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n--x--\r\n'
    form = ("Content-Type", "multipart/form-data; boundary=x")
    assert send(server, "POST", "/v1/files", [form], body, key=False).status == 401
    assert send(server, "POST", "/v1/files", [form, ("Origin", "https://evil.example")], body).status == 403
    assert counts(server) == [0] * 5
