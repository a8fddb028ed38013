"""Preflight joins data, catalogue and backend, and nothing is sent where it says no."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from anytune import DPO, RFT, SFT, Capabilities, FineTuneJob
from anytune.codes import finding
from anytune.errors import BudgetExceeded, ConfigError, DataError, Unsupported
from anytune.preflight import preflight
from anytune.report import html, save
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.spec import TrainingSpec
from anytune.testing import MemoryBackend
from anytune.values import Quote

MODEL = "gpt-4.1-mini-2025-04-14"
TODAY = date(2026, 11, 22)


class Hosted(MemoryBackend):
    """A backend that speaks for OpenAI: its rules, prices and days are the catalogue's."""

    catalog = "openai"

    def quote(self, spec: TrainingSpec, stats: Any) -> Quote:
        return Quote()


def row(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [row(f"How many seconds are {n} minutes?", f"{n * 60} seconds") for n in range(first, first + count)]


class Desk:
    """A folder with files, a ledger and retries that do not wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.retry = Retry(sleep=lambda _: None)

    def write(self, name: str, *lines: dict[str, Any]) -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    def spec(self, **fields: Any) -> TrainingSpec:
        given = {
            "backend": "memory",
            "model": MODEL,
            "train": self.folder / "train.jsonl",
            "method": SFT(num_train_epochs=2),
            "name": "minutes",
        }
        return TrainingSpec(**given | fields)

    def look(self, spec: TrainingSpec | None = None, backend: MemoryBackend | None = None, **options: Any) -> Any:
        return preflight(spec or self.spec(), backend or Hosted(), retry=self.retry, today=TODAY, **options)

    def context(self) -> Runtime:
        return Runtime(ledger_url=f"sqlite:///{self.folder}/ledger.db", retry=self.retry, sleep=lambda _: None)

    def create(self, backend: MemoryBackend, **settings: Any) -> FineTuneJob:
        given = {"model": "base", "train": self.folder / "train.jsonl", "name": "minutes"} | settings
        return FineTuneJob.create(backend=backend, context=self.context(), **given)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    made = Desk(tmp_path)
    made.write("train.jsonl", *rows(60))
    return made


def codes(found: Any) -> set[str]:
    return {each.code for each in (*found.findings, *found.losses)}


def test_the_days_on_which_a_host_closes_are_said_with_who_else_could(desk):
    found = desk.look()
    assert found.ok
    assert {"training-closing", "model-closing", "others-could"} <= codes(found)
    assert any("2027-01-14" in each.message for each in found.findings)


def test_after_the_last_day_nothing_is_sent(desk):
    found = preflight(desk.spec(), Hosted(), retry=desk.retry, today=date(2027, 1, 8))
    assert not found.ok
    assert "training-closed" in {each.code for each in found.errors}


def test_a_backend_that_speaks_to_another_host_is_not_held_to_the_catalogue(desk):
    class Elsewhere(Hosted):
        catalog = None

    assert codes(desk.look(backend=Elsewhere())) == set()


def test_the_quote_is_tokens_times_epochs_times_the_dated_price(desk):
    found = desk.look()
    tokens = found.report.tokens.total
    assert (found.stats.tokens, found.quote.tokens, found.quote.epochs) == (tokens, 2 * tokens, 2)
    assert found.quote.cost_usd == pytest.approx(2 * tokens * 5.00 / 1e6, abs=1e-6)
    assert "read 20" in found.quote.basis


def test_the_hosts_own_minimum_of_rows_holds(desk):
    desk.write("train.jsonl", *rows(9))
    found = desk.look()
    assert "too-few-rows" in {each.code for each in found.errors}


def test_a_method_is_refused_once_though_two_know_it(desk):
    rated = [{"prompt": f"{n}?", "chosen": f"{n}!", "rejected": f"{n}."} for n in range(12)]
    desk.write("train.jsonl", *rated)
    capabilities = MemoryBackend().capabilities.model_copy(update={"methods": frozenset({"sft"})})
    found = desk.look(desk.spec(method=DPO()), Hosted(capabilities=capabilities))
    assert [each.code for each in found.errors] == ["method"]


def test_over_its_budget_a_job_is_refused_before_anything_is_sent(desk):
    backend = MemoryBackend()
    with pytest.raises(BudgetExceeded, match=r"estimated at .* US dollars.*Raise `budget\.max_usd`"):
        desk.create(backend, budget={"max_usd": 1e-6})
    assert {verb for verb in backend.calls if verb in {"upload", "submit", "jobs"}} == set()


def test_a_leak_stops_the_job_until_it_is_allowed_by_name(desk):
    backend = MemoryBackend()
    validation = desk.write("valid.jsonl", *rows(3))
    with pytest.raises(DataError) as caught:
        desk.create(backend, validation=validation)
    (leak,) = caught.value.findings
    assert (leak.code, leak.file, leak.rows) == ("leaked-rows", "validation", (1, 2, 3))
    job = desk.create(backend, validation=validation, allow=["leaked-rows"])
    assert job.remote_id
    kept = {each["code"]: each["severity"] for each in job.row.findings}
    assert (kept["leaked-rows"], kept["allowed"]) == ("warning", "info")


def test_other_errors_still_stop_a_job_whose_leak_is_allowed(desk):
    desk.write("train.jsonl", *rows(12), {"messages": []})
    validation = desk.write("valid.jsonl", *rows(3))
    found = desk.look(desk.spec(validation=validation), allow=["leaked-rows"])
    assert [each.code for each in found.errors] == ["no-messages"]


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("leaked-row", "Did you mean `leaked-rows`"),
        ("over-budget", "Raise the spec's `budget`"),
        ("no-rows", "nothing to train on"),
        ("not-json", "mend or remove them"),
        ("bad-type", "mend or remove them"),
        ("bad-arguments", "a JSON object"),
        ("template-refuses", "another model"),
        ("method", "that the backend offers"),
        ("qlora", "do as its finding's fix says"),
    ],
)
def test_a_code_that_cannot_be_allowed_is_refused(desk, code, fix):
    with pytest.raises(ConfigError, match=r"(cannot|can) be allowed") as caught:
        desk.look(allow=[code])
    assert fix in caught.value.fix


@pytest.mark.parametrize("code", ["lossy-read", "role-order", "undeclared-tool", "secret", "too-few-rows", "training-closed", "lost"])
def test_what_a_run_could_come_of_can_be_allowed(desk, code):
    assert desk.look(allow=[code]).ok


class Picky(MemoryBackend):
    """A backend whose own look finds what it is told."""

    finds: str

    def check(self, spec: TrainingSpec, data: Any) -> list[Any]:
        return [finding(self.finds, "The rows cannot be taken.", "Mend them.", severity="error")]


def test_what_the_backend_itself_would_refuse_stays_an_error(desk):
    backend = Picky()
    backend.finds = "overlong"
    found = desk.look(backend=backend, allow=["overlong"])
    (error,) = found.errors
    assert (error.code, error.fix) == ("overlong", "Mend them. Allowing it does not help: memory would refuse the job.")
    with pytest.raises(DataError):
        desk.create(backend, allow=["overlong"])
    assert "submit" not in backend.calls


def test_an_error_that_is_allowed_in_the_backends_own_look_is_quoted_all_the_same(desk):
    backend = Picky()
    backend.finds = "special-token"
    found = desk.look(backend=backend, allow=["special-token"])
    assert found.ok
    assert found.quote.tokens


def test_a_table_is_sent_as_rows_and_the_job_is_the_tables(desk):
    backend = MemoryBackend()
    table = desk.folder / "train.csv"
    table.write_text("question,answer\n" + "".join(f"{n} minutes?,{n * 60} seconds\n" for n in range(20)))
    job = desk.create(backend, train=table)
    sent = Path(job.row.data["train"].path)
    assert [json.loads(line) for line in sent.read_text().splitlines()][3] == {"prompt": "3 minutes?", "completion": "180 seconds"}
    assert "read-as" in {each["code"] for each in job.row.findings}
    assert desk.create(backend, train=table).id == job.id
    assert backend.calls["jobs"] == 1
    table.write_text(table.read_text().replace("180 seconds", "three minutes"))
    with pytest.raises(ConfigError, match=r"data\.train"):
        desk.create(backend, train=table)


def test_a_job_that_was_claimed_and_not_sent_is_sent_with_converted_files(desk, monkeypatch):
    backend = MemoryBackend()
    table = desk.folder / "train.csv"
    table.write_text("prompt,completion\n" + "".join(f"{n} minutes?,{n * 60} seconds\n" for n in range(20)))
    monkeypatch.setattr(FineTuneJob, "_submit", lambda self: None)
    claimed = desk.create(backend, train=table)
    monkeypatch.undo()
    monkeypatch.setenv("ANYTUNE_HOME", str(desk.folder / "home"))
    job = desk.create(backend, train=table)
    assert (job.id, job.row.submit_state) == (claimed.id, "submitted")
    assert Path(job.row.data["train"].path).suffix == ".jsonl"


def test_a_file_that_needs_nothing_is_sent_as_it_is(desk):
    found = desk.look()
    assert found.uploads == found.data


def test_trying_a_run_out_is_refused_where_the_backend_cannot(desk):
    able = MemoryBackend().capabilities
    capabilities = able.model_copy(update={"abilities": able.abilities - {"probe"}})
    with pytest.raises(Unsupported, match="cannot try a run out"):
        desk.look(backend=Hosted(capabilities=capabilities), probe=True)


def test_a_probe_replaces_the_estimate(desk):
    assert desk.look(backend=MemoryBackend(), probe=True).quote.basis == "scripted as if it had been measured"


def test_the_ledger_holds_the_estimate_that_preflight_gave(desk):
    quotes = []
    job = desk.create(MemoryBackend(), on_preflight=lambda found: quotes.append(found.quote))
    assert [job.estimate] == quotes
    assert job.estimate.cost_usd > 0


def test_the_report_is_one_page_that_runs_nothing(desk):
    hostile = "<script>alert(1)</script>"
    desk.write("train.jsonl", *rows(60), {"messages": [{"role": hostile, "content": "x"}]})
    found = desk.look()
    page = html(found, title=f"minutes {hostile}")
    assert hostile not in page
    assert "&lt;script&gt;" in page
    assert "unknown-role" in page
    assert found.report.sha256 in page
    assert not any(word in page for word in ("<script", "http://", "https://", "javascript:", "@import"))


def test_the_report_puts_what_is_alike_together_and_says_once_what_to_do(desk):
    desk.write("train.jsonl", *rows(60), *[{"messages": []}] * 8)
    found = desk.look()
    page = html(found, title="minutes")
    alike = [finding for finding in found.findings if finding.code == "no-messages"]
    assert len(alike) == 8
    assert page.count(alike[0].fix) == 1
    assert "<summary>3 more</summary>" in page


def test_the_report_is_written_as_its_name_says(desk, tmp_path):
    found = desk.look()
    save(found, tmp_path / "a.html", title="minutes")
    save(found, tmp_path / "a.json", title="minutes")
    document = json.loads((tmp_path / "a.json").read_text())
    assert (document["ok"], document["quote"]["cost_usd"]) == (True, found.quote.cost_usd)
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    with pytest.raises(ConfigError, match=r"\.html or \.json"):
        save(found, tmp_path / "a.pdf", title="minutes")
    with pytest.raises(ConfigError, match="cannot be written"):
        save(found, tmp_path / "nowhere" / "a.html", title="minutes")
    assert sorted(path.name for path in tmp_path.glob("*a.*")) == ["a.html", "a.json"]


SAME = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}


class Graded(Hosted):
    """A host that tunes with graders, as OpenAI did until October 2026."""

    def __init__(self) -> None:
        offered = Capabilities(methods=frozenset({"rft"}), settings=frozenset({"grader"}), tag="metadata", settle_s=0.0)
        super().__init__(capabilities=offered)


def asked(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": f"How many seconds are {n} minutes?"}], "answer": f"{n * 60} seconds"}
        for n in range(first, first + count)
    ]


@pytest.fixture
def graded(desk):
    """Look at graded rows as they are before OpenAI's last model for them shut down."""
    desk.write("train.jsonl", *asked(12))
    desk.write("valid.jsonl", *asked(4, first=50))

    def look(grader=SAME, **fields):
        given = {"method": RFT(grader=grader), "model": "o4-mini-2025-04-16", "validation": desk.folder / "valid.jsonl"} | fields
        return preflight(desk.spec(**given), Graded(), retry=desk.retry, today=date(2026, 6, 1))

    return look


def test_rows_for_a_grader_are_found_good(graded):
    found = graded()
    assert found.ok, found.errors
    assert found.losses == ()


def test_a_grader_that_is_none_is_an_error_before_anything_is_sent(graded):
    found = graded({"type": "string_check", "name": "same"})
    assert {each.code for each in found.errors} == {"bad-grader"}


def test_rows_without_the_graders_field_are_named(graded):
    found = graded(SAME | {"reference": "{{item.solution}}"})
    missing = [each for each in found.errors if each.file == "train"]
    assert {each.code for each in missing} == {"missing-item-field"}
    assert {row for each in missing for row in (each.rows or (each.row,))} == set(range(1, 13))


def test_reinforcement_without_a_validation_file_is_refused(graded):
    assert {each.code for each in graded(validation=None).errors} == {"validation-needed"}


def test_a_backend_without_graders_says_so_once(graded, desk):
    spec = desk.spec(method=RFT(grader=SAME), validation=desk.folder / "valid.jsonl")
    assert [each.code for each in desk.look(spec).errors].count("method") == 1
