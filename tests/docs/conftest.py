"""Hosts that the pages and examples are run against: simulators on loopback, and the environment that leads to them."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn
import yaml

from anytune import Deployment, plugins
from anytune.runtime import Runtime
from anytune.server.app import create_app
from anytune.server.config import ServeConfig
from anytune.testing import AzureSimulator, MemoryBackend, OpenAISimulator

KEY = "sk-docs-7d1c40e9ab52f6830e94c1b7a26d58f3"
"""What ANYTUNE_API_KEY holds while a page about the server is read aloud."""

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "server.md"

VENDORS = ("OPENAI_", "AZURE_", "ANYTUNE_")


class Rehearsal(MemoryBackend):
    """What `trl` is while a page is read aloud."""

    name = "trl"

    def __init__(self, *, compute="local"):
        super().__init__()
        self.compute = compute


class AutoTrainRehearsal(Rehearsal):
    """What `autotrain` is meanwhile."""

    name = "autotrain"


REHEARSED = {"trl": Rehearsal, "autotrain": AutoTrainRehearsal}


@pytest.fixture
def rehearsed(tmp_path, monkeypatch):
    """Stand in an empty folder with a home of its own; `trl` and `autotrain` train nothing, and nobody waits long."""
    for name in ("ANYTUNE_LEDGER", "ANYTUNE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("anytune.observe._FIRST_S", 0.01)
    monkeypatch.setattr("anytune.observe._LONGEST_S", 0.01)
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda name: REHEARSED[name] if name in REHEARSED else load(name))


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


@pytest.fixture
def served(request, rehearsed, monkeypatch):
    """Give a server with the settings of the page's first YAML block, and the environment of somebody who has its key; nothing is trained."""
    page = getattr(request, "param", None) or (request.getfixturevalue("page") if "page" in request.fixturenames else TUTORIAL)
    found = yaml.safe_load(re.search(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[1])
    context = Runtime()
    app = create_app(ServeConfig(**(found | {"backend": "memory"})), context=context, environ={"ANYTUNE_API_KEY": KEY})
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    base_url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("TEAM_WEBHOOK_SECRET", "whsec_" + "c2VjcmV0" * 6)
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server ended"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    yield base_url
    server.should_exit = True
    thread.join(20)
    for left in Deployment.list(context=context):  # engines outlive a server; here nobody comes back to them
        left.stop()
    for backend in context.backends.values():
        backend.close()
    context.ledger.close()
