"""Hosts end at their time to live, and jobs at their budget, also where the provider keeps none and the program that asked is gone.

For each backend account that hosts something which bills by the hour, or trains a job that has a budget, one detached process of this
machine (`python -m anytune.watch`) looks at the ledger, sleeps until the next host expires, and stops it, again and again, until the
provider confirms that it is gone; jobs with a budget it looks at every minute, where nobody else does. `anytune.posting` starts it before
a host is asked for and after a job was sent; it leaves when nothing is left to watch. `overdue`, `end`, `held` and `look` do its work in
the caller's process: after a restart of the machine, that is what `anytune reap` does.

```text
<ANYTUNE_HOME>/watch/
  <scope>.lock        locked by the process for as long as it lives; a scope is a ledger, a word for a backend, and its account
  <scope>.log .start  what it did; what it printed while it started
  <scope>.trouble     why it can do nothing for now, such as a key that was withdrawn
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "due": "anytune.watch.ending",
    "end": "anytune.watch.ending",
    "held": "anytune.watch.purse",
    "look": "anytune.watch.purse",
    "overdue": "anytune.watch.ending",
}

__all__ = ["due", "end", "held", "look", "overdue"]

if TYPE_CHECKING:
    from anytune.watch.ending import due, end, overdue
    from anytune.watch.purse import held, look


__getattr__ = loader(__name__, _HOMES)
