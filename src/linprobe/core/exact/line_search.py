"""How far to go along a direction, for heads that search at the same time: one trial a pass."""

import numpy as np

# Wolfe's conditions, and Hager and Zhang's (2005) approximate one where rounding hides the first.
SUFFICIENT, FLAT, RISING = 1e-4, 0.9, 0.8

TRIES = 12  # other lengths in a row before a direction is given up


class LineSearch:
    """The step lengths that heads try next (h,), and what each knows of where the right one lies."""

    def __init__(self, heads: int) -> None:
        self.length, self.low, self.high = np.ones(heads), np.zeros(heads), np.full(heads, np.inf)
        self.tries = np.zeros(heads, int)

    def accepts(
        self, objective: np.ndarray, slope: np.ndarray, found: np.ndarray, found_slope: np.ndarray, noise: float
    ) -> np.ndarray:
        """Whether what was found at the trial lengths will do (h,), given objective and slope at the start.

        noise: rounding of the objective, as a share of it.
        """
        lower = found <= objective + SUFFICIENT * self.length * slope
        level = (found <= objective + noise * np.abs(objective)) & (found_slope <= RISING * np.abs(slope))
        return (lower | level) & (found_slope >= FLAT * slope)

    def shorten(
        self, which: np.ndarray, objective: np.ndarray, slope: np.ndarray, found: np.ndarray, found_slope: np.ndarray
    ) -> np.ndarray:
        """Choose another length for these heads (h,) -> those that have tried too often (h,)."""
        far = ~np.isfinite(found) | ~np.isfinite(found_slope)
        far |= (found > objective + SUFFICIENT * self.length * slope) | (found_slope > 0)
        self.high = np.where(which & far, self.length, self.high)
        self.low = np.where(which & ~far, self.length, self.low)
        bounded = np.isfinite(self.high)
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = self.length * slope / (slope - found_slope)
            # The lowest point of a parabola through both ends: far below the middle where the step was far too long.
            parabola = -slope * self.length**2 / (2 * (found - objective - slope * self.length))
            width = np.where(bounded, self.high, 4 * self.length) - self.low
            parabola = np.clip(parabola, self.low + 0.1 * width, self.low + 0.5 * width)
            middle = np.where(
                bounded, np.where(np.isfinite(parabola), parabola, self.low + 0.5 * width), 2 * self.length
            )
            inside = (secant > self.low + 0.1 * width) & (secant < self.low + 0.9 * width)
        self.length = np.where(which, np.where(inside, secant, middle), self.length)
        self.tries = np.where(which, self.tries + 1, self.tries)
        return which & (self.tries > TRIES)

    def restart(self, which: np.ndarray) -> None:
        """Begin anew for these heads (h,)."""
        self.length, self.low = np.where(which, 1.0, self.length), np.where(which, 0.0, self.low)
        self.high, self.tries = np.where(which, np.inf, self.high), np.where(which, 0, self.tries)

    def keep(self, stays: np.ndarray) -> None:
        """Forget all but these heads (h,)."""
        for name in ("length", "low", "high", "tries"):
            setattr(self, name, getattr(self, name)[stays])
