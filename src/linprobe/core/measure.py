"""How good a classifier is: accuracy with its interval, the confusion matrix; for one head or a whole stack."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from linprobe.core.backend import Array, device_of, move, namespace, quiet, to_numpy
from linprobe.core.losses import Loss, find_loss
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Chunk, Weighs

__all__ = [
    "CHUNK_ROWS",
    "ClassScore",
    "StackScore",
    "confusion",
    "highest",
    "per_class",
    "score_rows",
    "score_stack",
    "wilson_interval",
    "wilson_share",
]

# Scores of this many rows at a time stay in the processor's cache for a stack of a hundred heads.
CHUNK_ROWS = 512
CHUNK_SCORES = 2**24  # and so many scores, of many classes, at the most
DEVICE_CHUNKS = 16  # times as many on a CUDA device, which has no such cache and needs more at a time to be busy


@dataclass(frozen=True, eq=False)
class StackScore:
    """accuracy, loss (H,): share of examples whose highest score is the label's, and mean loss in nats.

    weighted (H,): the mean of each loss times what its example counts for the head, where that was given.
    """

    accuracy: np.ndarray
    loss: np.ndarray
    weighted: np.ndarray | None = None


def score_stack(
    X: Array | Rows, y: Array, W: Array, b: Array | None, loss: str | Loss, weights: Weighs | None = None
) -> StackScore:
    """Accuracy and mean loss of every head of a stack; NaN for heads whose weights are, or whose scores overflow.

    X (n, D), Rows or what they can be made of; y (n,) int in [0, K); W (D, K, H); b (K, H) or None; n >= 1; weights of
    n examples, for each head or one for all. Computed where W is, NumPy or a torch device; rows that are elsewhere are
    moved there chunk by chunk.

    Rows come in chunks, so the scores never take more than a few megabytes.
    """
    device, (features, classes, heads), rows = device_of(W), W.shape, rows_of(X)
    xp = namespace(W)
    # The type of the product: into an array of another type, BLAS would write nothing.
    dtype = xp.result_type(move(rows.read(slice(0, 1)), device), W)
    flat = xp.astype(W.reshape(features, classes * heads), dtype, copy=False)
    chunk = CHUNK_ROWS * (DEVICE_CHUNKS if device == "cuda" else 1)
    with quiet(W):
        correct, *totals = rows.reduce(
            _Score(flat, b, find_loss(loss), (classes, heads)),
            flat,
            size=max(1, min(chunk, CHUNK_SCORES // (classes * heads))),
            labels=y,
            weights=weights,
        )
    trained = np.isfinite(to_numpy(totals[0]))
    return StackScore(*(np.where(trained, to_numpy(total) / len(rows), np.nan) for total in (correct, *totals)))


@dataclass(frozen=True, eq=False)
class _Score:
    """Of heads W (D, K·H) and b (K, H): on how many rows each is right, and the sum of its losses (H,), as they are
    and, where rows have weights, weighted.
    """

    W: Array
    b: Array | None
    loss: Loss
    shape: tuple[int, int]

    def __call__(self, chunk: Chunk) -> tuple[Array, ...]:
        xp = namespace(self.W)
        labels, scores = xp.astype(chunk.labels, xp.int64, copy=False), chunk.scores(self.W, self.b, self.shape)
        correct = xp.sum(highest(scores) == labels[:, None], axis=0)
        losses = self.loss.value_and_slope(scores, labels)[0]
        sums = (losses,) if chunk.weights is None else (losses, losses * chunk.weights)
        return correct, *(xp.sum(each, axis=0, dtype=xp.float64) for each in sums)


def score_rows(X: Array | Rows, W: Array, b: Array | None) -> np.ndarray:
    """The scores (n, K, H) of all rows, in this memory: X, W and b as `score_stack` takes them, computed where W is."""
    device, (features, classes, heads), rows = device_of(W), W.shape, rows_of(X)
    xp = namespace(W)
    dtype = xp.result_type(move(rows.read(slice(0, 1)), device), W)
    flat = xp.astype(W.reshape(features, classes * heads), dtype, copy=False)
    with quiet(W):
        (found,) = rows.map(
            _RowScores(flat, b, (classes, heads)), flat, size=max(1, min(CHUNK_ROWS, CHUNK_SCORES // (classes * heads)))
        )
    return to_numpy(found[:])


@dataclass(frozen=True, eq=False)
class _RowScores:
    """Those of heads W (D, K·H) and b (K, H)."""

    W: Array
    b: Array | None
    shape: tuple[int, int]

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        return (chunk.scores(self.W, self.b, self.shape),)


def highest(scores: Array) -> Array:
    """The class with the highest score, the first of equals: scores (n, K, H) -> labels (n, H) int64."""
    # Not argmax: torch does not say which of equals it takes, and NumPy along a middle axis is no faster.
    xp = namespace(scores)
    best, labels = scores[:, 0], xp.zeros((scores.shape[0], scores.shape[2]), dtype=xp.int64, device=scores.device)
    for k in range(1, scores.shape[1]):
        higher = scores[:, k] > best
        labels, best = xp.where(higher, k, labels), xp.maximum(best, scores[:, k])
    return labels


def wilson_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, correct of n. Wilson (1927); Brown, Cai & DasGupta (2001), eq. 4."""
    return wilson_share(correct / n, n, float(ndtri(0.5 + level / 2)))


def wilson_share(share: float, n: float, z: float) -> tuple[float, float]:
    """The same of a share of n examples, which may be no whole number of them; z: the quantile that it reaches to."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and 1 the bounds are exactly that; rounding must not push them outside.
    return (0.0 if share == 0 else centre - half), (1.0 if share == 1 else centre + half)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (K, K): row = true class, column = predicted class."""
    pairs = np.ravel_multi_index((labels, predicted), (classes, classes))
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """A class, its n examples, their recall, None of none, and what it is most often mistaken for, if ever."""

    name: str
    n: int
    recall: float | None
    mistaken_for: str | None
    times: int


def per_class(counts: np.ndarray, classes: Sequence[str]) -> list[ClassScore]:
    """How each class fared; counts (K, K) as `confusion` gives them."""
    found = []
    for k, name in enumerate(classes):
        wrong = counts[k].copy()
        n, wrong[k] = int(wrong.sum()), 0
        most = int(np.argmax(wrong))
        mistaken_for = classes[most] if wrong[most] else None
        found.append(ClassScore(name, n, float(counts[k, k] / n) if n else None, mistaken_for, int(wrong[most])))
    return found
