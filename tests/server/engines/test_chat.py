"""Chats through the server: real clients, real engines on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.runtime import Runtime

ASKED = [{"role": "user", "content": "2 cups chopped fresh basil"}]


def test_a_base_model_answers_under_the_name_it_was_asked_by(serve: Callable[..., Any], context: Runtime) -> None:
    served = serve(context=context, models={"gpt-4.1-mini-2025-04-14": {"model": "little"}})

    reply = served.client().chat.completions.create(model="gpt-4.1-mini-2025-04-14", messages=ASKED)

    assert reply.model == "gpt-4.1-mini-2025-04-14"
    assert "basil" in str(reply.choices[0].message.content)


def test_a_tuned_model_answers_in_a_stream(serve: Callable[..., Any], context: Runtime, tuned: Callable[..., str]) -> None:
    served = serve(context=context)
    name = tuned(served, "anna")

    chunks = list(served.client(served.key_of("anna")).chat.completions.create(model=name, messages=ASKED, stream=True))

    assert "basil" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert {chunk.model for chunk in chunks} == {name}


def test_somebody_elses_model_is_unknown(serve: Callable[..., Any], context: Runtime, tuned: Callable[..., str]) -> None:
    served = serve(context=context)
    name = tuned(served, "anna")
    client = served.client(served.key_of("ben"))

    with pytest.raises(openai.NotFoundError) as foreign:
        client.chat.completions.create(model=name, messages=ASKED)
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="ft:base:anytune::nobodys1", messages=ASKED)

    assert foreign.value.code == unknown.value.code == "model_not_found"
    assert str(foreign.value).replace(name, "X") == str(unknown.value).replace("ft:base:anytune::nobodys1", "X")
