"""AutoTrain's own virtual environment: made once, checked quickly, repaired where it broke.

AutoTrain's pins (trl 0.13, transformers 4.48) exclude the libraries that the rest of anytune works with, so it lives in an interpreter of
its own. `python -m anytune_autotrain.environment` makes it and says how far it is; `--status` only looks, `--remove-older` deletes
those that earlier lists of pins left in the cache.

It is made in stages, each kept in `anytune.json` when it is done: `venv`, `torch`, `libraries`, `autotrain`, `probe`. An interrupted
install goes on with the first that is missing. A second process waits for the first, and reports what that one does.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import platformdirs

from anytune.errors import AnytuneError, ConfigError
from anytune.local import durable
from anytune.values import Value
from anytune_autotrain import installer
from anytune_autotrain.pins import Pins, running_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["REMOVE_OLDER", "VARIABLE", "Environment", "Status", "ensure", "main", "older", "remove", "status"]

VARIABLE: Final = "ANYTUNE_AUTOTRAIN_ENV"
"""Names a folder to use instead of one in the user's cache."""

_STAGES = ("venv", "torch", "libraries", "autotrain", "probe")
_MARKER = "anytune.json"
_COMMAND = "python -m anytune_autotrain.environment"
REMOVE_OLDER: Final = f"{_COMMAND} --remove-older"
"""What deletes the environments that `older` finds."""

_CPU_BYTES = 1_800_000_000
"""The environment with a CPU build of torch (measured 2026-11-23)."""

_CUDA_BYTES = 6_000_000_000
"""The same with torch's CUDA libraries (estimated)."""

_PROBE = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


class Status(Value):
    """How an environment is.

    Attributes:
        state: `ready`; `missing` (never made); `partial` (an install was interrupted, or goes on now); `broken`.
        path: Its folder.
        size_bytes: What it takes on the disk, as measured when it was made; None until then.
        detail: What is there, or what is wrong.
        fix: What to do; empty where it is ready.
    """

    state: Literal["ready", "missing", "partial", "broken"]
    path: Path
    size_bytes: int | None = None
    detail: str = ""
    fix: str = ""


class Environment:
    """One environment.

    Args:
        folder: Where it is, or will be: by default what `ANYTUNE_AUTOTRAIN_ENV` names, or a folder in the user's cache.
        pins: What is installed; the package's own list by default.
        room_bytes: What it takes on the disk; known for the package's own list.
    """

    def __init__(self, folder: Path | None = None, pins: Pins | None = None, *, room_bytes: int | None = None) -> None:
        """Name things; nothing is looked at yet."""
        torch = running_torch()
        self.pins = (pins or Pins.read()).like(torch)
        self.room_bytes = room_bytes or (_CPU_BYTES if (torch or "").endswith("+cpu") else _CUDA_BYTES)
        named = os.environ.get(VARIABLE)
        self.folder = (folder or (Path(named) if named else _folder(self.pins))).expanduser().absolute()
        self.python = self.folder / "bin" / "python"
        self._lock = self.folder.with_name(f"{self.folder.name}.lock")
        self._log = self.folder.with_name(f"{self.folder.name}.log")

    def status(self) -> Status:
        """Look at it, without starting anything: some milliseconds."""
        state, detail = self._state()
        size_bytes = self._marker().get("size_bytes")
        fix = "" if state == "ready" else f"Run: {_COMMAND}"
        return Status(state=state, path=self.folder, size_bytes=size_bytes, detail=detail, fix=fix)

    def ensure(self, report: Callable[[str], None], *, check: bool = False) -> Path:
        """Give the path of its python; make or repair the environment first where that is needed.

        A healthy one needs no network and no pip.

        Args:
            report: Is told what is being done, in sentences.
            check: Also import everything anew (some seconds) where it looks healthy.

        Raises:
            ConfigError: pip failed, there is no room, or a folder of the caller's own is not what is needed.
        """
        if not check and self.status().state == "ready":
            return self.python
        with installer.alone(self._lock, self._follower(report)) as held:
            self._log.write_text("", encoding="utf-8")
            say = self._said(report)
            if check or self.status().state != "ready":
                self._make(say, held, check=check)
        return self.python

    def remove(self) -> None:
        """Delete it, once nobody is installing.

        Raises:
            ConfigError: The folder was not made here.
        """
        with installer.alone(self._lock, lambda: None):
            if self._foreign():
                raise ConfigError(
                    f"{self.folder} was not made by anytune: it is left alone.", fix=f"Unset {VARIABLE}, or delete it yourself."
                )
            shutil.rmtree(self.folder, ignore_errors=True)
            self._log.unlink(missing_ok=True)
        self._lock.unlink(missing_ok=True)

    def _state(self) -> tuple[Literal["ready", "missing", "partial", "broken"], str]:
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return "missing", "AutoTrain's own environment has not been made yet: one to two minutes, once for a machine."
        marker = self._marker()
        done = marker.get("done", [])
        if not os.access(self.python, os.X_OK):
            return ("broken", "Its python is gone.") if "venv" in done or not marker else ("partial", "An install was interrupted.")
        wrong = self._differing()
        if not marker:
            return ("broken", f"It was not made by anytune, and {wrong}.") if wrong else ("partial", "It has not been tried yet.")
        if set(_STAGES) - set(done):
            return "partial", f"Done: {', '.join(done) or 'nothing'}; an install was interrupted, or goes on."
        if wrong or marker.get("pins") != self.pins.digest:
            return "broken", f"Of its packages, {wrong}." if wrong else "It was made for another version of anytune."
        return "ready", f"AutoTrain {self.pins.versions().get('autotrain-advanced', '')}, checked when it was made.".replace("  ", " ")

    def _differing(self) -> str:
        """Say which distribution is not what was asked for; empty where all are."""
        for name, version in self.pins.versions().items():
            found = next((d.version for d in importlib.metadata.distributions(name=name, path=self._packages())), None)
            if found is None or found.partition("+")[0] != version:
                return f"{name} is {found or 'missing'} instead of {version}"
        return ""

    def _packages(self) -> list[str]:
        return [str(path) for path in self.folder.glob("lib/python*/site-packages")]

    def _marker(self) -> dict[str, Any]:
        try:
            return durable.read(self.folder / _MARKER) or {}
        except (OSError, ValueError):
            return {}

    def _foreign(self) -> bool:
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return False
        return bool(self._marker().get("adopted", not (self.folder / _MARKER).is_file()))

    def _make(self, say: Callable[[str], None], held: int, *, check: bool) -> None:
        if self._foreign():
            self._adopt(say, held)
            return
        state, detail = self._state()
        done = list(self._marker().get("done", []))
        if state == "broken":
            say(f"AutoTrain's environment is repaired: {detail}")
            done = ["venv"]
        if not self._runs(held):
            done = []
        elif check and "probe" in done:
            done.remove("probe")
        older = "venv" in done
        self._require_room()
        for stage in _STAGES[:-1]:
            if stage not in done:
                self._stage(stage, say, held)
                done.append(stage)
                self._keep(done)
        wrong = self._probe(say, held)
        if wrong and older:
            wrong = self._repair(say, held)
        if wrong:
            raise ConfigError(
                f"AutoTrain's environment is installed but does not work: {wrong}", fix=f"Delete {self.folder}, then: {_COMMAND}"
            )
        self._keep(list(_STAGES), size_bytes=_size_bytes(self.folder))
        say("AutoTrain's environment is ready.")

    def _adopt(self, say: Callable[[str], None], held: int) -> None:
        """Use a folder of the caller's own as it is, once it proved itself; nothing is installed into it."""
        wrong = "its python is missing" if not os.access(self.python, os.X_OK) else self._differing() or self._probe(say, held)
        if wrong:
            raise ConfigError(
                f"{self.folder} was not made by anytune, and does not serve as AutoTrain's environment: {wrong}.",
                fix=f"Unset {VARIABLE}, let it name a folder that does not exist yet, or correct that one.",
            )
        self._keep(list(_STAGES), size_bytes=_size_bytes(self.folder), adopted=True)
        say("AutoTrain's environment is ready.")

    def _stage(self, stage: str, say: Callable[[str], None], held: int) -> None:
        say(f"AutoTrain's environment, part {_STAGES.index(stage) + 1} of {len(_STAGES)}: {stage} …")
        if stage == "venv":
            self._venv(held)
            return
        constraints = self.folder / "constraints.txt"
        constraints.write_text("\n".join((*self.pins.torch, *self.pins.tested)) + "\n", encoding="utf-8")
        wanted = {
            "torch": self.pins.torch,
            "libraries": self.pins.libraries,
            "autotrain": ("--no-deps", *self.pins.alone) if self.pins.alone else (),
        }[stage]
        if wanted:
            installer.install(self.python, ["-c", str(constraints), *wanted], keep=held, log=self._pip_log(), say=say)

    def _venv(self, held: int) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        self._keep([])
        status, lines = installer.run([sys.executable, "-I", "-m", "venv", str(self.folder)], keep=held)
        if status:
            raise ConfigError(
                f"No virtual environment could be made with {sys.executable}: {(lines or ['no reason was given'])[-1][:300]}",
                fix=f"Install Python's `venv` (Debian: python3-venv), or let {VARIABLE} name an environment that has AutoTrain's pins.",
            )

    def _runs(self, held: int) -> bool:
        """Tell whether its python starts, is still the version that the packages are for, and has pip."""
        if not os.access(self.python, os.X_OK):
            return False
        ask = "import pip, sysconfig; print(sysconfig.get_paths()['purelib'])"
        status, lines = installer.run([str(self.python), "-I", "-c", ask], keep=held)
        return status == 0 and lines[-1:] == self._packages()[:1]

    def _probe(self, say: Callable[[str], None], held: int) -> str:
        """Import everything in the new interpreter; give what went wrong, or nothing."""
        say(f"AutoTrain's environment, part {len(_STAGES)} of {len(_STAGES)}: trying it …")
        status, lines = installer.run([str(self.python), "-I", "-B", "-c", _PROBE, *self.pins.probe], keep=held)
        return "" if status == 0 else (lines or [f"it ended with {status}"])[-1][:300]

    def _repair(self, say: Callable[[str], None], held: int) -> str:
        """Put right what does not import: files that are gone, then packages that are gone, then everything."""
        damaged = sorted(_damaged(self._packages()))
        if damaged:
            say(f"AutoTrain's environment lost files of {', '.join(damaged)}: they are installed again …")
            installer.install(self.python, ["--force-reinstall", "--no-deps", *damaged], keep=held, log=self._pip_log(), say=say)
        self._keep(["venv"])
        wrong = ""
        for first in ("torch", "venv"):
            for stage in _STAGES[_STAGES.index(first) : -1]:
                self._stage(stage, say, held)
            wrong = self._probe(say, held)
            if not wrong:
                break
        return wrong

    def _keep(self, done: list[str], size_bytes: int | None = None, *, adopted: bool = False) -> None:
        durable.write(self.folder / _MARKER, {"pins": self.pins.digest, "done": done, "size_bytes": size_bytes, "adopted": adopted})

    def _pip_log(self) -> Path:
        return self.folder / "pip.log"

    def _require_room(self) -> None:
        there = self.folder
        while not there.is_dir():
            there = there.parent
        needed = self.room_bytes - (_size_bytes(self.folder) if self.folder.is_dir() else 0)
        free = shutil.disk_usage(there).free
        if free < needed:
            raise ConfigError(
                f"AutoTrain's environment needs {needed:,} bytes more in {self.folder.parent}, and {free:,} are free.",
                fix=f"Make room, or let {VARIABLE} name a folder on another disk.",
            )

    def _said(self, report: Callable[[str], None]) -> Callable[[str], None]:
        def say(text: str) -> None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")
            report(text)

        return say

    def _follower(self, report: Callable[[str], None]) -> Callable[[], None]:
        """Give what a waiting process does: it passes on what the working one says."""
        told = 0

        def follow() -> None:
            nonlocal told
            with contextlib.suppress(OSError):
                lines = self._log.read_text(encoding="utf-8").splitlines()
                for line in lines[told:]:
                    report(line)
                told = len(lines)

        return follow


def ensure(report: Callable[[str], None], *, check: bool = False) -> Path:
    """Give the path of the environment's python; as for `Environment.ensure`."""
    return Environment().ensure(report, check=check)


def status() -> Status:
    """Look at the environment; as for `Environment.status`."""
    return Environment().status()


def remove() -> None:
    """Delete the environment; as for `Environment.remove`."""
    Environment().remove()


def older(cache: Path | None = None) -> list[Path]:
    """Find environments in the user's cache that were made from other lists of pins; another anytune on this machine may use one.

    Args:
        cache: Where they lie; the user's cache by default.
    """
    mine = _folder(Pins.read(), cache)
    folders = mine.parent.glob(f"autotrain-*-{mine.name.rpartition('-')[2]}")
    return sorted(folder for folder in folders if folder != mine and (folder / _MARKER).is_file())


def _folder(pins: Pins, cache: Path | None = None) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (cache or platformdirs.user_cache_path("anytune")) / f"autotrain-{pins.digest}-py{version}"


def _size_bytes(folder: Path) -> int:
    paths = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)  # noqa: PTH118 - 40,000 of them
    return sum(os.lstat(path).st_size for path in paths)


def _damaged(packages: Sequence[str]) -> Iterator[str]:
    """Name the distributions that lost a file, or have one of another size than was installed, as `name==version`."""
    for distribution in importlib.metadata.distributions(path=list(packages)):
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if file.size is not None and (not path.is_file() or path.stat().st_size != file.size):
                yield f"{distribution.metadata['Name']}=={distribution.version.partition('+')[0]}"
                break


def main(argv: Sequence[str] | None = None) -> int:
    """Make the environment and say how far it is; or only look, or delete older ones. Gives the exit code: 0 where it is ready."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description="Make AutoTrain's own environment, or repair it.")
    parser.add_argument("--status", action="store_true", help="only look, and start nothing")
    parser.add_argument("--remove-older", action="store_true", help="delete those of earlier versions of anytune; make nothing")
    asked = parser.parse_args(argv)
    try:
        if asked.remove_older:
            for folder in older():
                Environment(folder).remove()
                _line(f"removed: {folder}")
        elif not asked.status:
            ensure(_line, check=True)
        found = status()
    except AnytuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    size = f", {found.size_bytes / 1e9:.1f} GB" if found.size_bytes else ""
    _line(f"{found.state}: {found.path}{size}. {found.detail} {found.fix}".strip())
    return 0 if found.state == "ready" else 1


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
