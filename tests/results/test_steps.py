"""How figures are said: as people read them, on the right side of chance, and rounded to where they are true."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.core.measure import wilson_interval
from linprobe.results.steps import (
    accuracy_rows,
    at_most,
    counted,
    number,
    proven,
    proven_share,
    wider,
    within,
    without_examples,
)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((0, "0"), (0.25, "0.25"), (1260.0, "1260"), (1234.5, "1234"), (9999.6, "1e4"), (4e4, "4e4"), (1e-6, "1e-6")),
        *((2e-5, "2e-5"), (2.5e8, "2.5e8"), (1e-3, "0.001"), (9.9996, "10"), (1e300, "1e300"), (100.0, "100")),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_said_as_people_type_it(value, said):
    assert number(value) == said
    assert float(said) == pytest.approx(value, rel=5e-3)


@given(st.floats(1e-300, 1e300), st.integers(1, 12))
def test_a_bound_is_never_said_smaller_than_it_is(value, digits):
    assert float(at_most(value, digits)) >= value
    assert float(at_most(value, digits)) <= value * (1 + 10.0 ** (1 - digits)) * (1 + 1e-15)


@given(st.floats(1e-6, 1e6), st.floats(1e-12, 0.99))
def test_no_more_is_proven_in_words_than_in_figures(objective, share):
    said = proven(objective, share * objective)
    below = said.partition("an objective below ")[2].partition(";")[0]
    assert float(below) <= objective - share * objective


def test_a_gap_as_large_as_the_objective_proves_nothing():
    assert proven(1.3, 1.3e8).startswith("Nothing is proven")
    assert proven(1.3, 1.3).startswith("Nothing is proven")
    assert proven(0.0, 0.0).startswith("Proven")


def test_within_a_tolerance():
    assert within(1e-6, 1.0, 1e-6)
    assert not within(1.1e-6, 1.0, 1e-6)
    assert within(0.0, 0.0, 1e-6)
    for gap in (None, float("nan"), float("inf")):
        assert not within(gap, 1.0, 0.5)


@pytest.mark.parametrize(
    ("right", "n", "classes", "said"),
    [
        (30, 40, 4, "above chance, 0.2500"),
        (1, 40, 4, "below chance, 0.2500"),
        (12, 40, 4, "chance, 0.2500, lies in its interval"),
        (5, 40, 4, "chance, 0.2500, lies in its interval"),
        (0, 1, 10, "chance, 0.1000, lies in its interval"),
        (0, 100, 10, "below chance, 0.1000"),
    ],
)
def test_an_accuracy_is_on_the_side_of_chance_where_its_interval_lies(right, n, classes, said):
    assert accuracy_rows("accuracy", right / n, wilson_interval(right, n), n, classes)[0].expected == said


def test_one_is_singular():
    assert [counted(n, "class") for n in (0, 1, 2000)] == ["0 classes", "1 class", "2,000 classes"]
    assert accuracy_rows("accuracy", 1.0, (0.2, 1.0), 1)[1].expected == "from 1 example"
    assert without_examples([]) == ()
    assert without_examples(["a"]) == ("Class a has no example to learn from.",)
    assert without_examples(["a"], "in train") == ("Class a has no example in train.",)
    assert without_examples(["a", "b", "c"]) == ("Classes a, b and c have no example to learn from.",)
    (many,) = without_examples([*"abcdefg", "h" * 100_000])
    assert many == "Classes a, b, c, d, e and 3 more have no example to learn from."
    assert len(without_examples(["h" * 100_000])[0]) < 100


@pytest.mark.parametrize("best", [1e-9, 0.3, 25000.0, 1e8])
@pytest.mark.parametrize("low", [True, False])
def test_what_to_type_reaches_beyond_the_edge_on_its_side(best, low):
    option, _, values = wider("learning_rate", best, low=low).partition(" ")
    first, last, count, spacing = values.split(":")
    assert (option, int(count) > 1, spacing) == ("--learning-rate", True, "log")
    assert float(first) < best < float(last)
    assert (best / float(first) > float(last) / best) == low


def test_nothing_is_proven_by_a_gap_as_large_as_the_objective():
    assert proven_share(3.11e-5) == "a proven gap of 3.2e-5 of the objective"  # an upper bound, as all that is proven
    assert {proven_share(share) for share in (1.0, 1.7e6, math.inf, math.nan)} == {"nothing proven"}
