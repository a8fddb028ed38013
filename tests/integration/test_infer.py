"""Asking a real server over the real client: answers, retries, broken replies, streams, batches."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from anytune import aio
from anytune.errors import AuthError, ConfigError, MalformedReply, NotFound, QuotaExceeded, Unreachable
from anytune.infer import Endpoint
from anytune.retry import AsyncRetry, Retry
from anytune.testing import Engine, OpenAISimulator, WireFault, WireFaults
from anytune.values import Address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def quick() -> Retry:
    return Retry(sleep=lambda _: None)


def endpoint(engine: Engine, token: str | None = None) -> Endpoint:
    credential = SecretStr(token) if token else None
    return Endpoint(Address(base_url=engine.base_url, model=engine.model, credential=credential), retry=quick())


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine("m") as running:
        yield running


def test_a_text_is_a_users_message_and_the_answer_is_text(engine: Engine) -> None:
    with endpoint(engine) as asked:
        reply = asked.chat("2 cups of basil")
    assert reply == "m heard: 2 cups of basil"
    assert reply.usage["prompt_tokens"] > 0
    assert reply.finish_reason == "stop"


def test_messages_and_parameters_go_out_as_they_are(engine: Engine) -> None:
    with endpoint(engine) as asked:
        asked.chat([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], temperature=0, max_tokens=5)
    assert [m["role"] for m in engine.requests[0]["messages"]] == ["system", "user"]
    assert (engine.requests[0]["temperature"], engine.requests[0]["max_tokens"]) == (0, 5)


def test_tools_go_out_and_calls_come_back(engine: Engine) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    with endpoint(engine) as asked:
        reply = asked.chat("rain?", tools=[tool])
    assert engine.requests[0]["tools"] == [tool]
    assert [call["function"]["name"] for call in reply.tool_calls] == ["weather"]


def test_a_stream_gives_the_same_text_in_pieces(engine: Engine) -> None:
    with endpoint(engine) as asked:
        pieces = list(asked.stream("2 cups of basil"))
    assert "".join(pieces) == "m heard: 2 cups of basil"
    assert len(pieces) > 1


@pytest.mark.parametrize("script", [[503], [429], ["drop"], ["html"], ["cut"]])
def test_a_passing_trouble_is_tried_again(script: list[int | str]) -> None:
    with Engine("m", script=script) as engine, endpoint(engine) as asked:
        assert asked.chat("hello") == "m heard: hello"
        assert len(engine.requests) == 2


def test_the_clients_own_retries_are_off() -> None:
    with Engine("m", script=[503] * 9) as engine, endpoint(engine) as asked:
        with pytest.raises(Unreachable):
            asked.chat("hello")
        assert len(engine.requests) == 5


@pytest.mark.parametrize("name", ["quota", "credit_gone"])
def test_a_question_that_no_credit_is_left_for_is_asked_once(name: str) -> None:
    broke = WireFaults(calls=(WireFault(kind="refuse", name=name, on="POST /chat/completions", times=9),))
    with OpenAISimulator(faults=broke) as host:
        address = Address(base_url=host.base_url, model="gpt-4.1-mini-2025-04-14", credential=SecretStr(host.api_key))
        with Endpoint(address) as endpoint, pytest.raises(QuotaExceeded, match="Add credit"):
            endpoint.chat("hello")
        assert host.count("POST /chat/completions") == 1


def test_html_for_ever_is_a_malformed_reply() -> None:
    with Engine("m", script=["html"] * 9) as engine, endpoint(engine) as asked, pytest.raises(MalformedReply):
        asked.chat("hello")


def test_the_credential_is_sent_and_never_shown() -> None:
    with Engine("m", token="tok-123456") as engine:
        with endpoint(engine, "tok-123456") as asked:
            assert asked.chat("hello")
            assert "tok-123456" not in repr(asked) + repr(asked.address)
        with endpoint(engine) as asked, pytest.raises(AuthError):
            asked.chat("hello")


def test_another_model_is_not_found(engine: Engine) -> None:
    other = Endpoint(Address(base_url=engine.base_url, model="other"), retry=quick())
    with other, pytest.raises(NotFound):
        other.chat("hello")


def test_a_dead_server_is_unreachable() -> None:
    with Engine("m") as engine:
        gone = endpoint(engine)
    with gone, pytest.raises(Unreachable):
        gone.chat("hello")


def test_the_ready_client_is_openais(engine: Engine) -> None:
    with endpoint(engine) as asked:
        assert [model.id for model in asked.openai().models.list()] == ["m"]
        assert asked.openai().max_retries == 0


def slow(_: str, messages: list[dict[str, Any]]) -> str:
    """Answer the first rows last."""
    text = messages[-1]["content"]
    time.sleep(0.1 if text == "0" else 0.0)
    return f"got {text}"


def test_many_answers_come_in_the_order_of_the_rows() -> None:
    with Engine("m", reply=slow) as engine, endpoint(engine) as asked:
        answers = asked.chat_many([str(n) for n in range(20)], concurrency=4)
    assert [answer.text for answer in answers] == [f"got {n}" for n in range(20)]


def test_no_more_than_asked_for_are_in_flight() -> None:
    lock, flying, most = threading.Lock(), 0, 0

    def reply(_: str, __: list[dict[str, Any]]) -> str:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.02)
        with lock:
            flying -= 1
        return "x"

    with Engine("m", reply=reply) as engine, endpoint(engine) as asked:
        asked.chat_many(["a"] * 24, concurrency=3)
    assert most == 3


def test_an_error_stays_with_its_row() -> None:
    with Engine("m", script=["ok", 400, "ok"]) as engine, endpoint(engine) as asked:
        answers = asked.chat_many(["a", "b", "c"], concurrency=1)
    assert [bool(answer.error) for answer in answers] == [False, True, False]
    assert answers[1].text is None


def test_a_second_run_asks_only_what_is_missing_or_failed(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with Engine("m", script=["ok", 400, "ok"]) as engine, endpoint(engine) as asked:
        asked.chat_many(["a", "b", "c"], concurrency=1, out=out)
        again = asked.chat_many(["a", "b", "c", "d"], concurrency=1, out=out)
        assert [r["messages"][-1]["content"] for r in engine.requests] == ["a", "b", "c", "b", "d"]
    assert [answer.text for answer in again] == [f"m heard: {t}" for t in "abcd"]
    assert [json.loads(line)["index"] for line in out.read_text().splitlines()] == [0, 1, 2, 3]


def test_a_torn_last_line_is_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with Engine("m") as engine, endpoint(engine) as asked:
        asked.chat_many(["a", "b"], concurrency=1, out=out)
        out.write_bytes(out.read_bytes()[:-10])
        assert [a.text for a in asked.chat_many(["a", "b"], concurrency=1, out=out)] == ["m heard: a", "m heard: b"]
        assert len(engine.requests) == 3


def test_another_question_is_not_taken_for_answered(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with Engine("m") as engine, endpoint(engine) as asked:
        asked.chat_many(["a"], out=out)
        asked.chat_many(["a"], out=out, temperature=1)
        assert len(engine.requests) == 2


def test_an_out_that_cannot_be_written_is_refused_before_the_first_question(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with endpoint(engine) as asked, pytest.raises(ConfigError):
        asked.chat_many(["a"], out=tmp_path / "file" / "answers.jsonl")
    assert engine.requests == []


def test_the_same_verbs_can_be_awaited(tmp_path: Path) -> None:
    async def story(engine: Engine) -> tuple[str, str, list[str | None]]:
        async def no_sleep(_: float) -> None:
            return

        address = Address(base_url=engine.base_url, model="m")
        async with aio.Endpoint(address, retry=AsyncRetry(sleep=no_sleep)) as asked:
            reply = await asked.chat("hello")
            pieces = [piece async for piece in asked.stream("hello")]
            many = await asked.chat_many(["a", "b"], out=tmp_path / "o.jsonl")
        return reply, "".join(pieces), [answer.text for answer in many]

    with Engine("m", script=[503]) as engine:
        assert asyncio.run(story(engine)) == ("m heard: hello", "m heard: hello", ["m heard: a", "m heard: b"])


class Tokens:
    """Gives tokens that are good for one request each, as a sign-in service would with a very short life."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        self.engine.token = f"token-number-{self.given}"  # what was given before is refused from now on
        return self.engine.token


def test_an_expiring_token_is_asked_for_anew_by_every_request() -> None:
    with Engine("m", token="not yet given") as engine:
        tokens = Tokens(engine)
        with Endpoint(Address(base_url=engine.base_url, model="m", credential=SecretStr("stale"), token=tokens), retry=quick()) as asked:
            assert asked.chat("a") == "m heard: a"
            assert "".join(asked.stream("b")) == "m heard: b"
            assert [answer.text for answer in asked.chat_many(["c", "d"], concurrency=1)] == ["m heard: c", "m heard: d"]
            assert [model.id for model in asked.openai().models.list()] == ["m"]
            assert "token-number" not in repr(asked) + repr(asked.address) + asked.address.model_dump_json()
        assert tokens.given == 5


def test_a_retried_question_takes_a_new_token_too() -> None:
    with Engine("m", token="not yet given", script=[503]) as engine:
        tokens = Tokens(engine)
        with Endpoint(Address(base_url=engine.base_url, model="m", token=tokens), retry=quick()) as asked:
            assert asked.chat("a") == "m heard: a"
        assert tokens.given == 2


def test_an_expiring_token_is_asked_for_anew_when_awaited() -> None:
    async def story(address: Address) -> list[str]:
        async with aio.Endpoint(address) as asked:
            answers = [str(await asked.chat("a"))]
            answers.append("".join([piece async for piece in asked.stream("b")]))
            answers += [answer.text or answer.error for answer in await asked.chat_many(["c"])]
            return answers

    with Engine("m", token="not yet given") as engine:
        tokens = Tokens(engine)
        answers = asyncio.run(story(Address(base_url=engine.base_url, model="m", token=tokens)))
    assert answers == ["m heard: a", "m heard: b", "m heard: c"]
    assert tokens.given == 3


def test_a_token_that_cannot_be_got_is_a_matter_of_the_key_and_asks_the_host_nothing(engine: Engine) -> None:
    def refused() -> str:
        raise ValueError("the sign-in has expired, token was Bearer abcdefgh12345678")

    asked = Endpoint(Address(base_url=engine.base_url, model="m", token=refused), retry=quick())
    with asked, pytest.raises(AuthError, match="sign-in has expired") as caught:
        asked.chat("hello")
    assert "Sign in again" in str(caught.value)
    assert "abcdefgh12345678" not in str(caught.value)
    assert engine.requests == []


def test_a_sign_in_service_that_cannot_be_reached_is_tried_again(engine: Engine) -> None:
    answers = iter([TimeoutError("no answer"), "token"])

    def flaky() -> str:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    with Endpoint(Address(base_url=engine.base_url, model="m", token=flaky), retry=quick()) as asked:
        assert asked.chat("hello") == "m heard: hello"
