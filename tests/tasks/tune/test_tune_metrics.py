"""The metrics of a tuning's test split, and the temperature: against scikit-learn on the same rows."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportArgumentType=false
# pyright: reportOptionalOperand=false, reportOperatorIssue=false

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import typer
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from linprobe.cli import app
from linprobe.compare.held_out import make_folds
from linprobe.core.metrics import METRICS
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.splits import make_splits, part_of
from linprobe.errors import IncompatibleError, UsageError
from linprobe.tasks.evaluate import assess
from linprobe.tasks.tune import Options, tune
from linprobe.tasks.tune.steps import settings_step

REG = np.array([1e-2, 0.1])


def draw(n=400, K=3, *, groups=None):
    rng = np.random.default_rng(0)
    y = np.arange(n) % K
    X = (rng.standard_normal((n, 5)) + 1.2 * rng.standard_normal((K, 5))[y]).astype(np.float32)
    return Dataset("drawn", Examples(X, y, groups), None, tuple("abcdefgh"[:K]))


@pytest.fixture(scope="module")
def tuned():
    return tune(draw(), Options(regs=REG))


def splits_of(dataset, n=400):
    return make_splits(dataset, val=n // 10, test=n // 10, rule="stratified")


def test_they_are_scikit_learns_on_the_test_split(tuned):
    dataset, test = draw(), tuned.numbers.test
    examples = splits_of(dataset).test
    scores = tuned.classifier.decision_function(examples.X[:])
    P = softmax(scores.astype(float), axis=1)
    found = {name: figure.value for name, figure in test.metrics.items()}
    assert set(found) == set(METRICS) - {"accuracy", "top5"} | {"calibration_error_scaled"}
    assert found["auroc"] == pytest.approx(roc_auc_score(examples.y, P, multi_class="ovr"))
    assert found["average_precision"] == pytest.approx(average_precision_score(examples.y, P))
    assert found["log_loss"] == pytest.approx(log_loss(examples.y, P))
    assert test.groups is None
    for figure in test.metrics.values():
        assert figure.interval[0] < figure.value < figure.interval[1]


def best_temperature(scores, y):
    def loss(log_temperature):
        return -log_softmax(scores / np.exp(log_temperature), axis=1)[np.arange(len(y)), y].mean()

    found = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9})
    return np.exp(found.x)  # pyright: ignore[reportAttributeAccessIssue]


def fitted(X, y, reg):
    return LogisticRegression(C=1 / (2 * len(X) * reg), tol=1e-7, max_iter=1000).fit(X, y)


def test_the_temperature_is_that_of_validation_by_the_model_that_has_not_seen_it(tuned):
    splits = splits_of(draw())
    train, val = (each.X[:] - splits.train.X[:].mean(axis=0) for each in (splits.train, splits.val))
    model = fitted(train, splits.train.y, tuned.numbers.grid.best.reg)
    known = best_temperature(model.decision_function(val), splits.val.y)
    assert tuned.numbers.test.temperature == pytest.approx(known, rel=1e-3)
    assert tuned.classifier.provenance.temperature == tuned.numbers.test.temperature


def test_with_folds_every_example_is_scored_by_the_model_that_has_not_seen_it():
    dataset = draw()
    found = tune(dataset, Options(regs=REG, folds=4))
    pool = part_of(splits_of(dataset), "train + validation")
    X = pool.X[:] - pool.X[:].mean(axis=0)
    fold, scores = make_folds(pool.y, 4, 0, dataset.classes), np.empty((len(pool), 3))
    for number in range(4):
        model = fitted(X[fold != number], pool.y[fold != number], found.numbers.grid.best.reg)
        scores[fold == number] = model.decision_function(X[fold == number])
    assert found.numbers.test.temperature == pytest.approx(best_temperature(scores, pool.y), rel=1e-3)


@pytest.mark.slow
def test_sgd_has_a_temperature_with_folds_and_without():
    for folds in (None, 3):
        options = Options("sgd", regs=np.array([0.01]), learning_rates=np.array([0.1, 0.3]), folds=folds)
        found = tune(draw(), options).numbers.test
        assert 0.3 < found.temperature < 3
        assert "calibration_error_scaled" in found.metrics


def test_an_svm_has_those_of_scores_alone():
    test = tune(draw(), Options(loss="squared_hinge", regs=REG)).numbers.test
    assert set(test.metrics) == {"balanced_accuracy", "macro_f1", "auroc", "average_precision"}
    assert test.temperature is None


def test_with_groups_accuracy_has_an_interval_of_groups_too():
    test = tune(draw(groups=np.arange(400) // 10), Options(regs=REG)).numbers.test
    assert test.groups == 4
    assert test.metrics["accuracy"].value == test.accuracy
    assert test.metrics["accuracy"].interval != test.interval


def test_evaluating_the_model_gives_the_same(tuned):
    assert assess(tuned.classifier, draw()).measured == tuned.numbers.test
    older = replace(tuned.classifier, provenance=replace(tuned.classifier.provenance, temperature=None, loss=None))
    assert assess(older, draw()).measured.metrics == {}


def imbalanced(n=600):
    """One in ten is of the rare class, and 80 features know little of it: who never names it is right most often."""
    rng = np.random.default_rng(3)
    y = (np.arange(n) % 10 == 0).astype(int)
    X = rng.standard_normal((n, 80)).astype(np.float32)
    X[:, 0] += 1.0 * y
    return Dataset("imbalanced", Examples(X, y), None, ("many", "rare"))


@pytest.mark.parametrize("folds", [None, 3])
def test_another_metric_chooses_another_setting(folds):
    weak, strong = 1e-4, 100.0
    options = Options(regs=np.array([weak, strong]), folds=folds)
    names = ("accuracy", "mean_per_class_recall", "log_loss")
    found = {name: tune(imbalanced(), replace(options, metric=name)).numbers.grid for name in names}
    assert {name: grid.best.reg for name, grid in found.items()} == {
        "accuracy": strong,
        "mean_per_class_recall": weak,
        "log_loss": strong,
    }
    assert [grid.metric for grid in found.values()] == [None, "balanced_accuracy", "log_loss"]
    for grid in found.values():
        for row, plain in zip(grid.rows, found["accuracy"].rows, strict=True):
            assert (row.val_accuracy, row.fold_accuracy) == (plain.val_accuracy, plain.fold_accuracy)
    assert found["mean_per_class_recall"].rows[1].val_metric == pytest.approx(0.5)  # the rare one is never named
    likely = found["log_loss"].rows[1]  # the other has probabilities below float64's eps, which are not counted so
    assert likely.val_metric == pytest.approx(likely.val_loss, rel=1e-5)


def test_what_cannot_choose_is_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr("linprobe.tasks.tune.engines.compare", None)
    with pytest.raises(
        IncompatibleError, match="needs probabilities, and the loss hinge gives scores; train with softmax"
    ):
        Options("sgd", "hinge", metric="log_loss")
    with pytest.raises(UsageError, match="--metric best: is unknown; use one of: accuracy, top5"):
        Options(metric="best")
    with pytest.raises(IncompatibleError, match="--metric top5: needs 6 classes or more, and there are 3"):
        tune(draw(), Options(metric="top5"))
    groups = np.arange(400) % 2 * 10 + np.arange(400) // 40
    one_sided = Dataset("one-sided", Examples(draw(K=2).train.X, np.arange(400) % 2, groups), None, ("a", "b"))
    with pytest.raises(IncompatibleError, match="--metric auroc: is not defined on a fold, all of whose examples"):
        tune(one_sided, Options(metric="auroc", folds=18))


def test_every_metric_can_choose():
    dataset = draw(K=7)
    for name in METRICS:
        grid = tune(dataset, Options(regs=REG, tol=1e-3, metric=name)).numbers.grid
        step = settings_step(grid)
        assert grid.figure(grid.best) is not None
        if name != "accuracy":
            assert METRICS[name].label in step.table.header
            assert any(row.what == "chosen by" and METRICS[name].label in row.found for row in step.rows)


def test_the_help_of_the_command_names_every_metric():
    group: Any = typer.main.get_command(app)
    option = next(one for one in group.commands["tune"].params if one.name == "metric")
    known = {name for metric in METRICS.values() for name in (metric.name, *metric.also)} - {"ece"}
    assert known <= set(re.findall(r"\w+", option.help))
