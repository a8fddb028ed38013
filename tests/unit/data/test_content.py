"""Special tokens, encoding damage and control characters in text: what is found, what is left alone, and that the filter misses nothing."""

# ruff: noqa: RUF001 - signs of other languages are what is tested

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.data.check.content import HOT, content
from anytune.data.check.encoding import damage
from anytune.data.rules import Rules

SNIPS = Path(__file__).parents[4] / "shared" / "data" / "snips" / "train.jsonl"

CLEAN = {
    "Japanese": "今日の天気は晴れです。明日は『雨』かもしれません。データを縺れた糸のように解く…①②③",
    "Chinese": "今天天气很好，我们去公园散步吧。价格：￥100（含税）",
    "Korean": "오늘 날씨가 좋네요. 공원에 갈까요?",
    "French": "« L’été à Évreux, c’est “génial” ! » – voilà ; où ça ? À 10 € près… cœur, naïf, Ÿ",
    "French quotes": "Il a dit « café » puis “thé”\u00a0: l’élève préféré\u00a0?",
    "German": "„Größe“ – Straße, Übermut, ‚fünf‘ Äpfel… § 5 Abs. 2; 20 °C; Menü“",
    "Spanish": "¿Qué tal, señor Muñoz? ¡Mañana a las 5 ½! 1.º y 2.ª",
    "Portuguese": "Não há ação sem reação; a maçã às vezes é “ótima”. Ele disse: “É…”",
    "Italian": "Perché no? È così; «città», l’università… 30 €",
    "Polish": "Zażółć gęślą jaźń – „świetnie”, prawda?",
    "Czech": "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Hungarian": "Árvíztűrő tükörfúrógép „szép”.",
    "Turkish": "Şişli’de İstanbul ığdır çöğür, %50’si.",
    "Vietnamese": "Tiếng Việt rất đẹp; ông ấy nói “được” và đi về Huế…",
    "Russian": "Съешь ещё этих мягких французских булок — «Рёв» и «Сёла», № 5.",
    "Ukrainian": "Щастя їм’я ґанок — «Єгипет»",
    "Serbian": "Љубазни фењерџија чађавог лица; Ђорђе",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία; «Ωραία»",
    "Arabic": "مرحبًا كيف حالك؟ \u200f(سؤال) ١٢٣",
    "Hebrew": "\u202bשלום עולם, \u200fמה שלומך? ABC",
    "Persian": "می‌خواهم کتاب‌خانه را ببینم",
    "Hindi": "क्‍या हाल है? नमस्ते दुनिया।",
    "Thai": "สวัสดี\u200bครับ วันนี้อากาศดี",
    "emoji": "Family 👨‍👩‍👧, flags 🇫🇷 and 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f, heart ❤️",
    "mathematics": "|x| ≤ √2 · ½π, √π ≈ 1.77, ⟨x|y⟩, a <| f <| x |> g, 0 <|x|> 1",
    "a tree": "src\n├── main.py\n└── lib\n\t└── a.py\r\n",
    "HTML": "It costs <s>30</s> 20 €. <b>Use</b> <strong>now</strong>, <pre>x</pre>",
    "code": "if a < b and c[0] > d[inst]: print('<start>', [1, 2])",
    "thinking": "<think>Two and two is four.</think> 4 <tool_call>{}</tool_call>",
    "LaTeX": r"\frac{1}{2} \beta \textbf{x} \\ \u{41}",
}

TOKENS = {
    "<|im_start|>": "<|im_start|>user\nhi<|im_end|>",
    "<|endoftext|>": "The end.<|endoftext|>",
    "<|fim_suffix|>": "a <|fim_suffix|> b",
    "<|eot_id|>": "x<|eot_id|>",
    "<|START_OF_TURN_TOKEN|>": "<|START_OF_TURN_TOKEN|>x",
    "<\uff5cUser\uff5c>": "<\uff5cUser\uff5c>hi",
    "<\uff5cend\u2581of\u2581sentence\uff5c>": "hi<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<start_of_turn>": "<start_of_turn>model",
    "<end_of_turn>": "bye<end_of_turn>",
    "[INST]": "[INST] hi [/INST]",
    "[TOOL_CALLS]": "[TOOL_CALLS][]",
    "<<SYS>>": "<<SYS>>be kind<</SYS>>",
    "<fim_prefix>": "<fim_prefix>def",
    "<bos>": "<bos>hello",
    "<s>": "<s>hello",
    "</s>": "hello</s>",
}

DAMAGED = {
    "Latin-1": "Bücher und Straßen".encode().decode("latin-1"),
    "Windows-1252": "it’s “fine” – café…".encode().decode("windows-1252", errors="ignore"),
    "Windows-1252 Cyrillic": "Что это такое".encode().decode("windows-1252", errors="replace").replace("\ufffd", ""),
    "Windows-1251": "Привет, как дела?".encode().decode("windows-1251", errors="ignore"),
    "Mac Roman": "für die Größe".encode().decode("mac_roman"),
    "Japanese as Latin-1": "日本語のテキスト".encode().decode("latin-1"),
    "Japanese as Shift JIS": "こんにちは、ありがとう".encode().decode("cp932", errors="ignore"),
    "lost": "gr\ufffd\ufffdn",
    "lost twice": "锟斤拷锟斤拷",
    "byte-order mark": "a\ufeffb",
    "half a pair": "a\ud83d b",
}

CONTROLS = {
    "U+0000": "a\x00b",
    "U+0007": "\x07ding",
    "U+0008": "a\x08b",
    "U+000C": "page\x0cbreak",
    "U+001B": "\x1b[31mred\x1b[0m",
    "U+007F": "a\x7f",
    "U+0085": "one\x85two",
    "U+0093": "\x93quoted\x94",
    "U+202E": "file\u202etxt.exe",
    "U+202D": "\u202dx",
    "U+2066": "access \u2066level",
    "U+E0068": "hello\U000e0068\U000e0069",
}


def row(text):
    return {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": text}]}


def lines_of(row):
    """A row as the writers of files have it: as UTF-8, with escapes, and with the escapes of Go and JavaScript."""
    escaped = json.dumps(row)
    yield escaped.encode()
    yield escaped.replace("<", "\\u003c").replace(">", "\\u003E").encode()
    try:
        yield json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return


@pytest.mark.parametrize("text", CLEAN.values(), ids=CLEAN)
def test_clean_text_of_many_languages_has_no_finding(text):
    assert content(1, row(text)) == []


@pytest.mark.parametrize(("token", "text"), TOKENS.items(), ids=TOKENS)
def test_a_special_token_is_found_and_named(token, text):
    (found,) = content(7, row(text))
    assert (found.code, found.severity, found.row, found.message_index) == ("special-token", "warning", 7, 1)
    assert f"`{token}`" in found.message
    assert found.fix


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damaged_text_is_found(text):
    (found,) = content(7, row(text))
    assert (found.code, found.row, found.message_index) == ("encoding-damage", 7, 1)
    assert found.fix


@pytest.mark.parametrize(("sign", "text"), CONTROLS.items(), ids=CONTROLS)
def test_a_control_character_is_found_and_named_by_its_number(sign, text):
    (found,) = content(7, row(text))
    assert (found.code, found.severity, found.row, found.message_index) == ("control-character", "warning", 7, 1)
    assert sign in found.message
    assert found.message.isprintable()


@pytest.mark.parametrize("text", [*TOKENS.values(), *DAMAGED.values(), *CONTROLS.values()])
def test_the_filter_lets_through_every_line_that_has_something(text):
    for line in lines_of(row(text)):
        assert HOT.search(line), line


ODD = st.sampled_from(
    [
        *"<|>[]/s ÃÂâ€\u0099é©РС√縺繧繝薙\ufffd\ufeff\ud83d\udc4d\x00\x08\x85\u202e\u2066\u2069🏴\U000e0067",
        "INST",
        "<|im_end|>",
        "bos",
        "锟斤拷",
    ]
)


@given(st.lists(ODD | st.characters(), max_size=30).map("".join))
def test_what_the_filter_holds_back_has_no_finding(text):
    if content(1, row(text)):
        for line in lines_of(row(text)):
            assert HOT.search(line), line


def test_the_filter_holds_back_plain_lines():
    plain = ["今日の天気は晴れです。", "„Größe“ und Straße", "It's 5 o'clock", "日本 <b>x</b>", "🎉 a 👩‍🚀"]
    assert [text for text in plain for line in lines_of(row(text)) if HOT.search(line) and b"\\u003c" not in line and "“" not in text] == []


def test_a_token_names_itself_and_nothing_around_it():
    (found,) = content(1, row("my secret diary <|im_end|> more diary"))
    assert "diary" not in found.message + found.fix


def test_damage_is_told_by_kind_and_place_without_the_text():
    (found,) = content(1, row("the diary of Müller".encode().decode("latin-1")))
    assert "diary" not in found.message + found.fix
    assert "from character 15" in found.message


def test_the_encoding_that_was_taken_for_another_is_named():
    assert next(damage(DAMAGED["Windows-1251"])).startswith("UTF-8 that was read as Windows-1251")


def test_barred_tokens_are_errors_where_the_target_refuses_them():
    rules = Rules(target="openai with gpt-4.1", refuses=frozenset({"special-tokens"}))
    (found,) = content(1, row("x <|fim_suffix|>"), rules)
    assert found.severity == "error"
    assert "openai with gpt-4.1 refuses" in found.message


def test_tokens_of_other_models_stay_warnings_there():
    (found,) = content(1, row("[INST] x"), Rules(refuses=frozenset({"special-tokens"})))
    assert found.severity == "warning"


def test_half_a_surrogate_pair_is_an_error_since_nobody_can_write_it():
    (found,) = content(1, row("\udc80"))
    assert found.severity == "error"


def test_a_message_has_one_finding_of_a_code():
    found = content(1, row("<|a1|> <|b2|> <|c3|> <|d4|> <|e5|> <|f6|> \x00\x01"))
    assert [one.code for one in found] == ["special-token", "control-character"]
    assert "and more" in found[0].message


def test_each_message_has_its_own_finding():
    talk = {"messages": [{"role": "user", "content": "\x00"}, {"role": "assistant", "content": "<s>"}]}
    assert [(one.code, one.message_index) for one in content(1, talk)] == [("control-character", 0), ("special-token", 1)]


def test_parts_tool_calls_and_definitions_are_read_too():
    talk = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a\x00"}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": "<|im_end|>"}'}}],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "gr\ufffdn"}}],
    }
    assert {(one.code, one.message_index) for one in content(1, talk)} == {
        ("control-character", 0),
        ("special-token", 1),
        ("encoding-damage", None),
    }


def test_struck_out_prices_are_no_tokens():
    assert content(1, row("Now <s>30</s> 20 and <s>5</s> 4")) == []


@pytest.mark.skipif(not SNIPS.exists(), reason="the shared data is not there")
def test_real_english_rows_have_one_damaged_row_and_no_other_finding():
    lines = SNIPS.read_text(encoding="utf-8").split("\n")
    found = [one for number, line in enumerate(lines, 1) if line for one in content(number, json.loads(line))]
    assert {(one.code, one.row) for one in found} == {("encoding-damage", 6252)}
