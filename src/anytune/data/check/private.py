"""Secrets and personal data, row by row. A finding says of what kind, where, and how long: never the value, nor text around it."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.codes import finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytune.data.rows import Text
    from anytune.values import Finding

__all__ = ["Private"]

_LISTED = 100
"""Findings of one kind and file that keep their message and shape; of those beyond, the row is kept."""

_LIKELY = re.compile(
    r"@|\d\D{0,2}\d\D{0,2}\d\D{0,2}\d\D{0,2}\d\D{0,2}\d|[A-Za-z0-9_+/=-]{20}|://|PRIVATE KEY|PuTTY"
    r"|[Pp]assw|PASSW|[Ss]ecret|SECRET|_key|_KEY|pwd|PWD"
)
"""Most rows have nothing of this, and with it nothing that is looked for."""

_FIX = {
    "secret": "Revoke it where it was issued, since it has been copied. Then take it out of the row, with a word such as `<key>` in its "
    "place: what a model has learned can be got out of it again.",
    "personal-data": "Put an invented value in its place (a name at example.com, a 555-0100 number), or leave the row out, unless those "
    "concerned agreed to its use.",
}


class _Sort(NamedTuple):
    """What findings have in common."""

    code: str
    kind: str
    file: str


class Private:
    """Takes rows one by one, and tells at the end where secrets and personal data are.

    Args:
        secrets: Look for keys, tokens and passwords.
        personal: Look for addresses, telephone, card, account and identity numbers.

    Example:
        >>> from anytune.data.rows import Text
        >>> private = Private()
        >>> private.take(3, [Text(0, "user", "write to maria.keller" + "@" + "posteo.de", trained=False)], "train")
        >>> [(found.code, found.row, found.message) for found in private.findings()]
        [('personal-data', 3, 'E-mail address in the user message: …@…(22 characters).')]
    """

    def __init__(self, *, secrets: bool = True, personal: bool = True) -> None:
        """Load the detectors that are asked for."""
        from anytune.data.check.personal import Personal  # noqa: PLC0415 - opt-out, and not loaded then
        from anytune.data.check.secrets import Secrets  # noqa: PLC0415 - the same

        self._detectors = [
            *([("secret", Secrets().found)] if secrets else []),
            *([("personal-data", Personal().found)] if personal else []),
        ]
        self._listed: dict[_Sort, list[Finding]] = {}
        self._more: dict[_Sort, array[int]] = {}

    def take(self, number: int, texts: Sequence[Text], file: str) -> None:
        """Look at a row.

        Args:
            number: Its number in its file.
            texts: What it says.
            file: `train` or `validation`.
        """
        kinds: set[str] = set()
        for text in texts:
            if not _LIKELY.search(text.text):
                continue
            for code, found in self._detectors:
                for kind, shape in found(text.text):
                    if kind not in kinds:
                        kinds.add(kind)
                        self._keep(_Sort(code, kind, file), number, text, shape)

    def findings(self) -> Iterator[Finding]:
        """Tell what was found: one finding for each row and kind, and of a kind that is in very many rows one for all that are left."""
        several = any(sort.file != "train" for sort in self._listed)
        for sort, listed in self._listed.items():
            more = self._more.get(sort)
            if more:
                words = f"{_named(sort.kind)} in {len(more):,} more rows."
                listed = [*listed, finding(sort.code, words, _FIX[sort.code], rows=more, severity=_severity(sort.kind))]  # noqa: PLW2901
            for one in listed:
                yield one.model_copy(update={"file": sort.file if several else None})

    def _keep(self, sort: _Sort, number: int, text: Text, shape: str) -> None:
        listed = self._listed.setdefault(sort, [])
        if len(listed) >= _LISTED:
            self._more.setdefault(sort, array("I")).append(number)
            return
        where = f"the {text.role} message" if text.message_index is not None else f"the row's {text.role or 'text'}"
        message = f"{_named(sort.kind)} in {where}: {shape}."
        severity = _severity(sort.kind)
        listed.append(finding(sort.code, message, _FIX[sort.code], row=number, message_index=text.message_index, severity=severity))


def _severity(kind: str) -> Literal["warning"] | None:
    """Give the severity of a kind of secret that may be nobody's; other findings have their code's own."""
    from anytune.data.check.secrets import PERHAPS  # noqa: PLC0415 - loaded with the detectors, where they are wanted

    return "warning" if kind.endswith(PERHAPS) else None


def _named(kind: str) -> str:
    return kind[:1].upper() + kind[1:] if kind[1:2].islower() or kind[1:2] == "-" else kind
