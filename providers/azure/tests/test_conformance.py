"""The backend runs anytune's conformance suite against a simulated resource: as it is specified, and as it was seen to be."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest

from anytune.errors import AuthError, NotFound, QuotaExceeded, RateLimited, Rejected, Unreachable
from anytune.testing import AzureSimulator, BackendConformance, BackendKit
from anytune.testing.simulators.azure_dialect import AzureLimits
from anytune.values import Status
from anytune_azure import AzureBackend
from anytune_azure.words import AZURE
from anytune_openai import status_of

KEY, TOKEN = "azure-key-canary-5d0c1e7b9a", "entra-canary-7c1f0a2b3d"
WORDS = {
    "created": Status.QUEUED,
    "pending": Status.QUEUED,
    "running": Status.RUNNING,
    "pausing": Status.RUNNING,
    "paused": Status.PAUSED,
    "resuming": Status.RUNNING,
    "succeeded": Status.SUCCEEDED,
    "cancelled": Status.CANCELLED,
    "failed": Status.FAILED,
}
"""REST specification 2025-04-01-preview, fine-tuning job, read 2026-11-22."""

ASKED = httpx2.Request("POST", "https://recipes.openai.azure.com/openai/v1/fine_tuning/jobs")


MANY = AzureLimits(1000, 1000, 1000, 1000)
"""The scenarios share one resource and leave jobs running: a real one would make the later ones wait."""


def answered(kind, status, code, message="No."):
    """Make what the vendor's client raises for an answer."""
    body = {"code": code, "message": message}
    return kind(message, response=httpx2.Response(status, request=ASKED, content=json.dumps({"error": body})), body=body)


VENDOR_ERRORS = [
    (answered(openai.AuthenticationError, 401, "401", "Access denied due to invalid subscription key or wrong API endpoint."), AuthError),
    (answered(openai.AuthenticationError, 401, "unauthorized"), AuthError),
    (answered(openai.PermissionDeniedError, 403, "forbidden"), AuthError),
    (answered(openai.PermissionDeniedError, 403, "PermissionDenied"), AuthError),
    (answered(openai.NotFoundError, 404, "notFound"), NotFound),
    (answered(openai.NotFoundError, 404, "DeploymentNotFound"), NotFound),
    (answered(openai.BadRequestError, 400, "invalidPayload"), Rejected),
    (answered(openai.BadRequestError, 400, "jsonlValidationFailed"), Rejected),
    (answered(openai.BadRequestError, 400, "fileImportFailed"), Rejected),
    (answered(openai.BadRequestError, 400, "unexpectedEntityState"), Rejected),
    (answered(openai.BadRequestError, 400, "itemDoesAlreadyExist"), Rejected),
    (answered(openai.BadRequestError, 400, "contentFilter"), Rejected),
    (answered(openai.BadRequestError, 400, "content_filter"), Rejected),
    (answered(openai.BadRequestError, 400, "quotaExceeded"), QuotaExceeded),
    (answered(openai.RateLimitError, 429, "quotaExceeded"), QuotaExceeded),
    (answered(openai.RateLimitError, 429, "tooManyRequests"), RateLimited),
    (answered(openai.RateLimitError, 429, "429"), RateLimited),
    (answered(openai.ConflictError, 409, "conflict"), Unreachable),
    (answered(openai.InternalServerError, 500, "internalFailure"), Unreachable),
    (answered(openai.InternalServerError, 503, "serviceUnavailable"), Unreachable),
    (openai.APIConnectionError(request=ASKED), Unreachable),
    (openai.APITimeoutError(request=ASKED), Unreachable),
]
"""Codes of the REST specification 2025-04-01-preview and of inference, with the statuses that they came with."""


def kit_for(profile, folder):
    with AzureSimulator(profile=profile, api_key=KEY, entra_token=TOKEN, limits=MANY) as sim:
        kit = BackendKit(
            lambda: AzureBackend(
                endpoint=sim.endpoint,
                api_key=KEY,
                subscription_id=sim.subscription_id,
                resource_group=sim.resource_group,
                account_name=sim.resource,
                arm_url=sim.arm_url,
                arm_token=TOKEN,
            ),
            folder=folder,
            model="gpt-4.1-mini-2025-04-14",
            drive=lambda: None,
            timeout_s=20.0,
            statuses=WORDS,
            map_status=lambda word: status_of(word, AZURE),
            jobs=lambda: len(sim.jobs),
            secrets=[KEY, TOKEN],
            vendor_errors=VENDOR_ERRORS,
            deploy_options={"sku": "developertier"},
        )
        yield kit
        kit.close()


class TestAsSpecified(BackendConformance):
    """All scenarios, where metadata is kept and every reply is as the published description has it."""

    @pytest.fixture(scope="class")
    @classmethod
    def kit(cls, tmp_path_factory):
        yield from kit_for("spec", tmp_path_factory.mktemp("spec"))


class TestAsObserved(BackendConformance):
    """All scenarios, where metadata is dropped, filters are ignored and fields are missing; the suffix alone tells whose a job is."""

    @pytest.fixture(scope="class")
    @classmethod
    def kit(cls, tmp_path_factory):
        yield from kit_for("as_observed", tmp_path_factory.mktemp("observed"))
