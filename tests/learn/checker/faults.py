"""Small faults to put into a right loss function, drawn at random, and rewritings that leave it right."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

Function = Callable[..., Any]
Share = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a right function gave, dW (D, C) whatever its layout, and how to ask it for the share of some examples."""

    loss: float
    gradient: np.ndarray
    W: np.ndarray
    y: np.ndarray
    reg: float
    share: Share

    @property
    def count(self) -> int:
        return len(self.y)

    def every(self, k: int) -> np.ndarray:
        return np.arange(self.count) % k == 0


@dataclass(frozen=True)
class Drawn:
    """One fault: of the value or of the gradient, of relative size, at a place."""

    kind: str
    of_value: bool
    size: float
    k: int
    power: float

    def __call__(self, answer: Answer) -> tuple[float, np.ndarray]:
        loss, gradient = KINDS[self.kind](answer, self)
        return (loss, answer.gradient) if self.of_value else (answer.loss, gradient)


def _whole(a: Answer, f: Drawn):
    return a.loss * (1 + f.size), a.gradient * (1 + f.size)


def _entry(a: Answer, f: Drawn):
    D, C = a.gradient.shape
    changed = a.gradient.copy()
    changed[f.k % D, (f.k // 2) % C] *= 1 + f.size
    return a.loss * (1 + f.size), changed


def _row(a: Answer, f: Drawn):
    changed = a.gradient.copy()
    changed[f.k % len(changed)] *= 1 + f.size
    return a.loss * (1 + f.size), changed


def _column(a: Answer, f: Drawn):
    changed = a.gradient.copy()
    changed[:, f.k % changed.shape[1]] *= 1 + f.size
    return a.loss * (1 + f.size), changed


def _examples(chosen: Callable[[Answer, Drawn], np.ndarray]):
    def of_these(a: Answer, f: Drawn):
        loss, gradient = a.share(chosen(a, f))
        return a.loss + f.size * loss, a.gradient + f.size * gradient

    return of_these


def _only_if(condition: Callable[[Answer], bool]):
    return lambda a, f: _whole(a, f) if condition(a) else (a.loss, a.gradient)


def _penalty_factor(a: Answer, f: Drawn):
    return a.loss + f.size * a.reg * np.sum(a.W**2), a.gradient + f.size * a.reg * 2 * a.W


def _penalty_power(a: Answer, f: Drawn):
    of_value = np.sum(np.abs(a.W) ** f.power) - np.sum(a.W**2)
    of_gradient = np.sign(a.W) * np.abs(a.W) ** (f.power - 1) - a.W
    return a.loss + a.reg * of_value, a.gradient + 2 * a.reg * of_gradient


def _reg_power(a: Answer, f: Drawn):
    more = a.reg**f.power / a.reg**2 - 1 if a.reg else 0.0
    return a.loss + more * a.reg * np.sum(a.W**2), a.gradient + more * a.reg * 2 * a.W


def _offset(a: Answer, f: Drawn):
    return a.loss + f.size, a.gradient + f.size


def _swapped(a: Answer, f: Drawn):
    changed = a.gradient.copy()
    C = changed.shape[1]
    one, other = f.k % C, (f.k + 1) % C
    changed[:, [one, other]] = changed[:, [other, one]]
    return a.loss * (1 + f.size), changed


def _rounded(a: Answer, f: Drawn):
    return round(a.loss, 4), np.round(a.gradient, 4)


def _half_precision(a: Answer, f: Drawn):
    return float(np.float16(a.loss)), a.gradient.astype(np.float16).astype(float)


KINDS: dict[str, Callable[[Answer, Drawn], tuple[float, np.ndarray]]] = {
    "a factor": _whole,
    "a factor on one entry": _entry,
    "a factor on one feature": _row,
    "a factor on one class": _column,
    "a factor on the examples of one label": _examples(lambda a, f: a.y == f.k % a.W.shape[1]),
    "a factor on every k-th example": _examples(lambda a, f: a.every(2 + f.k)),
    "a factor on the first example": _examples(lambda a, _: np.arange(a.count) == 0),
    "a factor where N is odd": _only_if(lambda a: a.count % 2 == 1),
    "a factor where N is even": _only_if(lambda a: a.count % 2 == 0),
    "a factor where N > 100": _only_if(lambda a: a.count > 100),
    "a factor where C is 10": _only_if(lambda a: a.W.shape[1] == 10),
    "a constant": _offset,
    "a factor on the penalty": _penalty_factor,
    "another power in the penalty": _penalty_power,
    "a power of reg": _reg_power,
    "two classes swapped": _swapped,
    "the last example dropped": _examples(lambda a, _: np.arange(a.count) == a.count - 1),
    "four digits": _rounded,
    "half precision": _half_precision,
}
SIZED_ONE = {"the last example dropped"}  # the whole of it is the fault

drawn_faults = st.builds(
    lambda kind, of_value, exponent, sign, k, power: Drawn(
        kind, of_value, -1.0 if kind in SIZED_ONE else sign * 10.0**-exponent, k, power
    ),
    kind=st.sampled_from(sorted(KINDS)),
    of_value=st.booleans(),
    exponent=st.floats(0.3, 6),
    sign=st.sampled_from([1, -1]),
    k=st.integers(0, 4),
    power=st.sampled_from([1.0, 1.5, 1.999, 2.001, 3.0, 4.0]),
)


def with_fault(f: Function, layout: str, fault: Drawn) -> Function:
    """f with the fault in it."""

    def faulty(W, X, y, reg):
        def share(chosen: np.ndarray) -> tuple[float, np.ndarray]:
            if not chosen.any():
                return 0.0, np.zeros(W.shape if layout == "DC" else W.T.shape)
            part = X[chosen] if layout == "DC" else X[:, chosen]
            loss, dW = f(W, part, y[chosen], 0.0)
            scale = np.count_nonzero(chosen) / len(y)
            return loss * scale, (dW if layout == "DC" else dW.T) * scale

        loss, dW = f(W, X, y, reg)
        weights, gradient = (W, dW) if layout == "DC" else (W.T, dW.T)
        loss, gradient = fault(Answer(float(loss), gradient, weights, y, reg, share))
        return loss, gradient if layout == "DC" else gradient.T

    return faulty


def permuted(f: Function, layout: str, seed: int) -> Function:
    """The examples in another order."""

    def rewritten(W, X, y, reg):
        order = np.random.default_rng(seed).permutation(len(y))
        return f(W, X[order] if layout == "DC" else X[:, order], y[order], reg)

    return rewritten


def in_parts(f: Function, layout: str, seed: int) -> Function:
    """The mean of what two parts of the batch give."""

    def rewritten(W, X, y, reg):
        cut = 1 + seed % len(y)
        loss, dW = 0.0, 0.0
        for part in (slice(0, cut), slice(cut, len(y))):
            if part.start < part.stop:
                one, gradient = f(W, X[part] if layout == "DC" else X[:, part], y[part], reg)
                share = (part.stop - part.start) / len(y)
                loss, dW = loss + share * one, dW + share * gradient
        return loss, dW

    return rewritten


def summed_exactly(f: Function, layout: str, seed: int) -> Function:
    """Each example by itself, and their losses summed without rounding, their gradients with Kahan's correction."""

    def rewritten(W, X, y, reg):
        if len(y) * W.size > 10_000:  # the exercise's own size would take minutes
            return f(W, X, y, reg)
        losses, total, lost = [], np.zeros(W.shape), np.zeros(W.shape)
        for i in range(len(y)):
            x = X[i : i + 1] if layout == "DC" else X[:, i : i + 1]
            loss, dW = f(W, x, y[i : i + 1], reg)
            losses.append(np.asarray(loss).item())
            term = np.asarray(dW) - lost
            grown = total + term
            total, lost = grown, (grown - total) - term
        return math.fsum(losses) / len(y), total / len(y)

    return rewritten


def widened(f: Function, layout: str, seed: int) -> Function:
    """All arithmetic in extended precision."""

    def rewritten(W, X, y, reg):
        loss, dW = f(W.astype(np.longdouble), X.astype(np.longdouble), y, reg)
        return float(np.asarray(loss).item()), np.asarray(dW).astype(np.float64)

    return rewritten


REWRITINGS = {"permuted": permuted, "in parts": in_parts, "summed exactly": summed_exactly, "widened": widened}
