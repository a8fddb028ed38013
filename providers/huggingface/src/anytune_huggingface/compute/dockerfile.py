"""The files of a Space that trains: a pinned image, our code, what it requires, and the runner as its app. No secret is in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from anytune_huggingface.compute.page import APP_PORT
from anytune_huggingface.compute.told import QUIET

if TYPE_CHECKING:
    from anytune_huggingface.compute.place import Program
    from anytune_huggingface.compute.told import CloudOrder

__all__ = ["CODE", "DOCKERFILE", "dockerfile", "readme", "requirements"]

DOCKERFILE, CODE, REQUIREMENTS = "Dockerfile", "code.zip", "requirements.txt"

_THERE = "/anytune"
_ENV = QUIET | {"PYTHONPATH": f"{_THERE}/code"}


def dockerfile(image: str, program: Program) -> str:
    """Write the Dockerfile. Spaces run as user 1000, who must be able to write where the program does."""
    lines = [
        f"FROM {image}",
        *(f"ENV {name}={value}" for name, value in _ENV.items()),
        f"COPY {CODE} {REQUIREMENTS} {_THERE}/",
        _run("python", "-m", "zipfile", "-e", f"{_THERE}/{CODE}", f"{_THERE}/code"),
        _run("python", "-m", "pip", "install", "--no-cache-dir", "-r", f"{_THERE}/{REQUIREMENTS}"),
        _run("useradd", "--create-home", "--uid", "1000", "user"),
        "USER user",
        *(_run(*command) for command in program.image_commands),
        f"EXPOSE {APP_PORT}",
        "CMD " + json.dumps(["python", "-P", "-m", "anytune_huggingface.compute.remote"]),
    ]
    return "\n".join(lines) + "\n"


def readme(order: CloudOrder) -> str:
    """Write the page of the Space, whose head says how it is built."""
    head = {"title": order.name, "sdk": "docker", "app_port": APP_PORT, "pinned": False}
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    return "\n".join(["---", *lines, "---", "", f"Trains the job `{order.ref}` for anytune, then ends.", ""])


def requirements(order: CloudOrder) -> str:
    """Write what pip installs while the image is built."""
    return "".join(f"{line}\n" for line in order.code.requirements)


def _run(*words: str) -> str:
    return "RUN " + json.dumps(list(words))
