from __future__ import annotations

import json
from datetime import UTC, datetime


def test_doctor_looks_at_everything_and_names_no_value(cli, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    report = cli.json("doctor")
    assert {"home", "ledger", "configuration", "agent", "environment", "libraries"} <= {check["what"] for check in report["checks"]}
    assert "HF_TOKEN" in json.dumps(report)
    assert "hf_abc" not in json.dumps(report)


def test_a_broken_configuration_ends_in_1_with_what_to_do(cli):
    (cli.folder / "anytune.toml").write_text("[profiles.lab]\n")
    report = cli.json("doctor")
    assert cli.code == 1
    assert report["ok"] is False
    broken = [check for check in report["checks"] if check["level"] == "broken"]
    assert any(check["what"] == "configuration" and check["fix"] for check in broken)


def test_a_profile_whose_backend_is_missing_ends_in_1(cli):
    (cli.folder / "anytune.toml").write_text('[profiles.lab]\nbackend = "nowhere"\n')
    cli("doctor")
    assert cli.code == 1
    assert "nowhere" in cli.out


def test_backends_are_listed_with_what_they_can_do(cli):
    backends = {one["name"]: one for one in cli.json("backends")["backends"]}
    assert "sft" in backends["memory"]["methods"]
    assert "deploy" in backends["memory"]["abilities"]
    assert backends["memory"]["error"] == ""


def test_a_broken_plugin_breaks_only_itself(cli, monkeypatch):
    from importlib.metadata import EntryPoint

    from anytune import plugins

    points = dict(plugins.installed())
    points["zzz"] = EntryPoint(name="zzz", value="no_such_module:Backend", group=plugins.GROUP)
    monkeypatch.setattr(plugins, "installed", lambda: points)
    backends = {one["name"]: one for one in cli.json("backends")["backends"]}
    assert cli.code == 0
    assert "no_such_module" in backends["zzz"]["error"]
    assert backends["memory"]["error"] == ""


def test_doctor_says_how_old_prices_and_closing_days_are(cli, monkeypatch):
    def catalogue():
        return next(check for check in cli.json("doctor")["checks"] if check["what"] == "catalogue")

    monkeypatch.setattr("anytune.values.now", lambda: datetime(2026, 12, 1, tzinfo=UTC))
    assert (catalogue()["level"], "anytune's openai.yaml, read 2026-" in catalogue()["detail"]) == ("ok", True)
    monkeypatch.setattr("anytune.values.now", lambda: datetime(2028, 1, 1, tzinfo=UTC))
    assert (catalogue()["level"], "Upgrade" in catalogue()["fix"]) == ("warning", True)


def test_doctor_names_a_catalogue_that_cannot_be_read(cli):
    (cli.home / "catalog").mkdir(parents=True)
    (cli.home / "catalog" / "openai.yaml").write_text("host: openai\n")
    found = cli.json("doctor")
    assert any(
        check["what"] == "catalogue" and check["level"] == "broken" and "openai.yaml" in check["detail"] for check in found["checks"]
    )
