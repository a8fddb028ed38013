"""Names of models on the Hub, as anytune writes them: `owner/name[@revision][:subfolder]`."""

from __future__ import annotations

import re

from anytune.errors import ConfigError
from anytune.values import Value

__all__ = ["HubName", "name"]

_REPO = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"(?P<repo>{_REPO})(?:@(?P<revision>[^@:\s]+))?(?::(?P<subfolder>[^@:\s]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubName(Value):
    """A model's place on the Hub.

    Attributes:
        repo: `owner/name`.
        revision: A branch, a tag or a commit; None: the main branch as it is now.
        subfolder: Where in the repository: an adapter, a checkpoint.
    """

    repo: str
    revision: str | None = None
    subfolder: str | None = None

    @property
    def pinned(self) -> bool:
        """Tell whether it names a commit: then it stands for the same bytes for ever."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def at(self, revision: str) -> HubName:
        """Give the same place at another revision."""
        return self.model_copy(update={"revision": revision})

    def __str__(self) -> str:
        """Write it as it is read."""
        return self.repo + (f"@{self.revision}" if self.revision else "") + (f":{self.subfolder}" if self.subfolder else "")


def name(word: str) -> HubName | None:
    """Read a name; None where the word cannot be one (a path, `starter`).

    Raises:
        ConfigError: The subfolder leads out of the repository.

    Example:
        >>> name("acme/tiny@v1:adapter")
        HubName(repo='acme/tiny', revision='v1', subfolder='adapter')
        >>> name("./acme/tiny") is None
        True
    """
    match = _NAME.fullmatch(word)
    if match is None:
        return None
    folder = match["subfolder"]
    if folder is not None and (folder.startswith("/") or not {"", ".", ".."}.isdisjoint(folder.rstrip("/").split("/"))):
        raise ConfigError(f"{word!r} names no folder inside of its repository.", fix="Write owner/name@revision:folder/in/it.")
    return HubName(repo=match["repo"], revision=match["revision"], subfolder=folder.rstrip("/") if folder else None)
