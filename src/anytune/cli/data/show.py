"""`anytune data show`: rows as the model will see them, with what is learned of them made visible."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show as output
from anytune.cli.data.methods import Method, known
from anytune.cli.exits import ExitCode
from anytune.cli.show import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.cli.data.rendering import Shown
    from anytune.values import Rendered

__all__ = ["show"]

_LEARNED = "bold green underline"
_READ = "dim"
_MARKS = "⟦⟧"


def show(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A data file of any format that is read, or hf:owner/name.")],
    row: Annotated[int | None, typer.Option("--row", min=1, help="The row to show: the line of a JSONL file.")] = None,
    rows: Annotated[str | None, typer.Option("--rows", metavar="ROWS", help="Several: 1,5-7.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Backend or profile that would train.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Base model; a local one renders with its own template.")] = None,
    method: Method = None,
    max_length: Annotated[int | None, typer.Option("--max-length", min=1, help="Cut rows at so many tokens, as the spec would.")] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="Mark what is learned with ⟦ ⟧ instead of colour.")] = False,
    as_json: Json = False,
) -> int:
    """Print rows as the model will see them: what is learned is green and underlined, or stands in ⟦ ⟧ where there is no colour."""
    from anytune.cli.data.rendering import View, shown  # noqa: PLC0415 - keeps `--help` light

    known(method, backend)
    wanted = [*([range(row, row + 1)] if row else []), *_ranges(rows)] or [range(1, 2)]
    view = View.of(file, backend=backend, model=model, method=method, max_length=max_length)
    found = shown(view, wanted)
    if as_json:
        output.document({"file": file, "format": view.format, "rendering": view.about, "rows": [_plain(one) for one in found]})
        return ExitCode.OK
    first = next(found, None)
    if first is None:
        return ExitCode.USAGE
    output.note(view.about)
    for one in chain([first], found):
        _paint(one, no_color=no_color)
    return ExitCode.OK


def _ranges(text: str | None) -> list[range]:
    found = []
    for part in (text or "").split(","):
        first, _, last = part.strip().partition("-")
        if not first and not last:
            continue
        if not (first.isdigit() and (last or first).isdigit()) or not 0 < int(first) <= int(last or first):
            raise typer.BadParameter(f"{part.strip()!r} is no row and no range; write 1,5-7", param_hint="--rows")
        found.append(range(int(first), int(last or first) + 1))
    return found


def _plain(one: Shown) -> dict[str, Any]:
    return {
        "row": one.number,
        "kind": one.kind,
        "renderings": [
            {
                "label": seen.label,
                "prompt_tokens": seen.prompt_tokens,
                "trained_tokens": seen.trained_tokens,
                "total_tokens": seen.total_tokens,
                "pieces": [piece._asdict() for piece in seen.pieces],
            }
            for seen in one.renderings
        ],
        "findings": [finding.model_dump(mode="json") for finding in one.findings],
    }


def _paint(one: Shown, *, no_color: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--json` and `--help` do without
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, no_color=no_color or None)
    coloured = console.is_terminal and not console.no_color
    for seen in one.renderings:
        console.print(Text(_heading(one, seen), style="bold"))
        text = Text()
        for words, learned in _marked(seen, marks="" if coloured else _MARKS):
            text.append(words, style=_LEARNED if learned else _READ)
        console.print(text)
    sys.stdout.flush()
    output.findings(one.findings)


def _heading(one: Shown, seen: Rendered) -> str:
    label = f", {seen.label}" if seen.label else ""
    counts = f"{seen.prompt_tokens:,} read + {seen.trained_tokens:,} learned = {seen.total_tokens:,} tokens"
    return f"── row {one.number} ({one.kind}{label}): {counts}"


def _marked(seen: Rendered, *, marks: str) -> Iterator[tuple[str, bool]]:
    for piece in seen.pieces:
        words = visible(piece.text, marks)
        yield (f"{marks[0]}{words}{marks[1]}" if piece.trained and marks else words), piece.trained


def visible(text: str, marks: str = "") -> str:
    r"""Make what steers a terminal, or cannot be seen, into something that can be read and does no harm.

    Line breaks and tabs stay. Other control characters get their Unicode pictures; those that reorder or hide text, and lone surrogates,
    are named by number; so are the marks, where the text has them itself.

    Example:
        >>> visible("a\x1b[2Jb\u202ec")
        'a␛[2Jb⟨U+202E⟩c'
    """
    return "".join(_character(character, marks) for character in text)


def _character(character: str, marks: str) -> str:
    import unicodedata  # noqa: PLC0415 - a table of a megabyte

    code = ord(character)
    if character in "\n\t" or (character.isprintable() and character not in marks):
        return character
    if code < 0x20:  # noqa: PLR2004 - C0 controls
        return chr(0x2400 + code)
    if code == 0x7F:  # noqa: PLR2004 - DEL
        return "␡"
    if unicodedata.category(character) == "Zs":  # blanks of all widths
        return character
    return f"⟨U+{code:04X}⟩"
