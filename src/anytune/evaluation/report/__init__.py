"""An evaluation for people and for CI: one HTML file, Markdown, JSON, JUnit, PNG. All of it from the `Evaluation` alone."""

from __future__ import annotations

from anytune.evaluation.report.files import plain, read, save, writable
from anytune.evaluation.report.junit import junit
from anytune.evaluation.report.markdown import markdown
from anytune.evaluation.report.page import html
from anytune.evaluation.report.pictures import charts

__all__ = ["charts", "html", "junit", "markdown", "plain", "read", "save", "writable"]
