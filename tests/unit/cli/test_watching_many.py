"""`anytune jobs watch` for several jobs: a line for each that moves on, and one exit code for all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from anytune import Status
from anytune.cli import invoke

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Cli


def ordered(cli: Cli, *names: str) -> None:
    for name in names:
        cli("run", cli.spec(name), "--no-wait")
        assert cli.code == 0, cli.err


def test_all_jobs_that_have_not_ended_are_watched_to_their_end(cli: Cli) -> None:
    ordered(cli, "one", "two", "three")
    cli("jobs", "watch", "--all")
    assert cli.code == 0
    assert "3 succeeded." in cli.err
    assert {job["status"] for job in cli.json("jobs", "list")["jobs"]} == {"succeeded"}


def test_several_jobs_are_named(cli: Cli) -> None:
    ordered(cli, "one", "two", "three")
    cli("jobs", "watch", "one", "two")
    assert cli.code == 0
    assert "2 succeeded." in cli.err
    assert "three" not in cli.err


def test_programs_get_a_json_line_for_each_change(cli: Cli) -> None:
    ordered(cli, "one", "two")
    lines = [json.loads(line) for line in cli("jobs", "watch", "--all", "--json").splitlines()]
    assert {line["type"] for line in lines} == {"change"}
    assert {line["error"] for line in lines} == {None}
    last = {line["job"]["name"]: line["snapshot"]["status"] for line in lines}
    assert last == {"one": Status.SUCCEEDED, "two": Status.SUCCEEDED}


def test_one_that_fails_ends_in_1(cli: Cli, failing) -> None:
    failing("no disk space")
    ordered(cli, "one", "two")
    cli("jobs", "watch", "--all")
    assert cli.code == 1
    assert "no disk space" in cli.err


def test_nothing_to_watch_is_said(cli: Cli) -> None:
    cli("jobs", "watch", "--all")
    assert cli.code == 0
    assert "no jobs that have not ended" in cli.err


@pytest.mark.parametrize("arguments", [(), ("one", "--all")], ids=["neither", "both"])
def test_jobs_are_named_or_all_are_meant(cli: Cli, arguments: tuple[str, ...]) -> None:
    cli("jobs", "watch", *arguments)
    assert cli.code == 2
    assert "--all" in cli.err


def test_patience_ends_in_4(cli: Cli) -> None:
    cli.configure(slow='life = { words = ["running"] }')
    cli("run", cli.spec("slow", backend="slow"), "--no-wait")
    assert invoke(("jobs", "watch", "--all", "--timeout", "1s")) == 4
