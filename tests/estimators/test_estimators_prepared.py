"""Features that the estimators prepare themselves, against scikit-learn's pipelines: fitted to training rows alone."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOptionalSubscript=false

import pickle
import time
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from linprobe import LinearSVM, ProbeSearch, SoftmaxClassifier
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators import _folds
from linprobe.estimators._preparing import prepared_for

pytestmark = pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")

STEPS = {
    "centred": lambda: [StandardScaler(with_std=False)],
    "standardised": lambda: [StandardScaler()],
    "normalised": lambda: [StandardScaler(with_std=False), Normalizer()],
}
CS = [1e-2, 1.0]


def draw(n=150, D=6, K=3, seed=0):
    """Classes that overlap, features of different sizes and offsets, and a few rows in front that are far larger."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, n)
    X = rng.standard_normal((n, D)) + rng.standard_normal((K, D))[y]
    X[:5] *= 30  # of the first fold of KFold: whoever counts them has another mean and deviation
    return X * np.geomspace(0.1, 10, D) + 3, y


def pipeline(prepare, C=1.0):
    return make_pipeline(*STEPS[prepare](), LogisticRegression(C=C, solver="newton-cg", tol=1e-12, max_iter=10_000))


@pytest.mark.parametrize("prepare", STEPS)
def test_a_fit_is_that_of_a_pipeline(prepare):
    X, y = draw()
    weight = np.random.default_rng(1).random(len(y)) * (np.arange(len(y)) % 7 > 0)
    theirs = pipeline(prepare)
    given = {f"{name}__sample_weight": weight for name in ("standardscaler", "logisticregression")}
    theirs.fit(X, y, **given)
    ours = SoftmaxClassifier(C=1.0, prepare=prepare, tol=1e-12).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-6)
    if prepare == "normalised":
        np.testing.assert_allclose(ours.coef_, theirs[-1].coef_, atol=1e-5)
        assert ours.preparation_ is not None
        return
    scale = theirs[0].scale_ if prepare == "standardised" else 1.0
    np.testing.assert_allclose(ours.coef_ * scale, theirs[-1].coef_, atol=1e-5)
    scores = X @ ours.coef_.T + ours.intercept_
    np.testing.assert_allclose(scores, ours.decision_function(X), rtol=1e-12, atol=1e-12)
    assert ours.preparation_ is None


@pytest.mark.sampled(3)
@pytest.mark.parametrize("prepare", STEPS)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_fold_is_prepared_by_its_own_training_rows(prepare, weighted):
    X, y = draw()
    cv, weight = KFold(3), np.random.default_rng(1).random(len(y)) if weighted else None
    names = ("standardscaler", "logisticregression")
    fit = {f"{name}__sample_weight": weight for name in names} if weighted else {}
    theirs = GridSearchCV(
        pipeline(prepare), {"logisticregression__C": CS}, cv=cv, scoring="neg_log_loss", return_train_score=True
    )
    ours = ProbeSearch(
        SoftmaxClassifier(tol=1e-12),
        {"C": CS},
        cv=cv,
        prepare=prepare,
        scoring="neg_log_loss",
        return_train_score=True,
        search_tol=None,
    )
    ours.fit(X, y, sample_weight=weight)
    if weighted:  # their scores are not, and ours are
        for fold, (train, test) in enumerate(cv.split(X)):
            for number, C in enumerate(CS):
                given = {name: values[train] for name, values in fit.items()}
                model = pipeline(prepare, C).fit(X[train], y[train], **given)
                expected = -log_loss(y[test], model.predict_proba(X[test]), sample_weight=weight[test])
                assert ours.cv_results_[f"split{fold}_test_score"][number] == pytest.approx(expected, rel=1e-5)
        return
    theirs.fit(X, y)
    for part in ("test", "train"):
        for fold in range(3):
            name = f"split{fold}_{part}_score"
            np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name], rtol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-6)
    # Were the folds prepared by all rows, these would be their scores; with centred rows the bias makes up for it.
    if prepare != "centred":
        rows = make_pipeline(*STEPS[prepare]()).fit_transform(X)
        leaked = clone(ours).set_params(prepare=None).fit(rows, y)
        assert np.abs(leaked.cv_results_["mean_test_score"] / ours.cv_results_["mean_test_score"] - 1).max() > 1e-3


@pytest.mark.sampled(3)
@pytest.mark.parametrize("prepare", STEPS)
def test_accuracies_of_folds_are_those_of_fits_on_their_rows(prepare):
    X, y = draw()
    grid = {"reg": [1e-3, "scale"], "class_weight": [None, "balanced"]}
    bootstrap = np.random.default_rng(2).integers(0, 100, 90)
    splits = [(bootstrap, np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]
    search = ProbeSearch(LinearSVM(tol=1e-10), grid, cv=splits, prepare=prepare, search_tol=None).fit(X, y)
    for number, params in enumerate(search.cv_results_["params"]):
        for fold, (train, test) in enumerate(splits):
            alone = LinearSVM(tol=1e-10, prepare=prepare, **params).fit(X[train], y[train])
            assert search.cv_results_[f"split{fold}_test_score"][number] == alone.score(X[test], y[test])
            assert search.cv_results_[f"split{fold}_reg"][number] == pytest.approx(alone.reg_, rel=1e-6)
            assert search.cv_results_[f"split{fold}_objective"][number] == pytest.approx(alone.objective_, rel=1e-6)
    assert search.best_estimator_.prepare == prepare


@pytest.mark.sampled(4)
@pytest.mark.parametrize("solver", ["exact", "sgd"])
@pytest.mark.parametrize("kind", ["float32", "float16", "uint8", "int64", "mapped", "torch", "double"])
def test_features_of_any_type_are_prepared(kind, solver, tmp_path):
    X, y = draw()
    X = np.round(np.clip(X, 0, 200)) if kind in ("uint8", "int64") else X
    given = X.astype(kind if kind in ("float32", "float16", "uint8", "int64") else "float32")
    expected, precision = given.astype(np.float64), "double" if kind == "double" else "auto"
    if kind == "mapped":
        np.save(tmp_path / "X.npy", given)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    elif kind == "torch":
        given = pytest.importorskip("torch").asarray(given)
    settings = {"C": 1.0, "prepare": "standardised", "solver": solver, "random_state": 0}
    ours = SoftmaxClassifier(tol=1e-9, precision=precision, **settings).fit(given, y)
    reference = SoftmaxClassifier(tol=1e-9, **settings).fit(expected, y)
    np.testing.assert_allclose(ours.predict_proba(given), reference.predict_proba(expected), atol=2e-4)
    assert ours.coef_.dtype == np.float64


def test_a_large_offset_costs_no_digits():
    X, y = draw()
    far = X + 1e6
    near, ours = (SoftmaxClassifier(prepare="standardised", tol=1e-12).fit(rows, y) for rows in (X, far))
    np.testing.assert_allclose(ours.predict_proba(far), near.predict_proba(X), atol=1e-6)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("estimator", [SoftmaxClassifier, LinearSVM])
@pytest.mark.parametrize("prepare", ["centred", "standardised"])
def test_sparse_features_are_scaled_where_they_lie(prepare, estimator):
    X, y = draw()
    X = np.where(np.median(X, axis=0) < X, X, 0)
    for given in (sp.csr_array(X), sp.csc_matrix(X)):
        dense, sparse = (estimator(prepare=prepare, tol=1e-10).fit(rows, y) for rows in (X, given))
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-4, atol=1e-5 * np.abs(dense.coef_).max())
        np.testing.assert_allclose(sparse.decision_function(given), dense.decision_function(X), atol=1e-4)
    searches = [
        ProbeSearch(estimator(tol=1e-9), {"C": [0.1]}, cv=3, prepare=prepare).fit(rows, y)
        for rows in (X, sp.csr_array(X))
    ]
    one, two = (search.cv_results_["mean_objective"] for search in searches)
    np.testing.assert_allclose(one, two, rtol=1e-8)


@pytest.mark.parametrize(
    "settings", [{"prepare": "normalised"}, {"prepare": "centred", "fit_intercept": False}], ids=["unit", "no bias"]
)
def test_sparse_features_that_would_be_filled_are_refused(settings):
    X, y = draw()
    with pytest.raises(IncompatibleError, match=r"fills a sparse X; use prepare='standardised'.*Normalizer.*toarray"):
        SoftmaxClassifier(**settings).fit(sp.csr_array(X), y)
    dense = SoftmaxClassifier(**settings).fit(X, y)
    if settings["prepare"] == "normalised":
        with pytest.raises(IncompatibleError, match=r"not sparse; use X\.toarray"):
            dense.predict(sp.csr_array(X))


def test_constant_features_have_no_weight():
    X, y = draw(n=3000)
    X[:, 1] = 0.1  # whose mean, summed up, is another number
    model = SoftmaxClassifier(prepare="standardised").fit(X, y)
    assert not model.coef_[:, 1].any()
    assert np.isfinite(model.coef_).all()


def test_what_is_prepared_is_never_copied_whole():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60_000, 64), dtype=np.float32) * np.float32(3), np.arange(60_000) % 2
    search = ProbeSearch(SoftmaxClassifier(tol=0.1), {"C": [1e-4]}, cv=2, prepare="standardised")
    tracemalloc.start()
    try:
        search.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes


@pytest.mark.slow
def test_the_parameter_is_one_of_the_estimators():
    X, y = draw()
    for model in (
        SoftmaxClassifier(prepare="normalised"),
        LinearSVM(prepare="centred"),
        ProbeSearch(prepare="centred"),
    ):
        assert clone(model).get_params()["prepare"] == model.prepare
        fitted = model.fit(X, y)
        again = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(again.decision_function(X), fitted.decision_function(X))
    grid = {"prepare": [None, "standardised"], "C": CS}
    search = ProbeSearch(param_grid=grid, cv=3).fit(X, y)
    for prepare in grid["prepare"]:
        alone = ProbeSearch(param_grid={"C": CS}, cv=3, prepare=prepare).fit(X, y)
        chosen = [params["prepare"] == prepare for params in search.cv_results_["params"]]
        np.testing.assert_allclose(
            search.cv_results_["mean_objective"][chosen], alone.cv_results_["mean_objective"], rtol=1e-5
        )


def test_the_time_of_a_fit_has_that_of_preparing_its_fold(monkeypatch):
    def slowly(*given):
        time.sleep(0.2)
        return prepared_for(*given)

    monkeypatch.setattr(_folds, "prepared_for", slowly)
    X, y = draw()
    search = ProbeSearch(SoftmaxClassifier(), {"C": CS}, cv=3, prepare="centred").fit(X, y)
    assert search.cv_results_["mean_fit_time"].sum() >= 0.2


def test_what_makes_no_sense_is_refused():
    X, y = draw()
    for model in (SoftmaxClassifier(prepare="scaled"), ProbeSearch(prepare="scaled"), LinearSVM(prepare=["centred"])):
        with pytest.raises(UsageError, match=r"prepare is .*use one of: centred, standardised, normalised, or None"):
            model.fit(X, y)
    with pytest.raises(IncompatibleError, match="prepare is 'centred', and that of the estimator 'normalised'"):
        ProbeSearch(SoftmaxClassifier(prepare="normalised"), prepare="centred").fit(X, y)
