"""What requests ask of the engine on a CPU, many at a time: each is decoded its own way."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")  # what the training libraries warn of is not ours

QUESTION = [{"role": "user", "content": "what is the colour of apple"}]
PAGES = 8
LOOSE = {"temperature": 1.5, "seed": 3}


@pytest.fixture(scope="module", params=[PAGES, 0], ids=["batched", "one at a time"])
def engine(request, tiny_model):
    from fastapi.testclient import TestClient

    from anytune_huggingface.serving import shared

    with TestClient(shared.application({"tiny": shared.alone(tiny_model)}, request.param)) as client:
        yield client


def asked(engine, **params):
    return engine.post("/v1/chat/completions", json={"model": "tiny", "messages": QUESTION, "max_tokens": 12, "temperature": 0} | params)


def said(engine, **params):
    reply = asked(engine, **params)
    assert reply.status_code == 200, reply.text
    return reply.json()["choices"][0]["message"]["content"]


def test_a_temperature_samples_and_a_seed_says_how(engine):
    first = said(engine, temperature=1.5, seed=7)
    assert said(engine, temperature=1.5, seed=7) == first
    assert len({said(engine, temperature=1.5, seed=seed) for seed in range(6)}) > 1
    assert len({said(engine, temperature=1.5) for _ in range(6)}) > 1


def test_nothing_said_and_a_tiny_share_are_greedy(engine):
    greedy = said(engine)
    assert said(engine, temperature=None) == greedy
    assert said(engine, temperature=1, top_p=1e-6) == greedy


def test_greedy_answers_stay_the_same_beside_sampled_ones(engine):
    greedy = said(engine)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda place: said(engine, temperature=1.5 * (place % 2)), range(6)))
    assert answers[::2] == [greedy] * 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("engine", [PAGES], indirect=True, ids=["batched"])
def test_an_answer_ends_before_the_words_that_it_is_to_stop_at(engine, stream):
    whole = said(engine, **LOOSE)
    assert len(whole) > len("four")
    word = whole[len(whole) // 2 :][:3]
    before = whole[: whole.index(word)]
    for stop in (word, ["never said", word]):
        reply = asked(engine, **LOOSE, stop=stop, stream=stream)
        if stream:
            chunks = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
            text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
            ended = chunks[-1]["choices"][0]["finish_reason"]
        else:
            text, ended = reply.json()["choices"][0]["message"]["content"], reply.json()["choices"][0]["finish_reason"]
        assert (text, ended) == (before, "stop")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("logit_bias", {"50": 3}),
        ("temperature", 3),
        ("temperature", "hot"),
        ("top_p", -1),
        ("stop", [""]),
        ("seed", "x"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name_and_not_ignored(engine, word, value):
    reply = asked(engine, **{word: value})
    assert reply.status_code == 400
    assert f"`{word}`" in reply.json()["error"]["message"]


@pytest.mark.parametrize("harmless", [{"n": 1}, {"user": "ann"}, {"store": False}, {"logprobs": False}, {"logit_bias": {}}, {"stop": None}])
def test_words_that_ask_for_nothing_are_taken(engine, harmless):
    assert said(engine, **harmless) == said(engine)


def test_tokens_are_drawn_as_often_as_their_scores_say():
    import torch

    from anytune_huggingface.serving.decoding import Way

    chances = torch.tensor([0.5, 0.3, 0.15, 0.05])
    draws, way = 4000, Way(temperature=1.0)
    way.generator.manual_seed(1)
    found = Counter(int(way.decide(chances.log(), []).argmax()) for _ in range(draws))
    for token, chance in enumerate(chances.tolist()):
        assert abs(found[token] / draws - chance) < 0.03
    cut = Way(temperature=1.0, top_p=0.75)
    assert {int(cut.decide(chances.log(), []).argmax()) for _ in range(500)} == {0, 1}
    few = Way(temperature=1.0, top_k=3)
    assert {int(few.decide(chances.log(), []).argmax()) for _ in range(500)} <= {0, 1, 2}


def test_a_penalty_makes_what_was_said_less_likely():
    import torch

    from anytune_huggingface.serving.decoding import Way

    scores = torch.tensor([1.0, 0.9, 0.0])
    assert int(Way(presence=0.2).decide(scores, [0]).argmax()) == 1
    assert int(Way(frequency=0.06).decide(scores, [0]).argmax()) == 0
    assert int(Way(frequency=0.06).decide(scores, [0, 0]).argmax()) == 1
