"""The penalties and learning rates that are compared where none are given, and why these.

Penalties are multiples of the features' mean variance, so that X and 255·X get the same classifier. Learning rates are
multiples of 1 / q, q the rows' mean squared length with the bias as a feature that is one: a step of gradient descent
is stable for learning rates of that order.

- One estimator, `SCALE`: 0.01 of the variance, in the logarithm about the middle of what tune and ProbeSearch compare.
- tune, `REGS` and `RATES`: on raw pixels, on digits and on embeddings of unit length the best reg lies inside, for
  softmax and squared hinge alike; that of learnt features with many examples is far down. Minibatches of raw pixels
  learn fastest far above 1 / q. Ascending, as a path is read.
- ProbeSearch, `AROUND` times the estimator's own penalty, which with `SCALE` is from 10 to 1e-6 of the variance: as far
  up as tune, and further down, where embeddings with more features than examples may have their best. The strongest
  first, because the first of settings that are as good is taken.
- The worksheet: on CIFAR-10 the grid of the published exercise, so that its results can be compared. There q is 1.2e7,
  and the grid is 1.2 to 6 over q and 0.002 to 0.004 times q. Elsewhere axes, even in the logarithm, that reach as far
  as 1,500 steps at a constant learning rate still gain from: larger learning rates, and penalties that fit data with
  little noise, as multiples of q because the bias has a penalty too. On digits the best lies inside both, near its
  optimum; no learning rate x reg is so large that the penalty alone makes a step diverge.
"""

import numpy as np

from linprobe.compare.settings import Axis
from linprobe.data.moments import moments
from linprobe.data.rows import Rows

__all__ = ["AROUND", "RATES", "REGS", "default_rates", "default_reg", "default_regs", "exercise_axes", "spread_axes"]

SCALE = 0.01
REGS, RATES = np.geomspace(1e-5, 10, 13), np.geomspace(0.1, 100, 7)
AROUND = np.geomspace(1e3, 1e-4, 10)
SPREAD_RATES, SPREAD_REGS = np.geomspace(0.3, 300, 10), np.geomspace(1e-7, 3e-3, 10)


def default_reg(variance: float) -> float:
    """λ of one estimator for features of this mean variance; where nothing varies, any does."""
    return SCALE * variance or SCALE


def default_regs(X: np.ndarray | Rows) -> np.ndarray:
    """The values of reg that tune compares on rows X (n, D)."""
    variance = float(moments(X)[1].mean())
    return _rounded(REGS * (variance if variance > 0 else 1.0))  # where nothing varies, any reg does


def default_rates(X: np.ndarray | Rows) -> np.ndarray:
    """The learning rates that tune compares on rows X (n, D)."""
    return _rounded(RATES / _square(X))


def exercise_axes() -> tuple[Axis, Axis]:
    """The published exercise's learning rates and regs, for the centred pixels of CIFAR-10."""
    return Axis(np.linspace(1e-7, 5e-7, 10), ranged=True), Axis(np.linspace(2.5e4, 5e4, 10), ranged=True)


def spread_axes(X: np.ndarray | Rows) -> tuple[Axis, Axis]:
    """The worksheet's learning rates and regs for any other rows X (n, D)."""
    q = _square(X)
    rates, regs = _rounded(SPREAD_RATES / q), _rounded(SPREAD_REGS * q)
    return Axis(rates, ranged=True, log=True), Axis(regs, ranged=True, log=True)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Three digits are all that a derived value deserves, and they can be typed again."""
    return np.array([float(f"{value:.2e}") for value in values])


def _square(X: np.ndarray | Rows) -> float:
    """The mean squared length of rows X (n, D), with the bias as a feature that is one."""
    mean, variance = moments(X)
    return float(variance.sum() + mean @ mean) + 1
