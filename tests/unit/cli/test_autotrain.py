"""AutoTrain's configs on the command line: run, checked, turned into specs and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from anytune.spec import TrainingSpec
from anytune.testing.memory import DurableMemoryBackend
from anytune.values import Pushed

CONFIGS = Path(__file__).parents[2] / "fixtures" / "autotrain"
ROWS = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]


@pytest.fixture
def config(cli, monkeypatch):
    """Write an AutoTrain config that the profile `trial` can train, and give its path."""
    monkeypatch.delenv("HF_TOKEN", raising=False)

    def write(name="foods", **more):
        (cli.folder / "data").mkdir(exist_ok=True)
        (cli.folder / "data" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        data = {"path": "data", "train_split": "train", "valid_split": None, "chat_template": "tokenizer"}
        whole = {"task": "llm-sft", "base_model": "starter", "project_name": name, "log": "none", "backend": "local"}
        whole |= {"data": data | {"column_mapping": {"text_column": "messages"}}, "params": {"lr": 1e-4}}
        path = cli.folder / f"{name}.yml"
        path.write_text(yaml.safe_dump(whole | more))
        return str(path)

    return write


@pytest.fixture
def pushes(monkeypatch):
    """Let the memory backend push, and give what it was asked to."""
    asked = []

    def push(self, model, to):
        asked.append((model.id, to.repo, to.private))
        return Pushed(repo=to.repo, url=f"https://hub.invalid/{to.repo}", revision="c0ffee", files=(), size_bytes=0, private=to.private)

    monkeypatch.setattr(DurableMemoryBackend, "push", push)
    return asked


def test_a_config_runs_as_a_job(cli, config):
    found = cli.json("run", "--autotrain", config(), "--backend", "trial")
    assert cli.code == 0
    assert found["job"]["name"] == "foods"
    assert found["job"]["status"] == "succeeded"
    assert {each["code"] for each in found["translation"]} == {"differs"}


def test_the_same_config_again_gives_the_same_job(cli, config):
    path = config()
    first, second = (cli.json("run", "--autotrain", path, "-b", "trial")["job"]["id"] for _ in range(2))
    assert first == second


def test_what_another_backend_does_otherwise_is_said_before_it_trains(cli, config):
    cli("preflight", "--autotrain", config(), "--backend", "trial")
    assert "AutoTrain learns every token" in cli.err
    assert "AutoTrain packs rows" in cli.err


def test_preflight_takes_a_config(cli, config):
    found = cli.json("preflight", "--autotrain", config(), "--backend", "trial")
    assert cli.code == 0
    assert found["ok"] is True
    assert found["translation"]


@pytest.mark.parametrize("command", ["run", "preflight"])
def test_a_spec_and_a_config_are_one_too_many_and_neither_too_few(cli, config, command):
    cli(command, cli.spec(), "--autotrain", config())
    assert cli.code == 2
    cli(command)
    assert cli.code == 2
    assert "--autotrain" in cli.err


def test_a_config_for_another_task_ends_in_2(cli, config):
    error = cli.json("run", "--autotrain", config(task="tabular"))["error"]
    assert cli.code == 2
    assert "no language model" in error["message"]


def test_a_model_is_pushed_where_the_config_asks_for_it(cli, config, pushes):
    path = config(hub={"username": "kitchen", "token": "${HF_TOKEN}", "push_to_hub": True})
    found = cli.json("run", "--autotrain", path, "-b", "trial")
    assert cli.code == 0
    assert pushes == [("memory:job-000001", "kitchen/foods", True)]
    assert found["pushed"]["repo"] == "kitchen/foods"


def test_without_waiting_nothing_is_pushed_and_it_says_how(cli, config, pushes):
    path = config(hub={"username": "kitchen", "token": "${HF_TOKEN}", "push_to_hub": True})
    cli("run", "--autotrain", path, "-b", "trial", "--no-wait")
    assert pushes == []
    assert "anytune push foods" in cli.err


def test_a_spec_with_the_same_options_is_pushed_too_and_needs_a_name(cli, pushes):
    cli("run", cli.spec(options="{autotrain: {push_to_hub: true, username: kitchen}}"))
    assert pushes == [("memory:job-000001", "kitchen/minutes", True)]
    cli("run", cli.spec(options="{autotrain: {push_to_hub: true}}"))
    assert cli.code == 2
    assert "username" in cli.err


def test_to_spec_prints_a_spec_that_runs(cli, config):
    (cli.folder / "foods.yaml").write_text(cli("autotrain", "to-spec", config(), "--backend", "trial"))
    assert cli.code == 0
    assert "every token" in cli.err
    assert TrainingSpec.read(cli.folder / "foods.yaml").method.learning_rate == 1e-4
    assert cli.json("run", "foods.yaml")["job"]["name"] == "foods"


def test_to_spec_is_one_document_with_json(cli, config):
    found = cli.json("autotrain", "to-spec", config())
    assert found["spec"]["backend"] == "autotrain"
    assert {each["severity"] for each in found["moving"]} == {"warning"}


def test_from_spec_prints_a_config_that_runs(cli, config):
    (cli.folder / "foods.yaml").write_text(cli("autotrain", "to-spec", config()))
    (cli.folder / "again.yml").write_text(cli("autotrain", "from-spec", "foods.yaml"))
    assert cli.code == 0
    assert cli.json("autotrain", "to-spec", "again.yml")["spec"] == cli.json("autotrain", "to-spec", config())["spec"]


def test_from_spec_lists_what_is_lost(cli):
    found = cli.json("autotrain", "from-spec", cli.spec(backend="memory", method="{type: sft, max_steps: 4}"))
    assert found["config"]["task"] == "llm-sft"
    assert any("max_steps" in each["message"] for each in found["findings"])


def llm(*more):
    return ["autotrain", "llm", "--train", "--model", "starter", "--project-name", "foods", "--data-path", "data", *more]


def test_autotrains_own_command_line_runs_as_a_job(cli, config):
    config()
    flags = ("--trainer", "sft", "--text_column=messages", "--chat-template", "tokenizer", "--block_size", "-1", "--backend", "trial")
    found = cli.json(*llm(*flags))
    assert cli.code == 0
    assert found["job"]["spec"]["method"]["max_length"] == 1024
    assert found["job"]["spec"]["backend"] == "trial"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--lrr", "1"], "--lr"),
        (["--backend", "ep-aws-useast1-s"], "spaces-"),
        (["--epochs", "many"], "--epochs"),
        (["--trainer", "ppo"], "ppo"),
    ],
)
def test_a_wrong_command_line_ends_in_2(cli, config, more, said):
    config()
    cli(*llm(*more))
    assert cli.code == 2
    assert said in cli.err


def test_a_token_on_the_command_line_goes_nowhere(cli, config):
    config()
    token = "hf_ThisIsNobodysTokenAtAll"
    cli(*llm("--trainer", "sft", "--text-column", "messages", "--chat-template", "tokenizer", "--token", token, "--backend", "trial"))
    assert cli.code == 0
    assert "not read" in cli.err
    kept = [path for path in cli.folder.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert kept == []
    assert token not in cli.out + cli.err


@pytest.mark.parametrize("name", ["sft", "dpo", "orpo", "reward"])
def test_projects_as_people_have_them_pass_preflight(cli, name, monkeypatch):
    monkeypatch.setenv("HF_USERNAME", "kitchen")
    spec = cli.json("autotrain", "to-spec", str(CONFIGS / f"{name}.yml"))["spec"]
    report = cli.json("data", "check", spec["train"], "--method", spec["method"]["type"])
    assert report["ok"], report["findings"]
