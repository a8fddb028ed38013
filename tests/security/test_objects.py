"""No public object shows a key: not by `repr`, by what it is made into, by a copy or by a pickle (row 32)."""

from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import SecretStr
from tests.security.sweep import CANARIES

from anytune import Endpoint
from anytune.errors import AuthError, hide, redact
from anytune.runtime import Runtime
from anytune.server.config import Webhook
from anytune.testing import DurableMemoryBackend, MemoryBackend
from anytune.values import Address
from anytune_azure import AzureBackend
from anytune_huggingface.hub.client import Hub
from anytune_openai import OpenAIBackend

WEBHOOK = "whsec_Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LWtleQ=="
SECRETS = (*CANARIES.values(), WEBHOOK)


def azure(**opens):
    where = {"endpoint": "https://canary.openai.azure.com", "subscription_id": "s", "resource_group": "g", "account_name": "a"}
    return AzureBackend(**where, arm_token=CANARIES["arm token"], **opens)


def address(**more):
    return Address(base_url="http://127.0.0.1:1/v1", model="m", credential=SecretStr(CANARIES["azure key"]), **more)


MADE = {
    "memory": lambda: MemoryBackend(api_key=CANARIES["openai key"]),
    "durable memory": lambda: DurableMemoryBackend(api_key=CANARIES["openai key"]),
    "openai": lambda: OpenAIBackend(api_key=CANARIES["openai key"], base_url="http://127.0.0.1:1/v1"),
    "azure by key": lambda: azure(api_key=CANARIES["azure key"]),
    "azure by token": lambda: azure(token=CANARIES["entra token"]),
    "hub": lambda: Hub(token=CANARIES["hf token"]),
    "address": address,
    "address by token": lambda: address(token=lambda: CANARIES["entra token"]),
    "endpoint": lambda: Endpoint(address()),
    "runtime": lambda: Runtime(ledger_url=f"postgresql://me:{CANARIES['pg password']}@127.0.0.1:9/x"),
    "webhook": lambda: Webhook(url="https://hooks.example.org/x", secret=SecretStr(WEBHOOK), owners=["me"]),
    "error": lambda: AuthError(f"Bad key {CANARIES['openai key']}", fix=f"Not {CANARIES['hf token']}", raw={"key": CANARIES["openai key"]}),
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path))


def texts(thing):
    """Give every way in which people write an object down."""
    shown = [repr(thing), str(thing), f"{thing}", repr([thing]), repr(copy.copy(thing))]
    names = (
        ("address", "raw", "token", "endpoint") if isinstance(thing, Hub) else ("account", "capabilities", "connection", "address", "raw")
    )
    shown += [repr(getattr(thing, name)) for name in names if hasattr(thing, name)]
    shown += [repr(vars(thing)) if hasattr(thing, "__dict__") and not isinstance(thing, Runtime) else ""]
    if hasattr(thing, "model_dump"):
        shown += [repr(thing.model_dump()), repr(thing.model_dump(mode="json")), thing.model_dump_json(), repr(thing.model_copy())]
    return "\n".join(shown)


@pytest.mark.parametrize("name", MADE)
def test_no_text_of_an_object_shows_a_key(name):
    shown = texts(MADE[name]())
    assert shown.strip()
    assert [secret for secret in SECRETS if secret in shown] == []


@pytest.mark.parametrize("name", sorted(set(MADE) - {"webhook", "runtime"}))
def test_no_pickle_holds_a_key(name):
    try:
        kept = pickle.dumps(MADE[name]())
    except (TypeError, pickle.PicklingError, AttributeError):  # it says that it is not pickled
        return
    assert [secret for secret in SECRETS if secret.encode() in kept] == []


def test_an_address_with_a_key_says_why_it_is_not_pickled():
    with pytest.raises(TypeError, match="ask the deployment for its address again"):
        pickle.dumps(address())
    bare = Address(base_url="http://127.0.0.1:1/v1", model="m")
    assert pickle.loads(pickle.dumps(bare)) == bare
    assert copy.deepcopy(address()).credential == address().credential


SHAPES = {
    "OpenAI": "sk-proj-abcdefgh12345678_-xyz",
    "anytune's own": "sk-anytune-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
    "Hugging Face": "hf_abcdefghijklmnopqrstuv",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "a webhook's secret": WEBHOOK,
}
AROUND = (
    "{}",
    "key {} is wrong",
    '{{"error": "{}"}}',
    "Bearer {}",
    "Authorization: Bearer {}\r\n",
    "{{'api-key': '{}'}}",
    "api_key={}&x=1",
    "https://x/?api-key={}",
    "\\u0022{}\\u0022",
    "line\\n{}\\n",
    "b'{}'",
)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("shape", SHAPES)
def test_keys_of_known_shapes_are_hidden_wherever_they_stand(shape, around):
    said = redact(around.format(SHAPES[shape]))
    assert SHAPES[shape] not in said
    assert SHAPES[shape][8:] not in said


UNSHAPED = (
    "api-key: {}",
    "API-Key: {}",
    "'api-key': '{}'",
    '"api_key": "{}"',
    '"apiKey":"{}"',
    "Authorization: Bearer {}",
    "'authorization': 'Bearer {}'",
    "Authorization: Basic {}",
    "x-api-key: {}",
    "password={}",
    "postgresql://user:{}@host/db",
    "postgresql+psycopg://user:{}@host:5432/db?x=1",
    "token={}&a=b",
    "access_token={}",
)


@pytest.mark.parametrize("around", UNSHAPED)
def test_keys_of_no_shape_are_hidden_by_the_words_before_them(around):
    assert "c4naryOfNoShape0123456789" not in redact(around.format("c4naryOfNoShape0123456789"))


@pytest.mark.parametrize(
    "text", ["The tokens are 12.", "max_tokens=4096", "a key: value", "token: <|im_end|>", "skip-connection-layers", "password: wrong"]
)
def test_ordinary_words_stay(text):
    assert redact(text) == text


def test_what_the_environment_holds_is_hidden_by_its_name(monkeypatch):
    monkeypatch.setenv("SOME_VENDOR_API_KEY", "plainwordswithoutshape")
    monkeypatch.setenv("SOME_VENDOR_URL", "anaddresswithoutshape")
    assert redact("plainwordswithoutshape at anaddresswithoutshape") == "[redacted] at anaddresswithoutshape"


def test_a_secret_inside_another_is_hidden_whole():
    hide("abcdefghijklmnop-inner")
    hide("abcdefghijklmnop-inner-and-outer")
    assert redact("x abcdefghijklmnop-inner-and-outer y") == "x [redacted] y"
