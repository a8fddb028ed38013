"""Many jobs watched by one loop: as many requests as accounts have pages, no thread a job, and the ledger written where something changed.

```text
hands.py     a few threads for calls that may hang, so that one host that does not answer holds up nobody
asking.py    what is asked of a backend: many jobs at once, one job, the rest that an ended job leaves
account.py   the jobs of one account: which are looked at when, at a bounded rate
loop.py      the loop itself: turns what was seen into rows and changes
```

```python
from anytune import FineTuneJob, watch_many

for job, snapshot, error in watch_many(FineTuneJob.list(status="running")):
    print(job.name, snapshot.status, error or "")
```
"""

from anytune.fleet.loop import Change, Fleet, watch_many

__all__ = ["Change", "Fleet", "watch_many"]
