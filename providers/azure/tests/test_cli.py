"""`anytune` on the command line with `backend: azure`: real processes against a simulated resource, set up by environment names alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CREATE, DELETE = "POST /fine_tuning/jobs", "DELETE /arm/deployments/{name}"
SPEC = "backend: azure\nmodel: gpt-4.1-mini-2025-04-14\ntrain: rows.jsonl\nname: recipes\nmethod: {type: sft, num_train_epochs: 2}\n"
PROFILE = """
[profiles.cloud]
backend = "azure"
endpoint = "{endpoint}"
arm_url = "{endpoint}"
subscription_id = "{subscription}"
resource_group = "{group}"
account_name = "{account}"
token = "$MY_TOKEN"
arm_token = "$MY_ARM_TOKEN"
sku = "developertier"
"""


class Shell:
    """The command as users have it."""

    def __init__(self, folder, rows, sim):
        self.folder = folder
        unwanted = {"ANYTUNE_LEDGER", "ANYTUNE_DEBUG"}
        self.env = {name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("AZURE_")} | {
            "ANYTUNE_HOME": str(folder / "home"),
            "AZURE_OPENAI_ENDPOINT": sim.endpoint,
            "AZURE_OPENAI_API_KEY": sim.api_key,
            "AZURE_SUBSCRIPTION_ID": sim.subscription_id,
            "AZURE_RESOURCE_GROUP": sim.resource_group,
            "AZURE_OPENAI_ACCOUNT": sim.resource,
            "AZURE_ARM_URL": sim.arm_url,
            "AZURE_ARM_TOKEN": sim.entra_token,
        }
        rows(folder / "rows.jsonl")
        (folder / "recipes.yaml").write_text(SPEC, encoding="utf-8")

    def __call__(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "anytune.cli", *arguments],
            cwd=self.folder, env=self.env, input="", capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def good(self, *arguments):
        done = self(*arguments)
        assert done.returncode == 0, done.stderr
        return done

    def json(self, *arguments):
        return json.loads(self.good(*arguments, "--json").stdout)


@pytest.fixture
def shell(tmp_path, rows, sim):
    return Shell(tmp_path, rows, sim)


def failed(done, code, *words):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    missing = [word for word in words if word not in " ".join(done.stderr.split())]
    assert not missing, done.stderr


def test_a_spec_becomes_a_model_that_is_deployed_asked_and_stopped(shell, sim):
    ran = shell.good("run", "recipes.yaml", "--poll", "0.05s")
    (job,) = sim.jobs
    assert ran.stdout == f"{job.tuned}\n"
    assert shell.good("run", "recipes.yaml", "--poll", "0.05s").stdout == ran.stdout
    assert sim.count(CREATE) == 1
    deployed = shell.json("deploy", "recipes", "--ttl", "5m", "--option", "sku=developertier")
    (hosted,) = sim.deployments.values()
    assert (deployed["state"], deployed["model"], deployed["hourly_usd"]) == ("ready", hosted.name, 0.0)
    assert hosted.sku["name"] == "DeveloperTier"
    assert shell.good("chat", "recipes", "3 cups of rice").stdout == "rice 3\n"
    shell.good("deployments", "stop", "recipes")
    assert sim.deployments == {}
    assert shell.json("deployments", "list") == {"deployments": []}


def test_a_profile_takes_short_lived_tokens_from_the_environment(shell, sim):
    credential = sim.credential()
    shell.env["MY_TOKEN"] = credential.get_token("https://ai.azure.com/.default").token
    shell.env["MY_ARM_TOKEN"] = credential.get_token("https://management.azure.com/.default").token
    for name in [name for name in shell.env if name.startswith("AZURE_")]:
        del shell.env[name]
    profile = PROFILE.format(endpoint=sim.endpoint, subscription=sim.subscription_id, group=sim.resource_group, account=sim.resource)
    (shell.folder / "anytune.toml").write_text(profile, encoding="utf-8")
    spec = (shell.folder / "recipes.yaml").read_text(encoding="utf-8")
    (shell.folder / "recipes.yaml").write_text(spec.replace("backend: azure", "backend: cloud"), encoding="utf-8")
    shell.good("run", "recipes.yaml", "--poll", "0.05s")
    assert shell.json("deploy", "recipes", "--ttl", "5m")["state"] == "ready"
    assert shell.good("chat", "recipes", "3 cups of rice").stdout == "rice 3\n"
    shell.good("deployments", "stop", "recipes")
    assert sim.deployments == {}
    written = b"".join(path.read_bytes() for path in (shell.folder / "home").rglob("*") if path.is_file())
    assert [name for name in ("MY_TOKEN", "MY_ARM_TOKEN") if shell.env[name].encode() in written] == []


def test_a_failed_deployment_is_taken_down_again(shell, sim):
    shell.good("run", "recipes.yaml", "--poll", "0.05s")
    sim.faults = sim.faults.model_copy(update={"arm_failure": "InsufficientQuota"})
    done = shell("deploy", "recipes", "--ttl", "5m", "--option", "sku=standard")
    assert done.returncode != 0
    assert "InsufficientQuota" in done.stderr
    assert sim.deployments == {}


def test_an_option_with_a_slip_gets_the_nearest_word(shell, sim):
    shell.good("run", "recipes.yaml", "--poll", "0.05s")
    failed(shell("deploy", "recipes", "--ttl", "5m", "--option", "skuu=standard"), 2, "Did you mean `sku`")
    assert sim.deployments == {}


def test_a_missing_setting_is_named_before_training(shell):
    del shell.env["AZURE_SUBSCRIPTION_ID"]
    assert "AZURE_SUBSCRIPTION_ID" in " ".join(shell.good("preflight", "recipes.yaml").stderr.split())


def test_a_missing_endpoint_is_named(shell):
    del shell.env["AZURE_OPENAI_ENDPOINT"]
    failed(shell("run", "recipes.yaml"), 2, "AZURE_OPENAI_ENDPOINT")


def test_a_wrong_key_is_named_and_not_shown(shell):
    shell.env["AZURE_OPENAI_API_KEY"] = "wrong-0123456789abcdef"
    done = shell("run", "recipes.yaml")
    failed(done, 3, "AZURE_OPENAI_API_KEY")
    assert "wrong-0123456789abcdef" not in done.stderr


def test_the_key_and_the_token_are_in_no_output_and_no_file(shell, sim):
    outputs = [shell("run", "recipes.yaml", "--poll", "0.05s"), shell("jobs", "show", "recipes", "--json"), shell("doctor", "--json")]
    outputs.append(shell("deploy", "recipes", "--ttl", "5m"))
    written = b"".join(path.read_bytes() for path in (shell.folder / "home").rglob("*") if path.is_file())
    for secret in (sim.api_key, sim.entra_token):
        assert secret.encode() not in written
        assert [one.args for one in outputs if secret in one.stdout + one.stderr] == []
