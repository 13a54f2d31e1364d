"""Examples that are never asked for all at once: chosen, and prepared, when they are read, part by part."""

from typing import Any, Protocol

import numpy as np

from linprobe.core.backend import Array, row_chunks

__all__ = ["Prepares", "Rows"]

CHUNK_ROWS = 1024  # at a time, where all are read into memory


class Prepares(Protocol):
    """What is done to examples X (n, *shape) -> rows (n, D) float32, each for itself."""

    @property
    def mean(self) -> np.ndarray: ...  # noqa: D102

    def apply(self, X: np.ndarray, /) -> np.ndarray: ...  # noqa: D102


class Rows:
    """Some examples of an array, which may lie in a file, in any order, and prepared if so asked.

    It has the shape and the type of the array that it stands for, gives any of its rows as one, and holds none of them:
    neither taking some of them nor preparing them reads anything.

    Parameters
    ----------
    source : array (n, *shape)
        In memory, or mapped from a file.
    places : slice, or array (m,) of indices or (n,) of booleans
        Which of its rows, in this order; all unless given.
    preparation : optional
        Makes of examples, as they are read, rows (m, D) float32.
    """

    def __init__(
        self, source: Array, places: slice | np.ndarray = slice(None), preparation: Prepares | None = None
    ) -> None:
        self._source, self._preparation = source, preparation
        self._places = _of(slice(0, len(source), 1), places)
        size = len(range(len(source))[self._places]) if isinstance(self._places, slice) else len(self._places)
        self.shape = (size, *(source.shape[1:] if preparation is None else preparation.mean.shape))
        self.dtype = source.dtype if preparation is None else np.dtype(np.float32)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """These rows as an array, indexed as one is: by a slice, an index, or an array of indices or booleans first."""
        if isinstance(rows, tuple):
            rows, *rest = rows
            return self[rows][tuple(rest) if isinstance(rows, int | np.integer) else (slice(None), *rest)]
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        part = self._source[_of(self._places, rows)]
        return part if self._preparation is None else self._preparation.apply(part)

    def __array__(self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All of them, for what asks for all at once."""
        del copy  # it always is one
        return self.kept().astype(dtype or self.dtype, copy=False)

    def take(self, rows: slice | np.ndarray) -> "Rows":
        """Some of them, in the order asked for."""
        return Rows(self._source, _of(self._places, rows), self._preparation)

    def followed_by(self, other: "Rows") -> "Rows":
        """These and then others of the same source."""
        one, two = self._places, other._places
        if isinstance(one, slice) and isinstance(two, slice) and (one.stop, one.step, two.step) == (two.start, 1, 1):
            return Rows(self._source, slice(one.start, two.stop), self._preparation)
        return Rows(self._source, np.concatenate([self.places(), other.places()]), self._preparation)

    def places(self) -> np.ndarray:
        """Which rows of the source they are (n,)."""
        return np.arange(len(self._source))[self._places] if isinstance(self._places, slice) else self._places

    def prepared(self, preparation: Prepares) -> "Rows":
        """The same, prepared as they are read."""
        return Rows(self._source, self._places, preparation)

    def kept(self) -> np.ndarray:
        """All of them, read once, in memory of their own."""
        found = np.empty(self.shape, self.dtype)
        for rows in row_chunks(len(self), CHUNK_ROWS):
            found[rows] = self[rows]
        return found


def _of(places: slice | np.ndarray, rows: Any) -> slice | np.ndarray:
    """Some of the places, as rows of the source: a slice of a slice is one, all else an array of indices."""
    if isinstance(places, np.ndarray):
        return places[rows]
    every = range(places.start, places.stop, places.step)
    if isinstance(rows, slice):
        part = every[rows]
        return slice(part.start, part.stop, part.step) if part.step > 0 else np.array(part, np.int64)
    rows = np.asarray(rows)
    if rows.dtype == bool:
        outside, rows = len(rows) != len(every), np.flatnonzero(rows)
    else:
        outside, rows = (
            bool(((rows < -len(every)) | (rows >= len(every))).any()),
            np.where(rows < 0, rows + len(every), rows),
        )
    if outside:  # the source has more rows, which are none of these
        raise IndexError(f"there are {len(every)} rows, and one beyond them was asked for")
    return rows * every.step + every.start
