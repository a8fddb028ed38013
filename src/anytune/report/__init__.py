"""A preflight as a page that can be sent to whoever decides: one HTML file without scripts, or JSON."""

from __future__ import annotations

from anytune.report.page import html, put, save, writable

__all__ = ["html", "put", "save", "writable"]
