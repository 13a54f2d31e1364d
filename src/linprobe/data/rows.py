"""Examples that are never asked for all at once: chosen, and prepared, when they are read, part by part."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from linprobe.core.backend import Array, device_of, is_sparse, move, namespace, room_for, row_chunks, widened
from linprobe.data.terms import Chunk, PerRow, Room, Sums, Term, TermOfRows, Weighs
from linprobe.errors import IncompatibleError

__all__ = ["Prepares", "Rows", "StoredRows", "chosen", "rows_of"]

CHUNK_ROWS = 1024  # at a time, where all are read into memory


class Prepares(Protocol):
    """What is done to examples X (n, *shape) -> rows (n, D) of the type of the mean, each for itself."""

    @property
    def mean(self) -> np.ndarray: ...  # noqa: D102

    def apply(self, X: Array, /) -> Array: ...  # noqa: D102


class Rows(ABC):
    """Examples, wherever they are. What is computed of them is asked for by `reduce` and `map`.

    shape and dtype are those of the array that they stand for. Another place where rows can be, such as many
    machines, is another class, which computes a term where they are.
    """

    shape: Any  # (n, D), or of examples that are no rows yet (n, *shape)
    dtype: Any
    elsewhere: ClassVar[bool] = False  # whether reading some moves them here from another machine

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def values(self) -> int:
        """How many numbers are stored: all, or those of sparse rows that are not zero."""
        return math.prod(self.shape)

    @abstractmethod
    def read(self, rows: slice | np.ndarray, like: Array | None = None) -> Array:
        """Some of them, by number, as they are, or in the dtype of `like` and on its device: an array or a CSR matrix.

        It may be the memory of what they are read from.
        """

    def on(self, device: str) -> "Rows":
        """The same, kept on a device where it has room for them."""
        del device
        return self

    def reduce(
        self,
        term: Term,
        like: Array | None,
        *,
        size: int,
        labels: Array | None = None,
        weights: Weighs | Array | None = None,
        rows: np.ndarray | None = None,
    ) -> tuple[Array, ...]:
        """The sums over all chunks of what a term makes of one: arrays in float64, addends as they say.

        like: the dtype and the device of a chunk, as the rows are unless given; size: the most rows of a chunk; labels
        (n,) and weights, (n, ...) or such as Weights, that it has beside them; rows (m,): the numbers of those that
        count, all unless given.
        """
        sums = Sums(size)
        for _, chunk in self._chunks(like, size, labels, weights, rows):
            sums.add(term(chunk), len(chunk))
        return sums.total()

    def map(
        self,
        term: TermOfRows,
        like: Array | None,
        *,
        size: int,
        labels: Array | None = None,
        weights: Weighs | Array | None = None,
        rows: np.ndarray | None = None,
    ) -> tuple[PerRow, ...]:
        """What a term makes of each row, arrays (m, ...) of every chunk of m rows, one after the other; all else is as
        in `reduce`.
        """
        n, found = len(self) if rows is None else len(rows), list[Array]()
        for place, chunk in self._chunks(like, size, labels, weights, rows):
            parts = term(chunk)
            if not found and len(chunk) == n:
                return tuple(parts)
            if not found:
                shapes = [(part, (n, *part.shape[1:])) for part in parts]
                found = [namespace(part).empty(of, dtype=part.dtype, device=part.device) for part, of in shapes]
            for of_all, part in zip(found, parts, strict=True):
                of_all[place] = part
        return tuple(found)

    def _chunks(
        self,
        like: Array | None,
        size: int,
        labels: Array | None,
        weights: Weighs | Array | None,
        rows: np.ndarray | None,
    ) -> Iterator[tuple[slice, Chunk]]:
        """Chunks in order, each with its place among the rows that are asked for; an empty one where there are none."""
        n, borders = len(self) if rows is None else len(rows), getattr(weights, "borders", ()) if rows is None else ()
        device = _device_of(self.read(slice(0, 0)) if like is None else like)
        room = Room(min(n, size), like)
        of = getattr(weights, "of", None)
        if weights is not None and of is not None:
            of = weights.on(device).of
        for place in row_chunks(n, size, borders) if n else (slice(0, 0),):
            which = place if rows is None else rows[place]
            yield (
                place,
                Chunk(
                    which,
                    self.read(which, like),
                    _some(labels, which, device),
                    _some(weights, which, device) if of is None else of(which),
                    room,
                ),
            )


def rows_of(X: Any) -> Rows:
    """Rows, of an array of any library or a CSR matrix, or as they are."""
    return X if isinstance(X, Rows) else StoredRows(X)


class StoredRows(Rows):
    """Some examples of an array, which may lie in a file, in any order, and prepared if so asked.

    It has the shape and the type of the array that it stands for, gives any of its rows as one, and holds none of them:
    neither taking some of them nor preparing them reads anything.

    Parameters
    ----------
    source : array (n, *shape)
        In memory, mapped from a file, on a device, or a CSR matrix.
    places : slice, or array (m,) of indices or (n,) of booleans
        Which of its rows, in this order; all unless given.
    preparation : optional
        Makes of examples, as they are read, rows (m, D).
    """

    def __init__(
        self, source: Array, places: slice | np.ndarray = slice(None), preparation: Prepares | None = None
    ) -> None:
        self._source, self._preparation = source, preparation
        self._places = chosen(slice(0, source.shape[0], 1), places)
        size = len(range(source.shape[0])[self._places]) if isinstance(self._places, slice) else len(self._places)
        self.shape = (size, *(source.shape[1:] if preparation is None else preparation.mean.shape))
        self.dtype = source.dtype if preparation is None else preparation.mean.dtype
        self.ndim = len(self.shape)

    @property
    def values(self) -> int:  # noqa: D102
        if not is_sparse(self._source) or not self._source.shape[0]:
            return math.prod(self.shape)
        return self._source.nnz * len(self) // self._source.shape[0]

    @property
    def nbytes(self) -> int:
        """What they take when they are read."""
        return self.values * self.dtype.itemsize

    def read(self, rows: slice | np.ndarray, like: Array | None = None) -> Array:  # noqa: D102
        part: Array = self[rows]
        if like is None:
            return part
        if is_sparse(part):
            return part.astype(like.dtype, copy=False)
        if isinstance(part, np.ndarray) and isinstance(like, np.ndarray) and like.dtype == np.float32:
            return widened(part)
        return namespace(like).astype(move(part, device_of(like)), like.dtype, copy=False)

    def on(self, device: str) -> Rows:
        """The same, kept on a device where it has room for them; raises IncompatibleError for sparse rows."""
        if device == "numpy":
            return self
        if is_sparse(self._source):
            raise IncompatibleError(
                "X is a sparse matrix, which only NumPy's products take; use the CPU, or X.toarray()"
            )
        if not room_for(self, device):
            return self
        if self._preparation is None and isinstance(self._places, slice) and len(self) == self._source.shape[0]:
            return StoredRows(move(self._source, device), self._places)
        if device != "cuda":  # which is this memory, and would hold a copy
            return self
        (found,) = self.map(_themselves, move(np.zeros(0, self.dtype), device), size=CHUNK_ROWS)
        return StoredRows(found)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """These rows as an array, indexed as one is: by a slice, an index, or an array of indices or booleans first."""
        if isinstance(rows, tuple):
            rows, *rest = rows
            return self[rows][tuple(rest) if isinstance(rows, int | np.integer) else (slice(None), *rest)]
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        part = self._source[chosen(self._places, rows)]
        return part if self._preparation is None else self._preparation.apply(part)

    def __array__(self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All of them, for what asks for all at once."""
        del copy  # it always is one
        return self._here().astype(dtype or self.dtype, copy=False)

    def take(self, rows: slice | np.ndarray) -> Self:
        """Some of them, in the order asked for."""
        return type(self)(self._source, chosen(self._places, rows), self._preparation)

    def followed_by(self, other: "StoredRows") -> Self:
        """These and then others of the same source."""
        one, two = self._places, other._places
        if isinstance(one, slice) and isinstance(two, slice) and (one.stop, one.step, two.step) == (two.start, 1, 1):
            return type(self)(self._source, slice(one.start, two.stop), self._preparation)
        return type(self)(self._source, np.concatenate([self.places(), other.places()]), self._preparation)

    def places(self) -> np.ndarray:
        """Which rows of the source they are (n,)."""
        return np.arange(self._source.shape[0])[self._places] if isinstance(self._places, slice) else self._places

    def prepared(self, preparation: Prepares) -> Self:
        """The same, prepared as they are read."""
        return type(self)(self._source, self._places, preparation)

    def kept(self) -> "np.ndarray | StoredRows":
        """All of them, read once, in memory of their own, where they are computed with."""
        return self._here()

    def _here(self) -> np.ndarray:
        found = np.empty(self.shape, self.dtype)
        for rows in row_chunks(len(self), CHUNK_ROWS):
            found[rows] = self[rows]
        return found


def _themselves(chunk: Chunk) -> tuple[Array]:
    return (chunk.X,)


def _device_of(array: Array) -> str:
    return "numpy" if is_sparse(array) else device_of(array)


def _some(numbers: Array | None, rows: slice | np.ndarray, device: str) -> Array:
    """Numbers of some rows, on a device."""
    if numbers is None:
        return None
    return move(numbers[rows if isinstance(rows, slice) else move(rows, device_of(numbers))], device)


def chosen(places: slice | np.ndarray, rows: Any) -> slice | np.ndarray:
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
        rows = rows.astype(np.int64, copy=False)  # of fewer bits, a place further on might be another
        outside, rows = (
            bool(((rows < -len(every)) | (rows >= len(every))).any()),
            np.where(rows < 0, rows + len(every), rows),
        )
    if outside:  # the source has more rows, which are none of these
        raise IndexError(f"there are {len(every)} rows, and one beyond them was asked for")
    return rows * every.step + every.start
