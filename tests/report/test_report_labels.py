import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.report.labels import (
    class_labels,
    drawable,
    every,
    log_ticks,
    nice_ticks,
    short_number,
    short_numbers,
    shorten,
    tick_labels,
    width,
    wrap,
)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("$x_1$", "$x_1$"),
        ("a_b^{c}", "a_b^{c}"),
        ("line\nbreak\tand  more ", "line break and more"),
        ("猫", "□"),
        ("猫科 cat", "□ cat"),
        ("\U0001f408\u200d\u2b1b\u2713 cat", "□✓ cat"),
        ("e\u0301", "é"),
        ("a\x00b\u202ec\ud800", "abc"),
        ("", ""),
        (7, "7"),
    ],
)
def test_a_name_becomes_what_the_font_can_draw(words, shown):
    assert drawable(words) == shown


@examples(200)
@given(st.text())
def test_any_text_becomes_drawable_and_stays_so(words):
    shown = drawable(words)
    assert drawable(shown) == shown
    assert width(shown, 9) >= 0  # measuring warns, as an error here, when a glyph is missing


@examples(60)
@given(st.text(min_size=1), st.floats(20, 300), st.booleans(), st.booleans())
def test_a_shortened_text_fits_and_says_that_it_is_cut(words, limit, bold, middle):
    words = drawable(words)
    short = shorten(words, 9, limit, bold=bold, middle=middle)
    assert width(short, 9, bold) <= limit
    assert short == words or "…" in short


def test_shortening_keeps_as_much_as_fits():
    full = "a rather long class name"
    for limit in range(30, width(full, 9)):
        begin = shorten(full, 9, limit).removesuffix("…")
        assert full.startswith(begin)
        longer = full[: len(begin) + 1] if full[len(begin)] != " " else full[: len(begin) + 2]
        assert width(longer + "…", 9) > limit


def test_names_that_would_look_the_same_are_kept_apart():
    tails = class_labels(["a very long name with an end", "a very long name with a tail"], 9, 150)
    assert [label.partition("…")[2] for label in tails] == ["an end", "a tail"]
    assert all(label.startswith("a very") for label in tails)
    same = "x" * 60
    assert class_labels([f"{same}1{same}", f"{same}2{same}", "short"], 9, 120) == ["xxxxxx… #0", "xxxxxx… #1", "short"]
    assert class_labels(["猫", "犬", "", "鳥1", "魚1"], 9, 100) == ["class 0", "class 1", "class 2", "□1 #3", "□1 #4"]


@examples(40)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.floats(60, 200))
def test_every_class_gets_a_label_that_fits(names, limit):
    labels = class_labels(names, 9, limit)
    assert len(labels) == len(names)
    assert all(label and width(label, 9) <= limit for label in labels)


def test_wrapping_breaks_at_spaces_and_shortens_only_the_last_line_or_a_giant():
    assert wrap("one two", 9, 500) == ["one two"]
    assert wrap("", 9, 500) == []
    lines = wrap("one two three four five six seven eight nine ten", 9, 150, lines=2)
    assert lines[0] == "one two three"
    assert (lines[1][:4], lines[1][-1]) == ("four", "…")
    assert all(width(line, 9) <= 150 for line in lines)
    giant = wrap("w" * 100 + " end", 9, 150, bold=True)
    assert (giant[0][-1], giant[1]) == ("…", "end")
    assert width(giant[0], 9, bold=True) <= 150


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.linspace(1e-7, 5e-7, 4), ["1e-7", "2.33e-7", "3.67e-7", "5e-7"]),
        (np.linspace(2.5e4, 5e4, 3), ["2.5e4", "3.75e4", "5e4"]),
        ([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"]),
        ([1e-5, 0.1, 1], ["1e-5", "1e-1", "1e0"]),
        ([0, 2.5e4], ["0", "2.5e4"]),
        ([-0.0123, 1.5], ["−0.0123", "1.5"]),
        ([-1e-5], ["−1e-5"]),
        ([1.00001, 1.00002], ["1.00001", "1.00002"]),
        ([1.0, 1.0], ["1", "1"]),
        ([1e30], ["1e30"]),
        ([math.inf, math.nan], ["inf", "nan"]),
    ],
)
def test_numbers_are_short_and_told_apart(values, labels):
    assert short_numbers(values) == labels


def test_one_number_and_ticks():
    assert short_number(3.6666e4) == "3.67e4"
    assert tick_labels([0.3, 0.31, 0.32]) == ["0.30", "0.31", "0.32"]
    assert tick_labels([0, 500, 1000]) == ["0", "500", "1000"]


@given(st.floats(-1e300, 1e300), st.floats(1e-300, 1e300), st.integers(2, 8))
@example(1.4477719918252844e16, 2.0, 8)  # two neighbouring floats: the ticks between them are none
@example(5871229793248459.0, 1.0, 4)
def test_ticks_lie_in_their_range_and_are_about_as_many_as_asked_for(low, span, about):
    high = low + span
    ticks = nice_ticks(low, high, about)
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert 1 <= len(ticks) <= 1.5 * about + 2


@given(st.floats(-300, 299), st.floats(1.4, 300))
def test_ticks_of_a_logarithmic_axis_lie_in_their_range_and_are_two_at_least(low, decades):
    low, high = 10.0**low, 10.0 ** min(low + decades, 300)
    ticks = log_ticks(low, high, 7)
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= 14
    if high / low > 20:
        assert len(ticks) >= 2


def test_labels_are_thinned_to_what_fits():
    assert every(10, 72, 60) == 1
    assert every(10, 72, 73) == 2
    assert every(30, 26, 80) == 4
    assert every(1, 5, 500) == 1
    assert every(3, 5, 500) == 3
