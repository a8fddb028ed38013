"""What each arm asks for a case."""

from __future__ import annotations

import json

import pytest
from tests.unit.evaluation.arms.rows import SYSTEM, TRAIN, case, row, spec, train

from anytune.errors import ConfigError, DataError
from anytune.evaluation.arms import Pool, built, variants
from anytune.evaluation.cases import case_of
from anytune.evaluation.spec import EvaluationSpec

ASKED = case("will it rain in Bergen on Sunday")


@pytest.fixture
def pool():
    return Pool.of(train(), held_out=[ASKED])


def messages(pool=None, candidate=None, asked=ASKED, **arm):
    return built(spec(model="base", **arm), "arm", pool, candidate).ask(asked).messages


def texts(found):
    return [(message["role"], message["content"]) for message in found]


def test_zero_shot_asks_what_the_row_asks():
    assert texts(messages(type="zero_shot")) == [("system", SYSTEM), ("user", "will it rain in Bergen on Sunday")]


def test_parameters_of_the_arm_go_over_the_models_and_the_specs():
    arm = built(spec(type="zero_shot", model="base", params={"temperature": 0.9, "top_p": 0.5}), "arm", None)
    assert arm.ask(ASKED).params == {"max_tokens": 9, "temperature": 0.9, "top_p": 0.5}


@pytest.mark.parametrize("name", ["stream", "n", "model", "messages"])
def test_parameters_that_would_ask_something_else_are_refused(name):
    with pytest.raises(ConfigError, match=f"cannot be asked with `params.{name}`"):
        built(spec(type="zero_shot", model="base", params={name: 2}), "arm", None)


def test_a_prompt_takes_the_place_of_the_rows_own_instructions():
    found = messages(type="prompt", system="Think first.")
    assert texts(found) == [("system", "Think first."), ("user", "will it rain in Bergen on Sunday")]


def test_a_prompt_is_put_before_a_row_that_has_no_instructions():
    found = messages(type="prompt", system="Think first.", asked=case("hello", system=None))
    assert texts(found) == [("system", "Think first."), ("user", "hello")]


def test_examples_stand_between_the_instructions_and_the_question_the_likest_last(pool):
    found = texts(messages(pool, type="few_shot", k=2, choose="nearest"))
    assert found == [
        ("system", SYSTEM),
        ("user", "will it rain in Oslo tomorrow"),
        ("assistant", "GetWeather"),
        ("user", "will it snow in Oslo on Sunday"),
        ("assistant", "GetWeather"),
        ("user", "will it rain in Bergen on Sunday"),
    ]


def test_varied_examples_are_less_alike_than_the_nearest():
    rows = [
        ("will it rain in Bergen today", "A"),
        ("will it rain in Bergen tonight", "A"),
        ("how warm is Sunday", "B"),
        ("play a song", "C"),
    ]
    pool = Pool.of(train(rows), held_out=[])
    nearest, varied = (
        {answer for role, answer in texts(messages(pool, type="few_shot", k=2, choose=how)) if role == "assistant"}
        for how in ("nearest", "mmr")
    )
    assert nearest == {"A"}
    assert varied == {"A", "B"}


def test_fixed_examples_are_the_same_for_every_question_and_other_ones_for_another_seed(pool):
    arm = {"type": "few_shot", "k": 3, "choose": "fixed"}
    first, other = (texts(messages(pool, asked=asked, **arm))[1:-1] for asked in (ASKED, case("play a waltz")))
    assert first == other
    seeds = {
        json.dumps(texts(built(EvaluationSpec(**spec(model="base", **arm).model_dump() | {"seed": seed}), "arm", pool).ask(ASKED).messages))
        for seed in range(6)
    }
    assert len(seeds) > 1


def test_more_examples_than_there_are_gives_all(pool):
    assert len(messages(pool, type="few_shot", k=99)) == 2 + 2 * len(TRAIN)


def test_an_example_that_calls_a_tool_has_a_result_as_hosts_want_it():
    call = {"type": "function", "function": {"name": "weather", "arguments": "{}"}}
    shown = case_of({"messages": [{"role": "user", "content": "rain?"}, {"role": "assistant", "tool_calls": [call]}]}, 1)
    found = messages(Pool.of([shown], held_out=[]), type="few_shot", k=1, asked=case("will it rain?", system=None))
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "user"]
    assert found[1]["tool_calls"][0]["id"] == found[2]["tool_call_id"]


def test_tools_of_the_row_are_asked_with():
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    asked = case_of(row("rain?", "yes", tools=[tool]), 1)
    assert built(spec(type="zero_shot", model="base"), "arm", None).ask(asked).tools == [tool]


def test_retrieval_adds_questions_and_answers_to_the_instructions(pool):
    found = texts(messages(pool, type="retrieval", k=1, template="Known:\n{documents}"))
    assert found[0] == ("system", f"{SYSTEM}\n\nKnown:\nQuestion: will it snow in Oslo on Sunday\nAnswer: GetWeather")
    assert found[1:] == [("user", "will it rain in Bergen on Sunday")]


def test_retrieval_reads_documents_a_line_each_and_keeps_their_braces(tmp_path):
    (tmp_path / "notes.txt").write_text("The harbour {opens} at six.\n\nRain in Bergen is usual.\n")
    found = messages(type="retrieval", k=2, documents=str(tmp_path / "notes.txt"), asked=case("rain in Bergen?", system=None))
    assert found[0] == {
        "role": "system",
        "content": "Use what helps of the following.\n\nRain in Bergen is usual.\n\nThe harbour {opens} at six.",
    }


def test_retrieval_reads_rows_with_text(tmp_path):
    (tmp_path / "notes.jsonl").write_text('{"text": "Rain in Bergen is usual."}\n{"text": "The harbour opens at six."}\n')
    found = messages(type="retrieval", k=1, documents=str(tmp_path / "notes.jsonl"))
    assert found[0]["content"].endswith("Rain in Bergen is usual.")


def test_rows_that_are_no_documents_are_named(tmp_path):
    (tmp_path / "notes.jsonl").write_text(json.dumps(row("hello", "there")) + "\n")
    with pytest.raises(DataError, match=r"Row 1 of notes.jsonl is no document"):
        messages(type="retrieval", documents=str(tmp_path / "notes.jsonl"))


def test_the_nearest_answer_is_copied_and_of_several_the_commonest(pool):
    asked = case("book a table in Oslo for rain or snow")
    rows = [("book a table in Oslo", "Book"), ("snow in Oslo", "Weather"), ("rain in Oslo", "Weather"), ("hum a tune", "Music")]
    pool = Pool.of(train(rows), held_out=[])
    assert built(spec(type="nearest"), "arm", pool).answer(asked).text == "Book"
    assert built(spec(type="nearest", k=3), "arm", pool).answer(asked).text == "Weather"


def test_an_arm_asked_again_asks_the_same_and_is_no_answer_to_the_first():
    models = {"base": {"backend": "trl", "model": "starter"}}
    arms = {"one": {"type": "zero_shot", "model": "base"}, "twice": {"type": "again", "of": "one"}}
    both = EvaluationSpec(data="x.jsonl", models=models, arms=arms, rule={"candidate": "one"})
    one, twice = (built(both, name, None) for name in arms)
    assert twice.ask(ASKED) == one.ask(ASKED)
    assert (one.series, twice.series) == ("", "twice")


@pytest.mark.parametrize("arm", [{"type": "nearest"}, {"type": "few_shot", "model": "base"}, {"type": "retrieval", "model": "base"}])
def test_an_arm_without_training_rows_is_refused_by_name(arm):
    with pytest.raises(ConfigError, match="Arm 'arm' needs training rows, and `train` is not given"):
        built(spec(**arm), "arm", None)
    with pytest.raises(ConfigError, match=r"none is left\. Of the training rows, 1 that ask what a held-out row asks"):
        built(spec(**arm), "arm", Pool.of([case("hello", "there")], held_out=[case("hello")]))


def test_what_is_left_open_has_candidates_and_one_of_them_makes_the_arm(pool):
    prompts = spec(type="prompt", model="base", system=("Be short.", "Be exact."))
    found = variants(prompts, "arm")
    assert [(one.setting, one.word) for one in found] == [("system", "prompt 1"), ("system", "prompt 2")]
    assert built(prompts, "arm", None, found[1]).ask(ASKED).messages[0]["content"] == "Be exact."
    shots = spec(type="few_shot", model="base", k=(1, 3))
    assert [len(built(shots, "arm", pool, one).ask(ASKED).messages) for one in variants(shots, "arm")] == [4, 8]
    with pytest.raises(ConfigError, match="Arm 'arm' leaves k open"):
        built(shots, "arm", pool)
    assert variants(spec(type="zero_shot", model="base"), "arm") == []


def test_checkpoints_are_candidates_each_with_an_endpoint_of_its_own(pool):
    models = {"tuned": {"job": "recipes", "checkpoint": (10, 20)}}
    arms = {"tuned": {"type": "few_shot", "model": "tuned", "k": (0, 2)}, "again": {"type": "again", "of": "tuned"}}
    both = EvaluationSpec(data="x.jsonl", models=models, arms=arms)
    found = variants(both, "tuned")
    assert [one.word for one in found] == ["0, 10", "0, 20", "2, 10", "2, 20"]
    assert found[1].setting == "k+checkpoint"
    made = [built(both, name, pool, found[1]) for name in arms]
    assert [arm.model for arm in made] == ["tuned@20", "tuned@20"]
    assert made[0].target != built(both, "tuned", pool, found[0]).target
    with pytest.raises(ConfigError, match="leaves k open"):
        built(both, "tuned", pool)
