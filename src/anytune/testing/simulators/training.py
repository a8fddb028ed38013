"""What a provider finds when it looks into a training file, in the words of real jobs, and what a model then knows by heart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from anytune.data.rows import ChatRow, GradedRow, PreferenceRow, PromptRow, texts
from anytune.data.rows.lessons import is_openai
from anytune.data.tokens import TokenCounter
from anytune.testing.completions import text_of
from anytune.testing.simulators.errors import job_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.testing.simulators.errors import JobError

__all__ = ["Lesson", "inspect", "recall"]

_FEWEST = 10
_FORMATS: dict[type[BaseModel], tuple[str, str]] = {
    ChatRow: ("fine-tune-chat", "supervised"),
    PreferenceRow: ("fine-tune-preference", "dpo"),
    GradedRow: ("fine-tune-reinforcement", "reinforcement"),
    PromptRow: ("fine-tune-completion", "supervised"),
}
_WANTED = {"supervised": ChatRow, "dpo": PreferenceRow, "reinforcement": GradedRow}
_COMPLETION_MODELS = ("babbage", "davinci")


class Lesson(NamedTuple):
    """What looking into a file gave: rows and their tokens, or why the file is refused."""

    rows: list[dict[str, Any]]
    tokens: int = 0
    error: JobError | None = None


def inspect(content: bytes, *, method: str, model: str, file: str, param: str = "training_file", fewest: int = _FEWEST) -> Lesson:
    """Read a file and judge it as a provider does before it trains.

    Args:
        content: The file's bytes.
        method: `supervised`, `dpo` or `reinforcement`.
        model: The base model; models of completions learn prompts with completions.
        file: The file's id, for messages.
        param: `training_file` or `validation_file`.
        fewest: Rows that it must have.
    """
    try:
        rows = list(_rows(content))
    except _BadLineError as bad:
        return _refused("invalid_training_file", param, reason=f"Line {bad} is not valid JSON.")
    if len(rows) < fewest:
        return _refused("invalid_n_examples", param, examples=len(rows))
    wanted = PromptRow if model.startswith(_COMPLETION_MODELS) and method == "supervised" else _WANTED[method]
    for number, row in enumerate(rows, 1):
        kind = _kind(row, method)
        if kind is None:
            return _refused("unexpected_format", param)
        if kind is not wanted:
            known, of_method = _FORMATS[kind]
            return _refused("wrong_method", param, file=file, format=known, wanted=of_method, method=method)
        if (error := _judged(kind, row, number)) is not None:
            return Lesson([], error=error._replace(param=param))
    return Lesson(rows, tokens(rows))


def tokens(rows: Iterable[dict[str, Any]]) -> int:
    """Count what one epoch trains on, as `anytune data stats` does for OpenAI's models."""
    with TokenCounter("o200k_base") as counter:
        for number, row in enumerate(rows, 1):
            counter.row(number, row, texts(row))
        return counter.finish().counts().total


def recall(rows: Iterable[dict[str, Any]], messages: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give the answer of the row whose last question is the last message; None where no row asks it.

    Example:
        >>> row = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
        >>> recall([row], [{"role": "user", "content": "2+2?"}])["content"]
        '4'
    """
    asked = text_of(messages[-1])
    for row in rows:
        question, answer = _pair(row)
        if answer is not None and question == asked:
            return answer
    return None


class _BadLineError(Exception):
    """The number of a line that is no JSON object."""


def _rows(content: bytes) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise _BadLineError(number) from None
        if not isinstance(row, dict):
            raise _BadLineError(number)
        yield row


def _kind(row: dict[str, Any], method: str) -> type[BaseModel] | None:
    if "messages" in row:
        if row.keys() - set(ChatRow.model_fields):
            return GradedRow if method == "reinforcement" else ChatRow
        last = row["messages"][-1] if isinstance(row["messages"], list) and row["messages"] else None
        asks = isinstance(last, dict) and last.get("role") != "assistant"
        return GradedRow if asks and method == "reinforcement" else ChatRow
    if is_openai(row):
        return PreferenceRow
    return PromptRow if "prompt" in row and "completion" in row else None


def _judged(kind: type[BaseModel], row: dict[str, Any], number: int) -> JobError | None:
    try:
        kind.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    else:
        return None
    place = [part for part in first["loc"] if isinstance(part, int) or (part.islower() and part.isidentifier())]
    key = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return job_error("invalid_file_format", reason=f'Example {number} contains an extra "{key}".')
    said = first["msg"]
    if first["type"] == "union_tag_not_found" or (first["type"] == "missing" and key == "role"):
        said = "Discriminator 'role' is missing in value"
    at = next((part for part in place if isinstance(part, int)), None)
    where = f"Example {number}" if at is None else f"Example {number}, message {at + 1}"
    return job_error("invalid_training_file", reason=f"{where} {said}")


def _pair(row: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Give what a row asks last, and the message that answers it."""
    if is_openai(row):
        preferred = row.get("preferred_output") or [None]
        return text_of(row["input"]["messages"][-1]), preferred[-1]
    if "messages" not in row:
        return str(row.get("prompt")), {"role": "assistant", "content": str(row.get("completion"))}
    messages = row["messages"]
    answers = [place for place, message in enumerate(messages) if message["role"] == "assistant" and place]
    return (text_of(messages[answers[-1] - 1]), messages[answers[-1]]) if answers else ("", None)


def _refused(name: str, param: str, **values: Any) -> Lesson:
    return Lesson([], error=job_error(name, **values)._replace(param=param))
