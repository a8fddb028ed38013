"""Many questions to one endpoint: bounded, in order, each error with its row, and a file to go on from."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from anytune.errors import AnytuneError, ConfigError
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from io import TextIOWrapper

    from anytune.infer import Endpoint

__all__ = ["Answer", "run"]


class Answer(Value):
    """What came back for one row.

    Attributes:
        index: 0-based place of the row.
        request: sha256 of what was asked (model, messages, parameters), so that another question is never taken for answered.
        text: The answer; None where it failed.
        error: Why it failed; empty otherwise.
        usage: Tokens as the host counted them.
    """

    index: int
    request: str
    text: str | None = None
    error: str = ""
    finish_reason: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage: dict[str, Any] = Field(default_factory=dict)


def run(
    endpoint: Endpoint,
    rows: Iterable[str | Sequence[Mapping[str, Any]]],
    *,
    concurrency: int,
    out: Path | str | None,
    params: Mapping[str, Any],
) -> list[Answer]:
    """Ask all rows; see `Endpoint.chat_many`."""
    if concurrency < 1:
        raise ConfigError(f"`concurrency` is {concurrency}.", fix="Give 1 or more.")
    path = None if out is None else Path(out)
    known = _answered(path) if path else {}
    answers: dict[int, Answer] = {}
    pending: set[Future[Answer]] = set()
    file = _opened(path, known) if path else None

    def collect(done: set[Future[Answer]]) -> None:
        for future in done:
            answer = future.result()
            answers[answer.index] = answer
            if file is not None:
                _append(file, answer)

    try:
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="anytune-chat") as pool:
            for index, row in enumerate(rows):
                digest = _digest(endpoint, row, params)
                if (old := known.get((index, digest))) is not None:
                    answers[index] = old
                    continue
                pending.add(pool.submit(_ask, endpoint, index, digest, row, params))
                if len(pending) >= 2 * concurrency:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    collect(done)
            collect(wait(pending).done)
    finally:
        if file is not None:
            file.close()
    ordered = [answers[index] for index in sorted(answers)]
    if path is not None:
        _replace(path, ordered)
    return ordered


def _ask(endpoint: Endpoint, index: int, digest: str, row: str | Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> Answer:
    try:
        reply = endpoint.chat(row, **params)
    except AnytuneError as error:
        return Answer(index=index, request=digest, error=f"{type(error).__name__}: {error}")
    return Answer(
        index=index,
        request=digest,
        text=str(reply),
        finish_reason=reply.finish_reason,
        tool_calls=tuple(reply.tool_calls),
        usage=reply.usage,
    )


def _digest(endpoint: Endpoint, row: str | Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    body = json.dumps(endpoint.request(row, None, params), sort_keys=True, default=str)
    return hashlib.sha256(body.encode()).hexdigest()


def _answered(path: Path) -> dict[tuple[int, str], Answer]:
    """Read what an earlier run left; a half-written last line and failed rows are asked again."""
    found = {}
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Give another `out`.") from error
    for line in text.splitlines():
        try:
            answer = Answer.model_validate_json(line)
        except ValidationError:
            continue
        if not answer.error:
            found[answer.index, answer.request] = answer
    return found


def _opened(path: Path, known: dict[tuple[int, str], Answer]) -> TextIOWrapper:
    """Start the file from its whole lines only, so that nothing is appended to a torn one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, list(known.values()))
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}.", fix="Give another `out`.") from error


def _append(file: TextIOWrapper, answer: Answer) -> None:
    file.write(answer.model_dump_json() + "\n")
    file.flush()


def _replace(path: Path, answers: list[Answer]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for answer in answers:
            _append(file, answer)
        os.fsync(file.fileno())
    part.replace(path)
