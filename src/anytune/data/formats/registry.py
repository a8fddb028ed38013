"""All formats that are read, all dialects that are written, and which of them a row is in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data.formats import alpaca, autotrain, canonical, cells, columns, openai, sharegpt, table, trl
from anytune.data.formats.losses import Loss
from anytune.errors import ConfigError, DataError
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["DIALECTS", "FORMATS", "Dialect", "Format", "detect", "dialect_named", "from_format", "to", "written"]

Row = dict[str, Any]
Written = tuple[Row | None, list[Loss]]


class Format(NamedTuple):
    """A way in which rows are found: what it looks like, whether a row fits, and how it becomes one of anytune's own."""

    about: str
    fits: Callable[[Row], bool]
    read: Callable[[Row], tuple[Row, list[Loss]]]


class Dialect(NamedTuple):
    """A way in which rows are written: for whom, how, and whether the file begins with a byte-order mark.

    Attributes:
        hosted: It is sent to a host, which wants exactly one row on each line.
    """

    about: str
    write: Callable[[Row, str], Written]
    bom: bool = False
    hosted: bool = False


def _as_is(row: Row) -> tuple[Row, list[Loss]]:
    return row, []


def _own(row: Row, kind: str) -> Written:
    return (row, []) if kind else (None, canonical.impossible("anytune", kind, "`anytune data check` says what the rows are."))


FORMATS: Mapping[str, Format] = {
    "anytune": Format("anytune's own rows, which OpenAI and TRL mostly share", lambda row: canonical.fits(row) == "anytune", _as_is),
    "openai-dpo": Format(
        "OpenAI's pairs: `input`, `preferred_output`, `non_preferred_output`", lambda row: canonical.fits(row) == "openai-dpo", _as_is
    ),
    "sharegpt": Format("ShareGPT: `conversations` of `from` and `value`, or of `role` and `content`", sharegpt.fits, sharegpt.read),
    "alpaca": Format("Alpaca: `instruction`, `input`, `output` (Dolly: `context`, `response`)", alpaca.fits, alpaca.read),
    "trl": Format("TRL's rows that leave something to be inferred: the shared prompt of two answers, the ids of calls", trl.fits, trl.read),
    "columns": Format(
        "two text columns by their usual names: `question` and `answer`, `prompt` and `response`, …", columns.fits, columns.read
    ),
    "table": Format("anytune's own rows with further columns in every row that say where it comes from", table.fits, table.read),
}
"""The formats that are read, in the order in which they are tried. `autotrain` is any of them with messages as JSON text in its cells."""

DIALECTS: Mapping[str, Dialect] = {
    "anytune": Dialect("anytune's own rows", _own),
    "openai": Dialect("OpenAI, and hosts that take its files: Together, Fireworks, Mistral", openai.write, hosted=True),
    "azure": Dialect("Azure: as OpenAI, with a byte-order mark", openai.write, bom=True, hosted=True),
    "trl": Dialect("TRL's trainers", trl.write),
    "sharegpt": Dialect("LLaMA-Factory, Axolotl, Unsloth", sharegpt.write),
    "alpaca": Dialect("LLaMA-Factory and others that take Alpaca's form", alpaca.write),
    "autotrain": Dialect("AutoTrain 0.8.36", autotrain.write),
}
"""The dialects that are written."""


def detect(rows: Iterable[Row]) -> str:
    """Tell which format most of the rows are in; `anytune` where none fits, so that the check says what is wrong with them.

    Args:
        rows: The first rows of a file; several, since one may be broken.

    Example:
        >>> detect([{"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]}])
        'sharegpt'
    """
    head = list(rows)
    if table.is_one(head):
        return "table"
    seen: Counter[str] = Counter()
    for row in head:
        name = _named(row)
        if name in {"", "anytune", "openai-dpo"} and cells.fits(row):
            name = "autotrain"
        if name:
            seen[name] += 1
    # Among equals the first of the table wins: anytune's own.
    return max(FORMATS.keys() | {"autotrain"}, key=lambda name: (seen[name], name == "anytune")) if seen else "anytune"


def from_format(row: Row, name: str) -> tuple[Row, list[Loss]]:
    """Read a row that is thought to be in a format; one that is not stays as it is, and the check judges it.

    Raises:
        Unreadable: It says that it is, and is broken.
    """
    if name == "autotrain":
        opened = cells.opened(row)
        row = row if opened == row else opened
        name = _named(row) or "anytune"
    found = FORMATS[name]
    return found.read(row) if found.read is not _as_is and not canonical.fits(row) and found.fits(row) else (row, [])


def dialect_named(name: str) -> Dialect:
    """Find a dialect by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name in DIALECTS:
        return DIALECTS[name]
    guess = nearest(name, sorted(DIALECTS))
    fix = f"Did you mean {guess!r}?" if guess else f"There are: {', '.join(DIALECTS)}."
    raise ConfigError(f"No dialect is called {name!r}.", fix=fix)


def to(name: str, row: Row, *, method: str | None = None) -> tuple[Row | None, tuple[Loss, ...]]:
    """Write one good row of anytune's own in a dialect.

    Args:
        name: The dialect.
        row: A row that a check calls good.
        method: What it is for; `rft` makes a conversation one to be answered and graded.

    Returns:
        The row, or None where the dialect has no such rows; and what is lost.

    Raises:
        ConfigError: There is no such dialect.
        DataError: The row is not good.

    Example:
        >>> to("openai", {"prompt": "2+2?", "completion": "4"})[0]
        {'messages': [{'role': 'user', 'content': '2+2?'}, {'role': 'assistant', 'content': '4'}]}
    """
    return written(dialect_named(name).write, row, method)


def written(write: Callable[[Row, str], Written], row: Row, method: str | None) -> tuple[Row | None, tuple[Loss, ...]]:
    """Write a row, and say in our own words when it is not one.

    Raises:
        DataError: The row is not good.
    """
    try:
        done, losses = write(row, canonical.kind_word(row, method))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError("The row is not one of anytune's.", fix="`anytune data check` says what is wrong with it.") from error
    return done, tuple(dict.fromkeys(losses))


def _named(row: Row) -> str:
    own = canonical.fits(row)
    return own or next((name for name, found in FORMATS.items() if name != "table" and found.fits(row)), "")
