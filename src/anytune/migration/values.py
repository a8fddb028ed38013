"""What a migration is made of, as plain values: where it comes from, what is lost, what will be trained, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from anytune.values import Finding, LocalFile, Quote, Value

__all__ = ["Candidate", "Loss", "Migration", "Origin", "Plan", "Rate", "Switch"]


class Origin(Value):
    """What is moved: a job as its host, the ledger or its owner tells it.

    Attributes:
        source: The word that it was named by.
        backend: Who trained it; empty where only its files are there.
        profile: The word by which that backend is set up.
        local: It trained on a machine of its owner's.
        remote_id: The backend's id of the job; empty where there is none.
        job_id: anytune's id, where the ledger has it.
        name: What it was called.
        model: The base model; empty where it is not known.
        tuned: Id of the tuned model, while there is one.
        method: The method as a spec has it.
        adapter: The same of the adapter; None where the host decided.
        options: Settings in a backend's own words.
        others: What its host had set beside that.
        held: The host's ids of its files, by role.
        files: Its files on this machine, by role.
    """

    source: str
    backend: str = ""
    profile: str = ""
    local: bool = False
    remote_id: str = ""
    job_id: str = ""
    name: str = ""
    model: str = ""
    tuned: str | None = None
    method: dict[str, Any]
    adapter: dict[str, Any] | None = None
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    others: dict[str, Any] = Field(default_factory=dict)
    held: dict[str, str] = Field(default_factory=dict)
    files: dict[str, LocalFile] = Field(default_factory=dict)


class Loss(Value):
    """Something that does not move.

    Attributes:
        code: A short stable name, for `accept` and for the docs.
        what: What is lost.
        why: Why it cannot come along.
        instead: What is done instead.
    """

    code: str
    what: str
    why: str
    instead: str


class Rate(Value):
    """A learning rate to begin with, and where it comes from."""

    value: float
    basis: str


class Plan(Value):
    """What will be trained, told before anything is made.

    Attributes:
        name: The migration's name, and what its jobs are called.
        origin: What is moved.
        to: The backend or profile that trains.
        model: What is tuned there.
        spec: The spec of the runs, without the setting that is tried out.
        setting: What is tried out: `learning_rate`, `learning_rate_multiplier`; empty where one run is made.
        tries: Its values, one a run.
        rate: Where the rate in the middle comes from; None where it was carried over, or the host chooses.
        losses: What is lost; all of it has to be accepted.
        accepted: Codes that were accepted.
        quote: What one run will take.
        findings: What preflight found.
        dev_rows: Rows that no run trains on, by which one of them is chosen.
    """

    name: str
    origin: Origin
    to: str
    model: str
    spec: dict[str, Any]
    setting: str = ""
    tries: tuple[float, ...] = ()
    rate: Rate | None = None
    losses: tuple[Loss, ...] = ()
    accepted: tuple[str, ...] = ()
    quote: Quote = Quote()
    findings: tuple[Finding, ...] = ()
    dev_rows: int = 0

    @property
    def runs(self) -> int:
        """How many jobs will be made."""
        return max(len(self.tries), 1)

    @property
    def usd(self) -> float | None:
        """What they cost together; None where that is not known."""
        return None if self.quote.cost_usd is None else self.quote.cost_usd * self.runs

    @property
    def refused(self) -> tuple[Loss, ...]:
        """Losses that nobody accepted yet."""
        return tuple(loss for loss in self.losses if loss.code not in self.accepted)


class Candidate(Value):
    """A run of the sweep.

    Attributes:
        job: anytune's id of the job.
        name: Its name.
        value: What was tried; None where nothing was.
        score: By the grader, on the development rows; None where they were not asked.
        loss: On the development rows, as the trainer told it last; None where it told none.
    """

    job: str
    name: str
    value: float | None = None
    score: float | None = None
    loss: float | None = None


class Switch(Value):
    """What changes in the app.

    Attributes:
        before: The model's name that the app sends now; empty where it is not known.
        line: The line to write.
        command: What starts the host that the line speaks to; empty where the model answers already.
    """

    before: str
    line: str
    command: str = ""


class Migration(Value):
    """A migration, as far as it has come; `migration.json` holds it.

    Attributes:
        wish: What was asked for: another wish under the same name is refused.
        state: `planned`, `trained`, `compared` or `done`.
        candidates: The runs, the chosen one too.
        chosen: anytune's id of the job that made the new model.
        why: How it was chosen.
        evaluation: Folder of the comparison of old and new; empty where there was none.
        outcome: What the comparison says: `pass`, `fail`, `inconclusive`; empty where there was none.
        reasons: In words.
        notes: What else has to be known.
        switch: What changes in the app.
    """

    version: Literal[1] = 1
    name: str
    folder: str
    wish: dict[str, Any]
    began: datetime
    ended: datetime | None = None
    state: Literal["planned", "trained", "compared", "done"] = "planned"
    plan: Plan
    candidates: tuple[Candidate, ...] = ()
    chosen: str = ""
    why: str = ""
    evaluation: str = ""
    outcome: str = ""
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    switch: Switch | None = None
