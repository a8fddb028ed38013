"""OpenAI's published description of its API: which reply belongs to which request, and where a reply breaks it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

__all__ = ["FILE", "Contract", "Operation", "contract"]

FILE = Path(__file__).parents[4] / "shared" / "contracts" / "openai_finetune_subset.json"
UNSERVED = ("/fine_tuning/alpha/", "/fine_tuning/checkpoints/", "/chat/completions/{completion_id}", "GET /chat/completions")
"""Marks of the operations that `anytune serve` answers with 501."""


class Operation(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    pattern: re.Pattern[str]
    json: str | None
    stream: str | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def served(self) -> bool:
        return not any(mark in self.name for mark in UNSERVED)


class Contract:
    """The description; one instance is read once."""

    def __init__(self) -> None:
        if not FILE.exists():
            pytest.skip("the contract is not in this checkout")
        described = json.loads(FILE.read_text(encoding="utf-8"))
        self._components = described["components"]
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}
        self.operations = tuple(
            operation(method, path, said)
            for path, methods in described["paths"].items()
            for method, said in methods.items()
            if method in {"get", "post", "delete"}
        )

    def operation(self, method: str, path: str) -> Operation | None:
        """Find the operation that a request is; the longest template wins, as `/models/{model}` takes slashes."""
        found = [each for each in self.operations if each.method == method and each.pattern.fullmatch(path)]
        return max(found, key=lambda each: (len(each.path), each.path), default=None)

    def faults(self, schema: str, value: object) -> list[tuple[str, object]]:
        """Places where a value breaks a schema, each with what stands there."""
        if schema not in self._validators:
            whole = {"$ref": f"#/components/schemas/{schema}", "components": self._components}
            self._validators[schema] = jsonschema.Draft202012Validator(whole)
        return [("/".join(map(str, error.absolute_path)), error.instance) for error in self._validators[schema].iter_errors(value)]


def operation(method: str, path: str, said: dict) -> Operation:
    content = said["responses"]["200"].get("content", {})
    named = {kind: body["schema"].get("$ref", "").rpartition("/")[2] or None for kind, body in content.items()}
    pattern = re.escape(path).replace(r"\{model\}", ".+")
    return Operation(
        method.upper(),
        path,
        re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)),
        named.get("application/json"),
        named.get("text/event-stream"),
    )


@cache
def contract() -> Contract:
    return Contract()
