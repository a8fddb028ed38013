"""`anytune deploy` and `anytune deployments …`: hosts, their cost, and their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.durations import human, seconds
from anytune.cli.exits import ExitCode
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.deploy import Deployment
    from anytune.model import TunedModel

__all__ = ["app", "deploy", "described", "found"]

app = typer.Typer(name="deployments", help="List and stop deployments.", no_args_is_help=True)


def deploy(
    target: Annotated[str, typer.Argument(metavar="JOB_OR_PATH", help="A job that succeeded, a model's folder, or `starter`.")],
    ttl: Annotated[float, typer.Option(parser=seconds, metavar="DURATION", help="It is taken down after 90s, 30m, 1h, 2d.")] = "1h",  # type: ignore[assignment]  # Typer parses it
    name: Annotated[str | None, typer.Option(help="A word for it; the job's name by default.")] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", "-b", help="Who hosts a folder, or a model's id; a job's own by default.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it answers.")] = True,
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the key that callers must send.")] = False,
    as_json: Json = False,
) -> int:
    """Host a model behind an OpenAI-compatible address, for a limited time."""
    model, word = _model(target, backend)
    deployment = model.deploy(ttl_s=ttl, name=name or word)
    show.note(f"Deployment {deployment.id} ({deployment.name}) of {model.id}, gone after {human(ttl)}.")
    if wait:
        try:
            _wait(deployment)
        except KeyboardInterrupt:
            show.note(f"Stopped waiting; it goes on. Stop it: anytune deployments stop {deployment.id}")
            return ExitCode.INTERRUPTED
    about = described(deployment, show_key=show_key)
    if as_json:
        show.document(about)
        return ExitCode.OK
    for key in ("id", "state", "base_url", "model", "api_key", "expires_at"):
        if about.get(key):
            show.result(f"{key:12} {about[key]}")
    show.note(f"Ask it: anytune chat {deployment.name} MESSAGE\nStop it: anytune deployments stop {deployment.name}")
    return ExitCode.OK


@app.command("list")
def list_(every: Annotated[bool, typer.Option("--all", help="Also those that are gone.")] = False, as_json: Json = False) -> None:
    """List the deployments that run, or may still cost something."""
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light

    deployments = Deployment.list(live=not every)
    for deployment in deployments:
        _look(deployment)
    if as_json:
        show.document({"deployments": [described(deployment) for deployment in deployments]})
        return
    show.table(
        ("id", "name", "state", "base url", "cost", "gone in"),
        [(one.id, one.name, one.state, described(one)["base_url"], _cost(one), _left(one)) for one in deployments],
        empty="There are no deployments.",
    )


@app.command("stop")
def stop(
    targets: Annotated[list[str] | None, typer.Argument(metavar="DEPLOYMENT...", help="Ids or names.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop all that run.")] = False,
    as_json: Json = False,
) -> None:
    """Stop deployments, and wait until they are confirmed gone."""
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light

    if not targets and not every:
        raise typer.BadParameter("Name a deployment, or say --all.")
    chosen = Deployment.list() if every else [found(target) for target in targets or ()]
    for deployment in chosen:
        deployment.stop()
        show.note(f"{deployment.id} ({deployment.name}) is gone.")
    if as_json:
        show.document({"stopped": [described(deployment) for deployment in chosen]})


def found(target: str) -> Deployment:
    """Find the live deployment that a word means: its own name or id, else the newest one of a job.

    Raises:
        NotFound: There is none.
    """
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import NotFound  # noqa: PLC0415 - as above
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above

    live = Deployment.list()
    for deployment in live:
        if target in {deployment.name, deployment.id} or (len(target) >= 6 and deployment.id.startswith(target.upper())):  # noqa: PLR2004 - as in the ledger
            return deployment
    try:
        job = FineTuneJob.get(target)
    except NotFound:
        raise NotFound(
            f"There is no running deployment {target!r}, and no job of that name.", fix="`anytune deployments list` shows what runs."
        ) from None
    for deployment in live:
        if deployment.model.job_id == job.id:
            return deployment
    raise NotFound(f"Job {job.name} has no running deployment.", fix=f"Start one: `anytune deploy {target}`.", job_id=job.id)


def described(deployment: Deployment, *, show_key: bool = False) -> dict[str, Any]:
    """Give what is known of a deployment as plain values; the key only where it was asked for."""
    address = deployment.endpoint.address if deployment.state == "ready" else None
    about: dict[str, Any] = {
        "id": deployment.id,
        "name": deployment.name,
        "state": deployment.state,
        "base_url": address.base_url if address else None,
        "model": address.model if address else None,
        "serves": deployment.model.id,
        "job_id": deployment.model.job_id,
        "host": deployment.host,
        "hourly_usd": deployment.hourly_usd,
        "cost_usd": deployment.cost_usd,
        "expires_at": deployment.expires_at.isoformat(),
    }
    if show_key:
        about["api_key"] = address.credential.get_secret_value() if address and address.credential else None
    return about


def _model(target: str, backend: str | None) -> tuple[TunedModel, str]:
    """Give the model that a word means, and what to call its deployment."""
    from anytune.errors import NotFound  # noqa: PLC0415 - keeps `--help` light
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above
    from anytune.model import TunedModel  # noqa: PLC0415 - as above

    if target == "starter" or "/" in target or target in {".", ".."}:
        return TunedModel.from_path(target, backend=backend or "trl"), Path(target).name
    try:
        job = FineTuneJob.get(target)
    except NotFound:
        if Path(target).is_dir():
            return TunedModel.from_path(target, backend=backend or "trl"), target
        if backend is not None:
            return TunedModel.from_id(backend, target), target
        raise
    return job.result(), job.name


def _wait(deployment: Deployment) -> None:
    """Wait until it answers; one that failed is taken down, since it may still cost."""
    from anytune.errors import DeploymentFailed  # noqa: PLC0415 - keeps `--help` light

    with show.notes().status("Starting the server, and asking it a first question …"):
        try:
            deployment.wait()
        except DeploymentFailed:
            deployment.stop()
            raise


def _look(deployment: Deployment) -> None:
    from anytune.errors import AnytuneError  # noqa: PLC0415 - keeps `--help` light

    try:
        deployment.refresh()
    except AnytuneError as error:
        show.note(f"{deployment.name}: as last seen, because its backend could not be asked: {error}", "yellow")


def _cost(deployment: Deployment) -> str:
    return "" if deployment.cost_usd is None else f"${deployment.cost_usd:.2f}"


def _left(deployment: Deployment) -> str:
    from anytune.values import now  # noqa: PLC0415 - keeps `--help` light

    return "" if deployment.state == "gone" else human((deployment.expires_at - now()).total_seconds())
