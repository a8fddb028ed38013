"""Models: listed, shown, deleted; each for its owner alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.runtime import Runtime

ASKED = [{"role": "user", "content": "basil"}]


def test_a_listing_has_what_is_offered_and_what_is_ones_own(serve: Callable[..., Any], context: Runtime, tuned: Callable[..., str]) -> None:
    served = serve(context=context, models={"base": {}})
    annas, bens = tuned(served, "anna"), tuned(served, "ben")

    seen = {model.id: model for model in served.client(served.key_of("anna")).models.list()}
    all_of_them = {model.id for model in served.client().models.list()}

    assert set(seen) == {"base", annas}
    assert (seen[annas].owned_by, seen["base"].owned_by) == ("anna", "system")
    assert all_of_them == {"base", annas, bens}


def test_one_model_is_shown_to_its_owner(serve: Callable[..., Any], context: Runtime, tuned: Callable[..., str]) -> None:
    served = serve(context=context, models={"meta-llama/little": {}})
    name = tuned(served, "anna")
    anna, ben = served.client(served.key_of("anna")), served.client(served.key_of("ben"))

    assert anna.models.retrieve(name).id == name
    assert ben.models.retrieve("meta-llama/little").id == "meta-llama/little"
    for stranger in (name, "ft:base:anytune::nobodys1", "../../etc/passwd", "no-such-model"):
        with pytest.raises(openai.NotFoundError) as unknown:
            ben.models.retrieve(stranger)
        assert unknown.value.code == "model_not_found"


def test_a_deleted_model_answers_no_more_and_its_engine_ends(
    serve: Callable[..., Any], context: Runtime, backend: Any, tuned: Callable[..., str]
) -> None:
    served = serve(context=context, models={"base": {}})
    name = tuned(served, "anna")
    client = served.client(served.key_of("anna"))
    client.chat.completions.create(model=name, messages=ASKED)

    gone = client.models.delete(name)

    assert (gone.id, gone.deleted, gone.object) == (name, True, "model")
    assert not backend.hosts
    assert backend.store.read().deleted_models
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=name, messages=ASKED)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(name)
    with pytest.raises(openai.NotFoundError):
        client.models.delete(name)


def test_neither_somebody_elses_nor_a_base_model_is_deleted(serve: Callable[..., Any], context: Runtime, tuned: Callable[..., str]) -> None:
    served = serve(context=context, models={"base": {}})
    name = tuned(served, "anna")
    ben = served.client(served.key_of("ben"))

    with pytest.raises(openai.NotFoundError):
        ben.models.delete(name)
    with pytest.raises(openai.PermissionDeniedError):
        ben.models.delete("base")
    assert served.client(served.key_of("anna")).models.retrieve(name)


def test_a_model_that_a_job_trains_further_is_kept(serve: Callable[..., Any], context: Runtime, tuned: Callable[..., str]) -> None:
    served = serve(context=context, models={"base": {}}, slots=1)
    name = tuned(served, "anna")
    served.house.book.jobs.in_stage = lambda *_: [type("Row", (), {"id": "ftjob-x", "model": name, "request": {}})]

    with pytest.raises(openai.ConflictError):
        served.client().models.delete(name)
