"""The tree of commands. What is heavy is imported inside each command, so that `--help` answers at once."""

from __future__ import annotations

from typing import Annotated

import typer

from anytune.cli import (
    autotrain,
    backends,
    chat,
    costs,
    data,
    deployments,
    doctor,
    evaluate,
    gc,
    jobs,
    migrate,
    push,
    quickstart,
    reap,
    run,
    schema,
    serve,
    upkeep,
)
from anytune.cli.show import result

__all__ = ["app"]

app = typer.Typer(
    name="anytune",
    help="Fine-tune language models anywhere through one interface.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("preflight")(run.preflight)
app.add_typer(jobs.app, name="jobs")
app.add_typer(data.app, name="data")
app.add_typer(autotrain.app, name="autotrain")
app.command("gc")(gc.gc)
app.command("deploy")(deployments.deploy)
app.add_typer(deployments.app, name="deployments")
app.command("reap")(reap.reap)
app.command("reconcile")(upkeep.reconcile)
app.command("orphans")(upkeep.orphans)
app.command("evaluate")(evaluate.evaluate)
app.command("gate")(evaluate.gate)
app.command("advise")(evaluate.advise)
app.command("capture")(migrate.capture)
app.command("migrate")(migrate.migrate)
app.command("costs")(costs.costs)
app.command("push")(push.push)
app.command("chat")(chat.chat)
app.add_typer(serve.app, name="serve")
app.add_typer(backends.app, name="backends")
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)
app.command("quickstart")(quickstart.quickstart)


def _version(wanted: bool) -> None:
    if wanted:
        from anytune import __version__  # noqa: PLC0415 - one use

        result(f"anytune {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Fine-tune language models anywhere through one interface."""
