"""`python -m anytune.local`: the agent as a process. Callers start it by themselves; see `anytune.local.launch`."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from anytune.local import detached
from anytune.local.agent import Agent
from anytune.local.folder import local_home


def main() -> int:
    """Run the agent until it is idle; 0 also where another one runs already."""
    words = _parser().parse_args()
    os.umask(0o077)
    folder = local_home()
    ready = None
    if words.detach:
        ready = detached.detach()
    detached.log_to(folder / "agent.log", "anytune.local")
    agent = Agent(folder, slots=words.slots, idle_s=words.idle_s, poll_s=words.poll_s, grace_s=words.grace_s)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: agent.leave())
    running = agent.enter()
    if ready is not None:
        os.write(ready, b"1")
        os.close(ready)
    if running:
        agent.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m anytune.local", description="The local agent of anytune.")
    setting = os.environ.get
    parser.add_argument("--detach", action="store_true", help="run in the background; return once it runs")
    idle_s = float(setting("ANYTUNE_AGENT_IDLE_S") or 30)
    parser.add_argument("--idle-s", type=float, default=idle_s, help="leave after so many idle seconds")
    parser.add_argument("--slots", type=int, default=int(setting("ANYTUNE_SLOTS") or 1), help="trainings at the same time")
    parser.add_argument("--poll-s", type=float, default=0.2, help="seconds between two looks")
    parser.add_argument("--grace-s", type=float, default=10.0, help="seconds from SIGTERM to SIGKILL")
    return parser


if __name__ == "__main__":
    sys.exit(main())
