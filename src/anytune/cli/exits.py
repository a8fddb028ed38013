"""The exit codes of every command, and which error ends in which; docs/reference/cli.md prints this table."""

from __future__ import annotations

from enum import IntEnum

from anytune import errors

__all__ = ["ExitCode", "exit_code"]


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    FAILED = 1
    """The job failed or was cancelled, preflight found an error, or `doctor` found something needed that is broken."""
    USAGE = 2
    """Wrong arguments, a wrong spec, profile or data, a key that is not set, or a name that nothing has."""
    BACKEND = 3
    """The provider or its plugin refused, could not be reached, or is missing; or a deployment never became ready."""
    TIMEOUT = 4
    """Waiting ended before the job did: the job goes on, or its host paused it."""
    LEDGER = 5
    """The ledger cannot be opened, read or written."""
    IN_DOUBT = 6
    """Something may exist or bill at a provider that nobody has confirmed: `anytune reconcile` looks again."""
    NOT_GATED = 64
    """`gate` could decide nothing: what ends in 1 or 2 elsewhere. There these two are its verdicts, and no mistake may look like one."""
    UNEXPECTED = 70
    """A fault in anytune: `ANYTUNE_DEBUG=1` shows its traceback."""
    INTERRUPTED = 130
    """Ctrl-C; a job that was being watched goes on."""


_CODES: tuple[tuple[type[errors.AnytuneError], ExitCode], ...] = (
    (errors.JobFailed, ExitCode.FAILED),
    (errors.BudgetExceeded, ExitCode.FAILED),
    (errors.ConfigError, ExitCode.USAGE),
    (errors.DataError, ExitCode.USAGE),
    (errors.NotFound, ExitCode.USAGE),
    (errors.WaitTimeout, ExitCode.TIMEOUT),
    (errors.JobPaused, ExitCode.TIMEOUT),
    (errors.LedgerError, ExitCode.LEDGER),
    (errors.SubmitInDoubt, ExitCode.IN_DOUBT),
    (errors.AnytuneError, ExitCode.BACKEND),
)
"""The first class that fits decides."""


def exit_code(error: errors.AnytuneError) -> ExitCode:
    """Give the exit code that an error ends in.

    Example:
        >>> exit_code(errors.WaitTimeout("60 s are over.")).name
        'TIMEOUT'
    """
    return next(code for cls, code in _CODES if isinstance(error, cls))
