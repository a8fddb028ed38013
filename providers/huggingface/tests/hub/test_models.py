"""Models of the Hub: a name stands for one commit, and what is fetched is checked before it is loaded."""

from __future__ import annotations

import json

import pytest

from anytune.errors import AuthError, ConfigError
from anytune.testing.simulators.faults import WireFault
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.names import HubName, name
from anytune_huggingface.models import folders

FILES = {
    "config.json": '{"model_type": "llama"}',
    "model.safetensors": b"\0" * 8,
    "tokenizer.json": "{}",
    "notes.txt": "no",
    "pytorch_model.bin": b"x",
}


@pytest.fixture
def tiny(sim):
    return sim.add("model", "acme/tiny", FILES)


@pytest.fixture
def unreachable():
    """The account of a Hub where nobody listens."""
    return Hub(token="hf_nobody", endpoint="http://127.0.0.1:9")


def test_names_are_read_and_written():
    assert name("acme/tiny") == HubName(repo="acme/tiny")
    assert name("acme/tiny@refs/pr/1:a/b") == HubName(repo="acme/tiny", revision="refs/pr/1", subfolder="a/b")
    for word in ("acme/tiny", "acme/tiny@v1", "acme/tiny:adapter", "acme/tiny@" + "a" * 40 + ":checkpoints/checkpoint-4"):
        assert str(name(word)) == word


@pytest.mark.parametrize("word", ["tiny", "/acme/tiny", "./acme/tiny", "a/b/c", "acme/tiny@", "acme/tiny:", "acme/ti ny", "-a/b", ""])
def test_what_is_no_name_is_none(word):
    assert name(word) is None


@pytest.mark.parametrize("folder", ["../x", "a/../../x", "/etc", "a//b", "."])
def test_a_folder_that_leads_out_is_refused(folder):
    with pytest.raises(ConfigError, match="no folder inside"):
        name(f"acme/tiny:{folder}")


def test_a_model_is_fetched_without_what_is_not_of_it(tiny, hub):
    folder = folders.resolve("acme/tiny", hub=hub)
    assert folder.name == tiny.sha
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_environment_says_where_and_who(tiny, sim, monkeypatch):
    sim.add("model", "ada/closed", FILES, private=True)
    monkeypatch.setenv("HF_ENDPOINT", sim.url)
    monkeypatch.setenv("HF_TOKEN", sim.token)
    assert folders.resolve("ada/closed").is_dir()


def test_without_weights_none_are_fetched(sim, tiny, hub):
    folder = folders.resolve("acme/tiny", weights=False, hub=hub)
    assert not (folder / "model.safetensors").exists()


def test_a_revision_is_what_it_was(sim, tiny, hub):
    first = tiny.sha
    sim.add("model", "acme/tiny", FILES | {"config.json": '{"model_type": "qwen3"}'})
    assert json.loads((folders.resolve(f"acme/tiny@{first}", hub=hub) / "config.json").read_text()) == {"model_type": "llama"}
    assert json.loads((folders.resolve("acme/tiny", hub=hub) / "config.json").read_text()) == {"model_type": "qwen3"}


def test_a_checkpoint_in_a_folder_is_a_model(sim, hub):
    sim.add("model", "acme/run", {f"checkpoints/checkpoint-4/{path}": content for path, content in FILES.items()} | {"config.json": "{}"})
    folder = folders.resolve("acme/run:checkpoints/checkpoint-4", hub=hub)
    assert folder.parts[-2:] == ("checkpoints", "checkpoint-4")
    assert not (folder.parents[1] / "config.json").exists()


def test_an_adapter_brings_its_base(sim, tiny, hub):
    about = json.dumps({"base_model_name_or_path": "acme/tiny", "peft_type": "LORA"})
    sim.add("model", "ada/run", {"adapter/adapter_config.json": about, "adapter/adapter_model.safetensors": b"\0" * 8})
    assert folders.resolve("ada/run:adapter", weights=False, hub=hub).name == tiny.sha


def test_an_adapter_of_itself_is_refused(sim, hub):
    about = json.dumps({"base_model_name_or_path": "ada/loop", "peft_type": "LORA"})
    sim.add("model", "ada/loop", {"adapter_config.json": about, "adapter_model.safetensors": b"\0" * 8})
    with pytest.raises(ConfigError, match="Merge them first"):
        folders.resolve("ada/loop", weights=False, hub=hub)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": '{"auto_map": {"AutoModel": "own.Model"}}'}, "custom code"),
        ({"tokenizer_config.json": '{"vocab_file": "/etc/hostname"}'}, "outside of the model's folder"),
        ({"tokenizer_config.json": '{"vocab_file": "../../../../secret"}'}, "outside of the model's folder"),
    ],
)
def test_what_could_run_code_or_read_files_is_refused(sim, hub, files, words):
    for place, model in (("", "acme/evil"), ("sub/", "acme/deep")):
        sim.add("model", model, {place + path: content for path, content in (FILES | files).items()})
    for word in ("acme/evil", "acme/deep:sub"):
        with pytest.raises(ConfigError, match=words):
            folders.resolve(word, hub=hub)


def test_pickles_are_not_even_fetched(sim, hub):
    sim.add("model", "acme/old", {"config.json": "{}", "pytorch_model.bin": b"x"})
    with pytest.raises(ConfigError, match=r"no model\.safetensors"):
        folders.resolve("acme/old", hub=hub)
    assert not any("pytorch_model" in asked.path for asked in sim.requests)


def test_a_model_that_is_not_there_says_so(sim, hub):
    for ask in (folders.resolve, folders.pinned):
        with pytest.raises(ConfigError, match=r"The Hub knows no model 'acme/nothing' that you may read"):
            ask("acme/nothing", hub=hub)


def test_a_revision_that_is_not_there_is_named(tiny, hub):
    for ask in (folders.resolve, folders.pinned):
        with pytest.raises(ConfigError, match=r"no revision 'v9' of 'acme/tiny'"):
            ask("acme/tiny@v9", hub=hub)


def test_a_gated_model_names_the_page_to_visit(sim, hub):
    sim.add("model", "meta/llama", FILES, gated="manual")
    with pytest.raises(AuthError, match=r"Visit https://huggingface\.co/meta/llama"):
        folders.resolve("meta/llama", hub=hub)


def test_a_refused_token_is_no_missing_model(sim, tiny):
    stranger = Hub(token="hf_" + "0" * 34, endpoint=sim.url)
    for ask in (folders.resolve, folders.pinned):
        with pytest.raises(AuthError, match="HF_TOKEN"):
            ask("acme/tiny", hub=stranger)


def test_a_name_is_pinned_to_the_commit_of_now(sim, tiny, hub):
    assert folders.pinned("acme/tiny", hub=hub) == f"acme/tiny@{tiny.sha}"
    assert folders.pinned("acme/tiny@main:adapter", hub=hub) == f"acme/tiny@{tiny.sha}:adapter"


def test_what_is_pinned_is_not_asked_for(sim, hub):
    word = f"acme/tiny@{'a' * 40}"
    assert folders.pinned(word, hub=hub) == word
    assert sim.requests == []


def test_folders_and_the_starter_stay_as_they_are(sim, hub, tmp_path):
    assert folders.pinned("starter", hub=hub) == "starter"
    assert folders.pinned(str(tmp_path), hub=hub) == str(tmp_path)
    assert sim.requests == []


def test_offline_a_name_stands_for_what_the_cache_holds(sim, tiny, hub, monkeypatch):
    folders.resolve("acme/tiny", hub=hub)
    sim.add("model", "acme/tiny", FILES | {"config.json": "{}"})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = len(sim.requests)
    assert folders.pinned("acme/tiny", hub=hub) == f"acme/tiny@{tiny.history()[1].oid}"
    assert folders.resolve("acme/tiny", hub=hub).name == tiny.history()[1].oid
    assert len(sim.requests) == before


def test_offline_what_is_not_in_the_cache_is_told(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for ask in (folders.resolve, folders.pinned):
        with pytest.raises(ConfigError, match="switched off by the environment") as caught:
            ask("acme/tiny", hub=hub)
        assert "`starter`" in str(caught.value)


def test_a_hub_that_is_away_leaves_what_the_cache_holds(tiny, hub, unreachable):
    folder = folders.resolve("acme/tiny", hub=hub)
    assert folders.pinned("acme/tiny", hub=unreachable) == f"acme/tiny@{tiny.sha}"
    assert folders.resolve("acme/tiny", hub=unreachable) == folder


def test_a_hub_that_is_away_is_told_where_the_cache_holds_nothing(unreachable):
    for ask in (folders.resolve, folders.pinned):
        with pytest.raises(ConfigError, match="cannot be had: the Hub cannot be reached"):
            ask("acme/tiny", hub=unreachable)


def test_from_the_cache_alone_nothing_is_asked(sim, tiny, hub):
    with pytest.raises(ConfigError, match="not in the cache"):
        folders.resolve("acme/tiny", local_only=True, hub=hub)
    assert sim.requests == []


def test_a_download_that_broke_off_is_no_model(sim, tiny, hub):
    sim.faults = sim.faults.with_calls(WireFault(kind="error", status=507, on="GET /{repo}/resolve/{revision}/{path}", times=99))
    with pytest.raises(ConfigError, match="cannot be had"):
        folders.resolve("acme/tiny", hub=hub)
    sim.faults = sim.faults.model_copy(update={"calls": ()})
    assert (folders.resolve("acme/tiny", hub=hub) / "model.safetensors").read_bytes() == b"\0" * 8


def test_the_token_is_in_no_message(sim, hub):
    sim.faults = sim.faults.with_calls(WireFault(kind="refuse", on="*", name="server_error", times=99))
    with pytest.raises(ConfigError) as caught:
        folders.resolve("acme/tiny", hub=hub)
    assert sim.token not in str(caught.value)


def test_an_order_records_the_commit_of_its_base(sim, tiny, monkeypatch):
    from anytune.backend import Order
    from anytune.spec import TrainingSpec
    from anytune_huggingface.compute import tasks
    from anytune_huggingface.compute.place import Program
    from anytune_huggingface.order import TrainOrder

    monkeypatch.setenv("HF_ENDPOINT", sim.url)
    monkeypatch.setenv("HF_TOKEN", sim.token)
    spec = TrainingSpec(model="acme/tiny", backend="trl", train="rows.jsonl")
    order = Order(ref="01REF", ledger="l", sequence=1, name="colours", spec=spec, spec_hash="h", model="acme/tiny")
    task = tasks.training(order, Program(backend="trl", module="anytune_trl.train", distributions=()))
    assert TrainOrder.read(task.run_dir).model == f"acme/tiny@{tiny.sha}"
    assert sim.token not in (task.run_dir / "order.json").read_text()
