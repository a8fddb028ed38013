"""The engine of the memory backend speaks the OpenAI protocol, and misbehaves as it is told."""

from __future__ import annotations

import time

import openai
import pytest

from anytune.testing import Engine

ASK = [{"role": "user", "content": "2 cups of basil"}]
TOOLS = [{"type": "function", "function": {"name": "convert", "parameters": {"type": "object"}}}]


@pytest.fixture
def connect():
    opened = []

    def make(**settings):
        engine = Engine("m", **settings)
        client = openai.OpenAI(base_url=engine.base_url, api_key=settings.get("token") or "none", max_retries=0, timeout=10)
        opened.extend([client, engine])
        return engine, client

    yield make
    for each in opened:
        each.close()


def test_it_answers_with_usage(connect):
    _, client = connect()
    reply = client.chat.completions.create(model="m", messages=ASK)
    assert reply.choices[0].message.content == "m heard: 2 cups of basil"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (4, 6)


def test_it_streams_the_same_answer_with_usage(connect):
    _, client = connect()
    with client.chat.completions.create(model="m", messages=ASK, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "m heard: 2 cups of basil"
    assert chunks[-1].usage.total_tokens == 10


def test_it_stops_at_max_tokens(connect):
    _, client = connect()
    choice = client.chat.completions.create(model="m", messages=ASK, max_tokens=2).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("m heard:", "length")


def test_it_calls_the_first_tool_then_answers_its_result(connect):
    _, client = connect()
    choice = client.chat.completions.create(model="m", messages=ASK, tools=TOOLS).choices[0]
    call = choice.message.tool_calls[0]
    assert (choice.finish_reason, call.function.name, call.function.arguments) == ("tool_calls", "convert", '{"text": "2 cups of basil"}')
    done = [*ASK, choice.message, {"role": "tool", "tool_call_id": call.id, "content": "473 ml"}]
    assert client.chat.completions.create(model="m", messages=done, tools=TOOLS).choices[0].message.content == "m heard: 473 ml"


def test_it_lists_its_model(connect):
    _, client = connect()
    assert [model.id for model in client.models.list()] == ["m"]


def test_it_knows_no_other_model(connect):
    _, client = connect()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="other", messages=ASK)


def test_it_asks_for_its_token(connect):
    _, client = connect(token="right-token")
    client.chat.completions.create(model="m", messages=ASK)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong-token").chat.completions.create(model="m", messages=ASK)


def test_it_misbehaves_by_its_script_then_answers(connect):
    engine, client = connect(script=[429, 500, "drop", "ok"])
    for expected in (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError):
        with pytest.raises(expected):
            client.chat.completions.create(model="m", messages=ASK)
    assert client.chat.completions.create(model="m", messages=ASK).choices
    assert len(engine.requests) == 4


def test_it_stops_by_itself_when_its_time_is_over(connect):
    engine, _ = connect(ttl_s=0.1)
    deadline = time.monotonic() + 10
    while engine.alive:
        assert time.monotonic() < deadline
        time.sleep(0.01)
