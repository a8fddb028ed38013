from __future__ import annotations

import json

import pytest

from anytune.errors import BackendMissing


def test_a_spec_becomes_a_job_and_its_model_is_printed(cli):
    model = cli("run", cli.spec())
    assert cli.code == 0
    assert model.strip() == "memory:job-000001"
    assert "12 rows" in cli.err
    assert "succeeded" in cli.err


def test_running_the_same_spec_again_gives_the_same_job(cli):
    spec = cli.spec()
    first = cli.json("run", spec)
    second = cli.json("run", spec)
    assert first["job"]["id"] == second["job"]["id"]
    assert first["preflight"]["ok"] is True
    assert second["preflight"] is None


def test_a_new_attempt_is_another_job(cli):
    spec = cli.spec()
    first = cli.json("run", spec)["job"]
    second = cli.json("run", spec, "--new-attempt")["job"]
    assert second["id"] != first["id"]
    assert second["attempt"] == 2


def test_without_waiting_the_id_is_printed_and_the_job_goes_on(cli):
    job_id = cli("run", cli.spec(), "--no-wait").strip()
    assert cli.code == 0
    shown = cli.json("jobs", "show", job_id)
    assert shown["status"] in {"submitting", "queued", "running"}


def test_a_failed_job_ends_in_1_with_its_reason(cli, failing):
    failing("CUDA out of memory")
    cli("run", cli.spec())
    assert cli.code == 1
    assert "CUDA out of memory" in cli.err


def test_a_failed_job_is_one_json_error(cli, failing):
    failing("CUDA out of memory")
    error = cli.json("run", cli.spec())["error"]
    assert cli.code == 1
    assert error["type"] == "JobFailed"
    assert "CUDA out of memory" in error["message"]
    assert error["job_id"]


def test_waiting_too_short_ends_in_4_and_the_job_goes_on(cli):
    cli.configure(trial='life = { words = ["running"] }')
    error = cli.json("run", cli.spec(), "--timeout", "1s")["error"]
    assert cli.code == 4
    assert error["type"] == "WaitTimeout"
    assert f"anytune jobs watch {error['job_id']}" in error["fix"]


def test_another_spec_under_the_same_name_is_refused_with_both_values(cli):
    cli("run", cli.spec(), "--no-wait")
    cli("run", cli.spec(method="{type: sft, num_train_epochs: 5}"))
    assert cli.code == 2
    assert "num_train_epochs" in cli.err


def test_the_backend_can_be_chosen_on_the_command_line(cli):
    cli.configure(trial="", other="")
    assert cli.json("run", cli.spec(), "--backend", "other")["job"]["spec"]["backend"] == "other"


def test_an_unknown_key_is_refused_with_the_nearest_name(cli):
    cli("run", cli.spec(traim="rows.jsonl"))
    assert cli.code == 2
    assert "`traim`" in cli.err
    assert "`train`" in cli.err


def test_a_bad_row_is_named_by_its_number_and_nothing_is_created(cli):
    spec = cli.spec()
    rows = (cli.folder / "rows.jsonl").read_text().splitlines()
    rows[6] = json.dumps({"messages": [{"role": "user", "content": "and?"}]})
    (cli.folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
    cli("run", spec)
    assert cli.code == 2
    assert "row 7" in cli.err.lower()
    assert cli.json("jobs", "list")["jobs"] == []


def test_a_bad_row_carries_its_number_in_json(cli):
    spec = cli.spec()
    (cli.folder / "rows.jsonl").write_text('{"messages": 1}\n')
    error = cli.json("run", spec)["error"]
    assert error["type"] == "DataError"
    assert error["findings"][0]["row"] == 1


def test_a_missing_data_file_is_named(cli):
    cli("run", cli.spec(train="nowhere.jsonl"))
    assert cli.code == 2
    assert "nowhere.jsonl" in cli.err


def test_a_missing_spec_is_named(cli):
    cli("run", "nowhere.yaml")
    assert cli.code == 2
    assert "nowhere.yaml" in cli.err


def test_an_unknown_backend_is_refused_with_what_there_is(cli):
    cli("run", cli.spec(backend="memori"))
    assert cli.code == 3
    assert "memory" in cli.err


def test_preflight_reports_and_makes_no_job(cli):
    report = cli.json("preflight", cli.spec())
    assert cli.code == 0
    assert report["ok"] is True
    assert report["stats"]["rows"] == 12
    assert report["quote"]["basis"]
    assert cli.json("jobs", "list")["jobs"] == []


def test_preflight_lists_what_the_backend_has_no_word_for(cli):
    cli("preflight", cli.spec(method="{type: sft, weight_decay: 0.1}"))
    assert cli.code == 0
    assert "weight_decay" in cli.err


def test_preflight_ends_in_1_where_the_spec_is_strict(cli):
    report = cli.json("preflight", cli.spec(method="{type: sft, weight_decay: 0.1}", strict="true"))
    assert cli.code == 1
    assert report["ok"] is False


def test_an_alias_is_echoed_with_its_canonical_name(cli):
    cli("preflight", cli.spec(method="{type: sft, n_epochs: 2}"))
    assert "`n_epochs` is taken as `num_train_epochs`" in cli.err


def test_every_bad_row_is_listed_once(cli):
    spec = cli.spec()
    (cli.folder / "rows.jsonl").write_text('{"messages": 1}\n{"messages": 2}\n')
    cli("run", spec)
    lines = cli.err.splitlines()
    assert sum(line.startswith("error: row 1:") for line in lines) == 1
    assert sum(line.startswith("error: row 2:") for line in lines) == 1


LEAK = '{"messages": [{"role": "user", "content": "3?"}, {"role": "assistant", "content": "3!"}]}\n'


def test_an_error_stops_a_run_until_its_code_is_allowed(cli):
    spec = cli.spec(validation="valid.jsonl")
    (cli.folder / "valid.jsonl").write_text(LEAK)
    refused = cli.json("run", spec)["error"]
    assert (cli.code, refused["findings"][0]["code"]) == (2, "leaked-rows")
    ran = cli.json("run", spec, "--allow", "leaked-rows")
    assert (cli.code, ran["preflight"]["ok"]) == (0, True)


def test_preflight_writes_a_page_beside_what_it_says(cli):
    page = cli.folder / "report.html"
    found = cli.json("preflight", cli.spec(), "--report", str(page))
    assert found["report"]["sha256"] in page.read_text()
    assert "minutes on trial" in page.read_text()


def test_preflight_leaves_out_what_is_skipped_and_says_so(cli):
    found = cli.json("preflight", cli.spec(), "--skip", "secrets")
    assert "not-checked" in {finding["code"] for finding in found["findings"]}
    cli("preflight", cli.spec(), "--skip", "secretz")
    assert (cli.code, "secret" in cli.err) == (2, True)


def test_a_probe_is_shown_as_the_quote(cli):
    assert "measured" in cli.json("preflight", cli.spec(), "--probe")["quote"]["basis"]


def test_jobs_show_gives_the_estimate_beside_what_the_run_took(cli):
    cli("run", cli.spec())
    shown = cli.json("jobs", "show", "minutes")
    assert shown["estimate"]["tokens"] > 0
    assert shown["actual"]["minutes"] is not None


def test_of_many_findings_alike_the_first_are_shown_and_the_gravest_come_first(cli):
    spec = cli.spec()
    row = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": ""}]}\n'
    with (cli.folder / "rows.jsonl").open("a") as file:
        file.write(row * 9)
    cli("preflight", spec)
    shown = [line for line in cli.err.splitlines() if line.startswith(("error", "warning"))]
    assert sum(line.startswith("error") for line in shown) == 6
    assert "… and 4 more of `empty-answer`; `--json` lists them all." in cli.err
    assert shown == sorted(shown, key=lambda line: line.startswith("warning"))


def test_a_run_that_is_refused_names_each_error_once(cli):
    cli("run", cli.spec(budget="{max_usd: 0.000001}"))
    assert cli.code == 1
    assert cli.err.count("the budget is") == 1
    assert "Nothing was sent or created: 1 error." in cli.err
    assert "were spent before" not in cli.err


def test_a_report_that_cannot_be_written_is_refused_before_the_work(cli, monkeypatch):
    monkeypatch.setattr("anytune.job.FineTuneJob.preflight", None)
    cli("preflight", cli.spec(), "--report", "none/report.html")
    assert cli.code == 2
    assert "there is no folder none" in cli.err
    cli("preflight", cli.spec(), "--report", "report.pdf")
    assert cli.code == 2


@pytest.mark.parametrize("verb", ["preflight", "run"])
def test_a_host_without_its_plugin_leads_to_what_is_known_of_it(cli, monkeypatch, verb):
    def missing(name):
        raise BackendMissing(f"No backend {name!r} is installed.", fix="Install it.")

    monkeypatch.setattr("anytune.plugins.load", missing)
    cli(verb, cli.spec(backend="openai", model="gpt-4.1-mini-2025-04-14"))
    assert cli.code == 3
    assert "--backend openai --model gpt-4.1-mini-2025-04-14 --method sft" in cli.err


@pytest.mark.parametrize("model", ["starter", "{trl: starter}"])
def test_another_backends_model_is_not_taken_for_the_hosts(cli, monkeypatch, model):
    def missing(name):
        raise BackendMissing(f"No backend {name!r} is installed.")

    monkeypatch.setattr("anytune.plugins.load", missing)
    cli("preflight", cli.spec(backend="openai", model=model))
    assert "--backend openai --model MODEL" in cli.err
