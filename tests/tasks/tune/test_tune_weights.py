"""Tuning in which every class counts the same: against scikit-learn, and proven again from the file."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportOptionalOperand=false
# pyright: reportOptionalSubscript=false

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from linprobe.compare.held_out import HeldOut, make_folds
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.splits import make_splits, part_of
from linprobe.data.weights import balanced
from linprobe.errors import DataError, UsageError
from linprobe.tasks.evaluate import prove
from linprobe.tasks.tune import Options, tune

REG = np.array([0.05, 1.0])


def draw(n=500):
    rng = np.random.default_rng(0)
    y = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2])[np.arange(n) % 10]
    X = (rng.standard_normal((n, 4)) + rng.standard_normal((3, 4))[y]).astype(np.float32)
    return Dataset("drawn", Examples(X, y), None, ("many", "some", "few"))


def objective(X, y, reg):
    """scikit-learn's, at its optimum, in our units: the weights sum to n."""
    model = LogisticRegression(C=1 / (2 * len(X) * reg), tol=1e-8, max_iter=2000, class_weight="balanced").fit(X, y)
    losses = -model.predict_log_proba(X)[np.arange(len(X)), y]
    weight = compute_sample_weight("balanced", y)
    return model, float((weight * losses).sum() / weight.sum() + reg * np.sum(model.coef_**2))


def test_the_weights_are_scikit_learns():
    y = draw().train.y
    np.testing.assert_allclose(balanced(y, 3), compute_sample_weight("balanced", y))
    np.testing.assert_allclose(balanced(y, 5), compute_sample_weight("balanced", y))  # two classes without examples
    assert balanced(y, 3).mean() == pytest.approx(1)


def test_in_every_split_the_classes_count_the_same_in_what_trains():
    y = draw().train.y
    fold = np.random.default_rng(0).integers(0, 3, len(y))
    found = HeldOut.in_folds(fold).weighted(y, 3, None, "balanced").weights.of(slice(None))
    for split in range(3):
        rows = fold != split
        known = np.zeros(len(y))
        known[rows] = compute_sample_weight("balanced", y[rows])
        np.testing.assert_allclose(found[:, split], known / known.mean())
    after = HeldOut.after(300).weighted(y, 3, None, "balanced").weights.of(slice(None))
    np.testing.assert_allclose(after[:, 0], compute_sample_weight("balanced", y[:300]))


@pytest.mark.parametrize("folds", [None, 3])
def test_the_optimum_is_scikit_learns(folds):
    dataset = draw()
    result = tune(dataset, Options(regs=REG, folds=folds, class_weight="balanced"))
    splits = make_splits(dataset, val=50, test=50, rule="stratified")
    pool = part_of(splits, "train + validation")
    centre = part_of(splits, "train" if folds is None else "train + validation").X[:].mean(axis=0)
    X = pool.X[:] - centre
    for row in result.numbers.grid.rows:
        if folds is None:
            known = objective(splits.train.X[:] - centre, splits.train.y, row.reg)[1]
        else:
            fold = make_folds(pool.y, 3, 0, dataset.classes)
            known = np.mean([objective(X[fold != k], pool.y[fold != k], row.reg)[1] for k in range(3)])
        assert row.objective == pytest.approx(known, rel=1e-5)
    model, known = objective(X, pool.y, result.numbers.grid.best.reg)
    assert result.numbers.refit.objective == pytest.approx(known, rel=1e-5)
    assert result.numbers.refit.relative_gap <= 1e-6
    W = result.classifier.W - result.classifier.W.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(W, (model.coef_ - model.coef_.mean(axis=0)).T, atol=2e-3)
    assert result.numbers.grid.class_weight == result.classifier.provenance.class_weight == "balanced"


def test_the_rare_class_is_found_more_often():
    plain, weighted = (tune(draw(), Options(regs=np.array([1.0]), class_weight=each)) for each in (None, "balanced"))
    assert weighted.evidence.counts[2, 2] > plain.evidence.counts[2, 2]
    assert plain.numbers.grid.class_weight is None


def test_it_is_proven_again_from_the_file_and_only_with_its_weights():
    dataset = draw()
    model = tune(dataset, Options(regs=REG, class_weight="balanced")).classifier
    assert prove(model, dataset).proven
    unweighted = replace(model, provenance=replace(model.provenance, class_weight=None))
    assert not prove(unweighted, dataset).proven
    with pytest.raises(DataError, match="has a class_weight that is unknown"):
        prove(replace(model, provenance=replace(model.provenance, class_weight="odd")), dataset)
    assert model.to_estimator().class_weight == "balanced"


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="--class-weight odd: is unknown; use balanced"):
        Options(class_weight="odd")


def weighing(n=500):
    dataset = draw(n)
    weights = np.random.default_rng(1).exponential(size=n)
    return replace(dataset, train=replace(dataset.train, weights=weights), asked={"weights": "count"})


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("folds", [None, 3])
def test_weights_of_examples_are_scikit_learns(folds, class_weight):
    dataset = weighing()
    result = tune(dataset, Options(regs=REG, folds=folds, class_weight=class_weight))
    splits = make_splits(dataset, val=50, test=50, rule="stratified")
    pool = part_of(splits, "train + validation")
    X = pool.X[:] - part_of(splits, "train" if folds is None else "train + validation").X[:].mean(axis=0)

    def known(rows, reg):
        y, weight = pool.y[rows], pool.weights[rows]
        if class_weight is not None:
            weight = weight / np.bincount(y, weight)[y]
        weight = weight / weight.mean()
        model = LogisticRegression(C=1 / (2 * len(y) * reg), tol=1e-8, max_iter=2000).fit(X[rows], y, weight)
        losses = -model.predict_log_proba(X[rows])[np.arange(len(y)), y]
        return float((weight * losses).mean() + reg * np.sum(model.coef_**2))

    fold = np.where(np.arange(len(pool)) < len(splits.train), 1, 0)
    if folds is not None:
        fold = make_folds(pool.y, 3, 0, dataset.classes)
    for row in result.numbers.grid.rows:
        each = [known(fold != number, row.reg) for number in range(folds or 1)]
        assert row.objective == pytest.approx(np.mean(each), rel=1e-5)
    best = result.numbers.grid.best.reg
    assert result.numbers.refit.objective == pytest.approx(known(np.full(len(pool), True), best), rel=1e-5)
    assert result.numbers.grid.weights == "count"
    assert prove(result.classifier, dataset).proven
    with pytest.raises(DataError, match="was trained on weighted examples, and there are no weights here"):
        prove(result.classifier, draw())


def mean_loss(W, b, X, y, reg, weight):
    """Weighted mean cross-entropy and the penalty, the bias in it, of weights (D, K), in float64."""
    scores = X.astype(np.float64) @ W + b
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y]
    return float(
        np.average(losses, weights=weight) + reg * (np.sum(W.astype(float) ** 2) + np.sum(b.astype(float) ** 2))
    )


def lowest_loss(X, y, reg, weight):
    """The lowest that `mean_loss` can be, by scikit-learn with a column of ones."""
    X, weight = np.column_stack([X, np.ones(len(X))]), weight / weight.mean()
    model = LogisticRegression(C=1 / (2 * len(X) * reg), tol=1e-8, max_iter=2000, fit_intercept=False).fit(X, y, weight)
    return mean_loss(model.coef_[:, :-1].T, model.coef_[:, -1], X[:, :-1], y, reg, weight)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("own", [True, False])
def test_sgd_goes_by_weights(own, class_weight):
    dataset = weighing() if own else draw()
    if own:  # some count nothing
        assert dataset.train.weights is not None
        some = np.where(np.arange(500) % 5, dataset.train.weights, 0)
        dataset = replace(dataset, train=replace(dataset.train, weights=some))
    rates, regs = np.array([0.02, 0.05]), np.array([0.02])
    result = tune(dataset, Options("sgd", regs=regs, learning_rates=rates, class_weight=class_weight))
    splits = make_splits(dataset, val=50, test=50, rule="stratified")
    pool = part_of(splits, "train + validation")
    X = pool.X[:] - splits.train.X[:].mean(axis=0)

    def weights(rows):
        y, weight = pool.y[rows], np.ones(len(pool.y[rows])) if pool.weights is None else pool.weights[rows]
        return weight if class_weight is None else weight / np.bincount(y, weight)[y]

    train, best = np.arange(len(splits.train)), result.numbers.grid.best
    W, b = result.found.W, result.found.b
    reached = mean_loss(W, b, X[train], pool.y[train], 0.02, weights(train))
    assert best.objective == pytest.approx(reached, rel=1e-5)
    if own or class_weight:
        assert abs(reached - mean_loss(W, b, X[train], pool.y[train], 0.02, np.ones(len(train)))) > 0.01
    everything, model = np.arange(len(pool)), result.classifier
    refitted = mean_loss(model.W, model.b, X, pool.y, 0.02, weights(everything))
    assert result.numbers.refit.objective == pytest.approx(refitted, rel=1e-5)
    # What it trained by, not only what it says.
    assert reached == pytest.approx(lowest_loss(X[train], pool.y[train], 0.02, weights(train)), rel=0.01)
    assert refitted == pytest.approx(lowest_loss(X, pool.y, 0.02, weights(everything)), rel=0.01)
    assert result.numbers.grid.weights == ("count" if own else None)
    assert model.provenance.class_weight == class_weight


@pytest.mark.slow
def test_in_folds_sgd_goes_by_the_weights_of_what_each_trains_on():
    dataset, rates, regs = weighing(), np.array([0.02]), np.array([0.02, 0.2])
    result = tune(dataset, Options("sgd", regs=regs, learning_rates=rates, folds=3, class_weight="balanced"))
    pool = part_of(make_splits(dataset, val=50, test=50, rule="stratified"), "train + validation")
    X, fold = pool.X[:] - pool.X[:].mean(axis=0), make_folds(pool.y, 3, 0, dataset.classes)
    for row in result.numbers.grid.rows:
        each = []
        for rows in (fold != number for number in range(3)):
            y, weight = pool.y[rows], pool.weights[rows]
            each.append(lowest_loss(X[rows], y, row.reg, weight / np.bincount(y, weight)[y]))
        assert row.objective == pytest.approx(np.mean(each), rel=0.01)
        assert row.objective > np.mean(each)


def test_weights_that_training_cannot_go_by_are_refused():
    dataset = weighing()
    only = replace(dataset.train, weights=(dataset.train.y == 1).astype(float))
    with pytest.raises(DataError, match="examples of a single class have a weight above 0"):
        tune(replace(dataset, train=only))
    with pytest.raises(DataError, match="train has weights, and validation has none"):
        tune(replace(dataset, val=draw(40).train))
    with pytest.raises(DataError, match="500 rows, but weights "):
        replace(dataset.train, weights=np.ones(3))
