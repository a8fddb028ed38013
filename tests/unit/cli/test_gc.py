from __future__ import annotations

import json

import pytest

from anytune.local import Task, TaskState
from anytune.runtime import runtime


def run_folder(cli, ref, *, ledger=None):
    """What a local job leaves: its order, a checkpoint, and a merged model."""
    folder = cli.home / "runs" / ref
    for name in ("checkpoint-2", "merged"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").write_bytes(b"w" * 1000)
    order = {"ref": ref} if ledger is None else {"ref": ref, "ledger": ledger}
    (folder / "order.json").write_text(json.dumps(order))
    return folder


def data_copy(cli, sha256):
    path = cli.home / "files" / f"{sha256}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}\n")
    return path


def task(cli, ref, status, *, engine=()):
    """The agent's record of a task, without an agent."""
    folder = cli.home / "local" / "tasks" / ref
    folder.mkdir(parents=True)
    run_dir = cli.home / "runs" / ref
    if engine:
        made = Task(id=ref, kind="serve", run_dir=run_dir, serve={"engine": engine, "model": "m", "engine_model": "m"})
    else:
        made = Task(id=ref, run_dir=run_dir, argv=("python",))
    (folder / "task.json").write_text(made.model_dump_json())
    (folder / "state.json").write_text(TaskState(id=ref, kind=made.kind, status=status).model_dump_json())
    return folder


def job(cli, words, name="minutes", *flags):
    cli.configure(trial=f"life = {{ words = {words} }}")
    cli("run", cli.spec(name), "--no-wait", *flags)
    return cli.json("jobs", "show", name)


def swept(cli):
    """Delete, and give what went."""
    return {item["path"] for item in cli.json("gc", "--yes")["items"]}


def test_nothing_goes_from_an_empty_home(cli):
    cli("gc")
    assert cli.code == 0
    assert "Nothing can go" in cli.err


@pytest.mark.parametrize("words", [["running"], ["queued"], ["paused"], ["surprising"]])
def test_a_job_that_has_not_ended_keeps_everything(cli, words):
    found = job(cli, words)
    folder = run_folder(cli, found["id"])
    sha256 = runtime().ledger.job(found["id"]).data["train"].sha256
    copy = data_copy(cli, sha256)
    assert swept(cli) == set()
    assert (folder / "checkpoint-2").exists()
    assert copy.exists()


@pytest.mark.parametrize("word", ["failed", "cancelled"])
def test_a_job_that_ended_without_a_model_leaves_nothing(cli, word):
    folder = run_folder(cli, job(cli, [word])["id"])
    assert swept(cli) == {str(folder)}
    assert list(folder.parent.iterdir()) == []


def test_a_job_that_succeeded_keeps_its_model_and_loses_its_checkpoints(cli):
    folder = run_folder(cli, job(cli, ["succeeded"])["id"])
    assert swept(cli) == {str(folder / "checkpoint-2")}
    assert (folder / "merged" / "model.safetensors").exists()


def test_a_removed_job_leaves_nothing(cli):
    found = job(cli, ["succeeded"])
    folder, record = run_folder(cli, found["id"]), task(cli, found["id"], "succeeded")
    cli("jobs", "rm", "minutes")
    assert swept(cli) == {str(folder), str(record)}
    assert not record.exists()


def test_what_another_ledger_ordered_is_kept(cli):
    cli("jobs", "list")
    theirs = run_folder(cli, "01JZZZZZZZZZZZZZZZZZZZZZZZ", ledger="another")
    ours = run_folder(cli, "01JYYYYYYYYYYYYYYYYYYYYYYY", ledger=runtime().ledger.uuid)
    assert swept(cli) == {str(ours)}
    assert theirs.exists()


def test_a_run_of_an_unknown_ledger_is_kept_where_the_ledger_is_not_the_homes_own(cli, monkeypatch):
    folder = run_folder(cli, "01JZZZZZZZZZZZZZZZZZZZZZZZ")
    monkeypatch.setenv("ANYTUNE_LEDGER", f"sqlite:///{cli.folder / 'team.db'}")
    assert swept(cli) == set()
    assert folder.exists()


@pytest.mark.parametrize("status", ["queued", "running", "paused"])
def test_a_task_that_has_not_ended_keeps_its_folder_whatever_the_ledger_says(cli, status):
    folder, record = run_folder(cli, "01JZZZZZZZZZZZZZZZZZZZZZZZ"), task(cli, "01JZZZZZZZZZZZZZZZZZZZZZZZ", status)
    assert swept(cli) == set()
    assert folder.exists()
    assert record.exists()


def test_a_model_that_is_being_served_is_kept_though_its_job_was_removed(cli):
    found = job(cli, ["succeeded"])
    folder = run_folder(cli, found["id"])
    task(cli, "01JSERVESERVESERVESERVESER", "ready", engine=("serve", str(folder / "merged")))
    cli("jobs", "rm", "minutes")
    assert swept(cli) == set()
    assert (folder / "merged").exists()


def test_a_checkpoint_that_is_trained_further_is_kept(cli):
    folder = run_folder(cli, job(cli, ["succeeded"])["id"])
    cli.configure(trial='life = { words = ["running"] }')
    cli("run", cli.spec("further", model=str(folder / "checkpoint-2")), "--no-wait")
    assert cli.code == 0
    assert swept(cli) == set()


def test_a_copy_of_data_goes_once_its_jobs_have_ended(cli):
    found = job(cli, ["succeeded"])
    copy = data_copy(cli, runtime().ledger.job(found["id"]).data["train"].sha256)
    assert swept(cli) == {str(copy)}


@pytest.mark.parametrize("words", [["running"], ["failed"]])
def test_a_converted_file_is_kept_while_its_job_lives_and_goes_afterwards(cli, words):
    cli.configure(trial=f"life = {{ words = {words} }}")
    spec = cli.spec(train="table.csv")
    (cli.folder / "table.csv").write_text("question,answer\n" + "".join(f"{n}?,{n}!\n" for n in range(12)))
    cli("run", spec, "--no-wait")
    sent = cli.json("jobs", "show", "minutes")["status"]
    (converted,) = (cli.home / "data").iterdir()
    assert (str(converted) in swept(cli)) is (sent == "failed")


def test_sizes_are_shown_first_and_a_dry_run_deletes_nothing(cli):
    folder = run_folder(cli, job(cli, ["failed"])["id"])
    shown = cli.json("gc", "--dry-run")
    assert shown["deleted"] is False
    assert shown["size_bytes"] > 2000
    cli("gc", "--dry-run")
    assert "2.1 kB" in cli.out or "2.0 kB" in cli.out
    assert folder.exists()


def test_checkpoints_stay_as_long_as_the_server_offers_their_model(cli):
    from anytune.server.book import Book

    made = job(cli, ["succeeded"])
    folder = run_folder(cli, made["id"])
    book = Book(runtime().ledger.database)
    order, _ = book.jobs.add("ann", {"model": "m"}, "m", {})
    book.jobs.change(order.id, ledger_id=made["id"], fine_tuned_model="ft:m:anytune::x", status="succeeded", stage="ended")
    assert swept(cli) == set()
    book.jobs.change(order.id, model_deleted=True)
    swept(cli)
    assert not (folder / "checkpoint-2").exists()


def test_without_anybody_to_ask_nothing_is_deleted(cli):
    folder = run_folder(cli, job(cli, ["failed"])["id"])
    cli("gc")
    assert cli.code == 2
    assert "--yes" in cli.err
    assert folder.exists()


def test_a_link_is_not_followed(cli):
    outside = cli.folder / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (cli.home / "runs").mkdir(parents=True)
    (cli.home / "runs" / "01JZZZZZZZZZZZZZZZZZZZZZZZ").symlink_to(outside)
    assert swept(cli) == set()
    assert (outside / "precious").exists()
