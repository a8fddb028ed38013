"""Counts and sizes against what the target takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.codes import finding
from anytune.data.check.collector import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.data.rules import Rules
    from anytune.data.tokens import TokenTally
    from anytune.values import Finding

__all__ = ["lengths", "rows", "size"]


def rows(count: int, with_images: int, rules: Rules) -> Iterator[Finding]:
    """Hold the number of training rows against the target's least and most; a file without rows is another finding."""
    target = rules.target or "The target"
    if 0 < count < rules.min_rows:
        yield finding(
            "too-few-rows", f"{_of(count)}, but {target} wants at least {rules.min_rows:,}.", f"Add {rules.min_rows - count:,} or more."
        )
    elif rules.recommended_rows is not None and 0 < count < rules.recommended_rows:
        message = f"{_of(count)}; {target} recommends at least {rules.recommended_rows:,}."
        yield finding("few-rows", message, "Add good rows before anything else: they help more than more epochs.")
    if rules.max_rows is not None and count > rules.max_rows:
        yield finding("too-many-rows", f"{_of(count)}, but {target} takes at most {rules.max_rows:,}.", "Train on a sample of them.")
    if rules.max_images_rows is not None and with_images > rules.max_images_rows:
        message = f"{_of(with_images)} with images, but {target} takes at most {rules.max_images_rows:,}."
        yield finding("too-many-rows", message, "Train on a sample of them.")


def size(name: str, size_bytes: int, rules: Rules) -> Iterator[Finding]:
    """Hold a file's size against the target's most."""
    if rules.max_file_bytes is not None and size_bytes > rules.max_file_bytes:
        message = f"{name} has {size_bytes:,} bytes, but {rules.target or 'the target'} takes at most {rules.max_file_bytes:,}."
        yield finding("file-too-large", message, "Train on a sample of its rows, or shorten them.")


def lengths(tally: TokenTally, rules: Rules) -> Iterator[Finding]:
    """Say which rows are longer than the target's limit, and whether all are too long together."""
    limit = rules.max_row_tokens
    total = sum(length * often for length, often in tally.totals.items())
    if rules.max_total_tokens is not None and total > rules.max_total_tokens:
        message = (
            f"{total:,} tokens in one epoch, but {rules.target or 'the target'} takes at most {rules.max_total_tokens:,} over all of them."
        )
        yield finding("too-many-tokens", message, "Train on a sample of the rows.")
    if limit is None or not tally.over:
        return
    listed = tuple(sorted(tally.over)[:MAX_ROWS])
    target, longest = rules.target or "the target", max(tally.totals)
    words = f"{_of(len(tally.over))} longer than the {limit:,} tokens that {target} takes (the longest has {longest:,})"
    fix = "Shorten them, split them into several rows, or leave them out."
    if rules.overlong == "truncate":
        yield finding("truncated", f"{words}: their ends are cut off without a word.", fix, rows=listed)
    else:
        yield finding("overlong", f"{words}.", fix, rows=listed)


def _of(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
