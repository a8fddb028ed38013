"""What Azure's errors mean, and what to do next: codes of the management plane here, codes of the data plane as words for the wire.

Codes and texts: Microsoft's REST specifications and recorded errors, read 2026-11-22. Codes count; texts are shown, never matched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import (
    AnytuneError,
    AuthError,
    ConfigError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Unreachable,
)
from anytune_openai.waiting import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARM_CODES", "DATA_FIXES", "QUOTA_CODES", "ROLES", "Meaning", "arm_error", "explained", "unreadable"]

ROLES = (
    "Deploying needs the role `Foundry Owner` (or any with Microsoft.CognitiveServices/accounts/deployments/write) on the resource; "
    "training needs `Foundry User`. A new assignment takes some minutes."
)

_TOKEN = "The management plane takes tokens for https://management.azure.com of the subscription's own tenant: {renew}"  # noqa: S105 - a text
_TARGET = "Check `subscription_id`, `resource_group` and `account_name` of the backend (AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, AZURE_OPENAI_ACCOUNT)"  # noqa: E501 - one text
_QUOTA = (
    "Ask for less (`--option capacity=1`: thousands of tokens a minute), take another sku (`--option sku=developertier`), delete others, "
    "or deploy in another region's resource with `--option source=…`; more is asked for in the Foundry portal under Quota. "
    "`az cognitiveservices usage list --location REGION` shows what is used."
)
_MODEL = (
    "The model must exist in this resource, its base must be offered for the sku in this region, and it must not be retired. "
    "A model of another resource is named with `--option source=/subscriptions/…/accounts/NAME`."
)
_BUSY = "Another operation on the resource is under way: try again in a minute."


class Meaning(NamedTuple):
    """What a code stands for: which exception, and the next step (`{renew}` is how to get another token)."""

    kind: type[AnytuneError]
    fix: str


ARM_CODES: Mapping[str, Meaning] = {
    "InsufficientQuota": Meaning(QuotaExceeded, _QUOTA),
    "QuotaExceeded": Meaning(QuotaExceeded, _QUOTA),
    "InsufficientResources": Meaning(QuotaExceeded, _QUOTA),
    "DeploymentModelNotSupported": Meaning(Rejected, _MODEL),
    "InvalidResourceSku": Meaning(Rejected, "Take another one: `--option sku=standard`, `globalstandard` or `developertier`."),
    "InvalidCapacity": Meaning(Rejected, "`--option capacity=N` is in thousands of tokens a minute; take a smaller one."),
    "InvalidResourceProperties": Meaning(Rejected, f"Check sku and capacity. {_MODEL}"),
    "SpecialFeatureOrQuotaIdRequired": Meaning(
        Rejected,
        "This kind of subscription (free, student, some sponsored ones) may not use it, or access must be asked for first.",
    ),
    "AuthorizationFailed": Meaning(AuthError, ROLES),
    "LinkedAuthorizationFailed": Meaning(AuthError, f"{ROLES} With `source`, the role is needed on the other resource too."),
    "InvalidAuthenticationToken": Meaning(AuthError, _TOKEN),
    "ExpiredAuthenticationToken": Meaning(AuthError, _TOKEN),
    "InvalidAuthenticationTokenTenant": Meaning(AuthError, f"Log in to the subscription's tenant: `az login --tenant TENANT`. {_TOKEN}"),
    "InvalidAuthenticationTokenAudience": Meaning(AuthError, _TOKEN),
    "AuthenticationFailed": Meaning(AuthError, _TOKEN),
    "AuthenticationFailedMissingToken": Meaning(AuthError, _TOKEN),
    "SubscriptionNotFound": Meaning(ConfigError, f"{_TARGET}; `az account list` shows the subscriptions that you see."),
    "InvalidSubscriptionId": Meaning(ConfigError, f"{_TARGET}; `az account list` shows the subscriptions that you see."),
    "ResourceGroupNotFound": Meaning(ConfigError, f"{_TARGET}; `az cognitiveservices account list` shows resources with their groups."),
    "ResourceNotFound": Meaning(ConfigError, f"{_TARGET}; `az cognitiveservices account list` shows resources with their groups."),
    "ParentResourceNotFound": Meaning(ConfigError, f"{_TARGET}; `az cognitiveservices account list` shows resources with their groups."),
    "DeploymentNotFound": Meaning(NotFound, "`anytune deployments list --remote` shows what is there."),
    "MissingSubscriptionRegistration": Meaning(
        Rejected, "Register it once: `az provider register --namespace Microsoft.CognitiveServices`."
    ),
    "RequestDisallowedByPolicy": Meaning(Rejected, "A policy of your organisation forbids it: ask who keeps the subscription."),
    "ScopeLocked": Meaning(Rejected, "A lock on the resource or its group forbids it: `az lock list` shows it; it still costs money."),
    "RequestConflict": Meaning(Unreachable, _BUSY),
    "AnotherOperationInProgress": Meaning(Unreachable, _BUSY),
    "Conflict": Meaning(Unreachable, _BUSY),
}
"""By the code of a reply's `error`."""

_BY_STATUS: Mapping[int, Meaning] = {
    401: Meaning(AuthError, _TOKEN),
    403: Meaning(AuthError, ROLES),
    404: Meaning(NotFound, f"{_TARGET}."),
    408: Meaning(Unreachable, "Try again later."),
    409: Meaning(Unreachable, _BUSY),
}

QUOTA_CODES = frozenset({"quotaexceeded", "insufficientquota", "insufficient_quota"})
"""Of the data plane, in lower case."""

DATA_FIXES: Mapping[str, str] = {
    "401": "The key is of another resource or was rotated: check AZURE_OPENAI_API_KEY against AZURE_OPENAI_ENDPOINT. A token must be for https://ai.azure.com.",
    "unauthorized": "Check the key, or that the token is for https://ai.azure.com and has the role `Foundry User` on the resource.",
    "permissiondenied": "Training and files need the role `Foundry User` (before: Azure AI User) on the resource; a new assignment takes some minutes.",  # noqa: E501 - one text
    "forbidden": "Training needs the role `Foundry User` on the resource, and the base model must be open to your subscription.",
    "deploymentnotfound": "A tuned model answers through a deployment only: `anytune deploy JOB`; a new one takes up to about 5 minutes.",
    "quotaexceeded": "A resource takes 1 running job, 20 queued ones, 100 in all, 50 files and 1 GB: delete old files and jobs, or wait.",
    "jsonlvalidationfailed": "Correct the rows that the message names; `anytune data check FILE --backend azure` finds them before.",
    "fileimportfailed": "Upload the file again.",
    "contentfilter": "The data or the tuned model was refused by Azure's content filter: look at the rows that it names.",
    "content_filter": "Azure's content filter refused the question or the answer; the raw reply says in which category.",
    "conflict": "Something else is under way on it: try again in a minute.",
    "unexpectedentitystate": "It is in a state that does not allow this: look with `anytune jobs show`.",
    "itemdoesalreadyexist": "It exists already.",
    "invalidpayload": "Correct what the message names.",
    "toomanyrequests": "Wait, or ask for more quota in the Foundry portal.",
}
"""Next steps by the data plane's codes, in lower case."""


def arm_error(
    status: int, body: object, *, doing: str, renew: str, headers: Mapping[str, str] | None = None, raw: str | None = None
) -> AnytuneError:
    """Turn a refusal of the management plane into ours.

    Args:
        status: HTTP status.
        body: The reply as JSON, where it was JSON.
        doing: What was asked for, for the text: `deploy anytune-x`.
        renew: How to get another token.
        headers: Headers of the reply.
        raw: The reply's text.
    """
    code, message = _told(body)
    text = f"Azure refused to {doing} (HTTP {status}{f', {code}' if code else ''}). {message}".rstrip()
    found = ARM_CODES.get(code) or _BY_STATUS.get(status)
    if status == 429 and (found is None or found.kind is not QuotaExceeded):  # noqa: PLR2004 - HTTP's own
        wait = retry_after(headers or {})
        return RateLimited(text, retry_after=wait, fix="Wait: the management plane was asked too often.", backend="azure", raw=raw)
    if found is None:
        found = Meaning(Unreachable, "Try again later.") if status >= 500 else Meaning(Rejected, "Correct what the message names.")  # noqa: PLR2004 - HTTP's own
    return found.kind(text, fix=found.fix.format(renew=renew), backend="azure", raw=raw)


def explained(error: object) -> str:
    """Say why a deployment failed, with the next step: for the `error` of an operation that ended badly."""
    code, message = _told({"error": error})
    meaning = ARM_CODES.get(code)
    words = f"{code}: {message}" if code else message
    return f"{words} {meaning.fix.format(renew='')}".strip() if meaning else words


def unreadable(status: int, text: str) -> str:
    """Say that a reply was no JSON object."""
    return f"The management plane answered HTTP {status} with something that is no JSON object: {text[:80]!r}."


def _told(body: Any) -> tuple[str, str]:
    """Give code and message; of a nested error (`details`, `innererror`) the first that says more than the outer one."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", str(error or "")
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    inner = [*(error.get("details") or []), error.get("innererror")]
    for part in inner if isinstance(error.get("details") or [], list) else []:
        if code not in ARM_CODES and isinstance(part, dict) and part.get("code") in ARM_CODES:
            return str(part["code"]), f"{message} {part.get('message') or ''}".strip()
    return code, message
