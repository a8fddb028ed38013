"""What a data file holds, in numbers: kinds, roles, turns, tools, labels, and the lengths of rows. What is wrong, the check says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from anytune.data.check.judge import judge
from anytune.data.fields import label
from anytune.data.files import describe, resolve
from anytune.data.formats import read
from anytune.data.histogram import Bin, bins, svg
from anytune.data.report import TokenCounts
from anytune.data.rows import kind_of, texts, word_of
from anytune.data.tokens import PERCENTILES, TokenCounter, TokenTally, percentile
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from anytune.values import Rendered

__all__ = ["LIMITS", "Render", "Spread", "Stats", "html", "stats"]

LIMITS = (512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)
"""Lengths at which trainers and hosts cut or refuse rows: TRL's default is 1,024, OpenAI's limit 65,536."""

MAX_LABELS = 1000
"""Different labels that are counted; where there are more, they are no labels."""

_BATCH = 2000


class Render(Protocol):
    """Renders rows as a model sees them in training: a backend's `render` with its spec filled in."""

    def __call__(self, rows: Iterable[tuple[int, dict[str, Any]]], /) -> Iterator[Rendered]:
        """Give each row's counts, one or several times a row."""


class Spread(Value):
    """How a number is spread over the rows; percentiles by nearest rank: so many percent of the rows have at most that many."""

    least: int
    most: int
    mean: float
    percentiles: dict[str, int]


class Stats(Value):
    """What a file holds.

    Attributes:
        file: Its name.
        sha256: Of its bytes, in hex.
        size_bytes: Of the file as it is.
        container: `jsonl`, `csv`, …, with `.gz` or `.zst` where it is compressed.
        format: How it was read.
        rows: All rows, good or not.
        bad_rows: Rows that no method could use; they are not counted below.
        kinds: Rows by kind.
        roles: Messages by role.
        rows_without: Rows that lack a message of the role (`system` stands for `developer` too); only of rows that have messages.
        messages: Messages a row.
        images: Rows with images.
        tools: Rows that declare each tool.
        calls: Calls of each tool.
        labels: Rows by the value at `by`, or by label where rows are unpaired; most frequent first. Empty where there are too many.
        by: Path of what was counted as labels.
        tokens: Tokens of the good rows.
        over: Good rows that are longer than each common limit, where there are any.
        lengths: Good rows by their tokens, in bins.
    """

    file: str
    sha256: str
    size_bytes: int
    container: str
    format: str
    rows: int
    bad_rows: int = 0
    kinds: dict[str, int] = Field(default_factory=dict)
    roles: dict[str, int] = Field(default_factory=dict)
    rows_without: dict[str, int] = Field(default_factory=dict)
    messages: Spread | None = None
    images: int = 0
    tools: dict[str, int] = Field(default_factory=dict)
    calls: dict[str, int] = Field(default_factory=dict)
    labels: dict[str, int] = Field(default_factory=dict)
    by: str | None = None
    tokens: TokenCounts | None = None
    over: dict[int, int] = Field(default_factory=dict)
    lengths: tuple[Bin, ...] = ()


def stats(
    source: str | Path,
    *,
    encoding: str = "o200k_base",
    render: Render | None = None,
    by: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> Stats:
    """Count what a file holds; it is read once, and memory does not grow with it.

    Args:
        source: A data file of any format that is read, or `hf:owner/name`.
        encoding: What counts the tokens; the tokenizer's name where `render` is given.
        render: Counts with a model's own tokenizer and template.
        by: Path of a value whose shares are wanted, such as `answer.intent` (see `anytune.data.fields`).
        progress: Called with the number of rows read.

    Raises:
        ConfigError: The encoding is not known.
        DataError: The file cannot be read.
    """
    path = resolve(source)
    reading = read(path)
    held = _Held(by)
    rows = held.good((line.number, line.row, bool(line.problem)) for line in _told(reading, progress))
    tally = _rendered(rows, render, encoding) if render is not None else _counted(rows, encoding)
    about = describe(path, "train")
    return Stats(
        file=path.name,
        sha256=about.sha256,
        size_bytes=about.size_bytes,
        container=reading.container,
        format=reading.format,
        rows=held.rows,
        bad_rows=held.bad,
        kinds=dict(held.kinds.most_common()),
        roles=dict(held.roles.most_common()),
        rows_without={role: count for role, count in held.without.items() if count},
        messages=_spread(held.messages),
        images=held.images,
        tools=dict(held.tools.most_common()),
        calls=dict(held.calls.most_common()),
        labels={} if len(held.labels) > MAX_LABELS else dict(held.labels.most_common()),
        by=by,
        tokens=tally.counts() if tally.totals else None,
        over={limit: over for limit in LIMITS if (over := sum(rows for length, rows in tally.totals.items() if length > limit))},
        lengths=bins(tally.totals),
    )


def html(found: Stats) -> str:
    """Write the numbers as one page that needs nothing from outside; texts from the file are escaped, and no script is in it."""
    from jinja2 import Environment, PackageLoader  # noqa: PLC0415 - for pages only
    from markupsafe import Markup  # noqa: PLC0415 - as above

    pages = Environment(loader=PackageLoader("anytune.data", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    picture = Markup(svg(found.lengths, "Rows by tokens")) if found.lengths else ""  # noqa: S704 - numbers, and an escaped title
    return pages.get_template("stats.html").render(stats=found, picture=picture)


@dataclass
class _Held:
    """What is counted while rows pass by."""

    by: str | None
    rows: int = 0
    bad: int = 0
    images: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    messages: Counter[int] = field(default_factory=Counter)
    tools: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=lambda: Counter(system=0, user=0))

    def good(self, rows: Iterable[tuple[int, dict[str, Any], bool]]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Count rows, and pass the good ones on."""
        for number, row, unreadable in rows:
            self.rows += 1
            kind = None if unreadable else kind_of(row)
            if kind is None or any(found.severity == "error" for found in judge(number, row, None)):
                self.bad += 1
                continue
            self.kinds[word_of(kind)] += 1
            self._count(row)
            yield number, row

    def _count(self, row: dict[str, Any]) -> None:
        messages = list(_messages(row))
        if messages:
            self.messages[len(messages)] += 1
            roles = [str(message["role"]) for message in messages]
            self.roles.update(roles)
            self.without["system"] += not {"system", "developer"} & set(roles)
            self.without["user"] += "user" not in roles
            self.images += any(_has_image(message.get("content")) for message in messages)
        self.tools.update(set(_declared(row)))
        for message in messages:
            self.calls.update(str(call["function"]["name"]) for call in message.get("tool_calls") or ())
        self._label(row)

    def _label(self, row: dict[str, Any]) -> None:
        found = label(row, self.by) if self.by else label(row, "label") if "completion" in row else None
        if found is None and self.by:
            found = "(none)"
        if found is not None and len(self.labels) <= MAX_LABELS:
            self.labels[found] += 1


def _told(reading: Iterable[Any], progress: Callable[[int], object] | None) -> Iterator[Any]:
    for count, line in enumerate(reading, start=1):
        yield line
        if progress is not None and count % 1000 == 0:
            progress(count)


def _counted(rows: Iterable[tuple[int, dict[str, Any]]], encoding: str) -> TokenTally:
    with TokenCounter(encoding) as counter:
        for count, (number, row) in enumerate(rows, start=1):
            counter.row(number, row, texts(row))
            if count % _BATCH == 0:
                counter.flush()
        return counter.finish()


def _rendered(rows: Iterable[tuple[int, dict[str, Any]]], render: Render, name: str) -> TokenTally:
    """Count with a model's own template; a row that is rendered several times (answers, turns) has the tokens of all."""
    tally = TokenTally(name)
    number = prompt = trained = 0
    for shown in render(rows):
        if shown.row != number and number:
            tally.add([number], [prompt], [trained])
            prompt = trained = 0
        number = shown.row
        prompt += shown.prompt_tokens
        trained += shown.trained_tokens
    if number:
        tally.add([number], [prompt], [trained])
    return tally


def _messages(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner = row.get("input")
    asked = inner.get("messages") if isinstance(inner, dict) else row.get("messages", row.get("prompt"))
    for side in (asked, row.get("completion"), row.get("chosen", row.get("preferred_output"))):
        if isinstance(side, list):
            yield from side


def _declared(row: dict[str, Any]) -> Iterator[str]:
    inner = row["input"] if isinstance(row.get("input"), dict) else row
    for tool in inner.get("tools") or ():
        yield str(tool["function"]["name"])
    for function in inner.get("functions") or ():
        yield str(function["name"])


def _has_image(content: object) -> bool:
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)


def _spread(counts: Counter[int]) -> Spread | None:
    if not counts:
        return None
    return Spread(
        least=min(counts),
        most=max(counts),
        mean=sum(value * often for value, often in counts.items()) / counts.total(),
        percentiles={f"p{percent}": percentile(counts, percent) for percent in PERCENTILES},
    )
