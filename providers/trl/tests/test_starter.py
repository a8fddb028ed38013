from __future__ import annotations

import pytest

from anytune.backend import DeployOrder, Order
from anytune.data import describe
from anytune.spec import TrainingSpec
from anytune.values import Status
from anytune_trl import TRLBackend

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


def test_the_starter_is_tuned_and_served(rows, until):
    backend, data = TRLBackend(), rows()
    spec = TrainingSpec(backend="trl", model="starter", train=data, method={"type": "sft", "max_steps": 3})
    file = describe(data, "train")
    assert backend.check(spec, [file]) == []
    backend.submit(
        Order(
            ref="STARTER", ledger="L", sequence=1, name="fruit", spec=spec, spec_hash="1:0", model="starter",
            files={"train": backend.upload(file)}, data={"train": file},
        )
    )  # fmt: skip
    snapshot = until(lambda: (s := backend.poll("STARTER")).status.terminal and s, seconds=250)
    assert snapshot.status is Status.SUCCEEDED, snapshot.error
    backend.deploy(DeployOrder(ref="SERVED", model=snapshot.model, name="fruit", ttl_s=300))
    try:
        seen = until(lambda: (d := backend.poll_deployment("SERVED")).state in {"ready", "failed"} and d, seconds=200)
        assert seen.state == "ready", seen.error
    finally:
        backend.undeploy("SERVED")
        until(lambda: backend.poll_deployment("SERVED").state == "gone")
