"""`anytune schema`: the JSON Schema of a spec file, for editors and programs."""

from __future__ import annotations

from typing import Annotated

import typer

from anytune.cli.show import Json, document, result

__all__ = ["schema"]


def schema(
    evaluation: Annotated[bool, typer.Option("--evaluation", help="Of an evaluation's spec instead of a run's.")] = False,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a spec file (docs/reference/spec.schema.json, or evaluation.schema.json)."""
    import json  # noqa: PLC0415 - keeps `--help` light

    from anytune.spec import json_schema  # noqa: PLC0415 - as above

    found = json_schema()
    if evaluation:
        import pydantic  # noqa: PLC0415 - as above

        from anytune.evaluation.spec import EvaluationSpec  # noqa: PLC0415 - as above

        found = {"$schema": found["$schema"]} | pydantic.TypeAdapter(EvaluationSpec).json_schema()
    if as_json:
        document(found)
    else:
        result(json.dumps(found, indent=2))
