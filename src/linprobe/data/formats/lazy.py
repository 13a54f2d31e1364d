"""Arrays that NumPy can't map from their file as they are: their rows are read, or widened, when they are asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from linprobe.data.formats.entries import Entry, array_of

__all__ = ["Lazy", "bfloat16_entry", "in_order", "lazy_entry"]


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

    def astype(self, dtype: np.typing.DTypeLike, *, copy: bool = True) -> "Lazy":
        """The same in another type, which rows are given when they are read."""
        del copy  # of rows, as they are read
        kind = np.dtype(dtype)
        return Lazy(self.shape, kind, lambda rows: self._read(rows).astype(kind, copy=False))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, for what asks for all at once."""
        del copy  # it always is one
        return self._read(slice(None)).astype(dtype or self.dtype, copy=False)


def in_order(shape: tuple[int, ...], dtype: np.dtype, parts: Callable[[], Iterator[np.ndarray]]) -> Lazy:
    """An array (n, *shape) that comes in parts, one behind the other, of which no more is held than the last one.

    Rows before those that were read last are read again from the beginning.
    """
    coming = parts()
    held, first = np.empty((0, *shape[1:]), dtype), 0  # the part that was read last, and its first row

    def read(rows: slice | np.ndarray) -> np.ndarray:
        nonlocal coming, held, first
        if not isinstance(rows, slice):
            low, high = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
            return read(slice(low, high))[rows - low]
        low, high, step = rows.indices(shape[0])
        found, at = np.empty((max(0, high - low), *shape[1:]), dtype), low
        if low < min(high, first):
            coming, held, first = parts(), held[:0], 0
        while at < high:
            if at >= first + len(held):
                first, held = first + len(held), next(coming)
                continue
            piece = held[at - first : high - first]
            found[at - low : at - low + len(piece)] = piece
            at += len(piece)
        return found[::step]

    return Lazy(shape, dtype, read)


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
