"""What the server counts."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from tests.server.waiting import until

from anytune.server.metrics import Metrics


def counted(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_everything_is_told_in_prometheus_text():
    metrics = Metrics()
    metrics.request("/v1/files", "GET", 200, 0.002)
    metrics.request("/v1/files", "BREW", 405, 0.002)
    metrics.jobs_ended("succeeded")
    metrics.queue(waiting=3, running=1)
    metrics.engines(ready=2, starting=1)
    metrics.hook("delivered")
    metrics.tokens("completion", 17)
    found = counted(metrics.text().decode())
    assert found["anytune_http_requests_total", (("method", "GET"), ("route", "/v1/files"), ("status", "200"))] == 1
    assert found["anytune_http_requests_total", (("method", "other"), ("route", "/v1/files"), ("status", "405"))] == 1
    assert found["anytune_jobs_ended_total", (("status", "succeeded"),)] == 1
    assert found["anytune_jobs", (("state", "waiting"),)] == 3
    assert found["anytune_engines", (("state", "ready"),)] == 2
    assert found["anytune_webhook_calls_total", (("outcome", "delivered"),)] == 1
    assert found["anytune_tokens_total", (("kind", "completion"),)] == 17
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_two_servers_count_for_themselves():
    one, other = Metrics(), Metrics()
    one.jobs_ended("failed")
    assert b'status="failed"' not in other.text()


def test_metrics_are_for_admin_keys(serve, send):
    server = serve()
    assert send(server.root, path="/metrics", key=None).status == 401
    assert send(server.root, path="/metrics", key=server.key_of("alice")).status == 403
    answer = send(server.root, path="/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_ids_in_paths_and_unknown_paths_are_no_labels(guarded, send):
    server = guarded()
    send(server.url, path="/v1/files/file-a")
    send(server.url, path="/v1/files/file-b")
    send(server.url, path="/nothing-here")
    send(server.url, path="/refused-here", key="wrong")
    until(lambda: b'route="(refused)"' in server.metrics.text())
    found = counted(server.metrics.text().decode())
    counts = {labels: value for (name, labels), value in found.items() if name == "anytune_http_requests_total"}
    assert counts == {
        (("method", "GET"), ("route", "/files/{file_id}"), ("status", "200")): 2,
        (("method", "GET"), ("route", "(none)"), ("status", "404")): 1,
        (("method", "GET"), ("route", "(refused)"), ("status", "401")): 1,
    }
