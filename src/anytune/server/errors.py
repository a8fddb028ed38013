"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}` with a status."""

from __future__ import annotations

from typing import Any

from anytune import errors
from anytune.errors import redact

__all__ = ["ApiError", "api_error"]

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


_STATUSES: tuple[tuple[type[errors.AnytuneError], int, str | None], ...] = (
    (errors.NotFound, 404, "not_found"),
    (errors.Unsupported, 400, "unsupported"),
    (errors.DataError, 400, "invalid_file"),
    (errors.ConfigError, 400, "invalid_request"),
    (errors.BudgetExceeded, 400, "budget_exceeded"),
    (errors.RateLimited, 429, "rate_limit_exceeded"),
    (errors.QuotaExceeded, 429, "insufficient_quota"),
    (errors.LedgerError, 503, "ledger_unavailable"),
    (errors.WaitTimeout, 504, "timeout"),
    (errors.BackendError, 502, "backend_error"),
)
"""The first class that fits decides."""


def api_error(error: errors.AnytuneError) -> ApiError:
    """Turn anytune's own error into an answer. A backend's key that does not work is the server's fault (502), not the client's (401)."""
    status, code = next(((status, code) for cls, status, code in _STATUSES if isinstance(error, cls)), (500, None))
    return ApiError(status, f"{error.message} {error.fix}".strip(), code=code)
