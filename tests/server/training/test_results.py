"""The table of a run's steps."""

from __future__ import annotations

from datetime import UTC, datetime

from anytune.server.shapes.names import numbers
from anytune.server.training.results import table
from anytune.values import Metric

AT = datetime(2026, 11, 23, tzinfo=UTC)


def test_the_table_has_openais_columns_and_empty_cells_where_nothing_was_measured():
    metrics = [
        Metric(step=1, at=AT, values={"loss": 0.5, "mean_token_accuracy": 0.8, "learning_rate": 0.1}),
        Metric(step=2, at=AT, values={"loss": float("nan"), "eval_loss": 0.4, "eval_mean_token_accuracy": 0.9}),
    ]
    assert table(metrics).decode().splitlines() == [
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy",
        "1,0.5,0.8,,",
        "2,,,0.4,0.9",
    ]


def test_our_own_openai_backend_reads_the_table():
    from anytune_openai.results import table as read

    written = table([Metric(step=1, at=AT, values={"loss": 0.5, "eval_loss": 0.4})])
    assert read(written) == {1: {"loss": 0.5, "eval_loss": 0.4}}


def test_a_steps_numbers_have_openais_names_and_no_nan():
    assert numbers({"loss": 0.5, "eval_loss": float("nan"), "learning_rate": 0.1}) == {"train_loss": 0.5, "learning_rate": 0.1}
