"""What the exact solver hands over."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from linprobe.core.heads import OfHeads


@dataclass(frozen=True, eq=False)
class Optimum(OfHeads):
    """Where heads ended, with their certificate.

    W (D, K, H) in the type that it was found in, b (K, H) float64, 0 without an intercept; objective, and the gap: a
    bound of it less the lowest possible one (H,), float64; scale (H,), what the tolerance is a share of: the objective,
    or what there is to gain over no weights and the best bias, where that is less; iterations (H,): passes over the
    data; stopped (H,): "gap", within the tolerance, "stalled", rounding hides all further progress, "max_iter", or
    "failed", above where a stronger penalty on the same examples ended, where it therefore stands now.
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
        return (self.stopped == "failed") | (self.stopped != "gap") & ~(self.gap < self.objective)


UNDERWAY = "underway"  # why a head of an unfinished solve has not stopped


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A solve between two passes: in which of its phases it is, and where its heads stand, "underway" or done."""

    phase: int
    heads: Optimum

    def pack(self) -> dict[str, Any]:
        """The same as a checkpoint takes it."""
        return {"phase": self.phase, **vars(self.heads)}

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> Self:
        """What was packed."""
        return cls(packed["phase"], Optimum(**{name: packed[name] for name in packed if name != "phase"}))
