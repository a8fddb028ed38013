from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from anytune import errors
from anytune.cli import ExitCode
from anytune.cli.durations import human, seconds
from anytune.cli.exits import exit_code

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def every_error():
    return [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.AnytuneError)]


def test_the_version_is_printed(cli):
    assert re.fullmatch(r"anytune \d+\.\d+\.\d+\n", cli("--version"))
    assert cli.code == 0


def test_wrong_arguments_end_in_2_with_the_nearest_command(cli):
    cli("jobs", "lst")
    assert cli.code == 2
    assert "list" in cli.err
    assert cli.out == ""


def test_wrong_arguments_are_one_json_error(cli):
    error = cli.json("jobs", "list", "--limit", "none")["error"]
    assert cli.code == 2
    assert set(error) == {"type", "message", "fix", "job_id"}


def test_a_fault_of_ours_says_how_to_get_its_traceback(cli, monkeypatch):
    def broken(**_):
        raise RuntimeError("boom with sk-proj-abcdefgh12345678")

    monkeypatch.setattr("anytune.job.FineTuneJob.list", broken)
    cli("jobs", "list")
    assert cli.code == 70
    assert "ANYTUNE_DEBUG=1" in cli.err
    assert "sk-proj" not in cli.err


def test_ctrl_c_while_watching_leaves_the_job_alone(cli, monkeypatch):
    cli.configure(trial='life = { words = ["running"] }')

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("anytune.cli.follow.follow", interrupted)
    cli("run", cli.spec())
    assert cli.code == 130
    assert "anytune jobs watch" in cli.err
    assert cli.json("jobs", "show", "minutes")["status"] == "running"


def test_a_ledger_that_cannot_be_opened_ends_in_5(cli, monkeypatch):
    monkeypatch.setenv("ANYTUNE_LEDGER", f"sqlite:///{cli.folder}")
    error = cli.json("jobs", "list")["error"]
    assert cli.code == 5
    assert error["type"] == "LedgerError"


def test_the_schema_that_is_printed_is_the_published_one(cli):
    published = json.loads((REFERENCE.parent / "spec.schema.json").read_text())
    assert cli.json("schema") == published


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_ends_in_a_code_that_is_not_0(cls):
    details = {"differences": {}} if issubclass(cls, errors.JobConflict) else {}
    assert exit_code(cls("so it is", **details)) is not ExitCode.OK


def test_the_reference_lists_every_exit_code():
    table = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", REFERENCE.read_text(), re.MULTILINE))
    assert table == {str(int(code)): code.name for code in ExitCode}


def test_the_reference_describes_every_command():
    from anytune.cli.app import app

    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    text = REFERENCE.read_text()
    assert [name for name in names if f"### `anytune {name}" not in text] == []


def test_every_command_takes_json():
    import inspect

    from anytune.cli.app import app

    commands = [
        *app.registered_commands,
        *(command for group in app.registered_groups for command in group.typer_instance.registered_commands),
    ]
    assert [command.callback.__name__ for command in commands if "as_json" not in inspect.signature(command.callback).parameters] == []


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2D", 172800)])
def test_durations_are_read(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(("duration", "text"), [(0, "0s"), (59.6, "1m 0s"), (61, "1m 1s"), (3725, "1h 2m")])
def test_durations_are_written_for_people(duration, text):
    assert human(duration) == text


def test_an_interruption_elsewhere_is_one_json_error(cli, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("anytune.job.FineTuneJob.list", interrupted)
    assert cli.json("jobs", "list")["error"]["message"] == "Interrupted."
    assert cli.code == 130


def test_a_command_that_needs_a_word_shows_its_help_and_no_empty_error(cli):
    cli("jobs")
    assert cli.code == 2
    assert "error:" not in cli.err
