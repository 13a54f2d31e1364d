"""The exercise's last step: the certified optimum of the winner's own objective, and how far SGD was from it."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalMemberAccess=false, reportAttributeAccessIssue=false

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from linprobe import open_dataset
from linprobe.compare.solver import Resources
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.learn.worksheet import WorksheetOptions, run_worksheet
from linprobe.learn.worksheet.optimum import find_optimum
from linprobe.results import LowestObjective, SgdObjective, Skipped, to_json
from linprobe.results.steps import number
from linprobe.results.steps.exercise import optimum_step

RATES = np.array([1e-3, 1e-2])


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


def fit(X, y, reg):
    """scikit-learn at its tightest, and its objective without a penalty on the bias."""
    model = LogisticRegression(C=1 / (2 * len(X) * reg), solver="newton-cg", tol=1e-10, max_iter=1000).fit(X, y)
    return model, objective(X, y, model.coef_.T, model.intercept_, reg)


def objective(X, y, W, b, reg):
    scores = X @ W + b
    scores -= scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y]
    return float(losses.mean() + reg * np.sum(W**2))


def test_it_is_scikit_learns_optimum_and_the_winners_distance_from_it(digits):
    steps = []
    result = run_worksheet(
        digits, WorksheetOptions(Training(iterations=300), RATES, np.array([0.1, 1.0])), on_step=steps.append
    )
    found = result.numbers.optimum
    assert json.loads(result.numbers.text)
    splits = make_splits(digits)
    preparation = fit_preparation(splits.train.X)
    X, val = (preparation.apply(part.X).astype(np.float64) for part in (splits.train, splits.val))
    best = result.numbers.grid.best
    model, lowest = fit(X, splits.train.y, best.reg)
    assert found.reg == best.reg
    assert found.objective == pytest.approx(lowest, rel=2e-6)
    assert found.objective - found.gap <= lowest * (1 + 1e-9)
    assert 0 < found.relative_gap <= 1e-6
    assert found.val_accuracy == model.score(val, splits.val.y)
    # SGD's own weights, without the penalty that they had on the bias.
    W, b = (array.astype(np.float64) for array in (result.search.W, result.search.b))
    of_sgd = objective(X, splits.train.y, W, b, best.reg)
    assert found.sgd.objective == pytest.approx(of_sgd, rel=1e-6)
    assert found.sgd.excess == pytest.approx(of_sgd - lowest, rel=1e-3)
    assert found.sgd.excess > 0
    assert found.sgd.relative_excess == pytest.approx(found.sgd.excess / found.objective)
    assert found.sgd.val_accuracy == best.val_accuracy
    said = " ".join((*(f"{row.found} {row.expected}" for row in steps[-1].rows), *steps[-1].notes))
    assert number(found.objective, 7) in said
    assert " % above it" in said


def test_more_steps_come_nearer(digits):
    excess = [
        run_worksheet(
            digits, WorksheetOptions(Training(iterations=steps, schedule="cosine"), np.array([1e-2]), np.array([1.0]))
        ).numbers.optimum.sgd.relative_excess
        for steps in (30, 2000)
    ]
    assert 0 < excess[1] < excess[0] / 3


def test_the_test_split_is_not_read_for_it(digits):
    optimum = run_worksheet(
        digits, WorksheetOptions(Training(iterations=30), RATES[:1], np.array([1.0]))
    ).numbers.optimum
    assert not any("test" in name for name in (*to_json(optimum), *to_json(optimum.sgd)))


@pytest.mark.parametrize(("loss", "reg", "why"), [("hinge", 1.0, "squared_hinge"), ("softmax", 0.0, "reg is 0")])
def test_where_there_is_none_the_reason_is_said(digits, loss, reg, why):
    steps = []
    options = WorksheetOptions(Training(loss, 30), RATES[:1], np.array([reg]))
    found = run_worksheet(digits, options, on_step=steps.append).numbers.optimum
    assert isinstance(found, Skipped)
    assert why in found.skipped
    assert (steps[-1].number, steps[-1].rows) == (8, ())
    assert found.skipped in steps[-1].notes[0]


def test_too_little_memory_for_it_does_not_cost_the_run(digits):
    options = WorksheetOptions(Training(iterations=30), RATES[:1], np.array([1.0]))
    search, splits = run_worksheet(digits, options).search, make_splits(digits)
    preparation = fit_preparation(splits.train.X)
    train, val = (Examples(preparation.apply(part.X), part.y) for part in (splits.train, splits.val))
    for held, kind in ((10**8, Skipped), (0, LowestObjective)):
        found = find_optimum(search, train, val, options.training, 10, Resources(memory=10**8, held=held))
        assert isinstance(found, kind)


def test_words_for_near_and_far():
    none = SgdObjective(objective=0.0, excess=0.0, relative_excess=0.0, train_accuracy=0.9, val_accuracy=0.9)
    found = LowestObjective(
        loss="softmax", reg=1.0, objective=2.0, gap=1e-7, relative_gap=5e-8, iterations=9, status="gap",
        memory_plan_bytes=0, seconds=1.0, train_accuracy=0.9, val_accuracy=0.9, sgd=none,
    )  # fmt: skip

    def said(objective, val_accuracy=0.8, **other):
        share = objective / 2 - 1
        sgd = replace(none, objective=objective, relative_excess=share, val_accuracy=val_accuracy)
        step = optimum_step(replace(found, sgd=sgd, **other))
        return step.rows[2].expected, " ".join(step.notes)

    assert said(2.00002)[0] == "0.001 % above it"
    assert said(2.0000002)[0] == "1e-5 % above it"
    assert said(2 - 1e-9)[0] == "0 % above it"
    assert said(2.02)[0] == "1 % above it"
    assert "came within 1 % of it" in said(2.02)[1]
    assert said(112.0)[0] == "56 times as high"
    assert "far from it" in said(112.0)[1]
    assert "stopping early" not in said(112.0)[1]
    assert "stopping early" in said(112.0, 0.9)[1]
    assert "--schedule cosine" in said(112.0)[1]
    assert "--schedule cosine" not in said(112.0, schedule="cosine")[1]
    beside, notes = said(1.5, gap=1.0)  # SGD came lower than a solver that stopped short
    assert beside == ""
    assert notes.startswith("The solver stopped short of the optimum, so how far")
