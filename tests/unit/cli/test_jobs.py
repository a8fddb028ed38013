from __future__ import annotations

import json

import yaml


def test_jobs_are_listed_with_their_status(cli):
    cli("run", cli.spec())
    cli("jobs", "list")
    assert "minutes" in cli.out
    assert "succeeded" in cli.out


def test_jobs_are_listed_for_programs(cli):
    cli("run", cli.spec())
    jobs = cli.json("jobs", "list", "--status", "succeeded")["jobs"]
    assert [job["name"] for job in jobs] == ["minutes"]
    assert jobs[0]["model"]["id"] == "memory:job-000001"


def test_an_unknown_status_is_refused_with_the_known_ones(cli):
    cli("jobs", "list", "--status", "finished")
    assert cli.code == 2
    assert "succeeded" in cli.err


def test_a_job_is_shown_by_its_name(cli):
    cli("run", cli.spec())
    cli("jobs", "show", "minutes")
    assert cli.code == 0
    assert "memory:job-000001" in cli.out


def test_an_unknown_job_ends_in_2(cli):
    assert cli.json("jobs", "show", "nobody")["error"]["type"] == "NotFound"
    assert cli.code == 2


def test_watching_gives_json_lines_for_events_metrics_and_changes(cli):
    cli("run", cli.spec(), "--no-wait")
    lines = [json.loads(line) for line in cli("jobs", "watch", "minutes", "--json").splitlines()]
    assert cli.code == 0
    assert {line["type"] for line in lines} == {"event", "metric", "snapshot"}
    assert lines[-1]["status"] == "succeeded"


def test_watching_a_job_that_fails_ends_in_1(cli, failing):
    failing("no disk space")
    cli("run", cli.spec(), "--no-wait")
    cli("jobs", "watch", "minutes", "--json")
    assert cli.code == 1


def test_events_are_printed_oldest_first(cli):
    cli("run", cli.spec())
    lines = [json.loads(line) for line in cli("jobs", "events", "minutes", "--json").splitlines()]
    assert len(lines) > 2
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    after = [json.loads(line) for line in cli("jobs", "events", "minutes", "--after", lines[0]["id"], "--json").splitlines()]
    assert after == lines[1:]


def test_a_job_is_cancelled_and_cancelling_again_is_no_error(cli):
    cli("run", cli.spec(), "--no-wait")
    assert cli.json("jobs", "cancel", "minutes")["status"] == "cancelled"
    assert cli.json("jobs", "cancel", "minutes")["status"] == "cancelled"
    assert cli.code == 0


def test_a_job_is_paused_and_resumed(cli):
    cli.configure(trial='life = { words = ["running"] }')
    cli("run", cli.spec(), "--no-wait")
    assert cli.json("jobs", "pause", "minutes")["status"] == "paused"
    assert cli.json("jobs", "resume", "minutes")["status"] == "running"


def test_a_job_that_runs_is_not_forgotten(cli):
    cli.configure(trial='life = { words = ["running"] }')
    cli("run", cli.spec(), "--no-wait")
    cli("jobs", "rm", "minutes")
    assert cli.code == 2
    assert "anytune jobs cancel" in cli.err


def test_an_ended_job_is_forgotten(cli):
    job_id = cli.json("run", cli.spec())["job"]["id"]
    assert cli.json("jobs", "rm", "minutes") == {"removed": [job_id]}
    assert cli.json("jobs", "list")["jobs"] == []


def test_a_job_that_anytune_did_not_make_is_attached(cli):
    cli("run", cli.spec())
    cli("jobs", "rm", "minutes")
    attached = cli.json("jobs", "attach", "trial", "job-000001", "--name", "found")
    assert attached["name"] == "found"
    assert attached["status"] == "succeeded"


def test_what_a_provider_says_does_not_steer_the_terminal(cli, failing):
    failing("\\u001b[2Jgone\\u0007")
    cli("run", cli.spec())
    assert "\x1b[2J" not in cli.err
    assert "gone" in cli.err


def test_the_day_on_which_a_model_stops_answering_is_shown_with_its_job(cli, monkeypatch):
    from anytune import catalog

    content = yaml.safe_load(catalog.opened("openai").path.read_text())
    content["host"] = "memory"
    content["models"]["starter"] = content["models"].pop("gpt-4.1-mini-2025-04-14")
    (cli.folder / "memory.yaml").write_text(yaml.safe_dump(content))
    cli("run", cli.spec())
    assert cli.json("jobs", "show", "minutes")["answers_until"] is None
    monkeypatch.setenv("ANYTUNE_CATALOG", str(cli.folder))
    assert cli.json("jobs", "show", "minutes")["answers_until"] == "2027-01-14"
    assert "answers_until: '2027-01-14'" in cli("jobs", "show", "minutes")
    assert "2027-01-14" in cli("jobs", "list")
    cli("jobs", "rm", "minutes")
    assert "2027-01-14" in cli("jobs", "attach", "trial", "--all")
    assert [job["answers_until"] for job in cli.json("jobs", "list")["jobs"]] == ["2027-01-14"]
    assert "attached" in cli("jobs", "list")
