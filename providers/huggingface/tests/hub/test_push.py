"""Publishing a model: one commit with what belongs into it, private unless asked otherwise, and nothing of others overwritten unasked."""

from __future__ import annotations

import json

import pytest
import yaml

from anytune.backend import PushOrder
from anytune.errors import AuthError, ConfigError, NotFound, QuotaExceeded, Rejected, Unreachable
from anytune.testing.simulators.faults import WireFault
from anytune.values import ModelRef
from anytune_huggingface.hub.card import card
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.models.push import push

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the library's own upload of large files

COMMIT = "POST /api/models/{repo}/commit/{revision}"
CREATE = "POST /api/repos/create"
BASE = "acme/tiny@" + "b" * 40
LEFT_BEHIND = {
    "training_args.bin": "x",
    "optimizer.pt": "x",
    "optimizer.safetensors": "x",
    "parity.json": '{"rows": ["secret prompt"]}',
    "trainer_state.json": "{}",
}


@pytest.fixture
def tuned(model_folder, tmp_path):
    """A model as a job leaves it on this machine."""

    def make(name="run", *, weights=b"\0" * 64, base=BASE):
        run = tmp_path / name
        merged = model_folder(f"{name}/merged", weights=weights, **LEFT_BEHIND, chat_template__jinja="{{ messages }}")
        (merged / "config.json").write_text(json.dumps({"model_type": "llama", "_name_or_path": str(run)}))
        (merged / "checkpoint-4").mkdir(exist_ok=True)
        (merged / "checkpoint-4" / "model.safetensors").write_bytes(b"x")
        adapter = run / "adapter"
        adapter.mkdir(exist_ok=True)
        about = {"peft_type": "LORA", "r": 4, "base_model_name_or_path": str(tmp_path / "cache" / "snapshots" / "tiny")}
        (adapter / "adapter_config.json").write_text(json.dumps(about))
        (adapter / "adapter_model.safetensors").write_bytes(weights[:8])
        (run / "README.md").write_text("---\nlibrary_name: transformers\nbase_model: " + str(tmp_path / "tiny") + "\n---\n\n# Colours\n")
        (run / "parity.json").write_text('{"rows": ["secret prompt"]}')
        artifacts = {"merged": str(merged), "adapter": str(adapter), "card": str(run / "README.md"), "parity": str(run / "parity.json")}
        return ModelRef(id=str(merged), base_model=base, artifacts=artifacts)

    return make


def repo(sim, name="ada/colours"):
    return sim.store.get("model", name)


def to(**more):
    return PushOrder(repo="ada/colours", **more)


def hurt(sim, *faults):
    sim.faults = sim.faults.with_calls(*faults)


def test_a_model_goes_privately_and_in_one_commit(sim, hub, tuned):
    pushed = push(hub, tuned(), to())
    assert repo(sim).private
    assert pushed.private
    assert pushed.revision == repo(sim).sha
    assert sim.count(COMMIT) == 1
    assert pushed.files == ("README.md", "chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json")
    assert set(repo(sim).files()) == {*pushed.files, ".gitattributes"}
    assert pushed.size_bytes == sum(len(content) for name, content in repo(sim).files().items() if name != ".gitattributes")
    assert pushed.url == f"{sim.url}/ada/colours"


def test_no_path_and_no_prompt_of_this_machine_goes_along(sim, hub, tuned, tmp_path):
    push(hub, tuned(), to())
    push(hub, tuned(), PushOrder(repo="ada/adapter", adapter=True))
    for content in (*repo(sim).files().values(), *repo(sim, "ada/adapter").files().values()):
        assert str(tmp_path).encode() not in content
        assert b"secret prompt" not in content


def test_the_card_names_the_base_as_the_hub_knows_it(sim, hub, tuned):
    push(hub, tuned(), to())
    text = repo(sim).files()["README.md"].decode()
    assert yaml.safe_load(text.split("---\n")[1])["base_model"] == "acme/tiny"
    assert text.endswith("# Colours\n")


def test_an_adapter_goes_alone_and_names_its_base_with_its_commit(sim, hub, tuned):
    pushed = push(hub, tuned(), to(adapter=True))
    assert pushed.files == ("README.md", "adapter_config.json", "adapter_model.safetensors")
    about = json.loads(repo(sim).files()["adapter_config.json"])
    assert (about["base_model_name_or_path"], about["revision"], about["r"]) == ("acme/tiny", "b" * 40, 4)


@pytest.mark.parametrize(("base", "named"), [("starter", "starter"), (None, "tiny"), ("/somewhere/else/my-base", "my-base")])
def test_an_adapter_of_a_local_base_names_no_path(sim, hub, tuned, base, named):
    push(hub, tuned(base=base), to(adapter=True))
    assert json.loads(repo(sim).files()["adapter_config.json"])["base_model_name_or_path"] == named


def test_the_same_again_changes_nothing(sim, hub, tuned):
    first = push(hub, tuned(), to())
    assert push(Hub(token=sim.token, endpoint=sim.url), tuned(), to()) == first
    assert sim.count(COMMIT) == 1


def test_a_card_that_was_edited_on_the_hub_stays(sim, hub, tuned):
    push(hub, tuned(), to())
    sim.add("model", "ada/colours", repo(sim).files() | {"README.md": "---\nlicense: mit\n---\nMine\n"})
    pushed = push(hub, tuned(), to())
    assert pushed.revision == repo(sim).sha
    assert repo(sim).files()["README.md"].endswith(b"Mine\n")


@pytest.mark.parametrize("lost", [CREATE, COMMIT])
def test_a_push_whose_reply_was_lost_is_not_made_twice(sim, hub, tuned, lost):
    hurt(sim, WireFault(kind="drop_reply", on=lost))
    with pytest.raises(Unreachable):
        push(hub, tuned(), to())
    pushed = push(hub, tuned(), to())
    assert pushed.revision == repo(sim).sha
    assert sim.count(CREATE) == 1
    assert len(repo(sim).commits) == 2  # the first is the Hub's own


@pytest.mark.parametrize(
    ("name", "on", "kind"),
    [
        ("read_token", CREATE, AuthError),
        ("payment_required", CREATE, QuotaExceeded),
        ("bad_token", "GET /api/models/{repo}", AuthError),
        ("read_token", COMMIT, AuthError),
        ("server_error", COMMIT, Unreachable),
    ],
)
def test_a_refusal_is_told_with_what_to_do(sim, hub, tuned, name, on, kind):
    hurt(sim, WireFault(kind="refuse", on=on, name=name))
    with pytest.raises(kind) as caught:
        push(hub, tuned(), to())
    assert sim.token not in f"{caught.value} {caught.value.raw}"


def test_another_model_is_not_overwritten_unasked(sim, hub, tuned):
    first = push(hub, tuned(), to())
    with pytest.raises(Rejected, match="holds another model"):
        push(hub, tuned("other", weights=b"\1" * 64), to())
    assert repo(sim).sha == first.revision


def test_something_else_is_not_overwritten_unasked(sim, hub, tuned):
    sim.add("model", "ada/colours", {"train.py": "print()"}, private=True)
    with pytest.raises(Rejected, match="holds something else"):
        push(hub, tuned(), to())
    assert set(repo(sim).files()) == {"train.py"}


def test_a_repository_in_which_nothing_is_yet_is_taken(sim, hub, tuned):
    sim.add("model", "ada/colours", {"README.md": "---\nlicense: mit\n---\n", ".gitattributes": "x"}, private=True)
    assert "model.safetensors" in push(hub, tuned(), to()).files
    assert repo(sim).files()[".gitattributes"] == b"x"


def test_replacing_leaves_nothing_of_the_other_model(sim, hub, tuned):
    sim.add(
        "model",
        "ada/colours",
        {"model-00001-of-00002.safetensors": b"\1" * 9, "training_args.bin": b"x", "config.json": "{}"},
        private=True,
    )
    pushed = push(hub, tuned(), to(replace=True))
    assert set(repo(sim).files()) == set(pushed.files)
    assert not {"model-00001-of-00002.safetensors", "training_args.bin"} & set(pushed.files)


def test_an_adapter_does_not_take_the_place_of_merged_weights_unasked(hub, tuned):
    push(hub, tuned(), to())
    with pytest.raises(Rejected, match="another form"):
        push(hub, tuned(), to(adapter=True))


def test_a_private_repository_stays_private(sim, hub, tuned):
    push(hub, tuned(), to())
    assert push(hub, tuned(), to(private=False)).private
    assert repo(sim).private


def test_a_public_repository_is_refused_what_should_be_private(sim, hub, tuned):
    assert not push(hub, tuned(), to(private=False)).private
    with pytest.raises(Rejected, match="is public"):
        push(hub, tuned(), to())


def test_a_branch_is_made_and_main_stays(sim, hub, tuned):
    first = push(hub, tuned(), to())
    pushed = push(hub, tuned("other", weights=b"\1" * 64), to(branch="v2", replace=True))
    assert repo(sim).branches == {"main": first.revision, "v2": pushed.revision}
    assert pushed.url.endswith("/ada/colours/tree/v2")


def test_a_refused_push_makes_no_branch(sim, hub, tuned):
    push(hub, tuned(), to())
    with pytest.raises(Rejected):
        push(hub, tuned("other", weights=b"\1" * 64), to(branch="v2"))
    assert set(repo(sim).branches) == {"main"}


def test_the_message_is_the_commits(sim, hub, tuned):
    push(hub, tuned(), to(message="First colours"))
    assert repo(sim).history()[0].title == "First colours"


@pytest.mark.parametrize("word", ["no-such-model", "/no/such/folder", "ada/nothing", f"ada/nothing@{'a' * 40}"])
def test_a_model_that_is_not_there_makes_no_repository(sim, hub, word):
    with pytest.raises(NotFound):
        push(hub, ModelRef(id=word), to())
    assert sim.store.all("model") == []


def test_a_model_without_an_adapter_has_none_to_publish(sim, hub, tuned):
    model = tuned()
    with pytest.raises(NotFound, match="has no adapter"):
        push(hub, model.model_copy(update={"artifacts": {"merged": model.id}}), to(adapter=True))
    assert sim.store.all("model") == []


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_is_not_published(sim, hub, tuned, tmp_path, name):
    model = tuned()
    (tmp_path / "run" / "merged" / name).write_text('{"auto_map": {"AutoModel": "own.Model"}}')
    with pytest.raises(ConfigError, match="custom code"):
        push(hub, model, to())
    assert sim.store.all("model") == []


def test_a_model_of_the_hub_is_published_from_there(sim, hub):
    files = {
        "config.json": '{"model_type": "llama"}',
        "model.safetensors": b"\2" * 9,
        "anytune/order.json": "{}",
        "anytune/events.jsonl": "{}",
    }
    about = json.dumps({"base_model_name_or_path": "acme/tiny"})
    files |= {"README.md": "---\nlicense: mit\n---\n# There\n", "checkpoints/checkpoint-4/model.safetensors": b"x"}
    files |= {"adapter/adapter_config.json": about, "adapter/adapter_model.safetensors": b"\3"}
    sha = sim.add("model", "ada/anytune-run", files, private=True).sha
    model = ModelRef(id=f"ada/anytune-run@{sha}", base_model=BASE, artifacts={"adapter": f"ada/anytune-run@{sha}:adapter"})
    assert push(hub, model, to()).files == ("README.md", "config.json", "model.safetensors")
    assert repo(sim).files()["model.safetensors"] == b"\2" * 9
    assert repo(sim).files()["README.md"].endswith(b"# There\n")
    assert push(hub, model, PushOrder(repo="ada/small", adapter=True)).files == (
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    )


def test_large_files_and_small_ones_are_told_apart_alike(start, tuned):
    sim = start(lfs_from_bytes=4)
    hub = Hub(token=sim.token, endpoint=sim.url)
    first = push(hub, tuned(), to())
    assert push(hub, tuned(), to()) == first
    with pytest.raises(Rejected):
        push(hub, tuned("other", weights=b"\1" * 64), to())


def test_a_card_without_a_head_gets_one():
    assert card("# Words\n", "acme/tiny@v1:adapter") == "---\nlibrary_name: transformers\nbase_model: acme/tiny\n---\n# Words\n"
    assert "base_model" not in card("", "/srv/somebody/tiny")
    assert "from tiny with anytune" in card("", "/srv/somebody/tiny")


def test_a_card_with_a_broken_head_is_refused():
    with pytest.raises(ConfigError, match="no YAML"):
        card("---\na: [\n---\n", None)
