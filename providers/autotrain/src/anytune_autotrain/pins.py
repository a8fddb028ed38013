"""What is installed into AutoTrain's own environment: a list of exact versions in stages."""

from __future__ import annotations

import hashlib
import importlib.metadata
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Pins", "running_torch"]

_SECTIONS = ("torch", "libraries", "alone", "tested", "probe")


class Pins(NamedTuple):
    """A list of pins, by section.

    Attributes:
        torch: Installed first: it decides between gigabytes of CUDA libraries and a CPU build.
        libraries: Installed next, with what they need.
        alone: Installed without what their metadata asks for.
        tested: Versions of what comes along, as constraints.
        probe: Modules that are imported before the environment counts as ready.
        digest: Of the file, 12 hexadecimal digits.
    """

    torch: tuple[str, ...]
    libraries: tuple[str, ...]
    alone: tuple[str, ...]
    tested: tuple[str, ...]
    probe: tuple[str, ...]
    digest: str

    @classmethod
    def read(cls, path: Path | None = None) -> Pins:
        """Read a file of pins; the package's own by default.

        Raises:
            ConfigError: It has a line that stands in no section, or a section that is not known.
        """
        text = path.read_text(encoding="utf-8") if path else files(__package__).joinpath("pins.txt").read_text(encoding="utf-8")
        found: dict[str, list[str]] = {name: [] for name in _SECTIONS}
        section = ""
        for line in text.splitlines():
            entry = line.partition("#")[0].strip()
            if entry.startswith("["):
                section = entry.strip("[]")
            elif entry and section in found:
                found[section].append(entry)
            elif entry:
                raise ConfigError(f"The list of pins has a line in no section: {entry}.", fix=f"The sections are {', '.join(_SECTIONS)}.")
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        torch, libraries, alone, tested, probe = (tuple(found[name]) for name in _SECTIONS)
        return cls(torch, libraries, alone, tested, probe, digest)

    def like(self, torch: str | None) -> Pins:
        """Take the version of a CPU build of torch that is in use already; any other build says nothing of what is wanted here."""
        if torch is None or not torch.endswith("+cpu"):
            return self
        return self._replace(
            torch=tuple(f"torch=={torch.removesuffix('+cpu')}" if pin.startswith("torch==") else pin for pin in self.torch)
        )

    def versions(self) -> dict[str, str]:
        """Give the exact version of each distribution that was asked for by name, but for torch, whose version is the machine's matter."""
        pairs = (pin.partition("==") for pin in (*self.torch, *self.libraries, *self.alone))
        return {name: version for name, _, version in pairs if version and name != "torch"}


def running_torch() -> str | None:
    """Give the version of torch in the running interpreter, with its build (`2.13.0+cpu`), without importing it; None without torch."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
