"""`anytune push`: a tuned model goes to a repository of a hub, with its card."""

from __future__ import annotations

from typing import Annotated

import typer

from anytune.cli import show
from anytune.cli.show import Json

__all__ = ["push"]


def push(
    target: Annotated[
        str, typer.Argument(metavar="JOB_OR_MODEL", help="A job that succeeded, a model's folder, or a model's id at the backend.")
    ],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository; it is made where it does not exist.")],
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody read a new repository; an existing one keeps who can read it.")
    ] = False,
    adapter: Annotated[bool, typer.Option("--adapter", help="The adapter alone, which is small and needs its base.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of another model that the repository holds.")] = False,
    branch: Annotated[str | None, typer.Option(help="Where the commit goes; the main branch by default.")] = None,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "",
    backend: Annotated[
        str | None,
        typer.Option("--backend", "-b", help="Who publishes a folder or a model's id, or whose job is meant; a job's own by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Publish a tuned model, privately unless `--public` is said. The same again changes nothing."""
    from anytune.cli.models import chosen  # noqa: PLC0415 - keeps `--help` light

    model, _ = chosen(target, backend)
    pushed = model.push(repo, private=not public, adapter=adapter, replace=replace, branch=branch, message=message)
    if as_json:
        show.document({"pushed": pushed.model_dump(mode="json")})
        return
    readers = "private" if pushed.private else "public"
    show.note(f"{pushed.repo} ({readers}) holds {len(pushed.files)} files, {show.size(pushed.size_bytes)}, as commit {pushed.revision}.")
    if public and pushed.private:
        show.note("It was private before, and still is: only its owner makes it public, at the hub.", "yellow")
    show.result(pushed.url)
