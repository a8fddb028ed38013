"""Jobs of the simulated Hub, driven by the real client."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time

import psutil
import pytest

from anytune.testing.simulators.faults import WireFault, WireFaults

pytest.importorskip("huggingface_hub")
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, JobNotFoundError

RUN = "POST /api/jobs/{namespace}"
SLEEPS = "import time; time.sleep(600)"


def until(true, within_s=20):
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def hub(start):
    return start(scheduling_s=0.05)


@pytest.fixture
def run(hub, api):
    def order(code, **more):
        more = {"image": "python:3.12", "namespace": "ada", **more}
        return api.run_job(command=["python", "-c", textwrap.dedent(code)], **more)

    return order


@pytest.fixture
def wait(api):
    def ended(job, timeout=30):
        return api.wait_for_job(job_id=job.id, namespace="ada", timeout=timeout, poll_interval=0.05)

    return ended


def logs(api, job, **more):
    return list(api.fetch_job_logs(job_id=job.id, namespace="ada", **more))


def test_a_job_runs_its_command_and_ends(run, wait):
    job = run("print('hello')")
    assert job.status.stage == "SCHEDULING"
    ended = wait(job)
    assert (ended.status.stage, ended.status.message) == ("COMPLETED", None)
    assert ended.docker_image == "python:3.12"
    assert ended.command[0] == "python"
    assert ended.owner.name == "ada"
    assert ended.created_at <= ended.started_at <= ended.finished_at
    assert ended.durations.total_secs >= ended.durations.running_secs


def test_a_job_writes_to_a_repo_with_the_real_client(hub, api, run, wait):
    api.create_repo("ada/record", private=True)
    code = """
        from huggingface_hub import HfApi
        HfApi().upload_file(path_or_fileobj=b"from the job", path_in_repo="result.txt", repo_id="ada/record")
    """
    job = run(code, secrets={"HF_TOKEN": hub.token})
    assert wait(job).status.stage == "COMPLETED", logs(api, job)
    assert hub.store.get("model", "ada/record").files()["result.txt"] == b"from the job"


def test_a_job_has_no_token_that_was_not_given_as_a_secret(api, run, wait):
    job = run("import os; print(os.environ.get('HF_TOKEN'), os.environ['HF_ENDPOINT'])")
    wait(job)
    assert logs(api, job)[0].startswith("None http://127.0.0.1:")


def test_a_job_sees_its_variables_and_what_it_runs_on(api, run, wait):
    code = "import os; print([os.environ[name] for name in ('COLOUR', 'JOB_ID', 'ACCELERATOR', 'CPU_CORES', 'MEMORY')])"
    job = run(code, env={"COLOUR": "green"}, flavor="t4-small")
    wait(job)
    assert logs(api, job) == [str(["green", job.id, "t4-small", "4", "15Gi"])]


def test_python_is_the_one_that_runs_the_simulator(api, run, wait):
    job = run("import sys; print(sys.prefix)")
    wait(job)
    assert logs(api, job) == [sys.prefix]


def test_a_job_that_fails_says_with_which_exit_code(run, wait):
    status = wait(run("raise SystemExit(3)")).status
    assert status.stage == "ERROR"
    assert "exit code: 3" in status.message


def test_a_command_that_is_not_there_fails_with_127(api, wait):
    job = api.run_job(image="uv", command=["uv-that-nobody-has", "run"], namespace="ada")
    status = wait(job).status
    assert (status.stage, "exit code: 127" in status.message) == ("ERROR", True)
    assert "uv-that-nobody-has" in logs(api, job)[0]


def test_a_timeout_leaves_no_process_whatever_session_it_is_in(api, run, wait):
    code = f"""
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], start_new_session=True)
        print(os.getpid(), child.pid, flush=True)
        time.sleep(600)
    """
    job = run(code, timeout=1)
    ended = wait(job)
    assert ended.status.stage == "ERROR"
    assert "timeout" in ended.status.message
    assert ended.durations.running_secs < 10
    pids = [int(pid) for pid in logs(api, job)[0].split()]
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_children_go_with_the_command_that_started_them(api, run, wait):
    code = f"""
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], start_new_session=True)
        print(child.pid, flush=True)
    """
    job = run(code)
    assert wait(job).status.stage == "COMPLETED"
    assert gone(int(logs(api, job)[0]))


def test_a_cancelled_job_ends_with_its_process(api, hub, run):
    job = run(SLEEPS)
    pid = until(lambda: hub.jobs[job.id].machine and hub.jobs[job.id].machine.pid)
    api.cancel_job(job_id=job.id, namespace="ada")
    assert api.inspect_job(job_id=job.id, namespace="ada").status.stage == "CANCELED"
    assert gone(pid)


def test_a_job_that_is_cancelled_before_it_runs_never_runs(start, connect):
    hub = start(scheduling_s=600)
    api = connect(hub)
    job = api.run_job(image="i", command=["python"], namespace="ada")
    api.cancel_job(job_id=job.id, namespace="ada")
    ended = api.inspect_job(job_id=job.id, namespace="ada")
    assert (ended.status.stage, ended.started_at, ended.durations.scheduling_secs) == ("CANCELED", None, None)


def test_what_has_ended_is_not_cancelled(api, run, wait):
    job = run("pass")
    wait(job)
    with pytest.raises(BadRequestError, match="COMPLETED already"):
        api.cancel_job(job_id=job.id, namespace="ada")


def test_attempts_replay_the_whole_job(api, hub, run, wait):
    api.create_repo("ada/tries")
    code = """
        from huggingface_hub import HfApi
        api = HfApi()
        tries = len(api.list_repo_commits("ada/tries"))
        api.upload_file(path_or_fileobj=str(tries).encode(), path_in_repo="tries", repo_id="ada/tries")
        raise SystemExit(0 if tries == 2 else 1)
    """
    job = run(code, secrets={"HF_TOKEN": hub.token}, attempts=3)
    assert wait(job).status.stage == "COMPLETED", logs(api, job)
    assert len(api.list_repo_commits("ada/tries")) == 3
    assert sum(line.text.startswith("===== Job started") for line in hub.jobs[job.id].log.lines) == 2
    assert job.retry == 2


def test_a_machine_that_is_taken_away_ends_the_job(hub, run, wait):
    job = run(SLEEPS, attempts=2)
    pid = until(lambda: hub.jobs[job.id].machine and hub.jobs[job.id].machine.pid)
    hub.preempt(job.id)
    status = wait(job).status
    assert (status.stage, "taken away" in status.message) == ("ERROR", True)
    assert gone(pid)


def test_a_container_that_dies_gives_137(hub, run, wait):
    job = run(SLEEPS)
    until(lambda: hub.jobs[job.id].machine)
    hub.crash(job.id)
    assert "exit code: 137" in wait(job).status.message


def test_jobs_are_found_by_all_their_labels_newest_first(api, run):
    first, second = run("pass", labels={"ref": "a", "part": "1"}), run("pass", labels={"ref": "a", "part": "2"})
    run("pass", labels={"ref": "b", "part": "1"})
    found = [job.id for job in api.list_jobs(labels={"ref": "a"}, namespace="ada")]
    assert found == [second.id, first.id]
    assert [job.id for job in api.list_jobs(labels={"ref": "a", "part": "1"}, namespace="ada")] == [first.id]


def test_jobs_are_found_by_any_of_some_stages(api, run, wait):
    done, failed = run("pass"), run("raise SystemExit(1)")
    wait(done), wait(failed)
    assert [job.id for job in api.list_jobs(status="completed", namespace="ada")] == [done.id]
    assert len(list(api.list_jobs(status=["COMPLETED", "ERROR"], namespace="ada"))) == 2
    assert not list(api.list_jobs(status="CANCELED", namespace="ada"))


def test_a_listing_goes_on_over_pages_with_its_filters(api, hub, run):
    hub.page_size = 2
    wanted = [run("pass", labels={"ref": "a"}).id for _ in range(5)]
    run("pass", labels={"ref": "b"})
    assert [job.id for job in api.list_jobs(labels={"ref": "a"}, namespace="ada")] == wanted[::-1]


def test_a_listing_lags_behind(start, connect):
    now = [1_800_000_000.0]
    hub = start(listing_lag_s=30.0, clock=lambda: now[0])
    api = connect(hub)
    job = api.run_job(image="i", command=["python", "-c", "pass"], namespace="ada")
    assert not list(api.list_jobs(namespace="ada"))
    assert api.inspect_job(job_id=job.id, namespace="ada").id == job.id
    now[0] += 31
    assert [each.id for each in api.list_jobs(namespace="ada")] == [job.id]


def test_labels_are_replaced(api, run):
    job = run("pass", labels={"ref": "a"})
    updated = api.update_job_labels(job_id=job.id, labels={"part": "2"}, namespace="ada")
    assert updated.labels == {"part": "2"}


def test_logs_come_as_the_client_reads_them(api, hub, run, wait):
    job = run("import sys; print('out'); print('err', file=sys.stderr)")
    wait(job)
    assert logs(api, job) == ["out", "err"]
    assert logs(api, job, tail=1) == ["err"]
    assert hub.jobs[job.id].log.lines[0].text.startswith("===== Job started")


def test_logs_are_followed_while_they_grow(api, hub, run):
    api.create_repo("ada/gate")
    code = """
        import time
        from huggingface_hub import HfApi
        print("before", flush=True)
        while "open" not in HfApi().list_repo_files("ada/gate"):
            time.sleep(0.05)
        print("after", flush=True)
    """
    job = run(code, secrets={"HF_TOKEN": hub.token})
    lines = api.fetch_job_logs(job_id=job.id, namespace="ada", follow=True)
    assert next(iter(lines)) == "before"
    api.upload_file(path_or_fileobj=b"", path_in_repo="open", repo_id="ada/gate")
    assert list(lines) == ["after"]


def test_logs_that_break_off_are_taken_up_again(api, hub, run, wait):
    job = run("for number in range(5): print(number)")
    wait(job)
    hub.log_cuts.append(3)
    assert logs(api, job) == ["0", "1"]
    assert logs(api, job, follow=True) == ["0", "1", "2", "3", "4"]


def test_a_stream_that_breaks_off_does_not_end_the_following(api, hub, run):
    job = run(f"print('one', flush=True); print('two', flush=True); {SLEEPS}")
    until(lambda: len(hub.jobs[job.id].log.lines) == 3)
    hub.log_cuts.append(2)
    lines = iter(api.fetch_job_logs(job_id=job.id, namespace="ada", follow=True))
    assert [next(lines), next(lines)] == ["one", "two"]
    hub.preempt(job.id)
    assert not list(lines)


def test_logs_of_a_silent_job_are_given_without_its_end(api, run):
    job = run(f"print('here', flush=True); {SLEEPS}")
    until(lambda: "here" in logs(api, job), within_s=60)
    assert api.inspect_job(job_id=job.id, namespace="ada").status.stage == "RUNNING"


def test_a_lost_reply_leaves_exactly_one_job(start, connect):
    import httpx2

    hub = start(faults=WireFaults(calls=(WireFault(kind="drop_reply", on=RUN),)))
    api = connect(hub)
    with pytest.raises(httpx2.HTTPError):
        api.run_job(image="i", command=["python", "-c", "pass"], labels={"ref": "a"}, namespace="ada")
    assert len(list(api.list_jobs(labels={"ref": "a"}, namespace="ada"))) == 1


def test_the_same_can_be_ordered_again(api, run, wait):
    job = run("import os; print(os.environ['WORD'])", secrets={"WORD": "again"}, labels={"ref": "a"})
    wait(job)
    other = api.rerun_job(job_id=job.id, namespace="ada")
    assert other.id != job.id
    assert (other.initiator.type, other.initiator.id, other.labels) == ("duplicated-job", job.id, job.labels)
    wait(other)
    assert logs(api, other) == ["again"]


def test_metrics_are_given_while_a_job_runs(api, hub, run, wait):
    job = run(SLEEPS, flavor="a10g-small")
    until(lambda: hub.jobs[job.id].machine)
    measured = next(iter(api.fetch_job_metrics(job_id=job.id, namespace="ada")))
    assert measured["memory_used_bytes"] > 0
    assert len(measured["gpus"]) == 1
    hub.preempt(job.id)
    assert not list(api.fetch_job_metrics(job_id=job.id, namespace="ada"))


def test_hardware_has_prices(api):
    hardware = {each.name: each for each in api.list_jobs_hardware()}
    assert hardware["cpu-basic"].unit_cost_micro_usd == 167
    assert hardware["t4-small"].accelerator.model == "T4"
    assert hardware["cpu-basic"].unit_label == "minute"


def test_a_job_may_run_in_a_space(api, hub, wait):
    hub.add("space", "ada/tools", {"tool.py": "print('from the space')"}, created={"sdk": "docker"})
    job = api.run_job(image="hf.co/spaces/ada/tools", command=["python", "tool.py"], namespace="ada")
    assert wait(job).space_id == "ada/tools"
    assert logs(api, job) == ["from the space"]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"flavor": "abacus"}, "flavor"),
        ({"command": []}, "command"),
        ({"labels": {"ref": "white space"}}, "labels.ref"),
        ({"attempts": 0}, "attempts"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(api, hub, order, reason):
    with pytest.raises(BadRequestError, match=reason):
        api.run_job(**{"image": "i", "command": ["python"], "namespace": "ada", **order})
    assert not hub.jobs


def test_who_cannot_pay_gets_no_machine(api, hub):
    hub.credit = False
    with pytest.raises(HfHubHTTPError) as refused:
        api.run_job(image="i", command=["python"], namespace="ada")
    assert refused.value.response.status_code == 402
    assert not hub.jobs


def test_organisations_run_jobs_and_strangers_do_not(api, run):
    assert run("pass", namespace="acme").owner.type == "org"
    with pytest.raises(HfHubHTTPError) as refused:
        run("pass", namespace="bob")
    assert refused.value.response.status_code == 403


def test_a_token_that_reads_looks_and_orders_nothing(connect, hub, run):
    job = run("pass")
    reader = connect(hub, token=hub.token_for("ada", role="read"))
    assert reader.inspect_job(job_id=job.id, namespace="ada").id == job.id
    with pytest.raises(HfHubHTTPError):
        reader.run_job(image="i", command=["python"], namespace="ada")


def test_a_job_that_is_not_there_is_not_found(api):
    with pytest.raises(JobNotFoundError):
        api.inspect_job(job_id="0" * 24, namespace="ada")


def test_secrets_are_shown_nowhere(api, hub, run, wait):
    job = run("import os; print(len(os.environ['WORD']))", secrets={"WORD": "extremely-secret"})
    wait(job)
    assert logs(api, job) == ["16"]
    shown = repr([hub.requests, hub.jobs, api.inspect_job(job_id=job.id, namespace="ada"), job])
    assert "extremely-secret" not in shown


def test_closing_ends_every_job(start, connect):
    before = set(threading.enumerate())
    hub = start(scheduling_s=0.0)
    api = connect(hub)
    job = api.run_job(image="i", command=["python", "-c", SLEEPS], namespace="ada")
    pid = until(lambda: hub.jobs[job.id].machine and hub.jobs[job.id].machine.pid)
    folder = hub.jobs[job.id].machine.folder
    hub.close()
    assert gone(pid)
    assert not os.path.exists(folder)
    assert not [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith(("job-", "machine"))]
