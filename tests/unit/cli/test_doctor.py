from __future__ import annotations

import json


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
