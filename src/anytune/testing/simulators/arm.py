"""Azure Resource Manager as far as deployments of models need it: the control plane of `AzureSimulator`.

What it promises is Microsoft's REST description of `Microsoft.CognitiveServices/accounts/deployments` (2024-10-01 and later) and what
azure-mgmt-cognitiveservices 14.1.0 expects of it (read 2026-11-22): names are compared without regard to case, PUT is the same when it is
repeated, one operation goes on at a time on a resource, and a deletion is through only when GET says 404.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators.arm_records import API_VERSIONS, Deployment, Operation
from anytune.testing.simulators.arm_rules import ArmRules, wanted_of
from anytune.testing.simulators.service import Reply, json_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.life import Life

__all__ = ["ArmPlane"]

_DAY_S = 86_400.0
# Microsoft's pages, read 2026-11-22: a Developer deployment is removed after 24 hours, an idle one "for more than fifteen (15) days".
_DEVELOPER_S = _DAY_S
_IDLE_S = 15 * _DAY_S


class ArmPlane(ArmRules):
    """The part of `AzureSimulator` that answers under `/subscriptions`."""

    arm_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("GET", "/arm", "arm_account"),
        ("GET", "/arm/models", "arm_models"),
        ("GET", "/arm/usages", "arm_usages"),
        ("GET", "/arm/deployments", "arm_list"),
        ("GET", "/arm/deployments/{name}", "arm_get"),
        ("PUT", "/arm/deployments/{name}", "arm_put"),
        ("PATCH", "/arm/deployments/{name}", "arm_patch"),
        ("DELETE", "/arm/deployments/{name}", "arm_delete"),
        ("GET", "/arm/deployments/{name}/skus", "arm_skus"),
        ("GET", "/arm/operationStatuses/{id}", "arm_status"),
        ("GET", "/arm/operationResults/{id}", "arm_result"),
    )

    def arm_account(self, _: Request) -> Reply:
        """Describe the resource."""
        return Reply(
            {
                "id": self.account_id,
                "name": self.resource,
                "type": "Microsoft.CognitiveServices/accounts",
                "location": self.location,
                "kind": "AIServices",
                "sku": {"name": "S0"},
                "etag": '"simulated"',
                "tags": {},
                "properties": {
                    "provisioningState": "Succeeded",
                    "endpoint": f"{self.url}/",
                    "endpoints": {"OpenAI Language Model Instance API": f"{self.url}/"},
                    "customSubDomainName": self.resource,
                    "publicNetworkAccess": "Enabled",
                },
            }
        )

    def arm_models(self, _: Request) -> Reply:
        """List the base models of the resource with the kinds of hosting that they have."""
        skus = [{"name": sku, "usageName": f"OpenAI.{sku}", "capacity": {"default": 10, "maximum": limit}} for sku, limit in self.quotas()]
        models = [
            {"format": "OpenAI", "name": name, "version": version, "skus": skus, "lifecycleStatus": "GenerallyAvailable"}
            for name, version in self.base_models().items()
        ]
        return Reply({"value": models})

    def arm_usages(self, _: Request) -> Reply:
        """List what the subscription uses of each quota in the region."""
        usages = [
            {
                "name": {"value": f"OpenAI.{sku}", "localizedValue": f"Tokens Per Minute (thousands) - {sku}"},
                "currentValue": self.used(sku),
                "limit": limit,
                "unit": "Count",
            }
            for sku, limit in self.quotas()
        ]
        return Reply({"value": usages})

    def arm_list(self, request: Request) -> Reply:
        """List the deployments, a page at a time."""
        self.sweep()
        every = sorted(self.deployments.values(), key=lambda one: one.name.lower())
        skip = request.args.get("$skipToken", "0")
        start = int(skip) if skip.isascii() and skip.isdecimal() else 0
        body: dict[str, Any] = {"value": [one.shown(self.account_id) for one in every[start : start + self.arm_page_size]]}
        if start + self.arm_page_size < len(every):
            version = request.args["api-version"]
            body["nextLink"] = f"{self.url}{self.account_id}/deployments?api-version={version}&%24skipToken={start + self.arm_page_size}"
        return Reply(body)

    def arm_get(self, request: Request, name: str) -> Reply:
        """Give a deployment; unless its life has a clock, this moves it on by one state."""
        now = self.sweep()
        if one := self.deployments.get(name.lower()):
            one.observed(now)
        self.sweep()
        one = self.deployments.get(name.lower())
        return Reply(one.shown(self.account_id)) if one else self.arm_refusal("deployment_not_found", request)

    def arm_put(self, request: Request, name: str) -> Reply:
        """Create a deployment (201), leave it as it is (200), or change it (200, and it is provisioned again)."""
        body = _body(request)
        now = self.sweep()
        old = self.deployments.get(name.lower())
        if refused := self.refused_body(request, name, body, old):
            return refused
        wanted = wanted_of(body)
        ended = old is not None and old.state in {"Deleting", "Failed", "Canceled"}
        if old is not None and not ended and all(getattr(old, key) == value for key, value in wanted.items()):
            return Reply(old.shown(self.account_id))
        if refused := self.refused_while_busy(request) or self.refused_quota(request, wanted, old):
            return refused
        life, error = self._fate()
        if old is None:
            one = Deployment(name=name, life=life, error=error, created_at=now, changed_at=now, moved_at=now, **wanted)
            self.deployments[name.lower()] = one
            return Reply(one.shown(self.account_id), 201, self._watched(one, now))
        again = ended or old.model != wanted["model"]
        for key, value in wanted.items():
            setattr(old, key, value)
        if not again:
            old.touched(now)
            return Reply(old.shown(self.account_id))
        old.restart(now, error=error, life=life)
        return Reply(old.shown(self.account_id), 200, self._watched(old, now))

    def arm_patch(self, request: Request, name: str) -> Reply:
        """Change sku or tags of a deployment."""
        body = _body(request)
        now = self.sweep()
        old = self.deployments.get(name.lower())
        if old is None:
            return self.arm_refusal("deployment_not_found", request)
        if refused := self.refused_while_busy(request):
            return refused
        if old.state != "Succeeded":
            return self.arm_refusal("not_at_rest", request, state=old.state)
        sku = body.get("sku") or {}
        asked = {**old.sku, **sku} if isinstance(sku, dict) else sku
        whole = {"sku": asked, "properties": {"model": old.model}, "tags": body.get("tags", old.tags)}
        if refused := self.refused_body(request, name, whole, old) or self.refused_quota(request, wanted_of(whole), old):
            return refused
        wanted = wanted_of(whole)
        old.sku, old.tags = wanted["sku"], wanted["tags"]
        old.touched(now)
        return Reply(old.shown(self.account_id))

    def arm_delete(self, request: Request, name: str) -> Reply:
        """Begin to delete (202); a deployment that is not there is no error (204)."""
        now = self.sweep()
        old = self.deployments.get(name.lower())
        if old is None:
            return Reply(None, 204)
        if old.deleting is None:
            if refused := self.refused_while_busy(request):
                return refused
            old.delete(now, polls=2)
        watched = self._watched(old, now)
        version = request.args["api-version"]
        identity = watched["Azure-AsyncOperation"].split("?")[0].replace("operationStatuses", "operationResults")
        return Reply(None, 202, {**watched, "Location": f"{identity}?api-version={version}"})

    def arm_skus(self, request: Request, name: str) -> Reply:
        """List the kinds of hosting that a deployment could change to."""
        self.sweep()
        if name.lower() not in self.deployments:
            return self.arm_refusal("deployment_not_found", request)
        kind = "Microsoft.CognitiveServices/accounts/deployments"
        capacity = {"minimum": 1, "step": 1, "default": 10}
        return Reply(
            {
                "value": [
                    {"resourceType": kind, "sku": {"name": sku}, "capacity": {**capacity, "maximum": limit}} for sku, limit in self.quotas()
                ]
            }
        )

    def arm_status(self, request: Request, id: str) -> Reply:  # noqa: A002 - the template's word
        """Give an operation's state, `Azure-AsyncOperation` of the reply that began it."""
        now = self.sweep()
        operation = self.operations.get(id)
        if operation is None:
            return self.arm_refusal("no_such_path", request)
        operation.deployment.observed(now)
        self.sweep()
        return Reply(operation.shown(request.path, now))

    def arm_result(self, request: Request, id: str) -> Reply:  # noqa: A002 - the template's word
        """Give an operation's result, `Location` of the reply that began it: 202 until it is through."""
        now = self.sweep()
        operation = self.operations.get(id)
        if operation is None:
            return self.arm_refusal("no_such_path", request)
        operation.deployment.observed(now)
        self.sweep()
        if operation.status == "InProgress":
            return Reply(None, 202, {"Location": request.url})
        return Reply(None, 204) if operation.deployment.gone else Reply(operation.deployment.shown(self.account_id))

    def sweep(self) -> float:
        """Let time pass: deployments move on, end, and are deleted by Azure itself. Gives the time."""
        now = self.clock()
        for key, one in list(self.deployments.items()):
            one.advance(now)
            ended = now - one.created_at >= _DEVELOPER_S and one.sku["name"] == "DeveloperTier"
            idle = one.ready_at is not None and now - max(one.ready_at, one.called_at or 0.0) >= _IDLE_S
            vanished = self.faults.vanish_after_s is not None and now - one.created_at >= self.faults.vanish_after_s
            if one.gone or ended or idle or vanished:
                del self.deployments[key]
        return now

    def answering(self, name: str) -> Deployment | None:
        """Give the deployment that answers chat requests under this name now, if there is one."""
        with self.lock:
            now = self.sweep()
            one = self.deployments.get(name.lower())
            if one is None or one.ready_at is None or now < one.ready_at + self.faults.deployment_lag_s:
                return None
            one.called_at = now
            return one

    def _fate(self) -> tuple[Life, tuple[str, str] | None]:
        code, life = self.faults.arm_failure, self.provisioning
        if code:
            life = life.model_copy(update={"words": (*life.words[:-1], "Failed")})
            return life, (code, "The deployment could not be provisioned; the simulator was told so.")
        return life, ("InternalServerError", life.error) if life.words[-1] == "Failed" else None

    def _watched(self, one: Deployment, now: float) -> dict[str, str]:
        identity = str(uuid.uuid4())
        self.operations[identity] = Operation(one, now)
        where = f"/subscriptions/{self.subscription_id}/providers/Microsoft.CognitiveServices/locations/{self.location}"
        return {"Azure-AsyncOperation": f"{self.url}{where}/operationStatuses/{identity}?api-version={API_VERSIONS[-1]}"}


def _body(request: Request) -> dict[str, Any]:
    found = json_of(request)
    return found if isinstance(found, dict) else {}
