from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anytune.backend import DataStats, DeployOrder, Order
from anytune.data import describe
from anytune.errors import ConfigError, NotFound, Unsupported
from anytune.spec import TrainingSpec
from anytune.values import ModelRef, Status
from anytune_trl import TRLBackend

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"
)

STEPS = {"type": "sft", "max_steps": 6, "save_steps": 2, "learning_rate": 1e-2}


@pytest.fixture
def backend():
    return TRLBackend()


@pytest.fixture
def made(rows, tiny_model, backend):
    """Make an order on the tiny model, with its data uploaded."""

    def make(ref="JOB1", data=None, **changes):
        data = data or rows()
        spec = TrainingSpec(**({"backend": "trl", "model": str(tiny_model), "train": data, "method": STEPS} | changes))
        file = describe(data, "train")
        return Order(
            ref=ref, ledger="L", sequence=1, name="fruit", spec=spec, spec_hash="1:0", model=str(tiny_model),
            files={"train": backend.upload(file)}, data={"train": file},
        )  # fmt: skip

    return make


@pytest.fixture
def ended(backend, until):
    """Wait for a job's end."""

    def wait(ref):
        return until(lambda: (s := backend.poll(ref)).status.terminal and s, seconds=150)

    return wait


def codes(found):
    return {finding.code for finding in found if finding.severity == "error"}


def check(backend, data, model, **spec):
    made = TrainingSpec(**({"backend": "trl", "model": str(model), "train": data} | spec))
    return backend.check(made, [describe(data, "train")])


def test_importing_the_backend_loads_no_training_library():
    code = "import sys, anytune_trl; anytune_trl.TRLBackend().capabilities; print(sorted({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_another_place_to_compute_is_refused():
    with pytest.raises(ConfigError, match="no compute 'moon'"):
        TRLBackend(compute="moon")


def test_a_good_run_has_no_findings_and_an_exact_count_of_tokens(backend, rows, tiny_model):
    data = rows()
    assert check(backend, data, tiny_model) == []
    spec = TrainingSpec(backend="trl", model=str(tiny_model), train=data)
    quote = backend.quote(spec, DataStats(rows=28))
    from transformers import AutoTokenizer

    from anytune.data import lines

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    once = sum(len(tokenizer.apply_chat_template(line.row["messages"], return_dict=False)) for line in lines(data))
    assert quote.tokens == 3 * once
    assert quote.minutes > 0
    assert "estimated" in quote.basis


def test_qlora_is_refused_without_a_gpu(backend, rows, tiny_model, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (finding,) = check(backend, rows(), tiny_model, adapter="qlora")
    assert finding.code == "qlora"
    assert "needs an NVIDIA GPU" in finding.message


def test_training_with_a_grader_is_refused_with_what_there_is(backend, made, rows, tiny_model):
    method = {"type": "rft", "grader": {"type": "string_check"}}
    (finding,) = check(backend, rows(), tiny_model, method=method)
    assert (finding.code, finding.fix) == ("method", "It offers: dpo, sft.")
    with pytest.raises(Unsupported, match="does not train with graders"):
        backend.submit(made(method=method))


def test_packing_is_refused_where_packed_rows_would_see_each_other(backend, rows, tiny_model, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert codes(check(backend, rows(), tiny_model, method={"type": "sft", "packing": True})) == {"packing"}


def test_a_wrong_model_too_long_rows_and_an_unknown_tracker_are_findings(backend, rows, tiny_model):
    assert codes(check(backend, rows(), "/no/such/model")) == {"model"}
    assert codes(check(backend, rows(), tiny_model, method={"type": "sft", "max_length": 12})) == {"overlong"}
    assert codes(check(backend, rows(), tiny_model, method={"type": "sft", "max_length": 4096})) == {"max-length"}
    assert codes(check(backend, rows(), tiny_model, method={"type": "sft", "report_to": ["nosuchtracker"]})) == {"report-to"}


def test_data_is_kept_once_by_its_content(backend, rows):
    file = describe(rows(), "train")
    first = backend.upload(file)
    assert backend.upload(file) == first == backend.find_file(file.sha256)
    assert backend.find_file("0" * 64) is None


def test_a_job_trains_under_the_agent_and_is_found_by_its_ref(backend, made, ended):
    order = made()
    assert backend.find(order).jobs == ()
    job = backend.submit(order)
    assert job.id == job.ref == "JOB1"
    assert backend.submit(order).id == "JOB1"
    snapshot = ended("JOB1")
    assert snapshot.status is Status.SUCCEEDED, snapshot.error
    assert (snapshot.step, snapshot.total_steps) == (6, 6)
    assert Path(snapshot.model.id).is_dir()
    assert snapshot.model.missing == ()
    found = backend.find(order)
    assert found.complete
    assert [(j.ref, j.spec_hash, j.status) for j in found.jobs] == [("JOB1", "1:0", Status.SUCCEEDED)]
    assert [c.step for c in backend.checkpoints("JOB1")] == [4, 6]
    assert [m.step for m in backend.metrics("JOB1", after=4)] == [5, 6]

    Path(snapshot.model.artifacts["card"]).unlink()
    shutil.rmtree(snapshot.model.artifacts["adapter"])
    assert backend.poll("JOB1").model.missing == ("adapter", "card")

    backend.delete_model(snapshot.model)
    assert not Path(snapshot.model.id).exists()
    assert "merged" in backend.poll("JOB1").model.missing


def test_a_child_that_is_killed_goes_on_from_its_last_checkpoint(backend, made, ended, until):
    order = made("KILLED", method=STEPS | {"max_steps": 400, "save_steps": 10})
    backend.submit(order)
    until(lambda: backend.checkpoints("KILLED"))
    from anytune import local

    os.kill(local.state("KILLED").pid, signal.SIGKILL)
    snapshot = ended("KILLED")
    assert snapshot.status is Status.SUCCEEDED, snapshot.error
    assert snapshot.raw["restarts"] == 1
    assert any(event.message.startswith("Going on from checkpoint-") for event in backend.events("KILLED"))


def test_a_job_pauses_with_a_checkpoint_and_resumes(backend, made, ended, until):
    backend.submit(made("PAUSED", method=STEPS | {"max_steps": 1500, "save_steps": 1000}))
    until(lambda: (backend.poll("PAUSED").step or 0) > 3)
    backend.pause("PAUSED")
    until(lambda: backend.poll("PAUSED").status is Status.PAUSED)
    (checkpoint,) = backend.checkpoints("PAUSED")
    backend.resume("PAUSED")
    until(lambda: (backend.poll("PAUSED").step or 0) > checkpoint.step)
    backend.cancel("PAUSED")
    assert ended("PAUSED").status is Status.CANCELLED


def test_a_job_of_another_host_is_not_judged(backend, made, monkeypatch):
    from anytune_huggingface.compute import tasks

    order = made("FAR")
    monkeypatch.setenv("ANYTUNE_HOST", "elsewhere")
    tasks.training(order, TRLBackend.program)
    monkeypatch.setenv("ANYTUNE_HOST", "here")
    snapshot = backend.poll("FAR")
    assert (snapshot.status, snapshot.host) == (Status.UNKNOWN, "elsewhere")
    assert "runs on elsewhere" in snapshot.error
    with pytest.raises(ConfigError, match="runs on elsewhere"):
        backend.cancel("FAR")


def test_only_folders_of_jobs_are_deleted(backend, tiny_model):
    with pytest.raises(ConfigError, match="was not made by a job here"):
        backend.delete_model(ModelRef(id=str(tiny_model)))
    assert tiny_model.is_dir()


def test_an_unknown_job_is_not_found(backend):
    with pytest.raises(NotFound):
        backend.poll("NOSUCH")


def test_a_wrong_option_of_a_deployment_names_the_right_one(backend, tiny_model):
    with pytest.raises(ConfigError, match="Did you mean `engine`"):
        backend.deploy(DeployOrder(ref="D1", model=ModelRef(id=str(tiny_model)), name="x", ttl_s=60, options={"engin": "vllm"}))


def test_vllm_without_a_gpu_is_refused_with_the_reason(backend, tiny_model, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="vLLM cannot serve here"):
        backend.deploy(DeployOrder(ref="D1", model=ModelRef(id=str(tiny_model)), name="x", ttl_s=60, options={"engine": "vllm"}))


def test_a_tuned_model_is_served_once_parity_held(backend, run, rows, until):
    run.order(rows()).train()
    ref = ModelRef.model_validate(run.said("result.json")["model"])
    backend.deploy(DeployOrder(ref="SERVED", model=ref, name="fruit", ttl_s=300))
    try:
        seen = until(lambda: (d := backend.poll_deployment("SERVED")).state in {"ready", "failed"} and d, seconds=120)
        assert seen.state == "ready", seen.error
        import openai

        with openai.OpenAI(base_url=seen.address.base_url, api_key=seen.address.credential.get_secret_value(), max_retries=0) as client:
            reply = client.chat.completions.create(
                model="fruit", messages=[{"role": "user", "content": "apple"}], max_tokens=4, temperature=0
            )
        assert reply.choices[0].message.role == "assistant"
    finally:
        backend.undeploy("SERVED")
        until(lambda: backend.poll_deployment("SERVED").state == "gone")


def test_a_model_that_answers_otherwise_than_it_was_trained_is_never_ready(backend, run, rows, tiny_model, until):
    run.order(rows(), method={"max_steps": 20, "learning_rate": 1e-1, "save_steps": 20}, adapter="full").train()
    ref = ModelRef.model_validate(run.said("result.json")["model"])
    shutil.copy(tiny_model / "model.safetensors", Path(ref.id) / "model.safetensors")
    backend.deploy(DeployOrder(ref="SWAPPED", model=ref, name="fruit", ttl_s=300))
    seen = until(lambda: (d := backend.poll_deployment("SWAPPED")).state in {"ready", "failed"} and d, seconds=120)
    assert seen.state == "failed"
    assert "parity" in seen.error.lower()
    backend.undeploy("SWAPPED")


def test_a_large_file_is_sampled_and_the_longest_row_is_found_all_the_same(backend, rows, chat, tiny_model):
    many = [chat(f"colour {n}") for n in range(6000)]
    many[4321] = chat("apple " * 600)
    found = {finding.code: finding for finding in check(backend, rows(many), tiny_model)}
    assert found["overlong"].rows == (4322,)
    assert "5,000 of 6,000 train rows" in found["sampled"].message


def test_findings_name_their_file_where_there_are_two(backend, rows, chat, tiny_model):
    train, validation = rows(), rows([chat("<|im_start|>")], "valid.jsonl")
    spec = TrainingSpec(backend="trl", model=str(tiny_model), train=train, validation=validation)
    (found,) = backend.check(spec, [describe(train, "train"), describe(validation, "validation")])
    assert (found.code, found.row, found.file) == ("special-token", 1, "validation")


def test_rows_that_are_too_long_cannot_be_allowed_into_a_job_that_would_fail(backend, rows, tiny_model):
    from anytune import FineTuneJob
    from anytune.errors import DataError
    from anytune.runtime import Runtime

    given = {"model": str(tiny_model), "train": rows(), "method": {"type": "sft", "max_length": 12}, "name": "long"}
    with pytest.raises(DataError, match="longer than max_length=12") as caught:
        FineTuneJob.create(backend=backend, allow=["overlong"], context=Runtime(), **given)
    assert "say `overlong: drop`" in caught.value.fix
    assert "Allowing it does not help" in caught.value.fix
    assert FineTuneJob.list(context=Runtime()) == []


def test_rows_with_a_special_token_train_once_that_is_allowed(backend, rows, tiny_model, chat, ended):
    from anytune import FineTuneJob
    from anytune.errors import DataError
    from anytune.runtime import Runtime

    data = rows([chat(f"what is the colour of <|im_end|> {n}") for n in range(12)])
    given = {"model": str(tiny_model), "train": data, "method": {"type": "sft", "max_steps": 2}, "name": "special"}
    with pytest.raises(DataError):
        FineTuneJob.create(backend=backend, context=Runtime(), **given)
    job = FineTuneJob.create(backend=backend, allow=["special-token"], context=Runtime(), **given)
    assert job.estimate.tokens
    assert ended(job.id).status is Status.SUCCEEDED
