"""`anytune serve`: the OpenAI-compatible server, and `anytune serve keys`, its keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import keys, show
from anytune.cli.show import Json
from anytune.errors import BackendMissing

if TYPE_CHECKING:
    from anytune.server.main import Listening

__all__ = ["app"]

_HELP = """Serve OpenAI's fine-tuning API, and the models that it makes, over any backend.

It serves until Ctrl-C. The first key comes from ANYTUNE_API_KEY, or is made at the first start and shown once; `anytune serve keys add`
makes more. What the server says of itself goes to stderr.
"""
app = typer.Typer(help=_HELP, short_help="Serve OpenAI's fine-tuning API over any backend.", invoke_without_command=True)
app.add_typer(keys.app, name="keys")


@app.callback()
def serve(
    context: typer.Context,
    backend: Annotated[str | None, typer.Option(help="Who trains: an installed backend or a profile.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML: models, limits, webhooks (docs/reference/server.md).")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="A name that clients ask for, and the model that is used for it; several times."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on, 8080 by default; 0 takes a free one.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name under which clients reach the server; several times.")
    ] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Jobs at the same time; 1 by default.")] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML: what goes wrong (--backend memory only, for your own tests).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve until Ctrl-C. The first key comes from ANYTUNE_API_KEY, or is made and shown once."""
    if context.invoked_subcommand is not None:
        return
    try:
        from anytune.server.configfile import configured  # noqa: PLC0415 - keeps `--help` light
        from anytune.server.main import serve as run  # noqa: PLC0415
    except ImportError as error:
        raise BackendMissing(f"The server needs {error.name}, which is not installed.", fix='pip install "anytune[server]"') from None

    said = {"backend": backend, "host": host, "port": port, "allow_hosts": allow_host or None, "slots": slots, "faults": faults}
    run(configured(config, said | {"models": _models(model)}), tell=lambda found: _tell(found, as_json=as_json))


def _models(pairs: list[str] | None) -> dict[str, Any] | None:
    """Read `NAME=MODEL`; `NAME=` alone offers a model under its own name."""
    if not pairs:
        return None
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, target = pair.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{pair!r} is no NAME=MODEL.", param_hint="--model")
        if name in found:
            raise typer.BadParameter(f"{name!r} is given twice.", param_hint="--model")
        found[name] = {"model": target} if target else {}
    return found


def _tell(found: Listening, *, as_json: bool) -> None:
    if as_json:
        show.document({"base_url": found.base_url, "key": found.key})
        return
    show.result(f"Serving on {found.base_url}")
    if found.key is not None:
        show.result(f"Key: {found.key}\nIt is shown this once; `anytune serve keys add OWNER` makes more.")
    else:
        show.note("Clients need a key that was made before; `anytune serve keys add OWNER` makes another one.")
