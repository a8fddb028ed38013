from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET

import pytest
import yaml
from tests.unit.evaluation.report.samples import SPEC, evaluation, of_verdict

from anytune import FineTuneJob
from anytune.evaluation.report import save
from anytune.evaluation.values import Verdict
from anytune.testing.engine import Engine

HELD_OUT = 60


class Host:
    """A host whose base knows half of the answers, and whose tuned model all but a few; it counts its questions."""

    def __init__(self):
        self.asked = 0
        self.engine = Engine("base", adapters={"tuned": "tuned"}, reply=self.reply)

    def reply(self, model, messages):
        self.asked += 1
        number = int(messages[-1]["content"].split()[3])
        return str(2 * number) if (number % 2 if model == "base" else number % 12) else "I do not know."


@pytest.fixture
def host():
    made = Host()
    with made.engine:
        yield made


@pytest.fixture
def spec(cli, host):
    """Write rows and a spec, and give the spec's path; settings are added to it."""

    def write(name="spec.yaml", **changes):
        for file, numbers in (("train", range(1000, 1040)), ("test", range(1, HELD_OUT + 1))):
            rows = [
                {"messages": [{"role": "user", "content": f"How much is {n} and {n}?"}, {"role": "assistant", "content": str(2 * n)}]}
                for n in numbers
            ]
            (cli.folder / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        prices = {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0}
        settings = {
            "name": "sums",
            "data": "test.jsonl",
            "train": "train.jsonl",
            "models": {word: {"base_url": host.engine.base_url, "model": word, "prices": prices} for word in ("base", "tuned")},
            "arms": {
                "base": {"type": "zero_shot", "model": "base"},
                "nearest": {"type": "nearest"},
                "tuned": {"type": "zero_shot", "model": "tuned"},
            },
            "rule": {"candidate": "tuned", "baseline": "base"},
        }
        (cli.folder / name).write_text(yaml.safe_dump(settings | changes))
        return name

    return write


def test_an_evaluation_says_estimate_table_verdict_and_where_the_report_is(cli, spec, host):
    cli("evaluate", spec(), "--yes")
    assert cli.code == 0, cli.err
    assert "60 independent rows find a true gain of" in cli.err
    assert "120 questions, for less than $0.01" in cli.err
    assert "pass: Yes: tuned is better than base." in cli.out
    assert "91.7" in cli.out
    report = cli.home / "evaluations" / "sums" / "report.html"
    assert f"Report: {report}" in cli.err
    assert "Yes: tuned is better than base." in report.read_text()


def test_the_same_again_asks_nothing_and_needs_no_yes_to_be_told(cli, spec, host):
    cli("evaluate", spec(), "--yes")
    asked = host.asked
    cli("evaluate", spec(), "--yes")
    assert (cli.code, host.asked) == (0, asked)


def test_the_estimate_alone_asks_nothing(cli, spec, host):
    before = cli.json("evaluate", spec(), "--estimate")["before"]
    assert (cli.code, host.asked) == (0, 0)
    assert before["cases"] == HELD_OUT
    assert before["usd"] > 0


def test_nobody_s_money_is_spent_where_nobody_is_there_to_ask(cli, spec, host):
    error = cli.json("evaluate", spec())["error"]
    assert (cli.code, host.asked) == (2, 0)
    assert "--yes" in error["fix"]


def test_what_asks_nobody_costs_nothing_and_needs_no_yes(cli, spec, host):
    arms = {"nearest": {"type": "nearest"}, "vote": {"type": "nearest", "k": 5}}
    cli("evaluate", spec(models={}, arms=arms, rule={"candidate": "vote", "baseline": "nearest"}))
    assert (cli.code, host.asked) == (0, 0), cli.err
    assert "0 questions, for nothing" in cli.err


@pytest.mark.parametrize(("word", "asked"), [("n\n", 0), ("y\n", 120)])
def test_a_person_is_asked_and_heard(cli, spec, host, monkeypatch, word, asked):
    terminal = io.StringIO(word)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    cli("evaluate", spec())
    assert (cli.code, host.asked) == (0, asked)
    assert "Ask all of it?" in cli.err


def test_whoever_says_no_at_the_gate_has_decided_nothing(cli, spec, host, monkeypatch):
    terminal = io.StringIO("n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    cli("gate", spec())
    assert (cli.code, host.asked) == (64, 0)


def test_ctrl_c_says_that_nothing_is_lost(cli, spec, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("anytune.evaluation.run.ask_all", interrupted)
    cli("evaluate", spec(), "--yes")
    assert cli.code == 130
    assert "the same command goes on from there" in cli.err


def test_a_budget_in_the_spec_is_a_word_given_beforehand(cli, spec, host):
    cli("evaluate", spec(spending={"max_usd": 1.0}))
    assert cli.code == 0, cli.err
    assert host.asked == 120


def test_programs_get_the_whole_record(cli, spec):
    found = cli.json("evaluate", spec(), "--yes", "--report", "found.xml", "--report", "found.md")
    assert found["evaluation"]["decision"]["outcome"] == "pass"
    assert [path.rpartition("/")[2] for path in found["written"]] == ["report.html", "found.xml", "found.md"]
    assert (cli.folder / "found.md").read_text().startswith("### ✅")


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_asked(cli, spec, host):
    cli("evaluate", spec(), "--yes", "--report", "found.docx")
    assert (cli.code, host.asked) == (2, 0)
    assert ".html, .md, .json or .xml" in cli.err


def test_a_spec_is_written_for_a_job_and_says_what_to_do_next(cli, spec):
    spec()
    cli("run", cli.spec("minutes"))
    cli("evaluate", "--job", "minutes", "--data", "test.jsonl", "--train", "train.jsonl", "--write", "new.yaml")
    assert cli.code == 0, cli.err
    assert "anytune evaluate new.yaml" in cli.err
    written = yaml.safe_load((cli.folder / "new.yaml").read_text())
    assert written["models"]["tuned"] == {"job": "minutes"}
    assert written["graders"][0] == {"type": "numeric"}


@pytest.mark.parametrize(
    "arguments", [[], ["--job", "minutes"], ["spec.yaml", "--write", "new.yaml"], ["spec.yaml", "--data", "test.jsonl"]]
)
def test_half_a_command_is_refused(cli, arguments):
    cli("evaluate", *arguments)
    assert cli.code == 2


@pytest.fixture
def record(cli):
    def write(found):
        save(found, cli.folder / "evaluation.json")
        return "evaluation.json"

    return write


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.IMPROVED, 0), (Verdict.DEGRADED, 1), (Verdict.INCONCLUSIVE, 2), (Verdict.TOO_FEW_SAMPLES, 2)]
)
def test_the_gate_ends_in_pass_fail_or_inconclusive(cli, record, verdict, code):
    cli("gate", record(of_verdict(verdict)), "--markdown", "gate.md", "--junit", "gate.xml")
    assert cli.code == code
    assert cli.out.startswith(f"{['pass', 'fail', 'inconclusive'][code]}: ")
    assert len(ET.parse(cli.folder / "gate.xml").getroot().findall(".//testcase")) == 4
    assert (cli.folder / "gate.md").exists()


def test_the_gate_tells_programs_its_outcome_and_its_code(cli, record):
    found = cli.json("gate", record(of_verdict(Verdict.INCONCLUSIVE)))
    assert (found["outcome"], found["exit_code"], cli.code) == ("inconclusive", 2, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere.json"],
        ["nowhere.yaml"],
        ["evaluation.json", "--wrong"],
        ["evaluation.json", "--junit", "gate.html"],
        ["evaluation.json", "--markdown", "nowhere/gate.md"],
        ["spec.yaml", "--spec", "spec.yaml"],
        ["broken.json"],
    ],
)
def test_no_mistake_looks_like_a_verdict(cli, record, arguments):
    record(evaluation())
    (cli.folder / "broken.json").write_text("{}")
    cli("gate", *arguments)
    assert cli.code == 64


def test_a_budget_that_ends_the_asking_is_no_fail(cli, spec, host):
    cli("gate", spec(spending={"max_usd": 1e-9}))
    assert (cli.code, host.asked) == (64, 0)


def test_a_mistake_at_the_gate_is_one_json_error(cli):
    assert cli.json("gate", "nowhere.json")["error"]["type"] == "ConfigError"
    assert cli.code == 64


def test_a_record_is_held_against_the_spec_that_asked(cli, record):
    for name, settings in (("same.yaml", SPEC), ("other.yaml", SPEC | {"rule": SPEC["rule"] | {"alpha": 0.2}})):
        (cli.folder / name).write_text(yaml.safe_dump(settings))
    cli("gate", record(evaluation()), "--spec", "same.yaml")
    assert cli.code == 0, cli.err
    cli("gate", record(evaluation()), "--spec", "other.yaml")
    assert cli.code == 64
    assert "another rule: `rule` changed since" in cli.err


def test_a_spec_at_the_gate_is_evaluated_and_goes_on_where_it_was(cli, spec, host):
    cli("gate", spec(), "--yes")
    assert (cli.code, host.asked) == (0, 120)
    cli("gate", spec(), "--yes")
    assert (cli.code, host.asked) == (0, 120)


def test_a_spec_whose_rule_was_bent_after_the_answers_is_refused(cli, spec, host):
    cli("gate", spec(), "--yes")
    cli("gate", spec(rule={"candidate": "tuned", "baseline": "nearest"}), "--yes")
    assert (cli.code, host.asked) == (64, 120)
    assert "other rows and a new `name`" in cli.err


@pytest.fixture
def untuned(spec, host):
    """Write a spec as somebody has it who has tuned nothing yet."""
    model = {"base_url": host.engine.base_url, "model": "base", "prices": {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0}}
    arms = {"base": {"type": "zero_shot", "model": "base"}, "nearest": {"type": "nearest"}, "again": {"type": "again", "of": "base"}}
    return spec("untuned.yaml", models={"base": model}, arms=arms, rule={"candidate": "base", "baseline": "nearest"})


def test_advice_answers_four_questions_without_making_a_job(cli, untuned, host):
    cli("advise", untuned, "--backend", "trial", "--model", "starter", "--requests-per-month", "50000", "--yes", "--report", "advice.md")
    assert cli.code == 0, cli.err
    assert [line[0] for line in cli.out.splitlines() if line[:2] in {"1.", "2.", "3.", "4."}] == ["1", "2", "3", "4"]
    assert "base reaches 50.0" in cli.out
    assert host.asked == 2 * HELD_OUT
    assert not FineTuneJob.list()
    assert (cli.folder / "advice.md").read_text().startswith("### Should we tune?")


def test_advice_for_programs_has_the_figures(cli, untuned):
    found = cli.json("advise", untuned, "--backend", "trial", "--model", "starter", "--requests-per-month", "50000", "--yes")
    assert (found["strongest"], found["training_rows"], found["requests_per_month"]) == ("base", 40, 50_000)
    assert found["floor"]["value"] == 0.0


def test_prices_that_the_spec_gives_for_the_model_to_come_are_taken(cli, spec, host):
    models = {
        "base": {
            "base_url": host.engine.base_url,
            "model": "base",
            "prices": {"input_usd_per_million": 9.0, "output_usd_per_million": 9.0},
        },
        "tuned": {"job": "sums", "prices": {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}},
    }
    arms = {"base": {"type": "zero_shot", "model": "base"}, "tuned": {"type": "zero_shot", "model": "tuned"}}
    path = spec(models=models, arms=arms, spending={"requests_per_month": 1_000_000, "max_usd": 1})
    found = cli.json("advise", path, "--backend", "trial", "--model", "starter")
    assert "error" not in found
    assert found["tuned_usd"] < found["untuned_usd"]
    assert (found["hosting_usd_per_month"], found["gain"]) == (0.0, 0.0)
    assert found["months"] > 0


def test_advice_needs_a_volume(cli, untuned, host):
    cli("advise", untuned, "--backend", "trial", "--model", "starter")
    assert (cli.code, host.asked) == (2, 0)
    assert "--requests-per-month" in cli.err


def test_advice_needs_somebody_who_would_train(cli, untuned, host):
    cli("advise", untuned, "--requests-per-month", "10")
    assert (cli.code, host.asked) == (2, 0)
    assert "--backend" in cli.err


def test_the_estimate_of_advice_asks_nothing(cli, untuned, host):
    cli("advise", untuned, "--backend", "trial", "--model", "starter", "--requests-per-month", "9", "--estimate")
    assert (cli.code, host.asked) == (0, 0)
