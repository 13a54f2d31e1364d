"""How good a classifier is: accuracy with its interval, the confusion matrix; for one head or a whole stack."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from linprobe.arrays import product, row_chunks
from linprobe.losses import find_loss

# Scores of this many rows at a time stay in the processor's cache for a stack of a hundred heads.
CHUNK_ROWS = 512


@dataclass(frozen=True, eq=False)
class StackScore:
    """accuracy, loss (H,): share of examples whose highest score is the label's, and mean loss in nats."""

    accuracy: np.ndarray
    loss: np.ndarray


def score_stack(X: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray | None, loss: str) -> StackScore:
    """Accuracy and mean loss of every head of a stack; NaN for heads whose weights are, or whose scores overflow.

    X (n, D) float, y (n,) int in [0, K), W (D, K, H), b (K, H) or None; n >= 1.

    Rows come in chunks, so the scores never take more than a few megabytes.
    """
    features, classes, heads = W.shape
    flat = W.reshape(features, classes * heads)
    # The type of the product: into an array of another type, BLAS would write nothing.
    buffer = np.empty((min(CHUNK_ROWS, len(X)), classes, heads), np.result_type(X, W))
    correct, total = np.zeros(heads, np.int64), np.zeros(heads)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in row_chunks(len(X), len(buffer)):
            labels = y[rows]
            scores = buffer[: len(labels)]
            product(X[rows], flat, scores.reshape(len(labels), -1))
            if b is not None:
                scores += b
            correct += (highest(scores) == labels[:, None]).sum(axis=0)
            total += find_loss(loss)(scores, labels)[0].sum(axis=0, dtype=np.float64)
    trained = np.isfinite(total)
    return StackScore(np.where(trained, correct / len(X), np.nan), np.where(trained, total / len(X), np.nan))


def highest(scores: np.ndarray) -> np.ndarray:
    """The class with the highest score, the first of equals: scores (n, K, H) -> labels (n, H)."""
    # NumPy's argmax along a middle axis walks it element by element; a running maximum keeps the heads vectorised.
    best = scores[:, 0].copy()
    labels = np.zeros(best.shape, np.int64)
    for k in range(1, scores.shape[1]):
        higher = scores[:, k] > best
        np.copyto(labels, k, where=higher)
        np.copyto(best, scores[:, k], where=higher)
    return labels


def wilson_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, correct of n. Wilson (1927); Brown, Cai & DasGupta (2001), eq. 4."""
    z = float(ndtri(0.5 + level / 2))
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the bounds are exactly 0 and 1; rounding must not push them outside.
    return (0.0 if correct == 0 else centre - half), (1.0 if correct == n else centre + half)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (K, K): row = true class, column = predicted class."""
    pairs = np.ravel_multi_index((labels, predicted), (classes, classes))
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
