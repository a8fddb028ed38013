"""From arguments and the environment to settings."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from anytune.errors import ConfigError
from anytune_azure.settings import resolve

ENDPOINT = "https://recipes.openai.azure.com"


def settings(**given):
    defaults = {
        "endpoint": ENDPOINT, "api_key": None, "token": None, "credential": None, "scope": "https://ai.azure.com/.default", "arm_token": None,
        "arm_url": None, "arm_scope": "https://management.azure.com/.default", "target": {}, "training_type": None, "sku": "standard",
        "capacity": 10,
    }  # fmt: skip
    return resolve(**{**defaults, **given})


@pytest.mark.parametrize(
    "written",
    [ENDPOINT, f"{ENDPOINT}/", f"{ENDPOINT}/openai/v1/", f" {ENDPOINT}/openai ", f"{ENDPOINT}/api/projects/one"],
)
def test_the_endpoint_is_taken_however_the_portal_shows_it(written):
    found = settings(endpoint=written, api_key="key")
    assert found.base_url == "https://recipes.openai.azure.com/openai/v1"
    assert found.host == "recipes.openai.azure.com"


@pytest.mark.parametrize("written", ["https://Recipes.OpenAI.azure.com", "https://recipes.openai.azure.com:443/"])
def test_one_resource_is_one_account_however_it_is_written(written):
    assert settings(endpoint=written, api_key="key").host == "recipes.openai.azure.com"


@pytest.mark.parametrize("domain", ["openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"])
def test_the_several_hosts_of_one_resource_are_one_account(domain):
    assert settings(endpoint=f"https://recipes.{domain}", api_key="key").account == "recipes.openai.azure.com"


def test_a_gateway_is_an_account_of_its_own():
    assert settings(endpoint="https://gateway.example.com/azure/", api_key="key").account == "gateway.example.com"


@pytest.mark.parametrize("written", ["https://gateway.example.com/azure/", "https://gateway.example.com/azure/openai/v1"])
def test_a_gateways_own_path_is_kept(written):
    assert settings(endpoint=written, api_key="key").base_url == "https://gateway.example.com/azure/openai/v1"


def test_without_an_endpoint_the_environments_name_is_given():
    with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        settings(endpoint=None)


@pytest.mark.parametrize("written", ["recipes", "ftp://recipes.openai.azure.com", "https://key@recipes.openai.azure.com", "https://"])
def test_what_is_no_address_is_refused(written):
    with pytest.raises(ConfigError, match="`endpoint`"):
        settings(endpoint=written)


def test_a_credential_never_goes_over_plain_http_but_on_loopback():
    with pytest.raises(ConfigError, match="in the clear"):
        settings(endpoint="http://recipes.openai.azure.com", api_key="key")
    with pytest.raises(ConfigError, match="`arm_url`"):
        settings(api_key="key", arm_url="http://management.azure.com")
    assert settings(endpoint="http://127.0.0.1:8080", api_key="key").base_url == "http://127.0.0.1:8080/openai/v1"


def test_all_comes_from_the_environment(monkeypatch):
    for name, value in {
        "AZURE_OPENAI_ENDPOINT": "https://other.openai.azure.com", "AZURE_OPENAI_API_KEY": "key", "AZURE_SUBSCRIPTION_ID": "sub",
        "AZURE_RESOURCE_GROUP": "group", "AZURE_OPENAI_ACCOUNT": "acct", "AZURE_ARM_URL": "https://management.azure.cn", "AZURE_ARM_TOKEN": "short",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    found = settings(endpoint=None)
    assert found.host == "other.openai.azure.com"
    assert found.door == SecretStr("key")
    assert found.whole_target() == ("sub", "group", "acct")
    assert found.arm_url == "https://management.azure.cn"
    assert found.arm.token() == "short"


def test_arguments_go_before_the_environment(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "of the environment")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "of the environment")
    found = settings(api_key=SecretStr("given"), target={"subscription_id": "given"})
    assert found.door == SecretStr("given")
    assert found.target["subscription_id"] == "given"


def test_a_credential_that_is_given_goes_before_a_key_of_the_environment(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "of the environment")
    monkeypatch.setenv("AZURE_ARM_TOKEN", "of the environment")
    found = settings(credential=lambda scope: scope)
    assert not isinstance(found.door, SecretStr)
    assert found.credential() == "https://ai.azure.com/.default"
    assert found.arm.token() == "https://management.azure.com/.default"


def test_a_key_and_a_credential_share_the_work():
    found = settings(api_key="key", credential=lambda scope: scope)
    assert found.credential == SecretStr("key")
    assert found.arm.token() == "https://management.azure.com/.default"


def test_a_token_of_the_environment_is_taken(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "of the data plane")
    assert settings().credential() == "of the data plane"


def test_a_key_and_a_token_contradict_each_other():
    with pytest.raises(ConfigError, match="`api_key` and `token`"):
        settings(api_key="key", token="token")


def test_an_empty_key_is_refused_rather_than_left_out():
    with pytest.raises(ConfigError, match="`api_key` is empty"):
        settings(api_key="")


@pytest.mark.parametrize(
    ("endpoint", "account"),
    [
        ("https://recipes.openai.azure.com", "recipes"),
        ("https://recipes.cognitiveservices.azure.com", "recipes"),
        ("https://recipes.services.ai.azure.com/api/projects/one", "recipes"),
        ("https://recipes.openai.azure.us", "recipes"),
        ("https://models.example.com", None),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_the_resources_name_comes_from_azures_own_hosts_only(endpoint, account):
    assert settings(endpoint=endpoint, api_key="key").target["account_name"] == account


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        ("https://recipes.openai.azure.com", True),
        ("https://recipes.cognitiveservices.azure.com", True),
        ("https://recipes.services.ai.azure.com", True),
        ("https://recipes.openai.azure.us", False),
        ("https://openai.azure.com.example.com", False),
        ("http://127.0.0.1:8080", False),
    ],
)
def test_prices_hold_for_the_public_cloud_only(endpoint, public):
    assert settings(endpoint=endpoint, api_key="key").public is public


def test_what_hosting_lacks_is_named_with_its_environment_name():
    with pytest.raises(ConfigError) as caught:
        settings(api_key="key", target={"resource_group": "group"}).whole_target()
    assert "`subscription_id` (AZURE_SUBSCRIPTION_ID) must be set" in str(caught.value)
    assert "RESOURCE_GROUP" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("GlobalStandard", "GlobalStandard"), ("globalstandard", "GlobalStandard"), ("Standard", "Standard"), ("developerTier", "Developer"),
        ("Developer", "Developer"), ("Data Zone", "DataZoneStandard"), ("global", "GlobalStandard"),
    ],
)  # fmt: skip
def test_the_training_type_is_taken_as_anybody_writes_it(written, sent):
    assert settings(api_key="key", training_type=written).training_type == sent


def test_a_training_type_with_a_slip_gets_the_nearest_word():
    with pytest.raises(ConfigError, match="Did you mean `GlobalStandard`"):
        settings(api_key="key", training_type="GlobalStandart")


def test_a_training_type_like_nothing_gets_the_list():
    with pytest.raises(ConfigError, match="Known: Standard, GlobalStandard, DataZoneStandard, Developer"):
        settings(api_key="key", training_type="quick")
