"""The page about simulators names all refusals of Azure and of Azure Resource Manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytune.testing.simulators.arm_errors import ARM_REFUSALS
from anytune.testing.simulators.azure_errors import AZURE_ERRORS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "simulators.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({*ARM_REFUSALS, *AZURE_ERRORS}))
def test_the_page_names_every_refusal(name):
    assert f"`{name}`" in PAGE
