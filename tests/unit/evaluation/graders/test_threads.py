"""Threads grade at once, with one grader of each type: every grade is what one thread alone would give."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from anytune.evaluation.values import Sample

KINDS = {
    "exact": {},
    "normalized": {},
    "numeric": {},
    "contains": {},
    "regex": {"pattern": "2"},
    "json_exact": {},
    "json_fields": {},
    "json_schema": {"schema": {"type": "object", "properties": {"n": {"pattern": "2"}}}},
    "tool_calls": {"score": "share"},
    "chrf": {},
    "bleu": {},
    "rouge": {},
    "sql_result": {"setup": "CREATE TABLE t (n); INSERT INTO t VALUES (1), (2), (3);"},
    "text_similarity": {"evaluation_metric": "meteor", "input": "{{sample.output_text}}", "reference": "{{item.right}}"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_threads_may_grade_at_once(kind, make, case):
    texts = [json.dumps({"n": str(number), "words": "so many words " * number}) for number in range(8)]
    if kind == "sql_result":
        texts = [f"SELECT n FROM t WHERE n > {number}" for number in range(4)]
    one, many = make({"type": kind, **KINDS[kind]}), make({"type": kind, **KINDS[kind]})
    work = [(case(right, {"right": right}), Sample(text=text)) for right in texts for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda each: many.grade(*each), work)) == [one.grade(*each) for each in work]
