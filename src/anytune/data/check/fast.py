"""The short way for plain rows: what it takes is good, what it does not take is judged by the schemas.

A plain row is text and nothing else: a system's message or none, then user and assistant in turns, or a prompt and its completion. Most
files hold nothing else, and such a row can be told good by a few comparisons. Whatever is different in any way is left to
`anytune.data.files.parse` and `anytune.data.check.judge`; that these find nothing wrong with a row taken here is property-tested
(tests/unit/data/test_fast_agrees.py).
"""

from __future__ import annotations

from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any

import jiter

from anytune.data.rows import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.data.rules import Rules

__all__ = ["allowed", "columns", "parse", "plain", "worded"]

parse = partial(jiter.from_json, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
"""Parse one line as JSON; a key that stands twice, NaN, what is not UTF-8 and lone surrogates are a `ValueError`."""

_METHODS = frozenset({None, "sft"})


def allowed(method: str | None, rules: Rules) -> bool:
    """Tell whether plain rows are good for a method and a target."""
    return method in _METHODS and rules.last_role in {None, "assistant"} and "system" not in rules.refuses | rules.drops


def plain(row: Any) -> list[str] | None:
    """Give the texts of a plain row, or None.

    Returns:
        The contents of the messages in order; their number tells the roles: where it is odd, the first is the system's. A prompt and
        its completion begin with an empty text, which no message has.

    Example:
        >>> plain({"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]})
        ['2 + 2?', '4']
        >>> plain({"messages": [{"role": "user", "content": "2 + 2?"}]})
    """
    try:
        messages = row["messages"]
        if type(messages) is not list or len(row) != 1:
            return None
        texts: list[str] = []
        before = None
        for message in messages:
            role, content = message["role"], message["content"]
            if len(message) != 2 or type(content) is not str or not content or content.isspace():  # noqa: PLR2004 - role and content
                return None
            if before == "user":
                if role != "assistant":
                    return None
            elif role != "user" and (role != "system" or before is not None):
                return None
            texts.append(content)
            before = role
    except KeyError:
        return _pair(row)
    except TypeError:  # not an object
        return None
    return texts if before == "assistant" else None


def _pair(row: dict[str, Any]) -> list[str] | None:
    prompt, completion = row.get("prompt"), row.get("completion")
    if len(row) != 2 or type(prompt) is not str or type(completion) is not str:  # noqa: PLR2004 - prompt and completion
        return None
    return None if not prompt or prompt.isspace() or not completion or completion.isspace() else ["", prompt, completion]


def columns(numbers: list[int], rows: list[list[str]]) -> Iterator[tuple[list[int], list[tuple[str, ...]]]]:
    """Turn plain rows into columns of texts, so that what follows is done for many rows at a time.

    Args:
        numbers: The rows' lines.
        rows: Their texts, as `plain` gives them.

    Returns:
        Groups of rows that have the same roles: their lines, and a column for each message. A prompt's group has an empty first column.
    """
    sizes = set(map(len, rows))
    for size in sorted(sizes):
        chosen = range(len(rows)) if len(sizes) == 1 else [index for index, texts in enumerate(rows) if len(texts) == size]
        named = numbers if len(sizes) == 1 else [numbers[index] for index in chosen]
        found = list(zip(*(rows if len(sizes) == 1 else map(rows.__getitem__, chosen)), strict=True))
        if all(found[0]) or not any(found[0]):
            yield named, found
        else:
            for prompts in (False, True):
                picked = [(not first) == prompts for first in found[0]]
                yield list(compress(named, picked)), [tuple(compress(column, picked)) for column in found]


def worded(texts: list[str]) -> list[Text]:
    """Give a plain row's texts as `anytune.data.rows.texts` does."""
    if not texts[0]:
        return [Text(None, "user", texts[1], trained=False), Text(None, "assistant", texts[2], trained=True)]
    odd = len(texts) & 1
    roles = ["system"] * odd + ["user", "assistant"] * (len(texts) // 2)
    return [Text(index, role, text, role == "assistant") for index, (role, text) in enumerate(zip(roles, texts, strict=True))]
