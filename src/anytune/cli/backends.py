"""`anytune backends`: what trains here, what each can do, and what a move from one to another loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.show import Json
from anytune.errors import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.backend import Backend
    from anytune.portability import Move, Place

__all__ = ["app", "described", "surroundings"]

app = typer.Typer(name="backends", help="What is installed, and what each can do.", invoke_without_command=True)


@app.callback()
def backends(context: typer.Context, as_json: Json = False) -> None:
    """List the installed backends with version and abilities; those that lack a key or are broken with what to do."""
    if context.invoked_subcommand is not None:
        return
    found = described()
    if as_json:
        show.document({"backends": found})
        return
    rows = [
        (one["name"], f"{one['distribution']} {one['version']}", ", ".join(one["methods"]), ", ".join(one["adapters"]), _abilities(one))
        for one in found
    ]
    show.table(
        ("backend", "installed", "methods", "adapters", "abilities"),
        rows,
        empty='No backend is installed: `pip install "anytune[trl]"` brings the local one.',
    )


@app.command("compare")
def compare(
    old: Annotated[str, typer.Argument(metavar="A", help="A backend or profile; one without its key will do.")],
    new: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Show what two backends can do, and what a move from one to the other loses, either way. Asks nobody."""
    from anytune.portability import move, named  # noqa: PLC0415 - keeps `--help` light

    one, two = named(old), named(new)
    there, back = move(one.able, two.able), move(two.able, one.able)
    if as_json:
        able = {place.word: place.able.model_dump(mode="json") for place in (one, two)}
        show.document({"from": old, "to": new, "capabilities": able, "lost": there._asdict(), "lost_back": back._asdict()})
        return
    show.table(("", one.word, two.word), _compared(one, two), empty="")
    show.table(
        ("lost", f"{one.word} → {two.word}", f"{two.word} → {one.word}"),
        [(part, _listed(there, part), _listed(back, part)) for part in there._fields],
        empty="",
    )


def _compared(one: Place, two: Place) -> Iterator[tuple[str, ...]]:
    from anytune.portability.page import hosts, result  # noqa: PLC0415 - keeps `--help` light

    both = (one, two)
    yield "methods", *(", ".join(sorted(place.able.methods)) for place in both)
    yield "adapters", *(", ".join(sorted(place.able.adapters)) or "as the host decides" for place in both)
    yield "abilities", *(", ".join(sorted(place.able.abilities)) for place in both)
    yield "rows as", *(place.able.dialect for place in both)
    yield "the model is", *(result(place) for place in both)
    yield "hosted by", *(", ".join(hosts(place, both)) or "neither" for place in both)


def _listed(lost: Move, part: str) -> str:
    return ", ".join(getattr(lost, part)) or "nothing"


def described(*, diagnose: bool = False) -> list[dict[str, Any]]:
    """Describe every announced backend; one that is not `ready` has its reason in `error`, and what to do in `fix`.

    `unset` lacks a key or an endpoint: nothing is wrong with it, and a profile may hold them. `broken` cannot be imported or made.

    Args:
        diagnose: Let those that are ready say what they find around them, as `surroundings`.
    """
    from anytune import plugins, profiles  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import AnytuneError, ConfigError  # noqa: PLC0415 - as above

    found = []
    for name, point in plugins.installed().items():
        about: dict[str, Any] = {
            "name": name,
            "distribution": point.dist.name if point.dist else point.value,
            "version": point.dist.version if point.dist else "",
            "methods": [],
            "adapters": [],
            "abilities": [],
            "settings": [],
            "local": None,
            "state": "ready",
            "error": "",
            "fix": "",
        }
        if diagnose:
            about["surroundings"] = []
        try:
            about |= _able(profiles.configured(name), diagnose=diagnose)
        except ConfigError as error:
            about |= {"state": "unset", "error": error.message, "fix": error.fix}
        except AnytuneError as error:
            about |= {"state": "broken", "error": error.message, "fix": error.fix}
        except Exception as error:  # noqa: BLE001 - a plugin's constructor may raise anything; it breaks only itself
            fix = f"Reinstall it, or tell the author of {about['distribution']}."
            about |= {"state": "broken", "error": redact(f"{type(error).__name__}: {error}"), "fix": fix}
        found.append(about)
    return found


def surroundings(backend: Backend) -> list[tuple[str, str, str]]:
    """Let a backend say what it finds around it: severity, what was found, and what to do. One that raises there breaks only itself."""
    try:
        return [(found.severity, found.message, found.fix) for found in backend.diagnose()]
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        text = f"It cannot say how it is: {type(error).__name__}: {redact(str(error))}"
        return [("warning", text, "Tell the plugin's author: `diagnose` raises for nothing that it finds.")]


def _able(backend: Backend, *, diagnose: bool) -> dict[str, Any]:
    try:
        able = backend.capabilities
        names = ("methods", "adapters", "abilities", "settings")
        about = {name: sorted(getattr(able, name)) for name in names} | {"local": able.local}
        return about | ({"surroundings": surroundings(backend)} if diagnose else {})
    finally:
        backend.close()


def _abilities(one: dict[str, Any]) -> str:
    if one["state"] == "unset":
        return f"not set up. {one['fix'] or one['error']}"
    return f"broken: {one['error']} {one['fix']}" if one["error"] else ", ".join(one["abilities"])
