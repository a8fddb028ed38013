"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}` with a status."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DataError

from anytune import errors
from anytune.errors import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["REFUSALS", "ApiError", "api_error", "invalid", "unknown_model", "unknown_order"]

_log = logging.getLogger("anytune.server")

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    500: "server_error",
    501: "not_implemented_error",
}

_SHOWN = 128
"""Characters that are shown again of a name that nobody has."""

_WORD = {"type": ["string", "null"]}
_ERROR = {
    "type": "object",
    "required": ["message", "type", "param", "code"],
    "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": _WORD, "code": _WORD},
}
_BODY = {"application/json": {"schema": {"type": "object", "required": ["error"], "properties": {"error": _ERROR}}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What is wrong with the request.", "content": _BODY},
    "5XX": {"description": "What the server or the model's host could not do.", "content": _BODY},
}
"""How errors stand in the API's schema."""


class ApiError(Exception):
    """An answer that refuses.

    Args:
        status: HTTP status.
        message: What happened and what to do next, for the person who reads it.
        code: A short stable word, where OpenAI has one.
        param: The field of the request that it is about.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.headers = status, message, code, param, headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")  # noqa: PLR2004 - HTTP
        return {"error": {"message": redact(self.message), "type": kind, "param": self.param, "code": self.code}}


def unknown_model(name: str) -> ApiError:
    """Say that there is no such model, in the same words for one that is somebody else's."""
    said = f"The model `{name[:_SHOWN]}` does not exist or you do not have access to it. GET /v1/models lists what you can ask."
    return ApiError(404, said, code="model_not_found", param="model")


def unknown_order(job_id: str) -> ApiError:
    """Say that there is no such job, in the same words for one that is somebody else's."""
    return ApiError(404, f"Could not find fine tune: {job_id[:_SHOWN]}", code="fine_tune_not_found", param="fine_tune_id")


_STATUSES: tuple[tuple[type[errors.AnytuneError], int, str | None], ...] = (
    (errors.NotFound, 404, "not_found"),
    (errors.Unsupported, 400, "unsupported"),
    (errors.DataError, 400, "invalid_file"),
    (errors.ConfigError, 400, "invalid_request"),
    (errors.BudgetExceeded, 400, "budget_exceeded"),
    (errors.RateLimited, 429, "rate_limit_exceeded"),
    (errors.QuotaExceeded, 429, "insufficient_quota"),
    (errors.WaitTimeout, 504, "timeout"),
    (errors.BackendError, 502, "backend_error"),
)
"""The first class that fits decides."""


def api_error(error: errors.AnytuneError) -> ApiError:
    """Turn anytune's own error into an answer. A backend's key that does not work is the server's fault (502), not the client's (401).

    Where the database lies, and what it said, is for the log only.
    """
    if isinstance(error, errors.LedgerError):
        if isinstance(error.__cause__, DataError):  # PostgreSQL keeps no NUL characters, for instance
            return ApiError(400, "A text or a number of the request cannot be kept. Leave out NUL characters and extreme numbers.")
        _log.error("%s", error)
        return ApiError(503, "The server cannot use its database right now. Try again; its log says more.", code="ledger_unavailable")
    status, code = next(((status, code) for cls, status, code in _STATUSES if isinstance(error, cls)), (500, None))
    return ApiError(status, f"{error.message} {error.fix}".strip(), code=code)


_GRADERS = frozenset({"string_check", "text_similarity", "python", "score_model", "label_model", "multi"})
_WANTED = "Input should be "
_LONGEST_PLACE = 128


def invalid(found: Sequence[Mapping[str, Any]]) -> ApiError:
    """Word the first of pydantic's errors as OpenAI does; alternatives of one field are named together.

    Args:
        found: What FastAPI found: the first part of a place says whether it is of the body, the query or a header.

    Example:
        >>> wanted = [{"loc": ("body", "n_epochs", "literal['auto']"), "type": "literal_error", "msg": "Input should be 'auto'"}]
        >>> wanted += [{"loc": ("body", "n_epochs", "int"), "type": "int_type", "msg": "Input should be a valid integer"}]
        >>> invalid(wanted).message
        "`n_epochs`: Input should be 'auto' or a valid integer."
    """
    first = found[0]
    if first["type"] == "json_invalid":
        return ApiError(400, "We could not parse the JSON body of your request. Send a JSON object.", code="invalid_json")
    where = _place(first["loc"])
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"Unrecognized request argument supplied: {where}.", code="unknown_parameter", param=where)
    if first["type"] == "missing":
        return ApiError(400, f"Missing required parameter: '{where or 'body'}'.", code="missing_required_parameter", param=where or None)
    others = [
        error["msg"].removeprefix(_WANTED) for error in found[1:] if error["loc"][0] == first["loc"][0] and _place(error["loc"]) == where
    ]
    return ApiError(400, f"`{where or 'body'}`: {' or '.join([first['msg'], *others])}.", code="invalid_value", param=where or None)


def _place(loc: Sequence[Any]) -> str:
    """Name a field without pydantic's words for alternatives."""
    return ".".join(str(part) for part in loc[1:] if not _is_branch(part))[:_LONGEST_PLACE]


def _is_branch(part: object) -> bool:
    return isinstance(part, str) and ("[" in part or part.startswith("constrained-") or part in _GRADERS | {"int", "float", "str"})
