"""What is known of a metric, in one record, and what it found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from linprobe.core.losses import Loss
from linprobe.core.metrics.sample import Counted

__all__ = ["MetricValue", "NamedMetric"]

Values = TypeVar("Values", float, np.ndarray)


@dataclass(frozen=True)
class MetricValue:
    """A metric's value, and its 95 % interval where there is one."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class NamedMetric:
    """A number that says how good a classifier is.

    Attributes
    ----------
    name : str
        As users write it, and its key in run.json.
    label : str
        As it is shown.
    of : callable
        Of examples that are counted in R ways: its values (R,), NaN where it isn't defined.
    about : str
        What it is, in a few words.
    larger_is_better : bool
    probabilities : bool
        Whether it needs a loss that gives them.
    least_classes : int
        Below so many it says nothing.
    most_classes : int or None
        Above so many it has no interval, which would take too long.
    decimals : int
        As it is shown.
    also : tuple of str
        Other names of the same number.
    """

    name: str
    label: str
    of: Callable[[Counted], np.ndarray]
    about: str
    larger_is_better: bool = True
    probabilities: bool = False
    least_classes: int = 2
    most_classes: int | None = None
    decimals: int = 4
    also: tuple[str, ...] = ()

    def lacks(self, loss: Loss, classes: int) -> str | None:
        """Why it can't be had of classifiers that are trained with a loss, of so many classes; None where it can."""
        if self.probabilities and not loss.probabilities:
            return f"needs probabilities, and the loss {loss.name} gives scores"
        if classes < self.least_classes:
            return f"needs {self.least_classes} classes or more, and there are {classes}"
        return None

    def score(self, values: Values) -> Values:
        """The values as scores: the higher, the better."""
        return values if self.larger_is_better else -values

    def say(self, value: float) -> str:
        """A value as it is shown."""
        return f"{value:.{self.decimals}f}"
