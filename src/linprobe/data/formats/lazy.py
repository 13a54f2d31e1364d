"""Arrays that NumPy can't map from their file as they are: their rows are read, or widened, when they are asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from linprobe.data.formats.entries import Entry, array_of

__all__ = ["Lazy", "bfloat16_entry", "lazy_entry"]


class Lazy:
    """An array (n, *shape) whose rows a function reads, given a slice or their numbers: a source for `Rows`."""

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype, read: Callable[[slice | np.ndarray], np.ndarray]
    ) -> None:
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """These rows, as an array."""
        return self._read(rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, for what asks for all at once."""
        del copy  # it always is one
        return self._read(slice(None)).astype(dtype or self.dtype, copy=False)


def lazy_entry(
    name: str,
    place: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    read: Callable[[slice | np.ndarray], np.ndarray],
) -> Entry:
    """An entry whose rows are read when they are asked for, in the form that examples have."""

    def form(part: np.ndarray) -> np.ndarray:
        return array_of(Entry(name, place, shape, dtype, lambda: part))

    def load() -> Any:
        if len(shape) < 2:
            return read(slice(None))
        one = form(np.empty((0, *shape[1:]), dtype))  # refuses what can't be features, unread
        return Lazy((shape[0], *one.shape[1:]), one.dtype, lambda rows: form(read(rows)))

    return Entry(name, place, shape, dtype, load)


def bfloat16_entry(name: str, place: str, shape: tuple[int, ...], bits: Callable[[], np.ndarray]) -> Entry:
    """An entry of bfloat16, which NumPy does not have, as float32: `bits` gives the same as uint16, where they lie."""

    def read(rows: slice | np.ndarray) -> np.ndarray:
        wide = bits()[rows].astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)

    return lazy_entry(name, place, shape, np.dtype(np.float32), read)
