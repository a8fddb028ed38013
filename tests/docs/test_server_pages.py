"""The pages about the server: made from the code where they can be, and tried out where they are told."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import typing
from pathlib import Path

import httpx2
import pytest
import typer
import yaml
from openai import OpenAI
from typer.testing import CliRunner

from anytune.cli.app import app
from anytune.cli.serve import app as cli
from anytune.ledger import Ledger
from anytune.server import faults
from anytune.server import page as pages
from anytune.server.book import Book
from anytune.server.config import ServeConfig
from anytune.server.metrics import Metrics
from anytune.server.store import Store

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HTTP_API = DOCS / "reference" / "http-api.md"
HOW_TO = DOCS / "how-to" / "run-the-server.md"


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["http-api", "server"])
def test_a_generated_page_is_current(name: str) -> None:
    page = DOCS / "reference" / f"{name}.md"
    assert page.read_text() == pages.renewed(page.read_text()), f"run: python -m anytune.server.page docs/reference/{name}.md"


def test_the_reference_names_every_path() -> None:
    told = HTTP_API.read_text()
    every = [(verb.upper(), path) for path, verbs in pages.description()["paths"].items() for verb in verbs]
    assert len(every) > 30
    assert [(verb, path) for verb, path in every if f"### {verb} {path}\n" not in told and f"| {verb} | `{path}` |" not in told] == []


def test_the_error_on_the_page_is_the_servers(served: str) -> None:
    shown = json.loads(blocks(HTTP_API, "json")[0])
    reply = httpx2.get(f"{served}/files/file-abc", headers={"api-key": os.environ["OPENAI_API_KEY"]})
    assert (reply.status_code, reply.json()) == (404, shown)
    assert reply.headers["x-request-id"]


def test_what_the_page_says_of_every_request_is_so(served: str) -> None:
    key = {"api-key": os.environ["OPENAI_API_KEY"]}

    def status(method: str = "GET", path: str = "/models", **headers: str) -> int:
        return httpx2.request(method, served + path, headers=key | headers, content=b"{}" if method == "POST" else None).status_code

    assert httpx2.get(served + "/models").status_code == 401
    assert status() == 200
    assert status(origin="https://evil.example.com") == 403
    assert status(host="evil.example.com") == 421
    assert status("POST", "/fine_tuning/jobs", **{"content-type": "text/plain"}) == 415
    assert status("POST", "/fine_tuning/jobs", **{"content-type": "application/json", "content-encoding": "gzip"}) == 415
    assert status("POST", "/fine_tuning/alpha/graders/run", **{"content-type": "application/json"}) == 501
    assert status(path="/models?" + "x" * 9000) == 414
    assert status(path="/models?api-version=2025-04-01-preview") == 200


@pytest.mark.parametrize("served", [HOW_TO], indirect=True)
def test_the_commands_for_keys_do_what_the_page_says(served: str) -> None:
    commands = re.findall(r"^\$ anytune (serve keys .*)$", HOW_TO.read_text(), re.MULTILINE)
    assert len(commands) > 3
    made = {}
    for command in commands:
        ended = CliRunner().invoke(app, shlex.split(command))
        assert ended.exit_code == 0, ended.output
        if " add " in command:
            made[command.split()[3]] = re.search(r"sk-anytune-\S{43}", ended.output)[0]
    root = served.removesuffix("/v1")
    seen = {owner: httpx2.get(f"{root}/metrics", headers={"api-key": key}).status_code for owner, key in made.items()}
    assert seen == {"ops": 200, "ann": 403, "shop-app": 403}


@pytest.mark.parametrize("served", [HOW_TO], indirect=True)
def test_a_backup_of_a_server_that_runs_holds_the_bytes_and_the_keys(served: str, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["serve", "keys", "add", "ann"])
    with OpenAI() as client:
        file = client.files.create(file=("rows.jsonl", b"{}\n"), purpose="fine-tune")
    exec(blocks(HOW_TO, "python")[1], {})

    ledger = Ledger.open(f"sqlite:///{tmp_path / 'backup' / 'ledger.db'}")
    book = Book(ledger.database)
    kept = Store(tmp_path / "backup" / "server" / "files").path(file.id)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == book.files.get(file.id, None).sha256
    assert [row.owner for row in book.keys.listed()] == ["ann"]
    ledger.close()


@pytest.mark.parametrize("served", [HOW_TO], indirect=True)
def test_a_client_behind_a_proxy_is_let_in_under_the_allowed_name_only(served: str) -> None:
    health = served.removesuffix("/v1") + "/health"
    seen = [httpx2.get(health, headers={"host": name}).status_code for name in ("tuning.example.com", "evil.example.com")]
    assert seen == [200, 421]


def test_the_page_names_every_metric() -> None:
    text = HOW_TO.read_text()
    metrics = Metrics()
    metrics.request("/health", "GET", 200, 0.1)
    names = set(re.findall(r"^# TYPE (anytune_\w+) ", metrics.text().decode(), re.MULTILINE))
    assert sorted(name for name in names if not name.endswith("_created") and f"`{name}`" not in text) == []


def test_the_webhooks_of_the_page_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEAM_WEBHOOK_SECRET", "LAB_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "whsec_" + "c2VjcmV0" * 6)
    found = next(given for given in map(yaml.safe_load, blocks(HOW_TO, "yaml")) if "webhooks" in given)
    assert ServeConfig(backend="memory", **found).webhooks["lab"].owners == ("ann",)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "anytune.service"
    unit.write_text(blocks(HOW_TO, "ini")[0].replace("/srv/anytune/bin/anytune", shutil.which("true")).replace("User=anytune\n", ""))
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in said.stderr.splitlines() if "anytune.service" in line] == []


def test_the_faults_of_the_page_are_taken_and_every_kind_is_named(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "simulators.md"
    file = tmp_path / "server-faults.yaml"
    file.write_text(next(given for given in blocks(page, "yaml") if "wire:" in given))
    assert len(faults.read(file, "memory").wire) == 3
    told = page.read_text().split("## A whole server")[1]
    assert [kind for kind in typing.get_args(faults.WireFault.model_fields["kind"].annotation) if f"| `{kind}` |" not in told] == []


def test_the_command_line_page_names_every_option() -> None:
    told = (DOCS / "reference" / "cli.md").read_text().split("### `anytune serve`")[1].split("### `anytune backends`")[0]
    group = typer.main.get_command(cli)
    found = {option for one in (group, *group.commands["keys"].commands.values()) for given in one.params for option in given.opts}
    assert (
        sorted(
            option
            for option in found
            if option.startswith("--")
            and option not in {"--json", "--help", "--install-completion", "--show-completion"}
            and option not in told
        )
        == []
    )
