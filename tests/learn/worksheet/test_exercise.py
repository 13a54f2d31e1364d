"""The exercise end to end: on digits, on made data, and on CIFAR-10 against the published run."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOperatorIssue=false

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from linprobe import open_dataset
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import Preparation
from linprobe.errors import DataError, DivergedError, IncompatibleError, UsageError
from linprobe.learn.worksheet import WorksheetOptions, run_worksheet
from linprobe.learn.worksheet.questions import answer_first_loss, answer_svm_unchanged
from linprobe.model import Model
from linprobe.results import LowestObjective, Vectorized
from linprobe.results.steps.exercise import vectorized_step


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


SMALL = WorksheetOptions(Training(iterations=200), np.array([1e-4, 1e-3]), np.array([0.001, 0.1, 10.0]))


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_the_eight_steps_on_digits(digits, loss):
    steps = []
    options = WorksheetOptions(Training(loss, 200), SMALL.learning_rates, SMALL.regs)
    result = run_worksheet(digits, options, on_step=steps.append)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    numbers = result.numbers
    assert json.loads(numbers.text)
    assert numbers.first_loss.expected == pytest.approx(np.log(10) if loss == "softmax" else 9)
    assert numbers.first_loss.naive == pytest.approx(numbers.first_loss.expected, rel=0.01)
    assert len(numbers.gradient_check.checks) == 20
    assert {check.reg for check in numbers.gradient_check.checks} == {0, 50}
    assert numbers.gradient_check.max_relative_error < 1e-6
    assert numbers.vectorized.loss_difference < 1e-12
    assert numbers.vectorized.gradient_difference < 1e-10
    assert numbers.grid.settings == 6
    assert numbers.test.accuracy > 0.9
    low, high = numbers.test.interval
    assert low < numbers.test.accuracy < high
    assert result.evidence.counts.sum() == numbers.test.n
    # The kept model is the best on validation, and the test figure is its own.
    best = numbers.grid.best
    assert best.val_accuracy == np.nanmax(result.search.score)
    assert np.trace(result.evidence.counts) / numbers.test.n == numbers.test.accuracy


def test_a_loss_that_the_worksheet_is_not_about_is_refused(digits):
    with pytest.raises(IncompatibleError, match=r"no loops for 'squared_hinge'; use softmax or hinge$"):
        run_worksheet(digits, WorksheetOptions(Training("squared_hinge")))


def test_the_questions_are_answered_with_evidence(digits):
    questions = run_worksheet(digits, SMALL).numbers.questions
    first = questions.first_loss
    np.testing.assert_allclose(first.mean_probability_per_class, 0.1, atol=0.01)
    assert first.loss == pytest.approx(np.log(10), abs=0.02)
    unchanged = questions.svm_unchanged
    assert unchanged.holds
    assert unchanged.hinge_loss == 0
    assert unchanged.softmax_loss > 0


def test_where_the_first_loss_is_not_near_log_k_no_reason_is_given_why_it_is():
    rng = np.random.default_rng(0)
    W, X, y = 1e-4 * rng.standard_normal((9, 4)), rng.standard_normal((50, 9)), np.arange(50) % 4
    assert answer_first_loss(W, X, y).answer.startswith("Weights this small leave every class")
    with np.errstate(all="raise"):
        far = answer_first_loss(W, 1e5 * X, y)
    assert far.answer.startswith(f"Here it is not: it is {far.loss:.4f}, and log 4 = 1.3863.")
    assert np.isfinite(answer_first_loss(W, 1e9 * X, y).loss)


@pytest.mark.parametrize("size", [1e-3, 3.0, 1e5])
def test_the_svms_witness_always_has_a_softmax_loss_to_show(size):
    W = size * np.eye(3, dtype=np.float32)
    classifier = Model(W, np.zeros(3, np.float32), ("a", "b", "c"), Preparation(np.zeros(3, np.float32), (3,)))
    found = answer_svm_unchanged(classifier, Examples(np.eye(3, dtype=np.float32), np.arange(3)))
    assert (found.holds, found.hinge_loss) == (True, 0)
    assert found.softmax_loss > 0


def test_a_matrix_form_that_is_slower_is_not_called_faster():
    figures = Vectorized(
        naive_seconds=1.0, seconds=4.0, naive=2.3, loss=2.3, loss_difference=0.0, gradient_difference=0.0
    )
    assert vectorized_step(figures).rows[2].expected == "0.25 x as fast"
    assert vectorized_step(replace(figures, seconds=0.004)).rows[2].expected == "250 x as fast"


def test_a_class_without_examples_is_named(digits):
    steps = []
    dataset = Dataset("digits", digits.train, None, (*digits.classes, "ten"))
    result = run_worksheet(
        dataset, WorksheetOptions(Training(iterations=5), np.array([1e-4]), np.array([0.1])), on_step=steps.append
    )
    assert steps[0].notes == ("Class ten has no example to learn from.",)
    assert result.classifier.unlearned == ["ten"]
    assert "trained in" in steps[4].rows[2].found  # one setting is not trained together with any


def test_the_choice_does_not_see_the_test_split(digits):
    """Other test pictures and labels: the same model, another test figure."""
    rng = np.random.default_rng(0)
    half = Examples(digits.train.X[:900], digits.train.y[:900])
    rest, n = digits.train.X[900:], len(digits.train.y) - 900
    honest = Dataset("digits", half, Examples(rest, digits.train.y[900:]), digits.classes)
    noise = Dataset("digits", half, Examples(rest, rng.integers(0, 10, n)), digits.classes)
    a, b = run_worksheet(honest, SMALL), run_worksheet(noise, SMALL)
    assert a.classifier.W.tobytes() == b.classifier.W.tobytes()
    assert a.numbers.grid.best == b.numbers.grid.best
    assert b.numbers.test.accuracy < 0.3 < a.numbers.test.accuracy


@pytest.mark.parametrize("features", ["centred", "standardised", "normalised"])
def test_training_and_its_preparation_do_not_see_validation(digits, features):
    """Other validation pictures and labels: the same heads, bit for bit, perhaps another choice."""
    half, X, y = digits.train.take(slice(900)), digits.train.X[:900].copy(), digits.train.y[:900].copy()
    X[700:], y[700:] = 255 - X[700:], np.roll(y[700:], 1)
    options = replace(SMALL, training=Training(iterations=30), features=features, train=700, val=200)
    a, b = (
        run_worksheet(Dataset("digits", rows, digits.train.take(slice(900, 1000)), digits.classes), options)
        for rows in (half, Examples(X, y))
    )
    for name in ("train_score", "objective"):
        assert getattr(a.search, name).tobytes() == getattr(b.search, name).tobytes()
    assert a.search.curves.objective.tobytes() == b.search.curves.objective.tobytes()
    assert a.classifier.preparation.mean.tobytes() == b.classifier.preparation.mean.tobytes()
    assert not np.array_equal(a.search.loss, b.search.loss)


def test_one_seed_gives_one_result_and_another_seed_another(digits):
    a, b = run_worksheet(digits, SMALL), run_worksheet(digits, SMALL)
    other = run_worksheet(digits, WorksheetOptions(Training(iterations=200, seed=1), SMALL.learning_rates, SMALL.regs))
    assert a.search.W.tobytes() == b.search.W.tobytes()
    assert a.search.W.tobytes() != other.search.W.tobytes()


def test_diverging_settings_are_left_out_of_the_choice(digits):
    options = WorksheetOptions(Training(iterations=60), np.array([1e-3, 1e30]), np.array([0.01, 0.1]))
    steps = []
    result = run_worksheet(digits, options, on_step=steps.append)
    assert list(result.search.stopped) == ["max_iter", "max_iter", "diverged", "diverged"]
    assert result.numbers.grid.diverged == 2
    assert result.search.best in (0, 1)
    assert any("2 of 4 settings" in row.found for row in steps[4].rows)
    with pytest.raises(DivergedError, match="all 2 settings diverged"):
        run_worksheet(digits, WorksheetOptions(Training(iterations=60), np.array([1e30]), np.array([0.01, 0.1])))


def test_the_edge_of_the_grid_is_said(digits):
    steps = []
    options = WorksheetOptions(Training(iterations=100), np.array([1e-7, 1e-3]), np.array([0.1]))
    run_worksheet(digits, options, on_step=steps.append)
    assert "edge of the grid (learning rate)" in " ".join(steps[4].notes)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_defaults_fit_the_data(digits, loss):
    """What `make demo` shows first: a choice inside the grid on both axes, with an objective near the lowest one."""
    numbers = run_worksheet(digits, WorksheetOptions(Training(loss))).numbers
    grid, optimum = numbers.grid, numbers.optimum
    assert grid.settings == 100
    assert grid.diverged == 0
    for name in ("learning_rate", "reg"):
        assert min(grid.axes[name]) < grid.best.setting[name] < max(grid.axes[name])
    assert grid.edges == ()
    assert numbers.test.accuracy > 0.95
    if loss == "softmax":
        assert isinstance(optimum, LowestObjective)
        assert optimum.gap <= 1e-6 * optimum.objective
        assert optimum.sgd.objective <= 1.5 * optimum.objective


def test_what_is_no_worksheet_is_refused():
    rng = np.random.default_rng(0)
    features = Examples(rng.normal(size=(50, 4)).astype(np.float32), np.arange(50) % 2)
    with pytest.raises(IncompatibleError, match="source of images"):
        run_worksheet(Dataset("features", features, None, ("a", "b")))
    pictures = rng.integers(0, 255, size=(50, 4, 4, 1)).astype(np.uint8)
    with pytest.raises(DataError, match="single class"):
        run_worksheet(Dataset("one class", Examples(pictures, np.zeros(50, int)), None, ("a", "b")))
    with pytest.raises(UsageError):
        run_worksheet(
            Dataset("few", Examples(pictures, np.arange(50) % 2), None, ("a", "b")), WorksheetOptions(val=49, test=5)
        )


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [pytest.param(n, marks=pytest.mark.xdist_group(f"grid {n}")) for n in range(3)])
def test_the_grid_is_the_published_one(shared, published_grid, seed):
    """Training accuracy differs by at most 0.012 on average over the 100 cells; the published run is the truth."""
    _, result = published_grid(seed)
    with (shared / "worksheet" / "reference_grid.csv").open() as file:
        published = list(csv.DictReader(file))
    settings = [(float(row["learning_rate"]), float(row["reg"])) for row in published]
    compared = [result.search.settings[name] for name in ("learning_rate", "reg")]
    np.testing.assert_allclose(np.column_stack(compared), settings, rtol=1e-6)
    train = np.array([float(row["train_accuracy"]) for row in published])
    val = np.array([float(row["val_accuracy"]) for row in published])
    assert np.abs(result.search.train_score - train).mean() <= 0.012
    assert np.abs(result.search.score - val).mean() <= 0.02
    assert result.numbers.gradient_check.max_relative_error < 1e-6
    data = result.numbers.data
    assert [getattr(data, split) for split in ("train", "val", "test", "dev")] == [49000, 1000, 1000, 500]
    low, high = result.numbers.test.interval
    assert low < 0.341 < high  # the published test accuracy
