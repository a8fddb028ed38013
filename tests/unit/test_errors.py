"""The error tree: what each error carries, that it travels, and that it keeps no secret."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune import errors
from anytune.errors import AnytuneError, DataError, JobConflict, JobFailed, NotFound, RateLimited, Terminal, Transient, hide, redact
from anytune.values import Finding, Snapshot, Status

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AnytuneError)]
LEAVES_OF_CALLERS = {
    "ConfigError",
    "JobConflict",
    "DataError",
    "BackendMissing",
    "WaitTimeout",
    "LedgerError",
    "AnytuneError",
    "BackendError",
}
KEYS = st.from_regex(r"sk[-_][A-Za-z0-9_\-]{12,40}|hf_[A-Za-z0-9]{20,40}", fullmatch=True)
WORDS = st.text(alphabet="abcdefghij xyz,.:\n", max_size=40)


def made(kind: type[AnytuneError]) -> AnytuneError:
    own = {
        JobConflict: {"differences": {"model": ("a", "b")}},
        DataError: {"findings": [Finding(severity="error", code="empty", message="nothing", row=3)]},
        JobFailed: {"snapshot": Snapshot(id="1", status=Status.FAILED, error="out of memory")},
        RateLimited: {"retry_after": 2.5},
    }
    return kind("It broke.", fix="Mend it.", backend="trl", job_id="01J", raw={"code": 7}, **own.get(kind, {}))


def drawn() -> dict[str, tuple[str | None, str | None, str | None]]:
    """Read the tree in the module's docstring: name → (parent, builtin, marker)."""
    found: dict[str, tuple[str | None, str | None, str | None]] = {"AnytuneError": (None, None, None)}
    parents = ["AnytuneError"]
    for line in errors.__doc__.splitlines():
        match = re.match(r"([│ ]*)[├└]── (\w+)(?: \((\w+)\))?(?:\s+\[(\w+)\])?", line)
        if match:
            depth = len(match[1]) // 4 + 1
            found[match[2]] = (parents[depth - 1], match[3], match[4])
            parents[depth:] = [match[2]]
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    real = {}
    for kind in CLASSES:
        bases = [base.__name__ for base in kind.__bases__ if base not in {Transient, Terminal}]
        parent = next((base for base in bases if hasattr(errors, base)), None)
        builtin = next((base for base in bases if not hasattr(errors, base)), None)
        marker = next((mark.__name__ for mark in (Transient, Terminal) if mark in kind.__bases__), None)
        real[kind.__name__] = (parent, builtin if kind is not AnytuneError else None, marker)
    assert drawn() == real


def test_every_class_is_public():
    assert {kind.__name__ for kind in CLASSES} <= set(errors.__all__)


def test_no_error_is_both_transient_and_terminal():
    assert [kind for kind in CLASSES if issubclass(kind, Transient) and issubclass(kind, Terminal)] == []


def test_every_error_that_a_provider_causes_says_whether_retrying_helps():
    unmarked = {kind.__name__ for kind in CLASSES if not issubclass(kind, Transient | Terminal)}
    assert unmarked == LEAVES_OF_CALLERS


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"]
)
def test_an_error_travels_whole(kind, travel):
    error = made(kind)
    other = travel(error)
    assert type(other) is kind
    assert vars(other) == vars(error)
    assert str(other) == str(error) == "It broke. Mend it."
    assert other.args == error.args


def test_errors_can_be_caught_by_their_builtin_names():
    for builtin, kind in [
        (ValueError, DataError),
        (LookupError, NotFound),
        (TimeoutError, errors.WaitTimeout),
        (ImportError, errors.BackendMissing),
    ]:
        with pytest.raises(builtin):
            raise made(kind)


def test_at_names_what_the_raiser_could_not_know_and_overwrites_nothing():
    error = AnytuneError("It broke.", backend="openai").at(backend="azure", job_id="01J")
    assert (error.backend, error.job_id) == ("openai", "01J")


def test_a_long_reply_is_cut():
    assert len(AnytuneError("It broke.", raw="x" * 5000).raw) == 2000


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "hf_abcdefghijklmnop",
        "Bearer abcdef0123456789",
        "bearer eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
def test_known_shapes_of_secrets_are_redacted(secret):
    error = AnytuneError(f"401 for {secret}!", fix=f"Not {secret}.", raw={"error": secret})
    for text in (error.message, error.fix, error.raw, str(error), repr(error)):
        assert secret.split()[-1] not in text


def test_a_password_in_a_url_is_redacted_and_the_host_stays():
    shown = redact("cannot reach postgresql://anytune:hunter2@db.internal:5432/ledger")
    assert "hunter2" not in shown
    assert "@db.internal:5432/ledger" in shown


def test_ordinary_text_is_left_alone():
    text = "Row 3 of train.jsonl: `messages[1].content` is empty; see https://example.org/docs#rows (model gpt-4.1-mini-2025-04-14)."
    assert redact(text) == text


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "hf_hub_download", "api_version", "hf_transfer", "API key"])
def test_a_name_that_only_begins_like_a_key_stays(name):
    assert redact(f"set {name} first") == f"set {name} first"


@given(before=WORDS, key=KEYS, after=WORDS)
def test_a_key_never_survives_wherever_it_stands(before, key, after):
    assert key not in redact(f"{before} {key} {after}")


@given(text=st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text):
    assert redact(redact(text)) == redact(text)


def test_what_was_hidden_is_replaced_whatever_its_shape():
    key = "c4naryKeyOfNoShape0123456789"
    hide(key)
    error = AnytuneError(f"401 for {key}!", raw={"echo": key})
    assert key not in f"{error} {error.raw}"


def test_a_short_word_is_not_hidden_since_ordinary_texts_have_it():
    hide("not-needed")
    assert redact("a fix is not-needed here") == "a fix is not-needed here"


def test_old_tokens_make_room_for_new_ones():
    for number in range(200):
        hide(f"token-of-one-hour-{number:04d}")
    assert redact("token-of-one-hour-0199") == "[redacted]"
    assert redact("token-of-one-hour-0000") == "token-of-one-hour-0000"
