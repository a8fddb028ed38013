"""The first thing that runs in a container: gets the code, installs what is missing, and becomes the runner.

Its text goes along with the job, as nothing of ours is there yet: the standard library only, and nothing of this package.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TRIES = 8
_LONGEST_S = 60
_TIMEOUT_S = 60
_REFUSED = (401, 403, 404)


def main() -> None:
    """Fetch, check, unpack, install, become the runner."""
    told = json.loads(os.environ["ANYTUNE_CODE"])
    os.environ.setdefault("ANYTUNE_STARTED", str(time.time()))
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    folder = Path(tempfile.mkdtemp(prefix="anytune-code-"))
    archive = folder / "code.zip"
    archive.write_bytes(fetched(f"{endpoint}/datasets/{told['repo']}/resolve/main/code/{told['sha256']}.zip", told["sha256"]))
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)  # its hash was checked
    lines = list(missing(told["requirements"]))
    if lines:
        install(lines)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    os.execv(sys.executable, [sys.executable, "-P", "-m", "anytune_huggingface.compute.remote"])  # noqa: S606 - argv, no shell


def fetched(url: str, sha256: str) -> bytes:
    """Fetch the archive, and refuse another one."""
    request = urllib.request.Request(url, headers={"User-Agent": "anytune"})  # noqa: S310 - the Hub's address
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['HF_TOKEN']}")  # storage elsewhere does not get it
    tried = 1
    while (content := _answer(request, last=tried == _TRIES)) is None:
        time.sleep(min(2**tried, _LONGEST_S))
        tried += 1
    if hashlib.sha256(content).hexdigest() != sha256:
        sys.exit("anytune: the code on the Hub is not the code that was sent")
    return content


def _answer(request: urllib.request.Request, *, last: bool) -> bytes | None:
    """Give what the Hub answers; None where it may be asked again."""
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310 - the Hub's address
            content: bytes = reply.read()
            return content
    except OSError as error:
        if last or getattr(error, "code", 0) in _REFUSED:
            sys.exit(f"anytune: the code cannot be had from the Hub: {error}")
        return None


def missing(lines: Iterable[str]) -> Iterator[str]:
    """Give the requirements that the image does not meet; the local part of a version (`+cu128`) says how it was built."""
    for line in lines:
        name, _, wanted = line.partition("==")
        try:
            version = importlib.metadata.version(name.partition("[")[0])
        except (importlib.metadata.PackageNotFoundError, ValueError):
            version = ""
        if not wanted or version.partition("+")[0] != wanted:
            yield line


def install(lines: list[str]) -> None:
    """Install requirements beside what the image has, with uv where it is there; no index sees the token."""
    uv = shutil.which("uv")
    tool = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install", "--no-input"]
    subprocess.run([*tool, *lines], check=True, env={name: value for name, value in os.environ.items() if name != "HF_TOKEN"})


if __name__ == "__main__":
    main()
