"""What Azure OpenAI's data plane says when it refuses: its codes, its shape, and its words where real replies are known.

The codes are those of Microsoft's description of 2025-04-01-preview. Words with `(simulated)` are invented; only their code is Microsoft's.
"""

from __future__ import annotations

from typing import Any

from anytune.testing.simulators.errors import ApiError
from anytune.testing.simulators.service import Reply

__all__ = ["AZURE", "AZURE_ERRORS", "azure_reply", "job_code"]

AZURE = "azure"
"""The `type` of errors whose code is Azure's already; it is never shown."""

_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and"
    " use a correct regional API endpoint for your resource."
)
_TOKEN = "Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."  # noqa: S105
_FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry."
    " To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
)
_RATE = (
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded token rate limit of your current OpenAI S0"
    " pricing tier. Please retry after 1 second. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase"
    " the default rate limit."
)
_LACKS = (
    "The principal `00000000-0000-0000-0000-00000000c1e0` lacks the required data action `{action}` to perform `{method} {path}` operation."
)


def _azure(status: int, code: str, message: str, **headers: str) -> ApiError:
    return ApiError(status, message, AZURE, None, code, {name.replace("_", "-"): value for name, value in headers.items()})


AZURE_ERRORS: dict[str, ApiError] = {
    "no_key": _azure(401, "401", _KEY),
    "bad_key": _azure(401, "401", _KEY),
    "bad_token": _azure(401, "Unauthorized", _TOKEN),
    "no_role": _azure(401, "PermissionDenied", _LACKS),
    "closed": _azure(403, "forbidden", "Fine-tuning is not enabled for this resource. (simulated)"),
    "deployment_not_found": _azure(
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment"
        " and try again.",
    ),
    "no_route": _azure(404, "404", "Resource not found"),
    "rate_limit": _azure(429, "429", _RATE, retry_after="1", retry_after_ms="612"),
    "too_many_requests": _azure(429, "tooManyRequests", "Too many requests. (simulated)", retry_after="1"),
    "quota": _azure(429, "quotaExceeded", "The resource already has {count} {what}, which is its limit of {limit}. (simulated)"),
    "content_filter": _azure(400, "content_filter", _FILTERED),
    "not_tunable": _azure(400, "invalidPayload", "The specified base model does not support fine-tuning."),
    "file_not_ready": _azure(
        400, "unexpectedEntityState", "The file {file} is not processed yet and cannot be used for fine-tuning. (simulated)"
    ),
    "file_import_failed": _azure(400, "fileImportFailed", "The import of the file failed. (simulated)"),
    "bad_jsonl": _azure(400, "jsonlValidationFailed", "The provided file is not valid JSONL. (simulated)"),
    "exists": _azure(409, "itemDoesAlreadyExist", "There is an item of this name already. (simulated)"),
    "bad_suffix": _azure(400, "invalidPayload", "The suffix may have up to 40 letters, digits, '-' and '_'. (simulated)"),
    "model_in_use": _azure(409, "conflict", "The model {model} has deployments; delete them first. (simulated)"),
    "job_finished": _azure(400, "unexpectedEntityState", "The fine-tuning job {job} has ended already. (simulated)"),
    "job_not_ended": _azure(400, "unexpectedEntityState", "The fine-tuning job {job} has not ended. (simulated)"),
}
"""What Azure words or numbers otherwise than OpenAI; the other names of `errors.ERRORS` are given in Azure's shape."""

_CODES = {
    400: "invalidPayload",
    401: "unauthorized",
    403: "forbidden",
    404: "notFound",
    408: "Timeout",
    409: "conflict",
    413: "invalidPayload",
    429: "tooManyRequests",
    500: "internalFailure",
    502: "BadGateway",
    503: "serviceUnavailable",
}
_FILTER_RESULT = {
    "code": "ResponsibleAIPolicyViolation",
    "content_filter_result": {
        "hate": {"filtered": False, "severity": "safe"},
        "jailbreak": {"detected": False, "filtered": False},
        "self_harm": {"filtered": False, "severity": "safe"},
        "sexual": {"filtered": False, "severity": "safe"},
        "violence": {"filtered": True, "severity": "medium"},
    },
}


def azure_reply(error: ApiError) -> Reply:
    """Give an error in Azure's shape: code and message, and where it is known the target; no type, no param."""
    code = error.code if error.type == AZURE else _code_of(error)
    shown: dict[str, Any] = {"code": code, "message": error.message}
    if error.param and error.type != AZURE:
        shown["target"] = error.param
    if code == "content_filter":
        shown |= {"param": "prompt", "type": None, "status": 400, "innererror": _FILTER_RESULT}
    return Reply({"error": shown}, error.status, error.headers)


def _code_of(error: ApiError) -> str:
    if error.type == "insufficient_quota" or (error.code or "").endswith("_limit_exceeded"):
        return "quotaExceeded"
    return _CODES.get(error.status, "internalFailure")


def job_code(code: str) -> str:
    """Give Azure's code for what a job failed with.

    Example:
        >>> job_code("invalid_training_file")
        'jsonlValidationFailed'
    """
    return _JOB_CODES.get(code, "invalidPayload")


_JOB_CODES = {
    "invalid_training_file": "jsonlValidationFailed",
    "invalid_file_format": "jsonlValidationFailed",
    "moderation": "contentFilter",
    "server_error": "internalFailure",
    "exceeded_quota": "quotaExceeded",
}
