"""What is asked of a split, and what `split.json` keeps of one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anytune.data import assign as rule
from anytune.values import Finding, Value

__all__ = ["MANIFEST", "Part", "Split", "Wish"]

MANIFEST = "split.json"
"""Name of the file that says how a split was made."""


class Part(Value):
    """One side of a split.

    Attributes:
        file: Name of the file in the split's folder.
        rows: Rows in it.
        sha256: Of the file's bytes, in hex.
        strata: Rows of each stratum, where the split is stratified.
    """

    file: str
    rows: int
    sha256: str
    strata: dict[str, int] = Field(default_factory=dict)


class Wish(Value):
    """What was asked for.

    Attributes:
        seed: Another seed gives another split.
        validation: Share (below 1) or number of validation rows.
        test: The same for a test file.
        group_by: Path of what rows are kept together by.
        stratify_by: Path of what has the same shares on all sides.
        dedup: Rows that came before are left out.
        near: Rows that are nearly the same are kept together.
    """

    seed: int
    validation: float
    test: float
    group_by: str | None
    stratify_by: str | None
    dedup: bool
    near: bool

    @property
    def mode(self) -> Literal["cut", "ranked"]:
        """Tell how rows are placed: by a hash alone, or by their rank where numbers or strata were asked for."""
        return "ranked" if self.stratify_by or self.validation >= 1 or self.test >= 1 else "cut"


class Split(Value):
    """What was done, as `split.json` keeps it.

    Attributes:
        rule: Name of the rule: the same rule, seed, options and rows give the same files.
        mode: `cut`: rows added later move no other row. `ranked` (counts or strata): exact numbers, and rows at the edge may move.
        seed: As in `Wish`, like the next six.
        validation: As there.
        test: As there.
        group_by: As there.
        stratify_by: As there.
        dedup: As there.
        near: As there.
        source: Name of the file that was split.
        source_sha256: Of its bytes, in hex.
        source_rows: Rows in it.
        left_out: Rows that were left out as repeats.
        removed_keys: Keys at the top of rows that grouping or stratifying used and that no trainer knows: they are not written.
        findings: How the file was read, and what was lost by that.
        parts: The files by side.
    """

    rule: str = rule.RULE
    mode: Literal["cut", "ranked"]
    seed: int
    validation: float
    test: float
    group_by: str | None = None
    stratify_by: str | None = None
    dedup: bool = True
    near: bool = False
    source: str
    source_sha256: str
    source_rows: int
    left_out: int = 0
    removed_keys: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    parts: dict[Literal["train", "validation", "test"], Part]
