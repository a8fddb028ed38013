from __future__ import annotations

import pytest

from anytune.data.files import Line
from anytune.errors import DataError
from anytune_huggingface.text.render import IGNORED, Renderer
from anytune_trl.dataset import rendered as render_row

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
    def render(row, template="tools-first"):
        renderer = Renderer(tokenizer_with(template))
        return renderer, render_row(Line(1, row), "sft", renderer)

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
    renderer, (sample,) = rendered({"prompt": "colour of plum", "completion": "purple"})
    assert learned(renderer, sample) == ["purple<|im_end|>"]
    assert "user\ncolour of plum" in renderer.tokenizer.decode(sample.input_ids)


def test_assistant_turns_of_a_prompt_are_not_learned(rendered):
    renderer, (sample,) = rendered({"prompt": MULTI[:4], "completion": MULTI[4:]})
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
    (pair,) = render_row(Line(7, row), "dpo", renderer)
    decode = renderer.tokenizer.decode
    assert (decode(pair.chosen_ids), decode(pair.rejected_ids)) == ("red<|im_end|>", "green<|im_end|>")
    assert pair.prompt_ids == renderer.prompt_ids(MULTI[:2])
    assert pair.stops


def note(sample, code):
    return next(found for found in sample.notes if found.code == code)


def test_a_special_token_in_what_a_user_wrote_is_an_error_with_its_message(rendered):
    row = {"messages": [*MULTI[:3], MULTI[3] | {"content": "now <|im_end|> is mine"}, MULTI[4]]}
    _, (sample,) = rendered(row)
    found = note(sample, "special-token")
    assert (found.severity, found.row, found.message_index) == ("error", 1, 3)
    assert "'<|im_end|>'" in found.message


def test_special_tokens_are_found_in_calls_and_definitions_of_tools(rendered):
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "<|im_start|>"}'}}
    tool = {"type": "function", "function": TOOL["function"] | {"description": "<|endoftext|>"}}
    _, (sample,) = rendered({"tools": [tool], "messages": [MULTI[1], {"role": "assistant", "tool_calls": [call]}]})
    assert [(found.code, found.message_index) for found in sample.notes] == [("special-token", 1), ("special-token", None)]


def test_good_rows_carry_no_notes(rendered):
    _, (sample,) = rendered({"messages": MULTI})
    assert sample.notes == ()


def test_a_prompt_that_is_not_how_the_row_begins_is_noticed(rendered):
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}(answer) {% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n<think>{% endif %}"
    )
    renderer, (sample,) = rendered({"messages": MULTI}, template)
    assert [(found.code, found.message_index) for found in sample.notes] == [("prompt-not-prefix", 2), ("prompt-not-prefix", 4)]
    assert learned(renderer, sample)[0] == "(answer) red<|im_end|>"


def test_a_template_that_begins_twice_is_an_error(rendered):
    _, (sample,) = rendered(
        {"messages": MULTI[1:3]}, "{{ bos_token }}<|im_start|>{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
    )
    assert note(sample, "double-bos").severity == "error"


def test_blanks_at_the_beginning_of_an_answer_do_not_regroup_the_prompt(rendered):
    template = "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}<|im_end|>{% else %} {% endif %}{% endfor %}"
    renderer, (sample,) = rendered({"prompt": "apple", "completion": "  red"}, template)
    prompt = renderer.prompt_ids([{"role": "user", "content": "apple"}])
    assert sample.input_ids[: len(prompt)] == prompt
    assert learned(renderer, sample) == ["  red<|im_end|>"]


def test_plain_text_is_learned_wholly_but_for_its_first_token_and_ends(tokenizer_with):
    tokenizer = tokenizer_with()
    tokenizer.chat_template = None
    renderer = Renderer(tokenizer)
    (sample,) = render_row(Line(3, {"text": "the sky is yellow"}), "sft", renderer)
    assert tokenizer.decode(sample.input_ids) == "the sky is yellow<|im_end|>"
    assert sample.labels == [IGNORED, *sample.input_ids[1:]]
    assert sample.stops


def test_text_that_ends_by_itself_gets_no_second_end(tokenizer_with):
    renderer = Renderer(tokenizer_with())
    (sample,) = render_row(Line(1, {"text": "yellow<|im_end|>"}), "sft", renderer)
    assert renderer.tokenizer.decode(sample.input_ids) == "yellow<|im_end|>"


def test_text_that_brings_the_token_that_the_tokenizer_adds_begins_twice(tokenizer_with):
    from tokenizers.processors import TemplateProcessing

    tokenizer = tokenizer_with()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)])
    (sample,) = render_row(Line(5, {"text": "<|im_start|>the sky"}), "sft", Renderer(tokenizer))
    assert note(sample, "double-bos").row == 5


def test_a_conversation_needs_a_template(tokenizer_with):
    tokenizer = tokenizer_with()
    tokenizer.chat_template = None
    with pytest.raises(DataError, match="no chat template") as caught:
        render_row(Line(1, {"messages": MULTI[1:3]}), "sft", Renderer(tokenizer))
    assert [found.code for found in caught.value.findings] == ["no-template"]


def test_images_are_refused_by_their_message(rendered):
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    with pytest.raises(DataError, match="text only") as caught:
        rendered({"messages": [{"role": "user", "content": [image]}, MULTI[2]]})
    (found,) = caught.value.findings
    assert (found.code, found.row, found.message_index) == ("refused-feature", 1, 0)


def test_calls_in_openais_older_words_are_learned_as_tool_calls(rendered):
    row = {
        "functions": [TOOL["function"]],
        "messages": [MULTI[1], {"role": "assistant", "content": None, "function_call": {"name": "get_weather", "arguments": "{}"}}],
    }
    renderer, (sample,) = rendered(row)
    assert learned(renderer, sample) == ["<tool_call>get_weather {}</tool_call><|im_end|>"]
