"""Every way in which a provider says no, by a name: what a request is answered, and what a job fails with.

The words are OpenAI's where a real reply is known. Where none is, the message says `(simulated)`: of the refusal of closed organisations
no text was found (2026-11-22), and what clients may rely on there is the status alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ERRORS", "JOB_ERRORS", "ApiError", "JobError", "Refusal", "error_of", "job_error"]

_LIMITS = "Visit https://platform.openai.com/account/rate-limits to learn more."
_DOCS = "For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
_SORRY = "The server had an error while processing your request. Sorry about that!"
_INVALID = "invalid_request_error"
_LIMITED = "This fine-tune request has been rate limited. Your organization has reached the maximum of"
_RATE = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "150",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "108ms",
    "retry-after": "1",
    "retry-after-ms": "108",
}


class ApiError(NamedTuple):
    """What a request is answered instead of what it asked for.

    Attributes:
        status: HTTP status.
        message: With places such as `{model}`, which the simulator fills in.
        type: OpenAI's `type`.
        param: The parameter that is to blame; None: none is named.
        code: OpenAI's `code`.
        headers: More headers.
    """

    status: int
    message: str
    type: str = _INVALID
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = {}

    def filled(self, values: Mapping[str, Any]) -> ApiError:
        """Put values into the places of the message and of the parameter; places without a value name themselves."""
        places = _Places(values)
        param = self.param and self.param.format_map(places)
        return self._replace(message=self.message.format_map(places), param=param)


class JobError(NamedTuple):
    """What a failed job says."""

    code: str
    message: str
    param: str | None = "training_file"

    def filled(self, values: Mapping[str, Any]) -> JobError:
        """Put values into the places of the message; places without a value name themselves."""
        return self._replace(message=self.message.format_map(_Places(values)))


class Refusal(Exception):
    """A request is refused: the simulator answers with the error."""

    def __init__(self, error: ApiError) -> None:
        """Take what is answered."""
        super().__init__(error.message)
        self.error = error


class _Places(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


ERRORS: dict[str, ApiError] = {
    "rate_limit": ApiError(
        429,
        "Rate limit reached for {model} in organization {organization} on tokens per min (TPM): Limit 200000, Used 199850, Requested 512. "
        f"Please try again in 108ms. {_LIMITS}",
        "tokens", None, "rate_limit_exceeded", _RATE,
    ),
    "rate_limit_requests": ApiError(
        429,
        "Rate limit reached for {model} in organization {organization} on requests per min (RPM): Limit 500, Used 500, Requested 1. "
        f"Please try again in 120ms. {_LIMITS}",
        "requests", None, "rate_limit_exceeded", {**_RATE, "x-ratelimit-remaining-requests": "0"},
    ),
    "quota": ApiError(
        429,
        f"You exceeded your current quota, please check your plan and billing details. {_DOCS}",
        "insufficient_quota", None, "insufficient_quota",
    ),
    "credit_gone": ApiError(
        429,
        "You have no credits remaining. Add credits to continue using the API at https://platform.openai.com/settings/organization/billing.",
        "insufficient_quota", None, "credit_balance_exhausted",
    ),
    "daily_limit": ApiError(
        429,
        f"{_LIMITED} 48 requests per day for {{model}}. (simulated)",
        "rate_limit_exceeded", None, "daily_rate_limit_exceeded",
    ),
    "concurrent_limit": ApiError(
        429,
        f"{_LIMITED} 3 active requests (3 running, 0 pending) for {{model}}. (simulated)",
        "rate_limit_exceeded", None, "active_limit_exceeded",
    ),
    "bad_key": ApiError(
        401,
        "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys.",
        _INVALID, None, "invalid_api_key",
    ),
    "no_key": ApiError(
        401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
    ),
    "closed": ApiError(403, "Your organization can no longer create fine-tuning jobs. (simulated)"),
    "missing_scope": ApiError(
        403,
        "You have insufficient permissions for this operation. Missing scopes: api.fine_tuning.jobs.write. Check that you have the "
        "correct role in your organization and project, and if you're using a restricted API key, that it has the necessary scopes.",
        _INVALID, None, "missing_scope",
    ),
    "country": ApiError(
        403, "Country, region, or territory not supported", "request_forbidden", None, "unsupported_country_region_territory"
    ),
    "model_not_found": ApiError(
        404, "The model `{model}` does not exist or you do not have access to it.", _INVALID, None, "model_not_found"
    ),
    "not_tunable": ApiError(
        400, "Model {model} is not available for fine-tuning or does not exist.", _INVALID, None, "model_not_available"
    ),
    "bad_training_file": ApiError(400, "invalid {param}: {file}", _INVALID, "{param}"),
    "file_not_ready": ApiError(400, "File {file} is not ready"),
    "file_not_found": ApiError(404, "No such File object: {file}", _INVALID, "id"),
    "bad_file_format": ApiError(400, "Invalid file format for Fine-Tuning API. Must be .jsonl"),
    "bad_purpose": ApiError(
        400, "'{purpose}' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'"
    ),
    "null_in_string": ApiError(400, "None is not of type 'string' - '{param}'"),
    "extra_field": ApiError(400, "invalid {param}, extra fields not permitted"),
    "missing_field": ApiError(400, "Missing required parameter: '{param}'.", _INVALID, "{param}", "missing_required_parameter"),
    "bad_field": ApiError(400, "Invalid '{param}': {reason}", _INVALID, "{param}", "invalid_value"),
    "bad_json": ApiError(
        400, "We could not parse the JSON body of your request. The body has to be a JSON object, sent as application/json."
    ),
    "job_not_found": ApiError(404, "Could not find fine tune: {job}", _INVALID, "fine_tune_id", "fine_tune_not_found"),
    "job_finished": ApiError(400, "Job has already completed: {job}"),
    "job_not_paused": ApiError(400, "Job is not paused: {job} (simulated)"),
    "job_not_running": ApiError(400, "Job is not running: {job} (simulated)"),
    "upload_not_found": ApiError(404, "No such Upload object: {upload} (simulated)", _INVALID, "upload_id"),
    "upload_not_pending": ApiError(400, "Upload {upload} is {status}, not pending. (simulated)"),
    "upload_size": ApiError(400, "The parts have {given} bytes; the upload was created for {bytes}. (simulated)", _INVALID, "bytes"),
    "upload_md5": ApiError(400, "The uploaded bytes do not have the md5 checksum {md5}. (simulated)", _INVALID, "md5"),
    "upload_part": ApiError(400, "The upload has no part {part}. (simulated)", _INVALID, "part_ids"),
    "too_large": ApiError(413, "The file is larger than the {limit} bytes that one request may bring. (simulated)", _INVALID, "file"),
    "model_in_use": ApiError(409, "The model {model} cannot be deleted. (simulated)"),
    "no_permission": ApiError(403, "You have insufficient permissions to delete {model}. (simulated)"),
    "no_route": ApiError(404, "Invalid URL ({method} {path})"),
    "timeout": ApiError(408, "The request took too long. (simulated)", "server_error"),
    "conflict": ApiError(409, "Another request changes the same object. (simulated)", "server_error"),
    "server_error": ApiError(500, _SORRY, "server_error"),
    "bad_gateway": ApiError(502, _SORRY, "server_error"),
    "overloaded": ApiError(503, "The engine is currently overloaded, please try again later.", "server_error"),
}  # fmt: skip
"""What `WireFault(kind="refuse", name=…)` may name; messages with `(simulated)` are invented."""

_FORMAT = "The job failed due to an invalid training file."
JOB_ERRORS: dict[str, JobError] = {
    "invalid_n_examples": JobError("invalid_n_examples", "Training file has {examples} example(s), but must have at least 10 examples"),
    "invalid_training_file": JobError("invalid_training_file", _FORMAT + " Invalid file format. {reason}"),
    "unexpected_format": JobError(
        "invalid_training_file", _FORMAT + " Unexpected file format, expected either prompt/completion pairs or chat messages."
    ),
    "wrong_method": JobError(
        "invalid_training_file",
        _FORMAT
        + " Invalid file format. Input file {file} is in the {format} format, but the specified fine-tuning job is not using '{wanted}' "
        "as the training method (provided method={method}). ",
    ),
    "invalid_file_format": JobError(
        "invalid_file_format", "The job failed due to a file format error in the training file. Invalid file format. {reason}"
    ),
    "moderation": JobError(
        "moderation", _FORMAT + " This file failed moderation safety checks. Too many examples were flagged. Flagged lines: 4, 13, 14"
    ),
    "moderation_hate": JobError(
        "moderation",
        "The job failed due to an unsafe training file. This training file was blocked because too many examples were flagged as "
        "containing content that was in violation of OpenAI's usage policies in the following categories: hate.",
    ),
    "server_error": JobError("server_error", "The job failed due to an internal error", None),
    "exceeded_quota": JobError("exceeded_quota", "Creating this fine-tuning job would exceed your hard limit. (simulated)", None),
    "user-error": JobError("user-error", "The job could not be billed. (simulated)", None),
}
"""What a job may fail with: the names that `Life(error=…)` and `fail` take."""


def error_of(name: str, /, **values: Any) -> ApiError:
    """Give a named error with its places filled.

    Raises:
        KeyError: No error has the name; the message lists all names.

    Example:
        >>> error_of("job_not_found", job="ftjob-x").message
        'Could not find fine tune: ftjob-x'
    """
    if name not in ERRORS:
        raise KeyError(f"There is no error {name!r}; there is: {', '.join(sorted(ERRORS))}.")
    return ERRORS[name].filled(values)


def job_error(name: str, /, **values: Any) -> JobError:
    """Give what a job fails with; a text that is no name is the message of an internal error.

    Example:
        >>> job_error("invalid_n_examples", examples=7).message
        'Training file has 7 example(s), but must have at least 10 examples'
    """
    found = JOB_ERRORS.get(name)
    return JobError("server_error", name, None) if found is None else found.filled(values)
