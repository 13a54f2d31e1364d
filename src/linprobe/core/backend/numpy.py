"""NumPy's arrays, and SciPy's sparse matrices as the left factor of a product."""

# ruff: noqa: ARG002 - what other libraries have to be told

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from threading import current_thread, main_thread
from typing import Any

import numpy as np
import threadpoolctl
from array_api_compat import numpy as xp
from scipy import linalg
from scipy.linalg import blas

from linprobe.core.backend.protocol import Array, Backend, Precision, Product, Sum
from linprobe.errors import IncompatibleError

__all__ = ["BACKEND", "is_sparse"]


def is_sparse(array: Array) -> bool:
    """Whether this is a SciPy sparse matrix, without importing what would make one."""
    return type(array).__module__.startswith("scipy.sparse")


@cache
def _pools() -> threadpoolctl.ThreadpoolController:
    """Those of NumPy's and SciPy's BLAS, which are loaded by now."""
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _plain(A: Array) -> Array:
    """In C order and aligned: of others, as of a file from an odd byte on, NumPy's product has other last digits."""
    return A if is_sparse(A) or (A.flags.c_contiguous and A.flags.aligned) else np.array(A, order="C")


# For steps on few rows, where a temporary of the size of W would cost as much as the product that it holds: SciPy's
# BLAS adds in place. Both of a step's products are SciPy's, as each library brings its own pool of threads, and two
# pools in one process fight for the cores. BLAS counts columns first, hence the transposes.


def _product(A: Array, B: np.ndarray, out: np.ndarray) -> np.ndarray:
    if is_sparse(A) or not out.size:  # which BLAS refuses
        return BACKEND.product(A, B, out)
    (gemm,) = blas.get_blas_funcs(("gemm",), (A, B))
    gemm(1.0, B.T, A.T, beta=0.0, c=out.T, overwrite_c=True)
    return out


def _add_product(W: np.ndarray, A: Array, B: np.ndarray, scale: float) -> np.ndarray:
    if is_sparse(A):
        return BACKEND.add_product(W, A, B, scale)
    (gemm,) = blas.get_blas_funcs(("gemm",), (A, B))
    gemm(scale, B.T, A.T, trans_b=True, beta=1.0, c=W.T, overwrite_c=True)
    return W


class _NumPy:
    namespace = xp

    def available(self, device: str) -> bool:
        return device == "numpy"

    def device_of(self, array: np.ndarray) -> str:
        return "numpy"

    def room_for(self, array: np.ndarray, device: str) -> bool:
        return True

    def move(self, array: np.ndarray, device: str) -> np.ndarray:
        return array

    def from_numpy(self, array: np.ndarray, device: str) -> np.ndarray:
        return array

    def to_numpy(self, array: np.ndarray) -> np.ndarray:
        return array

    def quiet(self) -> AbstractContextManager[Any]:
        return np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")

    def one_thread(self) -> AbstractContextManager[Any]:
        # The number is the process's: two threads that both set it and put it back could leave it at one.
        return _pools().limit(limits=1) if current_thread() is main_thread() else nullcontext()

    def laid_as(self, like: np.ndarray, values: np.ndarray) -> np.ndarray:
        if (values.strides[0] < values.strides[-1]) == (like.strides[0] < like.strides[-1]):
            return values
        found = np.empty_like(like)
        found[...] = values
        return found

    def exp_(self, array: np.ndarray) -> np.ndarray:
        # So far above the smallest normal number that shares of the result are normal too.
        floor = 0.8 * float(np.log(np.finfo(array.dtype).tiny))
        kept = array > floor
        if kept.all():
            return np.exp(array, out=array)
        np.exp(np.maximum(array, floor, out=array), out=array)
        return np.multiply(array, kept, out=array)

    def cap_(self, array: np.ndarray, highest: float) -> np.ndarray:
        return np.minimum(array, highest, out=array)

    def reduction(self, operation: Callable[..., Array]) -> None:
        return None

    def take_rows(self, X: np.ndarray, rows: np.ndarray, out: np.ndarray) -> np.ndarray:
        # mode="clip" is what makes NumPy write straight into `out`; the rows are drawn inside the range.
        return np.take(X, rows, axis=0, out=out, mode="clip")

    def product(self, A: Array, B: np.ndarray, out: np.ndarray) -> np.ndarray:
        if is_sparse(A):
            out[...] = A @ B
            return out
        A = _plain(A)
        with self.quiet():
            if out.flags.c_contiguous:
                np.matmul(A, B, out=out)
            else:
                np.matmul(B.T, A.T, out=out.T)
        return out

    def add_product(self, W: np.ndarray, A: Array, B: np.ndarray, scale: float) -> np.ndarray:
        # SciPy's BLAS needs no temporary, and takes 1.2 to 2.5 times as long, the more the fewer columns there are.
        with self.quiet():
            update = _plain(A).T @ B
            if scale != 1:
                update *= scale
            W += update
        return W

    def add_gram(self, G: np.ndarray, A: Array, scale: float) -> np.ndarray:
        if is_sparse(A):
            G += scale * (A.T @ A).toarray()
            return G
        (syrk,) = blas.get_blas_funcs(("syrk",), (A,))
        # Columns first, as BLAS counts, the lower triangle of G is the upper one of its transpose.
        syrk(scale, A.T, beta=1.0, c=G.T, overwrite_c=True, lower=0)
        return G

    def principal_axes(self, G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Divide and conquer: 3,072 x 3,072 in 1.1 s on two cores.
        # Transposed it is in the order of BLAS, and no copy is made.
        values, vectors = linalg.eigh(G.T, lower=False, driver="evd", overwrite_a=True, check_finite=False)
        return values, np.ascontiguousarray(vectors)

    def orthonormal(self, A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts: Any = linalg.qr(A, mode="economic", overwrite_a=True, check_finite=False)
        return np.ascontiguousarray(parts[0]), np.ascontiguousarray(parts[1])

    def products(self, precision: Precision) -> tuple[Product, Sum]:
        if precision == "bfloat16":
            raise IncompatibleError("NumPy has no bfloat16; choose the device with choose_device('cpu', 'bfloat16')")
        return _product, _add_product

    def capture(self, step: Callable[..., None], batch_size: int, idle: np.ndarray, device: str) -> Callable[..., None]:
        return step


BACKEND: Backend = _NumPy()
