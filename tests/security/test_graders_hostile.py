"""Programs and statements of strangers: graders' Python and models' SQL get nothing, break nothing, and end in time."""

from __future__ import annotations

import os
import resource
import socket
import time

import psutil
import pytest

from anytune.errors import ConfigError
from anytune.evaluation.graders import Desk, parsed
from anytune.evaluation.values import Case, Sample

SECRET = "sk-hostile-5b1f0c7e9a3d4286"


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Put a secret into the environment and a file, and give what grades a text by a definition and closes the grader."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text(SECRET)
    desk = Desk(endpoint=lambda word: None, scratch=tmp_path / "scratch", folder=tmp_path)

    def grade(raw, text="", reference=None, item=None):
        grader = parsed(raw, desk)
        try:
            return grader.grade(Case(id="1", row=1, messages=(), reference=reference, item=item or {}), Sample(text=text))
        finally:
            grader.close()

    return grade


def python(body):
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return {"type": "python", "name": "hostile", "source": f"def grade(sample, item):\n{lines}    return 1.0\n"}


REACHING = {
    "a file": "open('secret.txt').read()",
    "a file by its path": "import pathlib\npathlib.Path('secret.txt').read_text()",
    "a file to write": "open('left.txt', 'w').write('x')",
    "a folder": "import os\nos.listdir('.')",
    "removing": "import os\nos.remove('secret.txt')",
    "the environment": "import os\nos.environ['OPENAI_API_KEY']",
    "the environment by getenv": "import os\nos.getenv('OPENAI_API_KEY') or 1 / 0",
    "a shell": "import os\nos.system('touch left.txt')",
    "a process": "import subprocess\nsubprocess.run(['touch', 'left.txt'])",
    "a fork": "import os\nos.fork()",
    "the network": "import socket\nsocket.create_connection(('127.0.0.1', item['port']))",
    "the web": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')",
    "our memory": "import ctypes\nctypes.string_at(0)",
    "our modules": "import anytune",
    "our modules by name": "__import__('os').system('touch left.txt')",
    "classes by the back door": "().__class__.__bases__[0].__subclasses__()",
    "a frame": "import sys\nsys._getframe(0)",
    "an exit": "import sys\nsys.exit(3)",
    "importlib": "import importlib\nimportlib.import_module('os')",
    "builtins": "import builtins\nbuiltins.open('secret.txt')",
}


@pytest.mark.parametrize("body", REACHING.values(), ids=REACHING)
def test_a_grader_reaches_nothing(body, stranger, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    try:
        found = stranger(python(body), item={"port": listener.getsockname()[1]})
        assert found.score is None
        told = found.error + found.note
    except ConfigError as refused:  # what it imports is not there: said before it is ever run on an answer
        told = refused.message
    assert SECRET not in told
    assert "failed with" in told or "does not run in the sandbox" in told
    with listener, pytest.raises(TimeoutError):
        listener.accept()
    assert sorted(os.listdir(tmp_path)) == ["secret.txt"]
    assert (tmp_path / "secret.txt").read_text() == SECRET


EXHAUSTING = {
    "time": "while True: pass",
    "time in one step": "sum(range(10 ** 12))",
    "time in a pattern": "import re\nre.match('(a|aa)+$', 'a' * 200 + 'b') or 1 / 0",
    "sleep": "import time\ntime.sleep(10 ** 6)\n1 / 0",
    "memory": "x = []\nwhile True: x.append('a' * 10 ** 6)",
    "memory in one step": "x = 'a' * 10 ** 11",
    "memory in numbers": "x = 10 ** 10 ** 9",
    "the stack": "def f(): return f()\nf()",
    "the stack of values": "x = []\nfor i in range(10 ** 6): x = [x]\nrepr(x)",
    "the output": "while True: print('x' * 10 ** 5)",
    "tasks": "import asyncio\nasync def f(): await asyncio.gather(*[f() for _ in range(9)])\nasyncio.run(f())",
}


@pytest.mark.parametrize("body", EXHAUSTING.values(), ids=EXHAUSTING)
def test_a_grader_exhausts_nothing(body, stranger, monkeypatch, capfd):
    monkeypatch.setattr("anytune.evaluation.graders.sandbox._LIMITS", LIMITS)
    before, began = psutil.Process().memory_info().rss, time.monotonic()
    found = stranger(python(body))
    assert found.score is None
    assert found.error
    assert time.monotonic() - began < 20
    assert psutil.Process().memory_info().rss - before < 200 * 2**20
    assert len(capfd.readouterr().out) == 0
    assert stranger(python("pass")).score == 1.0


LIMITS = {"max_feed_duration_secs": 1.0, "max_memory": 64 * 2**20, "max_recursion_depth": 500, "max_suspensions": 100}
"""As production's, with less time and memory, so that the test ends sooner."""


def test_the_limits_of_production_are_those_that_are_tested():
    from anytune.evaluation.graders import sandbox

    assert sandbox._LIMITS.keys() == LIMITS.keys()
    assert all(value is not None for value in sandbox._LIMITS.values())


@pytest.mark.parametrize("answer", ["\ud800", "x" * 2**20, "[" * 100_000, '{"a": ' * 500 + "1" + "}" * 500, "9" * 5_000, "\0"])
def test_no_answer_breaks_the_sandbox(answer, stranger):
    found = stranger(python("len(sample['output_text'])"), answer)
    assert found.score == 1.0 or found.error


SETUP = "CREATE TABLE t (n); INSERT INTO t VALUES (1), (2);"
STATEMENTS = [
    "ATTACH 'left.db' AS other",
    "VACUUM INTO 'left.db'",
    "PRAGMA journal_mode = WAL",
    "PRAGMA temp_store_directory = '.'",
    "SELECT * FROM pragma_database_list",
    "SELECT load_extension('secret.txt')",
    "SELECT readfile('secret.txt')",
    "SELECT writefile('left.txt', 'x')",
    "SELECT edit('x', 'touch left.txt')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "CREATE TABLE u (n)",
    "CREATE VIRTUAL TABLE u USING fts5(n)",
    "INSERT INTO t VALUES (3) RETURNING n",
    "DELETE FROM t",
    "UPDATE t SET n = 3 RETURNING n",
    "WITH x AS (SELECT 1) DELETE FROM t RETURNING n",
    "SELECT 1; DROP TABLE t",
    "BEGIN; SELECT 1",
    "EXPLAIN QUERY PLAN SELECT 1",
    "REPLACE INTO t VALUES (1)",
    "SELECT * INTO OUTFILE 'left.txt' FROM t",
    ".shell touch left.txt",
    ".read secret.txt",
    "SELECT 1 -- '\n; DROP TABLE t",
    "SELECT '",
    "SELECT " + "(" * 5_000,
    "SELECT " + "NOT " * 4_900 + "1",
    "\0SELECT 1",
    "\ud800",
]


@pytest.mark.parametrize("text", STATEMENTS, ids=range(len(STATEMENTS)))
def test_a_statement_reads_the_tables_and_nothing_else(text, stranger, tmp_path):
    found = stranger({"type": "sql_result", "setup": SETUP}, text, "SELECT n FROM t")
    assert (found.score, found.error) == (0.0, "")
    assert sorted(os.listdir(tmp_path)) == ["secret.txt"]
    assert SECRET not in found.note


@pytest.mark.parametrize(
    "setup",
    [
        "ATTACH 'left.db' AS other; CREATE TABLE other.t (n);",
        "CREATE VIRTUAL TABLE u USING csv(filename='secret.txt');",
        "PRAGMA writable_schema = ON;",
        "SELECT load_extension('x');",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END;",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) INSERT INTO t SELECT x FROM c;",
        "\ud800",
    ],
)
def test_a_rows_own_tables_reach_nothing_either(setup, stranger, tmp_path):
    found = stranger({"type": "sql_result", "setup": "{{item.schema}}"}, "SELECT n FROM t", "SELECT n FROM t", {"schema": SETUP + setup})
    assert found.score is None
    assert sorted(os.listdir(tmp_path)) == ["secret.txt"]


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"


@pytest.mark.parametrize(
    "text",
    [
        f"{ENDLESS} SELECT count(*) FROM c",
        f"{ENDLESS} SELECT x FROM c",
        f"{ENDLESS} SELECT hex(zeroblob(400000)) || x FROM c ORDER BY 1",
        f"{ENDLESS} SELECT group_concat(hex(zeroblob(1000000))) FROM c",
        "SELECT hex(zeroblob(2000000000))",
        "SELECT printf('%2000000000d', 1)",
        "SELECT replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000)))",
        "SELECT hex(zeroblob(4000000)) LIKE '%1%1%1%1%1%1%1%1%1%1%1%1%1%1%1'",
        "SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g, t h, t i, t j, t k, t l, t m, t o, t p, t q, t r, t s, t u, t v, t w, t x, t y, t z",
    ],
    ids=range(9),
)
def test_a_statement_exhausts_nothing(text, stranger):
    before, began = psutil.Process().memory_info().rss, time.monotonic()
    found = stranger({"type": "sql_result", "setup": SETUP}, text, "SELECT n FROM t")
    assert (found.score, found.error) == (0.0, "")
    assert time.monotonic() - began < 150  # two processes of a minute each, were the clock inside to fail
    assert psutil.Process().memory_info().rss - before < 300 * 2**20


def test_a_statement_gets_no_more_memory_than_it_is_given(stranger):
    text = f"{ENDLESS} SELECT hex(zeroblob(400000)) || x FROM c ORDER BY 1"
    assert "MemoryError" in stranger({"type": "sql_result", "setup": SETUP}, text, "SELECT n FROM t").note


def test_our_own_process_keeps_its_limits(stranger):
    stranger({"type": "sql_result", "setup": SETUP}, "SELECT n FROM t", "SELECT n FROM t")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0
