"""What the server counts, for Prometheus. Labels have few values each: never an id, a name of a model or a text of a request."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `Metrics.text` gives."""

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Up to 10 ms the server's own work shows, beyond that an engine's."""

_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})


class Metrics:
    """One server's counters, in a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "anytune_http_requests", "Requests that were answered.", ("route", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "anytune_http_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("route", "method"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._ended = Counter("anytune_jobs_ended", "Fine-tuning jobs that ended.", ("status",), registry=self._registry)
        self._jobs = Gauge("anytune_jobs", "Fine-tuning jobs that have not ended.", ("state",), registry=self._registry)
        self._engines = Gauge("anytune_engines", "Engines that answer, or will.", ("state",), registry=self._registry)
        self._hooks = Counter("anytune_webhook_calls", "Webhook calls that were tried.", ("outcome",), registry=self._registry)
        self._tokens = Counter("anytune_tokens", "Tokens, as engines and backends count them.", ("kind",), registry=self._registry)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            route: The path's template, never the path: that has ids.
            method: The HTTP method.
            status: The answer's HTTP status.
            seconds: How long it took.
        """
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route, known).observe(seconds)

    def jobs_ended(self, status: str) -> None:
        """Count an order that ended as `succeeded`, `failed` or `cancelled`."""
        self._ended.labels(status).inc()

    def queue(self, *, waiting: int, running: int) -> None:
        """Say how many orders wait for a slot, and how many have one."""
        self._jobs.labels("waiting").set(waiting)
        self._jobs.labels("running").set(running)

    def engines(self, *, ready: int, starting: int) -> None:
        """Say how many engines answer, and how many will."""
        self._engines.labels("ready").set(ready)
        self._engines.labels("starting").set(starting)

    def hook(self, outcome: str) -> None:
        """Count a webhook call: `delivered`, `failed` or `given_up`."""
        self._hooks.labels(outcome).inc()

    def tokens(self, kind: str, count: int) -> None:
        """Count tokens: `prompt`, `completion` or `trained`."""
        self._tokens.labels(kind).inc(count)

    def text(self) -> bytes:
        """Give everything in Prometheus' text format."""
        return generate_latest(self._registry)
