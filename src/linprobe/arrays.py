"""The array library, chosen once; the only file that knows torch exists.

Code elsewhere takes the arrays it is given and asks for their namespace. The four operations below are the ones for
which the array API standard has no form that works in place, and a fresh array of the stack's size at every step would
cost more than the arithmetic.
"""

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from array_api_compat import array_namespace as namespace
from scipy.linalg import blas

__all__ = ["add_product", "exp_", "namespace", "product", "row_chunks", "take_rows", "to_numpy"]

Array = Any  # a NumPy array or a torch tensor; the standard has no type for it


def to_numpy(array: Array) -> np.ndarray:
    """The same values as a NumPy array, copied from the device when they are not in this memory."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


def exp_(array: Array) -> Array:
    """Exponential of every element, in place; returns the array."""
    return np.exp(array, out=array) if isinstance(array, np.ndarray) else array.exp_()


def take_rows(X: Array, rows: Array, out: Array) -> Array:
    """Gather X[rows] (B, D) into `out`; rows (B,) int."""
    if isinstance(X, np.ndarray):
        # mode="clip" is what makes NumPy write straight into `out`; the rows are drawn inside the range.
        return np.take(X, rows, axis=0, out=out, mode="clip")
    return _torch().index_select(X, 0, rows, out=out)


def product(A: Array, B: Array, out: Array) -> Array:
    """A @ B into `out`: A (m, k), B (k, n), out (m, n), C order, one floating type."""
    if isinstance(A, np.ndarray):
        # SciPy's and not NumPy's product, because `add_product` has to be SciPy's: each brings its own pool of
        # threads, and two pools in one process fight for the cores. BLAS counts columns first, hence the transposes.
        (gemm,) = blas.get_blas_funcs(("gemm",), (A, B))
        gemm(1.0, B.T, A.T, beta=0.0, c=out.T, overwrite_c=True)
        return out
    return _torch().mm(A, B, out=out)


def add_product(W: Array, A: Array, B: Array, scale: float) -> Array:
    """W += scale · Aᵀ B in place, without a temporary: W (k, n), A (m, k), B (m, n), C order, one floating type."""
    if isinstance(W, np.ndarray):
        (gemm,) = blas.get_blas_funcs(("gemm",), (A, B))
        gemm(scale, B.T, A.T, trans_b=True, beta=1.0, c=W.T, overwrite_c=True)
        return W
    return W.addmm_(A.T, B, alpha=scale)


def row_chunks(rows: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows that cover range(rows), in order."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


@cache
def _torch() -> ModuleType:
    import torch

    return torch
