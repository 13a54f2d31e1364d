"""What is done to examples before they are trained on: centred rows, fitted on the training rows only."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from linprobe.core.backend import Array, is_sparse, row_chunks, widened
from linprobe.data.moments import moments
from linprobe.data.rows import Rows
from linprobe.errors import DataError

__all__ = ["CHUNK_ROWS", "Features", "Preparation", "fit_preparation", "times"]

Features = Literal["centred", "standardised", "normalised"]

CHUNK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Preparation:
    """Flattens examples to rows and subtracts the training mean: mean (D,), of the type of rows, shape of one example.

    scale (D,), if any, multiplies the centred features; unit_rows divides each centred row by its length. dtype: of the
    examples that it was fitted on; None where that is not known.
    """

    mean: np.ndarray
    shape: tuple[int, ...]
    scale: np.ndarray | None = None
    unit_rows: bool = False
    dtype: np.dtype | None = None

    def apply(self, X: Array, dtype: np.typing.DTypeLike | None = None) -> Array:
        """X (n, *shape) -> rows (n, D), centred, of `dtype` or of the mean's; of a CSR matrix, one that is scaled only.

        Raises DataError for examples of another shape.
        """
        if X.shape[1:] != self.shape:
            raise DataError(
                f"examples have the shape {times(X.shape[1:])}, this model was trained on "
                f"{times(self.shape)}; give it examples of that shape"
            )
        dtype = self.mean.dtype if dtype is None else np.dtype(dtype)
        if is_sparse(X):
            data = X.data.astype(dtype)  # a copy
            if self.scale is not None:
                data *= self.scale.astype(dtype, copy=False)[X.indices]
            return type(X)((data, X.indices, X.indptr), shape=X.shape)
        rows = np.empty((len(X), len(self.mean)), dtype)
        for chunk in row_chunks(len(X), CHUNK_ROWS):
            flat = X[chunk].reshape(-1, len(self.mean))
            if flat.dtype == np.float16 and rows.dtype == np.float32:
                flat = widened(flat, rows[chunk])
            # The type is said, or uint8 less float32 would be rounded to float32 on its way to float64.
            np.subtract(flat, self.mean, out=rows[chunk], dtype=rows.dtype, casting="same_kind")
            if self.scale is not None:
                rows[chunk] *= self.scale
            if self.unit_rows:
                # An example that is the mean has no direction; it stays a row of zeros.
                length = np.linalg.norm(rows[chunk], axis=1, keepdims=True)
                rows[chunk] /= np.where(length > 0, length, 1)
        return rows

    def without_scale(self, W: np.ndarray) -> tuple["Preparation", np.ndarray]:
        """The same classifier without a scale, where it can be: a preparation that only centres, and W (D, K)."""
        if self.scale is None or self.unit_rows:
            return self, W
        return replace(self, scale=None), W * self.scale[:, None]


def fit_preparation(
    X: Array | Rows,
    features: Features = "centred",
    *,
    weight: np.ndarray | None = None,
    dtype: np.typing.DTypeLike = np.float32,
) -> Preparation:
    """The preparation for these training examples X (n, *shape), under weights (n,) >= 0, else all alike.

    features: "centred", the mean is subtracted; "standardised", and each feature divided by its standard deviation
    (constant ones stay 0); "normalised", and each row divided by its length. Sums are in float64; dtype is that of the
    rows. The mean of a CSR matrix is taken for 0, so that its zeros stay: for who has a free bias, that is the same.
    """
    mean, variance = moments(X, weight)
    if is_sparse(X):
        mean = np.zeros_like(mean)
    scale = None
    if features == "standardised":
        deviation = np.sqrt(variance)
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0).astype(dtype)
    return Preparation(mean.astype(dtype), tuple(X.shape[1:]), scale, features == "normalised", X.dtype)


def times(shape: tuple[int, ...]) -> str:
    """The shape of an example, as errors name it."""
    return " x ".join(map(str, shape)) or "() (a single number)"
