"""What a commit on the Hub is made of: files that come, files that go, and which files of a model are worth keeping."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["add", "beyond", "delete", "published", "replaced"]

_MODEL = (
    *("config.json", "generation_config.json", "adapter_config.json", "*.safetensors", "*.safetensors.index.json", "*.jinja"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.model"),
    *("chat_template.json", "preprocessor_config.json", "processor_config.json"),
)


def add(path: str, content: bytes | Path) -> Any:
    """Give the operation that puts a file there: its bytes, or where they lie."""
    from huggingface_hub import CommitOperationAdd  # noqa: PLC0415 - takes half a second to load

    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


def delete(path: str) -> Any:
    """Give the operation that removes a file, or a folder whose path ends with a slash."""
    from huggingface_hub import CommitOperationDelete  # noqa: PLC0415 - as above

    return CommitOperationDelete(path_in_repo=path, is_folder=path.endswith("/"))


def replaced(files: Sequence[str], there: str, folder: Path) -> list[Any]:
    """Give the operations that make a folder of the repository what the local one is."""
    local = {f"{there}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*")) if path.is_file()}
    stale = [path for path in files if path.startswith(f"{there}/") and path not in local]
    return [*(add(name, path) for name, path in local.items()), *map(delete, stale)]


def beyond(files: Sequence[str], newest: str, keep: int | None) -> list[str]:
    """Name the folders of checkpoints that go when one more comes, so that `keep` are left; None keeps all."""
    if keep is None:
        return []
    there = {path.split("/")[1] for path in files if path.startswith("checkpoints/") and path.count("/") > 1} | {newest}
    ordered = sorted((name for name in there if name.rpartition("-")[2].isdigit()), key=lambda name: int(name.rpartition("-")[2]))
    return [name for name in ordered[: -max(keep, 1)] if name != newest]


def published(folder: Path) -> list[tuple[str, Path]]:
    """Give the files of a model or an adapter that belong into a repository: weights as safetensors, config, tokenizer, templates.

    Everything else stays: pickles run code when they are loaded, an optimizer's state serves nobody, and `parity.json` holds prompts.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(name, path) for path in found if _belongs(name := path.relative_to(folder).as_posix())]


def _belongs(name: str) -> bool:
    if name.startswith("additional_chat_templates/"):
        return name.endswith(".jinja")
    return "/" not in name and not name.startswith("optimizer") and any(fnmatch(name, pattern) for pattern in _MODEL)
