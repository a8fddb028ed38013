"""Rows of a small task, as cases."""

from __future__ import annotations

from typing import Any

from anytune.evaluation.cases import case_of
from anytune.evaluation.spec import EvaluationSpec

SYSTEM = "Name the intent."
TRAIN = (
    ("play some jazz by Miles Davis", "PlayMusic"),
    ("play the newest album of Björk", "PlayMusic"),
    ("will it rain in Oslo tomorrow", "GetWeather"),
    ("will it snow in Oslo on Sunday", "GetWeather"),
    ("book a table for two in Lisbon", "BookRestaurant"),
    ("book a table for three at the harbour", "BookRestaurant"),
    ("rate this novel five of six stars", "RateBook"),
    ("add this tune to my running list", "AddToPlaylist"),
)


def row(question: str, answer: str | None, *, system: str | None = SYSTEM, **more: Any) -> dict[str, Any]:
    head = [{"role": "system", "content": system}] if system else []
    tail = [{"role": "assistant", "content": answer}] if answer is not None else []
    return {"messages": [*head, {"role": "user", "content": question}, *tail], **more}


def case(question: str, answer: str = "?", number: int = 1, **more: Any):
    found = case_of(row(question, answer, **more), number)
    assert found is not None
    return found


def train(rows=TRAIN):
    return [case(question, answer, number) for number, (question, answer) in enumerate(rows, start=1)]


def spec(**arm: Any) -> EvaluationSpec:
    models = {"base": {"backend": "trl", "model": "starter", "params": {"temperature": 0.5}}}
    return EvaluationSpec(data="test.jsonl", models=models, arms={"arm": arm}, rule={"candidate": "arm"}, params={"max_tokens": 9})
