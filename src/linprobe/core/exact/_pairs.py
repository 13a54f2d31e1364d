"""The last steps of heads, and what each did to the gradient: what L-BFGS knows of the curvature."""

from collections.abc import Callable

import numpy as np

from linprobe.core.backend import Array, device_of, move, namespace, to_numpy
from linprobe.core.heads import inner, total

__all__ = ["PAIRS", "Pairs"]

PAIRS = 10  # steps remembered; 20 and 40 took no fewer passes on CIFAR-10
LEAST = 1e-300  # of a curvature along a step

Metric = Callable[[Array, Array], tuple[Array, Array]]


class Pairs:
    """A step of a head is a vector of N = (D + 1) K numbers, the shift of the scores last; so is a change of gradient.

    steps, changes (h, PAIRS, N): heads first, so that all that is asked of a head is a product of a matrix and a
    vector; written over when there are more, and by others when heads leave, so not a frozen state. Between pairs the
    two loops of L-BFGS need no vectors but inner products, which are kept: crossed (PAIRS, PAIRS, h), of a step with
    every later change. inverse (PAIRS, h): one over the curvature along a step, 0 where it is not to be used; order:
    the places of pairs, the oldest first.
    """

    def __init__(self, like: Array, heads: int) -> None:
        """For heads shaped as like (D, K, h), in its type and on its device."""
        xp, (D, K, _) = namespace(like), like.shape
        self.steps, self.changes = (
            xp.empty((heads, PAIRS, (D + 1) * K), dtype=like.dtype, device=like.device) for _ in range(2)
        )
        self.crossed, self.inverse = np.zeros((PAIRS, PAIRS, heads)), np.zeros((PAIRS, heads))
        self.order: list[int] = []

    def add(self, step: tuple[Array, Array], change: tuple[Array, Array], sound: np.ndarray) -> None:
        """A step in the weights (D, K, h) and in the shift (K, h), what it changed of both gradients, and for which
        heads (h,) that says something of the curvature.
        """
        place = len(self.order) if len(self.order) < PAIRS else self.order.pop(0)
        _put(self.steps, place, *step)
        _put(self.changes, place, *change)
        curvature = to_numpy(inner(step[0], change[0]) + total(step[1] * change[1]))
        sound = sound & (curvature > LEAST)
        self.inverse[place] = np.where(sound, 1 / np.where(sound, curvature, 1.0), 0.0)
        self.order.append(place)
        known = len(self.order)
        self.crossed[:known, place] = _inners(self.steps[:, :known], self.changes[:, place])

    def forget(self, heads: np.ndarray) -> None:
        """Use nothing more of what is known of these (h,)."""
        self.inverse[:, heads] = 0

    def narrow(self, stays: np.ndarray) -> None:
        """Go on with the heads that stay (h,), in the same memory."""
        kept = np.flatnonzero(stays)
        for new, old in enumerate(kept.tolist()):
            if new != old:
                self.steps[new], self.changes[new] = self.steps[old], self.changes[old]
        self.steps, self.changes = self.steps[: len(kept)], self.changes[: len(kept)]
        self.crossed, self.inverse = self.crossed[..., stays], self.inverse[:, stays]

    def solve(self, gradient: Array, bias_gradient: Array, metric: Metric) -> tuple[Array, Array]:
        """The inverse curvature times a gradient, (D, K, h) and (K, h), by the metric where nothing is known.

        Nocedal and Wright (2006), algorithm 7.4.
        """
        known, shape = len(self.order), gradient.shape
        if not known:
            return metric(gradient, bias_gradient)
        forth = np.zeros((known, shape[2]))
        q = _flat(gradient, bias_gradient, self.steps)
        along = _inners(self.steps[:, :known], q)
        for place in reversed(self.order):
            forth[place] = self.inverse[place] * (along[place] - (forth * self.crossed[place, :known]).sum(axis=0))
        q -= _combined(self.changes[:, :known], forth)
        q = _flat(*metric(*_shaped(q, shape, bias_gradient)), self.steps)
        along = _inners(self.changes[:, :known], q)
        back = np.zeros_like(forth)
        for place in self.order:
            ahead = along[place] + (back * self.crossed[:known, place]).sum(axis=0)
            back[place] = forth[place] - self.inverse[place] * ahead
        q += _combined(self.steps[:, :known], back)
        return _shaped(q, shape, bias_gradient)


def _put(into: Array, place: int, weights: Array, shift: Array) -> None:
    """Weights (D, K, h) and shift (K, h) into a place of (h, PAIRS, N)."""
    K, h = shift.shape
    into[:, place, :-K], into[:, place, -K:] = weights.reshape(-1, h).T, shift.T


def _flat(weights: Array, shift: Array, like: Array) -> Array:
    """The same as vectors (h, N), in the type of `like`."""
    xp, (K, h) = namespace(like), shift.shape
    found = xp.empty((h, like.shape[2]), dtype=like.dtype, device=like.device)
    found[:, :-K], found[:, -K:] = weights.reshape(-1, h).T, shift.T
    return found


def _shaped(flat: Array, shape: tuple[int, ...], shift: Array) -> tuple[Array, Array]:
    """Vectors (h, N) as weights (D, K, h) and as a shift (K, h) of the type of another."""
    xp, K = namespace(flat), shape[1]
    weights = xp.asarray(flat[:, :-K].T, copy=True).reshape(shape)
    return weights, xp.astype(xp.asarray(flat[:, -K:].T, copy=True), shift.dtype)


def _inners(many: Array, one: Array) -> np.ndarray:
    """Inner products of each head: (h, m, N), (h, N) -> (m, h)."""
    xp, m = namespace(many), many.shape[1]
    if device_of(many) != "numpy":  # whose products may round their factors, to TF32
        return to_numpy(xp.stack([xp.sum(many[:, place] * one, axis=1, dtype=xp.float64) for place in range(m)]))
    return np.matmul(many, one[:, :, None])[..., 0].T.astype(np.float64)


def _combined(many: Array, shares: np.ndarray) -> Array:
    """Σ of m vectors of each head: (h, m, N), shares (m, h) -> (h, N)."""
    xp, m = namespace(many), many.shape[1]
    taken = xp.astype(move(np.ascontiguousarray(shares.T), device_of(many)), many.dtype)
    if device_of(many) != "numpy":
        return sum(taken[:, place, None] * many[:, place] for place in range(m))
    return np.matmul(taken[:, None], many)[:, 0]
