"""How a row is shown: by the backend that would train on it, where it can render, or by its roles and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune import catalog
from anytune.codes import finding
from anytune.data.check.content import content
from anytune.data.check.judge import judge
from anytune.data.files import resolve
from anytune.data.formats import Reading, read
from anytune.data.rows import kind_of, texts, word_of
from anytune.data.rules import OPEN
from anytune.data.tokens import TokenCounter, count
from anytune.errors import AnytuneError, ConfigError, DataError
from anytune.profiles import backend_of, configured
from anytune.spec import TrainingSpec
from anytune.values import Piece, Rendered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytune.backend import Backend
    from anytune.data.files import Line
    from anytune.data.rules import Rules
    from anytune.values import Finding

__all__ = ["Shown", "View", "shown"]

_ENCODING = "o200k_base"
_METHODS = {"preference": "dpo", "unpaired": "kto", "graded": "rft"}
_SIDES = {"chosen": ("chosen", "preferred_output"), "rejected": ("rejected", "non_preferred_output")}


class Shown(NamedTuple):
    """One row: its line, its kind, how it looks, and what is wrong with it."""

    number: int
    kind: str
    renderings: tuple[Rendered, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class View:
    """How a file is looked at.

    Attributes:
        reading: The file, as a stream of anytune's own rows.
        method: As given; None for what each row's kind is for.
        rules: What the target takes.
        backend: Who renders; None where rows are shown by their words.
        model: The model, as given.
        max_length: As given.
        about: What was rendered by what, in words.
    """

    reading: Reading
    method: str | None
    rules: Rules
    backend: Backend | None
    model: str | None
    max_length: int | None
    about: str

    @classmethod
    def of(cls, file: str, *, backend: str | None, model: str | None, method: str | None, max_length: int | None) -> View:
        """Choose how to look at a file.

        Raises:
            DataError: It cannot be read.
            ConfigError: The backend renders with the model's own template, and no model was named; or a model without a backend;
                a length without one that renders.
            BackendMissing: Nothing of that name is installed or known.
        """
        if model is not None and backend is None:
            raise ConfigError(f"Who would train {model}?", fix="Name the backend: --backend trl for an open model.")
        renderer = None if backend is None else _renderer(backend)
        if renderer is not None and model is None:
            raise ConfigError(f"{backend} shows rows as a model sees them.", fix="Name the model: --model starter, a folder or a Hub id.")
        if renderer is None and max_length is not None:
            raise ConfigError(
                "Only a backend that renders rows can cut them.", fix="Leave --max-length out, or say --backend trl --model MODEL."
            )
        rules = catalog.rules(_name(backend), model, method) if backend is not None else OPEN
        if renderer is not None:
            about = f"Rendered by {renderer.name} with the template and tokenizer of {model}."
        else:
            hosted = f" {backend} does not publish its exact template:" if backend is not None else ""
            about = f"Shown by roles and words, counted in {rules.encoding or _ENCODING}.{hosted}"
            about += " tokens around messages are estimated." if hosted else ""
        return cls(read(resolve(file)), method, rules, renderer, model, max_length, about)

    @property
    def format(self) -> str:
        """How the file is read."""
        return self.reading.format


def shown(view: View, wanted: Sequence[range]) -> Iterator[Shown]:
    """Give the rows of some lines, in the file's order; it is read no further than needed.

    Raises:
        DataError: The file has none of them.
    """
    last, some = max(lines[-1] for lines in wanted), False
    for line in view.reading:
        if line.number > last:
            break
        if any(line.number in lines for lines in wanted):
            some = True
            yield _row(view, line)
    if not some:
        raise DataError(f"{view.reading.path} has no such row.", fix="Rows are counted from 1; blank lines are not rows.")


def _row(view: View, line: Line) -> Shown:
    if line.problem:
        told = finding(line.code or "not-json", f"The row is {line.problem}.", "Correct or remove it.", row=line.number)
        return Shown(line.number, "unreadable", (), (told,))
    kind = kind_of(line.row)
    word = word_of(kind) if kind else "of no known kind"
    method = view.method or _METHODS.get(word, "sft")
    wrong = judge(line.number, line.row, method, view.rules)
    seen: tuple[Rendered, ...] = ()
    refused: tuple[Finding, ...] = ()
    if kind is not None:
        try:
            seen = tuple(_by_words(line, view.rules, method) if view.backend is None else _by_backend(view, method, line))
        except DataError as error:
            refused = error.findings
            seen = tuple(_by_words(line, view.rules, method))
    found = (*refused, *(told for one in seen for told in one.findings), *wrong, *content(line.number, line.row, view.rules))
    return Shown(line.number, word, seen, tuple({(one.code, one.message_index): one for one in reversed(found)}.values())[::-1])


def _by_backend(view: View, method: str, line: Line) -> Iterator[Rendered]:
    if view.backend is None or method not in view.backend.capabilities.methods:
        name = view.backend.name if view.backend else ""
        message = f"{name} does not offer method {method!r}; the row is shown by roles and words."
        raise DataError(message, findings=[finding("method", message, row=line.number)])
    settings: dict[str, Any] = {"type": method} | ({"max_length": view.max_length, "overlong": "truncate"} if view.max_length else {})
    given: dict[str, Any] = {"backend": view.backend.name, "model": view.model or "", "train": view.reading.path, "method": settings}
    spec = TrainingSpec(**given)
    yield from view.backend.render(spec, [(line.number, line.row)])


def _by_words(line: Line, rules: Rules, method: str) -> Iterator[Rendered]:
    """Show roles and words; a preference once for each side."""
    sides = {label: [key for key in keys if key in line.row] for label, keys in _SIDES.items()}
    if all(sides.values()):
        for label, others in (("chosen", sides["rejected"]), ("rejected", sides["chosen"])):
            yield _worded(line.number, {key: value for key, value in line.row.items() if key not in others}, rules, label=label)
    else:
        yield _worded(line.number, line.row, rules, whole=method == "clm")


def _worded(number: int, raw: dict[str, Any], rules: Rules, *, label: str = "", whole: bool = False) -> Rendered:
    parts = list(texts(raw, whole=whole))
    encoding = rules.encoding or _ENCODING
    with TokenCounter(encoding) as counter:
        counter.row(number, raw, parts)
        counts = counter.finish().counts()
    pieces: list[Piece] = []
    before: tuple[int | None, str] | None = None
    for part, tokens in zip(parts, count([part.text for part in parts], encoding), strict=True):
        if (part.message_index, part.role) != before:
            pieces.append(Piece(f"{'' if before is None else chr(10)}[{part.role}]\n", 0, trained=False))
        elif pieces:
            pieces.append(Piece("\n", 0, trained=False))
        before = part.message_index, part.role
        pieces.append(Piece(part.text, tokens, part.trained))
    return Rendered(row=number, pieces=tuple(pieces), prompt_tokens=counts.prompt, trained_tokens=counts.trained, label=label)


def _renderer(word: str) -> Backend | None:
    """Give the backend that a word names if it can render; a host that the catalogue knows need not be installed or configured."""
    try:
        found = configured(word)
    except AnytuneError:
        if _name(word) not in catalog.hosts():
            raise
        return None
    return found if "render" in found.capabilities.abilities else None


def _name(word: str | None) -> str:
    return backend_of(word) if word else ""
