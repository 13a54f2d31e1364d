"""What else a search can be told: features, momentum, trials, screening, early stopping, memory; end to end."""

import csv

import numpy as np
import pytest

from linprobe import load, open_dataset
from linprobe.compare.settings import Axis, parse_axis
from linprobe.compare.solver import Resources
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.errors import UsageError
from linprobe.learn.worksheet import WorksheetOptions, run_worksheet
from linprobe.report import figures
from linprobe.report.folder import views, write_results, write_run

RATES, REGS = np.array([1e-4, 1e-3]), np.array([0.001, 0.1, 10.0])


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


@pytest.mark.parametrize("features", ["centred", "standardised", "normalised"])
def test_features_are_prepared_as_plain_numpy_does(digits, features):
    train = make_splits(digits).train
    rows = train.X[:].reshape(len(train), -1).astype(np.float64)
    expected = rows - rows.mean(axis=0)
    if features == "standardised":
        deviation = rows.std(axis=0)
        expected = np.divide(expected, deviation, out=np.zeros_like(expected), where=deviation > 0)
    if features == "normalised":
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = fit_preparation(train.X, features).apply(train.X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.isfinite(found).all()


def test_an_example_that_is_the_mean_has_no_direction_and_no_nan():
    same = Examples(np.full((3, 2, 2, 1), 7, np.uint8), np.array([0, 1, 0]))
    for features in ("standardised", "normalised"):
        assert not fit_preparation(same.X, features).apply(same.X).any()


@pytest.mark.parametrize("features", ["standardised", "normalised"])
def test_the_saved_model_predicts_behind_its_own_preparation(digits, features, tmp_path):
    axes = parse_axis("1e-3:1:4:log", "x"), np.array([1e-4])
    result = run_worksheet(
        digits, WorksheetOptions(Training(iterations=300), *axes, features=features, val=100, test=150)
    )
    assert result.numbers.test.accuracy > 0.9
    result.classifier.save(tmp_path / "model")
    test = make_splits(digits, val=100, test=150).test
    model = load(tmp_path / "model")
    np.testing.assert_array_equal(model.predict(test.X), result.classifier.predict(test.X))
    assert np.mean(model.predict(test.X) == test.y) == result.numbers.test.accuracy
    assert result.numbers.test.n == len(test) == 150
    val = make_splits(digits, val=100, test=150).val
    assert np.mean(model.predict(val.X) == val.y) != result.numbers.test.accuracy  # or either would do
    # The weights act on centred pixels, so the search's own rows give the same scores.
    preparation = fit_preparation(make_splits(digits, val=100, test=150).train.X, features)
    scores = preparation.apply(test.X) @ result.search.W + result.search.b
    np.testing.assert_allclose(model.decision_function(test.X), scores, rtol=1e-3, atol=1e-3)


def test_every_axis_is_told_and_written(digits, tmp_path):
    training = Training(iterations=60, schedule="cosine", warmup=5, nesterov=True)
    options = WorksheetOptions(training, RATES, REGS, momenta=np.array([0, 0.9]), batch_sizes=np.array([50, 100]))
    steps = []
    result = run_worksheet(digits, options, on_step=steps.append)
    assert len(result.search) == 24
    assert len(result.search.plan.stacks) == 2  # plain SGD and momentum take different steps
    assert {"momentum", "batch size"} <= {row.what for row in steps[4].rows}
    grid = result.numbers.grid
    write_results(tmp_path / "results.csv", grid, grid.rows)
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert sorted({(row["momentum"], row["batch_size"]) for row in rows}) == [
        ("0.0", "100"),
        ("0.0", "50"),
        ("0.9", "100"),
        ("0.9", "50"),
    ]
    heat = figures.grid(write_run(tmp_path, result, result.search.curves, command="linprobe worksheet"))
    assert isinstance(heat, figures.Map)
    best_over_others = result.search.score.reshape(2, 3, 4).max(axis=2)
    np.testing.assert_array_equal(heat.accuracy, best_over_others)
    assert heat.accuracy[heat.frame] == result.search.score[result.search.best]


def test_random_trials(digits, tmp_path):
    options = WorksheetOptions(
        Training(iterations=60), parse_axis("1e-5:1e-2:2:log", "x"), parse_axis("1e-3:10:2:log", "x"), trials=25
    )
    result = run_worksheet(digits, options)
    assert len(result.search) == result.numbers.grid.settings == 25
    assert len(np.unique(result.search.settings["learning_rate"])) == 25
    run = write_run(tmp_path, result, result.search.curves, command="linprobe worksheet --trials 25")
    points = figures.grid(run)
    assert isinstance(points, figures.TrialPoints)
    assert len(points.trained) + len(points.lost) == 25
    assert points.trained[-1] == result.search.best
    views(tmp_path, run)["grid.png"]()
    assert (tmp_path / "grid.png").stat().st_size > 1000
    again = run_worksheet(digits, options)
    assert again.search.W.tobytes() == result.search.W.tobytes()


@pytest.mark.slow
def test_screening_keeps_the_winner_and_reports_only_what_was_retrained(digits, tmp_path):
    axes = Axis(np.geomspace(1e-4, 1e-2, 4)), Axis(np.geomspace(1e-3, 10, 4))
    full = run_worksheet(digits, WorksheetOptions(Training(iterations=400), *axes))
    steps = []
    result = run_worksheet(digits, WorksheetOptions(Training(iterations=400), *axes, screen=40), on_step=steps.append)
    assert result.screening is not None
    assert result.screening.rank == 40
    assert 0 < result.screening.residual < 0.05
    assert np.abs(result.screening.result.train_score - full.search.train_score).max() < 0.02
    assert len(result.search) == 5
    assert result.numbers.grid.settings == 16
    # The retrained ones are the full grid's own, to rounding: same seed, same batches, same start.
    np.testing.assert_allclose(
        result.search.objective, full.search.objective[result.screening.kept], rtol=1e-4
    )  # fmt: skip
    assert "Screened at rank 40" in " ".join(steps[4].notes)
    write_run(tmp_path, result, result.search.curves, command="linprobe worksheet --screen 40")
    with (tmp_path / "results.csv").open() as results, (tmp_path / "screening.csv").open() as screening:
        assert (len(list(csv.reader(results))), len(list(csv.reader(screening)))) == (6, 17)
    with pytest.raises(UsageError, match="--screen 65"):
        run_worksheet(digits, WorksheetOptions(Training(iterations=10), *axes, screen=65))


def test_early_stopping_says_who_stopped(digits):
    result = run_worksheet(
        digits, WorksheetOptions(Training(iterations=2000, patience=3), np.array([1e-9, 1e-3]), np.array([0.1]))
    )
    assert "no_progress" in result.search.stopped
    assert result.numbers.test.accuracy > 0.9


def test_the_plan_is_told_before_the_work_and_bounds_it(digits):
    plans, calls = [], []
    run_worksheet(
        digits,
        WorksheetOptions(Training(iterations=30), RATES, REGS),
        resources=lambda: Resources(memory=2**30, held=10**8),
        on_plan=lambda plan: plans.append((plan, len(calls))),
        progress=lambda *call: calls.append(call),
    )
    ((plan, before),) = plans
    assert before == 0 < len(calls)
    assert plan.bytes <= 2**30
    assert "1 stack of 6 heads" in plan.describe()


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [pytest.param(n, marks=pytest.mark.xdist_group(f"grid {n}")) for n in range(3)])
def test_screening_finds_the_worksheets_winner_on_cifar10(published_grid, seed):
    """No cell's training accuracy moves by more than 0.001, and the same setting wins."""
    dataset, full = published_grid(seed)
    result = run_worksheet(dataset, WorksheetOptions(Training(seed=seed), screen="auto"))
    assert result.screening is not None
    screened = result.screening.result
    assert np.abs(screened.train_score - full.search.train_score).max() <= 0.001
    assert result.search.setting(result.search.best) == full.search.setting(full.search.best)
