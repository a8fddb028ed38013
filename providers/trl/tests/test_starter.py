from __future__ import annotations

import subprocess
import sys

import pytest

from anytune.backend import DeployOrder, Order
from anytune.data import describe
from anytune.data.files import Line
from anytune.spec import TrainingSpec
from anytune.values import Status
from anytune_trl import TRLBackend, starter, tokenizer
from anytune_trl.render import IGNORED
from anytune_trl.rows import read

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


def test_two_processes_convert_the_starter_once(anytune_home):
    code = "from anytune_trl import starter; print(starter.ensure().stat().st_ino)"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    inodes = {process.communicate(timeout=180)[0].strip() for process in both}
    assert len(inodes) == 1
    assert (starter.folder() / "model.safetensors").is_file()
    assert [path.name for path in (anytune_home / "models").iterdir() if path.is_dir()] == [starter.folder().name]


def test_the_starters_own_template_and_tokenizer_mask_a_conversation():
    _, renderer = tokenizer.load(starter.ensure_tokenizer())
    row = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": " yo\n\nthere  "}] * 2}
    (sample,) = renderer.samples(read(Line(1, row), "sft"))
    learned = renderer.tokenizer.decode([label for label in sample.labels if label != IGNORED])
    assert learned == " yo\n\nthere  <|im_end|>" * 2


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
