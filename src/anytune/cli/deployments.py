"""`anytune deploy` and `anytune deployments …`: hosts, their cost, and their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.durations import human, seconds
from anytune.cli.exits import ExitCode, exit_code
from anytune.cli.options import read
from anytune.cli.quotes import dollars
from anytune.cli.show import Json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anytune.deploy import Deployment
    from anytune.values import Address

__all__ = ["app", "deploy", "described", "found", "hourly"]

_PATIENCE_S = 10.0
"""How long a listing waits for the confirmed end of what is over its time."""

app = typer.Typer(name="deployments", help="List and stop deployments.", no_args_is_help=True)


def deploy(
    target: Annotated[
        str, typer.Argument(metavar="JOB_OR_MODEL", help="A job that succeeded, a model's folder, a hosted model's id, or `starter`.")
    ],
    ttl: Annotated[float, typer.Option(parser=seconds, metavar="DURATION", help="It is taken down after 90s, 30m, 1h, 2d.")] = "1h",  # type: ignore[assignment]  # Typer parses it
    name: Annotated[str | None, typer.Option(help="A word for it; the job's name by default.")] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend",
            "-b",
            help="Who hosts a folder or a model's id, or whose job is meant; `trl@local` hosts here. A job's own by default.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="A word of the backend's own (sku, capacity); repeat it."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it answers.")] = True,
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the key that callers must send.")] = False,
    as_json: Json = False,
) -> int:
    """Host a model behind an OpenAI-compatible address, for a limited time."""
    from anytune.cli.models import chosen  # noqa: PLC0415 - keeps `--help` light

    options = read(option or ())
    model, word = chosen(target, backend)
    deployment = model.deploy(ttl_s=ttl, name=name or word, **options)
    show.note(f"Deployment {deployment.id} ({deployment.name}) of {model.id}, taken down after {human(ttl)}.")
    show.note(_bill(deployment))
    for remark in _remarks(deployment, options):
        show.note(remark, "yellow")
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
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that are gone.")] = False,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask providers for every host that carries anytune's mark, whichever ledger made it.")
    ] = False,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="With --remote: only this backend or profile.")] = None,
    as_json: Json = False,
) -> None:
    """List the deployments that run, or may still cost something; what is over its time is taken down."""
    from anytune.cli import remote as providers  # noqa: PLC0415 - keeps `--help` light
    from anytune.deploy import Deployment  # noqa: PLC0415 - as above

    if backend is not None and not remote:
        raise typer.BadParameter("--backend goes with --remote.")
    if remote:
        providers.list_(backend, as_json=as_json)
        return
    deployments = Deployment.list(live=not every)
    for deployment in deployments:
        _look(deployment)
    _keep_time(deployments)
    shown = [one for one in deployments if every or one.state != "gone"]
    if as_json:
        show.document({"deployments": [described(deployment) for deployment in shown]})
        return
    show.table(
        ("id", "name", "state", "base url", "bills", "cost so far", "gone in"),
        [(one.id, one.name, one.state, described(one)["base_url"], hourly(one.hourly_usd), _cost(one), _left(one)) for one in shown],
        empty="There are no deployments.",
    )


@app.command("stop")
def stop(
    targets: Annotated[list[str] | None, typer.Argument(metavar="DEPLOYMENT", help="Ids or names.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop all that run.")] = False,
    expired: Annotated[
        bool, typer.Option("--expired", help="Stop all whose time is over, or whose end was never confirmed; made to be run by cron.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Stop deployments, and wait until they are confirmed gone."""
    from anytune import watch  # noqa: PLC0415 - keeps `--help` light
    from anytune.deploy import Deployment  # noqa: PLC0415 - as above

    if sum((bool(targets), every, expired)) != 1:
        raise typer.BadParameter("Name a deployment, or say --all or --expired.")
    chosen = [_one(target) for target in targets] if targets else Deployment.list() if every else watch.overdue()
    if targets and len(chosen) == 1:
        chosen[0].stop()  # its error is the command's
    gone, failed = watch.end(chosen)
    for deployment in gone:
        show.note(f"{deployment.id} ({deployment.name}) is gone.")
    for deployment, error in failed:
        show.note(f"{deployment.id} ({deployment.name}) may still cost money: {error}", "bold red")
    if as_json:
        told = [{"id": one.id, "name": one.name, "type": type(error).__name__, "message": str(error)} for one, error in failed]
        show.document({"stopped": [described(deployment) for deployment in gone], "failed": told})
    return exit_code(failed[0][1]) if failed else ExitCode.OK


def _one(target: str) -> Deployment:
    """Find the deployment to stop, as `found` does, but never guess between several of one name.

    Raises:
        ConfigError: Several have this name.
    """
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import ConfigError  # noqa: PLC0415 - as above

    alike = [one.id for one in Deployment.list() if one.name == target]
    if len(alike) > 1:
        raise ConfigError(f"{len(alike)} deployments are called {target!r}: {', '.join(alike)}.", fix="Name them by their ids.")
    return found(target)


def found(target: str) -> Deployment:
    """Find the live deployment that a word means: its own name or id, here or at the provider, else the newest one of a job.

    Raises:
        NotFound: There is none.
    """
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import NotFound  # noqa: PLC0415 - as above
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above

    live = Deployment.list()
    for deployment in live:
        begins = len(target) >= 6 and deployment.id.startswith(target.upper())  # noqa: PLR2004 - as in the ledger
        remote_id = deployment.row.remote_id or deployment.id
        if begins or target in {deployment.name, deployment.id, remote_id, remote_id.rpartition("/")[2]}:
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
    """Give what is known of a deployment as plain values, as last seen; the key only where it was asked for, of the host that answers."""
    address = (deployment.row.address if deployment.state == "ready" else None) or {}
    about: dict[str, Any] = {
        "id": deployment.id,
        "name": deployment.name,
        "state": deployment.state,
        "base_url": address.get("base_url"),
        "model": address.get("model"),
        "serves": deployment.model.id,
        "job_id": deployment.model.job_id,
        "host": deployment.host,
        "hourly_usd": deployment.hourly_usd,
        "cost_usd": deployment.cost_usd,
        "expires_at": deployment.expires_at.isoformat(),
        "error": deployment.row.error,
    }
    if show_key:
        about["api_key"] = _key(deployment.endpoint.address if deployment.state == "ready" else None)
    return about


def _key(address: Address | None) -> str | None:
    """Give the key that callers send; of hosts whose tokens expire, one that is good now."""
    from anytune.infer import credential  # noqa: PLC0415 - keeps `--help` light

    known = address is not None and (address.credential is not None or address.token is not None)
    return credential(address) if address is not None and known else None


def _wait(deployment: Deployment) -> None:
    """Wait until it answers; one that failed is taken down, since it may still cost."""
    from anytune.errors import DeploymentFailed  # noqa: PLC0415 - keeps `--help` light

    reason = deployment.row.error if deployment.state == "starting" else ""
    with show.notes().status(reason or "Starting the server, and asking it a first question …"):
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


def _keep_time(deployments: Sequence[Deployment]) -> None:
    """Take down what is over its time, and let the rest be watched again where its watch is gone: after a restart nothing else does."""
    from anytune import posting, watch  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import AnytuneError  # noqa: PLC0415 - as above
    from anytune.runtime import runtime  # noqa: PLC0415 - as above
    from anytune.upkeep.reap import rewatch  # noqa: PLC0415 - as above

    for deployment in deployments:
        over = watch.due(deployment)
        try:
            if over and (deployment.watched or not deployment.hosted):
                deployment.stop(timeout_s=_PATIENCE_S)
                show.note(f"{deployment.id} ({deployment.name}) was over its time, and is gone.")
        except AnytuneError as error:
            if over:
                show.note(f"{deployment.name} is over its time, and may still cost money: {error}", "bold red")
    for word, why in rewatch([one for one in deployments if not watch.due(one)], (), runtime()):
        show.note(f"Nobody watches the hosts of {word}: {why}", "yellow")
    live = [one.row for one in deployments if one.state != "gone"]
    for trouble in posting.troubles(runtime(), [(row.profile or row.backend, row.account) for row in live]):
        when = f"{trouble.at:%Y-%m-%d %H:%M} UTC"
        show.note(f"The watch over {trouble.backend} can end nothing ({when}), and hosts bill on: {trouble.message}", "bold red")


def hourly(usd: float | None) -> str:
    """Write what a host bills by the hour.

    Example:
        >>> hourly(1.7), hourly(0.0), hourly(None)
        ('$1.70/h', 'nothing by the hour', '')
    """
    if usd is None:
        return ""
    return f"{dollars(usd)}/h" if usd else "nothing by the hour"


def _bill(deployment: Deployment) -> str:
    """Say what a host costs, and what that means."""
    usd = deployment.hourly_usd
    until = f"{deployment.expires_at:%Y-%m-%d %H:%M} UTC"
    if usd is None and not deployment.hosted:
        return "No host was started: the provider serves the model itself, and what it bills for that is not known."
    if usd is None:
        return f"What it bills by the hour is not known; it may bill, called or not, until {until}."
    return f"It bills {hourly(usd)}, called or not, until {until}." if usd else "It bills nothing by the hour."


def _remarks(deployment: Deployment, options: Mapping[str, Any]) -> Iterator[str]:
    """Say what else whoever deploys should know: words that are lost, and hosts of the same name that bill on beside the new one."""
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light

    if not deployment.hosted:
        if options:
            yield f"{deployment.row.backend} serves its models without a host of their own and has no word for: {', '.join(options)}."
        return
    for one in Deployment.list():
        if one.name == deployment.name and one.id != deployment.id:
            bills = f" and bills {hourly(one.hourly_usd)}" if one.hourly_usd else ""
            yield f"Another deployment {one.name} runs{bills}. If nobody needs it: anytune deployments stop {one.id}"


def _cost(deployment: Deployment) -> str:
    return "" if deployment.cost_usd is None else dollars(deployment.cost_usd)


def _left(deployment: Deployment) -> str:
    from anytune.values import now  # noqa: PLC0415 - keeps `--help` light

    return "" if deployment.state == "gone" else human((deployment.expires_at - now()).total_seconds())
