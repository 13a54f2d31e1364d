"""Sparse features of a file as the dense ones that a data set has, where that is no more than the file suggests."""

from typing import Any

import numpy as np

from linprobe.errors import UnsafeFileError, UsageError

__all__ = ["dense"]

HARMLESS = 2**30  # bytes
# Text has at least four bytes for a value: in a file that is a matrix rather than a list of a few of its values, one of
# 64 entries is there.
MOST_UNFOLDING = 128
MOST = 2**40


def dense(X: Any, place: str, size: int) -> np.ndarray:
    """A SciPy sparse matrix (n, D), out of a file of so many bytes, as an array of its type.

    Raises UsageError, with the way out, where it would take far more memory than its values do.
    """
    needed = X.shape[0] * X.shape[1] * X.dtype.itemsize
    if needed > MOST:
        raise UnsafeFileError(
            f"{place}: claims {X.shape[0]:,} x {X.shape[1]:,} features, {needed:,} bytes if written out; do not use "
            "it, or number its columns without gaps"
        )
    if needed > max(HARMLESS, MOST_UNFOLDING * size):
        raise UsageError(
            f"{place}: {X.shape[0]:,} x {X.shape[1]:,} features with {X.nnz:,} values take {needed / 2**30:,.1f} GiB "
            "as a dense matrix; train on the sparse one from Python: linprobe.SoftmaxClassifier().fit(X, y)"
        )
    return X.toarray()
