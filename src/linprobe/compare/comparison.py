"""What was compared: the settings, and how each of them did on every split."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from linprobe.compare.settings import Axis


@dataclass(frozen=True, eq=False)
class Comparison:
    """Settings (G) and how they did on the splits (F) that none of them was trained on.

    settings: the values (G,) of each by name; kind (G,): whatever else tells them apart, as numbers, all alike unless
    given. scores (G, F), the higher the better, NaN where there is none; losses (G, F), or None. shares (F,): what each
    split counts in the means, all the same unless given. failed (G,): nothing is proven of a fit, and its weights may
    not be its own. axes: those of the whole space that the settings were taken from, if they are not all of it; drawn:
    at random, from the ranges among the axes.
    """

    settings: Mapping[str, np.ndarray]
    scores: np.ndarray
    losses: np.ndarray | None = None
    shares: np.ndarray | None = None
    failed: np.ndarray | None = None
    kind: np.ndarray | None = None
    axes: Mapping[str, Axis] = field(default_factory=dict)
    drawn: bool = False

    @property
    def score(self) -> np.ndarray:
        """The mean score of every setting (G,)."""
        return self._mean(self.scores)

    @property
    def loss(self) -> np.ndarray | None:
        """The mean loss of every setting (G,), or None."""
        return None if self.losses is None else self._mean(self.losses)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        return values.mean(axis=1) if self.shares is None else values @ self.shares

    def alike(self, setting: int, but: str) -> np.ndarray:
        """Which settings (G,) differ from one of them along one axis at most."""
        found = np.ones(len(self.scores), bool) if self.kind is None else self.kind == self.kind[setting]
        for name, values in self.settings.items():
            if name != but:
                found &= values == values[setting]
        return found
