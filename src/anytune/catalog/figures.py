"""The shape of a catalogue file: what a host takes, costs and until when, every figure with its source and the day that was read."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from anytune.data.rules import Feature
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AutoEpochs", "Deadline", "Figure", "Host", "Lifecycle", "Method", "Model", "Source"]

T = TypeVar("T")

Count = Annotated[int, Field(gt=0)]
Dollars = Annotated[FiniteFloat, Field(ge=0)]


def _compiles(pattern: str) -> str:
    if "base" not in re.compile(pattern).groupindex:
        raise ValueError("the pattern needs a group named `base`")
    return pattern


class Source(Value):
    """Where figures were read.

    Attributes:
        title: What it is, for a person.
        address: Where it can be read again, if that is known.
        read: The day it was read.
        standing: `published` by the host itself; `recorded` from real replies; `last-published`: published once, and it cannot be said
            until when; `derived` from what another host publishes about the same thing.
        remark: What to know about it.
    """

    title: str
    address: str | None = None
    read: date
    standing: Literal["published", "recorded", "last-published", "derived"]
    remark: str = ""


class Figure(Value, Generic[T]):
    """One figure: `source` names an entry of the file's `sources`."""

    value: T
    source: str
    note: str = ""


class Deadline(Figure[date]):
    """A day; `at_earliest` where the host promises only that it does not come sooner."""

    at_earliest: bool = False


class Restriction(Value):
    """From a day on, only some accounts may create jobs: `who` ends the sentence "Only …"."""

    since: Figure[date]
    who: str


class Lifecycle(Value):
    """Days on which something ends.

    Attributes:
        restricted: Days from which only some accounts may create jobs.
        training_closes: The last day of new jobs.
        answers_until: The day on which the model, and what is tuned on it, stops answering.
        base_retires: The day on which the base model itself retires.
        replaced_by: The host's own successor.
    """

    restricted: tuple[Restriction, ...] = ()
    training_closes: Deadline | None = None
    answers_until: Deadline | None = None
    base_retires: Figure[date] | None = None
    replaced_by: Figure[str] | None = None


class Limits(Value):
    """Limits of a host; they hold for every model."""

    min_rows: Figure[Count] | None = None
    recommended_rows: Figure[Count] | None = None
    max_rows: Figure[Count] | None = None
    max_file_bytes: Figure[Count] | None = None
    max_request_bytes: Figure[Count] | None = None
    max_images: Figure[Count] | None = None
    max_image_bytes: Figure[Count] | None = None
    max_images_rows: Figure[Count] | None = None
    max_total_tokens: Figure[Count] | None = None


class AutoEpochs(Value):
    """How a host chooses the passes over the rows: `target`, moved so that rows times epochs lies between `min_rows` and `max_rows`."""

    target: Figure[Count]
    min_rows: Figure[Count]
    max_rows: Figure[Count]
    min_epochs: Figure[Count]
    max_epochs: Figure[Count]


class Method(Value):
    """What a method wants at a host, whatever the model.

    Attributes:
        refuses: What makes a job fail, each with its source.
        drops: What is left out without a word, each with its source.
        needs_validation: A validation file must be given.
        last_role: Role of the last message.
        billed: By tokens, as long as nothing else is said, or by hours of training.
        pauses_at_usd: The host pauses a job that has cost so much.
        source: Where the method is offered, said only where the host takes any model.
    """

    refuses: dict[Feature, str] = Field(default_factory=dict)
    drops: dict[Feature, str] = Field(default_factory=dict)
    needs_validation: Figure[bool] | None = None
    last_role: Figure[Literal["assistant", "user"]] | None = None
    billed: Figure[Literal["tokens", "hours"]] | None = None
    pauses_at_usd: Figure[Dollars] | None = None
    source: str | None = None


class Offer(Value):
    """A method that a model can be tuned with.

    Attributes:
        source: Where that is said.
        standing: `offered` to all who may create jobs; `unconfirmed` where the host's current pages do not say so any more; or by
            `invitation`.
    """

    source: str
    standing: Literal["offered", "unconfirmed", "invitation"] = "offered"


class Inference(Value):
    """US dollars for a million tokens of the tuned model."""

    input: Figure[Dollars]
    cached: Figure[Dollars] | None = None
    output: Figure[Dollars]


class Model(Value):
    """What a host says of one model.

    Attributes:
        aliases: Shorter names of the same model.
        encoding: How it counts tokens; None where only the host can.
        max_row_tokens: Longest row.
        refuses: What makes a job on it fail, each with its source.
        methods: How it can be tuned.
        training_usd_per_million: US dollars for a million tokens of training, epochs counted.
        training_usd_per_hour: US dollars for an hour of training, where time is billed instead.
        inference_usd_per_million: What the tuned model costs to ask.
        lifecycle: Its days.
    """

    aliases: tuple[str, ...] = ()
    encoding: Literal["o200k_base", "cl100k_base"] | None = None
    max_row_tokens: Figure[Count] | None = None
    refuses: dict[Feature, str] = Field(default_factory=dict)
    methods: dict[str, Offer] = Field(min_length=1)
    training_usd_per_million: Figure[Dollars] | None = None
    training_usd_per_hour: Figure[Dollars] | None = None
    inference_usd_per_million: Inference | None = None
    lifecycle: Lifecycle = Lifecycle()


class Host(Value):
    """One catalogue file.

    Attributes:
        host: The backend's name.
        name: The host's name, for a person.
        local: It trains on the user's own machine.
        any_model: It takes models that the file cannot list.
        tuned_name: Pattern of the names of models tuned there; its group `base` is the base model.
        sources: Where the figures were read.
        overlong: What happens to rows that are too long.
        refuses: What no model there takes.
        methods: What a method wants there.
        price_unknown: Why no price can be given, where that needs saying.
        default_sku: The kind of deployment that is meant where none is named.
        hosting: US dollars an hour by kind of deployment (lower case, letters and digits only).
        lifecycle: Days of the service as a whole.
        not_tunable: Models that it has and does not tune, each with its source.
    """

    host: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    name: str
    local: bool = False
    any_model: bool = False
    tuned_name: Annotated[str, AfterValidator(_compiles)] | None = None
    sources: dict[str, Source] = Field(min_length=1)
    limits: Limits = Limits()
    overlong: Figure[Literal["error", "truncate"]] | None = None
    refuses: dict[Feature, str] = Field(default_factory=dict)
    auto_epochs: AutoEpochs | None = None
    methods: dict[str, Method]
    price_unknown: Figure[str] | None = None
    default_sku: str | None = None
    hosting: dict[str, Figure[Dollars]] = Field(default_factory=dict)
    lifecycle: Lifecycle = Lifecycle()
    not_tunable: dict[str, str] = Field(default_factory=dict)
    models: dict[str, Model] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sources_exist(self) -> Self:
        missing = sorted({source for source in self.used() if source not in self.sources})
        if missing:
            raise ValueError(f"`sources` has no {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _words_fit(self) -> Self:
        names = [word for name, model in self.models.items() for word in (name, *model.aliases)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"`models` names {', '.join(twice)} twice")
        unknown = sorted({method for model in self.models.values() for method in model.methods} - set(self.methods))
        if unknown:
            raise ValueError(f"`methods` has no {', '.join(unknown)}")
        if self.default_sku is not None and self.default_sku not in self.hosting:
            raise ValueError(f"`hosting` has no {self.default_sku}")
        return self

    def used(self) -> Iterator[str]:
        """Give the source of every figure, in the file's order."""
        yield from _sources(self)

    @property
    def newest(self) -> date:
        """The day of the newest reading."""
        return max(source.read for source in self.sources.values())


def _sources(value: object) -> Iterator[str]:
    if isinstance(value, Value):
        for name in type(value).model_fields:
            part = getattr(value, name)
            if name == "source" and part is not None:
                yield part
            elif name in {"refuses", "drops", "not_tunable"}:
                yield from part.values()
            elif name != "sources":
                yield from _sources(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _sources(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _sources(part)
