"""Metrics of predicted classes."""

import numpy as np

from linprobe.core.metrics.sample import Counted


def accuracy(counted: Counted) -> np.ndarray:
    """The share of examples whose highest score is the label's."""
    return counted.mean(counted.sample.right)


def top5(counted: Counted) -> np.ndarray:
    """The share of examples whose label is among the five highest scores, the first of equal ones."""
    return counted.mean(counted.sample.near)


def balanced_accuracy(counted: Counted) -> np.ndarray:
    """The mean recall of the classes that have examples."""
    return mean_of_classes(counted.recognised, counted.labelled)


def macro_f1(counted: Counted) -> np.ndarray:
    """The mean F1 of the classes that have examples or are predicted."""
    return mean_of_classes(2 * counted.recognised, counted.labelled + counted.predicted)


def mean_of_classes(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The mean quotient (R,) of the classes (K, R) of which there is one; NaN where there are none."""
    known = below > 0
    with np.errstate(invalid="ignore"):
        return np.divide(above, below, out=np.zeros_like(below), where=known).sum(axis=0) / known.sum(axis=0)
