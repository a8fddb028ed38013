"""How long `import anytune` keeps the processor busy, next to `import openai`.

Usage: `python bench/import_time.py [ROUNDS]` (default 15). Prints a Markdown table of CPU time (user and system), which other programs
disturb less than wall time. Every round runs each statement once in a fresh interpreter, in turn: a slow minute hits all of them. The
time of an interpreter that runs nothing is taken off each.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys

STATEMENTS = {
    "nothing": "pass",
    "import openai": "import openai",
    "import anytune": "import anytune",
    "from anytune import FineTuneJob, SFT, LoRA": "from anytune import FineTuneJob, SFT, LoRA",
}
GOALS = {"import anytune": 0.1, "from anytune import FineTuneJob, SFT, LoRA": 0.4}


def cpu_seconds(statement: str) -> float:
    """Run one statement in a fresh interpreter and give the CPU seconds that the process took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(rounds: int) -> dict[str, list[float]]:
    """Take the statements in turn, `rounds` times, after one round that only warms the file cache."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for number in range(rounds + 1):
        for name, statement in STATEMENTS.items():
            seconds = cpu_seconds(statement)
            if number:
                times[name].append(seconds)
    return times


def table(times: dict[str, list[float]]) -> str:
    """Lay the medians out as Markdown, with quartiles, so that the noise can be seen."""
    bare = statistics.median(times["nothing"])
    openai = statistics.median(times["import openai"]) - bare
    lines = ["| statement | CPU ms (median) | quartiles | of `import openai` | goal |", "|---|---:|---:|---:|---:|"]
    for name, taken in times.items():
        if name == "nothing":
            continue
        net = sorted(1000 * (seconds - bare) for seconds in taken)
        low, _, high = statistics.quantiles(net, n=4)
        ratio = statistics.median(net) / (1000 * openai)
        goal = f"≤ {GOALS[name]:.2f}" if name in GOALS else ""
        lines.append(f"| `{name}` | {statistics.median(net):.0f} | {low:.0f} to {high:.0f} | {ratio:.2f} | {goal} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    times = measure(rounds)
    print(table(times))
    print(
        f"\nPython {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores; medians of {rounds}"
        f" interleaved runs; a bare interpreter takes {1000 * statistics.median(times['nothing']):.0f} ms, taken off."
    )


if __name__ == "__main__":
    main()
