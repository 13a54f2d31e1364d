"""What was compared: the settings, how each of them ended on every split, and how it did on what it did not see."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property

import numpy as np

from linprobe.compare.choose import Choice, choose
from linprobe.compare.settings import Axis
from linprobe.core.sgd.plan import Plan

__all__ = ["Comparison", "Curves", "Fits", "scored"]

# Of the reasons why splits ended, the first that there is.
WORST = ("diverged", "failed", "stalled", "max_iter", "search", "contender")


@dataclass(frozen=True, eq=False)
class Fits:
    """How every setting ended on the examples that each split trains on: arrays (G, F), None for what is not known.

    objective: NaN if it diverged; stopped: why it ended; scores on these examples. gap: a proven bound of the objective
    less the lowest possible one; iterations: passes over the data; failed: nothing is proven of it, and its weights may
    not be its own.
    """

    _: KW_ONLY
    objective: np.ndarray
    stopped: np.ndarray
    scores: np.ndarray | None = None
    gap: np.ndarray | None = None
    iterations: np.ndarray | None = None
    failed: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Curves:
    """Objectives (R, G) on the batches of the iterations `steps` (R,)."""

    steps: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    objective: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Settings (G) and how they did on the splits (F) that none of them was trained on.

    settings: the values (G,) of each by name; kind (G,): whatever else tells them apart, as numbers, all alike unless
    given. scores (G, F), the higher the better, NaN where there is none; losses (G, F), or None; accuracies
    (G, F), where they are not the scores; fits, on the examples
    trained on. shares (F,): what each split counts in mean scores and losses, all the same unless given. axes: those of
    the whole space that the settings were taken from, if they are not all of it; drawn: at random, from the ranges
    among the axes. W (D, K), b (K,): weights of the best setting, if there is one split. plan: the stacks.

    What has no split among its axes is the mean over them (G,): a mean gap bounds the mean objective.
    """

    settings: Mapping[str, np.ndarray]
    scores: np.ndarray
    fits: Fits
    _: KW_ONLY
    losses: np.ndarray | None = None
    accuracies: np.ndarray | None = None
    shares: np.ndarray | None = None
    kind: np.ndarray | None = None
    axes: Mapping[str, Axis] = field(default_factory=dict)
    drawn: bool = False
    W: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    b: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    curves: Curves = field(default_factory=Curves)
    plan: Plan = field(default_factory=lambda: Plan(stacks=(), bytes=0, held=0, width=0))

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def choice(self) -> Choice:
        """The setting to take."""
        return choose(self)

    @property
    def best(self) -> int:
        """The number of the setting to take."""
        return self.choice.best

    @property
    def score(self) -> np.ndarray:
        """The mean score (G,), over the splits on which any setting has one."""
        if self.shares is not None:
            return self.scores @ self.shares
        known = scored(self.scores)
        return known.mean(axis=1) if known.size else np.full(len(self), np.nan)

    @property
    def accuracy(self) -> np.ndarray:
        """The mean accuracy (G,): the score, unless that is another metric."""
        return self.score if self.accuracies is None else replace(self, scores=self.accuracies, accuracies=None).score

    @property
    def loss(self) -> np.ndarray:
        """The mean loss (G,), NaN where none is known."""
        if self.losses is None or self.shares is None:
            return _mean(self.losses, len(self))
        return self.losses @ self.shares

    @property
    def train_score(self) -> np.ndarray:
        """The mean score (G,) on the examples trained on."""
        return _mean(self.fits.scores, len(self))

    @property
    def objective(self) -> np.ndarray:
        """The mean objective (G,) on the examples trained on."""
        return _mean(self.fits.objective, len(self))

    @property
    def gap(self) -> np.ndarray:
        """The mean proven gap (G,), NaN where nothing is known."""
        return _mean(self.fits.gap, len(self))

    @property
    def iterations(self) -> np.ndarray | None:
        """The most iterations (G,) on any split, or None."""
        return None if self.fits.iterations is None else self.fits.iterations.max(axis=1)

    @property
    def stopped(self) -> np.ndarray:
        """Why each setting ended (G,): of several splits, the worst reason."""
        if self.fits.stopped.shape[1] == 1:
            return self.fits.stopped[:, 0]
        return np.array([next((word for word in WORST if word in reasons), "gap") for reasons in self.fits.stopped])

    @property
    def failed(self) -> np.ndarray:
        """The settings (G,) of which a fit failed on any split."""
        failed = self.fits.failed
        return np.zeros(len(self), bool) if failed is None else np.logical_or.reduce(failed, axis=1)

    def alike(self, setting: int, but: str) -> np.ndarray:
        """Which settings (G,) differ from one of them along one axis at most."""
        columns = [values for name, values in self.settings.items() if name != but]
        if self.kind is not None:
            columns.append(self.kind)
        same = [np.ones(len(self), bool), *(values == values[setting] for values in columns)]
        return np.logical_and.reduce(same)

    def setting(self, number: int) -> dict[str, float]:
        """One of the settings by their names."""
        return {name: values[number].item() for name, values in self.settings.items()}


def scored(scores: np.ndarray) -> np.ndarray:
    """Scores (G, F) without the splits on which no setting has one: those tell nothing about the settings."""
    return scores[:, ~np.isnan(scores).all(axis=0)]


def _mean(values: np.ndarray | None, settings: int) -> np.ndarray:
    return np.full(settings, np.nan) if values is None else values.mean(axis=1)
