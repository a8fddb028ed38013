"""Tuned models of one base share an engine where their backend can do that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from anytune.errors import Unreachable
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from anytune.runtime import Runtime

ASKED = [{"role": "user", "content": "2 cups chopped fresh basil"}]


def adapter(name: str, base: str = "base") -> ModelRef:
    return ModelRef(id=name, base_model=base, artifacts={"adapter": f"/nowhere/{name}"})


def ask(served: Any, model: str) -> str:
    reply = served.client().chat.completions.create(model=model, messages=ASKED)
    assert reply.model == model
    return str(reply.choices[0].message.content)


def test_three_models_of_one_base_have_one_engine(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str]
) -> None:
    served = serve(context=context, models={"base": {}})
    names = [tuned(served, "anna", ref=adapter(f"weights-{number}")) for number in range(3)]

    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda name: ask(served, name), ["base", *names]))

    assert len(backend.hosts) == 1
    assert set(backend.orders[-1].adapters) == set(names)


def test_of_many_models_the_newest_are_there_from_the_start(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str]
) -> None:
    served = serve(context=context, models={"base": {}})
    names = [tuned(served, "anna", ref=adapter(f"weights-{number}")) for number in range(12)]

    ask(served, names[0])

    (order,) = backend.orders
    assert set(order.adapters) == {names[0], *names[-7:]}


def test_a_model_that_was_tuned_later_joins_the_engine(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str]
) -> None:
    served = serve(context=context, models={"base": {}})
    first = tuned(served, "anna", ref=adapter("weights-1"))
    ask(served, first)
    second = tuned(served, "anna", ref=adapter("weights-2"))

    ask(served, second)
    ask(served, first)

    assert [set(order.adapters) for order in backend.orders] == [{first}, {first, second}]


def test_weights_that_cannot_share_have_an_engine_of_their_own(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str]
) -> None:
    served = serve(context=context, models={"base": {}})
    whole = tuned(served, "anna", ref=ModelRef(id="weights-whole", base_model="base"))
    further = tuned(served, "anna", ref=adapter("weights-further", base="another-tuned-model"))

    for name in (whole, further):
        ask(served, name)

    assert [order.adapters for order in backend.orders] == [{}, {}]
    assert len(backend.hosts) == 2


def test_one_broken_adapter_does_not_silence_the_others(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(context=context, models={"base": {}})
    good, broken = (tuned(served, "anna", ref=adapter(name)) for name in ("good", "broken"))
    deploy = backend.deploy

    def fragile(order: Any) -> Any:
        if any(model.id == "broken" for model in order.adapters.values()):
            raise Unreachable("The adapter does not fit.")
        return deploy(order)

    monkeypatch.setattr(backend, "deploy", fragile)
    monkeypatch.setattr(context.retry, "write", lambda call, **_: call())

    assert ask(served, good)
    assert ask(served, broken)


def test_the_next_server_knows_who_shares_the_engine(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str]
) -> None:
    served = serve(context=context, models={"base": {}})
    name = tuned(served, "anna", ref=adapter("weights-1"))
    ask(served, name)

    ask(serve(context=context, models={"base": {}}), name)

    assert len(backend.orders) == 1
