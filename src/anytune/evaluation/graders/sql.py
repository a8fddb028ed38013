"""Right or wrong by what a statement finds: the answer's SQL and the right SQL are run on the same small database."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import PrivateAttr, model_validator

from anytune.errors import ConfigError
from anytune.evaluation.graders import child
from anytune.evaluation.graders.compared import Referenced
from anytune.evaluation.graders.reading import unfenced
from anytune.evaluation.graders.templates import Template
from anytune.evaluation.needs import need
from anytune.evaluation.values import Grade

if TYPE_CHECKING:
    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["SqlResult"]

MOST_ROWS = 10_000
MOST_S = 2.0
"""Longest that each statement may compute."""
_WAIT_S = 60.0
"""Longest that the process is waited for, on a machine however busy."""
_LONGEST_SQL = 20_000
_VALUE_BYTES = 10 * 2**20
_MEMORY_BYTES = 512 * 2**20
_SAID_BYTES = 64 * 2**20
_CHILD = Path(__file__).with_name("sqlite_child.py")
_SHOWN = 160


class SqlResult(Referenced):
    """The statement finds what the right one finds. Only one statement that reads is run, in a process of its own, on SQLite in memory.

    Values are compared by place in their row: names of columns mean nothing, numbers are equal within 9 significant digits.
    """

    type: ClassVar[str] = "sql_result"
    setup: str | None = None
    """Statements that make the tables and fill them, with templates, such as `{{item.schema}}`."""
    file: Path | None = None
    """Or a file that holds them, relative to the spec."""
    dialect: str = "sqlite"
    """What the statements are written in, as sqlglot calls it; others than SQLite's are translated."""
    order: Literal["auto", "same", "any"] = "auto"
    """Whether the order of rows counts; `auto` where the right statement has an ORDER BY."""
    _setup: Template = PrivateAttr()
    _script: str = PrivateAttr(default="")

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.setup is None) is (self.file is None):
            raise ValueError("give `setup` or `file`")
        return self

    def prepare(self, desk: Desk) -> None:
        """Read the templates and the file."""
        super().prepare(desk)
        self._setup = Template(self.setup or "", "setup")
        if self.file is not None:
            self._script = _read(desk.folder / self.file)
        try:
            need("sqlglot").Dialect.get_or_raise(self.dialect)
        except ValueError as error:
            raise ConfigError(f"`dialect`: {str(error).partition(chr(10))[0]}", fix="Use a name that sqlglot knows.") from None

    def judged(self, text: str, scene: Scene) -> Grade:
        """Read both statements, run them, compare what they find."""
        setup = self._script if self.file is not None else self._setup.fill(scene)
        wanted, asked = self._statement(self.right(scene)), self._statement(text)
        if isinstance(wanted, str):
            return Grade(score=None, error=f"the right statement: {wanted}")
        if isinstance(asked, str):
            return Grade(score=0.0, note=asked)
        return self._held(_run(setup, [wanted[0], asked[0]]), in_order=self.order == "same" or (self.order == "auto" and wanted[1]))

    def _statement(self, text: str) -> tuple[str, bool] | str:
        """Give a statement in SQLite's words and whether it orders its rows; or why it is not run."""
        if len(text) > _LONGEST_SQL:
            return f"longer than {_LONGEST_SQL:,} characters"
        sqlglot, expressions, kinds = need("sqlglot"), need("sqlglot.expressions"), need("sqlglot.tokens").TokenType
        text = unfenced(text).strip().rstrip(";")
        try:
            # The parser would log what it does not know, with the text; so the tokens decide first.
            tokens = [token.token_type for token in sqlglot.tokenize(text, read=self.dialect)]
            if not tokens or kinds.SEMICOLON in tokens:
                return "not one statement"
            if tokens[0] not in {kinds.SELECT, kinds.WITH, kinds.L_PAREN}:
                return "no statement that only reads"
            found = sqlglot.parse_one(text, read=self.dialect)
            if not isinstance(found, expressions.Query) or any(found.find_all(expressions.Into, expressions.DML)):
                return "no statement that only reads"
            words = text if self.dialect == "sqlite" else found.sql(dialect="sqlite")
        except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
            return "no SQL that can be read"
        return words, found.args.get("order") is not None

    def _held(self, said: dict[str, Any], *, in_order: bool) -> Grade:
        if "setup" in said:
            return Grade(score=None, error=f"the setup failed: {said['setup'].partition(':')[0]}")
        wanted, got = said["results"]
        if "error" in wanted:
            return Grade(score=None, error=f"the right statement failed: {wanted['error'].partition(':')[0]}")
        if "error" in got:
            return Grade(score=0.0, note=got["error"][:_SHOWN])
        rows, right = [[_value(each) for each in row] for row in got["rows"]], [[_value(each) for each in row] for row in wanted["rows"]]
        same = rows == right if in_order else Counter(map(tuple, rows)) == Counter(map(tuple, right))
        return Grade(score=float(same), note="" if same else f"{len(rows)} rows where {len(right)} are right")


def _run(setup: str, queries: list[str]) -> dict[str, Any]:
    """Run them beside us; whatever goes wrong there is told as the fault of the last query, which is the model's."""
    asked = {
        "setup": setup,
        "queries": queries,
        "most_rows": MOST_ROWS,
        "most_s": MOST_S,
        "most_bytes": _VALUE_BYTES,
        "memory_bytes": _MEMORY_BYTES,
    }
    argv = [sys.executable, "-I", "-S", str(_CHILD)]
    told = json.dumps(asked).encode()
    try:
        status, said = child.said(argv, told, most_s=_WAIT_S, most_bytes=_SAID_BYTES, environment={})
        if status == 0:
            found: dict[str, Any] = json.loads(said)
            return found
        trouble = f"the process that ran it ended with status {status}"
    except (child.Overrun, ValueError) as error:
        trouble = f"stopped: {error}"
    if len(queries) == 1:
        return {"results": [{"error": trouble}]}
    alone = _run(setup, queries[:1])
    return alone if "setup" in alone else {"results": [*alone["results"], {"error": trouble}]}


def _value(found: Any) -> tuple[str, Any]:
    match found:
        case {"bytes": text}:
            return "bytes", text
        case int() | float():
            return "number", float(f"{found:.9g}") if math.isfinite(found) else str(found)
        case _:
            return ("text", found) if isinstance(found, str) else ("nothing", None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"`file`: cannot read {path}: {type(error).__name__}.", fix="Give a file with SQL statements.") from error
