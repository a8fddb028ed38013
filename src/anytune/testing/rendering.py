"""How the memory backend shows a row: a made-up template, and a token for each word."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from anytune.data.rows import texts
from anytune.values import Piece, Rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["rendered"]


def rendered(rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool) -> Iterator[Rendered]:
    """Give each row as `<role> words`, learned where the row says so."""
    for number, row in rows:
        parts = [
            piece for text in texts(row) for piece in ((f"<{text.role}> ", 1, False), (f"{text.text}\n", _words(text.text), text.trained))
        ]
        joined = []
        for trained, run in groupby(parts, key=lambda part: part[2]):
            same = list(run)
            joined.append(Piece("".join(text for text, *_ in same), sum(count for _, count, _ in same), trained))
        counts = {trained: sum(piece.tokens for piece in joined if piece.trained is trained) for trained in (False, True)}
        yield Rendered(row=number, pieces=tuple(joined) if pieces else (), prompt_tokens=counts[False], trained_tokens=counts[True])


def _words(text: str) -> int:
    return max(1, len(text.split()))
