"""The numbers of each step, as the file that OpenAI's clients download."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Final

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.server.book import Book
    from anytune.server.book.rows import JobRow
    from anytune.server.store import Store
    from anytune.values import Metric

__all__ = ["keep", "table"]

_COLUMNS: Final = {
    "train_loss": "loss",
    "train_accuracy": "mean_token_accuracy",
    "valid_loss": "eval_loss",
    "valid_mean_token_accuracy": "eval_mean_token_accuracy",
}
"""Columns of the file by the names of Hugging Face's trainers (OpenAI's guide, read 2026-11-22)."""


def table(metrics: Sequence[Metric]) -> bytes:
    r"""Write a step a line; a cell without a number is empty.

    Example:
        >>> from anytune.values import Metric, now
        >>> table([Metric(step=1, at=now(), values={"loss": 0.5})])
        b'step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,0.5,,,\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["step", *_COLUMNS])
    for metric in metrics:
        numbers = [metric.values.get(name) for name in _COLUMNS.values()]
        writer.writerow([metric.step, *("" if number is None or not math.isfinite(number) else number for number in numbers)])
    return out.getvalue().encode()


def keep(order: JobRow, metrics: Sequence[Metric], book: Book, store: Store) -> list[str]:
    """Keep the file of an order that has succeeded, and give its id; nothing where nothing was measured.

    The id is the order's own, with another word in front: whoever is killed halfway finds the same file again.
    """
    if not metrics:
        return []
    file_id = f"file-{order.id.removeprefix('ftjob-')}"
    try:
        return [book.files.get(file_id, None).id]
    except ApiError:
        store.remove(file_id)
    size_bytes, sha256 = store.put(file_id, table(metrics))
    book.files.add(order.owner, file_id, "step_metrics.csv", "fine-tune-results", size_bytes, sha256)
    return [file_id]
