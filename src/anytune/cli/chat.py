"""`anytune chat`: ask a running model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from anytune.cli import show
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.infer import Endpoint

__all__ = ["chat"]


def chat(
    target: Annotated[
        str, typer.Argument(metavar="DEPLOYMENT_OR_JOB", help="Id or name of a deployment, or of the job whose model is deployed.")
    ],
    message: Annotated[str | None, typer.Argument(help="What to ask; read from stdin where it is missing.")] = None,
    system: Annotated[str | None, typer.Option(help="A system message to put before it.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of the answer at most.")] = 512,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 always takes the likeliest token.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Ask a deployed model, and print its answer as it comes."""
    from anytune.errors import ConfigError  # noqa: PLC0415 - keeps `--help` light

    if message is None and sys.stdin.isatty():
        show.note("Type the message, and end it with Ctrl-D.")
    question = message if message is not None else sys.stdin.read().strip()
    if not question:
        raise ConfigError("There is no message.", fix="Give it as an argument or on stdin.")
    messages = [{"role": "user", "content": question}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    with _endpoint(target) as endpoint:
        if as_json:
            reply = endpoint.chat(messages, max_tokens=max_tokens, temperature=temperature)
            show.document({"text": str(reply), "finish_reason": reply.finish_reason, "model": reply.model, "usage": reply.usage})
            return
        for piece in endpoint.stream(messages, max_tokens=max_tokens, temperature=temperature):
            sys.stdout.write(show.plain(piece))
            sys.stdout.flush()
        sys.stdout.write("\n")


def _endpoint(target: str) -> Endpoint:
    """Find the live deployment that a word means: its own id or name first, then the newest one of a job."""
    from anytune.cli.deployments import found  # noqa: PLC0415 - keeps `--help` light

    return found(target).wait()
