"""Grids, the axes that they are written as, and the choice among their heads, against loops."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linprobe.compare.descent import heads_of, penalty
from linprobe.compare.settings import MOST_SETTINGS, Axis, Grid, Listed, Trials, parse_axis
from linprobe.errors import UsageError


def make_grid(learning_rates, regs):
    return Grid(np.array(learning_rates, float), np.array(regs, float))


def assert_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


# ---- Grid


def test_a_grid_is_every_pair_in_the_order_of_two_loops():
    grid = make_grid([3e-7, 1e-7, 2e-7], [10, 30])
    heads = heads_of(grid, 5)
    pairs = [(learning_rate, reg) for learning_rate in (3e-7, 1e-7, 2e-7) for reg in (10.0, 30.0)]
    assert list(zip(heads.learning_rate.tolist(), heads.reg.tolist(), strict=True)) == pairs
    assert heads.seed.tolist() == [5] * 6  # they differ by their settings alone
    assert (len(grid), len(heads)) == (6, 6)


@pytest.mark.parametrize(
    ("learning_rates", "regs", "words"),
    [
        ([], [1], ["no learning rate", "give at least one"]),
        ([1], [], ["no reg", "give at least one"]),
        ([0.1, np.nan], [1], ["learning rate nan", "finite"]),
        ([0.1], [np.nan], ["reg nan", "finite"]),
        ([np.inf], [1], ["learning rate inf", "finite"]),
        ([0.1], [1, -np.inf], ["reg -inf", "finite"]),
        ([0.1, -1e-7, -5], [1], ["learning rate -1e-07", "not negative"]),
        ([0.1], [-0.5], ["reg -0.5", "not negative"]),
        (np.ones(101), np.ones(100), ["101 x 100 settings", "10,000"]),
        (np.ones(MOST_SETTINGS + 1), [1], ["10,001 x 1 settings"]),
    ],
)
def test_a_senseless_grid_is_refused(learning_rates, regs, words):
    with pytest.raises(UsageError) as caught:
        make_grid(learning_rates, regs)
    assert_one_line(caught, "the grid has", *words)
    assert caught.value.exit_status == 2


def test_the_limits_of_a_grid_are_possible():
    assert len(make_grid(np.ones(100), np.ones(MOST_SETTINGS // 100))) == MOST_SETTINGS
    assert len(make_grid([0], [0])) == 1


# ---- parse_axis


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-7:5e-7:10", [1e-7 + k * 4e-7 / 9 for k in range(10)]),
        ("2.5e4:5e4:2", [25_000, 50_000]),
        ("0:1:5", [0, 0.25, 0.5, 0.75, 1]),
        ("3:3:2", [3, 3]),
        ("1:2:1", [1]),
        ("1e-8:1e-2:4:log", [1e-8, 1e-6, 1e-4, 1e-2]),
        ("1:8:4:log", [1, 2, 4, 8]),
        ("1e-7", [1e-7]),
        ("3, 1e2,0.5", [3, 100, 0.5]),
    ],
)
def test_an_axis_is_what_it_says(text, expected):
    values = parse_axis(text, "--reg").values
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_the_worksheets_axes_are_numpys_linspace():
    np.testing.assert_array_equal(parse_axis("1e-7:5e-7:10", "x").values, np.linspace(1e-7, 5e-7, 10))
    np.testing.assert_array_equal(parse_axis("2.5e4:5e4:10", "x").values, np.linspace(2.5e4, 5e4, 10))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["'' is not a number"]),
        ("fast", ["'fast' is not a number"]),
        ("1,,2", ["'' is not a number"]),
        ("1:2", ["neither a range nor a list"]),
        ("1:2:3:4:5", ["neither a range nor a list"]),
        ("1:2:3:linear", ["neither a range nor a list"]),
        ("1:x:3", ["'x' is not a number"]),
        ("1:2:x", ["'x' is not a whole number"]),
        ("1:2:2.5", ["'2.5' is not a whole number"]),
        ("1:2:0", ["0 values asked for, 1 to 10,000"]),
        ("1:2:-3", ["-3 values"]),
        ("1:2:10001", ["10001 values"]),
        ("1:2:99999999999999999999", ["99999999999999999999 values"]),
        ("2:1:3", ["the lower one first"]),
        ("-1:1:3", ["not negative"]),
        ("nan:1:3", ["finite"]),
        ("0:inf:3", ["finite"]),
        ("0:1e999:3", ["finite"]),
        ("0:1:3:log", ["cannot start at 0"]),
        ("1\n2", ["is not a number"]),
    ],
)
def test_an_axis_that_says_nothing_sensible_is_refused(text, words):
    with pytest.raises(UsageError) as caught:
        parse_axis(text, "--learning-rate")
    assert_one_line(caught, f"--learning-rate {' '.join(text.split())}: ", "write LO:HI:COUNT", *words)


SIZES = st.floats(0, 1e30, allow_subnormal=False)


@given(bounds=st.tuples(SIZES, SIZES), count=st.integers(1, 60), log=st.booleans())
def test_any_range_goes_from_its_low_to_its_high_in_even_steps(bounds, count, log):
    low, high = sorted(bounds)
    if log and low == 0:
        return
    values = parse_axis(f"{low!r}:{high!r}:{count}{':log' if log else ''}", "x").values
    assert len(values) == count
    assert values[0] == low
    assert count == 1 or values[-1] == high
    assert ((low <= values) & (values <= high)).all()
    places = np.arange(count) / max(count - 1, 1)
    expected = np.exp(np.log(low) + places * (np.log(high) - np.log(low))) if log else low + places * (high - low)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=0 if log else high * 1e-12)


@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=8))
def test_any_list_comes_back(values):
    assert parse_axis(",".join(map(repr, values)), "x").values.tolist() == values


@given(text=st.text(max_size=20) | st.text("0123456789.:,e-+naiflog \n", max_size=20))
@example("1:2:3:")
@example("::")
@example(":" * 20)
@example("1" * 5_000)
@example("1:2:" + "1" * 5_000)
@example("\0")
def test_any_text_is_an_axis_or_one_line(text):
    try:
        values = parse_axis(text, "x").values
    except UsageError as error:
        message = str(error)
        assert "\n" not in message
        return
    assert 1 <= len(values) <= MOST_SETTINGS


# ---- penalty

nan = np.nan


def test_the_penalty_is_the_plain_sum_over_weights_and_bias_in_float64():
    rng = np.random.default_rng(0)
    W = (rng.normal(size=(3_000, 4, 5)) * np.geomspace(1e-6, 1e15, 5)).astype(np.float32)
    b = rng.normal(size=(4, 5)).astype(np.float32) * 100
    reg = np.array([0, 1e-9, 1, 2.5e4, 1e-30])
    for head in range(5):
        total = sum(float(value) ** 2 for value in W[:, :, head].ravel()) + sum(
            float(value) ** 2 for value in b[:, head]
        )
        found = penalty(W, b, reg)[head]
        assert found == pytest.approx(reg[head] * total, rel=1e-12)
    W[7, 1, 2] = nan
    found = penalty(W, b, reg)
    assert np.isnan(found).tolist() == [False, False, True, False, False]
    assert found.dtype == np.float64


# ---- further axes, random trials


def test_further_axes_run_fastest():
    grid = Grid(np.array([1.0, 2]), np.array([3.0]), np.array([0, 0.9]), np.array([10, 20]))
    heads = heads_of(grid, 0)
    expected = [(lr, 3.0, m, b) for lr in (1.0, 2.0) for m in (0, 0.9) for b in (10, 20)]
    columns = (heads.learning_rate, heads.reg, heads.momentum, heads.batch_size)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected
    assert heads.batch_size.dtype.kind == "i"


@pytest.mark.parametrize(
    ("axes", "word"),
    [
        ({"momenta": np.array([0.5, 1.0])}, "below 1"),
        ({"momenta": np.array([-0.1])}, "not negative"),
        ({"batch_sizes": np.array([0.0])}, "batch sizes 0 to 0"),
        ({"batch_sizes": np.array([2.5])}, "whole number"),
        ({"batch_sizes": np.array([1e9])}, "1,000,000"),
    ],
)
def test_senseless_further_axes_are_refused(axes, word):
    with pytest.raises(UsageError) as caught:
        Grid(np.array([1.0]), np.array([1.0]), **axes)
    assert_one_line(caught, word)


RANGES = {"learning_rates": parse_axis("1e-6:1e-2:5:log", "x"), "regs": parse_axis("0:10:3", "x")}


@given(seed=st.integers(0, 2**31), count=st.integers(1, 300))
def test_trials_are_drawn_from_the_ranges_by_the_seed(seed, count):
    grid = Grid(**RANGES, momenta=parse_axis("0,0.9", "x"), batch_sizes=parse_axis("10:100:2", "x"))
    trials = Trials(grid, count)
    heads, again, other = (heads_of(trials, number) for number in (seed, seed, seed + 1))
    assert len(trials) == len(heads) == count
    assert 1e-6 <= heads.learning_rate.min() <= heads.learning_rate.max() <= 1e-2
    assert 0 <= heads.reg.min() <= heads.reg.max() <= 10
    assert set(heads.momentum.tolist()) <= {0.0, 0.9}
    assert 10 <= heads.batch_size.min() <= heads.batch_size.max() <= 100
    assert heads.learning_rate.tobytes() == again.learning_rate.tobytes()
    assert heads.learning_rate.tobytes() != other.learning_rate.tobytes()
    # Nor with the numbers that draw the batches, or trials and batches would go together.
    batches = grid.axes["learning_rate"].draw(np.random.default_rng(seed), count)
    assert heads.learning_rate.tobytes() != batches.tobytes()


def test_trials_fill_a_logarithmic_range_evenly_in_the_logarithm():
    heads = heads_of(Trials(Grid(**RANGES), 4_000), 0)
    below = [float(np.mean(heads.learning_rate < bound)) for bound in (1e-5, 1e-4, 1e-3)]
    np.testing.assert_allclose(below, [0.25, 0.5, 0.75], atol=0.03)
    below = [float(np.mean(heads.reg < bound)) for bound in (2.5, 5, 7.5)]
    np.testing.assert_allclose(below, [0.25, 0.5, 0.75], atol=0.03)


@pytest.mark.parametrize("count", [0, -1, MOST_SETTINGS + 1])
def test_a_senseless_number_of_trials_is_refused(count):
    with pytest.raises(UsageError, match="--trials"):
        Trials(Grid(**RANGES), count)


def test_listed_settings_are_those_of_another_space():
    grid = Grid(np.array([1.0, 2, 3]), np.array([5.0]))
    listed = Listed(grid, np.array([2, 0]))
    assert listed.values(7)["learning_rate"].tolist() == [3, 1]
    assert len(listed) == 2
    assert isinstance(listed.axes["reg"], Axis)
