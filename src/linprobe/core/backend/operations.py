"""What is done with arrays of any library: each function finds the library's `Backend` and hands on to it.

Code elsewhere takes the arrays it is given and asks for their namespace. The operations below are the ones for which
the array API standard has no form in place, and a fresh array of the stack's size would cost more than the arithmetic.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, get_args

import numpy as np

from linprobe.core.backend.protocol import Array, Device, Precision
from linprobe.core.backend.registry import backend_of, backend_on
from linprobe.errors import IncompatibleError

__all__ = [
    "add_gram",
    "add_product",
    "cap_",
    "capture",
    "choose_device",
    "device_of",
    "exp_",
    "laid_as",
    "move",
    "namespace",
    "on_host",
    "one_thread",
    "orthonormal",
    "principal_axes",
    "product",
    "quiet",
    "reduction",
    "room_for",
    "take_rows",
    "to_numpy",
]


def choose_device(device: Device, precision: Precision = "float32") -> str:
    """Where the stack is trained: "numpy", or a torch device, "cpu" or "cuda".

    NumPy on the CPU, unless bfloat16 is asked for, which NumPy does not have; "auto" is CUDA where there is one. Raises
    IncompatibleError for CUDA where there is none and for a device of another name, MissingDependencyError where torch
    is needed and absent.
    """
    if device not in get_args(Device):
        raise IncompatibleError(f"linprobe knows no device {device!r}; choose one of {', '.join(get_args(Device))}")
    if device == "auto":
        try:
            device = "cuda" if backend_on("cuda").available("cuda") else "cpu"
        except ImportError:
            device = "cpu"
    if device == "cuda":
        if not backend_on("cuda").available("cuda"):
            raise IncompatibleError("--device cuda: torch finds no CUDA device here; use --device cpu or auto")
        return "cuda"
    return "cpu" if precision == "bfloat16" else "numpy"


def namespace(array: Array) -> Any:
    """The array's library in the form of the array API standard."""
    return backend_of(array).namespace


def device_of(array: Array) -> str:
    """Where an array lies: "numpy", or the torch device "cpu" or "cuda"."""
    return backend_of(array).device_of(array)


def move(array: Array, device: str) -> Array:
    """An array on the device that `choose_device` chose; not a copy where it is there, or where that is this memory."""
    here, there = backend_of(array), backend_on(device)
    return there.move(array, device) if here is there else there.from_numpy(here.to_numpy(array), device)


def room_for(array: Array, device: str) -> bool:
    """Whether an array takes at most half of what is free on a device, which then had better hold it."""
    return backend_on(device).room_for(array, device)


def on_host(values: Any) -> Any:
    """An array of a library known here as a NumPy array, whatever its device; anything else as it is."""
    try:
        backend = backend_of(values)
    except TypeError:
        return values
    return backend.to_numpy(values)


def to_numpy(array: Array) -> np.ndarray:
    """The same values as a NumPy array, copied from the device when they are not in this memory."""
    return backend_of(array).to_numpy(array)


def quiet(array: Array) -> AbstractContextManager[Any]:
    """Arithmetic on arrays of this kind, and on NumPy's, without warnings of overflow and NaN or recorded gradients."""
    return backend_of(array).quiet()


def one_thread(array: Array) -> AbstractContextManager[Any]:
    """Products and factorisations of arrays of this kind on one thread of the host.

    For small ones: threads gain little there, and where other programs hold a core, each product waits ten times as
    long as it takes for the thread that has no core. All of the process is held to it: in its main thread only.
    """
    return backend_of(array).one_thread()


def exp_(array: Array) -> Array:
    """Exponential of every element, in place, and with NumPy 0 where it is next to nothing; returns the array.

    Numbers below the smallest normal one make a processor ten and more times as slow, here and in products with them.
    """
    return backend_of(array).exp_(array)


def cap_(array: Array, highest: float) -> Array:
    """The lesser of every element and a number, NaN for NaN, in place; returns the array."""
    return backend_of(array).cap_(array, highest)


def reduction(operation: Callable[..., Array], array: Array) -> Callable[..., Array] | None:
    """What reduces along an axis as repeating a binary operation would: a single call on torch, None for NumPy arrays,
    whose reductions take an order of their own.
    """
    return backend_of(array).reduction(operation)


def laid_as(like: Array, values: Array) -> Array:
    """Values in the order that another array, of their type and of a shape that they fill, has in memory: themselves,
    or a copy.

    NumPy takes ten times as long between two arrays where neighbours of the one lie apart in the other.
    """
    return backend_of(like).laid_as(like, values)


def take_rows(X: Array, rows: Array, out: Array) -> Array:
    """Gather X[rows] (B, D) into `out`; rows (B,) int."""
    return backend_of(X).take_rows(X, rows, out)


def product(A: Array, B: Array, out: Array) -> Array:
    """A @ B into `out`: A (m, k), B (k, n), out (m, n), one floating type; A may be a sparse matrix.

    In C order all of them, but NumPy's out may be in Fortran order.
    """
    return backend_of(out).product(A, B, out)


def add_product(W: Array, A: Array, B: Array, scale: float) -> Array:
    """W += scale · Aᵀ B in place: W (k, n), A (m, k), B (m, n), one floating type; A may be a sparse matrix.

    In C order all of them, but NumPy's B may be in Fortran order, and NumPy takes a temporary of the size of W.
    """
    return backend_of(W).add_product(W, A, B, scale)


def add_gram(G: Array, A: Array, scale: float = 1.0) -> Array:
    """G += scale · Aᵀ A in place, of NumPy arrays the lower triangle alone: G (k, k), A (m, k), C order, one type."""
    return backend_of(G).add_gram(G, A, scale)


def principal_axes(G: Array) -> tuple[Array, Array]:
    """Eigenvalues (k,), ascending, and orthonormal eigenvectors (k, k), in C order, of a symmetric matrix.

    G (k, k) is overwritten; of a NumPy array, only the lower triangle is read.
    """
    return backend_of(G).principal_axes(G)


def orthonormal(A: Array) -> tuple[Array, Array]:
    """Q (m, k) with orthonormal columns and R (k, k), in C order, of A = Q R (m, k), m >= k, which is overwritten."""
    return backend_of(A).orthonormal(A)


def capture(step: Callable[..., None], batch_size: int, idle: np.ndarray, device: str) -> Callable[..., None]:
    """A function step(rows, table, rescale) that costs little to call: itself, or on CUDA a recorded graph of it.

    rows (batch_size,) int64; idle: a table with which a step changes nothing, for the runs before recording. The step
    must work on the same memory each time, and need nothing from the host.
    """
    return backend_on(device).capture(step, batch_size, idle, device)
