from __future__ import annotations

from anytune.data.files import Line
from anytune_trl.sample import choose


def lines(count, long=()):
    return (Line(n, {"text": "word " * (500 if n in long else 2)}) for n in range(1, count + 1))


def test_all_rows_are_taken_where_they_are_few():
    chosen = choose(lines(50), rows=50)
    assert chosen.whole
    assert [line.number for line in chosen.rows] == list(range(1, 51))
    assert chosen.longest == []


def test_a_choice_is_the_same_each_time_and_another_with_another_seed():
    first, again, other = (choose(lines(2000), rows=100, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert [line.number for line in first.rows] != [line.number for line in other.rows]
    assert (len(first.rows), first.total, first.whole) == (100, 2000, False)


def test_rows_come_from_all_over_the_file():
    numbers = [line.number for line in choose(lines(10_000), rows=400).rows]
    assert numbers == sorted(numbers)
    quarters = [sum(start < number <= start + 2500 for number in numbers) for start in range(0, 10_000, 2500)]
    assert min(quarters) > 60


def test_the_longest_rows_are_never_missed():
    chosen = choose(lines(5000, long={7, 4321}), rows=50)
    assert {7, 4321} <= {line.number for line in (*chosen.rows, *chosen.longest)}


def test_a_choice_has_room_for_so_many_characters_only():
    chosen = choose(lines(2000), rows=2000, characters=1000)
    assert sum(len(line.row["text"]) for line in chosen.rows) <= 1000
    assert len(chosen.rows) > 50


def test_one_huge_row_pushes_nobody_out_but_is_among_the_longest():
    chosen = choose(lines(2000, long={1000}), rows=2000, characters=1000)
    assert 1000 not in {line.number for line in chosen.rows}
    assert 1000 in {line.number for line in chosen.longest}
