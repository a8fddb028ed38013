"""Row 35: what is installed is what we named, at the version that was tested, and our distributions bring nothing that runs unasked.

What the wheels hold is compared file by file in tests/packaging.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [ROOT, *sorted(path.parent for path in ROOT.glob("providers/[a-z]*/pyproject.toml"))]
UNWANTED = {"litellm", "guardrails-ai"}
"""Two whose releases carried malware (2026-03-24, 2026-05-11); litellm is a peer, never a part."""


def project(room):
    return tomllib.loads((room / "pyproject.toml").read_text(encoding="utf-8"))


def asked(room):
    """Give every requirement that a distribution names, with its extras and groups."""
    told = project(room)
    lines = [*told["project"]["dependencies"], *told["build-system"]["requires"]]
    for more in (*told["project"].get("optional-dependencies", {}).values(), *told.get("dependency-groups", {}).values()):
        lines += [line for line in more if isinstance(line, str)]
    return [Requirement(line) for line in lines]


def pinned():
    """Give the versions of constraints.txt by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [line.partition("#")[0].strip() for line in lines]
    return {
        canonicalize_name(line.partition("==")[0].partition("[")[0]): line.partition("==")[2].partition(";")[0].strip()
        for line in kept
        if line
    }


def holds(marker, extra):
    try:
        return marker is None or marker.evaluate({"extra": extra})
    except UndefinedEnvironmentName:
        return False


def closure():
    """Give the names of all that `make install` brings: what the distributions ask for, and what those ask for in turn."""
    waiting = [(requirement, "") for room in ROOMS for requirement in asked(room)]
    waiting = [pair for pair in waiting if pair[0].name != "anytune"]
    found, seen = set(), set()
    while waiting:
        requirement, extra = waiting.pop()
        if not holds(requirement.marker, extra):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            try:
                lines = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue
            waiting += [(Requirement(line), wanted) for line in lines]
    return {name for name in found if not name.startswith("anytune")}


def test_everything_that_is_installed_is_pinned():
    pins = pinned()
    there = {canonicalize_name(each.metadata["Name"]) for each in importlib.metadata.distributions()}
    assert sorted((closure() & there) - set(pins) - {"pip", "setuptools", "wheel"}) == []
    assert [name for name, version in pins.items() if not re.fullmatch(r"[0-9][0-9A-Za-z.+!-]*", version)] == []


def test_what_is_installed_is_what_is_pinned():
    pins = pinned()
    here = {name: importlib.metadata.version(name) for name in closure() if _is_there(name)}
    other = {
        name: (version, pins[name])
        for name, version in here.items()
        if name in pins and version.partition("+")[0] != pins[name].partition("+")[0]
    }
    assert other == {}


def _is_there(name):
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.parametrize("name", sorted(UNWANTED))
def test_what_carried_malware_is_no_part_of_it(name):
    assert name not in closure()
    assert name not in pinned()
    for pins in ROOT.glob("providers/*/src/**/pins.txt"):
        assert f"{name}==" not in pins.read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_nothing_is_fetched_from_an_address(room):
    assert [str(requirement) for requirement in asked(room) if requirement.url] == []
    assert "tool.uv.sources" not in (room / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_distribution_registers_its_backends_and_the_command_only(room):
    told = project(room)["project"]
    groups = {group: points for group, points in told.get("entry-points", {}).items() if points}
    assert set(groups) <= {"anytune.backends", "anytune.engines"}, groups
    own = told["name"].replace("-", "_")
    assert all(point.partition(":")[0].partition(".")[0] == own for points in groups.values() for point in points.values())
    assert told.get("scripts", {}) == ({"anytune": "anytune.cli:main"} if own == "anytune" else {})
    assert "gui-scripts" not in told


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_building_runs_no_code_of_ours(room):
    told = project(room)
    assert told["build-system"]["build-backend"] == "hatchling.build"
    assert [Requirement(line).name for line in told["build-system"]["requires"]] == ["hatchling"]
    targets = told["tool"]["hatch"].get("build", {})
    assert "hooks" not in targets
    assert all("hooks" not in target for target in targets.get("targets", {}).values())
    assert not [path for name in ("setup.py", "setup.cfg", "hatch_build.py") if (path := room / name).exists()]


def test_the_sources_hold_no_path_hooks_and_no_compiled_code():
    strange = {".pth", ".so", ".pyd", ".dll", ".pkl", ".pickle", ".bin", ".pt", ".exe"}
    roots = [room / "src" for room in ROOMS]
    assert [str(path) for root in roots for path in root.rglob("*") if path.suffix in strange] == []
    assert [str(path) for root in roots for path in root.rglob("*customize.py")] == []


def test_the_environments_of_autotrain_and_jobs_are_pinned_too():
    text = (ROOT / "providers/autotrain/src/anytune_autotrain/pins.txt").read_text(encoding="utf-8")
    lines = text.partition("[probe]")[0].splitlines()
    wanted = [line for line in lines if line.strip() and not line.startswith(("#", "["))]
    assert wanted
    assert [line for line in wanted if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.+]*", line)] == []


def test_pickles_cannot_come_through_the_oldest_torch_that_is_taken():
    """weights_only was bypassed before torch 2.6 (CVE-2025-32434); Jinja's sandbox before 3.1.6 (CVE-2025-27516)."""
    floors = {"torch": "2.5.1", "jinja2": "3.1.5", "python-multipart": "0.0.26", "transformers": "5.22.0"}
    for room in ROOMS:
        for requirement in asked(room):
            if requirement.name in floors and str(requirement.specifier):
                assert not requirement.specifier.contains(floors[requirement.name]), f"{room.name}: {requirement}"
