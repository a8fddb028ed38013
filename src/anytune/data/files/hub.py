"""Datasets by name: files of the Hugging Face Hub, and folders of files, as one local file."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.data.files.shards import Splits, choose, declared, found, join
from anytune.errors import DataError
from anytune.paths import home
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Located", "locate", "resolve"]

_SOURCE = re.compile(r"hf:(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[^:\s]+))?(?::(?P<wanted>[\w.-]+(?:/[\w.-]+)?))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Located(Value):
    """Where data lies.

    Attributes:
        path: The one file to read.
        source: What was asked for.
        revision: The commit of the Hub's dataset that was read; empty for local data.
        files: The dataset's files that make up `path`, in order.
    """

    path: Path
    source: str
    revision: str = ""
    files: tuple[str, ...] = ()


def resolve(source: str | Path) -> Path:
    """Give the one local file that a name stands for; see `locate`."""
    return locate(source).path


def locate(source: str | Path) -> Located:
    """Find data, and fetch it where it lies on the Hub.

    Args:
        source: `hf:owner/name[@revision][:split]` or `…[:config/split]`: a dataset of the Hugging Face Hub; the training split by default.
            A folder: its data files, which must be of one split or have a training split. Anything else is the path of a file and given
            back as it is. Several files of one split are joined into one JSONL file, which is kept under `ANYTUNE_HOME` by the commit, or
            by their sizes and times.

    Raises:
        DataError: The name is not understood; the dataset, its revision or split is not there, or closed; the Hub cannot be asked;
            huggingface-hub is not installed.
    """
    text = str(source)
    if text.startswith("hf:"):
        return _from_hub(text)
    path = Path(source)
    return _from_folder(path) if path.is_dir() else Located(path=path, source=text)


def _from_folder(folder: Path) -> Located:
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    files = choose(found(names), "", str(folder))
    paths = [folder / name for name in files]
    if len(paths) == 1:
        return Located(path=paths[0], source=str(folder), files=tuple(files))
    marks = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return Located(path=_joined(paths, marks), source=str(folder), files=tuple(files))


def _from_hub(source: str) -> Located:
    parts = _SOURCE.fullmatch(source)
    if parts is None:
        raise DataError(f"{source!r} names no dataset.", fix="Write hf:OWNER/NAME, then @REVISION and :SPLIT or :CONFIG/SPLIT if needed.")
    try:
        import huggingface_hub as hub  # noqa: PLC0415 - an extra, and heavy
    except ImportError as error:
        raise DataError(f"{source} lies on the Hub, and huggingface-hub is not installed.", fix='pip install "anytune[data]"') from error
    repo, asked = parts["repo"], parts["revision"]
    record = _Record(source)
    with _translated(repo, asked or "main"):
        if hub.is_offline_mode() or (record.kept and _COMMIT.fullmatch(asked or "")):
            revision, files = record.read()
        else:
            revision = str(hub.HfApi().dataset_info(repo, revision=asked).sha)
            names = hub.HfApi().list_repo_files(repo, repo_type="dataset", revision=revision)
            files = choose(_splits(repo, revision, names), parts["wanted"] or "", repo)
        paths = [Path(hub.hf_hub_download(repo, name, repo_type="dataset", revision=revision)) for name in files]
    record.write(revision, files)
    path = paths[0] if len(paths) == 1 else _joined(paths, [repo, revision, *files])
    return Located(path=path, source=source, revision=revision, files=tuple(files))


def _splits(repo: str, revision: str, names: Sequence[str]) -> Splits:
    """Take what the dataset's card says, or what its file names say."""
    if "README.md" not in names:
        return found(names)
    import huggingface_hub as hub  # noqa: PLC0415 - an extra, and heavy
    import yaml  # noqa: PLC0415 - only here

    text = Path(hub.hf_hub_download(repo, "README.md", repo_type="dataset", revision=revision)).read_text(
        encoding="utf-8", errors="replace"
    )
    front = text.split("---\n", 2)
    try:
        card = yaml.safe_load(front[1]) if text.startswith("---\n") and len(front) > 2 else {}  # noqa: PLR2004 - before, between, after
    except yaml.YAMLError:
        card = {}
    return declared(card if isinstance(card, dict) else {}, names) or found(names)


class _Record:
    """What a name stood for when it was last asked, so that it can be told without the network."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._path = home() / "datasets" / f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.json"

    @property
    def kept(self) -> bool:
        return self._path.exists()

    def read(self) -> tuple[str, list[str]]:
        try:
            kept: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            return str(kept["revision"]), [str(name) for name in kept["files"]]
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{self._source} was not fetched on this machine before, and HF_HUB_OFFLINE is set.",
                fix="Unset HF_HUB_OFFLINE once, or download the file elsewhere and give its path.",
            ) from error

    def write(self, revision: str, files: Sequence[str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({"source": self._source, "revision": revision, "files": list(files)}), encoding="utf-8")


def _joined(paths: Sequence[Path], marks: Sequence[str]) -> Path:
    mark = hashlib.sha256("\n".join(marks).encode()).hexdigest()[:32]
    target = home() / "datasets" / f"{mark}.jsonl"
    join(paths, target)
    return target


@contextmanager
def _translated(repo: str, revision: str) -> Iterator[None]:
    """Say in our words what the Hub's client raises."""
    from httpx2 import HTTPError  # noqa: PLC0415 - the Hub's client stands on it
    from huggingface_hub import errors  # noqa: PLC0415 - an extra, and heavy

    page = f"https://huggingface.co/datasets/{repo}"
    try:
        yield
    except DataError:
        raise
    except errors.GatedRepoError as error:
        raise DataError(f"{repo} is gated.", fix=f"Accept its terms at {page}, and set HF_TOKEN to a token of that account.") from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"The Hub has no dataset {repo}, or not for this account.", fix="Check the name; for a private dataset, set HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(f"{repo} has no revision {revision!r}.", fix=f"See its branches, tags and commits at {page}/commits.") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise DataError(
            f"{repo} is not on this machine, and the Hub cannot be asked.", fix="Unset HF_HUB_OFFLINE, or see whether the network is there."
        ) from error
    except errors.EntryNotFoundError as error:
        raise DataError(f"{repo} has lost a file at {revision!r}.", fix="Try again, with @REVISION.") from error
    except errors.HFValidationError as error:
        raise DataError(f"{repo!r} is no name that the Hub takes.", fix="Write hf:OWNER/NAME.") from error
    except (HTTPError, OSError) as error:
        said = str(error).partition("\n")[0]
        fix = "Try again later, or set HF_HUB_OFFLINE=1 to read what was fetched before."
        if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in {401, 403}:
            fix = f"Set HF_TOKEN to a token of an account that can see {page}, or see whether the one that is set still holds."
        raise DataError(f"The Hub could not give {repo}: {said}", fix=fix) from error
