"""Metrics of probabilities."""

import numpy as np

from linprobe.core.metrics.sample import Counted

BINS = 15  # as in Guo et al. (2017)


def log_loss(counted: Counted) -> np.ndarray:
    """The mean of -log of the label's probability, in nats."""
    return counted.mean(counted.sample.surprise)


def calibration_error(counted: Counted) -> np.ndarray:
    """How far confidence and accuracy are apart in 15 bins of equal width, a bin counting as much as its examples.

    Confidence is the highest probability. Guo et al. (2017), On calibration of modern neural networks, eq. 3.
    """
    sample = counted.sample
    of_bin = np.minimum((sample.confidence * BINS).astype(np.int64), BINS - 1)
    apart = counted.sums(of_bin, BINS, sample.confidence - sample.right)
    return np.abs(apart).sum(axis=0) / counted.total
