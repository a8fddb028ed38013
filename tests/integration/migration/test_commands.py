"""`anytune capture` and `anytune migrate` as a person types them."""

from __future__ import annotations

import json

import pytest

from anytune.cli import invoke


@pytest.fixture
def cli(folder, openai_host, tuned, monkeypatch, capfd):
    """Run a command in this process; the old job is `tuned`'s, in the process's own ledger none is known."""
    source = f"openai:{tuned().remote_id}"
    monkeypatch.setenv("OPENAI_BASE_URL", openai_host.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", openai_host.api_key)
    monkeypatch.setattr("anytune.observe._FIRST_S", 0.01)
    monkeypatch.setattr("anytune.observe._LONGEST_S", 0.01)

    def run(*words):
        capfd.readouterr()
        code = invoke([source if word == "SOURCE" else str(word) for word in words])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def test_capture_says_what_it_will_cost_and_how_far_the_model_agrees_with_itself(cli, folder):
    code, out, err = cli("capture", "SOURCE", "--data", "held.jsonl", "--samples", 2)
    assert (code, out.strip()) == (0, "held.captured.jsonl")
    assert "24 of 24 answers to come" in err
    assert "100% of the times" in err
    assert "cups of" not in err
    code, out, _ = cli("capture", "SOURCE", "--data", "held.jsonl", "--samples", 2, "--json")
    assert json.loads(out)["missing"] == 0


def test_the_plan_names_every_loss_and_makes_nothing(cli, openai_host):
    code, out, err = cli("migrate", "SOURCE", "--to", "memory", "--model", "base", "--plan")
    assert code == 0
    assert "loses `weights`" in err
    assert "Nothing was made" in err
    assert "migrations" in out
    code, _, err = cli("migrate", "SOURCE", "--to", "memory", "--model", "base", "--yes")
    assert code == 2
    assert "not accepted" in err


def test_jobs_that_cost_money_are_asked_about(cli):
    code, _, err = cli("migrate", "SOURCE", "--to", "memory", "--model", "base", "--accept-losses")
    assert code == 2
    assert "say --yes" in err


def test_in_the_end_stands_the_line_to_change(cli):
    code, out, err = cli("migrate", "SOURCE", "--to", "memory", "--model", "base", "--accept-losses", "--yes")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("- ft:gpt-4.1-mini")
    assert lines[1].startswith("+ OpenAI(base_url=")
    code, out, _ = cli("migrate", "SOURCE", "--to", "memory", "--model", "base", "--accept-losses", "--yes", "--json")
    assert json.loads(out)["state"] == "done"
