"""Names of settings: aliases are taken and echoed, wrong names are refused with the nearest right one."""

from __future__ import annotations

import pickle
from typing import ClassVar

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.settings import Settings, nearest
from anytune.spec import DPO, SFT, Budget, Full, LoRA, QLoRA, TrainingSpec

KINDS = [SFT, DPO, LoRA, QLoRA, Full, Budget, TrainingSpec]


class Oven(Settings):
    aliases: ClassVar = {"temp": "temperature"}
    refused: ClassVar = {"gas_mark": "Give `temperature` in degrees Celsius."}

    temperature: int = 180
    fan: bool = False


def test_an_alias_is_taken_under_its_canonical_name():
    assert Oven(temp=200).temperature == 200


def test_an_alias_is_echoed():
    assert Oven(temp=200).renamed == {"temp": "temperature"}


def test_a_canonical_name_is_not_echoed():
    assert Oven(temperature=200).renamed == {}


def test_an_alias_counts_as_set():
    assert Oven(temp=200).model_fields_set == {"temperature"}


def test_both_names_of_one_setting_are_refused_even_when_equal():
    with pytest.raises(ConfigError, match="`temp` and `temperature` are the same setting"):
        Oven(temp=200, temperature=200)


def test_an_unknown_name_is_refused_with_the_nearest_right_one():
    with pytest.raises(ConfigError, match=r"Unknown setting `temprature` of Oven\. Did you mean `temperature`"):
        Oven(temprature=200)


def test_a_name_near_an_alias_is_answered_with_the_canonical_name():
    with pytest.raises(ConfigError, match="Did you mean `num_train_epochs`"):
        SFT(n_epoch=2)


def test_an_unknown_name_near_nothing_lists_what_is_known():
    with pytest.raises(ConfigError, match="Known: temperature, fan"):
        Oven(zzz=1)


def test_a_name_that_only_looks_like_a_synonym_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match="Give `temperature` in degrees Celsius"):
        Oven(gas_mark=4)


def test_a_wrong_value_names_its_key():
    with pytest.raises(ConfigError, match="`temperature` of Oven"):
        Oven(temperature="warm")


def test_several_wrong_values_are_counted():
    with pytest.raises(ConfigError, match="and 1 more"):
        Oven(temperature="warm", fan="sideways")


def test_a_wrong_name_deep_in_a_spec_is_explained_like_one_on_top():
    with pytest.raises(ConfigError, match="lerning_rate"):
        TrainingSpec(backend="trl", model="starter", train="a.jsonl", method={"type": "sft", "lerning_rate": 1e-4})


def test_settings_are_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Oven().temperature = 90


def test_what_was_renamed_survives_a_pickle():
    oven = pickle.loads(pickle.dumps(Oven(temp=200)))
    assert oven == Oven(temp=200)
    assert oven.renamed == {"temp": "temperature"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_alias_leads_to_a_setting_that_exists(kind):
    assert set(kind.aliases.values()) <= set(kind.model_fields)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_alias_or_refused_name_hides_a_setting(kind):
    assert not (set(kind.aliases) | set(kind.refused)) & set(kind.model_fields)
    assert not set(kind.aliases) & set(kind.refused)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_is_described(kind):
    undescribed = {name for name, field in kind.model_fields.items() if not field.description} - {"type"}
    assert undescribed == set()


@given(word=st.text(max_size=30))
def test_nearest_gives_a_known_word_or_none(word):
    known = list(SFT.model_fields)
    assert nearest(word, known) in {*known, None}


@given(name=st.text(min_size=1, max_size=30).filter(lambda name: name not in {*SFT.model_fields, *SFT.aliases, *SFT.refused}))
def test_any_unknown_name_gives_a_config_error_that_names_it(name):
    with pytest.raises(ConfigError) as caught:
        SFT(**{name: 1})
    assert f"`{name}`" in str(caught.value)


@pytest.mark.parametrize("name", ["my recipes", "über", "-first", "x" * 65])
def test_a_name_of_other_characters_is_refused_in_words(name):
    with pytest.raises(ConfigError, match="64 of the characters") as refused:
        TrainingSpec(backend="trl", model="starter", train="rows.jsonl", name=name)
    assert repr(name) in refused.value.message
