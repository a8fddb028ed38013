"""Opening a ledger, in either database."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from anytune.errors import ConfigError
from anytune.ledger import Ledger

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:/tmp/ledger.db?mode=ro&uri=true", "mysql://host/x", "not a url"]
)
def test_what_cannot_hold_a_ledger_is_refused(url):
    with pytest.raises(ConfigError, match="ANYTUNE_LEDGER"):
        Ledger.open(url)


def test_the_uuid_stays(ledger):
    with Ledger.open() as again:
        assert again.uuid == ledger.uuid


def test_a_child_that_forks_off_uses_connections_of_its_own(ledger, claim):
    claim(name="parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if claim(name="child").name == "child" else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {row.name for row in ledger.jobs()} == {"parent", "child"}


def test_naming_a_row_loads_no_sqlalchemy():
    script = "import sys; from anytune.ledger import JobRow, following; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_processes_that_open_a_new_ledger_at_once_all_succeed(home):
    script = "from anytune.ledger import Ledger; print(Ledger.open().uuid)"
    command = [sys.executable, "-c", script]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) for _ in range(6)]
    results = [opener.communicate(timeout=60) for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 6, results
    assert len({out for out, _ in results}) == 1
