"""What run.json says of the test split: accuracy, and all other metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from linprobe.core.measure import wilson_interval
from linprobe.core.metrics import MetricValue
from linprobe.results.tables import Count, Number, Share, null

__all__ = ["Accuracy", "Measured"]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric's value, and its 95 % interval (bootstrap), null where there is none."""

    value: Number
    interval: tuple[Number, Number] | None = field(default=None, metadata=null(beside="value"))


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """The share of n examples that is right, with its 95 % interval (Wilson); metrics: all others, by their names.

    groups: how many the examples are in, of which intervals know; temperature: of the calibration error after scaling.
    Of a worksheet there is no more than accuracy.
    """

    accuracy: Share
    interval: tuple[Share, Share]
    n: Count
    groups: Count | None = None
    temperature: Number | None = None
    metrics: dict[str, Measured] | None = None

    @classmethod
    def of(cls, correct: int, n: int) -> "Accuracy":
        """So many right of n."""
        return cls(accuracy=correct / n, interval=wilson_interval(correct, n), n=n)

    def with_metrics(
        self, figures: Mapping[str, MetricValue], temperature: float | None, groups: np.ndarray | None
    ) -> "Accuracy":
        """The same with other metrics of the same examples, which are in groups (n,) or in none."""
        metrics = {name: Measured(value=one.value, interval=one.interval) for name, one in figures.items()}
        many = None if groups is None else len(np.unique(groups))
        return replace(self, groups=many, temperature=temperature, metrics=metrics)
