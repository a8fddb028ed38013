"""What Azure Resource Manager says when it refuses; each in the words of real replies where those are known.

The words come from replies that users of Terraform, Bicep and the Azure command line published in issues on GitHub (read 2026-11-22).
Those marked as invented were not found anywhere; only their shape is Microsoft's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARM_REFUSALS", "arm_refusal"]


class _Words(NamedTuple):
    status: int
    code: str
    message: str
    headers: Mapping[str, str] = MappingProxyType({})


_CHALLENGE = 'Bearer authorization_uri="https://login.microsoftonline.com/common", error="invalid_token", error_description="{0}"'

ARM_REFUSALS: dict[str, _Words] = {
    "authentication_failed": _Words(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
    "invalid_token": _Words(401, "InvalidAuthenticationToken", "The access token is invalid."),
    "expired_token": _Words(
        401, "ExpiredAuthenticationToken", "The access token expiry UTC time '{expiry}' is earlier than current UTC time '{now}'."
    ),
    "wrong_audience": _Words(
        401,
        "InvalidAuthenticationTokenAudience",
        "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly match with one of the allowed"
        " audiences 'https://management.core.windows.net/','https://management.core.windows.net',"
        "'https://management.azure.com/','https://management.azure.com'.",
    ),
    "authorization_failed": _Words(
        403,
        "AuthorizationFailed",
        "The client 'somebody@example.com' with object id '00000000-0000-0000-0000-00000000c1e0' does not have authorization to perform"
        " action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
    ),
    "special_feature": _Words(
        400,
        "SpecialFeatureOrQuotaIdRequired",
        "The subscription does not have QuotaId/Feature required by SKU 'S0' from kind 'OpenAI' or contains blocked QuotaId/Feature.",
    ),
    "subscription_not_found": _Words(404, "SubscriptionNotFound", "The subscription '{subscription}' could not be found."),
    "resource_group_not_found": _Words(404, "ResourceGroupNotFound", "Resource group '{group}' could not be found."),
    "account_not_found": _Words(
        404,
        "ResourceNotFound",
        "The Resource 'Microsoft.CognitiveServices/accounts/{account}' under resource group '{group}' was not found. For more details"
        " please go to https://aka.ms/ARMResourceNotFoundFix",
    ),
    "deployment_not_found": _Words(
        404,
        "ResourceNotFound",
        "The Resource 'Microsoft.CognitiveServices/accounts/{account}/deployments/{deployment}' under resource group '{group}' was not"
        " found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    ),
    "missing_api_version": _Words(
        400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests."
    ),
    "invalid_api_version": _Words(
        400, "InvalidApiVersionParameter", "The api-version '{version}' is invalid. The supported versions are '{known}'."
    ),
    "insufficient_quota": _Words(
        400,
        "InsufficientQuota",
        "This operation require {asked} new capacity in quota Tokens Per Minute (thousands) - {model}, which is bigger than the current"
        " available capacity {free}. The current quota usage is {used} and the quota limit is {limit} for quota Tokens Per Minute"
        " (thousands) - {model}.",
    ),
    "model_not_supported": _Words(
        400,
        "DeploymentModelNotSupported",
        "The model 'Format: {format}, Name: {model}, Version: {version}, Source: ' of account deployment is not supported.",
    ),
    "sku_not_supported": _Words(
        400,
        "InvalidResourceProperties",
        "The specified SKU '{sku}' of account deployment is not supported by the model '{model}' version: '{version}'.",
    ),
    "request_conflict": _Words(
        409,
        "RequestConflict",
        "Another operation is being performed on the parent resource '{scope}'. Please try again later.",
    ),
    "too_many_requests": _Words(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for operation type - Write_ObservationWindow_00:01:00. For more"
        " information, see - https://aka.ms/srpthrottlinglimits",
        {"Retry-After": "17"},
    ),
    "server_error": _Words(500, "InternalServerError", "An error has occurred. Please try again later."),
    "no_such_path": _Words(
        404, "InvalidResourceType", "The resource type could not be found in the namespace for api version '{version}'."
    ),
    # The words of the rest are invented.
    "deployment_limit": _Words(
        400, "InsufficientQuota", "The resource '{account}' has {limit} deployments of fine-tuned models, which is the limit."
    ),
    "capacity_required": _Words(400, "InvalidResourceProperties", "The capacity of sku '{sku}' must be a whole number of at least 1."),
    "sku_required": _Words(400, "InvalidResourceProperties", "The deployment's sku and model are required."),
    "bad_name": _Words(
        400, "InvalidResourceName", "The deployment name '{deployment}' is invalid: 2 to 64 letters, digits, '-', '_' and '.'."
    ),
    "not_at_rest": _Words(400, "InvalidResourceProperties", "The deployment '{deployment}' is {state} and cannot be changed."),
}


def arm_refusal(name: str, **facts: object) -> Reply:
    """Give a refusal by its name in `ARM_REFUSALS`, the facts put into its words; a fact that is not given becomes three dots."""
    words = ARM_REFUSALS[name]
    message = words.message.format_map(_Facts(facts))
    headers = {**words.headers, "x-ms-failure-cause": "gateway"}
    if words.status == 401:
        headers["WWW-Authenticate"] = _CHALLENGE.format(message)
    return Reply({"error": {"code": words.code, "message": message}}, words.status, headers)


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "..."
