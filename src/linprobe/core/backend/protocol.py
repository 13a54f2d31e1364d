"""What linprobe asks of an array library: the methods of `Backend`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np

__all__ = ["Array", "Backend", "Device", "Precision", "Product", "Sum"]

Array = Any  # a NumPy array or a torch tensor; the standard has no type for it
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bfloat16"]

Product = Callable[[Array, Array, Array], Array]  # (A, B, out): A @ B into `out`
Sum = Callable[[Array, Array, Array, float], Array]  # (W, A, B, scale): W += scale · Aᵀ B


class Backend(Protocol):
    """One array library. What each method promises is said by the function of its name in `operations`.

    `namespace` is the library in the form of the array API standard; the methods are what the standard has no form for,
    or none in place.
    """

    namespace: ModuleType

    def available(self, device: str) -> bool:
        """Whether this machine has the device."""
        ...

    def device_of(self, array: Array) -> str:
        """The name of the device that an array lies on."""
        ...

    def room_for(self, array: Array, device: str) -> bool:
        """Whether an array fits comfortably on a device."""
        ...

    def move(self, array: Array, device: str) -> Array:
        """An array of this library on another of its devices."""
        ...

    def from_numpy(self, array: np.ndarray, device: str) -> Array:
        """A NumPy array as one of this library, on a device."""
        ...

    def to_numpy(self, array: Array) -> np.ndarray:
        """An array of this library as NumPy's."""
        ...

    def quiet(self) -> AbstractContextManager[Any]:
        """No warnings of overflow and NaN, no recorded gradients."""
        ...

    def one_thread(self) -> AbstractContextManager[Any]:
        """Matrix products and factorisations on one thread."""
        ...

    def laid_as(self, like: Array, values: Array) -> Array:
        """Values in the order that another array has in memory, where that matters."""
        ...

    def exp_(self, array: Array) -> Array:
        """Exponential, in place."""
        ...

    def cap_(self, array: Array, highest: float) -> Array:
        """Minimum of every element and a number, in place."""
        ...

    def reduction(self, operation: Callable[..., Array]) -> Callable[..., Array] | None:
        """The single call that reduces with an operation, or None."""
        ...

    def take_rows(self, X: Array, rows: Array, out: Array) -> Array:
        """X[rows] into `out`."""
        ...

    def product(self, A: Array, B: Array, out: Array) -> Array:
        """A @ B into `out`."""
        ...

    def add_product(self, W: Array, A: Array, B: Array, scale: float) -> Array:
        """W += scale · Aᵀ B."""
        ...

    def add_gram(self, G: Array, A: Array, scale: float) -> Array:
        """G += scale · Aᵀ A."""
        ...

    def principal_axes(self, G: Array) -> tuple[Array, Array]:
        """Eigenvalues and eigenvectors of a symmetric matrix."""
        ...

    def orthonormal(self, A: Array) -> tuple[Array, Array]:
        """Q and R of A = Q R."""
        ...

    def products(self, precision: Precision) -> tuple[Product, Sum]:
        """`product` and `add_product` with factors of this precision; IncompatibleError for one that it lacks."""
        ...

    def capture(self, step: Callable[..., None], batch_size: int, idle: np.ndarray, device: str) -> Callable[..., None]:
        """The same step, recorded where that makes it cheaper to call."""
        ...
