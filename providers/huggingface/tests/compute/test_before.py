"""What is known before anything is ordered: what keeps a run from the cloud, and what it will cost."""

from __future__ import annotations

import pytest

from anytune.errors import ConfigError
from anytune.spec import TrainingSpec
from anytune.values import Quote
from anytune_huggingface.compute.choice import chosen
from anytune_huggingface.compute.cloud import seconds


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("{}\n")
    return lambda **more: TrainingSpec(backend="trl", model="acme/tiny", train=path, name="job", **({"method": {"type": "sft"}} | more))


def codes(compute, spec, model="acme/tiny"):
    return [(found.code, found.severity) for found in compute.check(spec, model)]


def test_a_good_run_finds_nothing(hub, spec):
    assert codes(chosen("hf_jobs:l4x1"), spec()) == []


def test_an_unknown_flavor_is_named_with_the_nearest(hub, spec):
    (found,) = chosen("hf_jobs:a10-small").check(spec(), "acme/tiny")
    assert (found.code, found.fix) == ("flavor", "Did you mean `a10g-small`?")


def test_spaces_have_their_own_flavors(hub, spec):
    assert codes(chosen("spaces:h200"), spec()) == [("flavor", "error")]


@pytest.mark.parametrize("model", ["starter", "/models/mine", "./mine", "mine"])
def test_a_model_of_this_machine_is_refused(hub, spec, model):
    assert codes(chosen("hf_jobs"), spec(), model) == [("model", "error")]


def test_a_pinned_checkpoint_is_taken(hub, spec):
    assert codes(chosen("hf_jobs"), spec(), f"acme/tiny@{'0' * 40}:checkpoints/checkpoint-4") == []


def test_qlora_needs_a_gpu(hub, spec):
    assert codes(chosen("hf_jobs:cpu-basic"), spec(adapter={"type": "qlora"})) == [("adapter", "error")]


def test_an_old_gpu_is_slow(hub, spec):
    assert codes(chosen("hf_jobs:t4-small"), spec()) == [("device", "warning")]


def test_without_a_token_nothing_goes(hub, spec, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    assert codes(chosen("hf_jobs"), spec()) == [("token", "error")]


def test_offline_nothing_goes(hub, spec, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert codes(chosen("hf_jobs"), spec()) == [("offline", "error")]


def test_a_quote_has_the_price_of_its_minutes(hub):
    found = chosen("hf_jobs:l4x1").quote(Quote(minutes=30, basis="estimated"))
    assert found.cost_usd == pytest.approx(0.4)
    assert "0.8 USD an hour of l4x1, prices read on" in found.basis


def test_a_run_longer_than_the_timeout_is_said(hub):
    found = chosen({"type": "hf_jobs", "flavor": "l4x1", "timeout": "30m"}).quote(Quote(minutes=29))
    assert "longer than the timeout of 30m" in found.basis


def test_the_flavor_says_what_computes(hub):
    assert (chosen("hf_jobs:cpu-basic").device, chosen("hf_jobs:l4x1").device) == ("cpu", "cuda")


def test_the_account_names_the_payer(hub):
    assert chosen({"type": "hf_jobs", "namespace": "lab"}).account.endswith("/lab")
    assert chosen("hf_jobs").account.endswith("/acme")


@pytest.mark.parametrize(("said", "meant"), [("30m", 1800), ("4h", 14400), ("1.5h", 5400), (90, 90), ("2d", 172800), ("45s", 45)])
def test_times_are_read(said, meant):
    assert seconds(said) == meant


@pytest.mark.parametrize("said", ["", "soon", "-1", "0", "4 hours", 0])
def test_what_is_no_time_is_refused(said):
    with pytest.raises(ConfigError, match="is no time"):
        chosen({"type": "hf_jobs", "timeout": said})


def test_a_token_is_no_setting():
    with pytest.raises(ConfigError, match="Unknown setting `token`"):
        chosen({"type": "hf_jobs", "token": "hf_x"})
