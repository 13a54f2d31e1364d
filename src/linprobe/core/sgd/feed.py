"""Rows that are not in memory, read for a stack window by window as its batches come to them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linprobe.core.backend import row_chunks

__all__ = ["Feed", "Streamed", "feed_bytes", "window_rows"]

# Numbers of the rows that are shuffled among each other: the same whatever memory there is, so that a seed has the same
# bits with more of it. They are of so many blocks from anywhere in the data, which may come sorted by class: then a
# window has each class in its share but for chance, and of 16 blocks that cost a hundredth of accuracy.
WINDOW, BLOCKS = 2**23, 128
READ_ROWS = 1024  # at a time


@dataclass(frozen=True, eq=False)
class Streamed:
    """Rows of this shape (n, D) and floating type that lie elsewhere; read: gives some of them, by ascending number."""

    shape: tuple[int, int]
    dtype: np.dtype
    read: Callable[[np.ndarray], np.ndarray]


def window_rows(features: int, batch: int) -> int:
    """How many rows are shuffled among each other."""
    return max(batch, WINDOW // max(1, features))


def feed_bytes(shape: tuple[int, int], batch: int, itemsize: int) -> int:
    """Memory that reading rows (n, D) takes: those of a window, and of the one before what is not drawn yet."""
    n, features = shape
    return _most(shape, batch) * (features * itemsize + 3 * 8) + 8 * n // _block(features, batch)


class Feed:
    """The rows that batches come to, held from when they are first asked for until no batch asks for them any more."""

    def __init__(self, source: Streamed, batch: int) -> None:
        self._source = source
        self.window = window_rows(source.shape[1], batch)
        self.block = _block(source.shape[1], batch)
        self._room = np.empty((_most(source.shape, batch), source.shape[1]), source.dtype)
        self.numbers = np.empty(0, np.int64)  # of the rows that are held, ascending

    @property
    def rows(self) -> np.ndarray:
        """Those that are held (m, D), in the order of their numbers."""
        return self._room[: len(self.numbers)]

    def bring(self, asked: np.ndarray, ahead: np.ndarray) -> bool:
        """Hold the rows that are asked for, and those that are drawn ahead; whether that meant to read."""
        if np.isin(asked, self.numbers).all():
            return False
        self.numbers = np.unique(np.concatenate([asked.reshape(-1), ahead]))
        for part in row_chunks(len(self.numbers), READ_ROWS):
            self._room[part] = self._source.read(self.numbers[part])
        return True

    def places(self, asked: np.ndarray) -> np.ndarray:
        """Where among the rows that are held these are."""
        return np.searchsorted(self.numbers, asked)


def _block(features: int, batch: int) -> int:
    return -(-window_rows(features, batch) // BLOCKS)


def _most(shape: tuple[int, int], batch: int) -> int:
    """The most rows that are held: a window that is begun, what is left of the last, and the batch between them."""
    return min(shape[0], 2 * window_rows(shape[1], batch) + batch)
