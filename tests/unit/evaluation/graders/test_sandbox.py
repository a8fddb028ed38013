"""Python graders: what the sandbox runs, what it refuses in time, and the container for the rest."""

from __future__ import annotations

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from anytune.errors import ConfigError
from anytune.evaluation.graders import child, parsed
from anytune.evaluation.values import Sample

SAME = "import json\n\ndef grade(sample, item):\n    return float(sample['output_text'] == item['label'])\n"


def python(source, **more):
    return {"type": "python", "name": "own", "source": source, **more}


@pytest.fixture
def container(tmp_path):
    """Give a command that runs what follows it, as `docker run IMAGE` does; its `python` is this one."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "python").symlink_to(sys.executable)
    return [shutil.which("env"), "-i", f"PATH={place}"]


@pytest.mark.parametrize("contained", [False, True], ids=["sandbox", "container"])
def test_a_program_grades(contained, grade, container):
    definition = python(SAME, **({"container": container} if contained else {}))
    assert grade(definition, "Elbe {{x}} 日本\n", item={"label": "Elbe {{x}} 日本\n"}).score == 1.0
    assert grade(definition, "Oder", item={"label": "Elbe"}).score == 0.0


@pytest.mark.parametrize(
    ("source", "score"),
    [
        ("def grade(sample, item): return True", 1),
        ("def grade(sample, item): return sample['output_json']['n'] / 10", 0.4),
        ("def grade(sample, item): return len(sample['choices'][0]['message']['content']) / 10", 0.8),
        ("import re\ndef grade(sample, item): return float(bool(re.search('n', sample['output_text'])))", 1),
        ("print('x')\ndef grade(sample, item):\n    print('y' * 100000)\n    return 1", 1),
        ("def helper(x): return x\ndef grade(*args, **kwargs): return helper(0.5)", 0.5),
    ],
)
def test_what_a_program_gives(source, score, grade, capfd):
    assert grade(python(source), '{"n": 4}').score == score
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def grade(sample, item): return 'good'", "gave no number"),
        ("def grade(sample, item): return None", "gave no number"),
        ("def grade(sample, item): return 10 ** 400", "too large"),
        ("def grade(sample, item): return float('nan')", "not finite"),
        ("def grade(sample, item): return 7", "not between 0 and 1"),
        ("def grade(sample, item): return item['nothing']", "KeyError"),
        ("def grade(sample, item): return sample['output_json']", "KeyError"),
        ("def grade(sample, item): raise ValueError(sample['output_text'])", "ValueError"),
    ],
)
def test_a_program_that_gives_no_score_is_an_error_that_quotes_nothing(source, words, grade):
    found = grade(python(source), "private words")
    assert found.score is None
    assert words in found.error
    assert "private" not in found.error


def test_a_range_and_a_threshold_are_taken(grade):
    ten = "def grade(sample, item): return 7"
    assert grade(python(ten, range=[0, 10])).score == 0.7
    assert grade(python(ten, range=[0, 10], pass_threshold=7)).score == 1.0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import difflib\n" + SAME, "difflib"),
        ("def grade(sample, item):\n    from rapidfuzz import fuzz\n    return 1", "rapidfuzz"),
        ("class A(dict): pass\n" + SAME, "inheritance"),
        ("x = 1 / 0\n" + SAME, "ZeroDivisionError"),
        ("def grade(sample): return 1", "two values"),
        ("def grade(sample, item)", "not Python"),
    ],
)
def test_what_the_sandbox_cannot_run_is_said_before_anything_is_asked(source, words, desk):
    with pytest.raises(ConfigError, match=words) as caught:
        parsed(python(source), desk)
    assert caught.value.fix


def test_the_way_out_is_named(desk):
    with pytest.raises(ConfigError) as caught:
        parsed(python("import difflib\n" + SAME), desk)
    assert "`container`" in caught.value.fix


def test_no_grade_sees_what_another_left(make, case):
    grader = make(python("seen = []\ndef grade(sample, item):\n    seen.append(1)\n    return len(seen) / 10"))
    assert [grader.grade(case(), Sample(text="")).score for _ in range(3)] == [0.1] * 3


def test_the_same_program_draws_the_same_numbers(make, case):
    grader = make(python("import random\ndef grade(sample, item): return random.random()"))
    assert len({grader.grade(case(), Sample(text="")).score for _ in range(3)}) == 1


def test_many_threads_grade_at_once(make, case):
    grader = make(python(SAME))
    with ThreadPoolExecutor(16) as pool:
        grades = list(pool.map(lambda n: grader.grade(case(item={"label": str(n % 2)}), Sample(text=str(n % 3))), range(200)))
    assert [grade.score for grade in grades] == [float(str(n % 2) == str(n % 3)) for n in range(200)]


def test_a_closed_grader_leaves_no_process(make, case):
    before = {process.pid for process in psutil.Process().children()}
    grader = make(python(SAME))
    grader.grade(case(item={"label": ""}), Sample(text=""))
    started = {process.pid for process in psutil.Process().children()} - before
    assert started
    grader.close()
    deadline = time.monotonic() + 10
    while any(map(lives, started)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import difflib\ndef grade(sample, item): return difflib.SequenceMatcher(None, sample['output_text'], 'Elbe').ratio()", ""),
        ("def grade(sample, item): print('noise'); return 1", ""),
        ("def grade(sample, item): raise ValueError", "ended with status 1"),
        ("def grade(sample, item):\n    import os; os._exit(3)", "ended with status 3"),
        ("def grade(sample, item):\n    import os; os.write(1, b'x' * 10**6); return 1", "wrote more than"),
        ("def grade(sample, item):\n    import os; os.write(1, b'oh'); os._exit(0)", "gave no number"),
    ],
)
def test_a_container_runs_what_the_sandbox_cannot(source, words, grade, container):
    found = grade(python(source, container=container), "Elbe")
    assert words in found.error
    assert (found.score == 1.0) is (words == "")


def test_a_container_that_does_not_start_is_an_error(grade):
    assert "could not be started" in grade(python(SAME, container=["/nowhere/docker", "run"])).error


@pytest.mark.parametrize("command", ["docker run", [], [1], {}])
def test_a_container_that_is_no_command_is_refused(command, desk):
    with pytest.raises(ConfigError, match="`container`"):
        parsed(python(SAME, container=command), desk)


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_that_takes_long_is_killed_with_all_that_it_started(tmp_path):
    mark = tmp_path / "pid"
    program = f"import subprocess, sys, time\np = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nopen({str(mark)!r}, 'w').write(str(p.pid))\ntime.sleep(60)"
    began = time.monotonic()
    with pytest.raises(child.Overrun, match="longer than"):
        child.said([sys.executable, "-c", program], b"", most_s=2, most_bytes=10)
    assert time.monotonic() - began < 10
    deadline = time.monotonic() + 10
    while lives(int(mark.read_text())):
        assert time.monotonic() < deadline, "the grandchild lives"
        time.sleep(0.01)
