"""The estimators' way to Engine 1: one head by minibatch SGD, with a learning rate from the size of the features."""

import math
from dataclasses import dataclass

import numpy as np

from linprobe.core.backend import Products, is_sparse, to_numpy
from linprobe.core.exact.solver import Optimum
from linprobe.core.losses import find_loss
from linprobe.core.objective import objective_and_gradient
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.state import Start
from linprobe.core.sgd.training import StackRun
from linprobe.data.moments import moments, rows_at_once
from linprobe.data.rows import rows_of
from linprobe.data.terms import Chunk
from linprobe.errors import DivergedError, IncompatibleError
from linprobe.estimators._inputs import Features

__all__ = ["descend"]

BATCH_SIZE = 200
MOMENTUM = 0.9


def descend(
    X: Features,
    y: np.ndarray,
    reg: float,
    *,
    loss: str,
    classes: int,
    sample_weight: np.ndarray | None,
    intercept: bool,
    steps: int,
    seed: int,
    dtype: np.dtype,
    device: str,
) -> Optimum:
    """One head after so many steps of SGD, as the exact solver would hand it over, but with a gap of NaN.

    X (n, D), a matrix or Rows; y (n,) int in [0, K); sample_weight (n,) or None. Trained on a copy of X, in `dtype`,
    that is divided by one number, and centred where there is an intercept: neither changes the objective, but for the
    bias, which Engine 1 penalises with the weights, here in the units of the copy. The objective that is handed over is
    that of the exact solver. Batches of 200 in passes through shuffled data, or all examples at every step where there
    are no more; momentum 0.9, weights from zero, and a learning rate of one over the most that the gradient can change,
    which falls to 0 on a cosine. Raises IncompatibleError for a sparse X, DivergedError for weights that explode.
    """
    if is_sparse(X):
        raise IncompatibleError(
            "solver='sgd' draws rows of a dense matrix, and X is sparse; use solver='exact', or X.toarray()"
        )
    mean, variance = moments(X, sample_weight)
    spread = math.sqrt(variance.mean()) or 1.0
    centre = mean if intercept else np.zeros_like(mean)
    rows = rows_of(X)
    (of_rows,) = rows.map(_Standard(centre, spread, dtype), None, size=rows_at_once(rows))
    standard = of_rows[:]
    batch, reg_of_copy = min(BATCH_SIZE, len(X)), reg / spread**2
    square = _batch_square(standard, sample_weight, batch, intercept=intercept)
    rate = 1 / (find_loss(loss).steepest(classes) * square + 2 * reg_of_copy)
    run = StackRun(
        Data(standard, y, classes, sample_weight),
        Heads.of(rate, reg_of_copy, momentum=MOMENTUM, batch_size=batch),
        Training(
            loss,
            epochs=steps * batch / len(X),
            schedule="cosine",
            seed=seed,
            intercept="penalized" if intercept else "none",
        ),
        products=Products(device),
        start=Start(np.zeros((X.shape[1], classes, 1), dtype)),
    )
    solution = run.finish()
    if solution.stopped[0] == "diverged":
        raise DivergedError(f"SGD with the learning rate {rate:.1e} did not stay finite; use solver='exact'")
    W = to_numpy(solution.W) / spread
    b = to_numpy(solution.b) - np.einsum("d,dkh->kh", centre, W)
    W, b = W.astype(dtype), b.astype(dtype)
    objective, _, _ = objective_and_gradient(X, y, W, b, loss, np.array([reg]), sample_weight=sample_weight)
    return Optimum(W, b, objective, np.array([np.nan]), objective, np.array([steps]), solution.stopped)


def _batch_square(X: np.ndarray, sample_weight: np.ndarray | None, batch: int, *, intercept: bool) -> float:
    """About the largest weighted mean of ‖x‖² over a batch: that over all, and what the largest adds to its batch."""
    share = np.full(len(X), 1 / len(X)) if sample_weight is None else sample_weight / sample_weight.sum()
    rows = rows_of(X)
    (of_rows,) = rows.map(_SquaredNorms(intercept), None, size=rows_at_once(rows), weights=share)
    squares = of_rows[:]
    mean = float(squares.sum())
    return mean if batch == len(X) else mean + squares.max() * len(X) / batch


@dataclass(frozen=True, eq=False)
class _Standard:
    """Rows less a centre (D,), divided by a number, in a dtype."""

    centre: np.ndarray
    spread: float
    dtype: np.dtype

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray]:
        return (((chunk.X - self.centre) / self.spread).astype(self.dtype),)


@dataclass(frozen=True, eq=False)
class _SquaredNorms:
    """Weighted ‖x‖² of each row (m,), and of the one that stands for the bias."""

    intercept: bool

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray]:
        squares = np.einsum("ij,ij->i", chunk.X, chunk.X, dtype=np.float64)
        return (chunk.weights * (squares + self.intercept),)
