"""What the simulated Azure Resource Manager asks of a request before it acts: token, version, right, place, shape, quota and quiet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from anytune.testing.simulators.arm_errors import ARM_REFUSALS, arm_refusal
from anytune.testing.simulators.arm_records import API_VERSIONS, BUSY, SKUS, Deployment, Operation, stamp
from anytune.testing.simulators.azure_tokens import ARM_AUDIENCES, claims_of
from anytune.testing.simulators.service import Reply, Service

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.life import Life

__all__ = ["ArmRules", "wanted_of"]

_RESOURCE = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.CognitiveServices/accounts/([^/]+)(?=/|$)", re.IGNORECASE
)
_LOCATION = re.compile(r"/subscriptions/([^/]+)/providers/Microsoft\.CognitiveServices/locations/([^/]+)(?=/|$)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}")

_VERBS = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


class ArmRules(Service):
    """The part of `ArmPlane` that refuses; its attributes are `AzureSimulator`'s."""

    subscription_id: str
    resource_group: str
    resource: str
    location: str
    entra_token: str
    provisioning: Life
    quota: dict[str, int]
    max_deployments: int
    arm_page_size: int
    deployments: dict[str, Deployment]
    operations: dict[str, Operation]
    unauthorized: set[str]

    def deployable(self, name: str, version: str) -> bool:
        """Tell whether a model (tuned, a checkpoint, or a base model in this version) may be deployed."""
        raise NotImplementedError

    def base_models(self) -> dict[str, str]:
        """Give the base models and their versions."""
        raise NotImplementedError

    @staticmethod
    def is_arm(request: Request) -> bool:
        """Tell whether a request is for the control plane."""
        return request.path.lower().startswith("/subscriptions")

    def within_arm(self, path: str) -> str:
        """Give the short path that the routes have: the resource's own as `/arm/…`."""
        for pattern in (_RESOURCE, _LOCATION):
            if match := pattern.match(path):
                return "/arm" + path[match.end() :]
        return path

    @property
    def account_id(self) -> str:
        """The resource's ARM id."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.CognitiveServices/accounts/{self.resource}"
        )

    def arm_refusal(self, name: str, request: Request, **facts: object) -> Reply:
        """Give ARM's refusal, with what this request asked for in its words; a name that ARM does not know is a server error."""
        match = _RESOURCE.match(request.path)
        tail = request.path[match.end() :].strip("/") if match else ""
        known = {
            "subscription": request.path.split("/")[2] if request.path.count("/") > 1 else "",
            "group": match.group(2) if match else self.resource_group,
            "account": match.group(3) if match else self.resource,
            "deployment": tail.removeprefix("deployments/").split("/")[0],
            "scope": self.account_id,
            "action": f"Microsoft.CognitiveServices/accounts/{'deployments/' if tail else ''}{_VERBS.get(request.method, 'read')}",
            "version": request.args.get("api-version", ""),
            "known": ",".join(API_VERSIONS),
        }
        return arm_refusal(name if name in ARM_REFUSALS else "server_error", **{**known, **facts})

    def guard_arm(self, request: Request) -> Reply | None:
        """Refuse what ARM refuses before it looks at a resource: token, version, right, subscription, group, account."""
        if refused := self.refused_token(request):
            return refused
        version = request.args.get("api-version", "")
        if not version:
            return self.arm_refusal("missing_api_version", request)
        if version not in API_VERSIONS:
            return self.arm_refusal("invalid_api_version", request)
        if _VERBS.get(request.method, "read") in self.unauthorized:
            return self.arm_refusal("authorization_failed", request)
        if request.path.split("/")[2].lower() != self.subscription_id.lower():
            return self.arm_refusal("subscription_not_found", request)
        if match := _RESOURCE.match(request.path):
            if match.group(2).lower() != self.resource_group.lower():
                return self.arm_refusal("resource_group_not_found", request)
            if match.group(3).lower() != self.resource.lower():
                return self.arm_refusal("account_not_found", request)
        return None

    def quotas(self) -> list[tuple[str, int]]:
        """Give the kinds of hosting and the capacity of each that the subscription has in the region."""
        return [(SKUS[name], limit) for name, limit in self.quota.items()]

    def used(self, sku: str, *, but: Deployment | None = None) -> int:
        """Add up the capacity of one kind of hosting in use."""
        return sum(one.sku["capacity"] for one in self.deployments.values() if one is not but and one.sku["name"] == sku)

    def refused_token(self, request: Request) -> Reply | None:
        """Refuse a token that is missing, unknown, past its end or for somebody else."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self.arm_refusal("authentication_failed", request)
        if token == self.entra_token:
            return None
        claims = claims_of(token, self.entra_token)
        if claims is None:
            return self.arm_refusal("invalid_token", request)
        if claims.expires_on <= self.clock():
            return self.arm_refusal("expired_token", request, expiry=stamp(claims.expires_on), now=stamp(self.clock()))
        if claims.audience not in ARM_AUDIENCES:
            return self.arm_refusal("wrong_audience", request, audience=claims.audience)
        return None

    def refused_body(self, request: Request, name: str, body: dict[str, Any], old: Deployment | None) -> Reply | None:
        """Refuse a deployment that cannot be: its name, sku, capacity, model or one too many."""
        if not _NAME.fullmatch(name):
            return self.arm_refusal("bad_name", request)
        sku, properties, tags = (body.get(name) or {} for name in ("sku", "properties", "tags"))
        model: Any = (properties.get("model") or {}) if isinstance(properties, dict) else None
        if not all(isinstance(part, dict) for part in (sku, properties, tags, model)) or not _texts(sku, model, tags):
            return self.arm_refusal("sku_required", request)
        capacity = sku.get("capacity", 1)
        if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 1:
            return self.arm_refusal("capacity_required", request, sku=sku["name"])
        asked = {"format": model.get("format", ""), "model": model["name"], "version": model.get("version", "1")}
        if asked["format"] != "OpenAI" or not self.deployable(asked["model"], asked["version"]):
            return self.arm_refusal("model_not_supported", request, **asked)
        kind = sku["name"].lower()
        young = kind == "developertier" and request.args["api-version"] < "2025-07-01-preview"
        if kind not in self.quota or young or (kind == "developertier" and asked["model"] in self.base_models()):
            return self.arm_refusal("sku_not_supported", request, sku=sku["name"], **asked)
        if old is None and len(self.deployments) >= self.max_deployments:
            return self.arm_refusal("deployment_limit", request, limit=self.max_deployments)
        return None

    def refused_quota(self, request: Request, wanted: dict[str, Any], old: Deployment | None) -> Reply | None:
        """Refuse more capacity than is free."""
        sku = wanted["sku"]
        used, limit = self.used(sku["name"], but=old), self.quota[sku["name"].lower()]
        if used + sku["capacity"] <= limit:
            return None
        base = wanted["model"]["name"].split(".ft-")[0]
        return self.arm_refusal(
            "insufficient_quota", request, asked=sku["capacity"], model=base, free=max(limit - used, 0), used=used, limit=limit
        )

    def refused_while_busy(self, request: Request) -> Reply | None:
        """Refuse while another operation goes on; like a GET, being refused moves it on, so that trying again gets through."""
        busy = [one for one in self.deployments.values() if one.state in BUSY]
        for one in busy:
            one.observed(self.clock())
        return self.arm_refusal("request_conflict", request) if busy else None


def _texts(sku: dict[str, Any], model: dict[str, Any], tags: dict[str, Any]) -> bool:
    """Tell whether names are there, and texts."""
    named = [sku.get("name"), model.get("name"), model.get("format", "-"), model.get("version", "1")]
    return all(isinstance(text, str) and text for text in named) and all(isinstance(text, str) for text in tags.values())


def wanted_of(body: dict[str, Any]) -> dict[str, Any]:
    """Give what a PUT asks for, as a deployment keeps it."""
    sku, properties = body["sku"], dict(body["properties"])
    model = {"version": "1", **properties.pop("model")}
    properties.pop("provisioningState", None)
    return {
        "model": model,
        "sku": {"name": SKUS[sku["name"].lower()], "capacity": sku.get("capacity", 1)},
        "tags": body.get("tags") or {},
        "extra": properties,
    }
