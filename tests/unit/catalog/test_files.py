"""Catalogue files: every figure dated and sourced, wrong files refused by key, newer copies taken and named."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys

import pytest
import yaml

from anytune import catalog
from anytune.catalog import files
from anytune.errors import ConfigError

SHIPPED = sorted(files._SHIPPED.glob("*.yaml"))


def bare(value, path=""):
    """Every number and day of a raw file that stands outside of a figure and of a source."""
    if isinstance(value, dict):
        if "value" in value:
            return [] if "source" in value else [path]
        return [found for key, part in value.items() if key != "sources" for found in bare(part, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for number, part in enumerate(value) for found in bare(part, f"{path}.{number}")]
    return [path] if isinstance(value, int | float | dt.date) and not isinstance(value, bool) else []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_number_and_no_day_stands_without_its_source(path):
    raw = yaml.safe_load(path.read_text())
    assert bare(raw) == []
    assert all(isinstance(source["read"], dt.date) and source["title"] for source in raw["sources"].values())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_figure_leads_to_a_source_and_every_source_to_a_figure(path):
    host = files.opened(path.stem).host
    assert set(host.used()) == set(host.sources)


def test_last_published_prices_say_so():
    host = files.opened("openai").host
    prices = [model.training_usd_per_million for model in host.models.values() if model.training_usd_per_million]
    assert {host.sources[price.source].standing for price in prices} == {"last-published"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("host: openai", "host: openai\nowner: me", "owner: Extra inputs"),
        ("min_rows: {value: 10, source: guides}", "min_rows: {value: 10}", "limits.min_rows.source: Field required"),
        ("min_rows: {value: 10, source: guides}", "min_rows: {value: 10, source: rumour}", "`sources` has no rumour"),
        ("min_rows: {value: 10, source: guides}", "min_rows: {value: 0, source: guides}", "limits.min_rows.value"),
        ("    read: 2026-11-22\n", "", "sources.wind-down.read: Field required"),
        ("standing: last-published", "standing: rumour", "sources.price-lists.standing"),
        ("value: 25.00", "value: .inf", "finite"),
        ("aliases: [gpt-4.1-mini]", "aliases: [gpt-4.1]", "names gpt-4.1 twice"),
        ("      rft: {source: guides}", "      grpo: {source: guides}", "`methods` has no grpo"),
        ("default_sku: none", "default_sku: gold", "`hosting` has no gold"),
        ("tuned_name: 'ft:(?P<base>[^:]+):'", "tuned_name: 'ft:'", "group named `base`"),
        ("host: openai", "host: 'open ai'", "host: String should match"),
        ("host: openai", "host: openai2", "is the catalogue of 'openai2'"),
        ("host: openai", "host: [openai", "is not YAML"),
        ("refuses:\n  special-tokens", "refuses:\n  telepathy", "refuses.telepathy"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_key(copy, old, new, said):
    path = copy((old, new))
    with pytest.raises(ConfigError) as caught:
        catalog.rules("openai")
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(copy):
    copy().write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not YAML"):
        catalog.rules("openai")


def test_yaml_that_would_make_objects_is_refused(copy):
    copy().write_text("!!python/object/apply:os.getcwd []")
    with pytest.raises(ConfigError, match="is not YAML"):
        catalog.rules("openai")


def test_a_newer_copy_in_the_home_replaces_the_shipped_file_and_is_named(copy):
    path = copy(("value: 10, source: guides", "value: 12, source: guides"), ("read: 2026-11-22", "read: 2027-03-01"))
    rules = catalog.rules("openai", "gpt-4.1")
    assert rules.min_rows == 12
    assert rules.source == f"{path}, read 2027-03-01"
    assert catalog.rules("azure").source == "anytune's azure.yaml, read 2026-11-22"


def test_the_environment_can_name_the_folder_of_newer_copies(copy, home, monkeypatch):
    moved = (
        home.rename(home.with_name("elsewhere")) / "catalog" if copy(("value: 10, source: guides", "value: 12, source: guides")) else None
    )
    monkeypatch.setenv("ANYTUNE_CATALOG", str(moved))
    assert catalog.rules("openai").min_rows == 12


def test_a_copy_that_changes_is_read_again(copy):
    path = copy(("value: 10, source: guides", "value: 12, source: guides"))
    assert catalog.rules("openai").min_rows == 12
    path.write_text(path.read_text().replace("value: 12, source: guides", "value: 13, source: guides"))
    os.utime(path, ns=(1, 1))
    assert catalog.rules("openai").min_rows == 13


def test_a_plugins_host_gets_its_rules_from_a_file_of_its_name(copy, home):
    path = copy(("host: openai", "host: parrot"))
    path.rename(path.with_name("parrot.yaml"))
    assert "parrot" in catalog.hosts()
    assert catalog.rules("parrot", "gpt-4.1").target == "parrot with gpt-4.1-2025-04-14"


def test_a_home_that_cannot_be_made_means_no_newer_copies(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "file" / "home"))
    assert catalog.hosts() == ["azure", "openai", "trl"]


def test_a_backend_without_a_file_is_unknown():
    assert files.opened("parrot") is None


def test_importing_the_catalogue_reads_no_file():
    code = "import anytune.catalog, json, sys; print(json.dumps([name in sys.modules for name in ('yaml', 'pydantic', 'anytune.data')]))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == [False, False, False]
