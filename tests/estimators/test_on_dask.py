"""The estimators on Dask's arrays and frames: what they find on NumPy's, and what they refuse."""

import numpy as np
import pytest
from scipy import sparse

from linprobe import LinearSVM, ProbeSearch, SoftmaxClassifier
from linprobe.data.dask_rows import DaskRows
from linprobe.errors import IncompatibleError, UsageError

dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 3, 240)
X = (RNG.standard_normal((240, 6)) + 1.5 * RNG.standard_normal((3, 6))[CODES] + 2).astype(np.float32)
Y = np.array(["no", "perhaps", "yes"])[CODES]


def there(array=X, rows=70):
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("kind", "prepare"), [(SoftmaxClassifier, None), (LinearSVM, "standardised"), (SoftmaxClassifier, "normalised")]
)
def test_a_fit_is_that_of_the_same_array_here(client, kind, prepare):
    weight = RNG.random(240)
    here = kind(prepare=prepare).fit(X, Y, weight)
    found = kind(prepare=prepare).fit(there(), there(Y, 100), da.from_array(weight, chunks=50))
    assert found.stopped_ == "gap"
    assert found.objective_ == pytest.approx(here.objective_, rel=1e-6)
    assert found.reg_ == pytest.approx(here.reg_, rel=1e-6)
    np.testing.assert_allclose(found.coef_, here.coef_, rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(found.predict(there()), found.predict(X))
    np.testing.assert_allclose(found.decision_function(there()), found.decision_function(X), atol=1e-5)
    assert found.score(there(), there(Y)) == found.score(X, Y)
    assert found.n_features_in_ == 6


def test_two_classes_and_their_probabilities(client):
    y = CODES > 0
    here, found = (SoftmaxClassifier().fit(*given) for given in ((X, y), (there(), y)))
    np.testing.assert_allclose(found.predict_proba(there()), here.predict_proba(X), atol=1e-3)


@pytest.mark.filterwarnings("ignore:the best reg")
@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param(
            {"prepare": "standardised", "scoring": ["accuracy", "neg_log_loss"], "cv": 2}, marks=pytest.mark.slow
        ),
    ],
    ids=str,
)
def test_a_search_scores_as_it_does_here(client, options):
    grid = {"reg": [1e-3, 1e-1, 10.0]}
    options = {"cv": 3, "refit": "accuracy" if "scoring" in options else True, **options}
    here, found = (ProbeSearch(None, grid, **options).fit(rows, Y) for rows in (X, there()))
    for name in (name for name in here.cv_results_ if name.startswith("split") and "_test_" in name):
        np.testing.assert_allclose(found.cv_results_[name], here.cv_results_[name], rtol=1e-3)
    assert found.best_params_ == here.best_params_
    assert found.best_estimator_.objective_ == pytest.approx(here.best_estimator_.objective_, rel=1e-6)
    np.testing.assert_array_equal(found.predict(there()), found.predict(X))
    assert found.score(there(), there(Y)) == found.score(X, Y)


def test_what_needs_single_rows_is_refused_with_the_way_out(client):
    with pytest.raises(IncompatibleError, match=r"use solver='exact'"):
        SoftmaxClassifier(solver="sgd").fit(there(), Y)
    with pytest.raises(IncompatibleError, match="dense Dask array"):
        SoftmaxClassifier(prepare="centred").fit(there().map_blocks(sparse.csr_array), Y)
    with pytest.raises(UsageError, match="240 rows and y 239"):
        SoftmaxClassifier().fit(there(), Y[1:])
    with pytest.raises(ValueError, match="features"):
        SoftmaxClassifier().fit(X[:, :5], Y).predict(there())


@pytest.mark.slow
def test_sparse_rows_stay_sparse(client):
    hollow = sparse.csr_array(X * (X > 2))
    rows = there(hollow.toarray()).map_blocks(sparse.csr_array)
    here, found = (SoftmaxClassifier().fit(given, Y) for given in (hollow, rows))
    assert found.objective_ == pytest.approx(here.objective_, rel=1e-6)
    np.testing.assert_array_equal(found.predict(rows), found.predict(hollow))


@pytest.mark.slow
def test_a_column_of_vectors_in_a_dask_frame(client):
    dd, pd = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    with dask.config.set({"dataframe.convert-string": False}):
        frame = dd.from_pandas(pd.DataFrame({"emb": list(X), "label": CODES}), npartitions=3)
    found = SoftmaxClassifier().fit(frame["emb"], frame["label"])
    assert found.objective_ == pytest.approx(SoftmaxClassifier().fit(X, CODES).objective_, rel=1e-6)


def test_what_was_sent_once_is_fitted_again_without_sending(client):
    from linprobe.data.dask_sources import dask_rows

    rows = dask_rows(there())
    assert isinstance(rows, DaskRows)
    assert SoftmaxClassifier().fit(rows, Y).score(rows, Y) == SoftmaxClassifier().fit(X, Y).score(X, Y)
