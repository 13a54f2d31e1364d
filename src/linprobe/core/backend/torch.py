"""Torch's tensors, on the processor and on CUDA devices; no other file knows torch."""

# ruff: noqa: ARG002 - what other libraries have to be told

import importlib
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from linprobe.core.backend.protocol import Array, Backend, Precision, Product, Sum
from linprobe.errors import require

__all__ = ["BACKEND"]

torch = require("torch", "torch")
xp = importlib.import_module("array_api_compat.torch")

REDUCTIONS = {xp.add: xp.sum, xp.maximum: xp.max}

# Pinning takes time and is for what goes to the device step after step, not for the data that goes there once.
PINNED_BYTES = 2**24


class _Torch:
    namespace = xp

    def available(self, device: str) -> bool:
        return device != "cuda" or torch.cuda.is_available()

    def device_of(self, array: Array) -> str:
        return array.device.type

    def room_for(self, array: Array, device: str) -> bool:
        return device != "cuda" or array.nbytes <= torch.cuda.mem_get_info()[0] // 2

    def move(self, array: Array, device: str) -> Array:
        return array.to(device)

    def from_numpy(self, array: np.ndarray, device: str) -> Array:
        with warnings.catch_warnings():
            # Torch knows no read-only tensors, and says so; the data of a search is read-only, and never written to.
            warnings.simplefilter("ignore", UserWarning)
            tensor = torch.from_numpy(np.ascontiguousarray(array))
        if device != "cuda" or array.nbytes > PINNED_BYTES:
            return tensor.to(device)
        # What is copied out of pinned memory while the device works does not wait for it.
        return tensor.pin_memory().to(device, non_blocking=True)

    def to_numpy(self, array: Array) -> np.ndarray:
        array = array.detach().cpu()
        return (array.float() if array.dtype == torch.bfloat16 else array).numpy()  # NumPy has no bfloat16

    @contextmanager
    def quiet(self) -> Generator[None]:
        # NumPy's too, which does the host's part of a step; and not torch's inference_mode: what is made there could
        # never be changed in place by whom it is handed to.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"), torch.no_grad():
            yield

    def one_thread(self) -> AbstractContextManager[Any]:
        return nullcontext()  # its products are on its own threads, and a device has none

    def laid_as(self, like: Array, values: Array) -> Array:
        return values

    def exp_(self, array: Array) -> Array:
        return array.exp_()

    def cap_(self, array: Array, highest: float) -> Array:
        # The standard's minimum would carry the number to the device at each call, and wait for it.
        return array.clamp_(max=highest)

    def reduction(self, operation: Callable[..., Array]) -> Callable[..., Array]:
        return REDUCTIONS[operation]

    def take_rows(self, X: Array, rows: Array, out: Array) -> Array:
        return torch.index_select(X, 0, rows, out=out)

    def product(self, A: Array, B: Array, out: Array) -> Array:
        return torch.mm(A, B, out=out)

    def add_product(self, W: Array, A: Array, B: Array, scale: float) -> Array:
        return W.addmm_(A.T, B, alpha=scale)

    def add_gram(self, G: Array, A: Array, scale: float) -> Array:
        return G.addmm_(A.T, A, alpha=scale)

    def principal_axes(self, G: Array) -> tuple[Array, Array]:
        values, vectors = torch.linalg.eigh(G)
        return values, vectors.contiguous()

    def orthonormal(self, A: Array) -> tuple[Array, Array]:
        Q, R = torch.linalg.qr(A)
        return Q.contiguous(), R.contiguous()

    def products(self, precision: Precision) -> tuple[Product, Sum]:
        return (_rounded_product, _add_rounded_product) if precision == "bfloat16" else (self.product, self.add_product)

    def capture(self, step: Callable[..., None], batch_size: int, idle: np.ndarray, device: str) -> Callable[..., None]:
        return _Graphs(step, batch_size, idle) if device == "cuda" else step


def _rounded_product(A: Array, B: Array, out: Array) -> Array:
    """A @ B into `out`, factors and result rounded to bfloat16."""
    return out.copy_(A.to(torch.bfloat16) @ B.to(torch.bfloat16))


def _add_rounded_product(W: Array, A: Array, B: Array, scale: float) -> Array:
    """W += scale · Aᵀ B in place, the factors and their product rounded to bfloat16."""
    return W.add_(A.to(torch.bfloat16).T @ B.to(torch.bfloat16), alpha=scale)


class _Graphs:
    """One CUDA graph for steps that rescale and one for others; both read their input from the same memory."""

    def __init__(self, step: Callable[..., None], batch_size: int, idle: np.ndarray) -> None:
        self.step, self.graphs = step, {}
        self.rows = BACKEND.from_numpy(np.zeros(batch_size, np.int64), "cuda")
        self.table, self.idle = BACKEND.from_numpy(idle, "cuda"), BACKEND.from_numpy(idle, "cuda")

    def __call__(self, rows: Array, table: Array, rescale: bool) -> None:
        if rescale not in self.graphs:
            self.graphs[rescale] = self._record(rescale)
        self.rows.copy_(rows)
        self.table.copy_(table)
        self.graphs[rescale].replay()

    def _record(self, rescale: bool) -> Any:
        cuda = torch.cuda
        self.table.copy_(self.idle)
        # Libraries set themselves up in a first call, which a graph must not contain.
        stream = cuda.Stream()
        stream.wait_stream(cuda.current_stream())
        with cuda.stream(stream):
            for _ in range(2):
                self.step(self.rows, self.table, rescale)
        cuda.current_stream().wait_stream(stream)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            self.step(self.rows, self.table, rescale)
        return graph


BACKEND: Backend = _Torch()
