"""Metrics of the order that examples are put in by each class: sorted once, for any number of resamples."""

import numpy as np

from linprobe.core.metrics._classes import mean_of_classes
from linprobe.core.metrics.sample import Counted


def auroc(counted: Counted) -> np.ndarray:
    """How often an example of a class ranks above one of another class, a tie as a half: the mean of the classes."""
    above, pairs = [], []
    for steps in counted.steps:
        of_class = _last(steps.seen)
        others = counted.total - of_class
        # The others that rank below a positive: all but those that came by its step's end, and half of its equals.
        below = others - (steps.all - steps.seen)
        if steps.ties is not None:
            below += 0.5 * steps.ties
        above.append(np.einsum("sr,sr->r", steps.positive, below))
        pairs.append(of_class * others)
    return mean_of_classes(np.stack(above), np.stack(pairs))


def average_precision(counted: Counted) -> np.ndarray:
    """The mean over a class's examples of the precision among those that rank as high: the mean of the classes."""
    precision, of_classes = [], []
    for steps in counted.steps:
        share = np.divide(steps.seen, steps.all, out=np.zeros_like(steps.seen), where=steps.all > 0)
        precision.append(np.einsum("sr,sr->r", steps.positive, share))
        of_classes.append(_last(steps.seen))
    return mean_of_classes(np.stack(precision), np.stack(of_classes))


def _last(sums: np.ndarray) -> np.ndarray:
    """What all steps hold together (R,), 0 where there is none."""
    return sums[-1] if len(sums) else np.zeros(sums.shape[1])
