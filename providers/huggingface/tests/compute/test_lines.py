"""What a runner says, line by line: found again among other output, put together without doubles, and never with a secret."""

from __future__ import annotations

from anytune_huggingface.compute import lines
from anytune_huggingface.compute.lines import Said

AT = "2026-11-23T05:00:00+00:00"


def event(start, number, message, at=AT):
    return Said(start, number, "event", {"at": at, "message": message, "level": "info", "data": {}})


def metric(start, number, step, **values):
    return Said(start, number, "metric", {"step": step, "at": AT, "values": values})


def test_a_line_is_found_among_other_output():
    said = event(5, 1, "Saving.")
    assert lines.read(["Loading weights", said.line(), "::anytune {broken", "{}", "[1]", said.line()[:-9]]) == [said]


def test_a_file_and_a_log_tell_each_record_once():
    told = [event(1, number, f"{number}") for number in range(4)]
    file = lines.read(lines.written(told[:3], "event").decode().splitlines())
    log = lines.read([said.line() for said in told[1:]])
    assert [found.message for found in lines.events(lines.joined(file, log))] == ["0", "1", "2", "3"]


def test_later_starts_come_later_whatever_their_numbers():
    found = lines.joined([event(2000, 0, "second")], [event(1000, 99, "first")])
    assert [each.message for each in lines.events(found)] == ["first", "second"]


def test_a_cursor_is_exclusive():
    told = [event(1, number, f"{number}") for number in range(3)]
    assert [each.message for each in lines.events(told, told[0].id)] == ["1", "2"]
    assert lines.events(told, told[2].id) == []


def test_times_do_not_go_back():
    found = lines.events([event(1, 0, "a", "2026-11-23T05:00:01+00:00"), event(1, 1, "b")])
    assert found[1].at == found[0].at


def test_a_step_done_again_shows_its_last_numbers():
    told = [metric(1, 0, 3, loss=2.0), metric(1, 1, 4, loss=1.9), metric(2, 0, 4, loss=1.5), metric(2, 1, 4, eval_loss=1.4)]
    found = lines.metrics(told)
    assert [(each.step, each.values) for each in found] == [(3, {"loss": 2.0}), (4, {"loss": 1.5, "eval_loss": 1.4})]
    assert [each.step for each in lines.metrics(told, 3)] == [4]


def test_the_last_progress_counts():
    told = [Said(1, number, "progress", {"step": number, "total_steps": 9, "at": AT}) for number in range(3)]
    assert lines.progress(told).step == 2
    assert lines.progress([]) is None


def test_no_secret_is_in_a_line_or_a_file():
    said = event(1, 0, "Refused hf_" + "a" * 30)
    assert "aaaa" not in said.line()
    assert b"aaaa" not in lines.written([said], "event")


def test_what_some_take_for_the_end_of_a_line_stays_in_its_record():
    said = event(1, 0, "one\u2028two\x85three")
    assert lines.read(said.line().splitlines()) == [said]
