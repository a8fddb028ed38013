"""Settings come from arguments, then from OpenAI's own environment names; one client carries everything."""

from __future__ import annotations

import pytest
from openai import APIStatusError
from pydantic import SecretStr

from anytune.errors import AuthError, ConfigError, MalformedReply
from anytune.profiles import configured
from anytune.testing import OpenAISimulator
from anytune.testing.simulators.service import Reply
from anytune_openai import Connection, OpenAIBackend
from anytune_openai.client import connection, open_client

KEY = "sk-proj-canary-71c2f0"


def test_a_missing_key_is_a_config_error_that_names_its_variable(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIBackend()


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_a_blank_key_is_no_key(monkeypatch, blank):
    monkeypatch.setenv("OPENAI_API_KEY", blank)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIBackend(api_key=blank)


def test_the_environment_gives_what_is_not_said(monkeypatch):
    for name, value in {
        "OPENAI_API_KEY": f"{KEY}\n",
        "OPENAI_BASE_URL": "https://tuner.example/v1/",
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj-1",
    }.items():
        monkeypatch.setenv(name, value)
    backend = OpenAIBackend()
    assert backend.account == "tuner.example/org-1/proj-1"
    assert backend.client.api_key == KEY
    backend.close()


def test_arguments_go_before_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://other.example/v1")
    where = connection(api_key=SecretStr(KEY), base_url="https://tuner.example:8443/v1", organization="org-2")
    assert (where.base_url, where.account) == ("https://tuner.example:8443/v1", "tuner.example:8443/org-2")
    assert isinstance(where.key, SecretStr)
    assert where.key.get_secret_value() == KEY


def test_a_profile_gives_them_too(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("ANYTUNE_CONFIG", str(tmp_path / "anytune.toml"))
    lines = ['backend = "openai"', 'api_key = "$MY_KEY"', 'base_url = "https://tuner.example/v1"', 'tag = "suffix"', "timeout_s = 30"]
    (tmp_path / "anytune.toml").write_text("\n".join(["[profiles.tuner]", *lines]))
    backend = configured("tuner")
    assert backend.capabilities.tag == "suffix"
    assert backend.capabilities.settle_s == 150.0
    assert backend.account == "tuner.example"


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "tuner.example/v1"},
        {"base_url": "ftp://tuner.example/v1"},
        {"base_url": "https://user:pass@tuner.example/v1"},
        {"base_url": "https://tuner.example:port/v1"},
        {"timeout_s": 0},
        {"timeout_s": "60"},
        {"settle_s": -1},
        {"settle_s": float("inf")},
        {"tag": "label"},
        {"organization": 7},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_by_name(settings):
    with pytest.raises(ConfigError) as raised:
        OpenAIBackend(api_key=KEY, **settings)
    assert raised.value.fix
    assert "pass" not in str(raised.value).replace("password", "")


def test_vendor_retries_are_off(sim):
    backend = OpenAIBackend(base_url=sim.base_url, api_key=sim.api_key)
    assert backend.client.max_retries == 0
    backend.close()


def test_another_host_hears_nothing_of_the_organisation_in_the_environment(sim, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-of-mine")
    client = open_client(Connection(base_url=sim.base_url, key=SecretStr(sim.api_key)))
    client.models.list()
    client.with_options(timeout=5).models.list()
    client.close()
    assert len(sim.requests) == 2
    assert all("openai-organization" not in one.headers and "openai-project" not in one.headers for one in sim.requests)


def test_organisation_and_project_that_were_said_are_sent(sim):
    backend = OpenAIBackend(base_url=sim.base_url, api_key=sim.api_key, organization="org-1", project="proj-1")
    backend.list_jobs()
    backend.close()
    assert {(one.headers["openai-organization"], one.headers["openai-project"]) for one in sim.requests} == {("org-1", "proj-1")}


def test_a_token_function_is_asked_before_each_request(sim):
    tokens = iter([sim.api_key, "sk-expired-token", sim.api_key])
    client = open_client(Connection(base_url=sim.base_url, key=lambda: next(tokens)))
    client.models.list()
    with pytest.raises(Exception, match="Incorrect API key"):
        client.models.list()
    client.models.list()
    client.close()
    assert [one.status for one in sim.requests] == [200, 401, 200]


def test_the_catalogue_speaks_of_openais_own_hosts_alone():
    hosts = {
        "https://api.openai.com/v1": "openai",
        "https://eu.api.openai.com/v1": "openai",
        "https://api.openai.com.evil.example/v1": None,
    }
    assert {url: OpenAIBackend(api_key=KEY, base_url=url).catalog for url in hosts} == hosts


def test_a_wrong_key_is_an_auth_error_that_names_the_variable_and_hides_the_key(sim):
    backend = OpenAIBackend(base_url=sim.base_url, api_key=KEY)
    with pytest.raises(Exception, match="Incorrect") as raised:
        backend.poll("ftjob-x")
    error = backend.translate(raised.value)
    backend.close()
    assert isinstance(error, AuthError)
    assert "OPENAI_API_KEY" in error.fix
    assert KEY not in f"{error} {error.raw} {error!r}"


@pytest.mark.parametrize("written", ["https://API.openai.com/v1", "https://api.openai.com:443/v1", "https://api.openai.com./v1"])
def test_one_host_is_one_account_however_it_is_written(written):
    backend = OpenAIBackend(base_url=written, api_key="sk-test")
    assert (backend.account, backend.catalog) == ("api.openai.com", "openai")


class Sending(OpenAISimulator):
    """A host that sends files and creates elsewhere."""

    elsewhere = ""

    def handled(self, endpoint, request, values):
        if request.method == "POST":
            return Reply(None, 307, {"Location": self.elsewhere + request.path})
        return super().handled(endpoint, request, values)


def test_rows_never_follow_a_host_that_sends_them_elsewhere(train):
    with Sending() as sim, OpenAISimulator() as other:
        sim.elsewhere = other.url
        backend = OpenAIBackend(base_url=sim.base_url, api_key=sim.api_key)
        with pytest.raises(APIStatusError) as raised:
            backend.upload(train)
        assert isinstance(backend.translate(raised.value), MalformedReply)
        backend.close()
        assert other.requests == []
