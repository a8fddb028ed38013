"""Hosts end at their time to live, also where the provider keeps none and the program that asked for them is gone.

For each backend account that hosts something which bills by the hour, one detached process of this machine (`python -m anytune.watch`)
looks at the ledger, sleeps until the next host expires, and stops it, again and again, until the provider confirms that it is gone.
`anytune.posting` starts it before anything is asked for; it leaves when nothing is left to watch. `overdue` and `end` do its work in the
caller's process: after a restart of the machine, that is what `anytune deployments list` and `anytune deployments stop --expired` do.

```text
<ANYTUNE_HOME>/watch/
  <scope>.lock        locked by the process for as long as it lives; a scope is a ledger, a word for a backend, and its account
  <scope>.log .start  what it did; what it printed while it started
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "due": "anytune.watch.ending",
    "end": "anytune.watch.ending",
    "overdue": "anytune.watch.ending",
}

__all__ = ["due", "end", "overdue"]

if TYPE_CHECKING:
    from anytune.watch.ending import due, end, overdue


__getattr__ = loader(__name__, _HOMES)
