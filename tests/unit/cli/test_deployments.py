from __future__ import annotations

import io
import json

import pytest

from anytune import plugins
from anytune.testing import MemoryBackend


@pytest.fixture
def deployed(cli):
    """A job whose model is deployed under its name, stopped at the end."""
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "2m")
    assert cli.code == 0
    yield cli
    cli("deployments", "stop", "--all")


def test_a_job_is_deployed_asked_and_stopped(deployed):
    cli = deployed
    assert "http://127.0.0.1:" in cli.out
    assert cli("chat", "minutes", "3?").strip() == "memory:job-000001 heard: 3?"
    cli("deployments", "stop", "minutes")
    assert cli.code == 0
    assert cli.json("deployments", "list")["deployments"] == []


def test_an_answer_is_one_json_document(deployed):
    answer = deployed.json("chat", "minutes", "3?")
    assert answer["text"] == "memory:job-000001 heard: 3?"
    assert answer["finish_reason"] == "stop"


def test_the_message_may_come_from_stdin(deployed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert "from a pipe" in deployed("chat", "minutes")


def test_an_empty_message_is_refused(deployed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    deployed("chat", "minutes")
    assert deployed.code == 2


def test_a_deployment_is_found_by_its_job(cli):
    job = cli.json("run", cli.spec())["job"]
    cli("deploy", job["id"], "--name", "another-word", "--ttl", "2m")
    assert "heard" in cli("chat", "minutes", "3?")
    cli("deployments", "stop", job["id"])
    assert cli.code == 0


def test_deployments_are_listed_with_their_cost(deployed):
    listed = deployed.json("deployments", "list")["deployments"]
    assert [one["name"] for one in listed] == ["minutes"]
    assert listed[0]["hourly_usd"] == 0.5
    assert listed[0]["cost_usd"] >= 0
    deployed("deployments", "list")
    assert "minutes" in deployed.out


def test_the_key_is_shown_only_where_it_is_asked_for(deployed):
    cli = deployed
    assert "api_key" not in json.dumps(cli.json("deployments", "list"))
    shown = cli.json("deploy", "minutes", "--name", "second", "--show-key", "--ttl", "2m")
    assert shown["api_key"]
    assert shown["api_key"] not in cli.err


def test_a_job_without_a_deployment_says_how_to_start_one(cli):
    cli("run", cli.spec())
    cli("chat", "minutes", "3?")
    assert cli.code == 2
    assert "anytune deploy minutes" in cli.err


def test_a_deployment_that_fails_ends_in_3_and_is_taken_down(cli):
    cli.configure(trial='faults = { deploy_error = "no GPU left" }')
    cli("run", cli.spec())
    error = cli.json("deploy", "minutes")["error"]
    assert cli.code == 3
    assert "no GPU left" in error["message"]
    assert cli.json("deployments", "list")["deployments"] == []


def test_a_job_that_runs_has_nothing_to_deploy_yet(cli):
    cli.configure(trial='life = { words = ["running"] }')
    cli("run", cli.spec(), "--no-wait")
    cli("deploy", "minutes")
    assert cli.code == 2


@pytest.mark.parametrize("ttl", ["soon", "0", "-1h", "1w"])
def test_a_wrong_ttl_is_refused(cli, ttl):
    cli("deploy", "minutes", f"--ttl={ttl}")
    assert cli.code == 2
    assert "1h" in cli.err


def test_stopping_needs_a_name(cli):
    cli("deployments", "stop")
    assert cli.code == 2


def test_options_reach_the_backend_in_their_kind(cli, monkeypatch):
    from anytune.testing import DurableMemoryBackend

    orders = []
    deploy = DurableMemoryBackend.deploy
    monkeypatch.setattr(DurableMemoryBackend, "deploy", lambda backend, order: orders.append(order) or deploy(backend, order))
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "2m", "--option", "sku=Standard", "-o", "capacity=2", "-o", "developer=true", "-o", "at=2026-12-01")
    assert cli.code == 0
    assert orders[0].options == {"sku": "Standard", "capacity": 2, "developer": True, "at": "2026-12-01"}
    cli("deployments", "stop", "--all")


@pytest.mark.parametrize("option", ["sku", "=Standard", "ttl=1h", "name=x"])
def test_a_wrong_option_is_refused_before_anything_is_hosted(cli, option):
    cli("run", cli.spec())
    cli("deploy", "minutes", "--option", option)
    assert cli.code == 2
    assert cli.json("deployments", "list", "--all")["deployments"] == []


def test_what_a_host_bills_is_told_when_it_is_deployed_and_when_it_is_listed(deployed):
    assert "It bills $0.50/h, called or not, until 20" in deployed.err
    assert "$0.50/h" in deployed("deployments", "list")


@pytest.mark.parametrize("model", ["memory:job-000001", "ft:gpt-4.1-mini-2025-04-14:acme:recipes:abc12345", "accounts/acme/models/recipes"])
def test_a_hosted_model_is_deployed_by_its_id(cli, model):
    cli.configure(trial="served = true")
    cli("run", cli.spec())
    told = cli.json("deploy", model, "-b", "trial", "--no-wait", "--ttl", "2m")
    assert (cli.code, told["serves"]) == (0, model), cli.err
    cli("deployments", "stop", "--all")


def test_a_models_id_without_a_backend_says_what_is_missing(cli):
    cli("deploy", "ft:gpt-4.1-mini-2025-04-14:acme:recipes:abc12345")
    assert cli.code == 2
    assert "-b openai" in cli.err


def test_a_folder_that_does_not_exist_is_no_models_id(cli):
    cli("deploy", "./nowhere/model", "-b", "trial")
    assert cli.code == 2
    assert "There is no folder" in cli.err


def test_hosts_that_another_ledger_made_are_listed_at_their_provider(deployed):
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("ANYTUNE_LEDGER", f"sqlite:///{deployed.folder}/other.db")
        told = deployed.json("deployments", "list", "--remote")
        assert [(one["backend"], one["id"], one["hourly_usd"]) for one in told["deployments"]] == [("trial", None, 0.5)]
        deployed("deployments", "list", "--remote")
    assert "1 of them not in this ledger" in deployed.err


def test_hosts_are_listed_at_their_provider_beside_what_the_ledger_knows(deployed):
    ours = deployed.json("deployments", "list")["deployments"][0]
    told = deployed.json("deployments", "list", "--remote", "-b", "trial")["deployments"]
    assert [(one["id"], one["name"], one["expires_at"]) for one in told] == [(ours["id"], "minutes", ours["expires_at"])]
    assert ours["id"] in deployed("deployments", "list", "--remote")
    deployed("deployments", "stop", "minutes")
    assert deployed.json("deployments", "list", "--remote", "-b", "trial")["deployments"] == []


def test_a_backend_that_cannot_list_its_hosts_says_so(cli):
    cli("deployments", "list", "--remote", "-b", "trl")
    assert cli.code == 3
    assert "cannot list its hosts" in cli.err


def test_a_listing_asks_one_provider_only_where_it_asks_providers(cli):
    cli("deployments", "list", "-b", "trial")
    assert cli.code == 2


def test_stopping_several_goes_on_after_one_that_fails(cli):
    cli.configure(trial='faults = { calls = [{ kind = "reject", on = "undeploy" }] }')
    cli("run", cli.spec())
    for name in ("first", "second"):
        cli("deploy", "minutes", "--name", name, "--ttl", "2m")
    told = cli.json("deployments", "stop", "--all")
    assert cli.code == 3
    assert (len(told["stopped"]), len(told["failed"])) == (1, 1)
    assert cli.json("deployments", "stop", "--all")["failed"] == []


def test_nothing_is_over_its_time(deployed):
    assert deployed.json("deployments", "stop", "--expired") == {"stopped": [], "failed": []}
    assert deployed.code == 0
    assert len(deployed.json("deployments", "list")["deployments"]) == 1


def test_stopping_takes_one_kind_of_choice(deployed):
    deployed("deployments", "stop", "minutes", "--expired")
    assert deployed.code == 2


def test_a_second_host_of_the_same_name_is_told_with_what_the_first_one_bills(deployed):
    first = deployed.json("deployments", "list")["deployments"][0]
    deployed("deploy", "minutes", "--ttl", "2m")
    assert f"bills $0.50/h. If nobody needs it: anytune deployments stop {first['id']}" in deployed.err


def test_a_host_is_stopped_by_its_providers_id(deployed):
    [listed] = deployed.json("deployments", "list", "--remote", "-b", "trial")["deployments"]
    deployed("deployments", "stop", listed["remote_id"])
    assert deployed.code == 0
    assert deployed.json("deployments", "list")["deployments"] == []


def test_a_name_that_several_have_stops_none_of_them(deployed):
    deployed("deploy", "minutes", "--ttl", "2m")
    deployed("deployments", "stop", "minutes")
    said, code = deployed.err, deployed.code
    live = deployed.json("deployments", "list")["deployments"]
    assert code == 2
    assert [one["name"] for one in live] == ["minutes", "minutes"]
    assert all(one["id"] in said for one in live)


def test_deployments_are_listed_as_last_seen_where_their_backend_cannot_be_set_up(deployed, monkeypatch):
    deployed.configure(other="")
    monkeypatch.setattr("anytune.runtime._RUNTIMES", {})  # as in the next process
    [one] = deployed.json("deployments", "list")["deployments"]
    assert (deployed.code, one["state"]) == (0, "ready")
    assert one["base_url"].startswith("http://127.0.0.1:")
    assert "as last seen" in deployed.err
    deployed.configure(trial="")


def test_a_name_that_two_backends_have_is_deployed_from_the_one_that_is_named(cli):
    cli.configure(trial="", other='account = "another"')
    cli("run", cli.spec())
    job = cli.json("run", cli.spec(), "--backend", "other")["job"]
    assert cli("deploy", "minutes", "--ttl", "2m") == ""
    assert cli.code == 2
    assert cli.json("deploy", "minutes", "-b", "other", "--ttl", "2m")["job_id"] == job["id"]
    assert "heard" in cli("chat", "minutes@other", "3?")
    cli("deployments", "stop", "minutes@other")
    assert cli.code == 0


@pytest.mark.parametrize("model", ["acme/recipes", f"acme/recipes@{'0' * 40}", "acme/recipes@main:adapter"])
def test_a_model_of_the_hub_is_deployed_by_its_id_on_this_machine_too(cli, monkeypatch, model):
    own = MemoryBackend.capabilities.fget
    monkeypatch.setattr(MemoryBackend, "capabilities", property(lambda self: own(self).model_copy(update={"local": True})))
    cli.configure(trial="served = true")
    cli("run", cli.spec())
    told = cli.json("deploy", model, "-b", "trial", "--no-wait", "--ttl", "2m")
    assert (cli.code, told["serves"]) == (0, model), cli.err
    cli("deployments", "stop", "--all")


def test_a_model_of_the_hub_without_a_backend_says_what_is_missing(cli):
    cli("deploy", "acme/recipes")
    assert cli.code == 2
    assert "There is no folder" in cli.err
    assert "-b trl" in cli.err


def test_a_jobs_model_is_deployed_at_the_place_that_is_named_and_not_where_it_was_trained(cli, monkeypatch):
    hosts = []

    class Placed(MemoryBackend):
        name = "placed"

        def __init__(self, *, compute="here"):
            super().__init__(state_file=cli.folder / "placed.json")
            self.compute = compute

        def deploy(self, order):
            hosts.append(self.compute)
            return super().deploy(order)

    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda name: Placed if name == "placed" else load(name))
    cli("run", cli.spec(backend="placed@cloud"))
    cli("deploy", "minutes", "-b", "placed@here", "--no-wait")
    cli("deploy", "minutes", "--no-wait")
    assert (cli.code, hosts) == (0, ["here", "cloud"]), cli.err
    assert "placed@cloud" in cli("jobs", "list")
    cli("deployments", "stop", "--all")
