"""The data of the figures, against plain loops and tables made by hand."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalOperand=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalIterable=false, reportOperatorIssue=false, reportAttributeAccessIssue=false

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, recall_score
from typer.testing import CliRunner

from linprobe.cli import app
from linprobe.errors import UsageError
from linprobe.report import figures
from linprobe.report.figures import Confusion, Map, PathLines, TrialPoints, scale_templates
from linprobe.report.figures.scales import scale_of
from linprobe.report.page.views import view
from linprobe.report.run import read_run
from linprobe.results import LowestObjective
from runs import KINDS, made_up, run_of  # pyright: ignore[reportMissingImports]


def tried_with(run, **columns):
    """The run with these figures in its rows, the first of which is chosen."""
    grid = run.numbers.grid
    rows = tuple(
        replace(row, **{name: values[k] for name, values in columns.items()}) for k, row in enumerate(grid.rows)
    )
    return replace(run, numbers=replace(run.numbers, grid=replace(grid, rows=rows, best=rows[0])))


# ---- loss curves


def test_curves_stand_from_the_best_on_and_what_diverged_has_no_say():
    run = made_up(grid=(2, 3))
    accuracy = [0.9, 0.7, None, 0.95, 0.8, 0.1]
    status = ["diverged" if value is None else "max_iter" for value in accuracy]
    run = tried_with(run, val_accuracy=accuracy, train_accuracy=accuracy, val_loss=[1.0] * 6, status=status)
    run.curves[:, :] = np.linspace(1, 2, len(run.steps))[:, None]
    run.curves[3:, 2], run.curves[2, 2] = np.nan, 1e30
    found = figures.losses(run)
    assert found is not None
    assert (found.best, found.others, found.lost, found.left_out) == ([0, 3, 4], [1, 5], [2], 0)
    assert found.scale == "linear"
    assert found.limits == pytest.approx((0.96, 2.04))
    np.testing.assert_array_equal(found.curves, run.curves)

    run.curves[0, 5] = 41  # more than twenty times the lowest
    found = figures.losses(run)
    assert found is not None
    assert found.scale == "log"
    edge = 0.04 * np.log10(41)
    assert found.limits == pytest.approx((-edge, np.log10(41) + edge))
    run.curves[0, 5] = 0  # of which there is no logarithm
    assert figures.losses(run).scale == "linear"
    run.curves[0, 5] = np.inf
    found = figures.losses(run)
    assert found is not None
    assert np.isnan(found.curves[0, 5])
    assert found.limits == pytest.approx((0.96, 2.04))


def test_of_very_many_curves_some_are_left_out_evenly_and_never_the_best():
    run = made_up(grid=(10, 10))
    whole, some = figures.losses(run), figures.losses(run, 7)
    assert whole is not None
    assert some is not None
    assert len(whole.best) + len(whole.others) + len(whole.lost) == 100
    assert whole.left_out == 0
    assert some.best == whole.best
    assert len(some.others) + len(some.lost) == 7
    assert some.left_out == 90
    rest = [k for k in some.settings.order if k not in some.best]
    assert sorted([*some.others, *some.lost], key=rest.index) == [rest[place * 97 // 7] for place in range(7)]


def test_constant_curves_and_none_that_are_finite():
    run = made_up(grid=(1, 2))
    run.curves[:] = 2.5
    found = figures.losses(run)
    assert found is not None
    assert found.limits == pytest.approx((2.25, 2.75))
    run.curves[:] = 0
    assert figures.losses(run).limits == (-1, 1)
    run.curves[:] = np.nan
    assert figures.losses(run).limits is None
    assert figures.losses(run_of("tune")) is None


def test_the_lowest_possible_objective_is_in_the_plot():
    run = run_of("worksheet")
    assert isinstance(run.numbers.optimum, LowestObjective)
    found = figures.losses(run)
    assert found is not None
    assert found.limits is not None
    assert found.lowest == run.numbers.optimum.objective
    lowest = np.log10(found.lowest) if found.scale == "log" else found.lowest
    assert found.limits[0] < lowest < found.limits[1]


# ---- what was compared


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_depends_on_the_run_alone(kind):
    run = run_of(kind)
    expected = {
        "trials": TrialPoints,
        "one setting": None,
        "tune": PathLines,
        "folds": PathLines,
        "features": PathLines,
    }.get(kind, Map)
    found = [figure for figure in (figures.path(run), figures.grid(run)) if figure is not None]
    assert [type(figure) for figure in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize("kind", ["worksheet", "hinge", "momentum", "screening"])
def test_a_cell_has_the_best_of_its_settings(kind):
    run = run_of(kind)
    found = figures.grid(run)
    assert isinstance(found, Map)
    grid = run.numbers.grid
    rows = grid.rows if grid.screening is None else grid.screening.rows
    for y, rate in enumerate(grid.axes["learning_rate"]):
        for x, reg in enumerate(grid.axes["reg"]):
            alike = [row for row in rows if (row.learning_rate, row.reg) == (rate, reg)]
            known = [row.val_accuracy for row in alike if row.val_accuracy is not None]
            if known:
                assert found.accuracy[y, x] == max(known) == rows[found.heads[y, x]].val_accuracy
            else:
                assert np.isnan(found.accuracy[y, x])
                assert found.heads[y, x] in found.lost
            assert rows[found.heads[y, x]] in alike
    assert len(found.lost) == np.isnan(found.accuracy).sum()
    assert (found.ys[found.frame[0]], found.xs[found.frame[1]]) == (grid.best.learning_rate, grid.best.reg)
    marked = [(found.ys[y], found.xs[x]) for y, x in found.marked]
    assert marked == ([] if grid.screening is None else [(row.learning_rate, row.reg) for row in grid.rows])
    accuracies = [row.val_accuracy for row in rows if row.val_accuracy is not None]
    if min(accuracies) < max(accuracies):
        assert found.limits == (min(accuracies), max(accuracies))
    assert found.others == (["momentum", "batch size"] if kind == "momentum" else [])


def test_equal_accuracies_have_a_scale_of_colours_all_the_same():
    run = tried_with(made_up(grid=(2, 2)), val_accuracy=[0.5] * 4, status=["max_iter"] * 4)
    found = figures.grid(run)
    assert isinstance(found, Map)
    assert found.limits == pytest.approx((0.49, 0.51))


def test_points_stand_with_the_best_on_top_and_the_lowest_are_left_out():
    run = made_up(grid=(5, 5), trials=25)
    whole, some = figures.grid(run), figures.grid(run, 4)
    assert isinstance(whole, TrialPoints)
    assert isinstance(some, TrialPoints)
    rows = run.numbers.grid.rows
    accuracy = [rows[k].val_accuracy for k in whole.trained]
    assert accuracy == sorted(accuracy)
    assert {*whole.trained, *whole.lost} == set(range(25))
    assert {rows[k].status for k in whole.lost} == {"diverged"}
    assert (whole.left_out, some.left_out) == (0, 21)
    assert some.trained == whole.trained[-4:]
    assert whole.scales == {"learning_rate": "log", "reg": "log"}


def test_a_path_ascends_and_what_diverged_has_no_interval():
    run = made_up(grid=(1, 30))
    found, some = figures.path(run), figures.path(run, 10)
    assert found is not None
    assert some is not None
    rows = run.numbers.grid.rows
    assert found.along == "reg"
    assert found.trained == sorted(found.trained)
    assert [rows[k].status for k in found.lost] == ["diverged"] * len(found.lost)
    assert len(found.trained) + len(found.lost) == 30
    for k, (low, high) in zip(found.trained, found.intervals, strict=True):
        assert low <= rows[k].val_accuracy <= high
    assert some.left_out == 30 - len(some.trained) - len(some.lost) >= 19
    assert some.settings.best in some.trained


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1, 20], "linear"), ([1, 20.1], "log"), ([0, 1], "category"), ([3], "linear"), ([0, 0], "linear")],
)
def test_the_scale_of_an_axis(values, scale):
    assert scale_of(values) == scale


# ---- classes


def test_recall_and_accuracy_are_those_of_scikit_learn():
    y = load_digits(return_X_y=True)[1]
    rng = np.random.default_rng(0)
    guess = np.where(rng.random(len(y)) < 0.7, y, rng.integers(0, 10, len(y)))
    found = Confusion("t", confusion_matrix(y, guess), list("0123456789"))
    np.testing.assert_allclose(np.diag(found.share), recall_score(y, guess, average=None))
    assert (found.n, found.correct) == (1797, (y == guess).sum())
    assert not found.absent.any()
    np.testing.assert_allclose(found.shade**2, found.share)


def test_a_class_without_examples_is_absent_and_classes_are_summed():
    counts = np.array([[5, 1, 0], [0, 0, 0], [2, 0, 7]])
    found = Confusion("t", counts, ["a", "b", "c"])
    assert found.absent.tolist() == [False, True, False]
    np.testing.assert_allclose(found.share, [[5 / 6, 1 / 6, 0], [0, 0, 0], [2 / 9, 0, 7 / 9]])
    summed = found.summed(2)
    assert summed.counts.tolist() == [[6, 0], [2, 7]]
    assert summed.classes == ["a", "c"]


def test_bins_without_examples_are_left_out():
    found = figures.reliability(made_up())
    assert found is not None
    assert (found.bins, len(found.seen)) == (10, 10)
    for one, low, accuracy in zip(found.seen, np.linspace(0, 0.9, 10), np.linspace(0.2, 1, 10), strict=True):
        assert (one.low, one.high, one.n) == pytest.approx((low, low + 0.1, 5))
        assert one.right == round(5 * accuracy)
        assert one.interval[0] < accuracy <= one.interval[1] + 1e-9
    assert figures.reliability(run_of("hinge")) is None


# ---- templates


def scaled_with_loops(weights):
    low = high = float(weights[0, 0, 0, 0])
    for place in np.ndindex(weights.shape):
        low, high = min(low, float(weights[place])), max(high, float(weights[place]))
    scaled = np.empty(weights.shape, np.uint8)
    for place in np.ndindex(weights.shape):
        scaled[place] = round(255.0 * ((float(weights[place]) - low) / (high - low)))
    return scaled


@given(
    arrays.arrays(
        np.float32, st.tuples(*[st.integers(1, 4)] * 4), elements=st.floats(-1e6, 1e6, width=32), unique=True
    ).filter(lambda weights: weights.size > 1)
)
def test_templates_are_scaled_as_in_plain_loops(weights):
    scaled = scale_templates(weights)
    assert scaled.dtype == np.uint8
    np.testing.assert_array_equal(scaled, scaled_with_loops(weights))
    assert (scaled.min(), scaled.max()) == (0, 255)


def test_the_scale_is_the_same_for_all_classes():
    weights = np.zeros((2, 1, 3, 1))
    weights[0, 0, :, 0] = [-1, 0, 1]
    weights[1, 0, :, 0] = [0, 0, 3]
    assert scale_templates(weights)[..., 0].tolist() == [[[0, 64, 128]], [[64, 64, 255]]]


def test_extreme_and_equal_weights():
    assert (scale_templates(np.full((2, 3, 3, 1), 7.0)) == 128).all()
    assert scale_templates(np.array([-1.7e308, 0, 1.7e308]).reshape(1, 1, 3, 1)).ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
def test_other_numbers_of_channels_than_one_and_three_are_averaged(channels):
    run = made_up(K=2, shape=(4, 5, channels))
    found = figures.templates(run)
    assert found is not None
    weights = run.classifier.W.T.reshape(2, 4, 5, channels).astype(float)
    shown = weights if channels in (1, 3) else weights.mean(axis=3, keepdims=True)
    np.testing.assert_array_equal(found.pixels, scaled_with_loops(shown))
    assert (found.limits, found.channels) == ((shown.min(), shown.max()), channels)
    assert figures.templates(made_up(shape=(12,))) is None


@pytest.mark.parametrize(
    ("weights", "finding"),
    [
        (np.zeros((2, 4, 4)), r"shape \(2, 4, 4\)"),
        (np.zeros((0, 4, 4, 1)), r"shape \(0, 4, 4, 1\)"),
        (np.zeros((2, 4, 4, 0)), r"shape \(2, 4, 4, 0\)"),
        (np.full((2, 4, 4, 1), np.nan), "not finite"),
        (np.full((2, 4, 4, 5), np.inf), "not finite"),
    ],
)
def test_what_are_no_templates_is_refused(weights, finding):
    with pytest.raises(UsageError, match=finding):
        scale_templates(weights)


def test_a_path_that_another_metric_chose_along_is_of_that_metric(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    np.savez(tmp_path / "d.npz", X=(rng.normal(size=(3, 4))[y] + rng.normal(size=(120, 4))).astype(np.float32), y=y)
    options = ["--reg", "0.01,0.1,1", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, ["tune", str(tmp_path / "d.npz"), "--metric", "log-loss", *options])
    assert done.exit_code == 0, done.output
    run = read_run(tmp_path / "run")
    found, losses = figures.path(run), [row.val_metric for row in run.numbers.grid.rows]
    assert found is not None
    assert found.title.endswith(": log-loss along reg")
    assert found.intervals == []
    drawn = view(run, 100_000)
    assert drawn is not None
    (line,) = [trace for trace in drawn.data if trace.get("name") == "validation"]
    assert line["y"] == losses
    assert not [trace for trace in drawn.data if trace.get("name") == "train"]
    assert drawn.layout["yaxis"]["title"]["text"] == "log-loss"
    assert "log-loss on validation" in drawn.label
