"""A server as it is without settings, and its owner's client."""

from __future__ import annotations

import pytest


@pytest.fixture
def served(serve):
    return serve()


@pytest.fixture
def client(served):
    return served.client()
