"""From a row to what a person reads: the text that AutoTrain is given, each stretch learned or only read, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.files import Line
from anytune.values import Piece, Rendered
from anytune_autotrain import defaults, words
from anytune_autotrain.data import Writer, build
from anytune_autotrain.findings import findings
from anytune_huggingface.models import folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anytune.spec import TrainingSpec
    from anytune.values import Finding
    from anytune_autotrain.data import Sample
    from anytune_huggingface.device import Device

__all__ = ["render"]


def render(
    spec: TrainingSpec, model: str, rows: Iterable[tuple[int, dict[str, Any]]], *, device: Device, pieces: bool
) -> Iterator[Rendered]:
    """Render rows with a model's own tokenizer and template, as they stand before they are joined into blocks.

    Raises:
        ConfigError: The model cannot be used, or a setting is wrong.
        DataError: A row cannot be rendered; it carries the findings.
    """
    resolved = defaults.resolve(spec, device)
    folder = folders.resolve(model, weights=False)
    _, renderer = words.load(folder, resolved)
    limit = defaults.max_length(resolved, folders.context_length(folder))
    alone = resolved.model_copy(update={"packing": False, "method": "sft" if resolved.method == "clm" else resolved.method})
    writer = Writer(renderer, resolved, limit)
    for number, row in rows:
        line = Line(number, row)
        samples = writer(line)
        told: tuple[Finding, ...] = ()
        if pieces:
            counts = build([line], Writer(renderer, alone, limit)).counts
            told = tuple(found for found in findings(counts, alone, role="train", limit=limit) if found.code not in _OF_FILES)
        for sample in samples:
            for shown in _sides(sample, writer, pieces=pieces):
                yield shown.model_copy(update={"findings": told})
                told = ()


_OF_FILES = frozenset({"packed", "all-learned", "nothing-learned"})


def _sides(sample: Sample, writer: Writer, *, pieces: bool) -> Iterator[Rendered]:
    for label in ("text", "chosen", "rejected"):
        ids = sample.ids.get(label)
        if ids is None:
            continue
        prompt, ids = (sample.ids["prompt"], ids) if "prompt" in sample.ids else (ids[:1], ids[1:])
        texts = writer.renderer.texts([*prompt, *ids], [len(prompt), len(prompt) + len(ids)]) if pieces else []
        shown = [Piece(text, count, trained) for text, count, trained in zip(texts, (len(prompt), len(ids)), (False, True), strict=False)]
        yield Rendered(
            row=sample.row,
            pieces=tuple(piece for piece in shown if piece.tokens),
            prompt_tokens=len(prompt),
            trained_tokens=len(ids),
            label="" if label == "text" else label,
        )
