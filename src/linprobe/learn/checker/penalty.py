"""What a function's penalty is, from two calls that differ in reg alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linprobe.learn.checker.codes import fault
from linprobe.learn.checker.trial import Given, Trial, evidence
from linprobe.learn.checker.verdict import Convention, Fault

__all__ = ["CONVENTIONS", "Pair", "convention_of", "judge_penalty"]

ROUNDING, ROUNDING_SINGLE = 1e-9, 1e-4
CONVENTIONS: dict[float, Convention] = {1.0: "full", 0.5: "half"}


Pair = tuple[Given, Given]  # the same arguments but for reg: 0, and above


def judge_penalty(trial: Trial, pairs: Sequence[Pair]) -> tuple[Convention | None, list[Fault]]:
    """The convention, None where there is none or value and gradient disagree, and what is wrong.

    pairs, of different N, C and reg: a factor that only one of them has is none.
    """
    tolerance = ROUNDING_SINGLE if trial.single else ROUNDING
    value = _common([_value(pair, tolerance) for pair in pairs], pairs)
    gradient = _common([_gradient(pair, tolerance) for pair in pairs], pairs)
    value, gradient = _as_if_finished(trial, value, gradient)
    convention = CONVENTIONS.get(value) if isinstance(value, float) and gradient == 2 * value else None
    if convention is not None:
        return convention, []
    without, given = pairs[0]
    divided = [_precedence(*pair, tolerance) for pair in pairs]
    if divided[0] is not None and len(set(divided)) == 1:
        squares = divided[0] * given.case.reg * float(np.sum(given.case.W**2))
        figures = evidence(given.case, "loss", without.value + squares, given.value)
        of_gradient = (
            []
            if gradient is None or "gradient" in trial.unfinished
            else _of_gradient(trial, pairs[0], divided[0], gradient)
        )
        return None, [fault("penalty_precedence", figures), *of_gradient]
    return None, _faults(trial, pairs[0], value, gradient)


def convention_of(trial: Trial, pairs: Sequence[Pair]) -> tuple[float | None, float | None]:
    """The factor ½ or 1 of the penalty's value, and of its gradient, each for itself; None where it is neither."""
    tolerance = ROUNDING_SINGLE if trial.single else ROUNDING
    values = {_value(pair, tolerance) for pair in pairs}
    gradients = {_gradient(pair, tolerance) for pair in pairs}
    value, gradient = (found.pop() if len(found) == 1 else None for found in (values, gradients))
    value, gradient = _as_if_finished(trial, value, gradient)
    return value if value in CONVENTIONS else None, gradient / 2 if gradient in {1.0, 2.0} else None


def _as_if_finished(trial: Trial, value: Any, gradient: Any) -> tuple[Any, Any]:
    """A part that has not been written will have the penalty that the other one asks for; none where both have none."""
    if "gradient" in trial.unfinished and gradient in {0.0, None} and value != 0.0:
        return value, (2 * value if value in {1.0, 0.5} else 2.0)
    if "loss" in trial.unfinished and value == 0.0 and gradient != 0.0:
        return (gradient / 2 if gradient in {2.0, 1.0} else 1.0), gradient
    return value, gradient


def _value(pair: Pair, tolerance: float) -> float | str | None:
    """How many times ΣW² it is, or what it is instead."""
    without, given = pair
    W, penalty = given.case.W, (given.value - without.value) / given.case.reg
    squares = np.sum(W * W)
    named = {
        "sqrt(sum(W * W))": np.sqrt(squares),
        "sum(W)": np.sum(W),
        "sum(abs(W))": np.sum(np.abs(W)),
        "bias": np.sum(W[:-1] ** 2),
        "1": np.ones(()),
    }
    for name, number in named.items():
        for factor in (1.0, 0.5):
            if abs(penalty - factor * number) <= tolerance * abs(factor * number):
                return name
    return _round(penalty / squares, tolerance)


def _gradient(pair: Pair, tolerance: float) -> float | str | None:
    """How many times W it is, or what it is instead; None where nothing is known of it."""
    without, given = pair
    W, penalty = given.case.W, (given.gradient - without.gradient) / given.case.reg
    slack = tolerance * (float(np.max(np.abs(penalty))) + 1e-2)
    if np.ptp(penalty) <= slack and np.abs(penalty).max() > slack:
        return "scalar"
    squared = float(np.sum(penalty * W * W) / np.sum(W**4))
    if squared and np.abs(penalty - squared * W * W).max() <= slack:
        return "squared"
    for name, rows in (("all", W), ("bias", np.vstack([W[:-1], np.zeros_like(W[-1:])]))):
        factor = float(np.sum(penalty * rows) / np.sum(rows * rows))
        if np.abs(penalty - factor * rows).max() <= slack:
            return _round(factor, tolerance) if name == "all" else name
    return None


def _common(found: list[float | str | None], pairs: Sequence[Pair]) -> float | str | None:
    """What every pair says: the same word, the same factor, or one that goes with N or C; else None."""
    if len(set(found)) == 1:
        return found[0]
    if not all(isinstance(one, float) for one in found):
        return None
    factors = np.array(found, dtype=float)
    for sizes in zip(*(_sizes(given).values() for _, given in pairs), strict=True):
        for power in (0.0, -1.0, 1.0):
            if np.ptp(factors / np.power(sizes, power)) <= ROUNDING_SINGLE * np.abs(factors).min():
                return float(factors[0])
    return None


def _sizes(given: Given) -> dict[str, int]:
    """What a penalty may be divided by, or counted times, by mistake."""
    (N, D), C = given.case.X.shape, given.case.W.shape[1]
    return {"N": N, "C": C, "D": D, "(D C)": D * C}


def _round(factor: float, tolerance: float) -> float:
    """A factor that is 0, ½, 1 or 2 up to rounding is that."""
    return next((number for number in (0.0, 0.5, 1.0, 2.0) if abs(factor - number) <= tolerance), float(factor))


def _precedence(without: Given, given: Given, tolerance: float) -> float | None:
    """The factor ½ or 1 with which the loss is its sum over N + λΣW²."""
    N, squares = len(given.case.y), given.case.reg * float(np.sum(given.case.W**2))
    for factor in (1.0, 0.5):
        expected = without.value * N / (N + factor * squares)
        if without.value and abs(given.value - expected) <= tolerance * abs(expected):
            return factor
    return None


def _faults(trial: Trial, pair: Pair, value: Any, gradient: Any) -> list[Fault]:
    """The faults of a penalty whose value and gradient are no pair."""
    without, given = pair
    squares = given.case.reg * float(np.sum(given.case.W**2))
    # What the one part says the other should be.
    meant = value if value in {1.0, 0.5} else gradient / 2 if gradient in {2.0, 1.0} else 1.0
    of_value = evidence(given.case, "the penalty in the loss", meant * squares, given.value - without.value)
    if value == 0.0 and gradient == 0.0:
        return [fault("penalty_missing", of_value)]
    faults = []
    if value == 0.0:
        faults.append(fault("penalty_not_in_value", of_value))
    elif value is None:
        faults.append(fault("penalty_wrong", of_value, what="the loss"))
    elif value == "bias":
        faults.append(fault("penalty_without_bias", of_value))
    elif isinstance(value, str):
        faults.append(fault("penalty_not_squared", of_value, found=value))
        return faults  # its gradient is that of something else
    elif value not in {1.0, 0.5}:
        if isinstance(gradient, float) and abs(gradient - 2 * value) <= 1e-9 * abs(value):
            both = _named(value, given)
            return [fault("penalty_scale", of_value, what="loss and gradient alike", found=both)]
        faults.append(fault("penalty_scale", of_value, what="the loss", found=_named(value / meant, given)))
    said = {one.code for one in faults} - {"penalty_scale", "penalty_wrong"}  # these name the part
    return faults + [one for one in _of_gradient(trial, pair, meant, gradient) if one.code not in said]


def _of_gradient(trial: Trial, pair: Pair, meant: float, gradient: Any) -> list[Fault]:
    """The faults of the penalty's gradient, where its value is meant to be that many times ΣW²."""
    without, given = pair
    slope = given.gradient - without.gradient
    expected = 2 * meant * given.case.reg * given.case.W
    d, c = np.unravel_index(int(np.argmax(np.abs(slope - expected))), slope.shape)
    figures = evidence(given.case, f"the penalty in {trial.entry(int(d), int(c))}", expected[d, c], slope[d, c])
    if gradient == 2 * meant:
        return []
    if gradient == 0.0:
        written = "2 * reg * W" if meant == 1 else "reg * W"
        return [fault("penalty_not_in_gradient", figures, expected=written)]
    if gradient == "scalar":
        return [fault("penalty_gradient_scalar", figures, found=f"{slope[d, c]:.6g}")]
    if gradient == "bias":
        return [fault("penalty_without_bias", figures)]
    if gradient == "squared":
        written = "2 * reg * W" if meant == 1 else "reg * W"
        return [fault("penalty_gradient_squared", figures, expected=written)]
    if gradient is None:
        return [fault("penalty_wrong", figures, what="the gradient")]
    if (meant, gradient) == (1.0, 1.0):
        return [fault("penalty_gradient_half", figures)]
    if (meant, gradient) == (0.5, 2.0):
        return [fault("penalty_gradient_double", figures)]
    found = _named(gradient / (2 * meant), given)
    return [fault("penalty_scale", figures, what="the gradient", found=found)]


def _named(factor: float, given: Given) -> str:
    """A factor by the name of what it is likely to come from."""
    for name, size in _sizes(given).items():
        for times, word in ((1.0, "1"), (0.5, "½"), (2.0, "2")):
            if np.isclose(factor, times / size, rtol=1e-6):
                return f"{word}/{name} = {factor:.6g}"
            if np.isclose(factor, times * size, rtol=1e-6):
                return f"{name if times == 1 else word + ' ' + name} = {factor:.6g}"
    return f"{factor:.6g}"
