"""The suite bites: each backend that is broken on purpose fails exactly the scenarios that it breaks."""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

from anytune.testing import BackendConformance

BROKEN = Path(__file__).with_name("broken.py")


def test_each_broken_backend_fails_exactly_the_scenarios_that_it_breaks(tmp_path):
    report = tmp_path / "report.xml"
    argv = [
        sys.executable,
        "-m",
        "pytest",
        str(BROKEN),
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"--junitxml={report}",
        "--tb=no",
    ]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False, cwd=BROKEN.parents[2])
    assert report.exists(), run.stdout + run.stderr
    failed = failures(report)
    expected = {cls.__name__: cls.breaks for cls in broken()}
    wrong = {name: (sorted(breaks), sorted(failed[name])) for name, breaks in expected.items() if failed[name] != breaks}
    assert wrong == {}, "(what it breaks, what failed)"


def test_every_scenario_has_a_backend_that_breaks_it():
    bitten = set().union(*(cls.breaks for cls in broken()))
    assert sorted(bitten) == sorted(numbers())


def test_the_scenarios_are_numbered_without_gaps():
    found = numbers()
    assert found == [f"B{place + 1:02d}" for place in range(len(found))]


def numbers():
    return sorted(match[1].upper() for name in dir(BackendConformance) if (match := re.match(r"test_(b\d\d)_", name)))


@functools.cache
def broken():
    spec = importlib.util.spec_from_file_location("broken", BROKEN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BROKEN


def failures(report):
    failed = defaultdict(set)
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            number, parameters = re.match(r"test_(b\d\d)_\w+\[(.+)\]", case.get("name")).groups()
            for name in {cls.__name__ for cls in broken()} & set(parameters.split("-")):
                failed[name].add(number.upper())
    return failed
