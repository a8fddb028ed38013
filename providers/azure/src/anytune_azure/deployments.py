"""Hosting a tuned model: from an order to a PUT, from Azure's record to what anytune says of a host."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from anytune.backend import RemoteDeployment
from anytune.catalog import hosting
from anytune.errors import ConfigError, NotFound, Rejected
from anytune.settings import nearest
from anytune.values import now
from anytune_azure.errors import explained
from anytune_azure.settings import word
from anytune_openai.address import YOUNG

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import DeployOrder
    from anytune.values import Address
    from anytune_azure.arm import Arm

__all__ = ["CAPACITY", "PREFIX", "SKU", "SKUS", "STATES", "Chosen", "Hosts", "State", "checked_capacity", "named", "settled", "state_of"]

PREFIX = "anytune-"
"""How names of our deployments begin: with the tags it tells them from others'."""

SKU = "standard"
"""What a deployment is where nobody says it: Microsoft's own examples use it, and it costs by the hour."""

CAPACITY = 10
"""Thousands of tokens a minute where nobody says it: enough to try a model, little enough for most quotas."""

SKUS = {
    "standard": "standard",
    "globalstandard": "globalstandard",
    "datazonestandard": "datazonestandard",
    "developertier": "developertier",
    "developer": "developertier",
    "provisionedmanaged": "provisionedmanaged",
    "globalprovisionedmanaged": "globalprovisionedmanaged",
    "datazoneprovisionedmanaged": "datazoneprovisionedmanaged",
}
"""`sku.name` by what people write, as Microsoft's pages have them (read 2026-11-22)."""

State = Literal["starting", "ready", "failed", "stopping", "gone", "unknown"]

STATES: dict[str, State] = {
    "Accepted": "starting",
    "Creating": "starting",
    "Moving": "starting",  # on its way to another group or subscription: it will answer again
    "Succeeded": "ready",  # once it answers
    "Deleting": "stopping",
    "Failed": "failed",
    "Disabled": "failed",
    "Canceled": "failed",
}
"""Every `provisioningState` (azure-mgmt-cognitiveservices 14.1.0, read 2026-11-22)."""

_SHORT_SKU, _SHORT_S = "developertier", 86_400.0
"""Microsoft deletes deployments of the Developer tier after 24 hours (cost management of fine-tuning, read 2026-11-22)."""

_OPTIONS = ("sku", "capacity", "source", "version", "format")
_REF, _LEDGER = "anytune_ref", "anytune_ledger"
_TAIL = 12
_NAME = 43
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REASONS = {
    "Disabled": "Azure has disabled it: the resource or the model may be blocked or retired.",
    "Canceled": "Making it was cancelled, in the portal or by Azure.",
}


class Chosen(NamedTuple):
    """Options of a deployment, checked."""

    sku: str
    capacity: int
    source: str | None
    version: str
    format: str

    @classmethod
    def of(cls, options: dict[str, Any], *, sku: str, capacity: int) -> Chosen:
        """Check what was given; the backend's own settings fill in.

        Raises:
            ConfigError: An option is not known, or its value is none.
        """
        for name in options:
            if name not in _OPTIONS:
                guess = nearest(name, list(_OPTIONS))
                fix = f"Did you mean `{guess}`?" if guess else f"Known: {', '.join(_OPTIONS)}."
                raise ConfigError(f"Deployments in Azure have no option `{name}`.", fix=fix, backend="azure")
        source = options.get("source")
        if source is not None and not str(source).lower().startswith("/subscriptions/"):
            fix = "Give the ARM id of the resource that holds the model: /subscriptions/…/accounts/NAME."
            raise ConfigError(f"`source` is {source!r}.", fix=fix, backend="azure")
        return cls(
            sku=SKUS[word(options.get("sku") or sku, SKUS, "sku")],
            capacity=checked_capacity(options.get("capacity", capacity)),
            source=None if source is None else str(source),
            version=str(options.get("version", "1")),
            format=str(options.get("format", "OpenAI")),
        )

    def body(self, order: DeployOrder) -> dict[str, Any]:
        """Write the PUT; the same order and options give the same body."""
        model = {"format": self.format, "name": order.model.id, "version": self.version}
        if self.source is not None:
            model["source"] = self.source
        tags = {_REF: order.ref, "anytune_name": order.name[:256], "anytune_ttl_s": f"{order.ttl_s:g}"}
        if order.ledger:
            tags[_LEDGER] = order.ledger
        return {"sku": {"name": self.sku, "capacity": self.capacity}, "properties": {"model": model}, "tags": tags}


class Hosts:
    """The deployments of one resource.

    Args:
        arm: The management plane.
        address: Gives the address of a deployment by its name.
        probe: Asks a deployment one question; `NotFound` where it does not answer yet.
        sku: The kind of deployments that name none.
        capacity: Their capacity.
    """

    def __init__(
        self, arm: Arm, *, address: Callable[[str], Address], probe: Callable[[str], None], sku: str = SKU, capacity: int = CAPACITY
    ) -> None:
        """Keep what to ask; nothing is asked yet."""
        self._arm = arm
        self._address = address
        self._probe = probe
        self._sku = sku
        self._capacity = capacity
        self._answered: set[str] = set()
        self._unproven: set[str] = set()

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Make the deployment of an order, or look at the one that it made before.

        Raises:
            ConfigError: An option is wrong, or the time to live is longer than the kind of deployment lives.
            Rejected: Its name is taken by another model, or Azure refuses it.
        """
        chosen, name = Chosen.of(order.options, sku=self._sku, capacity=self._capacity), named(order)
        if chosen.sku == _SHORT_SKU and order.ttl_s > _SHORT_S:
            message = f"A deployment of the Developer tier is gone after 24 hours, and {order.ttl_s / 3600:g} hours were asked for."
            raise ConfigError(message, fix="Give 24 hours or less, or another `sku`.", backend="azure")
        try:
            found = self._arm.get(name)
        except NotFound:
            self._unproven.add(name)
            return self._observed(self._arm.put(name, chosen.body(order)) | {"name": name})
        theirs = _model(found)
        if theirs != order.model.id:
            fix = f"Delete it if nobody needs it: `az cognitiveservices account deployment delete --deployment-name {name} …`."
            raise Rejected(f"Deployment {name} exists and hosts {theirs}, not {order.model.id}.", fix=fix, backend="azure")
        return self._observed(found)

    def poll(self, deployment_id: str) -> RemoteDeployment:
        """Look once: `gone` only where the resource answers and does not have it."""
        name = self._name(deployment_id)
        if name is not None:
            try:
                return self._observed(self._arm.get(name))
            except NotFound:
                self._forget(name)
        return RemoteDeployment(id=name or deployment_id, state="gone")

    def undeploy(self, deployment_id: str) -> None:
        """Ask for the end."""
        name = self._name(deployment_id)
        if name is not None:
            self._forget(name)
            self._arm.delete(name)

    def ours(self) -> list[RemoteDeployment]:
        """Give those that carry our name or tag; a `ready` one was not asked whether it answers."""
        return [_remote(row) for row in self._arm.all() if _is_ours(row)]

    def serving(self, model_id: str) -> list[str]:
        """Name the deployments of a model, whoever made them."""
        return [str(row.get("name")) for row in self._arm.all() if _model(row) == model_id]

    def _name(self, deployment_id: str) -> str | None:
        """Give the name that an id means; core knows a deployment by its ref alone where the reply to its making was lost."""
        if not _ULID.fullmatch(deployment_id):
            return deployment_id if _VALID.fullmatch(deployment_id) else None
        tail = f"-{_tail(deployment_id)}"
        rows = [row for row in self._arm.all() if _is_ours(row)]
        return next((str(row["name"]) for row in rows if _ref(row) == deployment_id or str(row.get("name")).endswith(tail)), None)

    def _observed(self, record: dict[str, Any]) -> RemoteDeployment:
        seen = _remote(record)
        if seen.state == "failed":
            return seen.model_copy(update={"error": self._reason(seen.id, str(_properties(record).get("provisioningState")))})
        if seen.state != "ready":
            return seen
        if not self._answers(record, seen.id):
            waits = "It is made and does not answer yet; Azure takes up to about 5 minutes."
            return seen.model_copy(update={"state": "starting", "error": waits})
        return seen.model_copy(update={"address": self._address(seen.id)})

    def _answers(self, record: dict[str, Any], name: str) -> bool:
        """Tell whether it answers: by its age, or, of one that was made or found silent here, by a question that it answers once."""
        if name in self._answered or (name not in self._unproven and settled(record)):
            return True
        try:
            self._probe(name)
        except NotFound:
            self._unproven.add(name)
            return False
        self._answered.add(name)
        return True

    def _forget(self, name: str) -> None:
        self._answered.discard(name)
        self._unproven.discard(name)

    def _reason(self, name: str, word: str) -> str:
        told = self._arm.failure(name)
        if told:
            return explained(told)
        return f"{_REASONS.get(word, 'Azure gives no reason here.')} The portal's activity log of the resource says more."


def named(order: DeployOrder) -> str:
    """Name the deployment of an order: for people, and the same whoever asks again.

    Example:
        >>> from anytune.backend import DeployOrder
        >>> from anytune.values import ModelRef
        >>> model = ModelRef(id="gpt-4.1-mini-2025-04-14.ft-0123456789abcdef")
        >>> named(DeployOrder(ref="01KAPV5T6GZ0M3R8D9YQ4W7XCE", model=model, name="My recipes", ttl_s=60))
        'anytune-my-recipes-r8d9yq4w7xce'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", order.name.lower()).strip("-")[:_NAME].strip("-")
    return f"{PREFIX}{plain}{'-' if plain else ''}{_tail(order.ref)}"


def settled(record: dict[str, Any]) -> bool:
    """Tell whether a deployment has stood unchanged for so long that it answers; not known of a record without times. Costs nothing.

    Example:
        >>> settled({"systemData": {"createdAt": "2026-11-20T08:00:00.1234567Z", "lastModifiedAt": "2026-11-20T08:00:00.1234567Z"}})
        True
        >>> settled({"name": "recipes"})
        False
    """
    told = record.get("systemData")
    texts = [told.get(name) for name in ("createdAt", "lastModifiedAt")] if isinstance(told, dict) else []
    moments = [moment for text in texts if (moment := _moment(text)) is not None]
    return bool(moments) and now() - max(moments) > YOUNG


def state_of(word: str) -> State:
    """Map a `provisioningState`; case does not matter, and a new word is `unknown`."""
    return next((state for known, state in STATES.items() if known.lower() == word.lower()), "unknown")


def checked_capacity(value: object) -> int:
    """Give a capacity as a whole number.

    Raises:
        ConfigError: It is none, or below 1.
    """
    try:
        found = int(str(value))
    except ValueError:
        found = 0
    if found < 1:
        raise ConfigError(f"`capacity` is {value!r}.", fix="Give thousands of tokens a minute as a whole number from 1.", backend="azure")
    return found


def _remote(record: dict[str, Any]) -> RemoteDeployment:
    name, sku = str(record.get("name") or ""), record.get("sku") or {}
    price = hosting("azure", str(sku.get("name"))) if sku.get("name") else None  # what ARM says is what is billed
    return RemoteDeployment(
        id=name.rsplit("/", 1)[-1],
        state=state_of(str(_properties(record).get("provisioningState") or "")),
        hourly_usd=price.hourly_usd if price else None,
        ref=_ref(record),
        ledger=_tag(record, _LEDGER),
        model=_model(record),
        raw=record,
    )


def _moment(text: object) -> datetime | None:
    """Read a time of ARM's, which has seven decimals and may lack its zone."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _properties(record: dict[str, Any]) -> dict[str, Any]:
    found = record.get("properties")
    return found if isinstance(found, dict) else {}


def _model(record: dict[str, Any]) -> str | None:
    name = (_properties(record).get("model") or {}).get("name")
    return None if name is None else str(name)


def _ref(record: dict[str, Any]) -> str | None:
    return _tag(record, _REF)


def _tag(record: dict[str, Any], key: str) -> str | None:
    found = (record.get("tags") or {}).get(key)
    return None if found is None else str(found)


def _is_ours(record: dict[str, Any]) -> bool:
    return _ref(record) is not None or str(record.get("name") or "").startswith(PREFIX)


def _tail(ref: str) -> str:
    return ref[-_TAIL:].lower()
