"""ProbeSearch against scikit-learn's contract, against GridSearchCV, and against fits one at a time."""

import dataclasses
import pickle
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    check_cv,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from linprobe import LinearSVM, ProbeSearch, SoftmaxClassifier
from linprobe.core.exact import solver as engine
from linprobe.errors import DataError, IncompatibleError, UsageError
from linprobe.estimators import _folds
from linprobe.estimators.probe_search import EdgeOfGridWarning
from linprobe.results.steps import at_most

# What is compared with fits one at a time has to end where they do.
proven = partial(ProbeSearch, search_tol=None)


@pytest.fixture(autouse=True)
def one_thread():
    """Problems as small as these gain nothing from threads, and lose ten times as much when the cores are busy."""
    with threadpool_limits(1):
        yield


# The checks' data sets are small: their best penalty is often at the edge.
@pytest.mark.sampled(9)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@parametrize_with_checks(
    [
        proven(param_grid={"C": [0.1, 1.0]}, cv=2),
        proven(LinearSVM(tol=1e-4), {"C": [0.1], "class_weight": [None, "balanced"]}, cv=2),
    ]
)
def test_scikit_learn_finds_nothing_to_complain_about(estimator, check):
    check(estimator)


def digits(classes=10, n=400, dtype: Any = np.float64):
    """Pictures of 4 x 4 pixels, which overlap enough for scores that differ, and weights with zeros among them."""
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    X, y = X[y < classes][:n], y[y < classes][:n]
    return X.astype(dtype), y, np.random.default_rng(0).integers(0, 4, len(y)).astype(float)


def one_at_a_time(estimator, params, splits, X, y, weight=None, scoring="accuracy"):
    """The score and the model of every setting and split, in the plainest way."""
    scores, models = np.empty((len(params), len(splits))), []
    for g, setting in enumerate(params):
        for f, (train, test) in enumerate(splits):
            model: Any = clone(estimator)
            given = {} if weight is None else {"sample_weight": weight[train]}
            model.set_params(**setting).fit(X[train], y[train], **given)
            given = {} if weight is None else {"sample_weight": weight[test]}
            scores[g, f] = get_scorer(scoring)(model, X[test], y[test], **given)
            models.append(model)
    return scores, models


def table(search, name):
    """A measure (G, F) out of cv_results_."""
    return np.stack([search.cv_results_[f"split{f}_{name}"] for f in range(search.n_splits_)], axis=1)


def assert_the_same(search, estimator, splits, X, y, weight=None, scoring="accuracy", tol=1e-9, atol=1e-12):
    params = search.cv_results_["params"]
    scores, models = one_at_a_time(estimator, params, splits, X, y, weight, scoring)
    assert len(np.unique(scores)) > 1  # or the test could not tell settings apart
    np.testing.assert_allclose(table(search, "test_score"), scores, rtol=0, atol=atol)
    for name, attribute, close in (("reg", "reg_", 1e-12), ("objective", "objective_", 2 * tol)):
        expected = np.reshape([getattr(model, attribute) for model in models], scores.shape)
        np.testing.assert_allclose(table(search, name), expected, rtol=close)
    assert (table(search, "gap") <= tol * table(search, "objective")).all()
    assert (table(search, "iterations") >= 1).all()
    assert search.best_index_ == scores.mean(axis=1).argmax()
    assert search.best_params_ == params[search.best_index_]
    assert search.best_score_ == pytest.approx(scores.mean(axis=1).max(), abs=atol)
    return models


LOGS = {"reg": [3.0, 0.3, 0.03]}
C_GRID = {"C": [1e-5, 1e-4, 3e-3]}


@pytest.mark.sampled(4)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize(
    ("make", "grid", "cv", "classes", "labels", "container", "weighted"),
    [
        (SoftmaxClassifier, LOGS, 3, 10, "int", np.asarray, False),
        (SoftmaxClassifier, C_GRID, 3, 10, "str", np.asarray, False),
        (LinearSVM, C_GRID, 3, 2, "str", np.asarray, True),
        (SoftmaxClassifier, LOGS, KFold(3, shuffle=True, random_state=0), 4, "int", sp.csr_array, True),
        (
            *(SoftmaxClassifier, C_GRID, StratifiedKFold(3, shuffle=True, random_state=0), 10, "int", sp.csc_matrix),
            True,
        ),
        (SoftmaxClassifier, C_GRID, PredefinedSplit(np.arange(250) % 3 - 1), 10, "int", np.asarray, True),
        (LinearSVM, C_GRID, PredefinedSplit(np.where(np.arange(250) < 200, -1, 0)), 10, "str", sp.csr_array, False),
        (
            *(SoftmaxClassifier, LOGS, [(np.arange(200), np.arange(200, 250)), (np.arange(50, 250), np.arange(50))]),
            *(10, "int", list, False),
        ),
        (
            *(LinearSVM, {"reg": ["scale", 3.0]}, ShuffleSplit(2, train_size=0.3, random_state=0)),
            *(10, "int", np.asarray, True),
        ),
        (
            *(SoftmaxClassifier, {**C_GRID, "class_weight": [None, "balanced", {0: 3.0, 1: 0.2}]}),
            *(2, 3, "int", np.asarray, True),
        ),
        (
            *(LinearSVM, {"C": [1e-4, 3e-3], "class_weight": [None, "balanced"], "fit_intercept": [True, False]}),
            *(2, 3, "int", np.asarray, True),
        ),
        (LinearSVM, [C_GRID, {"reg": [1.0], "tol": [1e-10]}], 2, 5, "bool", np.asarray, False),
    ],
)
def test_scores_and_optima_are_those_of_fits_one_at_a_time(make, grid, cv, classes, labels, container, weighted):
    X, y, weight = digits(classes, 250 if classes == 10 else 150)
    if labels == "bool":
        y = y > 1
    elif labels == "str":
        y = np.array(list("klmnopqrst"))[9 - y]
    estimator = make(tol=1e-9)
    weight = weight if weighted else None
    search = proven(estimator, grid, cv=cv).fit(container(X), y, weight)
    splitter: Any = check_cv(cv, y, classifier=True)
    splits = list(splitter.split(X, y))
    as_read = sp.csr_array(X) if sp.issparse(container(X)) else X
    assert_the_same(search, estimator, splits, as_read, y, weight)
    assert search.n_splits_ == len(splits)
    # The best one is trained on all.
    best: Any = clone(estimator)
    best.set_params(**search.best_params_).fit(as_read, y, weight)
    np.testing.assert_allclose(search.decision_function(container(X)), best.decision_function(as_read), atol=1e-8)
    assert (search.predict(container(X)) == best.predict(as_read)).all()
    assert search.classes_.tolist() == np.unique(y).tolist()


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_narrow_features_give_the_scores_of_fits_one_at_a_time(dtype):
    X, y, _ = digits(n=300)
    X = (4 * X).astype(dtype)
    grid = {"reg": [100.0, 1.0, 0.5]}
    search = proven(SoftmaxClassifier(tol=1e-7), grid, cv=3).fit(X, y)
    splits = list(StratifiedKFold(3).split(X, y))
    assert_the_same(search, SoftmaxClassifier(tol=1e-7), splits, X, y, tol=1e-7)


# ---- GridSearchCV's results and attributes


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_the_results_have_the_names_and_values_of_grid_search():
    X, y, _ = digits(n=300)
    grid = [{"C": [1e-4, 1e-2]}, {"reg": ["scale", 0.3], "class_weight": ["balanced", {0: 2.0}]}]
    ours = proven(SoftmaxClassifier(tol=1e-9), grid, cv=3).fit(X, y)
    theirs = GridSearchCV(SoftmaxClassifier(tol=1e-9), grid, cv=3).fit(X, y)
    assert set(theirs.cv_results_) <= set(ours.cv_results_)
    more = {f"{kind}_{name}" for kind in ("split0", "split1", "split2", "mean", "std") for name in MORE}
    more |= {f"split{split}_stopped" for split in range(3)}
    assert set(ours.cv_results_) - set(theirs.cv_results_) == more
    for name, expected in theirs.cv_results_.items():
        found = ours.cv_results_[name]
        if name == "params":
            assert found == expected
        elif name.startswith("param_"):
            assert isinstance(found, np.ma.MaskedArray)
            assert found.dtype == expected.dtype
            assert found.mask.tolist() == expected.mask.tolist()
            assert found.tolist() == expected.tolist()
        elif "time" not in name:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
            assert found.dtype == expected.dtype
        else:
            assert found.shape == expected.shape
            assert (found >= 0).all()
    for name in ("best_index_", "best_params_", "n_splits_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-12)
    assert ours.score(X, y) == theirs.score(X, y)
    assert ours.refit_time_ > 0
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)


MORE = ("reg", "objective", "gap", "iterations")


def accuracy(estimator, X, y, sample_weight=None):
    return estimator.score(X, y, sample_weight)


def share_of_threes(estimator, X, y):
    return np.mean(estimator.predict(X) == 3)


SCORINGS = [
    *("balanced_accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr", share_of_threes),
    make_scorer(f1_score, average="micro"),
]


@pytest.fixture(scope="module")
def all_scores():
    """What GridSearchCV finds with all of them at once: a score does not change the fits."""
    X, y, _ = digits(n=300)
    scoring = {str(number): get_scorer(score) for number, score in enumerate(SCORINGS)}
    return GridSearchCV(SoftmaxClassifier(tol=1e-9), LOGS, cv=3, scoring=scoring, refit=False).fit(X, y).cv_results_


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize("number", range(len(SCORINGS)))
def test_any_score_is_that_of_grid_search(number, all_scores):
    X, y, _ = digits(n=300)
    ours = proven(SoftmaxClassifier(tol=1e-9), LOGS, cv=3, scoring=SCORINGS[number]).fit(X, y)
    for name in ("split2_test", "mean_test", "std_test", "rank_test"):
        np.testing.assert_allclose(ours.cv_results_[f"{name}_score"], all_scores[f"{name}_{number}"], rtol=1e-4)
    best: Any = SoftmaxClassifier(tol=1e-9, **all_scores["params"][all_scores[f"rank_test_{number}"].argmin()])
    expected = get_scorer(SCORINGS[number])(best.fit(X, y), X, y)
    assert ours.score(X, y) == pytest.approx(expected, rel=1e-4)


@pytest.mark.sampled(2)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize("classes", [2, 10])
def test_scores_that_can_be_weighted_are(classes):
    X, y, weight = digits(classes)
    for scoring in ("accuracy", "f1_macro", "neg_log_loss", *(["roc_auc"] if classes == 2 else [])):
        search = proven(SoftmaxClassifier(tol=1e-9), LOGS, cv=KFold(3), scoring=scoring).fit(X, y, weight)
        splits = list(KFold(3).split(X))
        assert_the_same(search, SoftmaxClassifier(tol=1e-9), splits, X, y, weight, scoring, atol=1e-4)
        assert search.score(X, y, weight) == pytest.approx(
            get_scorer(scoring)(search.best_estimator_, X, y, sample_weight=weight)
        )
    with pytest.warns(UserWarning, match="takes no sample_weight: training is weighted, scores are not"):
        proven(param_grid=LOGS, cv=3, scoring=share_of_threes).fit(X, y, weight)


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_a_score_sees_the_data_frame():
    pandas = pytest.importorskip("pandas")
    X, y, _ = digits(n=200)
    frame = pandas.DataFrame(X, columns=[f"pixel{i}" for i in range(16)])
    seen = []

    def score(estimator, X, y):
        seen.append((list(X.columns), estimator.feature_names_in_.tolist()))
        return estimator.score(X, y)

    search = proven(param_grid=LOGS, cv=2, scoring=score).fit(frame, pandas.Series(y))
    assert seen == 6 * [(list(frame.columns), list(frame.columns))]
    assert search.feature_names_in_.tolist() == list(frame.columns)
    assert search.best_estimator_.feature_names_in_.tolist() == list(frame.columns)
    assert search.best_score_ == proven(param_grid=LOGS, cv=2).fit(X, y).best_score_


# ---- one stack


@pytest.fixture
def calls(monkeypatch):
    """What the exact solver is asked by the search."""
    seen, solve = [], engine.solve

    def watched(X, y, reg, **options):
        seen.append((X, y, reg, options))
        return solve(X, y, reg, **options)

    monkeypatch.setattr(engine, "solve", watched)
    return seen


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_grid_and_folds_are_one_stack_on_the_callers_memory(calls):
    X, y, weight = digits(n=200, dtype=np.float32)
    proven(param_grid=LOGS, cv=5, refit=False, memory=2**30).fit(X, y)
    ((features, _, reg, options),) = calls
    assert np.shares_memory(features, X)
    assert options["memory"] == 2**30
    np.testing.assert_allclose(reg, np.repeat(LOGS["reg"], 5))
    weights = options["sample_weight"]
    assert weights.part.dtype == np.uint8  # a byte for each example, whatever the number of heads
    assert (len(weights), weights.heads, weights.table.shape) == (200, 15, (5, 5))
    for head in range(15):
        train = list(StratifiedKFold(5).split(X, y))[head % 5][0]
        assert np.flatnonzero(weights.of(slice(None))[:, head]).tolist() == train.tolist()
    calls.clear()
    proven(param_grid=LOGS, cv=PredefinedSplit(np.arange(200) // 150 - 1), refit=False).fit(X, y, weight)
    expected = np.where(np.arange(200) < 150, weight, 0)
    found = calls[0][3]["sample_weight"].of(slice(None))[:, 0]
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-12)
    calls.clear()
    grid = {"class_weight": [None, "balanced", {0: 2.0}], "reg": [1.0, 0.1], "fit_intercept": [True, False]}
    proven(param_grid=grid, cv=3, refit=False).fit(X, y)
    assert [len(call[2]) for call in calls] == 6 * [2 * 3]


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize("chunk", [1, 7])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_scores_do_not_depend_on_the_chunks(monkeypatch, chunk, container):
    X, y, weight = digits(n=200)
    whole = proven(param_grid=LOGS, cv=3).fit(container(X), y, weight)
    monkeypatch.setattr(_folds, "default_chunk", lambda *_: chunk)
    parts = proven(param_grid=LOGS, cv=3).fit(container(X), y, weight)
    assert (table(parts, "test_score") == table(whole, "test_score")).all()


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_a_torch_device_gives_the_same_scores(monkeypatch):
    pytest.importorskip("torch")
    X, y, weight = digits(n=200)
    on_numpy = proven(param_grid=LOGS, cv=3).fit(X, y, weight)
    monkeypatch.setattr(_folds, "choose_device", lambda _: "cpu")
    on_torch = proven(param_grid=LOGS, cv=3).fit(X, y, weight)
    np.testing.assert_allclose(table(on_torch, "test_score"), table(on_numpy, "test_score"))
    np.testing.assert_allclose(table(on_torch, "objective"), table(on_numpy, "objective"), rtol=2e-6)


# ---- splits


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(
    ("make", "intercept", "classes", "scoring"),  # every pair of values once at least
    [
        (SoftmaxClassifier, True, 3, "accuracy"),
        (SoftmaxClassifier, False, 5, accuracy),
        (LinearSVM, True, 5, "accuracy"),
        (LinearSVM, False, 3, accuracy),
        (SoftmaxClassifier, True, 5, accuracy),
        (SoftmaxClassifier, False, 3, "accuracy"),
    ],
)
def test_a_class_that_a_split_lacks_is_left_out_as_grid_search_does(make, intercept, classes, scoring):
    X, y, weight = digits(classes, 150)
    order = np.argsort(y != classes - 1, kind="stable")  # the last class first: the first fold has to do without
    X, y, weight = X[order], y[order], weight[order]
    cv = [(np.flatnonzero(y != 2), np.arange(150)), (np.arange(40, 150), np.arange(40)), *KFold(2).split(X)]
    estimator = make(tol=1e-9, fit_intercept=intercept)
    grid = {"C": [1e-4, 3e-3], "class_weight": [None, "balanced"]}
    search = proven(estimator, grid, cv=cv, scoring=scoring).fit(X, y, weight)
    models = assert_the_same(search, estimator, cv, X, y, weight, scoring)
    assert len({len(model.classes_) for model in models}) > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_rows_can_be_repeated_masked_and_counted_from_the_end():
    X, y, weight = digits(4, 200)
    drawn = np.random.default_rng(0).integers(0, 200, 300)
    mask = np.arange(200) % 2 == 0
    cv = [(drawn, np.r_[0:50, 0:20]), (mask, ~mask), (np.arange(-100, 0), np.arange(100)), ([*range(99)], [*range(99)])]
    estimator = SoftmaxClassifier(tol=1e-9, class_weight="balanced")
    assert_the_same(proven(estimator, LOGS, cv=cv).fit(X, y), estimator, cv, X, y)
    assert_the_same(proven(estimator, LOGS, cv=iter(cv)).fit(X, y, weight), estimator, cv, X, y, weight)
    plain = SoftmaxClassifier(tol=1e-9)  # whose weights are nothing but how often each row is drawn
    assert_the_same(proven(plain, LOGS, cv=cv[:2]).fit(X, y), plain, cv[:2], X, y)


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize("class_weight", ["balanced", {1: 3.0}])
def test_class_weights_are_those_of_the_classes_that_a_split_trains_on(class_weight):
    X, y, _ = digits(3, 90)
    without_the_first = np.flatnonzero(y > 0)
    cv = [(without_the_first[:30], without_the_first[30:]), (np.arange(45), np.arange(45, 90))]
    estimator: Any = SoftmaxClassifier(tol=1e-9, class_weight=class_weight)
    assert_the_same(proven(estimator, {"reg": [30.0, 1.0]}, cv=cv).fit(X, y), estimator, cv, X, y)


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_groups_stay_together():
    X, y, _ = digits(4, 200)
    groups = np.arange(200) % 6
    search = proven(SoftmaxClassifier(tol=1e-9), LOGS, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert_the_same(search, SoftmaxClassifier(tol=1e-9), list(GroupKFold(3).split(X, y, groups)), X, y)


@pytest.mark.parametrize(
    ("cv", "words"),
    [
        (1, "n_splits"),
        ("five", "Expected .?cv"),
        (100, "greater than the number of"),
        ([], "cv gives no splits; give at least one pair"),
        ([(np.arange(20), [])], "split 0 .*: arrays used as indices|split 0 has no example of any weight to test on"),
        ([(np.arange(20), np.arange(20)), ([0, 90], [1])], "split 1 does not fit 60 examples: index 90"),
        ([(np.arange(0, 60, 3), np.arange(20))], "split 0 trains on 20 examples of one class; .* at least two"),
    ],
)
def test_splits_that_make_no_sense(cv, words):
    X = np.random.default_rng(0).standard_normal((60, 3))
    with pytest.raises(ValueError, match=words) as caught:
        proven(param_grid=LOGS, cv=cv).fit(X, np.arange(60) % 3)
    assert "\n" not in str(caught.value)


def test_splits_without_weight_are_named():
    X, y = np.random.default_rng(0).standard_normal((60, 3)), np.arange(60) % 3
    halves = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    with pytest.raises(UsageError, match="split 0 has no example of any weight to test on"):
        proven(param_grid=LOGS, cv=halves).fit(X, y, np.arange(60) < 30)
    weight = np.where((np.arange(60) < 30) | (y == 1), 1.0, 0.0)
    with pytest.raises(UsageError, match="split 1, trained on 30 examples: only the class 1 has examples with"):
        proven(param_grid=LOGS, cv=halves).fit(X, y, weight)


# ---- the choice


def noisy(n=150, features=100, seed=1):
    """Many useless features: penalties of the middle are best."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, features))
    return X, (X[:, 0] + X[:, 1] + rng.standard_normal(n) > 0).astype(int)


def test_one_standard_error_takes_the_strongest_penalty_that_is_as_good():
    X, y = noisy(400)
    grid = {"C": np.geomspace(1e-3, 10, 12).tolist(), "fit_intercept": [False, True]}
    best, careful = (proven(param_grid=grid, cv=5, one_standard_error=rule).fit(X, y) for rule in (False, True))
    scores = table(careful, "test_score")
    assert (scores == table(best, "test_score")).all()
    error = np.std(scores[best.best_index_], ddof=1) / np.sqrt(5)
    near = [
        (setting["C"], place)
        for place, setting in enumerate(careful.cv_results_["params"])
        if setting["fit_intercept"] == best.best_params_["fit_intercept"]
        and scores[place].mean() >= scores[best.best_index_].mean() - error
    ]
    assert careful.best_index_ == min(near)[1]
    assert careful.best_params_["C"] < best.best_params_["C"]  # or the test would show nothing
    assert careful.best_score_ == scores[careful.best_index_].mean() < best.best_score_
    assert careful.best_params_["C"] == careful.best_estimator_.C
    by_reg = {"reg": [1 / (C * 320) for C in grid["C"]], "fit_intercept": [best.best_params_["fit_intercept"]]}
    other = proven(param_grid=by_reg, cv=5, one_standard_error=True).fit(X, y)
    assert grid["C"][other.best_index_] == careful.best_params_["C"]
    with pytest.raises(IncompatibleError, match="a single split has no standard error"):
        proven(cv=PredefinedSplit(np.arange(400) // 300 - 1), one_standard_error=True).fit(X, y)


def test_the_standard_error_is_that_of_the_mean_over_the_splits():
    X, y = noisy()
    X[:, 0] = np.arange(150)
    planned = {0.1: (0.9, 0.7), 1.0: (0.74, 0.71), 10.0: (0.71, 0.67)}  # 0.8 ± 0.1, 0.725, 0.69

    def score(estimator, X, y):
        return planned[estimator.reg][int(X[0, 0] > 0)]

    search = proven(param_grid={"reg": list(planned)}, cv=KFold(2), scoring=score, one_standard_error=True)
    with pytest.warns(EdgeOfGridWarning, match=r"the best reg, 0\.1, is the lowest"):
        search.fit(X, y)
    assert search.best_params_ == {"reg": 1.0}
    assert search.best_score_ == pytest.approx(0.725)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (
            {"reg": [0.3, 2.0, 10.0]},
            "the best reg, 0.3, is the lowest of the grid: .* below it; extend param_grid",
        ),
        ({"reg": [1e-4, 1e-2, 0.3]}, "the best reg, 0.3, is the highest of the grid: .* above it"),
        ({"C": [1e-3, 5e-3, 0.03]}, "the best C, 0.03, is the highest of the grid: .* above it"),
        ({"C": [10.0, 1.0, 0.03]}, "the best C, 0.03, is the lowest of the grid: .* below it"),
        ({"reg": ["scale", 1e-6]}, "the best reg, scale, is the highest of the grid"),
        ({"reg": [1e-2, 0.3], "class_weight": [None, {0: 50.0}]}, "the best reg, 0.3, is the highest"),
    ],
)
def test_a_best_penalty_at_the_edge_of_the_grid_is_said_aloud(grid, words):
    X, y = noisy()
    with pytest.warns(EdgeOfGridWarning, match=words) as caught:
        proven(param_grid=grid).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("grid", [None, {"reg": [1e-2]}, {}, {"class_weight": [None, "balanced"]}])
def test_without_an_edge_there_is_no_warning(grid):
    X, y = noisy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        proven(param_grid=grid).fit(X, y)
    assert [str(one.message) for one in caught] == []


def test_a_plateau_up_to_the_edge_is_no_edge():
    X = np.array([[-1.0], [1.0]] * 10)
    search = proven(param_grid={"reg": [1e-3, 1e-2, 1e-1]}, cv=2).fit(X, X[:, 0] > 0)
    assert search.best_index_ == 0
    assert search.cv_results_["rank_test_score"].tolist() == [1, 1, 1]


def test_the_rule_of_one_standard_error_has_an_edge_of_its_own():
    X, y = noisy()
    grid = {"reg": [0.2, 0.127, 0.01]}
    best = proven(param_grid=grid).fit(X, y)
    assert 0 < best.best_index_ < 2
    with pytest.warns(EdgeOfGridWarning, match="the best reg, 0.2, is the highest"):
        search = proven(param_grid=grid, one_standard_error=True).fit(X, y)
    assert search.best_index_ == 0


@pytest.mark.slow
def test_the_default_grid_surrounds_the_estimators_own_penalty():
    X, y = noisy()
    for estimator, name in ((None, "reg"), (LinearSVM(10.0), "reg"), (SoftmaxClassifier(C=0.3), "C")):
        search = proven(estimator).fit(X, y)
        values = search.cv_results_[f"param_{name}"]
        own = 0.01 * X.var(axis=0).mean() if estimator is None else getattr(estimator, name)
        factors = 10 ** np.linspace(3, -4, 10)  # the strongest first, which is taken of several that are as good
        np.testing.assert_allclose(values.tolist(), own / factors if name == "C" else own * factors)
    changed = proven().fit(255 * X + 3, y)
    plain = proven().fit(X, y)
    assert changed.best_index_ == plain.best_index_
    assert changed.best_params_["reg"] == pytest.approx(255**2 * plain.best_params_["reg"])


def planned(scores):
    """A scorer that says what is planned for a penalty and a split, which the first of its examples tells."""

    def score(estimator, X, y):
        return scores[estimator.reg][int(X[0, 0])]

    return score


def failing(monkeypatch, heads):
    """Nothing is proven of these heads, in the order of settings and splits."""
    solve = engine.solve

    def broken(*arguments, **options):
        found = solve(*arguments, **options)
        if len(found.gap) == 1:  # the refit
            return found
        short = np.isin(np.arange(len(found.gap)), heads)
        gap, stopped = np.where(short, 2 * found.objective, found.gap), np.where(short, "stalled", found.stopped)
        return dataclasses.replace(found, gap=gap, stopped=stopped)

    monkeypatch.setattr(engine, "solve", broken)


def in_two_halves():
    """Examples the first feature of which is the number of their half, and the splits that test on one of them."""
    X, y = noisy(60, 5)
    X[:, 0] = np.arange(60) // 30
    return X, y, KFold(2)


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.filterwarnings("ignore:. of . fits stopped before:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("heads", "chosen"), [([], 1), ([2, 3], 0), ([2], 0), ([3], 0), ([0, 3], 2), ([0, 1, 2, 4], 1), ([1, 3, 5], 1)]
)
def test_a_setting_that_failed_on_any_split_is_chosen_only_where_all_did(monkeypatch, heads, chosen):
    X, y, cv = in_two_halves()
    failing(monkeypatch, heads)
    scores = planned({1.0: (0.8, 0.8), 0.1: (0.9, 0.9), 0.01: (0.7, 0.7)})
    search = proven(param_grid={"reg": [1.0, 0.1, 0.01]}, cv=cv, scoring=scores)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y)
    assert search.best_index_ == chosen
    said = [str(w.message) for w in caught if "every setting" in str(w.message)]
    assert len(said) == (len({head // 2 for head in heads}) == 3)


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_equals_share_the_best_rank_and_the_first_is_chosen():
    X, y, cv = in_two_halves()
    scores = planned({8.0: (0.5, 0.5), 4.0: (0.9, 0.7), 2.0: (0.7, 0.9), 1.0: (0.6, 0.6), 0.5: (0.9, 0.7)})
    search = proven(param_grid={"reg": [8.0, 4.0, 2.0, 1.0, 0.5]}, cv=cv, scoring=scores).fit(X, y)
    assert search.best_index_ == 1
    assert search.cv_results_["rank_test_score"].tolist() == [5, 1, 1, 4, 1]


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_a_stack_is_trained_as_its_estimator_says(calls):
    X, y, weight = digits(3, n=60, dtype=np.float32)
    for options in (
        {"precision": "double", "max_iter": 77, "tol": 1e-3, "fit_intercept": False, "device": "cpu"},
        {"precision": "single", "max_iter": 500, "tol": 1e-4, "fit_intercept": True, "device": "cpu"},
    ):
        calls.clear()
        proven(LinearSVM(**options), {"reg": [3.0, 1.0]}, cv=2).fit(X, y, weight)
        search, refit = (call[3] for call in calls)
        for given in (search, refit):
            assert given["loss"] == "squared_hinge"
            assert given["intercept"] == options["fit_intercept"]
            assert {name: given[name] for name in ("precision", "max_iter", "tol")} == {
                name: options[name] for name in ("precision", "max_iter", "tol")
            }
        np.testing.assert_allclose(refit["sample_weight"], weight)


# ---- the contract beyond scikit-learn's own checks


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_a_search_is_copied_pickled_nested_and_chained():
    X, y, _ = digits(4, 200)
    search: Any = proven(LinearSVM(C=2.0), C_GRID, cv=3)
    assert search.get_params()["estimator__C"] == 2.0
    copy: Any = clone(search)
    assert copy.set_params(estimator__tol=1e-3).estimator.tol == 1e-3
    assert search.estimator.tol == 1e-6
    fitted = pickle.loads(pickle.dumps(search.fit(X, y)))
    assert (fitted.predict(X) == search.predict(X)).all()
    assert search.estimator.C == 2.0  # what was given is left as it was
    assert not hasattr(search.estimator, "coef_")
    chain = make_pipeline(StandardScaler(), proven(param_grid=LOGS, cv=3))
    assert cross_val_score(chain, X, y, cv=3).mean() > 0.9
    assert GridSearchCV(chain, {"probesearch__one_standard_error": [False, True]}, cv=2).fit(X, y).best_score_ > 0.8


def test_methods_are_those_of_the_estimator_and_need_the_refit():
    X, y = noisy()
    assert not hasattr(proven(LinearSVM()), "predict_proba")
    assert hasattr(proven(), "predict_proba")
    with pytest.raises(NotFittedError):
        proven().predict(X)
    search = proven(refit=False).fit(X, y)
    assert not hasattr(search, "best_estimator_")
    assert search.best_score_ > 0.7
    for name in ("predict", "predict_proba", "decision_function", "score"):
        assert not hasattr(search, name)
    with pytest.raises(AttributeError) as caught:
        search.predict(X)
    assert "set refit=True" in str(caught.value.__cause__)


def embeddings_of(K, seed=0):
    """Centres in 12 of 40 directions, 60 rows a class: penalties matter, and weak ones are far from their optimum."""
    generator = np.random.default_rng(seed)
    y = np.arange(60 * K) % K
    X = generator.standard_normal((K, 40))[y] * (np.arange(40) < 12) + 1.4 * generator.standard_normal((60 * K, 40))
    return X.astype(np.float32), y


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("estimator", "strongest"), [(SoftmaxClassifier(), -4), (LinearSVM(loss="squared_hinge"), -6)])
def test_a_loose_search_takes_what_a_proven_one_takes_in_a_fraction_of_the_passes(estimator, strongest):
    X, y = embeddings_of(5)
    grid = {"C": np.logspace(strongest, 4, 9).tolist()}
    loose, all_proven = (ProbeSearch(estimator, grid, search_tol=tol).fit(X, y) for tol in (1e-4, None))
    assert loose.best_params_ == all_proven.best_params_
    assert table(loose, "iterations").sum() < 0.5 * table(all_proven, "iterations").sum()
    # Half of an example of a fold's: what is compared is right where it decides.
    near = loose.cv_results_["split0_stopped"] == "contender"
    assert near[loose.best_index_]
    means = (search.cv_results_["mean_test_score"] for search in (loose, all_proven))
    assert np.abs(np.subtract(*means))[near].max() <= 1 / len(y)
    # The gain that the decrement promises is what is left, within a factor: of contenders a tenth of 1e-4 at the most.
    lowest, here = (table(search, "objective")[near] for search in (all_proven, loose))
    assert (here - lowest <= 1e-4 * lowest).all()
    assert set(table(loose, "stopped").ravel()) == {"search", "contender"}
    assert set(table(all_proven, "stopped").ravel()) == {"gap"}
    # The best one is proven, and the same.
    assert loose.best_estimator_.stopped_ == "gap"
    np.testing.assert_array_equal(loose.best_estimator_.coef_, all_proven.best_estimator_.coef_)


@pytest.mark.slow
def test_who_may_be_the_best_is_told_by_the_score_that_refit_names():
    X, y = embeddings_of(3)
    grid = {"C": np.logspace(-4, 4, 9).tolist()}
    scoring = {"accuracy": "accuracy", "loss": "neg_log_loss"}
    for name in scoring:
        search = ProbeSearch(param_grid=grid, scoring=scoring, refit=name, return_train_score=True).fit(X, y)
        alone = ProbeSearch(param_grid=grid, scoring=scoring[name], return_train_score=True).fit(X, y)
        assert search.best_params_ == alone.best_params_
        assert search.cv_results_["split0_stopped"].tolist() == alone.cv_results_["split0_stopped"].tolist()
        for part in ("test", "train"):
            ours, theirs = search.cv_results_[f"mean_{part}_{name}"], alone.cv_results_[f"mean_{part}_score"]
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore")
def test_a_score_of_a_fit_that_was_gone_on_with_does_not_stay_where_the_next_one_fails():
    X, y = embeddings_of(3)
    calls = []

    def fails_later(model, X, y):
        calls.append(model)
        if len(calls) > 8:
            raise ValueError("no more")
        return float(model.score(X, y))

    with pytest.raises(UsageError, match="gives NaN for every setting"):
        ProbeSearch(param_grid={"C": [0.01, 0.1, 1, 10]}, cv=2, scoring=fails_later).fit(X, y)
    assert len(calls) > 8


def test_a_share_that_says_nothing_is_refused():
    X, y = embeddings_of(2)
    wrongs: tuple[Any, ...] = (0, -1e-4, 0.5, float("nan"), "1e-4", True)
    for wrong in wrongs:
        with pytest.raises(UsageError, match=r"search_tol is .*; give a share such as 1e-4, at most 0.1, or None"):
            ProbeSearch(search_tol=wrong).fit(X, y)


@pytest.mark.parametrize(("passes", "proof"), [(2, "nothing proven"), (14, "a proven gap of {} of the objective")])
def test_fits_that_stop_early_are_counted_in_one_warning(passes, proof):
    X, y = noisy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = proven(SoftmaxClassifier(max_iter=passes), {"reg": [1e-4, 0.1, 1e4]}, cv=3, refit=False).fit(X, y)
    (warning,) = [warning for warning in caught if warning.category is ConvergenceWarning]
    assert str(warning.message).startswith(
        " fits stopped before their tolerance (max_iter), the farthest with "
        + proof.format(at_most((table(search, "gap") / table(search, "objective")).max()))
        + f"; raise max_iter ({passes})",
        len("6 of 9"),
    )
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("estimator", "grid", "kind", "words"),
    [
        (LogisticRegression(), LOGS, IncompatibleError, ["a LogisticRegression", "GridSearchCV"]),
        (make_pipeline(SoftmaxClassifier()), LOGS, IncompatibleError, ["a Pipeline", "GridSearchCV"]),
        (SoftmaxClassifier(solver="sgd"), LOGS, IncompatibleError, ["solver is 'sgd'", "GridSearchCV"]),
        (LinearSVM(loss="hinge"), LOGS, IncompatibleError, ["squared_hinge"]),
        (
            None,
            {"loss": ["hinge"]},
            UsageError,
            ["'loss', which SoftmaxClassifier does not have", "it has C, class_wei"],
        ),
        (None, {"estimator__C": [1.0]}, UsageError, ["'estimator__C'", "does not have"]),
        (None, {"reg": []}, ValueError, ["reg", "non-empty"]),
        (None, [], UsageError, ["param_grid is empty", "{'reg': ["]),
        (None, {"reg": 1.0}, TypeError, ["reg", "list"]),
        (None, {"reg": [1.0, -1.0]}, UsageError, ["param_grid, {'reg': -1.0}: reg is -1.0", "above 0"]),
        (None, {"reg": [0]}, IncompatibleError, ["param_grid, {'reg': 0}: reg is 0", "no distance"]),
        (None, {"C": [0.0]}, UsageError, ["param_grid, {'C': 0.0}: C is 0.0"]),
        (None, {"reg": [1.0], "C": [1.0]}, IncompatibleError, ["reg and C are two spellings"]),
        (SoftmaxClassifier(C=1.0), LOGS, IncompatibleError, ["param_grid, {'reg': 3.0}: reg and C are two spellings"]),
        (SoftmaxClassifier(-1.0), None, UsageError, ["reg is -1.0"]),
    ],
)
def test_estimators_and_grids_that_make_no_sense(estimator, grid, kind, words):
    X, y = noisy()
    with pytest.raises(kind) as caught:
        proven(estimator, grid).fit(X, y)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        (["accuracy", "f1_macro"], "refit is True, and there are several scores"),
        ("precision_of_nothing", "scoring"),
        (lambda *_: {"a": 1.0}, "refit is True, and there are several scores"),
        (lambda *_: np.nan, "gives NaN for every setting"),
    ],
)
def test_scores_that_make_no_sense(scoring, words):
    X, y = noisy()
    with pytest.raises(ValueError, match=words):
        proven(scoring=scoring).fit(X, y)


def test_a_setting_without_a_score_comes_last():
    X, y = noisy()

    def score(estimator, X, y):
        return np.nan if estimator.reg == 0.1 else estimator.score(X, y)

    with pytest.warns(UndefinedMetricWarning, match="test_score is NaN for 1 of 4 settings .* rank last"):
        search = proven(param_grid={"reg": [0.1, 0.3, 3.0, 0.02]}, scoring=score).fit(X, y)
    assert search.best_index_ == 1
    assert search.cv_results_["rank_test_score"][0] == 4


@pytest.mark.sampled(3)
@pytest.mark.parametrize("field", ["W", "b", "objective"])
def test_results_that_are_not_finite_never_come_out(monkeypatch, field):
    X, y = noisy()
    solve = engine.solve

    def broken(*arguments, **options):
        optimum = solve(*arguments, **options)
        return dataclasses.replace(optimum, **{field: getattr(optimum, field) * np.nan})

    monkeypatch.setattr(engine, "solve", broken)
    with pytest.raises(UsageError, match=r"not finite.*divide X"):
        proven().fit(X, y)


def test_scores_that_overflow_are_an_error(monkeypatch):
    X, y = noisy()
    solve = engine.solve

    def enormous(*arguments, **options):
        optimum = solve(*arguments, **options)
        return dataclasses.replace(optimum, W=optimum.W * np.float32(1e38))

    monkeypatch.setattr(engine, "solve", enormous)
    with pytest.raises(UsageError, match="the scores of X overflow float32; divide X"):
        proven(param_grid={"reg": [1.0]}).fit((100 * X).astype(np.float32), y)


def test_a_file_that_is_written_to_during_the_search_is_an_error(tmp_path, monkeypatch):
    X, y = noisy()
    np.save(tmp_path / "X.npy", X)
    solve = engine.solve

    def meanwhile(*arguments, **options):
        optimum = solve(*arguments, **options)
        np.save(tmp_path / "X.npy", 2 * X)
        return optimum

    mapped = np.load(tmp_path / "X.npy", mmap_mode="r+")
    monkeypatch.setattr(engine, "solve", meanwhile)
    with pytest.raises(DataError, match=r"X\.npy: was written to while X was read from it"):
        proven(refit=False).fit(mapped, y)


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
@pytest.mark.parametrize("one_standard_error", [False, True])
def test_a_setting_of_which_a_fit_failed_is_not_taken_while_another_has_not(one_standard_error, monkeypatch):
    X, y = load_digits(return_X_y=True)
    X, y, lost = X[:200] / 16, y[:200], {1.0, 10.0}
    arguments = {"param_grid": {"C": [1e-4, 1.0, 10.0]}, "cv": 3, "one_standard_error": one_standard_error}
    assert proven(**arguments).fit(X, y).best_params_["C"] in lost

    def solve_some(X, y, reg, **options):
        found = solve(X, y, reg, **options)
        late = np.arange(len(reg)) % 3 == 1  # one split of every setting but the first
        late &= reg < reg.max() / 100
        return dataclasses.replace(
            found, gap=np.where(late, found.objective, found.gap), stopped=np.where(late, "stalled", "gap")
        )

    solve = engine.solve
    monkeypatch.setattr(engine, "solve", solve_some)
    with pytest.warns(ConvergenceWarning, match="2 of 9 fits stopped before their tolerance"):
        search = proven(**arguments).fit(X, y)
    assert search.best_params_["C"] == 1e-4
    assert search.cv_results_["rank_test_score"][0] == 3  # the table says what was measured
    arguments["param_grid"] = {"C": [1.0, 10.0]}
    monkeypatch.setattr(engine, "solve", lambda *data, **options: dataclasses.replace(
        solve(*data, **options), gap=np.full(6, 9.0), stopped=np.full(6, "stalled")
    ))  # fmt: skip
    with (
        pytest.warns(ConvergenceWarning, match="6 of 6 fits stopped"),
        pytest.warns(ConvergenceWarning, match="every setting with a score by scoring=None failed"),
    ):
        assert proven(**arguments, refit=False).fit(X, y).best_params_["C"] in lost


WITHIN = """
import threading, time, warnings
import numpy as np
from linprobe import ProbeSearch, SoftmaxClassifier

def held():
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("RssAnon"))

rng = np.random.default_rng(0)
X, y = rng.normal(size=(300_000, 32)).astype(np.float32), rng.integers(0, 3, 300_000)
warnings.simplefilter("ignore")
def compare(rows, memory=None):
    grid = {"reg": list(np.logspace(-6, 0, 10))}
    for tol in (1e-4, None):
        search = ProbeSearch(SoftmaxClassifier(max_iter=2), grid, refit=False, memory=memory, search_tol=tol)
        search.fit(X[:rows], y[:rows])
compare(500)
before, most, done = held(), [0], threading.Event()
def watch():
    while not done.is_set():
        most[0] = max(most[0], held())
        time.sleep(0.005)
watching = threading.Thread(target=watch)
watching.start()
compare(len(X), memory=X.nbytes)
done.set()
watching.join()
print((most[0] - before) / X.nbytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_fifty_heads_of_folds_take_no_more_memory_than_allowed():
    done = subprocess.run([sys.executable, "-c", WITHIN], capture_output=True, text=True, check=True)
    assert float(done.stdout) <= 1
