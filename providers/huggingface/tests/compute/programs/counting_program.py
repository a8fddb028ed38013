"""A program that only counts: it starts in a second where one that trains takes ten. The model that it leaves is its base.

Environment: `COUNT_STEP_S`, seconds of a step; `COUNT_DIES_AT`, a step before which its first start is killed.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from anytune.local import Reporter
from anytune_huggingface import checkpoints
from anytune_huggingface.order import TrainOrder


def saved(output, step):
    folder = output / f"checkpoint-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "count.txt").write_text(str(step))
    checkpoints.seal(folder, {"loss": 1 / step})
    return folder


def main(run_dir):
    reporter = Reporter()
    order = TrainOrder.read(run_dir)
    total, every = order.spec["method"]["max_steps"], order.spec["method"].get("save_steps", 1)
    output = run_dir / "checkpoints"
    last, _ = checkpoints.last_good(output)
    start = int((last / "count.txt").read_text()) if last else 0
    reporter.event(
        f"Counting from {start}, token {'seen' if 'HF_TOKEN' in os.environ else 'not seen'}.",
        rows=len(order.data["train"].path.read_text().splitlines()),
    )
    for step in range(start + 1, total + 1):
        if step == int(os.environ.get("COUNT_DIES_AT", "0")) and not (run_dir / "died").exists():
            (run_dir / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(os.environ.get("COUNT_STEP_S", "0.05")))
        reporter.metric(step, {"loss": 1 / step})
        reporter.progress(step=step, total_steps=total)
        held = reporter.pause_requested()
        if held or step % every == 0 or step == total:
            reporter.checkpoint(step, saved(output, step))
        if held and step < total:
            reporter.paused(step)
            return
    if order.name == "hopeless":
        reporter.fail("The loss is hopeless.")
        return
    merged = run_dir / "merged"
    shutil.copytree(order.model, merged, dirs_exist_ok=True)
    (merged / "README.md").write_text(f"---\nlicense: apache-2.0\n---\nMade of {order.model}.\n")
    reporter.finish({"model": {"id": str(merged), "artifacts": {"merged": str(merged)}}, "metrics": {"loss": 1 / total}, "steps": total})


main(Path(sys.argv[1]))
