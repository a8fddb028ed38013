"""From a host to another backend: what is fetched, what is refused, what is trained, and what comes out in the end."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from anytune import FineTuneJob
from anytune.errors import BudgetExceeded, ConfigError, NotFound, Unsupported
from anytune.migration import migrate
from anytune.testing.life import Life

HYPER = {"temperature": 0.0, "max_tokens": 64}


@pytest.fixture
def moved(context):
    def move(source, **more):
        given = {"to": "memory", "model": "base", "accept_losses": True, "poll_s": 0.01, "context": context} | more
        return migrate(source, **given)

    return move


def test_losses_that_nobody_accepted_stop_it_before_anything_is_made(tuned, moved, context):
    source = f"openai:{tuned().remote_id}"
    with pytest.raises(ConfigError, match="Nothing was made") as raised:
        moved(source, accept_losses=False)
    assert "`weights`" in raised.value.fix
    assert context.backends["memory"].calls.get("submit", 0) == 0


def test_losses_are_accepted_by_their_codes(tuned, moved):
    plans = []
    source = f"openai:{tuned().remote_id}"
    moved(source, on_plan=plans.append)
    codes = {loss.code for loss in plans[0].losses}
    assert {"weights", "base-model", "tokenizer", "refusals"} <= codes
    with pytest.raises(ConfigError, match="not accepted"):
        moved(source, accept_losses=False, accept=sorted(codes)[1:])
    assert moved(source, accept_losses=False, accept=codes).state == "done"
    with pytest.raises(ConfigError, match="loses nothing that is called `wieghts`"):
        moved(source, accept_losses=False, accept=["wieghts"])


def test_files_come_whole_and_for_their_owner_alone(tuned, moved, folder):
    done = moved(f"openai:{tuned(validation=folder / 'valid.jsonl').remote_id}")
    files = done.plan.origin.files
    assert files["train"].path.read_bytes() == (folder / "train.jsonl").read_bytes()
    assert files["validation"].path.read_bytes() == (folder / "valid.jsonl").read_bytes()
    assert stat.S_IMODE(files["train"].path.stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(done.folder).stat().st_mode) == 0o700


def test_the_same_call_again_goes_on_and_fetches_and_trains_nothing_anew(tuned, moved, context, openai_host):
    source = f"openai:{tuned().remote_id}"
    first = moved(source)
    fetched, made = openai_host.count("GET /files/{id}/content"), context.backends["memory"].calls["jobs"]
    again = moved(source)
    assert (openai_host.count("GET /files/{id}/content"), context.backends["memory"].calls["jobs"]) == (fetched, made)
    assert again.chosen == first.chosen
    assert again.began == first.began


def test_a_file_that_changed_since_is_refused(tuned, moved):
    source = f"openai:{tuned().remote_id}"
    done = moved(source)
    done.plan.origin.files["train"].path.write_text("{}\n")
    with pytest.raises(Exception, match="hash is another one"):
        moved(source)


def test_a_file_that_the_host_deleted_is_asked_for(tuned, moved, folder, openai_host):
    job = tuned()
    for file in openai_host.files:
        if file.purpose == "fine-tune":
            file.deleted = True
    with pytest.raises(NotFound, match="does not have the train file") as raised:
        moved(f"openai:{job.remote_id}")
    assert "--train FILE" in raised.value.fix
    assert moved(f"openai:{job.remote_id}", train=folder / "train.jsonl").state == "done"


def test_files_alone_do(moved, folder):
    done = moved(f"files:{folder}/train.jsonl,{folder}/valid.jsonl", method={"n_epochs": 2})
    assert done.plan.spec["method"]["num_train_epochs"] == 2
    assert done.plan.dev_rows == 12
    assert done.switch.before == ""


def test_a_job_of_the_ledger_moves_by_its_name(tuned, moved):
    tuned()
    done = moved("recipes")
    assert (done.plan.origin.backend, done.plan.origin.model) == ("openai", "gpt-4.1-mini-2025-04-14")


def test_another_wish_under_the_same_name_is_refused(tuned, moved):
    source = f"openai:{tuned().remote_id}"
    moved(source, name="one")
    with pytest.raises(ConfigError, match="was begun with model"):
        moved(source, name="one", model="other")


def test_a_sweep_tries_three_rates_on_rows_that_none_of_them_trains_on(tuned, moved, context):
    done = moved(f"openai:{tuned().remote_id}", sweep=True, params=HYPER)
    assert done.plan.tries == (6.67e-05, 0.0002, 0.0006)
    assert done.plan.dev_rows == 8
    rows = {path: path.read_text().splitlines() for path in (Path(done.folder) / "split").glob("*.jsonl")}
    train, dev = (rows[Path(done.folder) / "split" / f"{part}.jsonl"] for part in ("train", "validation"))
    assert (len(train), len(dev), set(train) & set(dev)) == (32, 8, set())
    names = {each.name for each in done.candidates}
    assert names == {f"{done.name}-lr-{value:g}" for value in done.plan.tries}
    assert all(each.score is not None for each in done.candidates)
    assert FineTuneJob.get(done.chosen, context=context).name in names


def test_a_quote_over_the_budget_makes_nothing(tuned, moved, context):
    with pytest.raises(BudgetExceeded, match="3 runs cost about"):
        moved(f"openai:{tuned().remote_id}", sweep=True, max_usd=0.0001)
    assert context.backends["memory"].calls.get("submit", 0) == 0


def test_graded_rows_are_told_to_be_learned_nowhere_else(folder, moved):
    grader = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.a}}"}
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}], "a": str(n)} for n in range(12)]
    (folder / "graded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(Unsupported, match="does not train rft") as raised:
        moved(f"files:{folder}/graded.jsonl", method={"type": "rft", "grader": grader})
    assert "--criteria" in raised.value.fix


def test_old_and_new_are_compared_and_the_line_to_change_is_told(tuned, moved, folder, context):
    done = moved(f"openai:{tuned().remote_id}", data=folder / "held.jsonl", params=HYPER, margin=0.2)
    assert done.state == "done"
    assert done.outcome in {"pass", "fail", "inconclusive"}
    assert (Path(done.evaluation) / "evaluation.json").exists()
    assert done.switch.before.startswith("ft:gpt-4.1-mini")
    assert done.switch.command.startswith("anytune deploy ")
    told = (Path(done.folder) / "migration.md").read_text()
    assert done.switch.before in told
    assert "`hosted-guarantees`" not in told  # the memory backend is no machine of one's own


def test_a_run_that_failed_is_told_and_the_same_call_goes_on_once_it_is_mended(tuned, moved, context):
    from anytune.errors import JobFailed

    source = f"openai:{tuned().remote_id}"
    memory = context.backends["memory"]
    memory.lives = [Life(words=("queued", "failed"), error="out of memory")]
    with pytest.raises(JobFailed):
        moved(source)
    memory.lives = [Life()]
    (failed,) = FineTuneJob.list(backend="memory", context=context)
    FineTuneJob.create(**failed.row.spec, new_attempt=True, context=context)
    assert moved(source).state == "done"


def test_from_azure_the_same_way(with_azure, tuned, moved):
    done = moved(f"azure:{tuned(backend='azure').remote_id}")
    assert done.plan.spec["method"]["num_train_epochs"] == 2
    assert done.plan.origin.files["train"].path.read_bytes().startswith(b"\xef\xbb\xbf")
