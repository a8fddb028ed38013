"""A host that bills ends at its time, whatever happens to the program that asked for it."""

from __future__ import annotations

import json

import pytest

KEY = "sk-canary-0123456789"
FOREVER = "print('up', flush=True)\ntime.sleep(600)"


@pytest.fixture
def up(desk):
    """Start a program that hosts with a time to live and goes on for ever; give it once its host is asked for."""
    programs = []

    def start(ttl_s, code=FOREVER):
        program = desk.start(f"deployment = tuned.deploy(ttl_s={ttl_s})\n{code}")
        programs.append(program)
        said = program.stdout.readline()
        assert said == "up\n", program.communicate(timeout=30)
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate(timeout=30)


def gone(desk, count=1):
    return lambda: list(desk.provider.values()) == ["gone"] * count


def nobody(desk):
    return lambda: not desk.watches()


def test_a_killed_programs_host_ends_at_its_time_and_the_watch_ends_with_it(desk, up):
    program = up(4)
    assert set(desk.provider.values()) <= {"starting", "ready"}
    program.kill()
    desk.until(gone(desk), "the host is gone")
    desk.until(nobody(desk), "the watch has left")
    listed = json.loads(desk.cli("deployments", "list", "--all", "--json").stdout)["deployments"]
    assert [one["state"] for one in listed] == ["gone"]
    assert "nothing is left" in desk.log()


def test_nothing_is_stopped_before_its_time(desk, up):
    up(600)
    deployed = up(4)
    deployed.kill()
    desk.until(lambda: min(desk.provider.values()) == "gone", "the short one is gone")
    assert sorted(desk.provider.values())[1] in {"starting", "ready"}
    assert len(desk.watches()) == 1


def test_two_hosts_share_one_watch(desk, up):
    up(5)
    up(5)
    assert len(desk.watches()) == 1
    desk.until(gone(desk, 2), "both are gone")


def test_a_watch_leaves_soon_after_its_last_host_was_stopped(desk):
    code, _, err = desk.run("with tuned.deploy(ttl_s=600) as endpoint:\n    print(endpoint.chat('2 cups'))")
    assert code == 0, err
    desk.until(nobody(desk), "the watch has left", patience_s=20)


def test_a_stop_that_fails_is_tried_again_until_it_is_confirmed(desk, up):
    desk.configure('faults = { calls = [{ kind = "server_error", on = "undeploy", times = 7 }] }')
    up(2).kill()
    desk.until(gone(desk), "the host is gone", patience_s=60)
    assert desk.calls["undeploy"] == 8
    desk.until(nobody(desk), "the watch has left")


def test_a_lost_reply_to_deploy_leaves_no_host_behind(desk):
    desk.configure('faults = { calls = [{ kind = "drop_reply", on = "deploy", times = 5 }] }')
    code, _, err = desk.run("tuned.deploy(ttl_s=600)")
    assert code == 1
    assert "Unreachable" in err
    assert len(desk.provider) == 1
    desk.until(gone(desk), "the host that nobody was told of is gone")
    desk.until(nobody(desk), "the watch has left")


def test_a_lost_reply_before_a_refusal_leaves_no_host_behind(desk):
    desk.configure('faults = { calls = [{ kind = "drop_reply", on = "deploy" }, { kind = "quota", on = "deploy", skip = 1 }] }')
    code, _, err = desk.run("tuned.deploy(ttl_s=600)")
    assert code == 1
    assert "QuotaExceeded" in err
    desk.until(gone(desk), "the host that nobody was told of is gone")


def test_a_refused_deployment_is_over_at_once(desk):
    desk.configure('faults = { calls = [{ kind = "quota", on = "deploy" }] }')
    assert desk.run("tuned.deploy(ttl_s=600)")[0] == 1
    assert "There are no deployments" in desk.cli("deployments", "list").stderr
    desk.until(nobody(desk), "the watch has left")


def test_after_a_killed_watch_a_listing_takes_down_what_is_over_its_time(desk, up):
    program = up(2)
    for process in desk.watches():
        process.kill()
    program.kill()
    expired = json.loads(desk.cli("deployments", "list", "--all", "--json").stdout)["deployments"][0]["expires_at"]
    assert expired
    desk.until(lambda: gone(desk)() or desk.cli("deployments", "list").returncode, "the listing took it down")
    assert list(desk.provider.values()) == ["gone"]


def test_after_a_killed_watch_a_listing_starts_another(desk, up):
    up(600)
    (first,) = desk.watches()
    first.kill()
    first.wait(10)
    assert desk.cli("deployments", "list").returncode == 0
    assert [process.pid for process in desk.watches()] != [first.pid]
    assert len(desk.watches()) == 1


def test_after_a_killed_watch_the_next_deployment_starts_another(desk, up):
    up(600)
    (first,) = desk.watches()
    first.kill()
    first.wait(10)
    up(600)
    assert len(desk.watches()) == 1


def test_cron_takes_down_what_is_over_its_time_and_nothing_else(desk, up):
    up(600)
    up(1)
    for process in desk.watches():
        process.kill()

    def stopped():
        done = desk.cli("deployments", "stop", "--expired", "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)["stopped"]

    assert len(desk.until(stopped, "the second one is over its time")) == 1
    assert min(desk.provider.values()) == "gone"
    assert sorted(desk.provider.values())[1] in {"starting", "ready"}


def test_a_key_that_was_withdrawn_is_no_end_and_the_next_command_brings_a_better_one(desk, up):
    program = up(600)
    for process in desk.watches():
        process.kill()
    program.kill()
    desk.env["BILLING_KEY"] = "sk-withdrawn-0123456789"
    assert desk.cli("deployments", "list").returncode == 0  # its watch has a key that is good for nothing
    (helpless,) = desk.watches()
    row = json.loads(desk.cli("deployments", "list", "--json").stdout)["deployments"][0]
    assert desk.cli("deployments", "stop", row["id"]).returncode == 3  # the wish is written down; nobody could carry it out
    assert list(desk.provider.values()) != ["gone"]
    desk.env["BILLING_KEY"] = KEY
    assert desk.cli("deployments", "stop", "--all").returncode == 0
    assert list(desk.provider.values()) == ["gone"]
    desk.until(lambda: not helpless.is_running() or helpless.status() == "zombie", "the helpless watch has left")


def test_a_watch_without_a_good_key_gives_way_to_one_that_has_it(desk, up):
    desk.env["BILLING_KEY"] = KEY
    program = up(3)
    for process in desk.watches():
        process.kill()
    program.kill()
    desk.env["BILLING_KEY"] = "sk-withdrawn-0123456789"
    assert desk.cli("deployments", "list").returncode == 0
    (helpless,) = desk.watches()
    desk.until(lambda: "is not gone" in desk.log(), "it has tried")
    desk.env["BILLING_KEY"] = KEY
    up(4).kill()
    desk.until(gone(desk, 2), "both hosts are gone", patience_s=60)
    desk.until(lambda: helpless.pid not in {process.pid for process in desk.watches()}, "the helpless watch gave way", patience_s=60)


def test_no_key_is_in_arguments_or_logs(desk, up):
    desk.configure('faults = { calls = [{ kind = "auth", on = "undeploy", times = 1 }] }\napi_key = "sk-echoed-0123456789"')
    up(2).kill()
    (watch,) = desk.watches()
    assert KEY not in " ".join(watch.cmdline())
    desk.until(gone(desk), "the host is gone")
    for path in (desk.home / "watch").iterdir():
        assert KEY not in path.read_text()
        assert "sk-echoed" not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


def test_a_home_that_was_removed_ends_the_watch(desk, up):
    import shutil

    up(600).kill()
    shutil.rmtree(desk.home)
    desk.until(nobody(desk), "the watch has left", patience_s=60)


def test_a_backend_made_in_code_is_hosted_with_a_warning_that_nobody_watches(desk):
    del desk.env["BILLING_KEY"]
    code, _, err = desk.run(
        "import logging; logging.basicConfig()\n"
        "from billing_plugin import Billing\n"
        f"mine = Billing(api_key={KEY!r}, state_file='provider.json', account='mine')\n"
        "deployment = anytune.TunedModel(tuned.ref, backend=mine).deploy(ttl_s=60)\n"
        "deployment.stop()"
    )
    assert code == 0, err
    assert "are not watched" in err
    assert KEY not in err
    assert not desk.watches()


def test_a_watch_that_does_not_start_lets_nothing_be_hosted(desk):
    desk.home.mkdir()
    (desk.home / "watch").write_text("in the way")
    code, _, err = desk.run("tuned.deploy(ttl_s=60)")
    assert code == 1
    assert "The watch over deployments and budgets did not start" in err
    assert desk.provider == {}
    assert "There are no deployments" in desk.cli("deployments", "list").stderr
