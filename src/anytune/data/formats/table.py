"""anytune's own rows out of a table: beside what is learned, every row says where it comes from.

One row with a key too many is a slip, and the check names it; a whole file with them is a data set as the Hub has most of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.formats.canonical import fits as own
from anytune.data.formats.losses import Loss, named
from anytune.data.formats.turns import plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ASIDE", "fits", "is_one", "read"]

_ORIGIN = frozenset({
    "", "__index_level_0__", "_id", "conversation_id", "created_at", "data_source", "dataset", "date", "full_topic", "hash", "id", "idx",
    "index", "license", "message_id", "metadata", "prompt_id", "row_id", "source", "split", "timestamp", "uid", "unnamed: 0", "url", "uuid",
})  # fmt: skip
_ABOUT = frozenset({
    "category", "chosen_model", "chosen_rating", "chosen_score", "lang", "language", "margin", "model", "num_turns", "rejected_model",
    "rejected_rating", "rejected_score", "score", "score_chosen", "score_rejected", "tag", "tags", "topic",
})  # fmt: skip
ASIDE = _ORIGIN | _ABOUT
"""Columns that are no part of the task. Beside plain text only those of the origin are: `text` with a `category` is to be classified."""


def is_one(rows: Sequence[dict[str, Any]]) -> bool:
    """Tell whether all rows, and several, are anytune's own with columns aside; not always the same ones: empty cells are no keys."""
    return len(rows) > 1 and all(fits(row) for row in rows)


def fits(row: dict[str, Any]) -> bool:
    """Tell whether a row is one of anytune's own once the columns aside are taken away."""
    aside = _aside(row)
    return bool(aside) and bool(own({key: value for key, value in row.items() if key not in aside}))


def read(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    """Leave the columns aside out, and list them."""
    aside = _aside(row)
    losses = [Loss(named(key), "the column is left out") for key in aside if row[key] not in (None, "", [], {})]
    return {key: value for key, value in row.items() if key not in aside}, losses


def _aside(row: dict[str, Any]) -> list[str]:
    known = _ORIGIN if "text" in row else ASIDE
    found = [key for key in row if key.strip().lower() in known]
    if "messages" in row and _repeated(row.get("prompt"), row["messages"]):
        found.append("prompt")
    return sorted(found)


def _repeated(prompt: object, messages: object) -> bool:
    said = [plain_text(message.get("content")) for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    return isinstance(prompt, str) and prompt in said
