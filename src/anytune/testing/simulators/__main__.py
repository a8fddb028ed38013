"""`python -m anytune.testing.simulators openai`: a simulated provider as a process of its own, for apps in any language."""

from __future__ import annotations

import signal
import threading
from pathlib import Path  # noqa: TC003 - Typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import yaml
from pydantic import TypeAdapter, ValidationError

from anytune.testing.simulators.base import TuningSimulator
from anytune.testing.simulators.faults import WireFaults

if TYPE_CHECKING:
    from anytune.testing.simulators.dialect import Profile
    from anytune.testing.simulators.hub import HubSimulator
    from anytune.testing.simulators.service import Service

__all__ = ["main"]


def main(
    provider: Annotated[Literal["openai", "azure", "hub"], typer.Argument(help="Which provider; hub: Hugging Face.")],
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 0,
    profile: Annotated[
        Literal["spec", "as_observed"],
        typer.Option(help="As the published description has it, or as live replies are; hub: spec only."),
    ] = "spec",
    faults: Annotated[Path | None, typer.Option(help="What goes wrong: a YAML file with the fields of `WireFaults`.", exists=True)] = None,
) -> None:
    """Simulate a provider over HTTP on loopback until Ctrl-C, and say where it is."""
    stop = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: stop.set())
    try:
        started = _started(provider, profile, _read(faults), port)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with started as simulator:
        _checked(simulator)
        told, variables = _of_tuning(simulator) if isinstance(simulator, TuningSimulator) else _of_hub(simulator)
        for name, value in told.items():
            typer.echo(f"{name:<9} {value}")
        for name, value in variables.items():
            typer.echo(f"export {name}={value}")
        stop.wait()


def _of_tuning(simulator: TuningSimulator) -> tuple[dict[str, str], dict[str, str]]:
    """Give what is said of a provider of fine-tuning, and what to export."""
    return {"base_url": simulator.base_url, "api_key": simulator.api_key, **simulator.told()}, _variables(simulator)


def _of_hub(simulator: HubSimulator) -> tuple[dict[str, str], dict[str, str]]:
    """Give what is said of the Hub, and what to export."""
    return {"endpoint": simulator.url, "token": simulator.token, "user": simulator.user}, simulator.environment()


def _variables(simulator: TuningSimulator) -> dict[str, str]:
    """Give what anytune reads from the environment to speak to it."""
    told = simulator.told()
    if "resource" not in told:
        return {"OPENAI_BASE_URL": simulator.base_url, "OPENAI_API_KEY": simulator.api_key}
    _, _, subscription, _, group, *_, account = told["resource"].split("/")
    return {
        "AZURE_OPENAI_ENDPOINT": told["endpoint"],
        "AZURE_OPENAI_API_KEY": simulator.api_key,
        "AZURE_ARM_URL": told["arm_url"],
        "AZURE_ARM_TOKEN": told["token"],
        "AZURE_SUBSCRIPTION_ID": subscription,
        "AZURE_RESOURCE_GROUP": group,
        "AZURE_OPENAI_ACCOUNT": account,
    }


def _started(provider: str, profile: Profile, faults: WireFaults, port: int) -> TuningSimulator | HubSimulator:
    if provider == "hub":
        from anytune.testing.simulators.hub import HubSimulator  # noqa: PLC0415 - only the one that is asked for

        if profile != "spec":
            raise ValueError("The hub has one profile, spec.")
        return HubSimulator(faults=faults, port=port)
    if provider == "azure":
        from anytune.testing.simulators.azure import AzureSimulator  # noqa: PLC0415 - the same

        return AzureSimulator(profile=profile, faults=faults, port=port)
    from anytune.testing.simulators.openai import OpenAISimulator  # noqa: PLC0415 - the same

    return OpenAISimulator(profile=profile, faults=faults, port=port)


def _checked(simulator: Service) -> None:
    """Refuse faults of requests that no client can make here: they would never happen, and a test of them would pass."""
    known = sorted({f"{method} {template}" for methods, template, _ in simulator.routes for method in methods.split("|")} | {"*"})
    for fault in simulator.faults.calls:
        if fault.on not in known:
            raise typer.BadParameter(f"No request is called {fault.on!r}; there is: {', '.join(known)}.")


def _read(path: Path | None) -> WireFaults:
    if path is None:
        return WireFaults()
    try:
        return TypeAdapter(WireFaults).validate_python(_on(yaml.safe_load(path.read_text(encoding="utf-8"))) or {})
    except (yaml.YAMLError, ValidationError) as error:
        raise typer.BadParameter(f"{path}: {error}") from None


def _on(read: Any) -> Any:
    """Take the key `on` as it was written: YAML 1.1 reads the bare word as true."""
    if isinstance(read, dict):
        return {"on" if key is True else key: _on(value) for key, value in read.items()}
    return [_on(value) for value in read] if isinstance(read, list) else read


if __name__ == "__main__":
    typer.run(main)
