"""Row 25: a request cannot send the engine, or its key, anywhere (LiteLLM CVE-2024-6587)."""

from __future__ import annotations

import json

import pytest

KEYS = ("api_base", "base_url", "api_key", "extra_headers", "extra_body", "chat_template", "trust_remote_code", "revision", "code_revision")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/openai/v1/chat/completions"])
def test_addresses_and_loader_settings_are_refused(serve, send, canary, path):
    server = serve()
    for name in KEYS:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "prompt": "x", name: canary.url}
        answer = send(server, "POST", path, [("Content-Type", "application/json")], json.dumps(body).encode())
        assert (answer.status, name in answer.error["message"]) == (400, True), (name, answer.body)
    assert not canary.called


def test_nothing_is_fetched_for_a_message(serve, send, canary):
    server = serve()
    for part in (
        {"type": "image_url", "image_url": {"url": f"{canary.url}/a.png"}},
        {"type": "image_url", "image_url": f"{canary.url}/a.png"},
        {"type": "input_audio", "audio_url": {"url": f"{canary.url}/a.wav"}},
        {"type": "video_url", "video_url": {"url": f"{canary.url}/a.mp4"}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
    ):
        body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
        assert send(server, "POST", "/v1/chat/completions", [("Content-Type", "application/json")], json.dumps(body).encode()).status == 400
    assert not canary.called


def test_headers_and_queries_choose_no_address(serve, send, canary, every_route):
    server = serve()
    host = canary.url.removeprefix("http://")
    headers = [("Content-Type", "application/json"), ("X-Forwarded-Host", host), ("Forwarded", f"host={host}"), ("X-Api-Base", canary.url)]
    for method, path, _, _ in every_route(server.app):
        send(server, method, f"{path}?api_base={canary.url}&base_url={canary.url}&callback={canary.url}", headers)
    assert not canary.called


@pytest.mark.parametrize(
    "name", ["base_url", "api_base", "callback", "webhook", "webhook_url", "output_dir", "trust_remote_code", "integrations"]
)
def test_orders_name_no_address_and_no_folder(serve, send, canary, upload, name):
    server = serve()
    order = {"model": "m", "training_file": upload(server), name: canary.url}
    answer = send(server, "POST", "/v1/fine_tuning/jobs", [("Content-Type", "application/json")], json.dumps(order).encode())
    assert answer.status == 400
    assert send(server, "GET", "/v1/fine_tuning/jobs").json["data"] == []
    assert not canary.called
