"""What an estimator does to features before it trains, as `prepare` says, and weights that need it no longer."""

from typing import Any

import numpy as np

from linprobe.core.backend import is_sparse
from linprobe.data.dask_rows import DaskRows
from linprobe.data.prepare import Features as PreparedFeatures
from linprobe.data.prepare import Preparation, fit_preparation
from linprobe.data.rows import StoredRows
from linprobe.errors import IncompatibleError
from linprobe.estimators._inputs import Features

__all__ = ["Prepare", "prepared_for", "unprepared"]

Prepare = PreparedFeatures | None


def prepared_for(estimator: Any, X: Features, weight: np.ndarray | None) -> tuple[Preparation | None, Any]:
    """The preparation that an estimator asks for, fitted to features X (n, D) under weights (n,) >= 0, and X as Rows
    that are prepared as they are read; None and X where it asks for none.

    Raises IncompatibleError for a sparse X that would not stay sparse.
    """
    if estimator.prepare is None:
        return None, X
    if isinstance(X, DaskRows) and X.sparse:
        raise IncompatibleError(
            f"prepare={estimator.prepare!r} takes a sparse X in this process alone; give a dense Dask array, or scale "
            "its features with Dask first"
        )
    if is_sparse(X) and (estimator.prepare == "normalised" or not estimator.fit_intercept):
        raise IncompatibleError(
            f"prepare={estimator.prepare!r} takes the mean off, which fills a sparse X; use prepare='standardised' "
            "with fit_intercept=True, which does without, scikit-learn's Normalizer or MaxAbsScaler, or X.toarray()"
        )
    double = X.dtype == np.float64 or estimator.precision == "double"
    dtype = np.float64 if double else np.float32
    preparation = fit_preparation(X, estimator.prepare, weight=weight, dtype=dtype)
    if isinstance(X, DaskRows):
        return preparation, X.prepared(preparation).kept()
    return preparation, StoredRows(X).prepared(preparation)


def unprepared(
    preparation: Preparation | None, W: np.ndarray, b: np.ndarray
) -> tuple[Preparation | None, np.ndarray, np.ndarray]:
    """What is left of a preparation once weights W (D, K) and bias b (K,) do the rest of it: None, but for rows of unit
    length. In float64: beside a large mean, weights of fewer digits would move the scores.
    """
    if preparation is None:
        return None, W, b
    left, W = preparation.without_scale(W.astype(np.float64))
    return (left, W, b) if left.unit_rows else (None, W, b - left.mean.astype(np.float64) @ W)
