"""The generated parts of the server's reference: `python -m anytune.server.page docs/reference/http-api.md` renews a page.

`docs/reference/http-api.md` holds what the routes declare, `docs/reference/server.md` what `config.py` does.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from anytune.server.config import Limits, ServeConfig, Target, Webhook
from anytune.server.routes import completions, files, jobs, models, service, unserved, uploads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.settings import Settings

__all__ = ["description", "http", "renewed", "settings"]

_MARKED = re.compile(r"(<!-- (?P<what>http|settings): [^>]*-->\n).*?(<!-- end of (?P=what) -->)", re.DOTALL)
_SPEC = {"Adapter", "Budget", "Full", "LoRA", "QLoRA"}
"""What the page about the spec tells."""
_SETTINGS = {"JsonValue", "Limits", "Target", "Webhook"}
"""What the page about settings tells in a table of its own."""
_LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "minLength": "length ≥",
    "maxLength": "length ≤",
    "minItems": "items ≥",
    "maxItems": "items ≤",
    "maxProperties": "keys ≤",
}
_WORD_LENGTH = 60


def renewed(page: str) -> str:
    """Give the page with its generated parts made anew, each between its two marks."""
    parts = {"http": http, "settings": settings}
    return _MARKED.sub(lambda found: f"{found[1]}\n{parts[found['what']]()}\n{found[3]}", page)


def description() -> dict[str, Any]:
    """Describe the HTTP API, in OpenAPI's words. Nothing is opened or started for it."""
    app = FastAPI(title="anytune", version="1")
    app.include_router(service.router)
    for noun in (files, uploads, jobs, models, completions, unserved):
        app.include_router(noun.router, prefix="/v1")
    found: dict[str, Any] = app.openapi()
    return found


def http() -> str:
    """Write the paths by noun, and the shapes of what goes in and comes out."""
    told = description()
    nouns: dict[str, list[str]] = {}
    used: set[str] = set()
    for path, verbs in told["paths"].items():
        for verb, operation in verbs.items():
            noun = (operation.get("tags") or ["other"])[0]
            if noun == "unserved":
                continue
            nouns.setdefault(noun, []).extend(_operation(verb.upper(), path, operation))
            used |= _named({"in": operation.get("requestBody"), "out": operation["responses"].get("200")}, told)
    lines = [line for noun, written in nouns.items() for line in (f"## {noun.capitalize()}\n", *written)]
    lines += ["## Not served\n", "Answered with 501, so that no client has to guess:\n", *_head("method", "path", "instead")]
    lines += [*(_row(verb, f"`/v1{path}`", reason) for verb, path, reason in unserved.UNSERVED), ""]
    shapes = {name: shape for name, shape in told.get("components", {}).get("schemas", {}).items() if name in used}
    lines += ["## Shapes\n", *(line for name, shape in sorted(shapes.items()) for line in _shape(name, shape))]
    return "\n".join(lines)


def settings() -> str:
    """Write what the owner of a server can set."""
    heads: dict[type[Settings], str] = {
        ServeConfig: "The server",
        Target: "A model: `models`",
        Limits: "Limits: `limits`",
        Webhook: "A webhook: `webhooks`",
    }
    return "\n".join(line for cls, title in heads.items() for line in (f"## {title}\n", *_settings(cls)))


def _settings(cls: type[Settings]) -> Iterator[str]:
    schema = cls.model_json_schema()
    yield from _head("setting", "type", "default", "means")
    for name, field in cls.model_fields.items():
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield _row(f"`{name}`", _type(schema["properties"][name]), default, field.description or "")
    yield ""


def _default(value: object) -> str:
    if value is None or isinstance(value, Limits) or value in ({}, ()):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    size = next(
        (f"{value // unit} {word}" for word, unit in (("GiB", 2**30), ("MiB", 2**20)) if isinstance(value, int) and not value % unit), ""
    )
    return size or f"`{value:g}`" if isinstance(value, int | float) else f"`{value}`"


def _operation(verb: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### {verb} {path}\n"
    yield (operation.get("description") or operation.get("summary", "")).replace("\n\n", "\n") + "\n"
    parameters = [one for one in operation.get("parameters", []) if one["in"] != "path"]
    if parameters:
        yield from _head("parameter", "in", "type", "")
        for one in parameters:
            yield _row(
                f"`{one['name']}`",
                one["in"],
                _type(one["schema"]),
                _notes(one["schema"], one.get("description"), needed=one.get("required")),
            )
        yield ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _body(kind, content["schema"])
    answer = next(iter(operation["responses"].get("200", {}).get("content", {}).items()), None)
    if answer is not None and "$ref" in answer[1].get("schema", {}):
        yield f"Answer: {_type(answer[1]['schema'])}.\n"


def _body(kind: str, schema: dict[str, Any]) -> Iterator[str]:
    if "properties" not in schema:
        yield f"Body (`{kind}`): {_type(schema)}.\n"
        return
    yield f"Body (`{kind}`):\n"
    yield from _fields(schema)


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name.lstrip('_')}\n"
    if schema.get("description"):
        yield schema["description"].split("\n\n")[0].replace("\n", " ") + "\n"
    yield from _fields(schema)


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    if not schema.get("properties"):
        yield f"{_type(schema)}.\n"
        return
    yield from _head("field", "type", "")
    for name, field in schema["properties"].items():
        yield _row(f"`{name}`", _type(field), _notes(field, field.get("description"), needed=name in schema.get("required", ())))
    yield ""


def _type(schema: dict[str, Any]) -> str:
    """Name a type in a table's cell."""
    several = next((schema[word] for word in ("anyOf", "oneOf", "allOf") if word in schema), None)
    if several is not None:
        return " or ".join(dict.fromkeys(map(_type, several)))
    if "$ref" in schema:
        return _reference(schema["$ref"].rpartition("/")[2])
    if "const" in schema or "enum" in schema:
        return ", ".join(
            f"`{value if isinstance(value, str) else json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")])
        )
    kind = schema.get("type", "anything")
    limits = ", ".join(f"{sign} {_number(schema[word])}" for word, sign in _LIMITS.items() if word in schema)
    if limits:
        return f"{_type({key: value for key, value in schema.items() if key not in _LIMITS})} ({limits})"
    inner = {"array": schema.get("items"), "object": _of_keys(schema)}.get(kind) if isinstance(kind, str) else None
    if isinstance(inner, dict):
        return f"{kind} of {_type(inner)}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _of_keys(schema: dict[str, Any]) -> object:
    """Give what the keys of a mapping hold."""
    return next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))


def _reference(name: str) -> str:
    if name in _SETTINGS:
        return f"`{name}`"
    plain = name.lstrip("_")
    return f"[{plain}](spec.md)" if name in _SPEC else f"[{plain}](#{plain.lower()})"


def _notes(schema: dict[str, Any], said: str | None, *, needed: bool | None) -> str:
    found = ["needed"] if needed else []
    default = schema.get("default")
    if isinstance(default, str | int | float) and not needed and len(str(default)) < _WORD_LENGTH:
        found.append(f"default `{default if isinstance(default, str) else json.dumps(default)}`")
    return "; ".join([*found, *([said.replace("\n", " ").rstrip(".")] if said else [])])


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)


def _named(schema: object, told: dict[str, Any]) -> set[str]:
    """Collect the names of all shapes that one leads to."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting += here
        elif isinstance(here, dict):
            name = str(here.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(told["components"]["schemas"][name])
            waiting += here.values()
    return found


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    for place in map(Path, sys.argv[1:]):
        place.write_text(renewed(place.read_text(encoding="utf-8")), encoding="utf-8")
