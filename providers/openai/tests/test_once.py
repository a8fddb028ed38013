"""One job and one file, whatever becomes of the replies: through the real ledger, over real HTTP, with the POSTs counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anytune import FineTuneJob
from anytune.backend import RemoteFile
from anytune.errors import FineTuningUnavailable, QuotaExceeded, SubmitInDoubt
from anytune.ledger.reconcile import order_of
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import OpenAISimulator, WireFault, WireFaults
from anytune.testing.simulators.dialect import SPEC
from anytune.testing.simulators.service import Reply
from anytune_openai import OpenAIBackend

CREATE, UPLOAD, LIST = "POST /fine_tuning/jobs", "POST /files", "GET /fine_tuning/jobs"
MODEL = "gpt-4.1-mini-2025-04-14"
PROGRAM = Path(__file__).with_name("program.py")


class Bench:
    """A simulated OpenAI, a ledger, and a clock that only sleeping moves: for both of them."""

    def __init__(self, folder: Path, train: Path, simulator=OpenAISimulator) -> None:
        self.folder = folder
        self.train = train
        self.began = time.time()
        self.now = 1000.0
        self.meanwhile = lambda: None
        self.sim = simulator(clock=lambda: self.began + self.now - 1000.0)
        self.context = self.fresh()

    def fresh(self) -> Runtime:
        """Give a runtime as another process would have it."""
        return Runtime(ledger_url=f"sqlite:///{self.folder}/ledger.db", retry=self.retry(), clock=lambda: self.now, sleep=self.sleep)

    def retry(self) -> Retry:
        return Retry(sleep=self.sleep, clock=lambda: self.now, random=lambda: 1.0)

    def sleep(self, seconds: float) -> None:
        self.meanwhile()
        self.now += max(seconds, 0.001)

    def backend(self, **settings) -> OpenAIBackend:
        return OpenAIBackend(base_url=self.sim.base_url, api_key=self.sim.api_key, **settings)

    def create(self, *, context=None, allow=(), **settings) -> FineTuneJob:
        return FineTuneJob.create(
            backend=self.backend(**settings), model=MODEL, train=self.train, name="recipes", allow=allow, context=context or self.context
        )

    def break_call(self, kind, on=CREATE, **more) -> None:
        self.sim.faults = WireFaults(calls=(WireFault(kind=kind, on=on, **more),))

    @property
    def live(self):
        return [job.id for job in self.sim.jobs if not job.ended]


@pytest.fixture
def bench(tmp_path, train, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = Bench(tmp_path, train.path)
    yield made
    made.sim.close()


def until(condition, what, patience_s=20.0):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
        time.sleep(0.01)


def test_a_job_is_made_by_one_post(bench):
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert (bench.sim.count(CREATE), bench.sim.count(UPLOAD)) == (1, 1)


def test_the_job_carries_ref_hash_and_ledger(bench):
    job = bench.create()
    (made,) = bench.sim.jobs
    assert made.metadata["anytune_ref"] == job.id
    row = bench.context.ledger.job(job.id)
    assert row.spec_hash.startswith(made.metadata["anytune_spec"])
    assert made.metadata["anytune_ledger"] == row.ledger


TOOK_EFFECT = [("drop_reply", {}), ("html", {}), *[("truncated", {"cut_at": cut}) for cut in (0, 1, 20, 200)], ("truncated", {})]


@pytest.mark.parametrize(("kind", "more"), TOOK_EFFECT, ids=str)
def test_a_reply_that_was_lost_is_answered_by_looking(bench, kind, more):
    bench.break_call(kind, **more)
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


NO_EFFECT = [("drop", {}), *[("error", {"status": status}) for status in (408, 409, 500, 502, 503)]]


@pytest.mark.parametrize(("kind", "more"), NO_EFFECT, ids=str)
def test_a_create_that_had_no_effect_is_sent_again_after_the_settle_window(bench, kind, more):
    bench.break_call(kind, **more)
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 2
    assert bench.now - 1000.0 >= bench.backend().capabilities.settle_s
    (first, second) = [index for index, one in enumerate(bench.sim.requests) if one.route == CREATE]
    assert sum(one.route == LIST for one in bench.sim.requests[first:second]) >= 3


class Lying(OpenAISimulator):
    """It makes the job and answers the first create with an error."""

    status = 500

    def handled(self, endpoint, request, values):
        reply = super().handled(endpoint, request, values)
        if request.method == "POST" and request.path.endswith("/fine_tuning/jobs") and len(self.jobs) == 1:
            return Reply({"error": {"message": "Sorry", "type": "server_error", "param": None, "code": None}}, self.status)
        return reply


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_an_error_after_the_effect_is_answered_by_looking(tmp_path, train, monkeypatch, status):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Lying, "status", status)
    bench = Bench(tmp_path, train.path, Lying)
    with bench.sim:
        job = bench.create()
        assert [one.id for one in bench.sim.jobs] == [job.remote_id]
        assert bench.sim.count(CREATE) == 1


@pytest.mark.parametrize(("kind", "delay_s", "timeout_s"), [("late_commit", 0.5, 60.0), ("slow", 3.0, 1.5)])
def test_a_create_that_takes_effect_after_the_client_gave_up_is_found(bench, kind, delay_s, timeout_s):
    bench.break_call(kind, delay_s=delay_s)
    bench.meanwhile = lambda: until(lambda: bench.sim.jobs, "the create takes effect")
    job = bench.create(timeout_s=timeout_s)
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


def test_a_listing_that_lags_less_than_the_window_shows_the_job_in_time(bench):
    bench.break_call("drop_reply")
    bench.sim.faults = bench.sim.faults.model_copy(update={"list_lag_s": 120.0})
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


def test_a_listing_that_lags_longer_than_the_window_is_mended_by_the_sweep(bench):
    bench.break_call("drop_reply")
    bench.sim.faults = bench.sim.faults.model_copy(update={"list_lag_s": 900.0})
    job = bench.create()
    assert bench.sim.count(CREATE) == 2
    bench.sleep(1000.0)
    job.refresh()
    assert bench.live == [job.remote_id]


def test_a_filter_that_is_ignored_gives_no_strangers_job(bench):
    stranger = OpenAIBackend(base_url=bench.sim.base_url, api_key=bench.sim.api_key)
    context = Runtime(ledger_url=f"sqlite:///{bench.folder}/other.db", retry=bench.retry(), clock=lambda: bench.now, sleep=bench.sleep)
    theirs = FineTuneJob.create(backend=stranger, model=MODEL, train=bench.train, name="recipes", context=context)
    bench.sim.faults = WireFaults(ignored_filter=True, calls=(WireFault(kind="drop_reply", on=CREATE, skip=1),))
    ours = bench.create(allow=["same-run"])
    assert ours.remote_id != theirs.remote_id
    assert len(bench.sim.jobs) == bench.sim.count(CREATE) == 2


@pytest.mark.parametrize("condition", ["short_pages", "reordered_pages"])
def test_pages_that_end_early_or_change_their_order_make_no_second_job(bench, condition):
    for number in range(7):
        context = Runtime(
            ledger_url=f"sqlite:///{bench.folder}/{number}.db", retry=bench.retry(), clock=lambda: bench.now, sleep=bench.sleep
        )
        FineTuneJob.create(backend=bench.backend(), model=MODEL, train=bench.train, name=f"other-{number}", context=context)
    before = bench.sim.count(CREATE)
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE, skip=before),), **{condition: True})
    try:
        bench.create()
    except SubmitInDoubt:  # a listing that cannot be trusted is no proof of anything
        bench.sim.faults = WireFaults()
        bench.create(context=bench.fresh())
    assert bench.sim.count(CREATE) - before == 1


def test_a_rate_limit_is_looked_at_once_and_the_job_waits_and_is_sent_again(bench):
    bench.break_call("refuse", name="rate_limit")
    job = bench.create()
    assert "takes no more jobs now" in job.row.waiting
    assert (job.row.not_before - bench.context.ledger.clock()).total_seconds() == pytest.approx(0.108, abs=0.1)
    assert (bench.sim.jobs, bench.sim.count(CREATE)) == ([], 1)
    assert bench.sim.count(LIST) >= 1
    until(lambda: job.refresh().status == "queued", "its turn comes")
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 2


@pytest.mark.parametrize(
    ("name", "expected"), [("closed", FineTuningUnavailable), ("quota", QuotaExceeded), ("not_tunable", FineTuningUnavailable)]
)
def test_a_refusal_is_no_doubt(bench, name, expected):
    bench.break_call("refuse", name=name)
    with pytest.raises(expected):
        bench.create()
    assert bench.sim.count(CREATE) == 1
    assert bench.create(context=bench.fresh()).remote_id == bench.sim.jobs[0].id


@pytest.mark.parametrize("kind", ["drop_reply", "html", "truncated"])
def test_a_lost_reply_to_an_upload_leaves_one_file(bench, kind):
    bench.break_call(kind, on=UPLOAD)
    bench.create()
    assert len([file for file in bench.sim.files if file.purpose == "fine-tune"]) == 1
    assert bench.sim.count(UPLOAD) == 1


def test_a_second_ledger_finds_the_file_that_is_there(bench):
    bench.create()
    context = Runtime(ledger_url=f"sqlite:///{bench.folder}/other.db", retry=bench.retry(), clock=lambda: bench.now, sleep=bench.sleep)
    FineTuneJob.create(backend=bench.backend(), model=MODEL, train=bench.train, name="others", context=context)
    assert bench.sim.count(UPLOAD) == 1


def test_a_key_of_another_project_sees_nothing_and_that_proves_nothing(bench):
    """A job was made, its reply was lost, and the key is changed for one of another project before anybody looks."""
    bench.sim.keys["sk-other-project"] = "other"
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE), WireFault(kind="error", on=LIST, times=99)))
    with pytest.raises(SubmitInDoubt):
        bench.create()
    bench.sim.faults = WireFaults()
    other = OpenAIBackend(base_url=bench.sim.base_url, api_key="sk-other-project")
    with pytest.raises(SubmitInDoubt):
        FineTuneJob.create(backend=other, model=MODEL, train=bench.train, name="recipes", context=bench.fresh())
    assert bench.sim.count(CREATE) == 1
    assert bench.create(context=bench.fresh()).remote_id == bench.sim.jobs[0].id


def test_nor_does_it_when_another_job_has_sent_the_same_bytes_to_that_project(bench):
    """The new file is there for the new key, and says nothing of where the first job is."""
    bench.sim.keys["sk-other-project"] = "other"
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE), WireFault(kind="error", on=LIST, times=99)))
    with pytest.raises(SubmitInDoubt):
        bench.create()
    bench.sim.faults = WireFaults()
    (row,) = bench.context.ledger.jobs()
    bench.context.ledger.forget_remote_file(row.backend, row.account, row.data["train"].sha256)
    other = OpenAIBackend(base_url=bench.sim.base_url, api_key="sk-other-project")
    FineTuneJob.create(backend=other, model=MODEL, train=bench.train, name="second", context=bench.fresh())
    with pytest.raises(SubmitInDoubt, match="with the key that it was sent with"):
        FineTuneJob.create(backend=other, model=MODEL, train=bench.train, name="recipes", context=bench.fresh())
    assert bench.sim.count(CREATE) == 2
    assert bench.create(context=bench.fresh()).remote_id == bench.sim.jobs[0].id


class Forgetful(OpenAISimulator):
    """A compatible host that drops metadata, and shows the suffix."""

    dialects = {"spec": SPEC._replace(keeps_metadata=False, shows_suffix=True)}  # noqa: RUF012 - as the simulator has it


class Silent(OpenAISimulator):
    """A compatible host that drops metadata, and shows no suffix before the model is made."""

    dialects = {"spec": SPEC._replace(keeps_metadata=False, shows_suffix=False)}  # noqa: RUF012 - as the simulator has it


@pytest.fixture
def host(tmp_path, train, monkeypatch):
    """Give benches of other hosts."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    made = []

    def bench(simulator):
        made.append(Bench(tmp_path, train.path, simulator))
        return made[-1]

    yield bench
    for one in made:
        one.sim.close()


def test_where_metadata_is_dropped_the_suffix_finds_the_job(host):
    bench = host(Forgetful)
    other = Runtime(ledger_url=f"sqlite:///{bench.folder}/other.db", retry=bench.retry(), clock=lambda: bench.now, sleep=bench.sleep)
    theirs = bench.create(context=other, tag="suffix")
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE, skip=1),))
    ours = bench.create(tag="suffix")
    assert ours.remote_id not in {None, theirs.remote_id}
    assert len(bench.sim.jobs) == bench.sim.count(CREATE) == 2


def test_a_job_that_is_older_than_its_file_which_was_sent_anew_is_found(host):
    bench = host(Forgetful)
    job = bench.create(tag="suffix")
    bench.sleep(86_400.0)
    client = bench.backend().client
    client.files.delete(bench.sim.jobs[0].training_file)
    again = client.files.create(file=("anytune-again.jsonl", bench.train.read_bytes()), purpose="fine-tune")
    row = bench.context.ledger.job(job.id)
    order = order_of(row, {"train": RemoteFile(id=again.id, sha256=row.data["train"].sha256, size_bytes=again.bytes)})
    assert [one.id for one in bench.backend(tag="suffix").find(order).jobs] == [job.remote_id]


@pytest.mark.parametrize("tag", ["metadata", "suffix"])
def test_where_no_tag_is_shown_a_lost_reply_stays_in_doubt(host, tag):
    bench = host(Silent)
    bench.break_call("drop_reply")
    for _ in range(2):
        with pytest.raises(SubmitInDoubt):
            bench.create(tag=tag, context=bench.fresh())
    assert bench.sim.count(CREATE) == 1


class Programs:
    """Processes that run the same script against one simulated OpenAI."""

    def __init__(self, folder, train, sim):
        self.folder = folder
        self.train = train
        self.env = {name: value for name, value in os.environ.items() if name != "ANYTUNE_LEDGER"} | {
            "ANYTUNE_HOME": str(folder / "home"),
            "OPENAI_BASE_URL": sim.base_url,
            "OPENAI_API_KEY": sim.api_key,
        }
        self.children = []

    def start(self, **settings):
        argv = [sys.executable, str(PROGRAM), json.dumps({"train": str(self.train)} | settings)]
        child = subprocess.Popen(argv, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    def finish(self, child):
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        return json.loads(out.splitlines()[-1])

    def close(self):
        for child in self.children:
            child.kill()
            child.communicate()


@pytest.fixture
def programs(tmp_path, train, sim):
    made = Programs(tmp_path, train.path, sim)
    yield made
    made.close()


@pytest.mark.parametrize("kind", [None, "drop_reply"])
def test_two_processes_that_race_make_one_job(programs, sim, tmp_path, kind):
    if kind:
        sim.faults = WireFaults(calls=(WireFault(kind=kind, on=CREATE),))
    go = tmp_path / "go"
    racers = [programs.start(go=str(go), number=number) for number in range(2)]
    until(lambda: len(list(tmp_path.glob("go.*"))) == 2, "both are ready", 60.0)
    go.touch()
    results = [programs.finish(racer) for racer in racers]
    assert {result["remote_id"] for result in results} == {job.id for job in sim.jobs}
    assert (len(sim.jobs), sim.count(CREATE), sim.count(UPLOAD)) == (1, 1, 1)


def test_a_process_killed_right_after_the_post_is_taken_up_by_the_next(programs, sim):
    first = programs.start(stop=True)
    assert first.stdout.readline() == "created\n", first.stderr.read()
    first.kill()
    first.wait()
    result = programs.finish(programs.start())
    assert [job.id for job in sim.jobs] == [result["remote_id"]]
    assert sim.count(CREATE) == 1
