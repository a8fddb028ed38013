"""`anytune schema`: the JSON Schema of a spec file, for editors and programs."""

from __future__ import annotations

from anytune.cli.show import Json, document, result

__all__ = ["schema"]


def schema(as_json: Json = False) -> None:
    """Print the JSON Schema of a spec file (the same that docs/reference/spec.schema.json holds)."""
    import json  # noqa: PLC0415 - keeps `--help` light

    from anytune.spec import json_schema  # noqa: PLC0415 - as above

    if as_json:
        document(json_schema())
    else:
        result(json.dumps(json_schema(), indent=2))
