"""What a row of training data may be."""

from __future__ import annotations

from anytune.data.rows.chat import ChatRow, Message, PreferenceRow, PromptRow, Row, kind_of

__all__ = ["ChatRow", "Message", "PreferenceRow", "PromptRow", "Row", "kind_of"]
