"""The right answer in float64, and how far from it rounding alone may take a function that is right."""

import functools
from dataclasses import dataclass

import numpy as np

from linprobe.learn.checker.cases import Case
from linprobe.learn.checker.verdict import Loss
from linprobe.learn.loops import LOOPS

__all__ = ["DOUBLE", "SINGLE", "Answer", "answer", "tolerances", "value_with_added"]

DOUBLE = float(np.finfo(np.float64).eps) / 2
SINGLE = float(np.finfo(np.float32).eps) / 2
# Roundings differ with the order of the operations; the bounds below are those of one order.
ORDERS = 4


@dataclass(frozen=True, eq=False)
class Answer:
    """The mean loss over the examples and its gradient dW (D, C), without a penalty; ΣW² and W go with λ."""

    value: float
    gradient: np.ndarray
    squares: float
    weights: np.ndarray

    def with_penalty(self, value_factor: float, gradient_factor: float) -> tuple[float, np.ndarray]:
        """Value and gradient, with that many times ΣW² and W added."""
        return self.value + value_factor * self.squares, self.gradient + gradient_factor * self.weights


@functools.lru_cache(maxsize=128)
def answer(case: Case, loss: Loss) -> Answer:
    """The right answer, by the loops that the package's own losses are compared with."""
    value, gradient = LOOPS[loss](case.W, case.X, case.y, 0.0)
    return Answer(value, gradient, float(np.sum(case.W * case.W)), case.W)


@functools.lru_cache(maxsize=256)
def tolerances(case: Case, loss: Loss, unit: float = DOUBLE) -> tuple[float, np.ndarray]:
    """The largest rounding error of the value, and of each row of dW (D, 1), with that unit roundoff u.

    A score is a sum of D products, off by at most (D + 1) u Σ|x||w| =: σ (Higham, Accuracy and Stability, eq. 3.5).
    Both losses change by at most 2 C σ with it (softmax: 2 σ); exp(s) is off by |s| u relative, a sum of C or N terms
    by C u or N u, and a few more operations by 8 u. An entry of dW is the mean of X[i, d] times a slope, of at most 1
    for softmax and C for the hinge, whose relative error is that of the probabilities. The penalty is a sum of D C
    squares.
    """
    (N, D), C = case.X.shape, case.W.shape[1]
    scores = np.abs(case.X) @ np.abs(case.W)
    sigma = (D + 1) * unit * float(scores.max())
    steepest = 1 if loss == "softmax" else C
    value, penalty = answer(case, loss).value, case.reg * answer(case, loss).squares
    largest = float(np.abs(case.X @ case.W).max())
    sums = (largest + N + C + 8) * unit
    of_value = 2 * steepest * sigma + sums * max(1.0, value) + (D * C + 4) * unit * penalty
    of_slope = (2 * sigma + sums) * steepest
    per_row = (
        of_slope * np.abs(case.X).mean(axis=0)[:, None] + 4 * unit * case.reg * np.abs(case.W).max(axis=1)[:, None]
    )
    return ORDERS * of_value, ORDERS * per_row


def value_with_added(case: Case, eps: float) -> float:
    """The mean of -log(p + eps), p the probability of the true class."""
    scores = case.X @ case.W
    shifted = scores - scores.max(axis=1, keepdims=True)
    p = np.exp(shifted[np.arange(len(case.y)), case.y]) / np.exp(shifted).sum(axis=1)
    return float(-np.log(p + eps).mean())
