"""The exercise's own checks, in float64: the first loss, the gradient, and the loops against the matrix form."""

import numpy as np

from linprobe.core.losses import find_loss
from linprobe.core.objective import loss_and_gradient
from linprobe.learn.gradient_check import check_gradient
from linprobe.learn.loops import LOOPS
from linprobe.results import CheckedCoordinate, FirstLoss, GradientChecks, Vectorized
from linprobe.results.timing import timed

__all__ = ["TAUGHT", "first_loss", "gradient_check", "vectorized"]

TAUGHT = ("softmax", "hinge")  # the losses of the exercise


def first_loss(W: np.ndarray, X: np.ndarray, y: np.ndarray, loss: str) -> FirstLoss:
    """The looped loss at W (D, K) on X (n, D), and what weights this small let expect."""
    naive, _ = LOOPS[loss](W, X, y, 0.0)
    return FirstLoss(naive=float(naive), expected=find_loss(loss).at_equal_scores(W.shape[1]))


def gradient_check(
    W: np.ndarray, X: np.ndarray, y: np.ndarray, loss: str, generator: np.random.Generator
) -> GradientChecks:
    """The loops' gradient at ten coordinates each, without and with a penalty, against central differences."""
    checks = []
    for reg in (0.0, 50.0):
        _, gradient = LOOPS[loss](W, X, y, reg)
        # The matrix form is the function that is differenced and the loops give the gradient: a fault in either shows.
        check = check_gradient(
            lambda weights, reg=reg: loss_and_gradient(weights, X, y, reg, loss)[0],
            W,
            gradient,
            checks=10,
            h="auto",
            rng=generator,
        )
        for place, numerical, analytic, error in zip(
            check.coordinates, check.numerical, check.analytic, check.relative_error, strict=True
        ):
            checks.append(
                CheckedCoordinate(
                    reg=reg,
                    coordinate=tuple(int(index) for index in place),
                    numerical=float(numerical),
                    analytic=float(analytic),
                    relative_error=float(error),
                )
            )
    return GradientChecks(max_relative_error=max(check.relative_error for check in checks), checks=tuple(checks))


def vectorized(W: np.ndarray, X: np.ndarray, y: np.ndarray, loss: str) -> Vectorized:
    """Loss and gradient by loops and in matrix form: how much they differ, and how long they take, in seconds."""
    reg = 5e-6
    (naive, naive_gradient), naive_seconds = timed(lambda: LOOPS[loss](W, X, y, reg))
    runs = [timed(lambda: loss_and_gradient(W, X, y, reg, loss)) for _ in range(5)]
    (value, gradient), _ = runs[0]
    return Vectorized(
        naive_seconds=naive_seconds,
        # The least disturbed run: when other programs hold the cores, the threads of a product wait for each other.
        seconds=min(seconds for _, seconds in runs),
        naive=float(naive),
        loss=float(value),
        loss_difference=abs(float(naive) - float(value)),
        gradient_difference=float(np.linalg.norm(naive_gradient - gradient)),
    )
