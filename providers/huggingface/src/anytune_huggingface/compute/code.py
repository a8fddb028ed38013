"""The code that goes along into the cloud: exactly the packages that looked at the spec, and what pip has to install beside them.

Our own distributions travel as one archive, named by its content, so that the code of a job never depends on a release that may not be
published (or be another one). What they require is pinned to the versions that are installed here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from anytune.errors import BackendMissing
from anytune_huggingface.hub.errors import asking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anytune_huggingface.hub.client import Hub

__all__ = ["BOOTSTRAP", "Bundle", "bundle", "requirements", "send"]

BOOTSTRAP = (Path(__file__).parent / "bootstrap.py").read_text(encoding="utf-8")
"""What a container runs first; see there."""

_LEFT_OUT = {"__pycache__", "tests", "testing"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_INFO = ("METADATA", "entry_points.txt")


class Bundle(NamedTuple):
    """An archive of packages: a zip whose folder belongs on PYTHONPATH."""

    content: bytes
    sha256: str


def bundle(distributions: Iterable[str]) -> Bundle:
    """Pack installed pure-Python distributions; the same code gives the same bytes.

    Raises:
        BackendMissing: One is not installed.
    """
    files: dict[str, bytes] = {}
    for name in distributions:
        files |= dict(_files(name))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[path], zipfile.ZIP_DEFLATED)
    content = stream.getvalue()
    return Bundle(content, hashlib.sha256(content).hexdigest())


def send(hub: Hub, repo: str, packed: Bundle) -> None:
    """Put an archive into a private dataset repository as `code/<sha256>.zip`, once for its bytes.

    Raises:
        Rejected: The repository is public.
    """
    from huggingface_hub import CommitOperationAdd  # noqa: PLC0415 - takes half a second to load

    path = f"code/{packed.sha256}.zip"
    hub.create(repo, kind="dataset")

    def put(sha: str) -> list[Any] | None:
        with asking(f"{repo}/{path}"):
            if hub.api.get_paths_info(repo, [path], repo_type="dataset", revision=sha):
                return None
        return [CommitOperationAdd(path_in_repo=path, path_or_fileobj=packed.content)]

    hub.commit(repo, put, f"Code {packed.sha256[:12]}", kind="dataset")


def requirements(distributions: Iterable[str], further: Iterable[str] = ()) -> tuple[str, ...]:
    """Give the lines that pip has to install: what the distributions require of others, pinned to what is installed here, sorted.

    Args:
        distributions: Our own, which are not among the lines.
        further: More lines; a bare name is pinned too, where it is installed.

    Raises:
        BackendMissing: A distribution is not installed.
    """
    own = {canonicalize_name(name) for name in distributions}
    found: dict[str, Requirement] = {}
    waiting: list[tuple[str, str]] = [(name, "") for name in sorted(own)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for needed in _needs(name, extra):
            key = canonicalize_name(needed.name)
            if key in own:
                waiting += [(key, word) for word in needed.extras]
            else:
                _add(found, key, needed)
    for line in further:
        needed = Requirement(line)
        _add(found, canonicalize_name(needed.name), needed)
    return tuple(_pinned(found[key]) for key in sorted(found))


def _add(found: dict[str, Requirement], key: str, needed: Requirement) -> None:
    if key in found:
        needed.extras |= found[key].extras
        needed.specifier &= found[key].specifier
    found[key] = needed


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    for line in _distribution(name).requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            yield needed


def _pinned(needed: Requirement) -> str:
    """Pin a requirement to what is installed here. The local part of a version (`+cpu`) says how it was built: it is not on the index."""
    extras = f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
    try:
        version = importlib.metadata.version(needed.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{needed.name}{extras}{needed.specifier}"
    return f"{needed.name}{extras}=={version.partition('+')[0]}"


def _files(name: str) -> Iterator[tuple[str, bytes]]:
    distribution = _distribution(name)
    package = re.sub(r"[-.]+", "_", name)
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(name)
    root = Path(spec.submodule_search_locations[0])
    for path in root.rglob("*"):
        inside = path.relative_to(root)
        if path.is_file() and _LEFT_OUT.isdisjoint(inside.parts) and path.suffix != ".pyc":
            yield f"{package}/{inside.as_posix()}", path.read_bytes()
    for part in _INFO:
        text = distribution.read_text(part)
        if text:
            yield f"{package}-{distribution.version}.dist-info/{part}", text.encode()


def _distribution(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise _missing(name) from None


def _missing(name: str) -> BackendMissing:
    return BackendMissing(f"{name} is not installed, so its code cannot go along into the cloud.", fix=f"pip install {name}")
