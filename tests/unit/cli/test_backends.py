"""`anytune backends compare`: two backends side by side, and what is lost between them."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def compared(cli, monkeypatch):
    """A profile `small` that can do little, and no keys."""
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "AZURE_"))]:
        monkeypatch.delenv(name)
    cli.configure(trial="", small="served = true")
    return cli


def test_what_a_move_loses_is_listed_both_ways(compared):
    found = compared.json("backends", "compare", "openai", "trial")
    assert compared.code == 0
    assert found["lost"]["methods"] == ["rft"]
    assert "grader" in found["lost"]["settings"]
    assert "adapter.r" in found["lost_back"]["settings"]
    assert found["capabilities"]["openai"]["dialect"] == "openai"


def test_profiles_can_be_compared(compared):
    found = compared.json("backends", "compare", "trial", "small")
    assert set(found["capabilities"]) == {"trial", "small"}
    assert found["lost"] == found["lost_back"] == {"methods": [], "adapters": [], "settings": [], "rows": [], "abilities": []}


def test_a_person_reads_two_tables(compared):
    compared("backends", "compare", "openai", "azure")
    assert "openai → azure" in compared.out
    assert "report_to" in compared.out


def test_a_name_that_nothing_has_ends_in_3(compared):
    compared("backends", "compare", "openai", "nowhere")
    assert compared.code == 3
    assert "nowhere" in compared.err
