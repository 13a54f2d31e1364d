"""SoftmaxClassifier and LinearSVM against scikit-learn's contract, its tightest solvers, and independent objectives."""

import math
import pickle
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from linprobe import LinearSVM, SoftmaxClassifier
from linprobe.core.certificate import certify
from linprobe.core.losses import LOSSES
from linprobe.errors import DataError, DivergedError, IncompatibleError, UsageError
from linprobe.estimators import classifiers


# Without an intercept one of the checks cannot be passed, nor does scikit-learn's own LogisticRegression pass it.
@pytest.mark.sampled(9)
@parametrize_with_checks(
    [
        SoftmaxClassifier(),
        SoftmaxClassifier(C=10.0, class_weight="balanced", precision="double"),
        LinearSVM(),
        LinearSVM(reg=0.01),
        SoftmaxClassifier(solver="sgd", max_iter=200),
        LinearSVM(loss="hinge", solver="sgd", max_iter=200),
        SoftmaxClassifier(prepare="standardised"),
        LinearSVM(prepare="centred"),
    ]
)
def test_scikit_learn_finds_nothing_to_complain_about(estimator, check):
    check(estimator)


def make_problem(classes=3, n=150, features=6, seed=0, dtype: Any = np.float64):
    """Overlapping classes, labels that are not 0 to K - 1, weights with zeros among them."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    X = rng.standard_normal((n, features)) + rng.standard_normal((classes, features))[codes]
    X[rng.random(X.shape) < 0.3] = 0
    weight = rng.integers(0, 4, n).astype(float)
    weight[:classes] = 1.5
    return X.astype(dtype), 10 - 2 * codes, weight


def copy_of(estimator) -> Any:
    return clone(estimator)


def softmax_objective(scores, codes, weight):
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(codes)), codes]
    return np.average(losses, weights=weight)


def squared_hinge_objective(scores, codes, weight):
    margins = np.maximum(0, 1 + scores - scores[np.arange(len(codes)), codes][:, None])
    margins[np.arange(len(codes)), codes] = 0
    return np.average((margins**2).sum(axis=1), weights=weight)


def columns(estimator):
    """W (D, K) and b (K,) of the objective, from attributes which for two classes hold the difference only."""
    if len(estimator.classes_) == 2:
        W, b = estimator.coef_.T, np.atleast_1d(estimator.intercept_)
        return np.hstack([-W / 2, W / 2]), np.concatenate([-b / 2, b / 2])
    return estimator.coef_.T, estimator.intercept_


def objective_of(estimator, X, y, weight, reg, loss=softmax_objective):
    W, b = columns(estimator)
    return loss(X @ W + b, np.searchsorted(estimator.classes_, y), weight) + reg * np.sum(W.astype(float) ** 2)


# ---- the optimum, against scikit-learn


@pytest.mark.sampled(4)
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_optimum_is_scikit_learns_for_the_same_c(classes, C, intercept):
    X, y, weight = make_problem(classes)
    ours = SoftmaxClassifier(C=C, fit_intercept=intercept, tol=1e-9).fit(X, y, weight)
    theirs = LogisticRegression(C=C, fit_intercept=intercept, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    theirs.fit(X, y, weight)
    assert_the_same(ours, theirs, X, y, weight)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("class_weight", [None, "balanced", {10: 3.0, 8: 0.5}])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_weights_and_sparse_features_mean_what_they_mean_to_scikit_learn(classes, class_weight, weighted, container):
    X, y, weight = make_problem(classes, seed=1)
    weight = weight if weighted else None
    ours = SoftmaxClassifier(C=0.5, class_weight=class_weight, tol=1e-9).fit(container(X), y, weight)
    theirs = LogisticRegression(C=0.5, class_weight=class_weight, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    theirs.fit(X, y, weight)
    full = np.ones(len(y)) if weight is None else weight
    if class_weight == "balanced":
        full = full * np.array([full.sum() / (classes * full[y == label].sum()) for label in y])
    elif class_weight:
        full = full * np.array([class_weight.get(label, 1.0) for label in y])
    assert_the_same(ours, theirs, X, y, full)
    assert ours.predict(container(X)).tolist() == ours.predict(X).tolist()


def assert_the_same(ours, theirs, X, y, weight):
    best = objective_of(theirs, X, y, weight, ours.reg_)
    assert objective_of(ours, X, y, weight, ours.reg_) == pytest.approx(best, rel=1e-7)
    assert ours.objective_ == pytest.approx(best, rel=1e-7)
    assert ours.objective_ - ours.gap_ <= best * (1 + 1e-12)
    assert ours.gap_ <= 1e-9 * ours.objective_
    assert_certified(ours, X, y, weight, 2e-9)
    assert (ours.coef_.shape, ours.intercept_.shape) == (theirs.coef_.shape, theirs.intercept_.shape)
    # The objective rises by λ ‖W − W*‖² at least; for two classes, what is compared is a difference of two columns.
    allowed = math.sqrt((2 if len(ours.classes_) == 2 else 1) * ours.gap_ / ours.reg_) + 1e-6
    assert np.linalg.norm(ours.coef_ - theirs.coef_) <= allowed
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)
    np.testing.assert_allclose(ours.predict_log_proba(X), np.log(ours.predict_proba(X)), rtol=1e-9, atol=1e-12)
    assert (ours.predict(X) == theirs.predict(X)).all()
    assert ours.decision_function(X).shape == theirs.decision_function(X).shape


def assert_certified(estimator, X, y, weight, tol):
    """By the evaluation that shares nothing with the solver."""
    W, b = columns(estimator)
    proof = certify(
        X,
        np.searchsorted(estimator.classes_, y),
        W[:, :, None],
        b[:, None] if estimator.fit_intercept else None,
        [estimator.reg_],
        "softmax" if isinstance(estimator, SoftmaxClassifier) else "squared_hinge",
        sample_weight=weight,
    )
    assert proof.objective[0] == pytest.approx(estimator.objective_, rel=max(1e-12, tol))
    assert proof.gap[0] <= tol * proof.objective[0]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, bool])
def test_narrow_features_reach_the_optimum_of_their_float64_copy(loss, classes, dtype):
    X, y, weight = make_problem(classes, seed=2)
    X = (2 * X).astype(dtype)
    make, objective = {
        "softmax": (SoftmaxClassifier, softmax_objective),
        "squared_hinge": (LinearSVM, squared_hinge_objective),
    }[loss]
    narrow = make(0.02).fit(X, y, weight)
    wide = make(0.02, tol=1e-10).fit(X.astype(float), y, weight)
    assert narrow.gap_ <= 1e-6 * narrow.objective_
    assert_certified(narrow, X, y, weight, 2e-6)
    assert narrow.objective_ == pytest.approx(wide.objective_, rel=2e-6)
    assert objective_of(narrow, X.astype(float), y, weight, 0.02, objective) == pytest.approx(wide.objective_, rel=2e-6)
    np.testing.assert_allclose(narrow.decision_function(X), wide.decision_function(X), atol=0.02)


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_two_classes_are_scikit_learns_squared_hinge(C):
    X, y, weight = make_problem(2, seed=3)
    ours = LinearSVM(C=C, fit_intercept=False, tol=1e-11).fit(X, y, weight)
    theirs = LinearSVC(C=C, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert (ours.predict(X) == theirs.predict(X)).all()
    assert ours.objective_ == pytest.approx(
        objective_of(theirs, X, y, weight, ours.reg_, squared_hinge_objective), rel=1e-7
    )


@pytest.mark.parametrize("intercept", [True, False])
def test_more_classes_reach_the_optimum_that_a_general_minimiser_finds(intercept):
    X, y, weight = make_problem(4, n=60, features=3, seed=4)
    svm = LinearSVM(0.05, fit_intercept=intercept, tol=1e-10).fit(X, y, weight)
    codes = np.searchsorted(svm.classes_, y)

    def objective(flat):
        W, b = flat[:12].reshape(3, 4), flat[12:] * intercept
        return squared_hinge_objective(X @ W + b, codes, weight) + 0.05 * np.sum(W**2)

    found = minimize(objective, np.zeros(16), method="BFGS", options={"gtol": 1e-7})
    assert svm.objective_ == pytest.approx(found.fun, rel=1e-7)
    assert svm.objective_ == pytest.approx(objective_of(svm, X, y, weight, 0.05, squared_hinge_objective), rel=1e-12)


# ---- the default penalty


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "make", [SoftmaxClassifier, LinearSVM, lambda: SoftmaxClassifier(solver="sgd", random_state=0)]
)
@pytest.mark.parametrize(("scale", "offset"), [(255.0, 0.0), (1e-3, 0.0), (1.0, 50.0)])
def test_by_default_the_scale_and_the_origin_of_the_features_are_of_no_consequence(make, scale, offset):
    X, y, _ = make_problem(seed=5)
    as_given, changed = make().fit(X, y), make().fit(scale * X + offset, y)
    assert changed.reg_ == pytest.approx(scale**2 * as_given.reg_, rel=1e-9)
    assert changed.objective_ == pytest.approx(as_given.objective_, rel=1e-5)
    np.testing.assert_allclose(changed.decision_function(scale * X + offset), as_given.decision_function(X), atol=0.01)
    assert (changed.predict(scale * X + offset) == as_given.predict(X)).all()


def test_the_default_penalty_is_a_hundredth_of_the_mean_variance():
    X, y, weight = make_problem(seed=6)
    mean = np.average(X, axis=0, weights=weight)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight).mean()
    assert SoftmaxClassifier().fit(X, y, weight).reg_ == pytest.approx(0.01 * variance, rel=1e-12)
    assert SoftmaxClassifier().fit(sp.csr_array(X), y, weight).reg_ == pytest.approx(0.01 * variance, rel=1e-12)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM, lambda: LinearSVM(solver="sgd")])
@pytest.mark.parametrize("value", [0.0, 3.7, -1e6])
def test_constant_features_leave_the_shares_of_the_classes(make, value):
    y = np.array([0, 1, 1, 2, 2, 2] * 5)
    estimator = make().fit(np.full((30, 4), value), y)
    assert np.isfinite(estimator.objective_)
    if estimator.solver == "exact":
        assert_certified(estimator, np.full((30, 4), value), y, None, 2e-6)
    assert (estimator.predict(np.full((3, 4), value)) == 2).all()
    if isinstance(estimator, SoftmaxClassifier):
        np.testing.assert_allclose(estimator.predict_proba(np.full((1, 4), value))[0], [1 / 6, 1 / 3, 1 / 2], atol=2e-3)


def test_copies_of_a_feature_share_its_weight():
    X, y, _ = make_problem(seed=7)
    twice = SoftmaxClassifier(0.01, tol=1e-10).fit(np.hstack([X, X]), y)
    once = SoftmaxClassifier(0.005, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(twice.coef_[:, :6], twice.coef_[:, 6:], atol=1e-4)
    assert twice.objective_ == pytest.approx(once.objective_, rel=1e-8)


# ---- stochastic gradient descent


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("make", "loss"),
    [
        (SoftmaxClassifier, softmax_objective),
        (LinearSVM, squared_hinge_objective),
    ],
)
@pytest.mark.parametrize("weighted", [True, False])
def test_descent_comes_close_to_the_optimum_and_never_below(make, loss, weighted):
    X, y, weight = make_problem(n=600, seed=8)
    weight = weight if weighted else None
    X = 20 * X + 300  # neither centred nor scaled
    exact, sgd = make().fit(X, y, weight), make(solver="sgd", random_state=0).fit(X, y, weight)
    assert sgd.reg_ == exact.reg_
    assert exact.objective_ - exact.gap_ <= sgd.objective_ <= 1.02 * exact.objective_
    assert sgd.objective_ == pytest.approx(objective_of_all(sgd, X, y, weight, loss), rel=1e-9)
    assert math.isnan(sgd.gap_)
    assert (sgd.stopped_, sgd.n_iter_) == ("max_iter", 1000)
    assert np.mean(sgd.predict(X) == exact.predict(X)) > 0.97


def objective_of_all(estimator, X, y, weight, loss):
    codes = np.searchsorted(estimator.classes_, y)
    penalty = estimator.reg_ * np.sum(estimator.coef_**2)
    return loss(estimator.decision_function(X), codes, weight) + penalty


def test_the_hinge_is_learned_by_descent():
    X, y, _ = make_problem(n=600, seed=9)
    hinge = LinearSVM(loss="hinge", solver="sgd", random_state=0).fit(X.astype(np.float32), y)
    squared = LinearSVM().fit(X, y)
    assert hinge.coef_.dtype == np.float32
    assert hinge.score(X, y) > squared.score(X, y) - 0.03


def test_the_seed_decides_about_descent():
    X, y, _ = make_problem(n=400, seed=10)
    first, again, other = (
        SoftmaxClassifier(solver="sgd", max_iter=50, random_state=seed).fit(X, y).coef_ for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_descent_needs_no_penalty_but_dense_features():
    X, y, _ = make_problem()
    assert SoftmaxClassifier(0, solver="sgd").fit(X, y).reg_ == 0
    with pytest.raises(IncompatibleError, match=r"X is sparse; use solver='exact', or X\.toarray\(\)"):
        SoftmaxClassifier(solver="sgd").fit(sp.csr_array(X), y)


# ---- the contract beyond scikit-learn's own checks


def test_labels_come_back_as_they_were_given():
    X, y, _ = make_problem(2)
    for labels in (y == 8, np.where(y == 8, "cat", "dog"), np.where(y == 8, "cat", "dog").astype(object), y * 1.0):
        model = SoftmaxClassifier().fit(X, labels)
        predicted = model.predict(X)
        assert predicted.dtype == labels.dtype
        assert set(predicted.tolist()) <= set(labels.tolist())
        assert model.score(X, labels) > 0.8
        first = predicted == model.classes_[0]
        assert ((model.decision_function(X) > 0) == ~first).all()  # positive: the second class
        assert ((model.predict_proba(X)[:, 1] > 0.5) == ~first).all()


def test_probabilities_are_the_softmax_classifiers_alone():
    assert not hasattr(LinearSVM(), "predict_proba")
    with pytest.raises(NotFittedError):
        SoftmaxClassifier().predict_proba([[0.0]])


def test_far_examples_have_finite_logarithms():
    X, y, _ = make_problem(2)
    log_proba = SoftmaxClassifier().fit(X, y).predict_log_proba(1e6 * X)
    assert np.isfinite(log_proba).all()
    assert log_proba.min() < -1e5


def test_an_estimator_is_copied_pickled_searched_and_chained():
    X, y = load_iris(return_X_y=True)
    model: Any = SoftmaxClassifier(C=3.0, class_weight={0: 2.0}, tol=1e-7)
    assert (
        model.get_params()
        == copy_of(model).get_params()
        == {
            "C": 3.0,
            "class_weight": {0: 2.0},
            "device": "cpu",
            "fit_intercept": True,
            "max_iter": 1000,
            "precision": "auto",
            "random_state": None,
            "reg": "scale",
            "solver": "exact",
            "prepare": None,
            "tol": 1e-7,
        }
    )
    fitted = model.fit(X, y)
    assert fitted is model
    assert (pickle.loads(pickle.dumps(fitted)).predict_proba(X) == fitted.predict_proba(X)).all()
    assert cross_val_score(make_pipeline(StandardScaler(), LinearSVM()), X, y).mean() > 0.9
    other = GridSearchCV(SoftmaxClassifier(), {"reg": ["scale", 1e-3], "fit_intercept": [True, False]}).fit(X, y)
    theirs = GridSearchCV(LogisticRegression(max_iter=10_000), {"C": [0.01, 1.0, 100.0]}).fit(X, y)
    ours = GridSearchCV(SoftmaxClassifier(), {"C": [0.01, 1.0, 100.0]}).fit(X, y)
    assert min(other.best_score_, ours.best_score_) > 0.9
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-12)


def test_weights_are_repeated_rows_and_zeros_are_absent_ones():
    X, y, weight = make_problem(seed=11)
    weight[:3] = 1
    repeated = np.repeat(np.arange(len(y)), weight.astype(int))
    for model in (SoftmaxClassifier(), LinearSVM(class_weight="balanced")):
        by_weight, by_rows = copy_of(model).fit(X, y, weight), copy_of(model).fit(X[repeated], y[repeated])
        np.testing.assert_allclose(by_weight.coef_, by_rows.coef_, rtol=1e-6, atol=1e-8)


def test_a_class_without_weight_is_never_predicted():
    X, y, weight = make_problem(4, seed=12)
    weight[y == 10] = 0
    for class_weight in (None, "balanced"):
        model = SoftmaxClassifier(class_weight=class_weight, tol=1e-9).fit(X, y, weight)
        without = SoftmaxClassifier(class_weight=class_weight, tol=1e-9).fit(X[y != 10], y[y != 10], weight[y != 10])
        assert model.classes_.tolist() == [4, 6, 8, 10]
        np.testing.assert_allclose(model.predict_proba(X)[:, :3], without.predict_proba(X), atol=1e-4)
        assert (model.predict_proba(X)[:, 3] < 1e-4).all()
        assert model.objective_ == pytest.approx(without.objective_, rel=1e-6)


def test_as_many_classes_as_examples():
    X = np.eye(5)
    model = SoftmaxClassifier().fit(X, list("abcde"))
    assert model.predict(X).tolist() == list("abcde")
    assert model.gap_ <= 1e-6 * model.objective_


# ---- unscaled pixels: certified, and without a warning


@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
def test_raw_pixels_are_certified_by_default(make):
    X, y = load_digits(return_X_y=True)
    X = (16 * X).clip(0, 255).astype(np.uint8)
    model = make().fit(X, y)  # any warning would be an error
    assert model.stopped_ == "gap"
    assert model.gap_ <= 1e-6 * model.objective_
    assert model.score(X, y) > 0.95


@pytest.mark.sampled(2)
@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_raw_pixels_are_learned_by_descent(dtype):
    X, y = load_digits(return_X_y=True)
    model = LinearSVM(solver="sgd", random_state=0).fit((15 * X).astype(dtype), y)
    assert model.coef_.dtype == np.float32
    assert model.score((15 * X).astype(dtype), y) > 0.93


@pytest.mark.real_data
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
def test_raw_cifar10_is_certified_by_default(shared, make):
    from linprobe import open_dataset

    train = open_dataset(shared / "data" / "cifar10").train
    X, y = train.X[:3000].reshape(3000, -1), train.y[:3000]
    assert X.dtype == np.uint8
    model = make().fit(X, y)
    assert model.stopped_ == "gap"
    assert model.gap_ <= 1e-6 * model.objective_
    assert model.score(X, y) > 0.4


def test_a_solver_that_stops_early_says_how_far_it_came():
    X, y, _ = make_problem(seed=13)
    with pytest.warns(ConvergenceWarning, match=r"stopped \(max_iter\) after 1 iterations, with nothing proven"):
        SoftmaxClassifier(1e-6, max_iter=1).fit(X, y)
    said = r"stopped \(max_iter\) after 12 iterations, with a proven gap of (\S+) of the objective; raise max_iter"
    with pytest.warns(ConvergenceWarning, match=said) as caught:
        model = SoftmaxClassifier(1e-6, max_iter=12).fit(X, y)
    assert "precision" not in str(caught[0].message)  # which is double already
    (share,) = re.findall(said, str(caught[0].message))
    assert model.gap_ / model.objective_ <= float(share) <= 1.1 * model.gap_ / model.objective_
    assert model.stopped_ == "max_iter"
    assert np.isfinite([model.gap_, model.objective_]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        best = SoftmaxClassifier(1e-6).fit(X, y).objective_
    assert model.objective_ - model.gap_ <= best <= model.objective_


# ---- what makes no sense


@pytest.mark.parametrize(
    ("parameters", "kind", "words"),
    [
        ({"reg": 1.0, "C": 1.0}, IncompatibleError, ["reg and C", "give one"]),
        ({"reg": 0}, IncompatibleError, ["reg is 0", "no distance to it can be proven", "1e-8", "solver='sgd'"]),
        ({"C": math.inf}, IncompatibleError, ["C is infinite", "proven", "solver='sgd'"]),
        ({"reg": -1.0}, UsageError, ["reg is -1.0", "above 0"]),
        ({"reg": "auto"}, UsageError, ["reg is 'auto'", "'scale'"]),
        ({"reg": math.nan}, UsageError, ["reg is nan"]),
        ({"reg": True}, UsageError, ["reg is True"]),
        ({"reg": math.inf}, UsageError, ["reg is inf"]),
        ({"reg": None}, UsageError, ["reg is None"]),
        ({"C": 0}, UsageError, ["C is 0", "above 0"]),
        ({"C": "1"}, UsageError, ["C is '1'"]),
        ({"solver": "lbfgs"}, UsageError, ["solver is 'lbfgs'", "exact, sgd"]),
        ({"precision": 64}, UsageError, ["precision is 64", "auto, single, double"]),
        ({"device": "tpu"}, UsageError, ["device is 'tpu'", "cpu, cuda, auto"]),
        ({"tol": 0}, UsageError, ["tol is 0", "above 0"]),
        ({"tol": None}, UsageError, ["tol is None"]),
        ({"max_iter": 0}, UsageError, ["max_iter is 0", "at least 1"]),
        ({"max_iter": 10.5}, UsageError, ["max_iter is 10.5", "whole number"]),
    ],
)
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
def test_senseless_parameters_are_refused_with_a_way_out(make, parameters, kind, words):
    X, y, _ = make_problem()
    with pytest.raises(kind) as caught:
        make(**parameters).fit(X, y)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_the_hinge_and_the_exact_solver_do_not_go_together():
    X, y, _ = make_problem()
    with pytest.raises(IncompatibleError, match="use the loss squared_hinge, or the solver sgd"):
        LinearSVM(loss="hinge").fit(X, y)
    with pytest.raises(UsageError, match="loss is 'log'; use one of: squared_hinge, hinge"):
        LinearSVM().set_params(loss="log").fit(X, y)


@pytest.mark.parametrize("field", ["W", "b", "objective"])
def test_results_that_are_not_finite_never_come_out(monkeypatch, field):
    import dataclasses

    X, y, _ = make_problem()
    solve = classifiers.exact.solve

    def broken(*arguments, **options):
        optimum = solve(*arguments, **options)
        return dataclasses.replace(optimum, **{field: getattr(optimum, field) * np.nan})

    model = SoftmaxClassifier().fit(X, y)
    before = model.predict(X).tolist()
    monkeypatch.setattr(classifiers.exact, "solve", broken)
    with pytest.raises(UsageError, match=r"not finite.*divide X"):
        model.fit(X[:, :3] * 5, y == 8)
    monkeypatch.undo()
    assert model.classes_.tolist() == [6, 8, 10]  # what was learned before is not half overwritten
    assert model.coef_.shape == (3, 6)
    assert len(before) == len(y)


def test_descent_that_explodes_is_an_error(monkeypatch):
    X, y, _ = make_problem()
    monkeypatch.setitem(LOSSES, "squared_hinge", replace(LOSSES["squared_hinge"], steepest=lambda _: 1e-9))
    with pytest.raises(DivergedError, match="use solver='exact'"):
        LinearSVM(solver="sgd").fit(X, y)


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_very_small_and_very_large_features_are_certified_like_others(scale, dtype):
    X, y, _ = make_problem(seed=14, dtype=dtype)
    model, usual = SoftmaxClassifier().fit(scale * X, y), SoftmaxClassifier().fit(X, y)
    assert model.gap_ <= 1e-6 * model.objective_
    assert_certified(model, scale * X, y, None, 2e-6)
    assert model.objective_ == pytest.approx(usual.objective_, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "scale", "dtype"),
    [
        (SoftmaxClassifier, 1e200, np.float64),
        (LinearSVM, 1e200, np.float64),
        (lambda: SoftmaxClassifier(solver="sgd"), 1e200, np.float64),
    ],
)
def test_features_too_large_for_their_type_are_refused(make, scale, dtype):
    X, y, _ = make_problem(seed=14)
    with pytest.raises((UsageError, DataError), match=r"divide X|too large|scale"):
        make().fit((scale * X).astype(dtype), y)


@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
@pytest.mark.parametrize("scale", [1e-30, 1e37])
def test_features_of_any_size_in_float32_are_certified(make, scale):
    X, y, _ = make_problem(seed=14)
    model, usual = make().fit((scale * X).astype(np.float32), y), make().fit(X.astype(np.float32), y)
    assert model.stopped_ == "gap"
    assert model.objective_ == pytest.approx(usual.objective_, rel=1e-4)


def test_scores_that_overflow_are_an_error():
    X, y, _ = make_problem(dtype=np.float32)
    model = SoftmaxClassifier().fit(X / 1000, y)
    with pytest.raises(UsageError, match="overflow float32"):
        model.predict(np.full((1, 6), 3e38, np.float32))
