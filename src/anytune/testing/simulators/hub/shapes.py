"""How the simulated cloud writes what it has, as `huggingface_hub` 2.4 reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.testing.simulators.hub.store import iso

if TYPE_CHECKING:
    from anytune.testing.simulators.hub.endpoints import Endpoint
    from anytune.testing.simulators.hub.jobs import Job
    from anytune.testing.simulators.hub.prices import Flavor
    from anytune.testing.simulators.hub.spaces import Setting, Space

__all__ = ["endpoint_shape", "job_shape", "metrics_event", "runtime_shape", "settings_shape"]

_GB = 10**9


def job_shape(job: Job, owner: dict[str, Any], now_s: float) -> dict[str, Any]:
    """Write a Job; its secrets are left out."""
    end_s = job.finished_s if job.finished_s is not None else now_s
    started_s = job.started_s
    durations = {
        "schedulingSecs": None if started_s is None else int(started_s - job.at_s),
        "runningSecs": None if started_s is None else int(end_s - started_s),
        "totalSecs": int(end_s - job.at_s),
    }
    spec = {name: value for name, value in job.spec.items() if name not in {"timeoutSeconds", "attempts"}}
    return {
        "id": job.id,
        "createdAt": iso(job.at_s),
        "startedAt": None if started_s is None else iso(started_s),
        "finishedAt": None if job.finished_s is None else iso(job.finished_s),
        "arguments": [],
        "environment": {},
        **spec,
        "secrets": {},
        "timeout": job.spec.get("timeoutSeconds"),
        "retry": job.spec.get("attempts", 1) - 1,
        "labels": job.labels,
        "status": {"stage": job.stage, "message": job.message},
        "durations": durations,
        "owner": owner,
        "initiator": job.initiator,
    }


def metrics_event(used_bytes: int, flavor: Flavor) -> bytes:
    """Write a measurement of a Job's machine; only the memory is measured."""
    gpus = {
        f"{number:08x}": {"utilization": 0, "memory_used_bytes": 0, "memory_total_bytes": flavor.gpu_ram_gb * _GB // flavor.gpus}
        for number in range(flavor.gpus)
    }
    measured = {
        "cpu_usage_pct": 0,
        "cpu_millicores": flavor.cpus * 1000,
        "memory_used_bytes": used_bytes,
        "memory_total_bytes": flavor.ram_gb * _GB,
        "rx_bps": 0,
        "tx_bps": 0,
        "gpus": gpus,
        "replica": "simul",
    }
    return f"event: metric\ndata: {json.dumps(measured)}\n\n".encode()


def runtime_shape(space: Space) -> dict[str, Any]:
    """Write the runtime of a Space."""
    running = space.stage == "RUNNING"
    shown = {
        "stage": space.stage,
        "hardware": {"current": space.hardware if space.machine is not None else None, "requested": space.requested},
        "storage": None,
        "gcTimeout": space.sleep_s,
        "replicas": {"current": int(running), "requested": 1},
        "devMode": False,
        "domains": [{"domain": f"127.0.0.1:{space.port}", "stage": "READY"}] if running else [],
    }
    return {**shown, "errorMessage": space.message} if space.message else shown


def settings_shape(settings: dict[str, Setting], *, values: bool) -> dict[str, Any]:
    """Write variables, or (without values) secrets, of a Space."""
    return {
        key: {
            "key": key,
            **({"value": each.value} if values else {}),
            **({"description": each.description} if each.description else {}),
            "updatedAt": iso(each.at_s),
        }
        for key, each in settings.items()
    }


def endpoint_shape(endpoint: Endpoint) -> dict[str, Any]:
    """Write an Inference Endpoint; its secrets and the password of its registry are left out."""
    order = endpoint.order
    model = {name: value for name, value in order["model"].items() if name != "secrets"}
    image = {
        kind: {name: value for name, value in about.items() if name != "credentials"} if isinstance(about, dict) else about
        for kind, about in (model.get("image") or {}).items()
    }
    by = {"id": f"user-{endpoint.by}", "name": endpoint.by}
    status = {
        "createdAt": iso(endpoint.at_s),
        "createdBy": by,
        "updatedAt": iso(endpoint.updated_s),
        "updatedBy": by,
        "state": endpoint.state,
        "message": endpoint.message,
        "readyReplica": int(endpoint.state == "running"),
        "targetReplica": int(endpoint.state not in {"paused", "scaledToZero"}),
    }
    if endpoint.state in {"running", "scaledToZero"}:
        status["url"] = endpoint.gate.url
    return {
        "name": endpoint.name,
        "type": order["type"],
        "provider": order["provider"],
        "compute": order["compute"],
        "model": {"task": "text-generation", **model, "image": image, "revision": endpoint.revision, "secrets": {}},
        "healthRoute": endpoint.health_route,
        "status": status,
        "tags": order.get("tags") or [],
    }
