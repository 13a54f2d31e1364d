import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.errors import UsageError
from linprobe.report.curves import _running_median, _spread, _thin, draw_losses, losses_sheet

STEPS = np.arange(1, 1501)


def falling(start: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.05, 1500)
    return start * 0.97**STEPS + 2.1 + noise


def words(sheet) -> list[str]:
    return [text.get_text() for text in sheet.figure.texts]


def drawn(sheet) -> list:
    """The x and y of every line in the plot."""
    return [np.array(line.get_data(), dtype=float) for line in sheet.figure.axes[0].lines]


def worksheet() -> dict:
    return {
        "best: learning rate 4.11e-7, λ 2.5e4": falling(770),
        "median: learning rate 3e-7, λ 3.61e4": falling(900, 1),
        "worst: learning rate 1e-7, λ 5e4": falling(1500, 2),
    }


def test_the_worksheets_curves_stand_on_a_logarithmic_axis_with_their_names_at_their_ends(check_layout):
    sheet = losses_sheet(STEPS, worksheet(), title="Objective of three heads of 100, softmax on cifar10")
    check_layout(sheet)
    assert sheet.figure.axes[0].get_yscale() == "log"
    assert {"best", "learning rate 4.11e-7, λ 2.5e4", "iteration", "objective (logarithmic scale)"} <= set(words(sheet))
    assert "Thin: each value; thick: running median of 31." in words(sheet)
    assert (sheet.width, 600 < sheet.height < 800) == (1140, True)
    low, high = sheet.figure.axes[0].get_ylim()
    everything = np.concatenate(list(worksheet().values()))
    assert low <= everything.min() <= everything.max() <= high


def test_a_narrow_range_is_linear():
    sheet = losses_sheet([1, 2, 3], {"best": [2.3, 2.2, 2.1]}, title="t")
    assert sheet.figure.axes[0].get_yscale() == "linear"
    assert "objective" in words(sheet)
    np.testing.assert_allclose(drawn(sheet)[0], [[1, 2, 3], [2.3, 2.2, 2.1]])
    assert "last value 2.10" in words(sheet)


@pytest.mark.parametrize("lost", [np.inf, -np.inf, np.nan])
def test_a_diverged_curve_is_drawn_up_to_there_and_marked_and_does_not_squash_the_others(lost, check_layout):
    values = np.full(1500, lost)
    values[:40] = 10.0 ** np.arange(40)
    alone = losses_sheet(STEPS, worksheet(), title="t").figure.axes[0].get_ylim()
    sheet = losses_sheet(STEPS, worksheet() | {"gone: learning rate 1e30": values}, title="t")
    check_layout(sheet)
    assert sheet.figure.axes[0].get_ylim() == alone
    assert "diverged at iteration 41" in words(sheet)
    line, mark = drawn(sheet)[-2:]
    assert line[0].max() == 40
    assert mark.shape == (2, 1)
    assert mark[0, 0] == 5  # the first value beyond the axis is 10^4, at iteration 5
    assert mark[1, 0] == pytest.approx(alone[1])


def test_a_curve_that_breaks_off_inside_the_plot_is_marked_at_its_last_value():
    sheet = losses_sheet([10, 20, 30, 40], {"best": [3, 2, 1.5, 1.2], "gone": [3, 2.5, np.nan, 2]}, title="t")
    line, mark = drawn(sheet)[-2:]
    np.testing.assert_allclose(line, [[10, 20], [3, 2.5]])
    np.testing.assert_allclose(mark, [[20], [2.5]])
    assert "diverged at iteration 30" in words(sheet)


@examples(25)
@given(
    st.lists(st.lists(st.floats(width=64) | st.floats(0, 1000), min_size=7, max_size=7), min_size=1, max_size=9),
    st.text(max_size=100),
)
def test_any_values_can_be_drawn_and_nothing_overlaps(check_layout, values, name):
    curves = {f"{name}: {k}": row for k, row in enumerate(values)}
    check_layout(losses_sheet(np.arange(7) * 100, curves, title="t"))


@pytest.mark.parametrize("value", [0.0, 3.7e-308, -2.0, 2.3, 770.0, 1e-30, 1e300, np.nan])
def test_one_step(value, check_layout):
    check_layout(losses_sheet([1], {"best": [value]}, title="t"))


def test_a_long_curve_keeps_its_extremes_when_it_is_thinned():
    values = np.random.default_rng(0).normal(size=100_000)
    values[[31_234, 77_777]] = 40, -50
    steps, kept = _thin(np.arange(100_000), values)
    assert len(steps) <= 4002
    assert {0, 31_234, 77_777, 99_999} <= set(steps.tolist())
    assert (np.diff(steps) > 0).all()
    np.testing.assert_array_equal(kept, values[steps])
    losses_sheet(np.arange(100_000), {"best": values}, title="t").pixels()


def test_the_running_median_is_the_median_of_the_values_around():
    values = np.random.default_rng(0).normal(size=700)
    steps, medians = _running_median(np.arange(700), values)
    assert steps.tolist() == list(range(700))
    for i, median in enumerate(medians):
        reach = min(7, i, 699 - i)
        assert median == sorted(values[i - reach : i + reach + 1])[reach]
    falling = np.geomspace(770, 2, 700)
    np.testing.assert_array_equal(_running_median(np.arange(700), falling)[1], falling)


@given(st.lists(st.tuples(st.floats(0, 400), st.integers(10, 60)), min_size=1, max_size=6))
def test_labels_at_the_ends_keep_apart_and_on_the_page(labels):
    wanted, heights = [list(column) for column in zip(*labels, strict=True)]
    middles = _spread(wanted, heights, 0, 400)
    spans = sorted((middle - height / 2, middle + height / 2) for middle, height in zip(middles, heights, strict=True))
    assert spans[0][0] >= -1e-6
    assert spans[-1][1] <= 400 + 1e-6
    assert all(above[1] <= below[0] + 1e-6 for above, below in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("steps", "curves", "finding"),
    [
        ([], {"best": []}, "nothing to draw"),
        ([1, 2], {}, "nothing to draw"),
        ([1, 2], {"best": [1.0]}, r"'best' has the shape \(1,\)"),
        ([2, 1], {"best": [1.0, 2.0]}, "do not ascend"),
        ([1, np.nan], {"best": [1.0, 2.0]}, "do not ascend"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(steps, curves, finding, tmp_path):
    with pytest.raises(UsageError, match=finding):
        draw_losses(tmp_path / "loss.png", steps, curves, title="t")
    assert list(tmp_path.iterdir()) == []
