"""The array library, chosen once; the only file that knows torch exists.

Code elsewhere takes the arrays it is given and asks for their namespace. The operations below are the ones for which
the array API standard has no form in place, and a fresh array of the stack's size would cost more than the arithmetic.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace as namespace
from scipy import linalg
from scipy.linalg import blas

from linprobe.errors import IncompatibleError, require

__all__ = [
    "LIBRARIES",
    "Array",
    "Device",
    "Precision",
    "Products",
    "add_gram",
    "add_product",
    "cap_",
    "capture",
    "choose_device",
    "device_of",
    "exp_",
    "is_sparse",
    "move",
    "namespace",
    "orthonormal",
    "principal_axes",
    "product",
    "quiet",
    "reduction",
    "room_for",
    "row_chunks",
    "sweep_rows",
    "take_rows",
    "to_numpy",
]

Array = Any  # a NumPy array or a torch tensor; the standard has no type for it
LIBRARIES = ("numpy", "torch", "jax")  # whose arrays a function under test may take
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bfloat16"]


def choose_device(device: Device, precision: Precision = "float32") -> str:
    """Where the stack is trained: "numpy", or a torch device, "cpu" or "cuda".

    NumPy on the CPU, unless bfloat16 is asked for, which NumPy does not have; "auto" is CUDA where there is one. Raises
    IncompatibleError for CUDA where there is none, MissingDependencyError where torch is needed and absent.
    """
    if device == "auto":
        try:
            device = "cuda" if require("torch", "torch").cuda.is_available() else "cpu"
        except ImportError:
            device = "cpu"
    if device == "cuda":
        if not _torch().cuda.is_available():
            raise IncompatibleError("--device cuda: torch finds no CUDA device here; use --device cpu or auto")
        return "cuda"
    return "cpu" if precision == "bfloat16" else "numpy"


def device_of(array: Array) -> str:
    """Where an array lies: "numpy", or the torch device "cpu" or "cuda"."""
    return "numpy" if isinstance(array, np.ndarray) else array.device.type


def move(array: Array, device: str) -> Array:
    """An array on the device that `choose_device` chose; not a copy where it is there, or where that is this memory."""
    if device == "numpy":
        return to_numpy(array)
    if not isinstance(array, np.ndarray):
        return array.to(device)
    with warnings.catch_warnings():
        # Torch knows no read-only tensors, and says so; the data of a search is read-only, and never written to.
        warnings.simplefilter("ignore", UserWarning)
        tensor = _torch().from_numpy(np.ascontiguousarray(array))
    if device != "cuda" or array.nbytes > PINNED_BYTES:
        return tensor.to(device)
    # What is copied out of pinned memory while the device works does not wait for it.
    return tensor.pin_memory().to(device, non_blocking=True)


# Pinning takes time and is for what goes to the device step after step, not for the data that goes there once.
PINNED_BYTES = 2**24


def room_for(array: np.ndarray, device: str) -> bool:
    """Whether an array takes at most half of what is free on a device, which then had better hold it."""
    return device != "cuda" or array.nbytes <= _torch().cuda.mem_get_info()[0] // 2


def to_numpy(array: Array) -> np.ndarray:
    """The same values as a NumPy array, copied from the device when they are not in this memory."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


@contextmanager
def quiet(array: Array) -> Iterator[None]:
    """Arithmetic on arrays of this kind, and on NumPy's, without warnings of overflow and NaN or recorded gradients."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        if device_of(array) == "numpy":
            yield
        else:
            # Not inference_mode: what is made there could never be changed in place by whom it is handed to.
            with _torch().no_grad():
                yield


def exp_(array: Array) -> Array:
    """Exponential of every element, in place, and with NumPy 0 where it is next to nothing; returns the array.

    Numbers below the smallest normal one make a processor ten and more times as slow, here and in products with them.
    """
    if not isinstance(array, np.ndarray):
        return array.exp_()
    floor = 0.8 * float(np.log(np.finfo(array.dtype).tiny))  # so far above it that shares of the result are normal too
    kept = array > floor
    if kept.all():
        return np.exp(array, out=array)
    np.exp(np.maximum(array, floor, out=array), out=array)
    return np.multiply(array, kept, out=array)


def cap_(array: Array, highest: float) -> Array:
    """The lesser of every element and a number, NaN for NaN, in place; returns the array."""
    # The standard's minimum would carry the number to the device at each call, and wait for it.
    return np.minimum(array, highest, out=array) if isinstance(array, np.ndarray) else array.clamp_(max=highest)


def reduction(operation: Callable[..., Array], array: Array) -> Callable[..., Array] | None:
    """What reduces along an axis as repeating a binary operation would: a single call on torch, None for NumPy arrays,
    whose reductions take an order of their own.
    """
    if isinstance(array, np.ndarray):
        return None
    xp = namespace(array)
    return {xp.add: xp.sum, xp.maximum: xp.max}[operation]


def take_rows(X: Array, rows: Array, out: Array) -> Array:
    """Gather X[rows] (B, D) into `out`; rows (B,) int."""
    if isinstance(X, np.ndarray):
        # mode="clip" is what makes NumPy write straight into `out`; the rows are drawn inside the range.
        return np.take(X, rows, axis=0, out=out, mode="clip")
    return _torch().index_select(X, 0, rows, out=out)


def product(A: Array, B: Array, out: Array) -> Array:
    """A @ B into `out`: A (m, k), B (k, n), out (m, n), C order, one floating type; A may be a sparse matrix."""
    if is_sparse(A):
        out[...] = A @ B
        return out
    if isinstance(A, np.ndarray):
        # SciPy's and not NumPy's product, because `add_product` has to be SciPy's: each brings its own pool of
        # threads, and two pools in one process fight for the cores. BLAS counts columns first, hence the transposes.
        (gemm,) = blas.get_blas_funcs(("gemm",), (A, B))
        gemm(1.0, B.T, A.T, beta=0.0, c=out.T, overwrite_c=True)
        return out
    return _torch().mm(A, B, out=out)


def add_product(W: Array, A: Array, B: Array, scale: float) -> Array:
    """W += scale · Aᵀ B in place: W (k, n), A (m, k), B (m, n), C order, one floating type; A may be a sparse matrix.

    Without a temporary, unless A is sparse.
    """
    if is_sparse(A):
        update = A.T @ B
        update *= scale
        W += update
        return W
    if isinstance(W, np.ndarray):
        (gemm,) = blas.get_blas_funcs(("gemm",), (A, B))
        gemm(scale, B.T, A.T, trans_b=True, beta=1.0, c=W.T, overwrite_c=True)
        return W
    return W.addmm_(A.T, B, alpha=scale)


def add_gram(G: Array, A: Array, scale: float = 1.0) -> Array:
    """G += scale · Aᵀ A in place, of NumPy arrays the lower triangle alone: G (k, k), A (m, k), C order, one type."""
    if is_sparse(A):
        G += scale * (A.T @ A).toarray()
        return G
    if isinstance(G, np.ndarray):
        (syrk,) = blas.get_blas_funcs(("syrk",), (A,))
        # Columns first, as BLAS counts, the lower triangle of G is the upper one of its transpose.
        syrk(scale, A.T, beta=1.0, c=G.T, overwrite_c=True, lower=0)
        return G
    return G.addmm_(A.T, A, alpha=scale)


def principal_axes(G: Array) -> tuple[Array, Array]:
    """Eigenvalues (k,), ascending, and orthonormal eigenvectors (k, k), in C order, of a symmetric matrix.

    G (k, k) is overwritten; of a NumPy array, only the lower triangle is read.
    """
    if isinstance(G, np.ndarray):
        # Divide and conquer: 3,072 x 3,072 in 1.1 s on two cores, and SciPy's own pool of threads, as for products.
        # Transposed it is in the order of BLAS, and no copy is made.
        values, vectors = linalg.eigh(G.T, lower=False, driver="evd", overwrite_a=True, check_finite=False)
        return values, np.ascontiguousarray(vectors)
    values, vectors = _torch().linalg.eigh(G)
    return values, vectors.contiguous()


def orthonormal(A: Array) -> tuple[Array, Array]:
    """Q (m, k) with orthonormal columns and R (k, k), in C order, of A = Q R (m, k), m >= k, which is overwritten."""
    if isinstance(A, np.ndarray):
        parts: Any = linalg.qr(A, mode="economic", overwrite_a=True, check_finite=False)
        return np.ascontiguousarray(parts[0]), np.ascontiguousarray(parts[1])
    Q, R = _torch().linalg.qr(A)
    return Q.contiguous(), R.contiguous()


def is_sparse(array: Array) -> bool:
    """Whether this is a SciPy sparse matrix, without importing what would make one."""
    return type(array).__module__.startswith("scipy.sparse")


class Products:
    """The two products of a step, on a device and in a precision; everything else of a step stays float32.

    In bfloat16 the factors of a product and its result are rounded, to 8 bits; its sums, the weights that the result is
    added to, and all else are float32. Raises IncompatibleError for bfloat16 on NumPy, which does not have it.
    """

    def __init__(self, device: str = "numpy", precision: Precision = "float32") -> None:
        if device == "numpy" and precision == "bfloat16":
            raise IncompatibleError("NumPy has no bfloat16; choose the device with choose_device('cpu', 'bfloat16')")
        self.device, self.precision, self.rounded = device, precision, precision == "bfloat16"

    def scores(self, batch: Array, V: Array, out: Array) -> None:
        """Batch (B, D) @ V (D, K·H) into out (B, K, H)."""
        flat = out.reshape(len(batch), -1)
        if self.rounded:
            flat.copy_(self._half(batch) @ self._half(V))
        else:
            product(batch, V, flat)

    def accumulate(self, V: Array, batch: Array, slope: Array, sign: float) -> None:
        """V (D, K·H) += sign · batchᵀ (D, B) @ slope (B, K, H)."""
        flat = slope.reshape(len(batch), -1)
        if self.rounded:
            V.add_(self._half(batch).T @ self._half(flat), alpha=sign)
        else:
            add_product(V, batch, flat, sign)

    def _half(self, array: Array) -> Array:
        return array.to(_torch().bfloat16)


def capture(step: Callable[..., None], batch_size: int, idle: np.ndarray, device: str) -> Callable[..., None]:
    """A function step(rows, table, fold) that costs little to call: itself, or on CUDA a recorded graph of it.

    rows (batch_size,) int64; idle: a table with which a step changes nothing, for the runs before recording. The step
    must work on the same memory each time, and need nothing from the host.
    """
    return _Graphs(step, batch_size, idle) if device == "cuda" else step


class _Graphs:
    """One CUDA graph for steps that fold and one for those that do not; both read their input from the same memory."""

    def __init__(self, step: Callable[..., None], batch_size: int, idle: np.ndarray) -> None:
        self.step, self.graphs = step, {}
        self.rows = move(np.zeros(batch_size, np.int64), "cuda")
        self.table, self.idle = move(idle, "cuda"), move(idle, "cuda")

    def __call__(self, rows: Array, table: Array, fold: bool) -> None:
        if fold not in self.graphs:
            self.graphs[fold] = self._record(fold)
        self.rows.copy_(rows)
        self.table.copy_(table)
        self.graphs[fold].replay()

    def _record(self, fold: bool) -> Any:
        cuda = _torch().cuda
        self.table.copy_(self.idle)
        # Libraries set themselves up in a first call, which a graph must not contain.
        stream = cuda.Stream()
        stream.wait_stream(cuda.current_stream())
        with cuda.stream(stream):
            for _ in range(2):
                self.step(self.rows, self.table, fold)
        cuda.current_stream().wait_stream(stream)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            self.step(self.rows, self.table, fold)
        return graph


def row_chunks(rows: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows that cover range(rows), in order."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def sweep_rows(array: Array) -> Iterator[slice]:
    """The rows of a matrix in pieces, for several elementwise operations on each: small enough for a processor's cache,
    all at once on a device, where every call costs more than it computes.
    """
    rows = len(array)
    if device_of(array) != "cuda":
        return row_chunks(rows, max(1, SWEEP_ELEMENTS // max(1, array.shape[1])))
    return row_chunks(rows, max(1, rows))


SWEEP_ELEMENTS = 2**18


def _torch() -> ModuleType:
    return require("torch", "torch")
