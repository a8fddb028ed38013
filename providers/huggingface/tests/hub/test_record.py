"""The record of a remote job: what is in it is whole, whoever is interrupted, and every write may be sent again."""

from __future__ import annotations

import threading

import pytest

from anytune.errors import ConfigError, MalformedReply, NotFound, QuotaExceeded, Rejected, Unreachable
from anytune.testing.simulators.faults import WireFault
from anytune_huggingface import checkpoints
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.record import Record, State, repo_name

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the library's own upload of large files

REF = "01K9ZZZZZZZZZZZZABCDEFGHJK"
ORDER = {"ref": REF, "name": "colours", "model": "acme/tiny@" + "a" * 40}
COMMIT = "POST /api/models/{repo}/commit/{revision}"


@pytest.fixture
def record(hub):
    return Record.of(hub, "colours", REF)


@pytest.fixture
def made(record):
    record.create(ORDER)
    return record


def repo_of(sim, record):
    return sim.store.get("model", record.repo)


def hurt(sim, *faults):
    sim.faults = sim.faults.with_calls(*faults)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("colours", "anytune-colours-abcdefghjk"),
        ("My colours / v2!", "anytune-my-colours-v2-abcdefghjk"),
        ("дата", "anytune-abcdefghjk"),
        ("x" * 200, "anytune-" + "x" * 77 + "-abcdefghjk"),
    ],
)
def test_a_repository_is_named_by_job_and_ref(name, wanted):
    assert repo_name(name, REF) == wanted
    assert len(repo_name(name, REF)) <= 96


def test_a_record_is_private_and_holds_its_order(sim, made):
    assert made.repo == "ada/anytune-colours-abcdefghjk"
    assert repo_of(sim, made).private
    assert made.order() == ORDER
    assert made.exists()


def test_a_record_that_was_not_made_does_not_exist(record):
    assert not record.exists()
    for ask in (record.order, record.state, record.checkpoints, record.model, record.asked):
        with pytest.raises(NotFound):
            ask()


@pytest.mark.parametrize("lost", ["POST /api/repos/create", COMMIT])
def test_a_create_whose_reply_was_lost_is_made_whole_by_the_next(sim, record, lost):
    hurt(sim, WireFault(kind="drop_reply", on=lost))
    with pytest.raises(Unreachable):
        record.create(ORDER)
    record.create(ORDER)
    record.create(ORDER)
    assert record.order() == ORDER
    assert len(sim.store.all("model")) == 1
    assert sum("Order" in commit.title for commit in repo_of(sim, record).history()) == 1


def test_a_repository_without_its_order_is_not_there_yet(sim, hub, record):
    hub.create(record.repo)
    assert not record.exists()
    with pytest.raises(NotFound, match="no order"):
        record.order()


def test_the_record_of_another_job_is_not_taken(made):
    with pytest.raises(Rejected, match="belongs to job"):
        made.create({**ORDER, "ref": "another"})
    assert made.order() == ORDER


def test_a_public_repository_is_not_written_to(sim, record):
    sim.add("model", record.repo, {})
    with pytest.raises(Rejected, match="public"):
        record.create(ORDER)
    assert "anytune/order.json" not in repo_of(sim, record).files()


def test_a_state_comes_back_as_it_was_put(made):
    assert made.state() is None
    put = State(status="running", step=3, total_steps=10, ran_s=4.5, tokens_per_second=100.0)
    assert made.put_state(put)
    assert made.state() == put


def test_the_same_state_again_makes_no_commit(sim, made):
    state = State(status="running", step=3)
    made.put_state(state)
    before = repo_of(sim, made).sha
    assert made.put_state(state)
    assert repo_of(sim, made).sha == before


@pytest.mark.parametrize("status", ["finished", "failed", "cancelled"])
def test_nothing_follows_a_final_state(made, status):
    made.put_state(State(status=status))
    assert not made.put_state(State(status="running", part=2))
    assert made.state().status == status


def test_an_earlier_part_has_nothing_more_to_say(made):
    made.put_state(State(status="running", part=2, step=9))
    assert not made.put_state(State(status="paused", part=1, step=3))
    assert made.state().step == 9


def test_logs_go_with_the_state_in_one_commit(sim, made):
    before = len(repo_of(sim, made).commits)
    made.put_state(State(status="running"), events=b"one\ntwo\n", metrics=b"three\n")
    assert len(repo_of(sim, made).commits) == before + 1
    assert made.logs() == ["one", "two", "three"]


def test_a_job_that_is_cancelled_keeps_its_figures(made):
    made.put_state(State(status="paused", step=3, ran_s=4.5, part=2, error="Its time was up"))
    assert made.put_state(State.cancelled(made.state()))
    found = made.state()
    assert (found.status, found.step, found.ran_s, found.part, found.error) == ("cancelled", 3, 4.5, 2, "")


def test_wishes_follow_each_other_and_nothing_undoes_a_cancel(sim, made):
    assert made.asked() is None
    seen = []
    for wish in ("hold", "resume", "hold", "hold", "cancel", "resume"):
        made.ask(wish)
        seen.append(made.asked().wish)
    assert seen == ["hold", "resume", "hold", "hold", "cancel", "cancel"]
    assert sum(commit.title.startswith("Asked") for commit in repo_of(sim, made).history()) == 4


def test_two_writers_do_not_lose_each_others_words(sim, made):
    other = Record(Hub(token=sim.token, endpoint=sim.url), made.repo)
    errors = []

    def write(call):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the test's own report
            errors.append(error)

    calls = [lambda: made.put_state(State(status="running", step=1)), lambda: other.ask("hold")]
    threads = [threading.Thread(target=write, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert made.state().step == 1
    assert made.asked().wish == "hold"


def test_a_checkpoint_is_one_commit_with_its_manifest(sim, made, checkpoint):
    before = len(repo_of(sim, made).commits)
    made.push_checkpoint(checkpoint(4))
    assert len(repo_of(sim, made).commits) == before + 1
    [found] = made.checkpoints()
    sha = repo_of(sim, made).sha
    assert (found.id, found.step, found.model) == ("checkpoint-4", 4, f"{made.repo}@{sha}:checkpoints/checkpoint-4")
    assert found.metrics == {"loss": 0.25}
    assert found.created_at is not None


def test_a_checkpoint_that_is_not_whole_is_not_pushed(sim, made, checkpoint):
    folder = checkpoint(4)
    (folder / "model.safetensors").write_bytes(b"other")
    before = repo_of(sim, made).sha
    with pytest.raises(ConfigError, match="was changed"):
        made.push_checkpoint(folder)
    assert repo_of(sim, made).sha == before


def test_old_checkpoints_go_with_the_commit_that_brings_a_new_one(made, checkpoint):
    for step in (5, 10, 100):
        made.push_checkpoint(checkpoint(step), keep=2)
    assert [each.step for each in made.checkpoints()] == [10, 100]


def test_a_checkpoint_that_was_made_again_replaces_all_of_the_old_one(sim, made, checkpoint, tmp_path):
    made.push_checkpoint(checkpoint(4, **{"stale.txt": "old"}))
    made.push_checkpoint(checkpoint(4, content=b"new", folder=tmp_path / "again"))
    target, problems = made.fetch_checkpoint(tmp_path / "fetched")
    assert problems == []
    assert (target / "model.safetensors").read_bytes() == b"new4"
    assert not (target / "stale.txt").exists()


@pytest.mark.parametrize("kind", ["drop_reply", "truncated"])
def test_a_checkpoint_whose_reply_was_lost_is_there_and_is_not_sent_again(sim, made, checkpoint, kind):
    folder = checkpoint(4)
    hurt(sim, WireFault(kind=kind, on=COMMIT, skip=1))  # the first made the record
    with pytest.raises(Unreachable):
        made.push_checkpoint(folder)
    before = repo_of(sim, made).sha
    made.push_checkpoint(folder)
    assert repo_of(sim, made).sha == before
    assert [each.step for each in made.checkpoints()] == [4]


@pytest.mark.parametrize("on", ["POST /api/models/{repo}/preupload/{revision}", COMMIT])
def test_a_push_that_broke_leaves_no_half_checkpoint(sim, made, checkpoint, on):
    hurt(sim, WireFault(kind="error", on=on, status=507, skip=1, times=20))
    with pytest.raises(Unreachable):
        made.push_checkpoint(checkpoint(4))
    assert made.checkpoints() == []
    assert not any(path.startswith("checkpoints/") for path in repo_of(sim, made).files())


def test_large_files_go_the_same_way(start, checkpoint, tmp_path):
    sim = start(lfs_from_bytes=4)
    record = Record.of(Hub(token=sim.token, endpoint=sim.url), "colours", REF)
    record.create(ORDER)
    folder = checkpoint(7)
    record.push_checkpoint(folder)
    target, problems = record.fetch_checkpoint(tmp_path / "fetched")
    assert (target, problems) == (tmp_path / "fetched" / "checkpoint-7", [])
    assert checkpoints.problem(target) is None


@pytest.mark.parametrize("on", ["POST /{repo}.git/info/lfs/objects/batch", "PUT /lfs/{oid}"])
def test_a_large_file_that_broke_off_leaves_no_half_checkpoint(start, checkpoint, on):
    sim = start()
    record = Record.of(Hub(token=sim.token, endpoint=sim.url), "colours", REF)
    record.create(ORDER)
    sim.lfs_from_bytes = 4
    hurt(sim, WireFault(kind="error", on=on, status=507, times=99))
    with pytest.raises(Unreachable):
        record.push_checkpoint(checkpoint(7))
    assert record.checkpoints() == []


def test_a_large_file_that_may_not_be_paid_is_told_with_what_to_do(start, checkpoint):
    sim = start()
    record = Record.of(Hub(token=sim.token, endpoint=sim.url), "colours", REF)
    record.create(ORDER)
    sim.lfs_from_bytes = 4
    hurt(sim, WireFault(kind="refuse", on="POST /{repo}.git/info/lfs/objects/batch", name="payment_required"))
    with pytest.raises(QuotaExceeded, match="billing"):
        record.push_checkpoint(checkpoint(7))


def test_the_newest_checkpoint_is_fetched_and_verified(made, checkpoint, tmp_path):
    for step in (9, 10):
        made.push_checkpoint(checkpoint(step))
    target, problems = made.fetch_checkpoint(tmp_path / "fetched")
    assert target.name == "checkpoint-10"
    assert problems == []
    assert sorted(path.name for path in (tmp_path / "fetched").iterdir()) == ["checkpoint-10"]


def test_a_checkpoint_that_was_changed_on_the_hub_is_passed_over(sim, made, checkpoint, tmp_path):
    for step in (9, 10):
        made.push_checkpoint(checkpoint(step))
    files = repo_of(sim, made).files()
    sim.add("model", made.repo, files | {"checkpoints/checkpoint-10/model.safetensors": b"evil"})
    target, problems = made.fetch_checkpoint(tmp_path / "fetched")
    assert target.name == "checkpoint-9"
    assert problems == ["checkpoint-10: model.safetensors was changed"]


def test_a_checkpoint_that_is_here_already_is_not_fetched_again(sim, made, checkpoint, tmp_path):
    made.push_checkpoint(checkpoint(9))
    made.fetch_checkpoint(tmp_path / "fetched")
    before = sim.count("GET /{repo}/resolve/{revision}/{path}")
    made.fetch_checkpoint(tmp_path / "fetched")
    assert sim.count("GET /{repo}/resolve/{revision}/{path}") == before


def test_without_a_checkpoint_there_is_none_to_fetch(made, tmp_path):
    assert made.fetch_checkpoint(tmp_path / "fetched") == (None, [])


def test_model_result_and_final_state_come_in_one_commit(sim, made, model_folder, checkpoint):
    made.push_checkpoint(checkpoint(4))
    before = len(repo_of(sim, made).commits)
    merged = model_folder("merged", **{"training_args.bin": "x", "optimizer.pt": "x", "parity.json": "{}"})
    adapter = model_folder("adapter", adapter_config__json='{"base_model_name_or_path": "acme/tiny"}')
    assert made.model() is None
    assert made.result() is None
    assert made.push_model(
        merged,
        adapter=adapter,
        state=State(status="finished", step=9),
        result={"model": {"id": "here"}},
        card="---\nlicense: mit\n---\n# Card\n",
    )
    assert len(repo_of(sim, made).commits) == before + 1
    files = repo_of(sim, made).files()
    assert {"config.json", "model.safetensors", "README.md", "adapter/adapter_config.json", "anytune/result.json"} <= set(files)
    assert not {"training_args.bin", "optimizer.pt"} & set(files)
    assert made.state().status == "finished"
    assert made.result() == {"model": {"id": "here"}}
    sha = repo_of(sim, made).sha
    model = made.model()
    assert (model.id, model.base_model, model.artifacts["adapter"]) == (f"{made.repo}@{sha}", ORDER["model"], f"{made.repo}@{sha}:adapter")


def test_a_model_that_is_there_is_not_sent_again(sim, made, model_folder):
    said = {"state": State(status="finished"), "result": {"model": {}}, "card": "---\nlicense: mit\n---\n"}
    hurt(sim, WireFault(kind="drop_reply", on=COMMIT, skip=1))
    with pytest.raises(Unreachable):
        made.push_model(model_folder(), **said)
    before = repo_of(sim, made).sha
    assert made.push_model(model_folder(), **said)
    assert repo_of(sim, made).sha == before


def test_a_cancelled_job_brings_no_model(sim, made, model_folder):
    made.put_state(State(status="cancelled"))
    assert not made.push_model(model_folder(), state=State(status="finished"), result={}, card="---\nlicense: mit\n---\n")
    assert made.result() is None
    assert made.state().status == "cancelled"


@pytest.mark.parametrize("content", ["nonsense", "[1]", '{"status": "dancing"}'])
def test_a_state_that_somebody_spoiled_is_said_to_be_so(sim, made, content):
    sim.add("model", made.repo, repo_of(sim, made).files() | {"anytune/state.json": content})
    with pytest.raises(MalformedReply):
        made.state()


def test_a_record_is_deleted_and_its_absence_is_no_error(sim, made):
    made.delete()
    assert repo_of(sim, made) is None
    made.delete()


def test_a_delete_whose_reply_was_lost_is_done(sim, made):
    hurt(sim, WireFault(kind="drop_reply", on="DELETE /api/repos/delete"))
    with pytest.raises(Unreachable):
        made.delete()
    made.delete()
    assert not made.exists()
