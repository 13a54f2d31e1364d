"""SoftmaxClassifier and LinearSVM: scikit-learn's contract in front of the two engines."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from linprobe.core.backend import Device, choose_device, is_sparse, on_host, to_numpy
from linprobe.core.exact import solver as exact
from linprobe.data.dask_sources import labels_here
from linprobe.data.moments import moments, rows_at_once
from linprobe.data.prepare import Preparation
from linprobe.data.rows import StoredRows, rows_of
from linprobe.data.terms import Chunk
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators._descent import descend
from linprobe.estimators._exchange import Kept
from linprobe.estimators._inputs import (
    Features,
    check_features,
    check_labels,
    check_unchanged,
    check_weights,
    file_stamps,
)
from linprobe.estimators._parameters import check_parameters, find_reg
from linprobe.estimators._preparing import Prepare, prepared_for, unprepared
from linprobe.results.steps import proven_share

__all__ = ["LinearSVM", "SoftmaxClassifier"]


class _LinearClassifier(Kept, ClassifierMixin, BaseEstimator):
    """All of both classifiers but the loss."""

    n_features_in_: int
    feature_names_in_: np.ndarray
    preparation_: Preparation | None
    _scale: np.ndarray | None = None  # (D,), part of coef_ where features are standardised: what the penalty is without

    def __init__(
        self,
        reg: float | Literal["scale"] = "scale",
        *,
        C: float | None = None,
        solver: Literal["exact", "sgd"] = "exact",
        fit_intercept: bool = True,
        prepare: Prepare = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        precision: Literal["auto", "single", "double"] = "auto",
        device: Device = "cpu",
        random_state: Any = None,
    ) -> None:
        self.reg = reg
        self.C = C
        self.solver: Literal["exact", "sgd"] = solver
        self.fit_intercept = fit_intercept
        self.prepare: Prepare = prepare
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.precision: Literal["auto", "single", "double"] = precision
        self.device: Device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver != "sgd"
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on examples X (n, D) with labels y (n,) and weights (n,) >= 0, all the same unless given.

        X: a matrix of float16, float32, float64, integers or bool, mapped from a file or not; a SciPy sparse matrix; a
        data frame, or one column whose cells are vectors of one length; a torch tensor on any device; an array, a data
        frame or a column of Dask under an active client, on whose workers the exact solver computes. The exact solver
        reads a matrix where it lies, in row chunks. A mapped file must neither be cut nor written to until `fit` is
        done: a file that was cut before is refused, one that was written to meanwhile is found at the end; one that is
        cut meanwhile ends the process (SIGBUS).
        Raises UsageError, a ValueError, for what cannot be trained on, DataError for a mapped file. Warns with
        ConvergenceWarning where the exact solver stopped above `tol`.
        """
        return self._fit(X, y, sample_weight)

    def _fit(self, X: Any, y: Any, sample_weight: Any, ground: exact.Ground | None = None) -> Self:
        """As `fit`; ground: what a search has found of the rows of X."""
        loss = self._loss()
        check_parameters(self, loss)
        stamps = file_stamps(X)
        data = check_features(self, X, reset=True)
        if self.solver == "sgd" and rows_of(data).elsewhere:
            raise IncompatibleError(
                "solver='sgd' draws its batches from all rows, which a Dask cluster would send one by one; use "
                "solver='exact', which asks the workers for sums alone"
            )
        classes, codes = check_labels(y, data.shape[0])
        weight = check_weights(sample_weight, self.class_weight, classes, codes)
        preparation, data = prepared_for(self, data, weight)
        reg = find_reg(self.reg, self.C, data, weight, len(classes))
        # Prepared features are other rows.
        ground = ground if preparation is None else None
        find = self._descend if self.solver == "sgd" else partial(self._solve, ground=ground)
        optimum = find(data, codes, reg, loss=loss, classes=len(classes), sample_weight=weight)
        W, b, objective = to_numpy(optimum.W)[:, :, 0], to_numpy(optimum.b)[:, 0], float(optimum.objective[0])
        self._scale = None if preparation is None else preparation.scale
        self.preparation_, W, b = unprepared(preparation, W, b)
        check_unchanged(stamps, X)
        if not (np.isfinite(W).all() and np.isfinite(b).all() and math.isfinite(objective)):
            spread = math.sqrt(moments(data, weight)[1].mean())
            raise UsageError(
                f"training ended with numbers that are not finite: features that spread by {spread:.1e} leave the "
                f"range of {W.dtype}; divide X by as much"
            )
        if len(classes) == 2:
            W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
        self.classes_, self.coef_, self.intercept_ = classes, np.ascontiguousarray(W.T), b
        self.reg_, self.objective_, self.gap_ = reg, objective, float(optimum.gap[0])
        self.n_iter_, self.stopped_ = int(optimum.iterations[0]), str(optimum.stopped[0])
        if self.stopped_ != "gap" and self.solver == "exact":
            self._warn()
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores of examples X (n, D): (n, K), or for two classes (n,), above 0 where the second one is likelier."""
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        if self.preparation_ is not None and is_sparse(X):
            raise IncompatibleError("rows of unit length about the mean are not sparse; use X.toarray()")
        dtype = np.result_type(np.float32, self.coef_, X.dtype if X.dtype.kind == "f" else np.float32)
        rows = X if isinstance(X, StoredRows) else StoredRows(X)
        rows = rows if self.preparation_ is None else rows.prepared(self.preparation_)
        with np.errstate(over="ignore", invalid="ignore"):
            (found,) = rows.map(_Scores(self.coef_.T.astype(dtype)), np.zeros(0, dtype), size=rows_at_once(rows))
            scores = found[:]
            scores += self.intercept_
        if not np.isfinite(scores).all():
            raise UsageError(
                f"the scores of X overflow {dtype}; its values lie too far from those of the training data"
            )
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The class with the highest score, the first of equals, for each of X (n, D) -> labels (n,)."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of examples X (n, D) whose label y (n,) is predicted, by their weights (n,) where given."""
        return super().score(X, on_host(labels_here(y)), on_host(labels_here(sample_weight)))

    def _loss(self) -> str:
        raise NotImplementedError

    def _solve(self, X: Features, y: np.ndarray, reg: float, **problem: Any) -> exact.Optimum:
        return exact.solve(
            X,
            y,
            np.array([reg]),
            intercept=bool(self.fit_intercept),
            tol=self.tol,
            max_iter=int(self.max_iter),
            precision=self.precision,
            device=choose_device(self.device),
            **problem,
        )

    def _descend(self, X: Features, y: np.ndarray, reg: float, **problem: Any) -> exact.Optimum:
        double = self.precision == "double" or (self.precision == "auto" and X.dtype == np.float64)
        return descend(
            X,
            y,
            reg,
            intercept=bool(self.fit_intercept),
            steps=int(self.max_iter),
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            dtype=np.dtype(np.float64 if double else np.float32),
            device=choose_device(self.device),
            **problem,
        )

    def _warn(self) -> None:
        """Say how far the exact solver came, and what would take it further."""
        ways = [f"raise max_iter ({self.max_iter:,})"] if self.stopped_ == "max_iter" else []
        ways += ["set precision='double'"] if self.precision == "single" else []
        ways += [f"raise tol ({self.tol:g})", f"raise the penalty (λ is {self.reg_:.2g})"]
        warnings.warn(
            f"{type(self).__name__} stopped ({self.stopped_}) after {self.n_iter_:,} iterations, with "
            f"{proven_share(self.gap_ / self.objective_)}; {' or '.join(ways)}",
            ConvergenceWarning,
            stacklevel=4,
        )


@dataclass(frozen=True, eq=False)
class _Scores:
    """Rows times coefficients (D, K)."""

    coef: np.ndarray

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray]:
        return (chunk.X @ self.coef,)


class SoftmaxClassifier(_LinearClassifier):
    """Softmax regression, also called multinomial logistic regression, trained to a proven distance from its optimum.

    The objective is the weighted mean cross-entropy + λ ΣW², over one column of weights per class; the bias is free.

    Parameters: reg, λ > 0, or "scale": 0.01 x the mean variance of the features, so that their scale is of no
    consequence. C instead: the C with which scikit-learn's LogisticRegression is the same classifier,
    λ = 1 / (2 C Σw), or 1 / (C Σw) for two classes, where Σw is the sum of the weights, n without any. fit_intercept.
    prepare: what is done to the features as they are read, with no copy of X, fitted to the training examples under
    their weights: "centred", the mean is subtracted; "standardised", and each feature divided by its standard
    deviation (constant ones become 0); "normalised", and each centred row divided by its length; or None. reg and the
    objective are then of prepared features; a sparse X is taken with "centred" and "standardised", and an intercept.
    class_weight: a dict from class to weight, or "balanced": every class weighs the same. solver "exact", which stops
    when the gap is proven to be at most `tol` of the objective, or of what there is to gain over no weights where that
    is less, or after `max_iter` iterations, works in the precision of X and ends in float64 where that is needed
    ("auto"), or all in "single" or "double"; or "sgd": `max_iter` steps on 200 examples each, drawn by `random_state`,
    on the features as they are (standardise them), with a penalty on the bias too, and without a proof. device: "cpu",
    "cuda" or "auto".

    Attributes: classes_ (K,). coef_ (K, D) and intercept_ (K,); for two classes, as in scikit-learn, the difference of
    the second and the first: (1, D) and (1,), of which the objective's W holds minus and plus one half. reg_, the λ
    used. objective_ of these weights, without the bias's penalty with both solvers. gap_: the optimum lies no deeper
    than this below objective_ (NaN for "sgd"). n_iter_; stopped_, "gap", "max_iter", "stalled" or "failed".
    coef_ and intercept_ are for features as they are given, in float64 where they are prepared; preparation_, what is
    still done to X before them: None but with "normalised". n_features_in_, feature_names_in_.
    """

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability (n, K) of every class for examples X (n, D)."""
        return softmax(self._both(X), axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The natural logarithm of the probabilities, finite where they are 0: X (n, D) -> (n, K)."""
        return log_softmax(self._both(X), axis=1)

    def _both(self, X: Any) -> np.ndarray:
        """The scores (n, K), for two classes as well."""
        scores = self.decision_function(X)
        return scores if scores.ndim == 2 else np.stack([scores / -2, scores / 2], axis=1)

    def _loss(self) -> str:
        return "softmax"


class LinearSVM(_LinearClassifier):
    """Multiclass linear support vector machine, trained to a proven distance from its optimum.

    The loss of an example is Σ max(0, 1 + s_j − s_y)² over the wrong classes j ("squared_hinge"), or the same without
    the square ("hinge", with solver="sgd" only); Weston and Watkins (1999). All else is as in SoftmaxClassifier; for
    two classes, C is that of scikit-learn's LinearSVC, but for its penalty on the bias.
    """

    def __init__(
        self,
        reg: float | Literal["scale"] = "scale",
        *,
        loss: Literal["squared_hinge", "hinge"] = "squared_hinge",
        C: float | None = None,
        solver: Literal["exact", "sgd"] = "exact",
        fit_intercept: bool = True,
        prepare: Prepare = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        precision: Literal["auto", "single", "double"] = "auto",
        device: Device = "cpu",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            reg,
            C=C,
            solver=solver,
            fit_intercept=fit_intercept,
            prepare=prepare,
            class_weight=class_weight,
            tol=tol,
            max_iter=max_iter,
            precision=precision,
            device=device,
            random_state=random_state,
        )
        self.loss = loss

    def _loss(self) -> str:
        if self.loss not in ("squared_hinge", "hinge"):
            raise UsageError(f"loss is {self.loss!r}; use one of: squared_hinge, hinge")
        return self.loss
