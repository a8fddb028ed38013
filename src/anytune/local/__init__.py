"""Work on this machine: tasks that an agent runs in processes of their own, and how to follow them.

A caller only writes files (`put`, `ask`) and reads files (`state`, `events`, …); the agent, one process per machine, does the rest. It is
started by the first call that needs it and gone when nothing is left to do. If it is killed, its children go on and the next call starts
another one, which adopts them.

```text
<ANYTUNE_HOME>/local/
  agent.lock  agent.log  slots/<n>.lock
  tasks/<id>/
    task.json env.json endpoint.json        written once, by `put`
    cancel hold                             what was asked for (their presence is the message)
    state.json over_budget                  written by the agent
    events.jsonl metrics.jsonl progress.json checkpoint.json  result.json failed.json paused.json   written by a training child
    ready.json failed.json stopped.json     written by a serving child
    log.txt engine.log                      what they printed, bounded
    life.lock                               locked by the child for as long as it lives
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "DEFAULT_ENV": "anytune.local.task",
    "Progress": "anytune.local.task",
    "Reporter": "anytune.local.child",
    "ServeSettings": "anytune.local.task",
    "Served": "anytune.local.task",
    "Task": "anytune.local.task",
    "TaskState": "anytune.local.task",
    "address": "anytune.local.client",
    "ask": "anytune.local.client",
    "checkpoint": "anytune.local.client",
    "ensure_agent": "anytune.local.client",
    "events": "anytune.local.client",
    "log_tail": "anytune.local.client",
    "manifest": "anytune.local.client",
    "metrics": "anytune.local.client",
    "progress": "anytune.local.client",
    "put": "anytune.local.client",
    "remove": "anytune.local.client",
    "result": "anytune.local.client",
    "state": "anytune.local.client",
    "task_folder": "anytune.local.client",
    "tasks": "anytune.local.client",
}

__all__ = [
    "DEFAULT_ENV",
    "Progress",
    "Reporter",
    "ServeSettings",
    "Served",
    "Task",
    "TaskState",
    "address",
    "ask",
    "checkpoint",
    "ensure_agent",
    "events",
    "log_tail",
    "manifest",
    "metrics",
    "progress",
    "put",
    "remove",
    "result",
    "state",
    "task_folder",
    "tasks",
]

if TYPE_CHECKING:
    from anytune.local.child import Reporter
    from anytune.local.client import (
        address,
        ask,
        checkpoint,
        ensure_agent,
        events,
        log_tail,
        manifest,
        metrics,
        progress,
        put,
        remove,
        result,
        state,
        task_folder,
        tasks,
    )
    from anytune.local.task import DEFAULT_ENV, Progress, Served, ServeSettings, Task, TaskState


__getattr__ = loader(__name__, _HOMES)
