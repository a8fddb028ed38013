"""What a target takes, as plain values: the catalogue fills them in from dated files, checks read them. Knows no provider."""

from __future__ import annotations

from typing import Literal

from anytune.values import Value

__all__ = ["OPEN", "Feature", "Rules"]

Feature = Literal[
    "tools", "parallel_tool_calls", "functions", "images", "system", "developer", "tool", "weight", "name", "refusal",
    "special-tokens", "several-answers", "extra-fields", "text",
]  # fmt: skip
"""Something that rows may use and that not every target takes.

`tool`, `system` and `developer` are roles; `several-answers` is a preference with more than one message a side; `extra-fields` are a graded
row's own fields; `text` are rows of plain text, without a prompt."""


class Rules(Value):
    """Rules of one target for one model and method.

    Attributes:
        target: Words for messages, such as `openai with gpt-4.1-mini-2025-04-14`; empty where no target was named.
        source: Where the rules were read, and when.
        min_rows: Fewest training rows.
        recommended_rows: Fewer than these give a warning.
        max_rows: Most training rows.
        max_images_rows: Most rows with images.
        max_file_bytes: Largest file.
        max_row_tokens: Longest row, in tokens of `encoding`.
        overlong: What the target does with longer rows.
        max_total_tokens: Most tokens over all epochs.
        refuses: What makes the target fail; found before anything is sent.
        drops: What the target leaves out without a word.
        needs_validation: A validation file must be given.
        max_images: Most images in a row.
        max_image_bytes: Largest image.
        last_role: Role of the last message; None where any is taken.
        encoding: How the target's model counts tokens: `o200k_base`, `cl100k_base`; None where only the backend can count.
    """

    target: str = ""
    source: str = ""
    min_rows: int = 1
    recommended_rows: int | None = None
    max_rows: int | None = None
    max_images_rows: int | None = None
    max_file_bytes: int | None = None
    max_row_tokens: int | None = None
    overlong: Literal["error", "truncate"] = "truncate"
    max_total_tokens: int | None = None
    refuses: frozenset[Feature] = frozenset()
    drops: frozenset[Feature] = frozenset()
    needs_validation: bool = False
    max_images: int | None = None
    max_image_bytes: int | None = None
    last_role: Literal["assistant", "user"] | None = None
    encoding: Literal["o200k_base", "cl100k_base"] | None = "o200k_base"


OPEN = Rules()
"""No target named: only what is wrong everywhere is found."""
