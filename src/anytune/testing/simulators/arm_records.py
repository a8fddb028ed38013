"""What the simulated Azure Resource Manager keeps: deployments that come, change and go, and the operations that clients watch."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from anytune.testing.life import Life

__all__ = ["API_VERSIONS", "BUSY", "PROVISIONING", "SKUS", "STATES", "Deployment", "Operation", "stamp"]

API_VERSIONS = (
    "2023-05-01",
    "2024-10-01",
    "2024-10-21",
    "2025-04-01-preview",
    "2025-06-01",
    "2025-07-01-preview",
    "2025-09-01",
)
"""Versions that answer: those of Microsoft's pages and the default of azure-mgmt-cognitiveservices 14.1 (read 2026-11-22)."""

STATES = ("Accepted", "Creating", "Deleting", "Moving", "Failed", "Succeeded", "Disabled", "Canceled")
"""Every `provisioningState` of a deployment (`DeploymentProvisioningState` of azure-mgmt-cognitiveservices 14.1.0)."""

BUSY = frozenset({"Accepted", "Creating", "Deleting", "Moving"})
"""States in which an operation is going on."""

PROVISIONING = Life(words=("Accepted", "Creating", "Succeeded"))
"""The usual way of a new deployment: a GET moves it on by one state."""

SKUS = {
    "standard": "Standard",
    "globalstandard": "GlobalStandard",
    "datazonestandard": "DataZoneStandard",
    "developertier": "DeveloperTier",
}
"""Kinds of hosting by lower-case name; ARM takes any case and answers in this one."""


@dataclass
class Deployment:
    """A deployment as ARM keeps it.

    Attributes:
        name: Its name, which is also the model of chat requests.
        model: `format`, `name`, `version`.
        sku: `name`, `capacity` (thousands of tokens a minute).
        life: Its states, in order.
        created_at: Seconds since 1970.
        changed_at: Last change of anything but its state.
        moved_at: When its state last moved on.
        tags: As they were given.
        extra: Other properties, as they were given.
        position: Where in `life.words` it is.
        error: Code and message of a creation that failed.
        deleting: Polls that still show `Deleting`; None while nobody deletes it.
        called_at: Last chat request.
    """

    name: str
    model: dict[str, str]
    sku: dict[str, Any]
    life: Life
    created_at: float
    changed_at: float
    moved_at: float
    tags: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    position: int = 0
    error: tuple[str, str] | None = None
    deleting: int | None = None
    called_at: float | None = None
    etag: str = field(default_factory=lambda: f'"{uuid.uuid4()}"')

    @property
    def state(self) -> str:
        """Its `provisioningState`."""
        return "Deleting" if self.deleting is not None else self.life.words[self.position]

    @property
    def gone(self) -> bool:
        """Whether its deletion is through."""
        return self.deleting is not None and self.deleting <= 0

    @property
    def ready_at(self) -> float | None:
        """Since when it has been `Succeeded`; None while it is not."""
        return self.moved_at if self.state == "Succeeded" else None

    def observed(self, now: float) -> None:
        """Move on by one state, unless the clock does it."""
        if self.life.tick_s is None:
            self._move(now)

    def advance(self, now: float) -> None:
        """Move on by the clock, unless polls do it."""
        tick_s = self.life.tick_s
        while tick_s is not None and self.state in BUSY and not self.gone and now >= self.moved_at + tick_s:
            self._move(self.moved_at + tick_s)

    def restart(self, now: float, *, error: tuple[str, str] | None, life: Life) -> None:
        """Begin to provision again, after a change of model or a failure."""
        self.position, self.life, self.error, self.moved_at = 0, life, error, now
        self.touched(now)

    def delete(self, now: float, *, polls: int) -> None:
        """Begin to go; `polls` observations (or ticks) still see it."""
        self.deleting, self.moved_at = polls, now

    def touched(self, now: float) -> None:
        """Remember a change."""
        self.changed_at, self.etag = now, f'"{uuid.uuid4()}"'

    def shown(self, account: str) -> dict[str, Any]:
        """Give it as ARM shows it, `account` being the resource's id."""
        properties = {"model": self.model, "provisioningState": self.state, **self.extra}
        if self.state == "Succeeded":
            capacity = self.sku["capacity"]
            properties |= {
                "versionUpgradeOption": "NoAutoUpgrade",
                "currentCapacity": capacity,
                "capabilities": {"chatCompletion": "true"},
                "rateLimits": [
                    {"key": "request", "renewalPeriod": 10, "count": capacity},
                    {"key": "token", "renewalPeriod": 60, "count": capacity * 1000},
                ],
            }
        return {
            "id": f"{account}/deployments/{self.name}",
            "type": "Microsoft.CognitiveServices/accounts/deployments",
            "name": self.name,
            "sku": self.sku,
            "properties": properties,
            "systemData": {
                "createdBy": "somebody@example.com",
                "createdByType": "User",
                "createdAt": stamp(self.created_at),
                "lastModifiedBy": "somebody@example.com",
                "lastModifiedByType": "User",
                "lastModifiedAt": stamp(self.changed_at),
            },
            "etag": self.etag,
            **({"tags": self.tags} if self.tags else {}),
        }

    def _move(self, when: float) -> None:
        if self.deleting is not None:
            self.deleting -= 1
        elif self.state in BUSY and self.position + 1 < len(self.life.words):
            self.position += 1
        else:
            return
        self.moved_at = when


@dataclass(frozen=True)
class Operation:
    """Something long that ARM does to a deployment, watched at an address of its own."""

    deployment: Deployment
    started_at: float

    @property
    def status(self) -> str:
        """`InProgress` until the deployment is at rest, then how it ended."""
        if self.deployment.deleting is not None:
            return "Succeeded" if self.deployment.gone else "InProgress"
        return "InProgress" if self.deployment.state in BUSY else self.deployment.state

    def shown(self, identity: str, now: float) -> dict[str, Any]:
        """Give it as ARM shows it, `identity` being its address without the host."""
        body: dict[str, Any] = {
            "id": identity,
            "name": identity.rsplit("/", 1)[-1],
            "status": self.status,
            "startTime": stamp(self.started_at),
        }
        if self.status != "InProgress":
            body["endTime"] = stamp(now)
        if self.status == "Failed" and self.deployment.error:
            code, message = self.deployment.error
            body["error"] = {"code": code, "message": message}
        return body


def stamp(seconds: float) -> str:
    """Write a time as ARM does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
