"""A provider that hosts until it is told to stop, as a plugin that every process finds, and programs that use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = '''
import os

from anytune.errors import AuthError
from anytune.testing import DurableMemoryBackend

class Billing(DurableMemoryBackend):
    """Hosts go on until somebody stops them; a key is needed for everything that costs."""
    name = "billing"

    @property
    def capabilities(self):
        return super().capabilities.model_copy(update={"keeps_ttl": False, "scripted": "BILLING_TRAINS" not in os.environ})

    def deploy(self, order):
        self._enter()
        return super().deploy(order.model_copy(update={"ttl_s": 3600.0}))

    def undeploy(self, deployment_id):
        self._enter()
        super().undeploy(deployment_id)

    def _enter(self):
        key = os.environ.get("BILLING_KEY") or self._key.get_secret_value()
        if key != "sk-canary-0123456789":
            raise AuthError(f"Incorrect key {key}.", fix="Give the right one.", backend=self.name)
'''


class Desk:
    """A machine with its own home, a provider on it, and programs that are run as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        site = folder / "site"
        info = site / "billing-1.0.dist-info"
        info.mkdir(parents=True)
        (site / "billing_plugin.py").write_text(PLUGIN)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: billing\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[anytune.backends]\nbilling = billing_plugin:Billing\n")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("ANYTUNE_")} | {
            "ANYTUNE_HOME": str(self.home),
            "ANYTUNE_CONFIG": str(folder / "anytune.toml"),
            "PYTHONPATH": str(site),
            "BILLING_KEY": "sk-canary-0123456789",
        }
        rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.configure()

    def configure(self, more: str = "") -> None:
        text = f'[profiles.host]\nbackend = "billing"\nstate_file = "provider.json"\n{more}\n'
        (self.folder / "anytune.toml").write_text(text)

    def start(self, code: str) -> subprocess.Popen[str]:
        """Run a program that has a tuned model in `tuned`."""
        story = f"""
job = anytune.FineTuneJob.create(backend="host", model="starter", train="rows.jsonl", name="minutes")
tuned = job.wait(poll_s=0.01)
{code}
"""
        return self.begin(story)

    def begin(self, code: str) -> subprocess.Popen[str]:
        """Run any program."""
        command = [sys.executable, "-c", f"import anytune, os, signal, time\n{code}"]
        return subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, code: str) -> tuple[int, str, str]:
        return self._ended(self.start(code))

    def story(self, code: str) -> tuple[int, str, str]:
        return self._ended(self.begin(code))

    @staticmethod
    def _ended(program: subprocess.Popen[str]) -> tuple[int, str, str]:
        out, err = program.communicate(timeout=60)
        return program.returncode, out, err

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "anytune.cli", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60, check=False)

    @property
    def provider(self) -> dict[str, str]:
        """The state of each host, as the provider has it."""
        path = self.folder / "provider.json"
        state = json.loads(path.read_text()) if path.exists() else {"deployments": {}}
        return {name: host["state"] for name, host in state["deployments"].items()}

    @property
    def calls(self) -> dict[str, int]:
        return json.loads((self.folder / "provider.json").read_text())["counts"]

    def watches(self) -> list[psutil.Process]:
        """The watches of this home that live."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            try:
                if "anytune.watch" in (process.info["cmdline"] or []) and process.environ().get("ANYTUNE_HOME") == str(self.home):
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def until(self, condition, what, patience_s=40.0):
        deadline = time.monotonic() + patience_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {patience_s} s: {what}\n{self.provider}\n{self.log()}"
            time.sleep(0.05)
        return found

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted((self.home / "watch").glob("*.log")))


@contextmanager
def ended(desk: Desk):
    """End what a test left running: the watches of this home, and the provider's hosts."""
    try:
        yield desk
    finally:
        for process in desk.watches():
            process.kill()
        path = desk.folder / "provider.json"
        for process in psutil.process_iter(["cmdline"]):
            if str(path) in (process.info["cmdline"] or []) or "provider.json" in (process.info["cmdline"] or []):
                try:
                    if process.cwd() == str(desk.folder):
                        process.kill()
                except psutil.Error:
                    continue


@pytest.fixture
def desk(tmp_path):
    with ended(Desk(tmp_path)) as made:
        yield made
