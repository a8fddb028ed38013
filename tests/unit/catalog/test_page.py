"""docs/reference/catalog.md holds what the files hold."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from anytune.catalog import files
from anytune.catalog.page import renewed

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "catalog.md"


def test_the_page_is_current():
    text = PAGE.read_text()
    assert text == renewed(text), "run: python -m anytune.catalog.page docs/reference/catalog.md"


def test_the_page_names_every_model_price_and_day():
    text = PAGE.read_text()
    for opened in files.shipped():
        for name, model in opened.host.models.items():
            assert f"| `{name}` |" in text
            for figure in (model.training_usd_per_million, model.training_usd_per_hour):
                assert figure is None or f"{figure.value:.2f}" in text
            assert model.lifecycle.answers_until is None or str(model.lifecycle.answers_until.value) in text


def test_the_page_renews_itself(tmp_path, monkeypatch):
    page = tmp_path / "catalog.md"
    page.write_text("Before.\n<!-- tables: x -->\nold\n<!-- end of tables -->\nAfter.\n")
    monkeypatch.setattr(sys, "argv", ["page", str(page)])
    runpy.run_path(str(Path(files.__file__).with_name("page.py")), run_name="__main__")
    text = page.read_text()
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    assert "old" not in text.splitlines()
    assert "## OpenAI: `openai`" in text
