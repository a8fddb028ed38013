"""Dockerfiles, as far as a simulated Space reads them: what would run, and with which variables. Nothing is built."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BadDockerfile", "Image", "read_dockerfile"]

_KNOWN = {"ARG", "COPY", "ADD", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
_HERE = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class BadDockerfile(ValueError):
    """A Dockerfile that cannot be read; says which line."""


class Image(NamedTuple):
    """What a Dockerfile says.

    Attributes:
        command: ENTRYPOINT and CMD; those in the form of a text run in a shell, as Docker does it.
        env: Of its ENV lines.
        steps: Its lines, for the log of the build.
    """

    command: tuple[str, ...]
    env: dict[str, str]
    steps: tuple[str, ...]


def read_dockerfile(text: str, known: dict[str, str]) -> Image:
    """Read a Dockerfile.

    Args:
        text: The file.
        known: Variables that its ENV lines may use (`$PATH`).

    Raises:
        BadDockerfile: It has a line that is not one, no FROM, or nothing to run.
    """
    entry: list[str] = []
    command: list[str] = []
    env: dict[str, str] = {}
    steps: list[str] = []
    for number, line in _lines(text):
        word, _, rest = line.partition(" ")
        rest, name = rest.strip(), word.upper()
        if not steps and name not in {"FROM", "ARG"}:
            raise BadDockerfile(f"line {number}: no build stage in current context (simulated)")
        steps.append(f"{name} {rest}")
        match name:
            case "CMD":
                command = _words(rest, number)
            case "ENTRYPOINT":
                entry, command = _words(rest, number), []
            case "ENV":
                env |= _variables(rest, known | env, number)
            case _:
                if name not in _KNOWN:
                    raise BadDockerfile(f"line {number}: unknown instruction: {word} (simulated)")
    if not any(step.startswith("FROM ") for step in steps):
        raise BadDockerfile("the Dockerfile has no FROM (simulated)")
    if not entry + command:
        raise BadDockerfile("the Dockerfile has neither CMD nor ENTRYPOINT (simulated)")
    return Image((*entry, *command), env, tuple(steps))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the instructions, each with its number: comments left out, continued lines joined, here-documents skipped."""
    pending, awaited = "", ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if awaited:
            awaited = "" if line == awaited else awaited
        elif not line or line.startswith("#"):
            continue
        elif line.endswith("\\"):
            pending += line[:-1].rstrip() + " "
        else:
            whole, pending = pending + line, ""
            here = _HERE.search(whole) if whole.upper().startswith(("RUN ", "COPY ")) else None
            awaited = here.group(1) if here else ""
            yield number, whole


def _words(rest: str, number: int) -> list[str]:
    if not rest.startswith("["):
        return ["/bin/sh", "-c", rest]
    try:
        words = json.loads(rest)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise BadDockerfile(f"line {number}: {rest} is no list of texts (simulated)")
    return words


def _variables(rest: str, known: dict[str, str], number: int) -> dict[str, str]:
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise BadDockerfile(f"line {number}: {error} (simulated)") from None
    if words and "=" not in words[0]:  # the old form: one name, and all that follows
        words = [f"{words[0]}={' '.join(words[1:])}"]
    return {
        name: _VARIABLE.sub(lambda found: known.get(found.group(1) or found.group(2), ""), value)
        for name, _, value in (word.partition("=") for word in words)
    }
