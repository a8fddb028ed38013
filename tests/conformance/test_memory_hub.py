"""The memory backend's hub: adapters, branches, and an answer that is lost."""

from __future__ import annotations

import pytest

from anytune import aio
from anytune.backend import PushOrder
from anytune.errors import NotFound, Unreachable
from anytune.model import TunedModel
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import BackendKit, Fault, Faults, MemoryBackend
from anytune.testing.store import Store
from anytune.values import ModelRef

TO = PushOrder(repo="ann/model")


def kit_of(tmp_path, adapter=None, **settings):
    store = Store()
    return BackendKit(lambda: MemoryBackend(store=store, **settings), folder=tmp_path, model="base", adapter=adapter, drive=lambda: None)


def test_an_adapter_goes_without_the_merged_weights(tmp_path):
    kit = kit_of(tmp_path, adapter={"type": "lora", "r": 8})
    whole = kit.backend.push(kit.tuned(), TO)
    alone = kit.backend.push(kit.tuned(), PushOrder(repo="ann/adapter", adapter=True))
    assert "adapter_model.safetensors" in alone.files
    assert "model.safetensors" not in alone.files
    assert alone.size_bytes < whole.size_bytes


def test_a_checkpoint_can_be_published(tmp_path):
    kit = kit_of(tmp_path)
    kit.tuned()
    _, job = kit.submitted()
    point = kit.backend.checkpoints(job.id)[0]
    assert kit.backend.push(ModelRef(id=point.model), TO).revision


def test_a_base_model_is_not_published(tmp_path):
    kit = kit_of(tmp_path)
    with pytest.raises(NotFound):
        kit.backend.push(ModelRef(id="base"), TO)
    assert kit.backend.store.read().repos == {}


def test_a_branch_of_its_own_leaves_main_as_it_is(tmp_path):
    kit = kit_of(tmp_path)
    first = kit.backend.push(kit.tuned(), TO)
    other = kit.backend.push(kit.another(), PushOrder(repo=TO.repo, branch="tried", replace=True))
    assert other.revision != first.revision
    assert kit.backend.push(kit.tuned(), TO).revision == first.revision


def test_a_push_whose_answer_is_lost_is_sent_again_and_makes_one_commit(tmp_path):
    kit = kit_of(tmp_path, faults=Faults(calls=(Fault(kind="drop_reply", on="push"),)))
    with pytest.raises(Unreachable):
        kit.backend.push(kit.tuned(), TO)
    model = TunedModel(kit.tuned(), backend=kit.backend)
    pushed = model.push(TO.repo)
    assert [commit.revision for commit in kit.backend.store.read().repos[TO.repo].branches["main"]] == [pushed.revision]


def test_core_sends_a_push_again_by_itself(tmp_path):
    kit = kit_of(tmp_path, faults=Faults(calls=(Fault(kind="drop_reply", on="push"),)))
    context = Runtime(retry=Retry(sleep=lambda _: None))
    assert TunedModel(kit.tuned(), backend=kit.backend, context=context).push(TO.repo).repo == TO.repo
    assert kit.backend.calls["push"] == 2


async def pushed(kit):
    model = aio.TunedModel(TunedModel(kit.tuned(), backend=kit.backend))
    return await model.push(TO.repo, private=False)


def test_a_model_can_be_published_while_others_wait(tmp_path):
    import asyncio

    assert asyncio.run(pushed(kit_of(tmp_path))).private is False
