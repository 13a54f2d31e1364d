"""An array library of the tests' own: NumPy's arrays under another type, with every operation by its formula.

This file and one line in `registry.FILES` are all that linprobe has to be told.
"""

# ruff: noqa: ARG002 - what other libraries have to be told

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

import numpy as np
from array_api_compat import numpy as xp

from linprobe.core.backend import Backend, Precision

namespace = ModuleType("toyarrays")


class Array(np.ndarray):
    """What is made of it is of its type again."""


def _ours(make: Callable[..., np.ndarray]) -> Callable[..., Array]:
    def made(*args: Any, **options: Any) -> Array:
        options.pop("device", None)
        return make(*args, **options).view(Array)

    return made


vars(namespace).update({name: value for name, value in vars(xp).items() if not name.startswith("_")})
vars(namespace).update({name: _ours(getattr(xp, name)) for name in ("asarray", "arange", "empty", "full", "zeros")})


class _Toy:
    namespace = namespace

    def available(self, device: str) -> bool:
        return device == "toy"

    def device_of(self, array: Array) -> str:
        return "toy"

    def room_for(self, array: Any, device: str) -> bool:
        return True

    def move(self, array: Array, device: str) -> Array:
        return array

    def from_numpy(self, array: np.ndarray, device: str) -> Array:
        return array.view(Array)

    def to_numpy(self, array: Array) -> np.ndarray:
        return array.view(np.ndarray)

    def quiet(self) -> AbstractContextManager[Any]:
        return np.errstate(all="ignore")

    def one_thread(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def laid_as(self, like: Array, values: Array) -> Array:
        return values

    def exp_(self, array: Array) -> Array:
        array[...] = np.exp(array)
        return array

    def cap_(self, array: Array, highest: float) -> Array:
        array[array > highest] = highest
        return array

    def reduction(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        return {np.add: np.sum, np.maximum: np.max}[operation]

    def take_rows(self, X: Array, rows: Array, out: Array) -> Array:
        out[...] = X[rows]
        return out

    def product(self, A: Array, B: Array, out: Array) -> Array:
        out[...] = A @ B
        return out

    def add_product(self, W: Array, A: Array, B: Array, scale: float) -> Array:
        W += scale * (A.T @ B)
        return W

    def add_gram(self, G: Array, A: Array, scale: float) -> Array:
        G += scale * (A.T @ A)
        return G

    def principal_axes(self, G: Array) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(G)
        return values.view(Array), vectors.view(Array)

    def orthonormal(self, A: Array) -> tuple[Array, Array]:
        Q, R = np.linalg.qr(A)
        return Q.view(Array), R.view(Array)

    def products(self, precision: Precision) -> tuple[Callable[..., Array], Callable[..., Array]]:
        return self.product, self.add_product

    def capture(self, step: Callable[..., None], batch_size: int, idle: np.ndarray, device: str) -> Callable[..., None]:
        return step


BACKEND: Backend = _Toy()
