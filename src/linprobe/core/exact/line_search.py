"""How far to go along a direction, for heads that search at the same time: one trial a pass."""

from dataclasses import dataclass

import numpy as np

from linprobe.core.heads import OfHeads

__all__ = ["TRIES", "LineSearch"]

# Wolfe's conditions, and Hager and Zhang's (2005) approximate one where rounding hides the first.
SUFFICIENT, FLAT, RISING = 1e-4, 0.9, 0.8

FURTHER = 10  # times as far, at the most, where the lowest point lies beyond a trial

TRIES = 12  # other lengths in a row before a direction is given up


@dataclass(frozen=True, eq=False)
class LineSearch(OfHeads):
    """The step lengths that heads try next (h,), and what each knows of where the right one lies.

    low and high (h,): it is between them; tries (h,): other lengths in a row.
    """

    length: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tries: np.ndarray

    @classmethod
    def begun(cls, heads: int) -> "LineSearch":
        """So many heads that try full length first."""
        return cls(np.ones(heads), np.zeros(heads), np.full(heads, np.inf), np.zeros(heads, int))

    def accepts(
        self, objective: np.ndarray, slope: np.ndarray, found: np.ndarray, found_slope: np.ndarray, noise: float
    ) -> np.ndarray:
        """Whether what was found at the trial lengths will do (h,), given objective and slope at the start.

        noise: rounding of the objective, as a share of it.
        """
        lower = found <= objective + SUFFICIENT * self.length * slope
        level = (found <= objective + noise * np.abs(objective)) & (found_slope <= RISING * np.abs(slope))
        return (lower | level) & (found_slope >= FLAT * slope)

    def lowest(self, slope: np.ndarray, found_slope: np.ndarray) -> np.ndarray:
        """Where, in full lengths, slopes at the start and at the trial lengths say that the lowest point is (h,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.length * slope / (slope - found_slope)

    def shortened(
        self, which: np.ndarray, objective: np.ndarray, slope: np.ndarray, found: np.ndarray, found_slope: np.ndarray
    ) -> tuple["LineSearch", np.ndarray]:
        """With another length for these heads (h,), and those of them that have tried too often (h,)."""
        far = ~np.isfinite(found) | ~np.isfinite(found_slope)
        far |= (found > objective + SUFFICIENT * self.length * slope) | (found_slope > 0)
        low, high = np.where(far, self.low, self.length), np.where(far, self.length, self.high)
        bounded, secant = np.isfinite(high), self.lowest(slope, found_slope)
        with np.errstate(divide="ignore", invalid="ignore"):
            # The lowest point of a parabola through both ends: far below the middle where the step was far too long.
            parabola = -slope * self.length**2 / (2 * (found - objective - slope * self.length))
            width = np.where(bounded, high, FURTHER * self.length) - low
            parabola = np.clip(parabola, low + 0.1 * width, low + 0.5 * width)
            middle = np.where(bounded, np.where(np.isfinite(parabola), parabola, low + 0.5 * width), 2 * self.length)
            inside = (secant > low + 0.1 * width) & (secant < low + 0.9 * width)
            # Where the slope has hardly changed, as where a penalty is weak, the step was far too short.
            middle = np.where(~bounded & (secant >= low + 0.9 * width), low + 0.9 * width, middle)
        other = LineSearch(np.where(inside, secant, middle), low, high, self.tries + 1)
        return other.where(which, self), which & (other.tries > TRIES)
