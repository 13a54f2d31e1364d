"""Made-up embeddings: classes that overlap, features that are correlated, and labels that are not all right.

Nothing separates them, so every λ has an optimum worth finding; no rows of another type or on another device are made
on the way, so what fits a device can be made there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.core.backend import Array, namespace, row_chunks

SEPARATION = 15.0  # squared distance of the means of two classes, over 2, in standard deviations
WRONG_LABELS = 0.1  # so many are drawn anew, from all classes
CHUNK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Draws:
    """Where random numbers come from: normal(*shape), uniform(n) and integers(below, n); empty(*shape)."""

    normal: Callable[..., Array]
    uniform: Callable[[int], Array]
    integers: Callable[[int, int], Array]
    empty: Callable[..., Array]

    @classmethod
    def numpy(cls, seed: int = 0) -> "Draws":
        """As NumPy arrays."""
        generator = np.random.default_rng(seed)
        return cls(
            lambda *shape: generator.standard_normal(shape, dtype=np.float32),
            lambda n: generator.random(n, dtype=np.float32),
            lambda below, n: generator.integers(0, below, n),
            lambda *shape: np.empty(shape, np.float32),
        )

    @classmethod
    def torch(cls, torch: Any, device: str, seed: int = 0) -> "Draws":
        """As tensors, made on their device."""
        generator = torch.Generator(device).manual_seed(seed)
        like = {"generator": generator, "device": device}
        return cls(
            lambda *shape: torch.randn(*shape, **like),
            lambda n: torch.rand(n, **like),
            lambda below, n: torch.randint(below, (n,), **like),
            lambda *shape: torch.empty(*shape, device=device),
        )


def make_embeddings(draws: Draws, rows: int, features: int, classes: int) -> tuple[Array, Array]:
    """Features (n, D) float32 and labels (n,) int64.

    A class is a normal distribution; all have one covariance, the eigenvalues of which decay as 1, 1/2, 1/3 ... in
    directions at random, with a mean variance of 1 a feature. The means are drawn from a smaller copy of it.
    """
    xp = namespace(draws.empty(1))
    harmonic = features / sum(1 / k for k in range(1, features + 1))
    spread = draws.empty(features)
    spread[...] = xp.asarray([(harmonic / k) ** 0.5 for k in range(1, features + 1)], dtype=spread.dtype)
    axes = spread[:, None] * xp.linalg.qr(draws.normal(features, features))[0]
    means = (SEPARATION / features) ** 0.5 * draws.normal(classes, features) @ axes
    X, y = draws.empty(rows, features), draws.integers(classes, rows)
    for part in row_chunks(rows, CHUNK_ROWS):
        labels = y[part]
        X[part] = draws.normal(len(labels), features) @ axes + means[labels]
    return X, xp.where(draws.uniform(rows) < WRONG_LABELS, draws.integers(classes, rows), y)
