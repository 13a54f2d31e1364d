"""Estimators become models and files, and models estimators again: the same classes, scores and proof."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import linprobe
from linprobe import LinearSVM, Model, ProbeSearch, SoftmaxClassifier
from linprobe.core.certificate import certify
from linprobe.errors import IncompatibleError
from linprobe.tasks.tune import Options, tune

D = 7
LABELS = {
    "texts": ["owl", "cat", "dog"],
    "numbers": [30, -1, 4],
    "small numbers": np.array([3, 1, 2], np.uint8),
    "reals": np.array([0.0, 2.0, 1.0], np.float32),
    "two texts": ["no", "yes"],
    "two numbers": [0, 1],
    "truth values": [False, True],
}
KINDS = {
    "softmax": lambda: SoftmaxClassifier(),
    "squared hinge": lambda: LinearSVM(C=0.1),
    "hinge": lambda: LinearSVM(reg=0.1, loss="hinge", solver="sgd", max_iter=50, random_state=0),
    "without a bias": lambda: SoftmaxClassifier(fit_intercept=False),
}


def examples(labels, dtype=np.float32, n=90):
    rng, labels = np.random.default_rng(0), np.asarray(labels)
    codes = np.arange(n) % len(labels)
    X = rng.standard_normal((n, D)) + 0.8 * np.eye(len(labels), D)[codes]
    return X.astype(dtype), labels[codes]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_an_estimator_saves_is_the_same_classifier(kind, labels, dtype, tmp_path):
    X, y = examples(LABELS[labels], dtype)
    estimator = KINDS[kind]().fit(X, y)
    estimator.save(tmp_path / "model")
    model = linprobe.load(tmp_path / "model")
    assert model.classes == tuple(map(str, np.unique(y).tolist()))
    np.testing.assert_array_equal(estimator.classes_[model.predict(X)], estimator.predict(X))
    expected = estimator.decision_function(X)
    scores = model.decision_function(X)
    rtol, atol = (1e-5, 1e-5) if dtype == np.float32 else (1e-12, 1e-13)
    np.testing.assert_allclose(scores if expected.ndim == 2 else scores[:, 1] - scores[:, 0], expected, rtol, atol)
    if kind in ("softmax", "without a bias"):
        np.testing.assert_allclose(model.probabilities(scores), estimator.predict_proba(X), rtol=1e-4)
    else:
        assert not model.probabilistic

    again = model.to_estimator()
    assert type(again) is type(estimator)
    assert (again.classes_.dtype, again.classes_.tolist()) == (estimator.classes_.dtype, estimator.classes_.tolist())
    np.testing.assert_array_equal(again.decision_function(X), expected)
    np.testing.assert_array_equal(again.predict(X), estimator.predict(X))
    names = ["reg_", "n_iter_", "n_features_in_"] + ["objective_", "gap_"] * (estimator.solver == "exact")
    for name in names:
        assert getattr(again, name) == getattr(estimator, name)
    for name in ("fit_intercept", "solver", *(["loss"] if isinstance(again, LinearSVM) else [])):
        assert getattr(again, name) == getattr(estimator, name)
    if estimator.solver == "exact":  # and it is trained again with the same penalty
        np.testing.assert_allclose(again.fit(X, y).objective_, estimator.objective_, rtol=1e-5)

    other = model.to_sklearn()
    assert isinstance(other, LogisticRegression if isinstance(estimator, SoftmaxClassifier) else LinearSVC)
    np.testing.assert_array_equal(other.predict(X), estimator.predict(X))
    np.testing.assert_allclose(other.decision_function(X), expected, rtol, atol)
    if isinstance(other, LogisticRegression):
        np.testing.assert_allclose(other.predict_proba(X), estimator.predict_proba(X), rtol=1e-4)


def test_the_same_estimator_is_the_same_bytes(tmp_path):
    X, y = examples(LABELS["texts"])
    for name in ("one", "two"):
        SoftmaxClassifier().fit(X, y).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_search_saves_its_best_and_by_how_many_folds_it_was_chosen(tmp_path):
    X, y = examples(LABELS["texts"])
    search = ProbeSearch(param_grid={"reg": [1e-4, 1e-2, 1e2]}, cv=4).fit(X, y)
    search.save(tmp_path / "model")
    model = linprobe.load(tmp_path / "model")
    assert (model.provenance.folds, model.provenance.reg) == (4, search.best_estimator_.reg_)
    np.testing.assert_array_equal(search.classes_[model.predict(X)], search.predict(X))
    assert not hasattr(ProbeSearch(refit=False), "save")


def test_names_of_features_are_kept_and_checked(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = examples(LABELS["numbers"])
    names = [f"feature {d}" for d in range(D)]
    frame = pandas.DataFrame(X, columns=names)
    estimator = SoftmaxClassifier().fit(frame, y)
    estimator.save(tmp_path / "model")
    model = linprobe.load(tmp_path / "model")
    assert model.feature_names == tuple(names)
    for again in (model.to_estimator(), model.to_sklearn()):
        np.testing.assert_array_equal(again.predict(frame), estimator.predict(frame))
        with pytest.raises(ValueError, match="feature names"):
            again.predict(frame[names[::-1]])


@pytest.mark.parametrize("features", ["centred", "standardised"])
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_a_tuned_model_becomes_an_estimator_with_its_preparation_in_the_weights(features, loss):
    digits = linprobe.open_dataset("digits")
    model = tune(digits, Options(loss=loss, regs=np.array([0.1]), features=features)).classifier
    assert (model.to_estimator().prepare, model.to_estimator().reg) == (features, 0.1)
    X = digits.train.X.reshape(len(digits.train), -1)
    for estimator in (model.to_estimator(), model.to_sklearn()):
        np.testing.assert_allclose(estimator.decision_function(X), model.decision_function(digits.train.X), atol=1e-4)
        names = np.array(model.classes)[model.predict(digits.train.X)]
        assert np.mean(estimator.predict(X) == names) > 0.999


def test_what_is_no_estimator_or_fits_none_is_refused():
    X, y = examples(LABELS["texts"])
    model = Model.from_estimator(SoftmaxClassifier().fit(X, y))
    sound = "is fitted, or a search that has refitted one"
    for wrong in (SoftmaxClassifier(), ProbeSearch(), LogisticRegression().fit(X, y), "model"):
        with pytest.raises(IncompatibleError, match=sound):
            Model.from_estimator(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(IncompatibleError, match=sound):
        SoftmaxClassifier().save("nowhere")
    loss = replace(model, provenance=replace(model.provenance, loss="of another kind"))
    rows = replace(model, preparation=replace(model.preparation, unit_rows=True))
    one = replace(model, W=model.W[:, :1], b=model.b[:1], classes=("owl",))
    for wrong, words in ((loss, "of another kind is none"), (one, "knows one class")):
        for make in (wrong.to_estimator, wrong.to_sklearn):
            with pytest.raises(IncompatibleError, match=words):
                make()
    with pytest.raises(IncompatibleError, match="by its length"):
        rows.to_sklearn()
    assert rows.to_estimator().prepare == "normalised"
    odd = replace(model, provenance=replace(model.provenance, features="of another kind"))
    assert odd.to_estimator().prepare is None


@pytest.mark.parametrize("prepare", ["centred", "standardised", "normalised"])
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
def test_an_estimator_that_prepares_its_features_is_saved_with_that(make, prepare, tmp_path):
    X, y = examples(LABELS["texts"])
    X = X * np.arange(1, X.shape[1] + 1) + 3
    fitted = make(prepare=prepare).fit(X, y)
    fitted.save(tmp_path / "m.safetensors")
    model = linprobe.load(tmp_path / "m.safetensors")
    assert model.provenance.features == prepare
    again = model.to_estimator()
    for scores in (model.decision_function(X), again.decision_function(X)):
        np.testing.assert_allclose(scores, fitted.decision_function(X), rtol=1e-6, atol=1e-6)
    assert (again.preparation_ is None) == (prepare != "normalised")


@pytest.mark.parametrize("labels", ["texts", "two texts"])
@pytest.mark.parametrize("prepare", [None, "centred", "standardised", "normalised"])
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
def test_what_a_saved_estimator_says_was_proven_is_so_of_what_its_file_holds(make, prepare, labels, tmp_path):
    X, y = examples(LABELS[labels])
    X = X.astype(np.float64) * np.arange(1, D + 1) + 3
    X[:, 2] = 7  # of which a scale makes nothing
    fitted = make(prepare=prepare).fit(X, y)
    fitted.save(tmp_path / "model")
    model = linprobe.load(tmp_path / "model")
    rows, codes = model.preparation.apply(X, np.float64), np.searchsorted(model.classes, y)
    said, proven = model.provenance, model.certificate
    assert said.reg is not None
    assert said.tol is not None
    assert proven is not None
    found = certify(rows, codes, model.W[:, :, None], model.b[:, None], [said.reg], str(said.loss))
    assert proven.objective == pytest.approx(found.objective[0], rel=1e-9)
    assert found.gap[0] <= said.tol * found.objective[0]

    again = model.to_estimator()
    again.save(tmp_path / "again")
    other = linprobe.load(tmp_path / "again")
    np.testing.assert_allclose(other.W, model.W, rtol=1e-14)
    assert (other.certificate, other.provenance.features) == (proven, prepare)
    fresh: Any = clone(again)
    for refitted in (fresh.fit(X, y), again.fit(X, y)):  # it does what the first one did
        np.testing.assert_allclose(refitted.decision_function(X), fitted.decision_function(X), rtol=1e-9, atol=1e-9)
