"""The `anytune` command. Commands live one file a noun; here is how each of them ends: with a code, and an error without a traceback."""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from anytune.cli.exits import ExitCode, exit_code
from anytune.errors import AnytuneError, DataError, redact

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExitCode", "invoke", "main"]


def main() -> None:
    """Run the command line of this process, and exit. What the terminal's encoding lacks is printed as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code.

    With `--json` an error is one JSON object on stdout; otherwise it is one message on stderr that ends with the next step. The traceback
    of an unexpected one is shown with `ANYTUNE_DEBUG=1`.

    Example:
        >>> invoke(["--version"])
        anytune 0.1.0
        0
    """
    from anytune.cli.app import app  # noqa: PLC0415 - Typer is loaded once a command line is run, not by `import anytune.cli`

    as_json = "--json" in arguments
    try:
        code = app(list(arguments), prog_name="anytune", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop: whatever it is, it is told and ends in a code
        return _apart(_ended(error, arguments, as_json=as_json), arguments)
    if code == ExitCode.INTERRUPTED and not isinstance(code, ExitCode):  # Typer's own 130: no command has told it yet
        return _interrupted(KeyboardInterrupt(), as_json=as_json)
    return int(code or 0)


def _ended(error: BaseException, arguments: Sequence[str], *, as_json: bool) -> ExitCode:
    if isinstance(error, AnytuneError):
        _tell(error, error.message, as_json=as_json, fix=error.fix, job_id=error.job_id)
        return exit_code(error)
    if isinstance(error, (KeyboardInterrupt, EOFError)) or type(error).__name__ == "Abort":  # Typer's: also a question answered with no
        return _interrupted(error, as_json=as_json)
    if isinstance(error, OSError) and error.errno == errno.EPIPE:  # `anytune … | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        _tell(error, "A path is longer than this system takes.", as_json=as_json, fix="Give a shorter one.")
        return ExitCode.USAGE
    if isinstance(error, _Usage):
        if not error.format_message():  # a command that needs a word got none: its help was shown
            return ExitCode.USAGE
        message = error.format_message().removeprefix("Invalid value: ")
        _tell(error, message, as_json=as_json, fix=f"`{_command(arguments)} --help` shows what there is.", kind="UsageError")
        return ExitCode.USAGE
    return _unexpected(error, as_json=as_json)


def _apart(code: ExitCode, arguments: Sequence[str]) -> ExitCode:
    """Keep mistakes apart from verdicts: `gate` says fail by 1 and inconclusive by 2."""
    return ExitCode.NOT_GATED if list(arguments[:1]) == ["gate"] and code in {ExitCode.FAILED, ExitCode.USAGE} else code


def _command(arguments: Sequence[str]) -> str:
    """Give the command that a command line means, as far as there is one: it is the one whose help helps."""
    from typer.main import get_command  # noqa: PLC0415 - only for wrong arguments

    from anytune.cli.app import app  # noqa: PLC0415 - as above

    words, command = ["anytune"], get_command(app)
    for word in arguments:
        commands = getattr(command, "commands", {})
        if word not in commands:
            break
        words.append(word)
        command = commands[word]
    return " ".join(words)


@runtime_checkable
class _Usage(Protocol):
    """What Typer raises for wrong arguments; its classes moved between releases, this method did not."""

    def format_message(self) -> str: ...


def _interrupted(error: BaseException, *, as_json: bool) -> ExitCode:
    if as_json:
        _tell(error, "Interrupted.", as_json=True, fix="Jobs and deployments that were started go on: `anytune jobs list`.")
    return ExitCode.INTERRUPTED


def _unexpected(error: BaseException, *, as_json: bool) -> ExitCode:
    if os.environ.get("ANYTUNE_DEBUG") == "1":
        import traceback  # noqa: PLC0415 - only here

        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    fix = "This is a fault in anytune. Set ANYTUNE_DEBUG=1 and run the same again to see the traceback, and please report it."
    _tell(error, f"Unexpected {type(error).__name__}: {redact(str(error))}", as_json=as_json, fix=fix)
    return ExitCode.UNEXPECTED


def _tell(error: BaseException, message: str, *, as_json: bool, fix: str, job_id: str | None = None, kind: str = "") -> None:
    from anytune.cli import show  # noqa: PLC0415 - Typer comes with it

    if as_json:
        findings = error.findings if isinstance(error, DataError) else ()
        told: dict[str, object] = {"type": kind or type(error).__name__, "message": message, "fix": fix, "job_id": job_id}
        show.document({"error": told | ({"findings": findings} if findings else {})})
        return
    show.note(f"error: {message}", "bold red")
    if fix:
        show.note(fix)
