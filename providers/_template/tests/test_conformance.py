"""The backend runs anytune's conformance suite against a stand-in of the provider on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune.testing import BackendConformance, BackendKit
from anytune.values import Status
from anytune_template.backend import TemplateBackend, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-template-canary-0123456789"
DOCUMENTED = {
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendKit]:
    kit = BackendKit(
        lambda: TemplateBackend(api_key=KEY),  # with base_url= of a server on loopback that stands in for the provider
        folder=tmp_path_factory.mktemp("data"),
        model="the-cheapest-model",
        statuses=DOCUMENTED,
        map_status=status_of,
        secrets=[KEY],
    )
    yield kit
    kit.close()


class TestTemplate(BackendConformance):
    """All scenarios."""
