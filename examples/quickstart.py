"""Train a small model to read recipes, serve it, and ask it: `python examples/quickstart.py`. Run it twice: the job is made once.

Minutes on two CPU cores, no network. Arguments: the backend to use (default `trl`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anytune

SPEC = Path(__file__).with_name("recipes.yaml")
RECIPE = "Sunday Roast\n1 lb. venison, trimmed\n1/4 cup chopped fresh tarragon\n3 medium parsnips, diced"


def main(backend: str = "trl") -> None:
    """Check, train, deploy, ask."""
    report = anytune.FineTuneJob.preflight(SPEC, backend=backend)
    for finding in (*report.findings, *report.losses):
        print(f"{finding.severity}: {finding.message} {finding.fix}")
    print(f"{report.stats.rows} rows; {report.quote.minutes or '?'} minutes expected ({report.quote.basis})")

    job = anytune.FineTuneJob.create(SPEC, backend=backend)
    tuned = job.wait(on_event=lambda event: print(event.message))
    print(f"{job.name} is {job.status.value}: {tuned.id}")

    system = json.loads(report.data["train"].path.read_text(encoding="utf-8").splitlines()[0])["messages"][0]
    with tuned.deploy(ttl_s=600) as endpoint:
        print(endpoint.chat([system, {"role": "user", "content": RECIPE}], max_tokens=32, temperature=0.0))


if __name__ == "__main__":
    main(*sys.argv[1:2])
