"""Training data: what a row may be, how files are read, what is checked before anything is spent."""

from __future__ import annotations

from anytune.data.check import check
from anytune.data.files import Line, describe, lines
from anytune.data.report import FileReport, Report, TokenCounts
from anytune.data.rows import ChatRow, Message, PreferenceRow, PromptRow

__all__ = [
    "ChatRow",
    "FileReport",
    "Line",
    "Message",
    "PreferenceRow",
    "PromptRow",
    "Report",
    "TokenCounts",
    "check",
    "describe",
    "lines",
]
