"""Bins that say what they hold, and pictures of them."""

from __future__ import annotations

import builtins
import random
from collections import Counter

import pytest

from anytune.data.histogram import MOST_BINS, Bin, bins, png, svg, text
from anytune.errors import ConfigError


def lengths(seed):
    dice = random.Random(seed)
    spread = dice.choice([0.05, 0.5, 1.5, 3])
    return Counter(int(dice.lognormvariate(dice.uniform(0, 8), spread)) for _ in range(dice.choice([1, 3, 500])))


@pytest.mark.parametrize("seed", range(60))
def test_every_row_is_in_the_bin_of_its_length(seed):
    found = lengths(seed)
    told = bins(found)
    assert 0 < len(told) <= MOST_BINS
    for one in told:
        assert one.rows == sum(rows for length, rows in found.items() if one.low <= length <= one.high)
    assert sum(one.rows for one in told) == found.total()


@pytest.mark.parametrize("seed", range(60))
def test_bins_follow_one_another_without_a_gap(seed):
    told = bins(lengths(seed))
    assert all(one.low <= one.high for one in told)
    assert [one.high + 1 for one in told[:-1]] == [one.low for one in told[1:]]


def test_bins_double_where_rows_are_far_apart():
    assert [(one.low, one.high) for one in bins({8: 1, 64: 1})] == [(5, 8), (9, 16), (17, 32), (33, 64)]


def test_bins_are_even_where_rows_are_close_together():
    assert [(one.low, one.high) for one in bins(dict.fromkeys(range(52, 80), 1))] == [(low, low + 1) for low in range(51, 80, 2)]


def test_a_limit_of_2048_is_the_end_of_a_bin():
    assert 2048 in {one.high for one in bins({40: 3, 2048: 1, 9000: 1})}


def test_no_rows_have_no_bins():
    assert bins({}) == ()
    assert text(()) == ""


@pytest.mark.parametrize("width", [30, 40, 80, 200])
@pytest.mark.parametrize("seed", range(10))
def test_no_line_is_wider_than_the_terminal(seed, width):
    assert all(len(line) <= width for line in text(bins(lengths(seed)), width=width).splitlines())


def test_a_plain_terminal_gets_ascii_alone():
    assert text(bins({3: 2, 9: 1, 400: 1}), plain=True).isascii()


def test_a_bin_of_few_rows_among_many_is_still_seen():
    assert text([Bin(1, 2, 100_000), Bin(3, 4, 1)], plain=True).splitlines()[1].count("#") == 1


def test_the_svg_needs_nothing_from_outside_and_escapes_its_title():
    found = svg(bins({3: 2, 9: 1}), "<script>alert(1)</script>")
    assert "<script" not in found
    assert "href" not in found
    assert found.count("http") == 1  # the namespace


def test_the_png_is_one(tmp_path):
    pytest.importorskip("matplotlib")
    png(bins({3: 2, 9: 1}), "a $file$", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_png_without_matplotlib_says_what_to_install(tmp_path, monkeypatch):
    load = builtins.__import__

    def refuse(name, *more, **named):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return load(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"anytune\[data\]"):
        png(bins({3: 2}), "a", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_png_into_no_folder_says_so(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(ConfigError, match="cannot be written"):
        png(bins({3: 2}), "a", tmp_path / "none" / "a.png")
