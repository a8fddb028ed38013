"""What is lost between two places, and how the page says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytune import plugins
from anytune.backend import Backend, Capabilities
from anytune.errors import BackendMissing
from anytune.portability import Place, move, named, places
from anytune.portability.page import hosts, renewed, settings, tables
from anytune.portability.rows import ROWS, taken
from anytune.preflight import losses
from anytune.spec import DPO, QLoRA, TrainingSpec
from anytune.testing import MemoryBackend

HOSTED = Capabilities(
    methods=frozenset({"sft", "dpo", "rft"}),
    settings=frozenset({"num_train_epochs", "beta", "grader"}),
    abilities=frozenset({"upload", "list_jobs"}),
    tag="metadata",
    settle_s=60,
    dialect="openai",
    min_rows=10,
)
LOCAL = Capabilities(
    methods=frozenset({"sft", "dpo"}),
    adapters=frozenset({"lora", "qlora"}),
    settings=frozenset({"num_train_epochs", "beta", "learning_rate", "adapter.type", "adapter.r", "options.own.optimizer"}),
    abilities=frozenset({"upload", "deploy"}),
    tag="key",
    settle_s=0,
    local=True,
)
TWO = [Place("hosted", HOSTED, served=True), Place("local", LOCAL, served=False)]


def test_a_move_lists_methods_settings_rows_and_abilities_that_are_lost():
    lost = move(HOSTED, LOCAL)
    assert (lost.methods, lost.adapters, lost.settings) == (("rft",), (), ("grader",))
    assert (lost.rows, lost.abilities) == (("graded",), ("list_jobs",))


def test_the_way_back_loses_other_things():
    lost = move(LOCAL, HOSTED)
    assert lost.methods == ()
    assert lost.settings == ("adapter.r", "adapter.type", "learning_rate", "options.own.optimizer")
    assert (lost.rows, lost.abilities) == (("text",), ("deploy",))


def test_an_adapter_that_the_new_place_does_not_offer_is_lost():
    assert move(LOCAL, LOCAL.model_copy(update={"adapters": frozenset({"lora"})})).adapters == ("qlora",)


def test_staying_loses_nothing():
    assert [move(able, able).size for able in (HOSTED, LOCAL)] == [0, 0]


def test_what_a_move_loses_is_what_preflight_finds():
    spec = TrainingSpec(
        backend="memory",
        model="base",
        train=Path("rows.jsonl"),
        method=DPO(num_train_epochs=2, beta=0.1, learning_rate=1e-4),
        adapter=QLoRA(r=8),
        options={"own": {"optimizer": "adamw"}},
    )
    said = " ".join(found.message for found in losses(spec, MemoryBackend(capabilities=HOSTED)))
    lost = move(LOCAL, HOSTED)
    assert [name for name in lost.settings if f"`{name}`" not in said] == []
    assert said.count("has no word for") == len(lost.settings)


@pytest.mark.parametrize("kind", ROWS)
def test_every_row_of_the_page_is_a_good_one(kind):
    everything = frozenset({"sft", "dpo", "rft", "clm"})
    assert taken(ROWS[kind], Capabilities(methods=everything, tag="key", settle_s=0)) == ()


def test_a_dialect_that_learns_otherwise_says_so():
    autotrain = LOCAL.model_copy(update={"dialect": "autotrain"})
    assert any("AutoTrain" in note for note in taken(ROWS["chat with tools"], autotrain))
    assert "chat with tools" in move(LOCAL, autotrain).rows


def test_a_result_is_hosted_where_it_can_be_read():
    assert hosts(TWO[0], TWO) == ["itself, at once"]
    assert hosts(TWO[1], TWO) == ["local"]


def test_a_repository_is_read_here_and_elsewhere_and_a_folder_only_here():
    cloud = Place("cloud", LOCAL.model_copy(update={"local": False, "abilities": frozenset({"deploy", "push"})}), served=False)
    three = [*TWO, cloud]
    assert hosts(cloud, three) == ["local", "cloud"]
    assert hosts(TWO[1], three) == ["local"]


def test_settings_come_in_the_order_of_the_spec_and_own_ones_last():
    names = ["num_train_epochs", "learning_rate", "beta", "grader", "adapter.type", "adapter.r", "options.own.optimizer"]
    assert settings(TWO) == names


def test_the_tables_stand_between_the_marks_only():
    page = "before\n<!-- tables: here -->\nstale-row\n<!-- end of tables -->\nafter\n"
    made = renewed(page, TWO)
    assert made == f"before\n<!-- tables: here -->\n\n{tables(TWO)}\n<!-- end of tables -->\nafter\n"
    assert "stale-row" not in made


def test_a_backend_that_is_missing_or_broken_is_left_out(monkeypatch):
    class Loud(Backend):
        name = "trl"

        def __init__(self, *, compute):
            raise OSError("no machine")

    load = plugins.load

    def some(name):
        if name == "openai":
            raise BackendMissing("No.")
        return Loud if name == "trl" else load(name)

    monkeypatch.setattr(plugins, "load", some)
    found = {place.word for place in places()}
    assert "azure" in found
    assert not [word for word in found if word.startswith(("openai", "trl"))]


def test_a_backend_without_its_key_can_be_compared(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert named("openai").able.dialect == "openai"


def test_a_name_that_nothing_has_is_refused():
    with pytest.raises(BackendMissing, match="nowhere"):
        named("nowhere")
