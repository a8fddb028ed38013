from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from anytune.runtime import runtime
from anytune.testing import MemoryBackend
from anytune.values import Finding, now


def test_doctor_looks_at_everything_and_names_no_value(cli, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    report = cli.json("doctor")
    assert {"home", "ledger", "configuration", "agent", "environment", "libraries"} <= {check["what"] for check in report["checks"]}
    assert "HF_TOKEN" in json.dumps(report)
    assert "hf_abc" not in json.dumps(report)


def test_doctor_says_whether_the_server_s_extra_is_installed(cli, monkeypatch):
    import importlib.metadata

    def server():
        return next(check for check in cli.json("doctor")["checks"] if check["what"] == "server")

    assert "fastapi" in server()["detail"]
    known = importlib.metadata.version

    def version(name):
        if name == "fastapi":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = server()
    assert (found["level"], found["detail"]) == ("ok", "not installed: no fastapi")
    assert 'pip install "anytune[server]"' in found["fix"]


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


@pytest.fixture
def without_keys(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "AZURE_"))]:
        monkeypatch.delenv(name)


def test_a_backend_without_a_key_is_not_broken_but_waits_for_it(cli, without_keys):
    backends = {one["name"]: one for one in cli.json("backends")["backends"]}
    assert {backends["openai"]["state"], backends["azure"]["state"]} == {"unset"}
    assert backends["memory"]["state"] == "ready"
    assert "OPENAI_API_KEY" in backends["openai"]["fix"]
    assert "broken" not in cli("backends")
    assert "not set up. Set OPENAI_API_KEY" in cli.out


def test_doctor_finds_no_fault_in_a_backend_that_nobody_set_up(cli, without_keys):
    checks = {check["what"]: check for check in cli.json("doctor")["checks"]}
    assert cli.code == 0
    assert checks["backend openai"]["level"] == checks["backend azure"]["level"] == "ok"
    assert "not set up" in checks["backend openai"]["detail"]
    assert checks["backend openai"]["fix"].startswith("To use it: Set OPENAI_API_KEY")
    assert "AZURE_OPENAI_ENDPOINT" in checks["backend azure"]["fix"]


def test_doctor_sets_every_profile_up_as_its_jobs_would(cli, without_keys, monkeypatch):
    (cli.folder / "anytune.toml").write_text(
        '[profiles.kitchen]\nbackend = "openai"\napi_key = "$KITCHEN_KEY"\n[profiles.trial]\nbackend = "memory"\n'
    )
    checks = {check["what"]: check for check in cli.json("doctor")["checks"]}
    assert cli.code == 1
    assert checks["profile kitchen"]["level"] == "broken"
    assert "KITCHEN_KEY" in checks["profile kitchen"]["fix"]
    monkeypatch.setenv("KITCHEN_KEY", "sk-canary-0123456789")
    checks = {check["what"]: check for check in cli.json("doctor")["checks"]}
    assert cli.code == 0
    assert checks["profile kitchen"] == {"level": "ok", "what": "profile kitchen", "detail": "openai, account api.openai.com", "fix": ""}
    assert "sk-canary" not in cli("doctor") + cli.err


def test_doctor_names_the_vendors_variables_that_are_set_and_no_value(cli, without_keys, monkeypatch):
    given = {
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "AZURE_SUBSCRIPTION_ID",
        "AZURE_RESOURCE_GROUP",
        "AZURE_OPENAI_ACCOUNT",
        "AZURE_CLIENT_SECRET",
    }
    for name in given:
        monkeypatch.setenv(name, "canary-value")
    checks = {check["what"]: check for check in cli.json("doctor")["checks"]}
    assert all(name in checks["environment"]["detail"] for name in given)
    assert "canary-value" not in json.dumps(checks)


def test_doctor_warns_of_a_host_that_is_over_its_time(cli, monkeypatch):
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "1h")
    later = now() + timedelta(hours=2)
    monkeypatch.setattr("anytune.watch.ending.now", lambda: later)
    monkeypatch.setattr(runtime().ledger, "clock", lambda: later)
    checks = {check["what"]: check for check in cli.json("doctor")["checks"]}
    assert checks["deployment minutes"]["level"] == "warning"
    assert "over its time" in checks["deployment minutes"]["detail"]
    assert "deployments stop" in checks["deployment minutes"]["fix"]
    cli("deployments", "stop", "--expired")
    assert cli.json("deployments", "list")["deployments"] == []


@pytest.fixture
def telling(monkeypatch):
    """Let the memory backend find something around it."""

    def tell(*found):
        def diagnose(self):
            for one in found:
                if isinstance(one, Exception):
                    raise one
            return list(found)

        monkeypatch.setattr(MemoryBackend, "diagnose", diagnose)

    return tell


def said(cli, what):
    checks = cli.json("doctor")["checks"]
    return [(check["level"], check["detail"], check["fix"]) for check in checks if check["what"] == what][1:]


def test_doctor_shows_what_a_backend_finds_around_it(cli, telling):
    telling(Finding(severity="info", code="environment", message="Its environment is made by the first run."))
    assert said(cli, "backend memory") == [("ok", "Its environment is made by the first run.", "")]
    assert cli.code == 0


def test_what_a_backend_lacks_breaks_the_profile_that_wants_it(cli, telling):
    telling(Finding(severity="error", code="token", message="No token.", fix="Set HF_TOKEN."))
    checks = cli.json("doctor")["checks"]
    assert cli.code == 1
    assert {"level": "broken", "what": "profile trial", "detail": "No token.", "fix": "Set HF_TOKEN."} in checks


def test_what_a_profile_shares_with_its_backend_is_said_once(cli, telling):
    telling(Finding(severity="warning", code="token", message="No token.", fix="Set HF_TOKEN."))
    assert said(cli, "backend memory") == [("warning", "No token.", "Set HF_TOKEN.")]
    assert said(cli, "profile trial") == []


def test_a_backend_that_cannot_say_how_it_is_breaks_only_itself(cli, telling):
    telling(FileNotFoundError("no such folder, and a key sk-canary-0123456789abcdef"))
    level, text, _ = said(cli, "backend memory")[0]
    assert (level, "FileNotFoundError" in text, "sk-canary" in text) == ("warning", True, False)
    assert cli.code == 0
    assert {"environment", "agent"} <= {check["what"] for check in cli.json("doctor")["checks"]}
