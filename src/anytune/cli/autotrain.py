"""`anytune autotrain …`: AutoTrain's configs as specs and back, and its own command line, run by anytune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import run, show
from anytune.cli.exits import ExitCode
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.recipes.autotrain import Config
    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["app", "translated"]

app = typer.Typer(help="AutoTrain's configs: run them, turn them into specs, and specs into them.", no_args_is_help=True)

_THEIRS = {"ignore_unknown_options": True, "allow_extra_args": True}


@app.command("to-spec")
def to_spec(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="An AutoTrain YAML.")],
    backend: run.OnBackend = None,
    as_json: Json = False,
) -> int:
    """Print the spec of an AutoTrain YAML; what is left out or done otherwise goes to stderr."""
    from anytune.recipes.autotrain import from_yaml, to_spec  # noqa: PLC0415 - keeps `--help` light

    found = to_spec(from_yaml(path), backend)
    spec, said = found.spec, (*found.findings, *found.moving)
    if as_json:
        show.document({"spec": _plain(spec), "findings": list(found.findings), "moving": list(found.moving)})
    else:
        show.findings(said)
        show.record(_plain(spec))
    return ExitCode.OK


@app.command("from-spec")
def from_spec(
    path: Annotated[Path, typer.Argument(metavar="SPEC", help="YAML file; docs/reference/spec.md lists its keys.")],
    as_json: Json = False,
) -> int:
    """Print the AutoTrain YAML of a spec, for AutoTrain itself; what it has no word for goes to stderr."""
    from anytune.recipes.autotrain import from_spec  # noqa: PLC0415 - keeps `--help` light
    from anytune.spec import TrainingSpec  # noqa: PLC0415 - as above

    found = from_spec(TrainingSpec.read(path))
    if as_json:
        show.document({"config": found.config, "findings": list(found.findings)})
    else:
        show.findings(found.findings)
        show.result(found.yaml.rstrip())
    return ExitCode.OK


@app.command("llm", context_settings=_THEIRS)
def llm(
    context: typer.Context,
    new_attempt: run.NewAttempt = False,
    allow: run.Allow = None,
    wait: run.Wait = True,
    timeout: run.Timeout = None,
    poll: run.Poll = None,
    as_json: Json = False,
) -> int:
    """Do what `autotrain llm --train …` does, with its flags (docs/how-to/autotrain.md lists them), as a job of anytune.

    `--backend` takes anytune's words beside AutoTrain's own: `--backend trl`.
    """
    from anytune.recipes.autotrain import from_argv  # noqa: PLC0415 - keeps `--help` light

    spec, said = translated(from_argv(context.args), None)
    return run.submitted(spec, said, new_attempt=new_attempt, allow=allow or (), wait=wait, timeout_s=timeout, poll_s=poll, as_json=as_json)


def translated(config: Config, backend: str | None) -> tuple[TrainingSpec, tuple[Finding, ...]]:
    """Translate a config, and say on stderr what that leaves out, for the backend that will train it.

    Args:
        config: What AutoTrain was asked for.
        backend: Who shall train, instead of the config's own backend.
    """
    from anytune.profiles import backend_of  # noqa: PLC0415 - keeps `--help` light
    from anytune.recipes.autotrain import to_spec  # noqa: PLC0415 - as above

    found = to_spec(config, backend)
    said = found.told(backend_of(found.spec.backend))
    show.findings(said)
    return found.spec, said


def _plain(spec: TrainingSpec) -> dict[str, Any]:
    """Give a spec as its file holds it: only what was set."""
    return spec.model_dump(mode="json", exclude_unset=True, exclude_none=True)
