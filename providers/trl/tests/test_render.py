from __future__ import annotations

import pytest

from anytune.data import ChatRow, PreferenceRow, PromptRow
from anytune.errors import DataError
from anytune_trl.render import IGNORED, Renderer
from anytune_trl.rows import chats, preferences

MULTI = [
    {"role": "system", "content": "you are helpful"},
    {"role": "user", "content": "what is the colour of apple"},
    {"role": "assistant", "content": "red"},
    {"role": "user", "content": "pear"},
    {"role": "assistant", "content": "green, yellow"},
]
REFUSING = "{% for m in messages %}{{ m.content }}{% endfor %}"
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def rendered(tokenizer_with):
    def render(row, template="tools-first", kind=ChatRow):
        renderer = Renderer(tokenizer_with(template))
        (chat,) = chats([(1, kind.model_validate(row))])
        return renderer, renderer.samples(chat)

    return render


def learned(renderer, sample):
    """Give each run of learned tokens as text."""
    runs, current = [], []
    for label in [*sample.labels, IGNORED]:
        if label != IGNORED:
            current.append(label)
        elif current:
            runs.append(renderer.tokenizer.decode(current))
            current = []
    return runs


@pytest.mark.parametrize("template", ["chatml", "tools-first", "smollm2"])
def test_every_assistant_turn_is_learned_with_its_stop_token_and_nothing_else(template, rendered):
    renderer, (sample,) = rendered({"messages": MULTI}, template)
    assert learned(renderer, sample) == ["red<|im_end|>", "green, yellow<|im_end|>"]
    assert sample.stops


def test_the_ids_are_those_of_the_whole_rendered_conversation(rendered):
    renderer, (sample,) = rendered({"messages": MULTI})
    whole = renderer.tokenizer.apply_chat_template(MULTI, tokenize=True, return_dict=False)
    assert sample.input_ids == whole
    assert all(label in (IGNORED, token) for token, label in zip(sample.input_ids, sample.labels, strict=True))


def test_the_prompt_of_a_row_is_what_a_server_computes_for_the_request(rendered):
    renderer, (sample,) = rendered({"messages": MULTI[:3]})
    first = next(i for i, label in enumerate(sample.labels) if label != IGNORED)
    assert sample.input_ids[:first] == renderer.prompt_ids(MULTI[:2])
    assert renderer.prompt_ids(MULTI[:2]) == renderer.tokenizer.apply_chat_template(
        MULTI[:2], add_generation_prompt=True, return_dict=False
    )


def test_a_turn_of_weight_zero_is_not_learned(rendered):
    messages = [*MULTI[:2], MULTI[2] | {"weight": 0}, *MULTI[3:]]
    renderer, (sample,) = rendered({"messages": messages})
    assert learned(renderer, sample) == ["green, yellow<|im_end|>"]


def test_a_template_that_changes_earlier_turns_gives_one_sample_a_turn(rendered):
    renderer, samples = rendered({"messages": MULTI}, "thinking")
    assert [learned(renderer, sample) for sample in samples] == [
        ["<think>\n\n</think>\n\nred<|im_end|>"],
        ["<think>\n\n</think>\n\ngreen, yellow<|im_end|>"],
    ]


def test_a_tool_call_is_learned_and_its_result_is_not(rendered):
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
    row = {
        "tools": [TOOL],
        "messages": [
            {"role": "user", "content": "weather please"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "yellow sky"},
            {"role": "assistant", "content": "the sky is yellow"},
        ],
    }
    renderer, (sample,) = rendered(row)
    assert learned(renderer, sample) == ['<tool_call>get_weather {"city": "Rome"}</tool_call><|im_end|>', "the sky is yellow<|im_end|>"]


def test_a_template_without_tools_is_refused_for_rows_with_tools(rendered):
    row = {"tools": [TOOL], "messages": MULTI[1:3]}
    with pytest.raises(DataError, match=r"Row 1: the model's chat template leaves out the tool 'get_weather'"):
        rendered(row, "smollm2")


def test_a_plain_prompt_and_completion_are_learned_as_a_chat(rendered):
    renderer, (sample,) = rendered({"prompt": "colour of plum", "completion": "purple"}, kind=PromptRow)
    assert learned(renderer, sample) == ["purple<|im_end|>"]
    assert "user\ncolour of plum" in renderer.tokenizer.decode(sample.input_ids)


def test_assistant_turns_of_a_prompt_are_not_learned(rendered):
    renderer, (sample,) = rendered({"prompt": MULTI[:4], "completion": MULTI[4:]}, kind=PromptRow)
    assert learned(renderer, sample) == ["green, yellow<|im_end|>"]


def test_the_token_that_closes_a_turn_is_a_stop_even_where_the_model_does_not_list_it(tokenizer_with):
    tokenizer = tokenizer_with()
    tokenizer.eos_token = "<|endoftext|>"
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in Renderer(tokenizer).stop_ids


def test_a_turn_that_no_stop_token_ends_is_noticed(rendered):
    _, (sample,) = rendered(
        {"messages": MULTI[1:3]},
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
    )
    assert not sample.stops


def test_a_template_that_refuses_a_row_names_the_row(rendered):
    with pytest.raises(DataError, match="Row 1: the model's chat template refuses the messages: roles must alternate"):
        rendered(
            {"messages": [MULTI[1], *MULTI[1:3]]},
            "{% if messages | length > 2 %}{{ raise_exception('roles must alternate') }}{% endif %}" + REFUSING,
        )


def test_a_template_cannot_reach_python(rendered):
    with pytest.raises(DataError, match="refuses"):
        rendered({"messages": MULTI[1:3]}, "{{ messages.__class__.__mro__[1].__subclasses__() }}")


def test_no_token_spans_the_border_between_prompt_and_answer(rendered):
    template = "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}<|im_end|>{% endif %}{% endfor %}"
    renderer, (sample,) = rendered(
        {"messages": [{"role": "user", "content": "the col"}, {"role": "assistant", "content": "our"}]}, template
    )
    assert learned(renderer, sample) == ["our<|im_end|>"]
    assert sample.input_ids[: len(renderer.prompt_ids([{"role": "user", "content": "the col"}]))] == renderer.prompt_ids(
        [{"role": "user", "content": "the col"}]
    )


def test_a_preference_row_becomes_one_prompt_and_two_answers(tokenizer_with):
    row = {
        "input": {"messages": MULTI[:2]},
        "preferred_output": [MULTI[2]],
        "non_preferred_output": [{"role": "assistant", "content": "green"}],
    }
    renderer = Renderer(tokenizer_with())
    (preference,) = preferences([(7, PreferenceRow.model_validate(row))])
    pair = renderer.pair(preference)
    decode = renderer.tokenizer.decode
    assert (decode(pair.chosen_ids), decode(pair.rejected_ids)) == ("red<|im_end|>", "green<|im_end|>")
    assert pair.prompt_ids == renderer.prompt_ids(MULTI[:2])
    assert pair.stops
