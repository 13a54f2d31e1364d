"""What is done to examples before they are trained on: centred rows, fitted on the training rows only."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from linprobe.core.backend import row_chunks
from linprobe.data.dataset import Examples
from linprobe.data.rows import rows_of
from linprobe.data.terms import Chunk
from linprobe.errors import DataError

Features = Literal["centred", "standardised", "normalised"]

CHUNK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Preparation:
    """Flattens examples to rows and subtracts the training mean: mean (D,) float32, shape of one example.

    scale (D,) float32, if any, multiplies the centred features; unit_rows divides each centred row by its length.
    dtype: of the examples that it was fitted on; None where that is not known.
    """

    mean: np.ndarray
    shape: tuple[int, ...]
    scale: np.ndarray | None = None
    unit_rows: bool = False
    dtype: np.dtype | None = None

    def apply(self, X: np.ndarray, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
        """X (n, *shape) -> rows (n, D) of `dtype`, centred. Raises DataError for examples of another shape."""
        if X.shape[1:] != self.shape:
            raise DataError(
                f"examples have the shape {_times(X.shape[1:])}, this model was trained on "
                f"{_times(self.shape)}; give it examples of that shape"
            )
        rows = np.empty((len(X), len(self.mean)), dtype)
        for chunk in row_chunks(len(X), CHUNK_ROWS):
            flat = X[chunk].reshape(-1, len(self.mean))
            # The type is said, or uint8 less float32 would be rounded to float32 on its way to float64.
            np.subtract(flat, self.mean, out=rows[chunk], dtype=rows.dtype, casting="same_kind")
            if self.scale is not None:
                rows[chunk] *= self.scale
            if self.unit_rows:
                # An example that is the mean has no direction; it stays a row of zeros.
                length = np.linalg.norm(rows[chunk], axis=1, keepdims=True)
                rows[chunk] /= np.where(length > 0, length, 1)
        return rows

    def fold(self, W: np.ndarray) -> tuple["Preparation", np.ndarray]:
        """The same classifier without a scale, where it can be: a preparation that only centres, and W (D, K)."""
        if self.scale is None or self.unit_rows:
            return self, W
        return replace(self, scale=None), W * self.scale[:, None]


def fit_preparation(train: Examples, features: Features = "centred") -> Preparation:
    """The preparation for these training examples; sums are in float64.

    features: "centred", the mean is subtracted; "standardised", and each feature divided by its standard deviation
    (constant ones stay 0); "normalised", and each row divided by its length.
    """
    rows, n = rows_of(train.X), len(train)
    (total,) = rows.reduce(_sum, None, size=CHUNK_ROWS)
    mean = total / n
    scale = None
    if features == "standardised":
        (squares,) = rows.reduce(_Squares(mean), None, size=CHUNK_ROWS)
        deviation = np.sqrt(squares / n)
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0).astype(np.float32)
    return Preparation(mean.astype(np.float32), train.X.shape[1:], scale, features == "normalised", train.X.dtype)


def _sum(chunk: Chunk) -> tuple[np.ndarray]:
    """Of the features of some examples (D,)."""
    return (chunk.X.reshape(len(chunk), -1).sum(axis=0, dtype=np.float64),)


@dataclass(frozen=True, eq=False)
class _Squares:
    """The sum of the features' squares about a mean (D,)."""

    mean: np.ndarray

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray]:
        return (np.square(chunk.X.reshape(len(chunk), -1) - self.mean).sum(axis=0),)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
