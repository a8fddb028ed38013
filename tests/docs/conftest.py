"""Hosts that the pages and examples are run against: simulators on loopback, and the environment that leads to them."""

from __future__ import annotations

import os

import pytest

from anytune import plugins
from anytune.testing import AzureSimulator, MemoryBackend, OpenAISimulator

VENDORS = ("OPENAI_", "AZURE_", "ANYTUNE_")


class Rehearsal(MemoryBackend):
    """What `trl` is while a page is read aloud."""

    name = "trl"


@pytest.fixture
def rehearsed(tmp_path, monkeypatch):
    """Stand in an empty folder with a home of its own; `trl` trains nothing, and nobody waits long."""
    for name in ("ANYTUNE_LEDGER", "ANYTUNE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("anytune.observe._FIRST_S", 0.01)
    monkeypatch.setattr("anytune.observe._LONGEST_S", 0.01)
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda name: Rehearsal if name == "trl" else load(name))


@pytest.fixture
def openai_host(request):
    """Give OpenAI, simulated (the parameter is its profile), and the environment of somebody who has its key."""
    with OpenAISimulator(profile=getattr(request, "param", "spec")) as host:
        yield host, {"OPENAI_BASE_URL": host.base_url, "OPENAI_API_KEY": host.api_key}


@pytest.fixture
def azure_host(request):
    """Give a resource in Azure, simulated as above, and the environment of somebody who has its key and has logged in."""
    with AzureSimulator(profile=getattr(request, "param", "spec")) as host:
        yield (
            host,
            {
                "AZURE_OPENAI_ENDPOINT": host.endpoint,
                "AZURE_OPENAI_API_KEY": host.api_key,
                "AZURE_SUBSCRIPTION_ID": host.subscription_id,
                "AZURE_RESOURCE_GROUP": host.resource_group,
                "AZURE_OPENAI_ACCOUNT": host.resource,
                "AZURE_ARM_URL": host.arm_url,
                "AZURE_ARM_TOKEN": host.credential().get_token("https://management.azure.com/.default").token,
            },
        )


@pytest.fixture
def hosted(openai_host, azure_host, monkeypatch):
    """Let this process know both hosts, and give them by their backends' names."""
    for name in [name for name in os.environ if name.startswith(VENDORS[:2])]:
        monkeypatch.delenv(name)
    for _, environment in (openai_host, azure_host):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
    return {"openai": openai_host[0], "azure": azure_host[0]}


@pytest.fixture
def elsewhere(tmp_path):
    """Give the environment of another process: a home of its own, and no vendor's names but those that are added."""

    def environment(more):
        known = {name: value for name, value in os.environ.items() if not name.startswith(VENDORS)}
        return known | {"ANYTUNE_HOME": str(tmp_path / "home")} | more

    return environment
