"""Central differences against an analytic gradient, at random coordinates."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from linprobe.errors import UsageError

__all__ = ["Function", "GradientCheck", "Step", "check_gradient"]

Function = Callable[[np.ndarray], float]
Step = float | Literal["auto"]

EPSILON = float(np.finfo(np.float64).eps)
ZERO = 2**10 * EPSILON  # entries of a gradient below this part of its largest one are zero up to rounding

# The steps that "auto" chooses from, times max(1, |x|): 2⁻⁴ to 2⁻³² (2e-10), each a quarter of the one before. It
# starts at 2⁻¹⁴ (6e-5): with pixels of size 60 as features the softmax loss has settled one or two steps from there.
STEPS = [2.0**-k for k in range(4, 33, 2)]
START = STEPS.index(2.0**-14)
GOOD_ENOUGH = 1e-8  # relative: a hundredth of what a gradient check asks for


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """What a gradient check found, an entry per coordinate; `coordinates` (checks, axes) are indices into x."""

    coordinates: np.ndarray
    numerical: np.ndarray
    analytic: np.ndarray
    relative_error: np.ndarray

    @property
    def max_relative_error(self) -> float:
        """The largest relative error; NaN when one of them is."""
        return float(np.max(self.relative_error))


def check_gradient(
    f: Function, x: np.ndarray, gradient: np.ndarray, *, checks: int = 10, h: Step = 1e-5, rng: np.random.Generator
) -> GradientCheck:
    """Compare a gradient with central differences (f(x + h) - f(x - h)) / 2h at random coordinates.

    f, a function of an array like x; x, float64, changed in place for each call of f and restored bit for bit, also
    when f raises; gradient, shaped like x; checks, the number of coordinates, all different (all of x when it has
    fewer); h, the step, or "auto" for a step per coordinate (`_settled_slope`), which steps around the kinks of the
    hinge and is right to more digits, for 4 to 30 calls of f a coordinate (5 to 7 on the worksheet's data) not 2.
    Relative error: |a - n| / (|a| + |n|); 0 where both are 0, exactly or up to rounding: beside the largest value of
    the gradient, or the numerical one as a difference of two values of f. NaN where either is not finite.
    Raises UsageError for an x that is empty, read-only or not float64 (a difference of float32 values has no digits
    left to compare), a gradient of another shape, checks or h not above 0.
    """
    _check_arguments(x, gradient, checks, h)
    chosen = rng.choice(x.size, size=min(checks, x.size), replace=False)
    coordinates = np.stack(np.unravel_index(chosen, x.shape), axis=1)
    if isinstance(h, str):
        at_x = float(f(x))
        slopes = [_settled_slope(f, x, tuple(coordinate), at_x) for coordinate in coordinates]
    else:
        slopes = [_slope(f, x, tuple(coordinate), h) for coordinate in coordinates]
    numerical = np.array([slope.central for slope in slopes])
    rounding = np.array([slope.rounding for slope in slopes])
    analytic = np.asarray(gradient, dtype=np.float64)[tuple(coordinates.T)]
    magnitude = np.abs(analytic) + np.abs(numerical)
    nothing = ZERO * np.max(np.abs(gradient))
    # f may be a sum over many examples, whose roundings add up to more than that of its value.
    zero = (np.abs(analytic) <= nothing) & (np.abs(numerical) <= np.maximum(rounding, nothing))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative_error = np.where(zero, 0.0, np.abs(analytic - numerical) / magnitude)
    return GradientCheck(coordinates, numerical, analytic, relative_error)


@dataclass(frozen=True)
class _Slope:
    """A central difference at one coordinate, and how far rounding the two values of f may have moved it."""

    central: float
    rounding: float
    step: float
    value_above: float
    value_below: float

    def gap(self, at_x: float) -> float:
        """Slope to the right minus slope to the left, by the value of f between them."""
        return (self.value_above - 2 * at_x + self.value_below) / self.step


def _slope(f: Function, x: np.ndarray, coordinate: tuple[int, ...], h: float) -> _Slope:
    """Central difference over the distance that x really moved, which rounding makes differ from 2 h."""
    kept = x[coordinate]
    try:
        x[coordinate] = kept + h
        above, value_above = float(x[coordinate]), float(f(x))
        x[coordinate] = kept - h
        below, value_below = float(x[coordinate]), float(f(x))
    finally:
        x[coordinate] = kept
    width = above - below
    if width == 0:
        raise UsageError(f"h is {h:g}, which adds nothing to an entry of {float(kept):g}; use a larger h, or 'auto'")
    rounding = 4 * EPSILON * max(abs(value_above), abs(value_below)) / width
    return _Slope((value_above - value_below) / width, rounding, width / 2, value_above, value_below)


def _settled_slope(f: Function, x: np.ndarray, coordinate: tuple[int, ...], at_x: float) -> _Slope:
    """The slope on which central differences of neighbouring steps agree best, free of their error in h².

    Two steps b = a/4 give the slopes D(a) and D(b). Where f is smooth, D(h) = f' + h² f'''/6 + ..., so that
    D(b) + (D(b) - D(a)) / 15 has no term in h² (Richardson). Its error is judged by the sum of
    - the size of that correction, |D(b) - D(a)| / 15: really the error of D(b), so it errs on the safe side;
    - how much the gap between the slopes to the right and to the left, h f'' where f is smooth, differs from being in
      proportion to h. A kink within a of x shows here even when it is so near to x that D(a) and D(b) agree on the
      mean of the slopes to its two sides;
    - the rounding of f at b, so that two slopes that agree by chance at a tiny step win nothing.
    The first pair judged good enough is taken. Otherwise steps shrink (away from kinks and curvature) until rounding
    alone is worse than the best pair so far, then grow (away from rounding) until they no longer help.
    """
    scale = max(1.0, abs(float(x[coordinate])))
    tried: dict[int, _Slope] = {}

    def pair(k: int) -> tuple[_Slope, float]:
        for i in (k, k + 1):
            if i not in tried:
                tried[i] = _slope(f, x, coordinate, scale * STEPS[i])
        a, b = tried[k], tried[k + 1]
        correction = (b.central - a.central) / 15
        bend = abs(a.gap(at_x) * b.step / a.step - b.gap(at_x)) / 2
        return replace(b, central=b.central + correction), abs(correction) + bend + b.rounding

    best, error = pair(START)
    for k in range(START + 1, len(STEPS) - 1):
        if error <= GOOD_ENOUGH * abs(best.central):
            return best
        if 4 * tried[k].rounding >= error:
            break
        slope, its_error = pair(k)
        if its_error < error:
            best, error = slope, its_error
    for k in range(START - 1, -1, -1):
        slope, its_error = pair(k)
        if not its_error < error:
            break
        best, error = slope, its_error
    return best


def _check_arguments(x: np.ndarray, gradient: np.ndarray, checks: int, h: Step) -> None:
    """Refuse before f is called."""
    if x.dtype != np.float64:
        raise UsageError(f"x is {x.dtype}; central differences need float64: pass x.astype(np.float64)")
    if x.size == 0 or x.ndim == 0:
        raise UsageError(f"x has the shape {x.shape}; a gradient check needs an array with at least one entry")
    if not x.flags.writeable:
        raise UsageError("x is read-only, and a gradient check moves its entries; pass x.copy()")
    if np.shape(gradient) != x.shape:
        raise UsageError(f"the gradient has the shape {np.shape(gradient)}, x has {x.shape}; they must be the same")
    if checks < 1:
        raise UsageError(f"checks is {checks}; a gradient check needs at least 1 coordinate")
    if isinstance(h, str):
        if h != "auto":
            raise UsageError(f"h is {h!r}; give a step above 0, or 'auto'")
    elif not (h > 0 and math.isfinite(h)):
        raise UsageError(f"h is {h}; give a step above 0, or 'auto'")
