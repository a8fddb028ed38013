"""Training data: what a row may be, how files are read, what is checked before anything is spent."""

from __future__ import annotations

from anytune.data.check import Checked, check
from anytune.data.files import Line, describe, lines
from anytune.data.rows import ChatRow, Message, PreferenceRow, PromptRow

__all__ = ["ChatRow", "Checked", "Line", "Message", "PreferenceRow", "PromptRow", "check", "describe", "lines"]
