"""The durable memory backend is one provider for every process: a job and its deployment outlive the program that made them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CREATE = "print(anytune.FineTuneJob.create(backend='lab', model='base', train='train.jsonl', name='rice').status)"
WAIT = "print(anytune.FineTuneJob.get('rice').wait(poll_s=0.01).deploy(ttl_s=60).wait().chat('hello'))"
CHAT = "host = anytune.Deployment.list()[0]; print(host.endpoint.chat('again')); host.stop(); print(host.state)"


@pytest.fixture
def say(tmp_path):
    """Run a line of Python in a process of its own, and give what it prints."""
    site = tmp_path / "site" / "durable-1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: durable\nVersion: 1.0\n", encoding="utf-8")
    (site / "entry_points.txt").write_text("[anytune.backends]\ndurable = anytune.testing.memory:DurableMemoryBackend\n", encoding="utf-8")
    (tmp_path / "anytune.toml").write_text(
        '[profiles.lab]\nbackend = "durable"\nlife = {words = ["queued", "running", "succeeded"]}\n', encoding="utf-8"
    )
    row = '{"messages": [{"role": "user", "content": "%d cups of rice"}, {"role": "assistant", "content": "rice"}]}\n'
    (tmp_path / "train.jsonl").write_text("".join(row % number for number in range(12)), encoding="utf-8")
    env = os.environ | {"ANYTUNE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(site.parent)}

    def run(line):
        argv = [sys.executable, "-c", f"import anytune; {line}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]

    return run


def test_one_process_creates_another_deploys_a_third_chats(say):
    assert say(CREATE) == ["queued"]
    assert say(WAIT) == ["memory:job-000001 heard: hello"]
    assert say(CHAT) == ["memory:job-000001 heard: again", "gone"]
