"""What a user writes: which rows are asked of which arms, how answers are graded, and what has to be shown. It knows no host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from anytune.settings import Settings, read_yaml

__all__ = [
    "Again",
    "Arm",
    "Captured",
    "Dev",
    "Drift",
    "EvaluationSpec",
    "FewShot",
    "Limits",
    "Model",
    "Nearest",
    "Prices",
    "Prompt",
    "Retrieval",
    "Rule",
    "Spending",
    "ZeroShot",
]


class Prices(Settings):
    """What asking a model costs. Prices that are not given are taken from the catalogue where it knows them."""

    input_usd_per_million: float | None = Field(default=None, ge=0)
    cached_usd_per_million: float | None = Field(default=None, ge=0)
    output_usd_per_million: float | None = Field(default=None, ge=0)
    hourly_usd: float | None = Field(default=None, ge=0)
    """Of the host, for a model that is hosted by the hour: divided by the throughput that was measured."""


class Limits(Settings):
    """How fast a model may be asked. A host that says less by its headers or refusals is heard."""

    concurrency: int = Field(default=8, gt=0)
    """Questions in flight."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)


class Model(Settings):
    """A model that can be asked: of a job, of a backend, or at an address."""

    job: str | None = None
    """A job's name or id: its tuned model."""
    checkpoint: int | tuple[int, ...] | None = None
    """Of that job, the checkpoint of this step instead; several are candidates, one is chosen on the development rows."""
    backend: str | None = None
    """A backend or profile: who hosts `model`; with `job`, where its name is meant."""
    model: str | None = None
    """A model's id, a folder, `starter`; at an address the name to send."""
    base_url: str | None = None
    """An OpenAI-compatible address up to and including `/v1`, instead of a backend."""
    api_key_env: str | None = None
    """Name of the environment variable that holds its key."""
    deploy: dict[str, JsonValue] = Field(default_factory=dict)
    """The backend's own words for hosting it (sku, flavor, …)."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """What is sent with each question, over the spec's `params`."""
    limits: Limits = Field(default_factory=Limits)
    prices: Prices = Field(default_factory=Prices)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.base_url is not None and (self.model is None or self.job or self.backend):
            raise ValueError("`base_url` takes `model`, and neither `job` nor `backend`")
        if self.base_url is None and self.job is None and (self.backend is None or self.model is None):
            raise ValueError("a model needs `job`, or `backend` and `model`, or `base_url` and `model`")
        if self.checkpoint is not None and self.job is None:
            raise ValueError("`checkpoint` needs `job`")
        return self


class _Asks(Settings):
    model: str
    """One of `models`."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """What is sent with each question, over the model's."""


class ZeroShot(_Asks):
    """The row's own messages, as they are."""

    type: Literal["zero_shot"] = "zero_shot"


class Prompt(_Asks):
    """The row's messages under an engineered prompt."""

    type: Literal["prompt"] = "prompt"
    system: str | tuple[str, ...]
    """The system message, in the place of the row's own; several are candidates, one is chosen on the development rows."""


class FewShot(_Asks):
    """Training rows as examples before the question."""

    type: Literal["few_shot"] = "few_shot"
    k: int | tuple[int, ...] = 5
    """How many; several are candidates."""
    choose: Literal["mmr", "nearest", "fixed"] = "mmr"
    """`nearest` takes the likest training rows by BM25, `mmr` likest and unlike each other, `fixed` the same for every question."""


class Retrieval(_Asks):
    """Texts that were found for the question, put into its prompt."""

    type: Literal["retrieval"] = "retrieval"
    k: int | tuple[int, ...] = 5
    """How many; several are candidates."""
    documents: Path | None = None
    """Rows with `text`, or one document a line; None takes the training rows as question and answer."""
    template: str = "Use what helps of the following.\n\n{documents}"
    """Added to the system message; `{documents}` is what was found."""


class Nearest(Settings):
    """A control that asks no model: the answer of the nearest training row, or the commonest answer of the k nearest."""

    type: Literal["nearest"] = "nearest"
    k: int = Field(default=1, gt=0)


class Captured(Settings):
    """Answers that `anytune capture` has kept: nobody is asked, and the model need not be there any more."""

    type: Literal["captured"] = "captured"
    file: Path
    """The file; it holds at least `repeats` answers to each row."""


class Again(Settings):
    """A control: another arm asked once more, which shows how much chance alone moves."""

    type: Literal["again"] = "again"
    of: str
    """One of `arms`."""


Arm = Annotated[ZeroShot | Prompt | FewShot | Retrieval | Nearest | Captured | Again, Field(discriminator="type")]


class Dev(Settings):
    """Rows on which prompts, numbers of examples, checkpoints and the strongest baseline are chosen. They are never reported on."""

    data: Path | None = None
    """A file of its own; None takes rows out of `train`, which are then no examples."""
    rows: int = Field(default=60, gt=0)
    """At most so many."""


class Rule(Settings):
    """What has to be shown, fixed before anything is asked."""

    kind: Literal["superiority", "non_inferiority"] = "superiority"
    candidate: str = "tuned"
    """The arm that is to be promoted."""
    baseline: str | tuple[str, ...] = "best"
    """An arm; several, each of which has to be beaten; `best`, the untuned arm that is strongest on the development rows; `all` of them."""
    margin: float | None = Field(default=None, gt=0, lt=1)
    """How much worse still counts as no worse; needed for non-inferiority."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """How often chance alone may promote."""
    power: float = Field(default=0.8, gt=0.5, lt=1)
    min_rows: int = Field(default=30, gt=0)
    """With fewer independent rows nothing is decided."""

    @model_validator(mode="after")
    def _margin(self) -> Self:
        if self.kind == "non_inferiority" and self.margin is None:
            raise ValueError("non-inferiority needs a `margin`, such as 0.03: how much worse is still no worse")
        return self


class Drift(Settings):
    """General abilities that tuning may have cost, of the candidate against its base. A check, not a proof of safety."""

    baseline: str
    """An arm that asks the base as it is."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    items: int = Field(default=250, gt=0)
    """Verifiable general items."""


class Spending(Settings):
    """What may be spent, and what money is counted against."""

    max_usd: float | None = Field(default=None, gt=0)
    """Nothing is asked where the estimate is higher, and nothing more once it is used up."""
    requests_per_month: int | None = Field(default=None, gt=0)
    """How often the app will ask; break-even is told in months then."""
    training_usd: float | None = Field(default=None, ge=0)
    """What the tuning cost; None takes it from the job."""


class EvaluationSpec(Settings):
    """Everything that defines an evaluation.

    Example:
        >>> spec = EvaluationSpec(data="test.jsonl", models={"base": {"backend": "trl", "model": "starter"}},
        ...                       arms={"base": {"type": "zero_shot", "model": "base"}, "tuned": {"type": "again", "of": "base"}})
        >>> spec.rule.kind
        'superiority'
    """

    refused: ClassVar = {"api_key": "Secrets come from the environment: give `api_key_env`.", "test": "The held-out rows are `data`."}

    name: str = Field(default="evaluation", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    data: Path
    """Held-out rows, in any format that is read for training."""
    train: Path | None = None
    """Training rows: few-shot examples, retrieval, the nearest answer and development rows come from them alone."""
    models: dict[str, Model] = Field(default_factory=dict)
    arms: dict[str, Arm]
    graders: tuple[dict[str, JsonValue], ...] = ({"type": "exact"},)
    """Each with a `type`, and a `name` (the type by default). OpenAI's graders are taken as they are."""
    primary: str | None = None
    """Name of the grader that decides; the first by default."""
    label: str | None = None
    """Path of a label in the answer, such as `answer.intent`: a confusion table is shown."""
    group_by: str | None = None
    """Path of a value whose rows are not independent, such as `metadata.user`."""
    rows: int | None = Field(default=None, gt=0)
    """At most so many held-out rows, drawn by hash; None for all."""
    seed: int = 0
    repeats: int = Field(default=1, gt=0, le=50)
    """How often each case is asked of each arm; scores are averaged per case."""
    params: dict[str, JsonValue] = Field(default={"temperature": 0.0, "max_tokens": 256})
    """What is sent with each question."""
    dev: Dev = Field(default_factory=Dev)
    rule: Rule = Field(default_factory=Rule)
    drift: Drift | None = None
    spending: Spending = Field(default_factory=Spending)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, arm in self.arms.items():
            if isinstance(arm, Again):
                if arm.of not in self.arms or isinstance(self.arms[arm.of], (Again, Captured, Nearest)):
                    raise ValueError(f"arm {name!r} repeats {arm.of!r}, which is no arm that asks a model")
            elif not isinstance(arm, (Captured, Nearest)) and arm.model not in self.models:
                raise ValueError(f"arm {name!r} asks {arm.model!r}, which is none of `models`: {', '.join(sorted(self.models)) or 'none'}")
        if self.rule.candidate not in self.arms:
            raise ValueError(f"`rule.candidate` is {self.rule.candidate!r}, which is none of `arms`: {', '.join(self.arms)}")
        named = [self.rule.baseline] if isinstance(self.rule.baseline, str) else list(self.rule.baseline)
        for name in [*named, *([self.drift.baseline] if self.drift else [])]:
            if name not in self.arms and name not in {"best", "all"}:
                raise ValueError(f"baseline {name!r} is none of `arms`: {', '.join(self.arms)}")
        return self

    @classmethod
    def read(cls, path: Path) -> EvaluationSpec:
        """Read a spec from YAML; paths in it are relative to its folder.

        Raises:
            ConfigError: It cannot be read, or a setting is wrong; the key is named.
        """
        raw = read_yaml(path, what="the evaluation", fix="Give YAML like docs/reference/evaluation.md shows.")
        spec, folder = cls(**raw), path.resolve().parent
        arms: dict[str, Any] = dict(spec.arms)
        for name, arm in spec.arms.items():
            if isinstance(arm, Retrieval) and arm.documents:
                arms[name] = arm.model_copy(update={"documents": folder / arm.documents})
            elif isinstance(arm, Captured):
                arms[name] = arm.model_copy(update={"file": folder / arm.file})
        beside: dict[str, Any] = {"data": folder / spec.data, "arms": arms}
        if spec.train is not None:
            beside["train"] = folder / spec.train
        if spec.dev.data is not None:
            beside["dev"] = spec.dev.model_copy(update={"data": folder / spec.dev.data})
        return spec.model_copy(update=beside)
