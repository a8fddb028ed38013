"""Checkpoints that can be trusted: each has a manifest of its files' sha256, written last; only a complete, unchanged one is resumed."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anytune.values import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MANIFEST", "last_good", "listed", "metrics", "problem", "prune", "seal", "sha256", "step"]

MANIFEST = "anytune.manifest.json"

_CHUNK_BYTES = 1 << 20


def seal(folder: Path, numbers: dict[str, float] | None = None) -> None:
    """Write the manifest of a finished checkpoint: from here on it counts as good."""
    files = {str(p.relative_to(folder)): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file() and p.name != MANIFEST}
    for name in files:
        _sync(folder / name)
    body = {"step": step(folder), "metrics": numbers or {}, "files": files}
    scratch = folder / f"{MANIFEST}.tmp"
    scratch.write_text(json.dumps(body, indent=1), encoding="utf-8")
    _sync(scratch)
    scratch.rename(folder / MANIFEST)
    _sync(folder)


def last_good(output: Path) -> tuple[Path | None, list[str]]:
    """Find the newest checkpoint whose files are all there and unchanged.

    Returns:
        Its folder or None, and what was wrong with each newer one.
    """
    problems: list[str] = []
    for folder in sorted(output.glob("checkpoint-*"), key=step, reverse=True):
        wrong = problem(folder)
        if wrong is None:
            return folder, problems
        problems.append(f"{folder.name}: {wrong}")
    return None, problems


def listed(output: Path) -> list[Checkpoint]:
    """List the finished checkpoints, oldest first; their bytes are not verified here."""
    found = []
    for folder in sorted(output.glob("checkpoint-*"), key=step):
        manifest = _manifest(folder)
        if manifest is not None:
            at = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC)
            found.append(
                Checkpoint(id=folder.name, step=step(folder), model=str(folder), metrics=manifest.get("metrics", {}), created_at=at)
            )
    return found


def prune(output: Path, keep: int) -> list[Path]:
    """Name the finished checkpoints beyond the newest `keep`, oldest first."""
    sealed = [folder for folder in sorted(output.glob("checkpoint-*"), key=step) if (folder / MANIFEST).is_file()]
    return sealed[:-keep] if keep < len(sealed) else []


def metrics(folder: Path) -> dict[str, float]:
    """Give the numbers that were kept with a finished checkpoint."""
    manifest = _manifest(folder)
    return dict(manifest.get("metrics", {})) if manifest else {}


def sha256(path: Path) -> str:
    """Hash a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def problem(folder: Path) -> str | None:
    """Say what is wrong with a checkpoint's files, or None where all are there and unchanged."""
    manifest = _manifest(folder)
    if manifest is None:
        return "it was not finished"
    files: dict[str, str] = manifest["files"]
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST}
    if extra := sorted(present - set(files)):
        return f"{extra[0]} was added"
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256(path) != digest:
            return f"{name} was changed"
    return None


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None


def step(folder: Path) -> int:
    """Read a checkpoint's step from its folder's name; -1 where it has none."""
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
