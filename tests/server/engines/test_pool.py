"""Engines come when they are asked for, are shared, and go when nobody asks."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
import pytest
from sqlalchemy import text
from tests.server.waiting import until

from anytune.deploy import Deployment
from anytune.errors import LedgerError, Unreachable
from anytune.model import TunedModel
from anytune.server.engines import pool
from anytune.server.house import Caller
from anytune.testing import Fault, Faults
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.runtime import Runtime

ASKED = [{"role": "user", "content": "2 cups chopped fresh basil"}]


def ask(served: Any, model: str = "base", **options: Any) -> str:
    reply = served.client(**options).chat.completions.create(model=model, messages=ASKED)
    return str(reply.choices[0].message.content)


def test_a_hundred_first_questions_start_one_engine(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    backend.faults = Faults(ready_polls=2)
    served = serve(context=context, models={"base": {}})
    client = served.client()

    def one(_: int) -> str:
        return str(client.chat.completions.create(model="base", messages=ASKED).choices[0].message.content)

    with ThreadPoolExecutor(100) as crowd:
        answers = set(crowd.map(one, range(100)))

    assert len(answers) == 1
    assert len(backend.orders) == 1


def test_an_idle_engine_is_stopped_and_starts_again_when_asked(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    served = serve(context=context, models={"base": {}}, idle_s=0.3)
    first = ask(served)

    until(lambda: not backend.hosts)

    assert ask(served) == first
    assert len(backend.orders) == 2


def test_an_end_that_was_refused_is_asked_for_again(
    serve: Callable[..., Any], context: Runtime, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_AGAIN_S", 0.05)
    backend.faults = Faults(calls=(Fault(kind="reject", on="undeploy", times=2),))
    served = serve(context=context, models={"base": {}}, idle_s=0.3)
    ask(served)

    until(lambda: not backend.hosts)

    assert backend.calls["undeploy"] == 3


def test_the_engine_that_was_idle_longest_makes_room(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    served = serve(context=context, models={"one": {}, "two": {}, "three": {}}, engines=2)

    for name in ("one", "two", "one", "three"):
        ask(served, name)

    assert sorted(engine.model for engine in backend.hosts.values()) == ["one", "three"]


def test_an_engine_that_died_is_started_again(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    served = serve(context=context, models={"base": {}})
    first = ask(served)
    for row_id, engine in list(backend.hosts.items()):
        engine.close()
        with backend.store.change() as state:
            state.deployments[row_id].state = "gone"

    assert ask(served) == first
    assert len(backend.orders) == 2


def test_an_engine_is_replaced_before_its_time_is_over(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    served = serve(context=context, models={"base": {}}, engine_ttl_s=4.0, idle_s=3.5)
    until(lambda: ask(served) and len(backend.orders) >= 2)


def test_the_next_server_finds_the_engines_of_the_one_before(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    first = serve(context=context, models={"base": {}})
    ask(first)

    second = serve(context=context, models={"base": {}})
    ask(second)

    assert len(backend.orders) == 1


def test_a_host_whose_server_was_killed_before_it_heard_of_it_is_taken_down(
    serve: Callable[..., Any], context: Runtime, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Deployment, "_record", lambda *_: sys.exit("killed"))
        first = serve(context=context, models={"base": {}})
        lead = first.house.pool.names.look(Caller(owner="ann", key_id="key"), "base")
        with pytest.raises(SystemExit):
            first.house.pool.hosts.start(lead, lead.key, {})
    (left,) = backend.hosts.values()
    with context.ledger.database.write() as connection:
        connection.execute(text("UPDATE anytune_deployments SET stop_requested = false"))

    second = serve(context=context, models={"base": {}})

    assert ask(second), "another host answers"
    until(lambda: left not in backend.hosts.values())
    until(lambda: len(Deployment.list(context=context)) == 1)


def test_an_engine_that_nobody_asks_again_is_stopped_by_the_next_server(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    ask(serve(context=context, models={"base": {}}))
    assert backend.hosts

    serve(context=context, models={"base": {}}, idle_s=0.2)

    until(lambda: not backend.hosts)


def test_a_host_that_its_owner_deployed_is_used_and_never_stopped(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    mine = Deployment.start(TunedModel(ModelRef(id="base"), backend="memory", context=context), ttl_s=600, name="mine", context=context)
    mine.wait(timeout_s=10)
    served = serve(context=context, models={"base": {}}, idle_s=0.2)

    ask(served)
    until(lambda: not served.house.pool._engines)

    assert len(backend.orders) == 1
    assert backend.hosts
    assert Deployment.get(mine.id, context=context).refresh().state == "ready"


def test_a_host_that_bills_by_the_hour_needs_its_owners_word(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    served = serve(context=context, models={"base": {"deploy": False}})

    with pytest.raises(openai.BadRequestError, match="deploy: true") as refused:
        ask(served)

    assert refused.value.code == "model_not_deployed"
    assert not backend.orders


def test_a_question_that_waited_long_enough_is_told_to_come_again(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    backend.faults = Faults(ready_polls=1_000_000)
    served = serve(context=context, models={"base": {}}, answer_wait_s=0.3)

    with pytest.raises(openai.InternalServerError) as away:
        ask(served)

    assert away.value.status_code == 503
    assert away.value.code == "engine_starting"
    assert int(away.value.response.headers["retry-after"]) > 0
    backend.faults = Faults()
    until(lambda: bool(served.house.pool._engines))
    assert ask(served)
    assert len(backend.orders) == 1


def test_why_an_engine_failed_is_said_without_its_log(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    backend.faults = Faults(deploy_error="out of memory\nlast lines: a secret prompt")
    served = serve(context=context, models={"base": {}})

    with pytest.raises(openai.InternalServerError, match="out of memory") as failed:
        ask(served)

    assert failed.value.status_code == 503
    assert "prompt" not in str(failed.value)


def test_a_provider_that_is_away_is_said_to_be_away(serve: Callable[..., Any], context: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise Unreachable("The provider cannot be reached.", fix="Try again.", backend="memory")

    served = serve(context=context, models={"base": {}})
    monkeypatch.setattr(served.house.pool.hosts, "standing", fail)
    with pytest.raises(openai.InternalServerError, match="cannot be reached") as away:
        ask(served)

    assert (away.value.status_code, away.value.code) == (503, "engine_failed")


def test_where_the_ledger_lies_is_not_said(
    serve: Callable[..., Any], context: Runtime, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LedgerError("The ledger sqlite:////somewhere/ledger.db failed. The disk is full.", fix="Free some space.")

    served = serve(context=context, models={"base": {}})
    monkeypatch.setattr(context.ledger, "plan_deployment", fail)
    with pytest.raises(openai.InternalServerError, match="cannot use its database") as failed:
        ask(served)

    assert failed.value.status_code == 503
    assert "ledger.db" not in str(failed.value)


def test_an_engine_that_answers_is_not_sent_away(serve: Callable[..., Any], context: Runtime, backend: Any) -> None:
    served = serve(context=context, models={"one": {}, "two": {}}, engines=1)
    ask(served, "one")
    held, free = threading.Event(), threading.Event()
    engine = next(iter(backend.hosts.values()))

    def slow(model: str, messages: list[dict[str, Any]]) -> str:
        held.set()
        free.wait(10)
        return "done"

    engine.reply = slow
    with ThreadPoolExecutor(2) as pair:
        first = pair.submit(ask, served, "one")
        assert held.wait(10)
        second = pair.submit(ask, served, "two")
        time.sleep(0.3)
        assert engine.alive
        assert len(backend.orders) == 1
        free.set()
        assert first.result(15) == "done"
        assert second.result(15)
