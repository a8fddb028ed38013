"""The tables of docs/reference/portability.md: `python -m anytune.portability docs/reference/portability.md` renews them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from anytune.backend import Ability
from anytune.portability.moves import ADAPTERS, METHODS, move
from anytune.portability.rows import ROWS, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from anytune.portability.moves import Move
    from anytune.portability.places import Place

__all__ = ["hosts", "renewed", "result", "settings", "tables", "words"]

_MARKED = re.compile(r"(<!-- tables: [^>]*-->\n).*?(<!-- end of tables -->)", re.DOTALL)
_YES, _NO = "yes", "–"
_FOLDER, _REPOSITORY = "a folder of this machine", "a private repository of the Hub"


def renewed(page: str, places: Sequence[Place]) -> str:
    """Give the page with its tables made anew, between the two marks."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{tables(places)}\n{found[2]}", page)


def tables(places: Sequence[Place]) -> str:
    """Write what each place can do, and what is lost between any two."""
    rooms = (_learning, _settings, _rows, _abilities, _results, _counts, _named)
    return "\n".join(line for room in rooms for line in room(places))


def _learning(places: Sequence[Place]) -> Iterator[str]:
    yield "## Methods and adapters\n"
    yield from _matrix("method", places, _ordered(METHODS, places, lambda place: place.able.methods), lambda place: place.able.methods)
    yield from _matrix("adapter", places, _ordered(ADAPTERS, places, lambda place: place.able.adapters), lambda place: place.able.adapters)
    yield "Where no adapter is named, the host decides alone which weights are trained.\n"


def _settings(places: Sequence[Place]) -> Iterator[str]:
    yield "## Settings\n"
    yield from _matrix("setting", places, settings(places), lambda place: place.able.settings)


def _rows(places: Sequence[Place]) -> Iterator[str]:
    yield "## Rows\n"
    notes: dict[str, int] = {}
    yield from _table("rows", *(place.word for place in places))
    for kind, row in ROWS.items():
        yield _row(kind, *(_learned(taken(row, place.able), notes) for place in places))
    yield _row("the file is written as", *(f"`{place.able.dialect}`" for place in places))
    yield _row("fewest rows", *(str(place.able.min_rows) for place in places))
    yield ""
    for note, number in notes.items():
        yield f"{number}. {note}."
    if notes:
        yield ""


def _abilities(places: Sequence[Place]) -> Iterator[str]:
    yield "## Abilities\n"
    yield from _matrix("ability", places, get_args(Ability), lambda place: place.able.abilities)
    yield "[The contract](backend-contract.md#what-it-may-have) says what each one is."
    yield "A checkpoint is deployed and trained further as a model is."
    yield ""


def _results(places: Sequence[Place]) -> Iterator[str]:
    yield "## Where the result lies\n"
    yield from _table("trained at", "the model is", "who hosts it", "who trains it further")
    for place in places:
        further = [other.word for other in places if _reaches(place, other) and "continue" in other.able.abilities]
        yield _row(place.word, result(place), ", ".join(hosts(place, places)) or "nobody", ", ".join(further) or "nobody")
    yield ""


def _counts(places: Sequence[Place]) -> Iterator[str]:
    yield "## From one to another\n"
    yield "How many methods, adapters, settings, kinds of rows and abilities are lost on the way; below, by name.\n"
    yield from _table("from \\ to", *(place.word for place in places))
    for old in places:
        yield _row(f"**{old.word}**", *("" if new is old else str(move(old.able, new.able).size) for new in places))
    yield ""


def _named(places: Sequence[Place]) -> Iterator[str]:
    for old in places:
        yield f"### From {old.word}\n"
        yield from _table("to", "methods", "adapters", "settings", "rows", "abilities")
        for new in places:
            if new is not old:
                yield _row(new.word, *_parts(move(old.able, new.able)))
        yield ""


def _parts(lost: Move) -> tuple[str, ...]:
    return words(lost.methods), words(lost.adapters), words(lost.settings), "; ".join(lost.rows), words(lost.abilities)


def settings(places: Sequence[Place]) -> list[str]:
    """Give every setting that a place has a word for, in the order of the spec; those of one backend alone come last."""
    known = [name for cls in METHODS.values() for name in cls.model_fields if name != "type"]
    known += [f"adapter.{name}" for cls in ADAPTERS.values() for name in cls.model_fields]
    return _ordered(known, places, lambda place: place.able.settings)


def result(place: Place) -> str:
    """Say where a tuned model lies: what trains here leaves a folder, what publishes from elsewhere a repository."""
    if place.able.local:
        return _FOLDER
    return _REPOSITORY if "push" in place.able.abilities else "an id at the host"


def hosts(place: Place, places: Iterable[Place]) -> list[str]:
    """Name the places that host what was trained at one."""
    own = ["itself, at once"] if place.served else []
    return own + [other.word for other in places if _reaches(place, other) and "deploy" in other.able.abilities]


def _reaches(place: Place, other: Place) -> bool:
    """Tell whether a place can be given what another one made: a folder is read on its machine, a repository anywhere, an id nowhere."""
    if other.word == place.word:
        return True
    read = {_FOLDER: (_FOLDER,), _REPOSITORY: (_FOLDER, _REPOSITORY)}
    return result(other) in read.get(result(place), ())


def words(names: Iterable[str]) -> str:
    """Write names one after the other, as a table shows them."""
    return ", ".join(f"`{name}`" if re.fullmatch(r"[\w.]+", name) else name for name in names)


def _learned(losses: tuple[str, ...] | None, notes: dict[str, int]) -> str:
    if losses is None:
        return _NO
    marks = [notes.setdefault(note, len(notes) + 1) for note in losses]
    return f"{_YES}, but ({', '.join(map(str, marks))})" if marks else _YES


def _ordered(known: Iterable[str], places: Iterable[Place], of: Callable[[Place], Iterable[str]]) -> list[str]:
    offered = {name for place in places for name in of(place)}
    return [*(name for name in dict.fromkeys(known) if name in offered), *sorted(offered - set(known))]


def _matrix(head: str, places: Sequence[Place], names: Iterable[str], of: Callable[[Place], Iterable[str]]) -> Iterator[str]:
    yield from _table(head, *(place.word for place in places))
    for name in names:
        yield _row(f"`{name}`", *(_YES if name in of(place) else _NO for place in places))
    yield ""


def _table(*heads: str) -> Iterator[str]:
    yield _row(*heads)
    yield "|" + "---|" * len(heads)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
