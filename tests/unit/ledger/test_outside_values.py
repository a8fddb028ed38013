"""What providers and programs give is kept alike in either database, whatever it holds."""

from __future__ import annotations

import math

import pytest

from anytune.values import Event, Metric, Snapshot, Status


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
def test_a_loss_that_is_no_number_any_more_is_kept_as_it_is(ledger, claim, clock, number):
    row = claim()
    ledger.add_metrics(row.id, [Metric(step=1, at=clock.now(), values={"loss": number})])
    ledger.add_metrics(row.id, [Metric(step=1, at=clock.now(), values={"eval_loss": 1.5})])
    [kept] = ledger.metrics(row.id)
    assert math.isnan(kept.values["loss"]) if math.isnan(number) else kept.values["loss"] == number
    assert kept.values["eval_loss"] == 1.5


def test_a_reply_that_holds_such_numbers_is_kept_without_them(ledger, claim):
    row = ledger.record(claim().id, Snapshot(id="r", status=Status.RUNNING, raw={"losses": [math.nan, 1.0], "by": {"step": math.inf}}))
    assert row.snapshot["raw"] == {"losses": [None, 1.0], "by": {"step": None}}


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d of a pair", "all of Unicode: é 漢 😀 \u2028"], ids=["NUL", "surrogate", "unicode"])
def test_text_that_a_database_would_refuse_is_kept_as_far_as_it_is_text(ledger, claim, clock, text):
    row = claim()
    ledger.add_events(row.id, [Event(id="e-1", at=clock.now(), level="info", message=text, data={"said": text})])
    [kept] = ledger.events(row.id)
    assert kept.message in {text, "a\N{REPLACEMENT CHARACTER}b", "half ? of a pair"}
    assert ledger.record(row.id, Snapshot(id="r", status=Status.FAILED, error=text)).error == kept.message


def test_many_events_and_metrics_at_once_are_kept_in_order(ledger, claim, clock):
    row = claim()
    events = [Event(id=f"e-{number:04d}", at=clock.now(), level="info", message=str(number)) for number in range(1203)]
    metrics = [Metric(step=number, at=clock.now(), values={"loss": float(number)}) for number in range(1203)]
    assert len(ledger.add_events(row.id, events)) == 1203
    assert ledger.add_events(row.id, events) == []
    ledger.add_metrics(row.id, metrics)
    ledger.add_metrics(row.id, metrics)
    assert [event.message for event in ledger.events(row.id)] == [event.message for event in events]
    assert [metric.values for metric in ledger.metrics(row.id)] == [metric.values for metric in metrics]
