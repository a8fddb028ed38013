"""The backend runs anytune's conformance suite against a simulated OpenAI: as it is specified, and as it was seen to be."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest

from anytune.errors import (
    AuthError,
    FineTuningUnavailable,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Unreachable,
)
from anytune.testing import BackendConformance, BackendKit, OpenAISimulator
from anytune.values import Status
from anytune_openai import OpenAIBackend, status_of

KEY = "sk-proj-canary-5d0c1e7b9a"
WORDS = {
    "validating_files": Status.QUEUED,
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "pausing": Status.RUNNING,
    "paused": Status.PAUSED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
"""OpenAI's API reference, fine-tuning job object, as mirrored on 2026-11-10."""

ASKED = httpx2.Request("GET", "https://api.openai.com/v1/models/x")


def answered(kind, status, *, code=None, type_="invalid_request_error", message="No."):
    """Make what the vendor's client raises for an answer."""
    body = {"message": message, "type": type_, "param": None, "code": code}
    reply = httpx2.Response(status, request=ASKED, content=json.dumps({"error": body}))
    return kind(message, response=reply, body=body)


VENDOR_ERRORS = [
    (answered(openai.AuthenticationError, 401, code="invalid_api_key", message=f"Incorrect API key provided: {KEY}."), AuthError),
    (answered(openai.PermissionDeniedError, 403, code="missing_scope"), AuthError),
    (answered(openai.NotFoundError, 404, code="model_not_found"), NotFound),
    (answered(openai.BadRequestError, 400), Rejected),
    (answered(openai.BadRequestError, 400, code="model_not_available"), FineTuningUnavailable),
    (answered(openai.UnprocessableEntityError, 422), Rejected),
    (answered(openai.RateLimitError, 429, code="rate_limit_exceeded", type_="tokens"), RateLimited),
    (answered(openai.RateLimitError, 429, code="insufficient_quota", type_="insufficient_quota"), QuotaExceeded),
    (answered(openai.RateLimitError, 429, code="credit_balance_exhausted", type_="insufficient_quota"), QuotaExceeded),
    (answered(openai.ConflictError, 409), Unreachable),
    (answered(openai.APIStatusError, 408), Unreachable),
    (answered(openai.InternalServerError, 500, type_="server_error"), Unreachable),
    (openai.APIConnectionError(request=ASKED), Unreachable),
    (openai.APITimeoutError(request=ASKED), Unreachable),
]


def kit_for(profile, folder):
    with OpenAISimulator(profile=profile, api_key=KEY) as sim:
        kit = BackendKit(
            lambda: OpenAIBackend(base_url=sim.base_url, api_key=KEY),
            folder=folder,
            model="gpt-4.1-mini-2025-04-14",
            drive=lambda: None,
            timeout_s=20.0,
            statuses=WORDS,
            map_status=status_of,
            jobs=lambda: len(sim.jobs),
            secrets=[KEY],
            vendor_errors=VENDOR_ERRORS,
        )
        yield kit
        kit.close()


class TestAsSpecified(BackendConformance):
    """All scenarios, where every reply is as the published description has it."""

    @pytest.fixture(scope="class")
    @classmethod
    def kit(cls, tmp_path_factory):
        yield from kit_for("spec", tmp_path_factory.mktemp("spec"))


class TestAsObserved(BackendConformance):
    """All scenarios, where replies are as live ones were seen."""

    @pytest.fixture(scope="class")
    @classmethod
    def kit(cls, tmp_path_factory):
        yield from kit_for("as_observed", tmp_path_factory.mktemp("observed"))
