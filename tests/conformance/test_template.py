"""providers/_template is a start that works: copied and renamed it installs, and the suite says what is left to write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "providers" / "_template"


def copied(folder):
    """Copy the template and give it a name, as its README says."""
    for source in TEMPLATE.rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts:
            target = folder / str(source.relative_to(TEMPLATE)).replace("template", "mynah")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(
                source.read_text(encoding="utf-8").replace("template", "mynah").replace("Template", "Mynah"), encoding="utf-8"
            )
    return folder


def test_a_copy_of_the_template_fails_only_in_what_is_left_to_write(tmp_path):
    copy = copied(tmp_path / "mynah")
    report = tmp_path / "report.xml"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}"]
    env = os.environ | {"PYTHONPATH": str(copy / "src")}
    run = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=copy, env=env)
    assert report.exists(), run.stdout + run.stderr
    reasons = [failure.get("message") for failure in ET.parse(report).iter("failure")]
    assert [reason for reason in reasons if "NotImplementedError: " not in reason] == []
    assert {re.search(r"NotImplementedError: (\w+)", reason)[1] for reason in reasons} == {"submit", "find", "poll"}


def test_the_template_uses_public_names_only():
    text = (TEMPLATE / "src" / "anytune_template" / "backend.py").read_text(encoding="utf-8")
    assert set(re.findall(r"from (anytune[\w.]*) import", text)) == {"anytune.backend", "anytune.errors", "anytune.values"}
