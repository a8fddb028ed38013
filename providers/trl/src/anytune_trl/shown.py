"""From a rendered row to what a person reads: stretches of text, each learned or only read, with what is wrong with the row."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from anytune.data.files import Line
from anytune.values import Piece, Rendered
from anytune_huggingface.device import device
from anytune_huggingface.models import folders
from anytune_huggingface.text.render import IGNORED, Pair, Sample
from anytune_trl import defaults
from anytune_trl.dataset import Overlong, build, cut, findings, rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anytune.spec import TrainingSpec
    from anytune.values import Finding
    from anytune_huggingface.text.render import Renderer

__all__ = ["render", "show"]


def render(spec: TrainingSpec, model: str, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool) -> Iterator[Rendered]:
    """Render rows with a model's own tokenizer and template; nothing but these is fetched.

    Raises:
        ConfigError: The model cannot be used.
        DataError: A row cannot be rendered; it carries the findings.
    """
    from anytune_huggingface.text.tokenizer import load  # noqa: PLC0415 - loads transformers

    folder = folders.resolve(model, weights=False)
    _, renderer = load(folder)
    resolved = defaults.resolve(spec, device())
    limit = defaults.max_length(spec, folders.context_length(folder))
    for number, row in rows:
        line = Line(number, row)
        yield from show(line, resolved.method, renderer, max_length=limit, overlong=resolved.overlong, pieces=pieces)


def show(line: Line, method: str, renderer: Renderer, *, max_length: int, overlong: Overlong, pieces: bool) -> Iterator[Rendered]:
    """Give one row's renderings; the first one carries the findings of the row.

    Args:
        line: A row of anytune's own schemas.
        method: `sft` or `dpo`.
        renderer: What renders.
        max_length: Tokens of the longest sample; with `overlong="truncate"` the rest is cut off, as in training.
        overlong: As in the spec.
        pieces: Give the text, not only counts.

    Raises:
        DataError: The row cannot be rendered.
    """
    told: list[Finding] = []
    if pieces:
        counts = build([line], method, renderer, max_length=max_length, overlong=overlong).counts
        told = findings(counts, role="train", max_length=max_length, overlong=overlong)
    for sample in rendered(line, method, renderer):
        for label, ids, learned in _sides(cut(sample, max_length) if overlong == "truncate" else sample):
            trained = sum(learned)
            yield Rendered(
                row=line.number,
                pieces=_pieces(renderer, ids, learned) if pieces else (),
                prompt_tokens=len(ids) - trained,
                trained_tokens=trained,
                label=label,
                findings=tuple(told),
            )
            told = []


def _sides(sample: Sample | Pair) -> list[tuple[str, list[int], list[bool]]]:
    if isinstance(sample, Sample):
        return [(sample.label, sample.input_ids, [label != IGNORED for label in sample.labels])]
    sides = (("chosen", sample.chosen_ids), ("rejected", sample.rejected_ids))
    return [(label, [*sample.prompt_ids, *ids], [False] * len(sample.prompt_ids) + [True] * len(ids)) for label, ids in sides]


def _pieces(renderer: Renderer, ids: list[int], learned: list[bool]) -> tuple[Piece, ...]:
    runs = [(trained, len(list(run))) for trained, run in groupby(learned)]
    edges = [sum(count for _, count in runs[: place + 1]) for place in range(len(runs))]
    texts = renderer.texts(ids, edges)
    return tuple(Piece(text, count, trained) for text, (trained, count) in zip(texts, runs, strict=True))
