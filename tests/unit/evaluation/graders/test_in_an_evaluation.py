"""Graders where they are used: an evaluation asks, grades, holds its judge against people, and leaves nothing running."""

from __future__ import annotations

import json

import psutil

import anytune


def test_an_evaluation_grades_and_says_how_far_its_judge_agrees_with_people(host, tmp_path):
    rows = [{"messages": [{"role": "user", "content": f"{n} + 1?"}, {"role": "assistant", "content": str(n + 1)}]} for n in range(40)]
    labels = [{"row": n + 1, "answer": str(answer), "score": float(answer == n + 1)} for n in range(40) for answer in (n + 1, 7)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))

    def says(body):
        prompt = body["messages"][-1]["content"]
        if "Rubric:" not in prompt:
            return "7"
        digest = prompt.split("The answer:\n<<<")[1].split("\n")[0]
        parts = [prompt.split(f"The {name}:\n<<<{digest}\n")[1].split(f"\n{digest}>>>")[0] for name in ("right answer", "answer")]
        return json.dumps({"reason": "same", "score": 5 if parts[0] == parts[1] else 1})

    host.says = says
    before = {process.pid for process in psutil.Process().children()}
    spec = anytune.EvaluationSpec(
        data=tmp_path / "test.jsonl",
        models={"base": {"base_url": host.base_url, "model": "base"}, "judge": {"base_url": host.base_url, "model": "judge"}},
        arms={"base": {"type": "zero_shot", "model": "base"}, "tuned": {"type": "again", "of": "base"}},
        rule={"baseline": "base"},
        graders=(
            {"type": "numeric"},
            {"type": "judge", "model": "judge", "human": str(tmp_path / "labels.jsonl")},
            {"type": "python", "source": "def grade(sample, item):\n    return sample['output_text'] == item['reference']\n"},
        ),
    )
    found = anytune.evaluate(spec, folder=tmp_path / "out")
    assert {name: score.value for name, score in found.arms[0].scores.items()} == {"numeric": 1 / 40, "judge": 1 / 40, "python": 1 / 40}
    assert found.arms[0].ungraded == 0
    assert found.agreements["judge"]["kappa"] == 1.0
    assert any("100 % of 80 labelled answers" in words for words in found.cannot_tell)
    left = [process for process in psutil.Process().children() if process.pid not in before and process.status() != psutil.STATUS_ZOMBIE]
    assert [process.name() for process in left if "monty" in process.name()] == []
