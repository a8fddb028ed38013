"""Words that name backends: what nobody knows is refused, since a mistyped word finds nothing, and nothing looks like peace."""

from __future__ import annotations

__all__ = ["known"]


def known(word: str | None) -> None:
    """Refuse a word that no profile, installed backend, job or deployment bears; None is all of them.

    Raises:
        BackendMissing: Nothing of that name is there.
    """
    from anytune import plugins  # noqa: PLC0415 - keeps `--help` light
    from anytune.profiles import backend_of, profiles  # noqa: PLC0415 - as above
    from anytune.runtime import runtime  # noqa: PLC0415 - as above

    if word is None or word in profiles() or backend_of(word) in plugins.installed():
        return
    ledger = runtime().ledger
    borne = {name for row in ledger.jobs() for name in (row.backend, row.profile)}
    borne |= {name for host in ledger.deployments(live=False) for name in (host.backend, host.profile)}
    if word not in borne:
        plugins.load(word)
