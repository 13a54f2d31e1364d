"""What becomes of each class: its confusions, its template, and how far the confidence can be believed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linprobe.core.measure import wilson_interval
from linprobe.errors import UsageError
from linprobe.report.run import Run

__all__ = [
    "Bin",
    "Confusion",
    "ReliabilityBars",
    "Templates",
    "confusion",
    "reliability",
    "scale_templates",
    "templates",
]


@dataclass(frozen=True, eq=False)
class Confusion:
    """Test examples (K, K), a row per true class, a column per predicted one."""

    title: str
    counts: np.ndarray
    classes: Sequence[str]

    @property
    def n(self) -> int:
        """How many examples there are."""
        return int(self.counts.sum())

    @property
    def correct(self) -> int:
        """How many are on the diagonal."""
        return int(np.trace(self.counts))

    @property
    def absent(self) -> np.ndarray:
        """The classes (K,) without examples."""
        return self.counts.sum(axis=1) == 0

    @property
    def share(self) -> np.ndarray:
        """Of the examples of a class (K, K)."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def shade(self) -> np.ndarray:
        """What is coloured: the root lets the few per cent that errors usually are be seen, which look like none."""
        return np.sqrt(self.share)

    def summed(self, side: int) -> "Confusion":
        """The same of so many classes at a time, by the name of the first."""
        starts = np.arange(0, len(self.counts), side)
        counts = np.add.reduceat(np.add.reduceat(self.counts, starts, axis=0), starts, axis=1)
        return Confusion(self.title, counts, [self.classes[int(start)] for start in starts])


@dataclass(frozen=True)
class Bin:
    """Examples with a confidence from low to high, how many are right, and the 95 % interval of their share."""

    low: float
    high: float
    n: int
    right: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class ReliabilityBars:
    """How often predictions of a confidence are right: of so many bins, those that have examples."""

    bins: int
    seen: list[Bin]


@dataclass(frozen=True, eq=False)
class Templates:
    """The weights of every class as pixels, uint8 (K, height, width, 1 or 3), by one scale.

    limits: the weights that are 0 and 255; channels: of the weights, which are averaged unless they are 1 or 3.
    """

    title: str
    pixels: np.ndarray
    classes: Sequence[str]
    limits: tuple[float, float]
    channels: int


def confusion(run: Run) -> Confusion:
    """What the test examples of each class are predicted as."""
    title = f"{run.numbers.data.source}: what the test examples are predicted as"
    return Confusion(title, run.evidence.counts, run.classifier.classes)


def reliability(run: Run) -> ReliabilityBars | None:
    """How far the confidence can be believed; None where the classifier has no probabilities."""
    found = run.evidence.reliability
    if found is None:
        return None
    bins, seen = len(found.n), []
    for k in np.flatnonzero(found.n):
        n, accuracy = int(found.n[k]), float(found.accuracy[k])
        right = round(accuracy * n)
        interval = wilson_interval(right, n)
        seen.append(Bin(k / bins, (k + 1) / bins, n, right, float(found.confidence[k]), accuracy, interval))
    return ReliabilityBars(bins, seen)


def templates(run: Run) -> Templates | None:
    """The templates of all classes; None where the features are not a picture's."""
    if len(run.classifier.preparation.shape) != 3:
        return None
    weights = np.asarray(run.classifier.templates, np.float64)
    channels = weights.shape[3]
    shown = weights if channels in (0, 1, 3) else weights.mean(axis=3, keepdims=True)
    pixels, limits = scale_templates(shown), (float(shown.min()), float(shown.max()))
    title = f"{run.numbers.data.source}: what each class looks for"
    return Templates(title, pixels, run.classifier.classes, limits, channels)


def scale_templates(weights: np.ndarray) -> np.ndarray:
    """Weights as pixels, by the same scale for all classes: lowest 0, highest 255, rounded.

    weights (K, height, width, channels), without the bias -> uint8 of the same shape. Weights that are all the same
    become 128. Raises UsageError for other shapes and for weights that are not finite. CS231n, assignment 1.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 4 or 0 in weights.shape:
        raise UsageError(
            f"templates.png: the weights have the shape {weights.shape}; give (classes, height, width, channels)"
        )
    low, high = weights.min(), weights.max()
    if not math.isfinite(low + high):
        raise UsageError("templates.png: some weights are not finite; draw a head that did not diverge")
    if low == high:
        return np.full(weights.shape, 128, dtype=np.uint8)
    if not math.isfinite(float(high) - float(low)):  # the range alone overflows
        weights, low, high = weights / 2, low / 2, high / 2
    return np.rint(255.0 * ((weights - low) / (high - low))).astype(np.uint8)
