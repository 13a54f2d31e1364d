"""The matrix products of a certified path and nothing else: below their time no method of as many passes can go."""

import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from linprobe.core.backend import (
    Array,
    add_gram,
    add_product,
    device_of,
    namespace,
    principal_axes,
    product,
    row_chunks,
)
from linprobe.core.objective import default_chunk

# Passes are timed on so many rows, far more than any cache holds, and scaled.
ROWS = 2**14
GRAM_ROWS = 2048

Seconds = Callable[[Callable[[], Any]], float]


def bare_passes(X: Array, classes: int, passes: np.ndarray, seconds: Seconds) -> float:
    """Seconds of the two products of every pass: X (n, D) float32, passes (H,) that each head made after a first one.

    Heads that are done leave, so later passes are of fewer columns.
    """
    heads_at_work = Counter(int((passes >= step).sum()) for step in range(int(passes.max()) + 1))
    some, total = X[:ROWS], 0.0
    for heads, count in heads_at_work.items():
        total += count * statistics.median(seconds(lambda h=heads: _pass(some, classes, h)) for _ in range(3))
    return total * len(X) / len(some)


def _pass(X: Array, classes: int, heads: int) -> None:
    """Make scores = X @ W, W += Xᵀ @ scores, chunk by chunk."""
    xp, columns = namespace(X), classes * heads
    chunk = default_chunk(classes, heads, device_of(X))
    like = {"dtype": X.dtype, "device": X.device}
    W, scores = xp.full((X.shape[1], columns), 1e-3, **like), xp.empty((min(chunk, len(X)), columns), **like)
    for rows in row_chunks(len(X), chunk):
        part = X[rows]
        product(part, W, scores[: len(part)])
        add_product(W, part, scores[: len(part)], 1e-20)  # so small that W stays what it is


def bare_metric(X: Array) -> None:
    """The Gram matrix of X (n, D), or of its rows where they are fewer, and its principal axes."""
    xp = namespace(X)
    X = X if X.shape[0] >= X.shape[1] else xp.asarray(X.T, copy=True)
    G = xp.zeros((X.shape[1], X.shape[1]), dtype=X.dtype, device=X.device)
    for rows in row_chunks(len(X), GRAM_ROWS):
        add_gram(G, X[rows])
    principal_axes(G)
