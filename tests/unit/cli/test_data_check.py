from __future__ import annotations

import hashlib
import json

import pytest

from anytune import plugins
from anytune.data import check
from anytune.errors import BackendMissing
from anytune.preflight.target import check_data

WORDS = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jetty", "knoll", "larch"]


def chat(number, answer=None):
    asked = " ".join(WORDS[(number * step) % 12] for step in (1, 5, 7, 11))
    return {"messages": [{"role": "user", "content": f"{asked} {number}?"}, {"role": "assistant", "content": answer or f"{number}!"}]}


GOOD = [chat(number) for number in range(12)]
BAD = {"messages": [{"role": "user", "content": "hello"}]}


def test_a_good_file_ends_in_0_and_says_what_it_holds(cli, rows):
    shown = cli("data", "check", rows(*GOOD), "--method", "sft")
    assert cli.code == 0
    assert "12 of kind chat" in shown
    assert "o200k_base" in shown
    assert "Nothing is wrong." in cli.err


def test_json_is_the_report_and_nothing_else(cli, rows):
    path = rows(*GOOD)
    made = cli.json("data", "check", path, "--method", "sft")
    assert cli.code == 0
    assert made == check(path, "sft").model_dump(mode="json")
    assert (made["rows"], made["ok"], made["findings"]) == (12, True, [])
    assert made["sha256"] == hashlib.sha256((cli.folder / "rows.jsonl").read_bytes()).hexdigest()
    assert made["tokens"]["total"] > 0


def test_an_error_ends_in_1_and_names_the_row_and_the_fix(cli, rows):
    made = cli.json("data", "check", rows(GOOD[0], BAD), "--method", "sft")
    assert cli.code == 1
    assert made["ok"] is False
    (found,) = made["findings"]
    assert {"severity": "error", "code": "no-assistant", "row": 2, "rows": []}.items() <= found.items()
    assert found["message"]
    assert found["fix"]


def test_findings_are_printed_for_people(cli, rows):
    cli("data", "check", rows(GOOD[0], BAD, chat(0, "other")))
    assert cli.code == 1
    assert "error: row 2:" in cli.err
    assert "1 error and 1 warning." in cli.err


def test_a_method_that_nobody_knows_ends_in_2(cli, rows):
    cli("data", "check", rows(*GOOD), "--method", "dpoo")
    assert cli.code == 2
    assert "Did you mean `dpo`?" in cli.err


def test_a_grader_that_is_nested_without_end_ends_in_2(cli, rows):
    (cli.folder / "grader.json").write_text("[" * 100_000)
    cli("data", "check", rows(*GOOD), "--grader", str(cli.folder / "grader.json"))
    assert cli.code == 2


def test_warnings_alone_end_in_0(cli, rows):
    cli("data", "check", rows(GOOD[0], GOOD[0]))
    assert cli.code == 0
    assert "1 warning." in cli.err


@pytest.mark.parametrize("content", [None, b"\x1f\x8b\x08broken", b"PK\x03\x04"])
def test_what_cannot_be_read_ends_in_2(cli, content):
    path = cli.folder / "rows.jsonl"
    if content is not None:
        path.write_bytes(content)
    made = cli.json("data", "check", str(path))
    assert cli.code == 2
    assert made["error"]["type"] == "DataError"


def test_an_empty_file_can_be_read_and_holds_no_rows(cli, rows):
    made = cli.json("data", "check", rows())
    assert cli.code == 1
    assert [found["code"] for found in made["findings"]] == ["no-rows"]


def test_leaks_into_the_validation_file_are_found(cli, rows):
    made = cli.json("data", "check", rows(*GOOD), "--validation", rows(chat(99), GOOD[3], name="valid.jsonl"))
    assert cli.code == 1
    (found,) = [found for found in made["findings"] if found["severity"] == "error"]
    assert (found["code"], found["file"], found["row"], found["rows"]) == ("leaked-rows", "validation", 2, [2])
    assert made["validation"]["rows"] == 2


def test_a_check_that_is_left_out_is_named(cli, rows):
    made = cli.json("data", "check", rows(*GOOD), "--skip", "tokens", "--skip", "secrets")
    assert made["tokens"] is None
    assert sorted(found["message"].split()[0] for found in made["findings"]) == ["`secrets`", "`tokens`"]


def test_an_unknown_check_ends_in_2(cli, rows):
    made = cli.json("data", "check", rows(*GOOD), "--skip", "secret-s")
    assert cli.code == 2
    assert "Did you mean `secrets`?" in made["error"]["fix"]


def test_the_encoding_can_be_chosen(cli, rows):
    made = cli.json("data", "check", rows(*GOOD), "--encoding", "cl100k_base")
    assert made["tokens"]["encoding"] == "cl100k_base"


def test_a_host_needs_no_plugin_and_its_rules_and_days_are_said(cli, rows):
    made = cli.json("data", "check", rows(*GOOD[:4]), "--backend", "openai", "--model", "gpt-4.1-mini-2025-04-14", "--method", "sft")
    assert cli.code == 1
    codes = {found["code"] for found in made["findings"]}
    assert "too-few-rows" in codes
    assert codes & {"model-closing", "model-gone"}


def test_a_profile_stands_for_its_backend(cli, rows):
    cli.json("data", "check", rows(*GOOD), "--backend", "trial", "--model", "starter")
    assert cli.code == 0


def test_a_method_that_the_backend_lacks_is_an_error(cli, rows):
    made = cli.json("data", "check", rows({"prompt": "a", "completion": "b", "label": True}), "--backend", "trial", "--method", "kto")
    assert "method" in {found["code"] for found in made["findings"]}


def test_a_local_backend_that_is_not_installed_is_said_with_the_command(rows, monkeypatch):
    def missing(name):
        raise BackendMissing(f"No backend {name!r} is installed.")

    monkeypatch.setattr(plugins, "load", missing)
    report = check_data(rows(*GOOD), "sft", backend="trl", model="starter")
    (found,) = [found for found in report.findings if found.code == "not-checked"]
    assert 'pip install "anytune[trl]"' in found.fix
    assert report.tokens is None


def test_an_unknown_backend_ends_in_3(cli, rows):
    made = cli.json("data", "check", rows(*GOOD), "--backend", "nowhere")
    assert cli.code == 3
    assert "nowhere" in made["error"]["message"]


def test_a_model_without_its_backend_ends_in_2(cli, rows):
    cli.json("data", "check", rows(*GOOD), "--model", "starter")
    assert cli.code == 2


def test_a_grader_is_read_from_its_file(cli, rows):
    grader = cli.folder / "grader.json"
    grader.write_text(
        json.dumps({"type": "string_check", "name": "n", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.key}}"})
    )
    path = rows({"messages": [{"role": "user", "content": "2+2?"}], "answer": "4"})
    made = cli.json("data", "check", path, "--method", "rft", "--grader", str(grader))
    assert "missing-item-field" in {found["code"] for found in made["findings"]}


@pytest.mark.parametrize("text", [None, "[1]", "{"])
def test_a_grader_that_cannot_be_read_ends_in_2(cli, rows, text):
    if text is not None:
        (cli.folder / "grader.json").write_text(text)
    made = cli.json("data", "check", rows(*GOOD), "--grader", str(cli.folder / "grader.json"))
    assert cli.code == 2
    assert "grader" in made["error"]["message"]


class TestLocal:
    """A local backend looks at the rows as its model will see them, and counts them so."""

    @pytest.fixture
    def local(self, monkeypatch):
        from anytune.codes import finding
        from anytune.testing import MemoryBackend
        from anytune.values import Rendered

        class Local(MemoryBackend):
            name = "lab"
            said = ()

            @property
            def capabilities(self):
                able = super().capabilities
                return able.model_copy(update={"local": True, "abilities": able.abilities | {"render"}})

            def check(self, spec, data):
                assert [file.role for file in data] == ["train"]
                return [finding(code, "said") for code in self.said]

            def render(self, spec, rows, *, pieces=True):
                for number, _ in rows:
                    yield Rendered(row=number, prompt_tokens=7, trained_tokens=2)

        return Local()

    def test_tokens_are_the_models_own(self, cli, rows, local):
        report = check_data(rows(*GOOD), "sft", backend=local, model="starter")
        assert report.ok
        assert report.tokens.encoding == "starter"
        assert (report.tokens.total, report.tokens.trained, report.tokens.longest) == (108, 24, 9)

    def test_what_the_backend_finds_is_told(self, cli, rows, local):
        local.said = ("no-stop", "nothing-learned")
        report = check_data(rows(*GOOD), "sft", backend=local, model="starter")
        assert [found.code for found in report.findings] == ["no-stop", "nothing-learned"]
        assert not report.ok
        assert report.tokens is None

    def test_rows_with_errors_are_not_rendered(self, cli, rows, local):
        local.said = ("no-stop",)
        report = check_data(rows(BAD), "sft", backend=local, model="starter")
        assert [found.code for found in report.findings] == ["no-assistant"]


def test_a_host_is_quoted_with_where_each_figure_comes_from(cli, rows):
    args = ("data", "check", rows(*GOOD), "--backend", "openai", "--model", "gpt-4.1-mini-2025-04-14")
    told = cli.json(*args)
    assert told["quote"]["tokens"] == told["tokens"]["billable"] * told["quote"]["epochs"]
    assert told["quote"]["cost_usd"] > 0
    cli(*args)
    assert "epochs, $0.01" in cli.out
    assert "read 2026-" in cli.out


def test_nothing_is_quoted_without_a_target_or_with_errors_in_the_rows(cli, rows):
    assert cli.json("data", "check", rows(*GOOD))["quote"] is None
    assert cli.json("data", "check", rows(*GOOD, BAD), "--backend", "openai", "--model", "gpt-4.1-mini-2025-04-14")["quote"] is None
