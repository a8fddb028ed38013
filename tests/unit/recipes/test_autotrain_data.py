"""AutoTrain's folders and columns become anytune's own rows; wrong rows are told by their numbers, and nothing half-written stays."""

from __future__ import annotations

import csv
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.data import check
from anytune.errors import ConfigError, DataError
from anytune.recipes.autotrain.literal import opened

CHAT = [{"role": "user", "content": 'it\'s "2+2"?'}, {"role": "assistant", "content": "4"}]
WORSE = [CHAT[0], {"role": "assistant", "content": "5"}]
PAIRS = {"text_column": "chosen", "rejected_text_column": "rejected", "prompt_text_column": "prompt"}
TEMPLATE = {"chat_template": "tokenizer"}


def kept(desk):
    return sorted((desk.folder / "home" / "datasets").glob("*"))


def test_rows_that_are_anytunes_own_stay_where_they_are(desk):
    path = desk.rows({"text": "one"}, {"text": "two"})
    assert desk.translated().spec.train == path
    assert kept(desk) == []


def test_columns_that_say_where_a_row_comes_from_are_no_matter(desk):
    path = desk.rows({"messages": CHAT, "source": "a"}, {"messages": CHAT, "source": "b"})
    assert desk.translated(data=TEMPLATE, mapping={"text_column": "messages"}).spec.train == path


@pytest.mark.parametrize(
    "cell", [CHAT, str(CHAT), '[{"role": "user", "content": "it\'s \\"2+2\\"?"}, {"role": "assistant", "content": "4"}]']
)
def test_messages_under_another_name_or_as_text_become_messages(desk, cell):
    desk.rows({"talk": cell, "mood": "calm"})
    found = desk.translated(data=TEMPLATE, mapping={"text_column": "talk"})
    assert desk.read(found.spec.train) == [{"messages": CHAT}]
    assert "rewritten" in {each.code for each in found.findings}


def test_a_text_column_under_another_name_becomes_text(desk):
    desk.rows({"body": "one", "text": "not this"})
    assert desk.read(desk.translated(mapping={"text_column": "body"}).spec.train) == [{"text": "one"}]


def test_pairs_of_texts_keep_their_prompt(desk):
    desk.rows({"q": "a", "good": "b", "bad": "c", "why": "d"})
    mapping = {"text_column": "good", "rejected_text_column": "bad", "prompt_text_column": "q"}
    assert desk.read(desk.translated(task="llm-orpo", mapping=mapping).spec.train) == [{"prompt": "a", "chosen": "b", "rejected": "c"}]


def test_pairs_of_conversations_give_all_turns_but_the_last_as_the_prompt(desk):
    desk.rows({"prompt": "unused", "chosen": str(CHAT), "rejected": str(WORSE)})
    path = desk.translated(task="llm-dpo", data=TEMPLATE, mapping=PAIRS).spec.train
    assert desk.read(path) == [{"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": WORSE[1:]}]
    assert check(path, "dpo").ok


def test_a_reward_model_needs_no_prompt(desk):
    desk.rows({"chosen": "a good one", "rejected": "a bad one"})
    mapping = {"text_column": "chosen", "rejected_text_column": "rejected"}
    path = desk.translated(task="llm-reward", mapping=mapping).spec.train
    assert desk.read(path) == [{"prompt": "", "chosen": "a good one", "rejected": "a bad one"}]


def test_a_reward_models_conversations_share_their_beginning(desk):
    desk.rows({"chosen": [*CHAT, *CHAT], "rejected": [*CHAT, *WORSE]})
    mapping = {"text_column": "chosen", "rejected_text_column": "rejected"}
    path = desk.translated(task="llm-reward", data=TEMPLATE, mapping=mapping).spec.train
    assert desk.read(path) == [{"prompt": [*CHAT, CHAT[0]], "chosen": CHAT[1:], "rejected": WORSE[1:]}]


def test_a_table_comes_before_jsonl_as_in_autotrain(desk):
    with (desk.folder / "data" / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["body"], ["from the table"]])
    desk.rows({"body": "from the lines"})
    assert desk.read(desk.translated(mapping={"text_column": "body"}).spec.train) == [{"text": "from the table"}]


def test_a_folder_is_read_as_the_datasets_library_does(desk):
    for part in range(2):
        desk.rows({"text": f"part {part}"}, name=f"shards/train-0000{part}-of-00002.jsonl")
    assert desk.read(desk.translated(data={"path": "shards"}).spec.train) == [{"text": "part 0"}, {"text": "part 1"}]


def test_a_validation_split_is_the_specs(desk):
    path = desk.rows({"text": "three"}, name="data/valid.jsonl")
    found = desk.translated(data={"valid_split": "valid"})
    assert found.spec.validation == path
    assert any("validation" in each.message for each in found.findings if each.code == "differs")


def test_a_single_file_is_taken(desk):
    path = desk.rows({"text": "one"}, name="rows.jsonl")
    assert desk.translated(data={"path": "rows.jsonl"}).spec.train == path
    with pytest.raises(ConfigError, match="one file"):
        desk.translated(data={"path": "rows.jsonl", "valid_split": "validation"})


def test_a_folder_beside_the_config_is_found_from_elsewhere(desk, monkeypatch):
    config = desk.config()
    (desk.folder / "elsewhere").mkdir()
    monkeypatch.chdir(desk.folder / "elsewhere")
    from anytune.recipes import autotrain

    assert autotrain.to_spec(config).spec.train == desk.folder / "data" / "train.jsonl"


@pytest.mark.parametrize("path", ["./nowhere/at/all", "rows.jsonl", "/nowhere"])
def test_data_that_is_not_there_is_named(desk, path):
    with pytest.raises(DataError, match="There is no data at"):
        desk.translated(data={"path": path})


def test_a_part_of_a_split_is_refused(desk):
    with pytest.raises(ConfigError, match="a part or a sum"):
        desk.translated(data={"train_split": "train[:10%]"})


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"other": "x"}, r"Row 2 of train\.jsonl: `talk` is missing"),
        ({"talk": 3}, "Row 2 of .*: `talk` holds no messages"),
        ({"talk": "__import__('os').system('true')"}, "Row 2 of .*: `talk` holds no messages: it is neither JSON nor"),
        ({"talk": []}, "Row 2 of .*: `talk` holds no messages"),
    ],
)
def test_a_wrong_row_is_told_by_its_number_and_nothing_stays(desk, row, problem):
    desk.rows({"talk": CHAT}, row)
    with pytest.raises(DataError, match=problem):
        desk.translated(data=TEMPLATE, mapping={"text_column": "talk"})
    assert kept(desk) == []


def test_messages_without_a_template_say_what_to_set(desk):
    desk.rows({"talk": CHAT})
    with pytest.raises(DataError) as caught:
        desk.translated(mapping={"text_column": "talk"})
    assert "chat_template: tokenizer" in caught.value.fix


def test_what_a_row_holds_is_not_in_the_error(desk):
    desk.rows({"talk": "my secret words"})
    with pytest.raises(DataError) as caught:
        desk.translated(data=TEMPLATE, mapping={"text_column": "talk"})
    assert "secret" not in str(caught.value)


def test_the_same_rows_are_written_once_and_other_rows_anew(desk):
    desk.rows({"body": "one"})
    first = desk.translated(mapping={"text_column": "body"}).spec.train
    before = Path(first).stat().st_mtime_ns
    assert desk.translated(mapping={"text_column": "body"}).spec.train == first
    assert Path(first).stat().st_mtime_ns == before
    desk.rows({"body": "two"})
    assert desk.translated(mapping={"text_column": "body"}).spec.train != first


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**9) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(LITERALS)
def test_what_python_writes_is_read_again(value):
    assert opened(repr([value])) == [value]


@pytest.mark.parametrize(
    "text", ["[" * 5000, "[" * 40 + "]" * 40, "['a' * 9]", "[open('x')]", "[-" + "-" * 9000 + "1]", "(1,)", "[f'{1}']"]
)
def test_anything_but_a_plain_literal_is_refused_at_once(text):
    begun = time.monotonic()
    with pytest.raises(ValueError, match="it is"):
        opened(text)
    assert time.monotonic() - begun < 1


@given(st.text(alphabet="[]{}'\"\\,: \nab1-(", max_size=80))
def test_no_text_breaks_the_reader(text):
    with suppress(ValueError):
        opened(text)
