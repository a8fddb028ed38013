"""Where tokens come from, and what is said when none comes."""

from __future__ import annotations

import logging
import pickle
import time
from typing import NamedTuple

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from anytune.errors import AuthError, ConfigError, Unreachable
from anytune_azure.identity import ARM_SCOPE, DATA_SCOPE, _credential, identity


class Token(NamedTuple):
    token: str
    expires_on: int


class Credential:
    """Gives numbered tokens that live for a while."""

    def __init__(self, lives_s=3600, error=None):
        self.scopes = []
        self.lives_s = lives_s
        self.error = error

    def get_token(self, *scopes, **_):
        if self.error is not None:
            raise self.error
        self.scopes.append(scopes)
        return Token(f"token-{len(self.scopes)}", int(time.time()) + self.lives_s)


def test_a_credential_is_asked_for_the_scope():
    credential = Credential()
    assert identity(DATA_SCOPE, setting="token", credential=credential).token() == "token-1"
    assert credential.scopes == [("https://ai.azure.com/.default",)]


def test_a_token_is_kept_while_it_is_good():
    credential = Credential()
    who = identity(ARM_SCOPE, setting="arm_token", credential=credential)
    assert [who.token(), who.token()] == ["token-1", "token-1"]


def test_a_token_that_is_about_to_expire_is_asked_for_anew():
    credential = Credential(lives_s=60)
    who = identity(ARM_SCOPE, setting="arm_token", credential=credential)
    assert [who.token(), who.token()] == ["token-1", "token-2"]


def test_nothing_is_asked_before_the_first_token():
    credential = Credential()
    identity(ARM_SCOPE, setting="arm_token", credential=credential)
    assert credential.scopes == []


def test_a_callable_credential_is_given_the_scope():
    who = identity(DATA_SCOPE, setting="token", credential=lambda scope: f"for {scope}")
    assert who.token() == "for https://ai.azure.com/.default"


def test_a_callable_token_is_asked_every_time():
    numbers = iter(range(9))
    who = identity(DATA_SCOPE, setting="token", token=lambda: f"token-{next(numbers)}")
    assert [who.token(), who.token()] == ["token-0", "token-1"]


def test_a_token_as_text_says_how_to_get_another():
    who = identity(ARM_SCOPE, setting="arm_token", token=" short-lived \n")
    assert who.token() == "short-lived"
    assert "az account get-access-token --resource https://management.azure.com " in who.renew
    assert "short-lived" not in repr(who)


@pytest.mark.parametrize("token", ["", "  ", 7])
def test_a_token_that_is_none_is_refused(token):
    with pytest.raises(ConfigError, match="arm_token"):
        identity(ARM_SCOPE, setting="arm_token", token=token)


def test_a_credential_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="`credential` is a str") as caught:
        identity(ARM_SCOPE, setting="arm_token", credential="secret-of-mine")
    assert "secret-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        CredentialUnavailableError(message="DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n …"),
        ClientAuthenticationError(message="AADSTS700082: The refresh token has expired."),
        RuntimeError("a credential of one's own"),
    ],
)
def test_no_token_is_an_auth_error_that_says_how_to_log_in(error):
    with pytest.raises(AuthError) as caught:
        identity(DATA_SCOPE, setting="token", credential=Credential(error=error)).token()
    for word in ("az login", "AZURE_CLIENT_ID", "managed identity"):
        assert word in str(caught.value)
    assert "Attempted" not in str(caught.value)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), AuthError)


def test_entra_id_out_of_reach_is_transient():
    with pytest.raises(Unreachable, match="Entra ID could not be asked"):
        identity(DATA_SCOPE, setting="token", credential=Credential(error=ServiceRequestError("no route"))).token()


def test_a_credential_that_gives_nothing_is_an_auth_error():
    with pytest.raises(AuthError, match="gave no token"):
        identity(DATA_SCOPE, setting="token", credential=lambda scope: "").token()


def test_without_anything_azure_identity_logs_in(monkeypatch):
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(AuthError, match="az login"):
        identity(DATA_SCOPE, setting="token").token()


def test_what_the_default_credential_tried_is_not_printed_beside_our_error():
    _credential()
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("azure").handlers)
