"""What the exact solver hands over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from linprobe.core.heads import OfHeads

__all__ = ["EXPECTED", "UNDERWAY", "Loosely", "Optimum", "Unfinished"]


@dataclass(frozen=True, eq=False)
class Optimum(OfHeads):
    """Where heads ended, with their certificate.

    W (D, K, H) in the type that it was found in, b (K, H) float64, 0 without an intercept; objective, and the gap: a
    bound of it less the lowest possible one (H,), float64; scale (H,), what the tolerance is a share of: the objective,
    or what there is to gain over no weights and the best bias, where that is less; iterations (H,): passes over the
    data; stopped (H,): "gap", within the tolerance, "stalled", rounding hides all further progress, "max_iter", or
    "failed", above where a stronger penalty on the same examples ended, where it therefore stands now; of a search
    (`Loosely`) "search" or "contender", which prove nothing.
    """

    W: np.ndarray
    b: np.ndarray
    objective: np.ndarray
    gap: np.ndarray
    scale: np.ndarray
    iterations: np.ndarray
    stopped: np.ndarray

    def within(self, tol: float) -> np.ndarray:
        """Whether heads are proven to be within a tolerance (H,)."""
        return self.gap <= tol * self.scale

    @property
    def failed(self) -> np.ndarray:
        """Heads (H,) known to be wrong: "failed", or short with no bound better than 0, which is lowest of all."""
        ended = np.isin(self.stopped, ("gap", *EXPECTED)) & np.isfinite(self.objective)
        return (self.stopped == "failed") | ~ended & ~(self.gap < self.objective)


EXPECTED = ("search", "contender")  # why heads of a search have stopped: little is expected of going on
UNDERWAY = "underway"  # why a head of an unfinished solve has not stopped


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A solve between two passes: in which of its phases it is, and where its heads stand, "underway" or done."""

    phase: int
    heads: Optimum

    def pack(self) -> dict[str, int | np.ndarray]:
        """The same as a checkpoint takes it."""
        return {"phase": self.phase, **vars(self.heads)}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What was packed."""
        return cls(packed["phase"], Optimum(**{name: packed[name] for name in packed if name != "phase"}))


@dataclass(frozen=True)
class Loosely:
    """Where a head stops that is only compared, or on its way to a proof: its next step, by the curvature that L-BFGS
    knows, gains next to nothing.

    That gain is half the square of the Newton decrement, and compared with share times the scale of the gap. The bound
    ‖∇‖²/(4λ) overstates what is left by up to the condition number, the decrement does not (Boyd and Vandenberghe,
    2004, sec. 9.5.1), but proves nothing. Early on it says little: of the passes there are at least `least`, and `many`
    unless the proven gap is within `close`, as a share, too.
    """

    share: float
    least: int = 3
    many: int = 8
    close: float = 1e-3
    name: str = "search"
