"""What is computed of rows, chunk by chunk: a term says what one chunk brings, and `Sums` adds that up.

A term is a function of a `Chunk`, or a small frozen dataclass that is called with one, of what can be sent elsewhere.
What it returns is a tuple: of sums, arrays or `Addend`s, or of results for each of the chunk's rows.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from linprobe.core.backend import Array, add_gram, add_product, is_sparse, namespace, product

__all__ = [
    "FLUSH_ROWS",
    "Addend",
    "Chunk",
    "Gram",
    "Outer",
    "OuterOfSome",
    "PerRow",
    "Room",
    "Sums",
    "Term",
    "TermOfRows",
    "Weighs",
]

# Products add up in the dtype of their factors over so many rows, then in float64: often enough that sums of float32
# keep their digits, seldom enough that adding a matrix of the size of W costs nothing beside the products.
FLUSH_ROWS = 2**15


FEW_HEADS = 10  # below so many, a loss takes less time along rows; with one head, two thirds of it


class Room:
    """Memory of a chunk's size, which one chunk after the other computes in."""

    def __init__(self, size: int, like: Array) -> None:
        self._size, self._like, self._arrays = size, like, dict[tuple[int, ...], Array]()

    def empty(self, rows: int, shape: tuple[int, ...], *, rows_last: bool = False) -> Array:
        """An array (rows, *shape), rows <= size: of these shapes the same memory each time.

        rows_last: so that numbers of neighbouring rows lie side by side.
        """
        if shape not in self._arrays:
            like, count = self._like, self._size * math.prod(shape)
            self._arrays[shape] = namespace(like).empty((count,), dtype=like.dtype, device=like.device)
        part = self._arrays[shape][: rows * math.prod(shape)]
        return (part.reshape(math.prod(shape), rows).T if rows_last else part).reshape(rows, *shape)


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """Some rows, with what was asked for beside them: their numbers, X (m, D), labels (m,), weights (m, ...).

    X is of the dtype of `like` and on its device, a CSR matrix where the rows are sparse, and must not be written to.
    """

    rows: slice | np.ndarray
    X: Array
    labels: Array
    weights: Array
    room: Room

    def __len__(self) -> int:
        return self.X.shape[0]

    @property
    def dense(self) -> Array:
        """X with all of its zeros."""
        return self.X.toarray() if is_sparse(self.X) else self.X

    def empty(self, *shape: int) -> Array:
        """An array (m, *shape) to compute in, of the dtype of `like`. The next chunk gets the same memory."""
        return self.room.empty(len(self), shape)

    def scores(self, W: Array, b: Array | None, shape: tuple[int, int]) -> Array:
        """X W + b (m, K, H), for W (D, K·H) of the dtype of `like`, b (K, H) or None, and shape (K, H).

        Of few heads, the scores of one class and head lie side by side. The next chunk gets the same memory.
        """
        # Not in double precision: there rows are added one after the other, as a product adds them, so that the slopes
        # in the weights and in the bias cancel, of features that are all but constant, to the last bit.
        rows_last = shape[1] < FEW_HEADS and W.dtype == np.float32
        found = self.room.empty(len(self), shape, rows_last=rows_last)
        product(self.X, W, found.reshape(len(self), W.shape[1]))
        if b is not None:
            found += b
        return found


class Addend(ABC):
    """What a chunk adds to a sum in place, where an array of the sum's size would cost too much."""

    flushed: ClassVar[bool]  # whether the sum is moved on to one in float64 every FLUSH_ROWS

    @abstractmethod
    def zeros(self) -> Array:
        """The sum over no rows."""

    @abstractmethod
    def add_to(self, total: Array) -> None:
        """Add what the chunk brings."""


@dataclass(frozen=True, eq=False)
class Outer(Addend):
    """leftᵀ right, of left (m, k), dense or sparse, and right (m, n), one floating type; summed in float64."""

    flushed: ClassVar[bool] = True

    left: Array
    right: Array

    def zeros(self) -> Array:  # noqa: D102
        right, shape = self.right, (self.left.shape[1], self.right.shape[1])
        return namespace(right).zeros(shape, dtype=right.dtype, device=right.device)

    def add_to(self, total: Array) -> None:  # noqa: D102
        add_product(total, self.left, self.right, 1.0)

    def product(self) -> Array:
        """What it adds, as an array of its own."""
        return add_product(self.zeros(), self.left, self.right, 1.0)


@dataclass(frozen=True, eq=False)
class OuterOfSome(Addend):
    """The same, of some of the columns of a sum (k, width), numbered by columns (n,); the others get nothing."""

    flushed: ClassVar[bool] = True

    left: Array
    right: Array
    columns: Array
    width: int

    def zeros(self) -> Array:  # noqa: D102
        right, shape = self.right, (self.left.shape[1], self.width)
        return namespace(right).zeros(shape, dtype=right.dtype, device=right.device)

    def add_to(self, total: Array) -> None:  # noqa: D102
        whole = self.zeros()  # to set columns takes a sixth of the time of adding to them
        whole[:, self.columns] = Outer(self.left, self.right).product()
        total += whole


@dataclass(frozen=True, eq=False)
class Gram(Addend):
    """ofᵀ of, of dense rows (m, k) in C order, summed in their own type; of NumPy arrays the lower triangle alone.

    Not in float64: what is made of it tells which way to go, not where one arrives, and a second matrix of its size is
    more than many a problem has memory for.
    """

    flushed: ClassVar[bool] = False

    of: Array

    def zeros(self) -> Array:  # noqa: D102
        of, k = self.of, self.of.shape[1]
        return namespace(of).zeros((k, k), dtype=of.dtype, device=of.device)

    def add_to(self, total: Array) -> None:  # noqa: D102
        add_gram(total, self.of)


# What is computed of a chunk: arrays and addends that have one shape for all chunks, or arrays with a row for each row.
Term = Callable[[Chunk], Sequence[Array | Addend]]
TermOfRows = Callable[[Chunk], Sequence[Array]]


class Weighs(Protocol):
    """What rows count, made for some of them when they are asked for, as `Weights` does."""

    def of(self, rows: slice | np.ndarray) -> Array:
        """Of some rows (m, ...), by number."""
        ...

    def on(self, device: str) -> "Weighs":
        """The same on a device."""
        ...

    @property
    def by_row(self) -> tuple[Array | None, ...]:
        """What of it belongs to rows, arrays (n, ...): all that has to be where these are."""
        ...

    def with_rows(self, by_row: tuple[Array | None, ...]) -> "Weighs":
        """The same for other rows, by what belongs to them, as `by_row` has it."""
        ...


class PerRow(Protocol):
    """Results for each row, which stay where the rows live until some are asked for: an array, where that is here."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all of them, rows first."""
        ...

    def __getitem__(self, rows: slice | np.ndarray) -> Array:
        """Those of some rows, here."""
        ...


class Sums:
    """What chunks bring, of at most so many rows each, added up; the sums of several may be added up again."""

    def __init__(self, size: int) -> None:
        self._size, self._rows, self._sums = size, 0, list[Array]()
        self._partial = dict[int, Array]()

    def add(self, brought: Sequence[Array | Addend], rows: int) -> None:
        """Add what a term has made of a chunk of so many rows."""
        if not self._sums:
            for place, part in enumerate(brought):
                self._begin(place, part)
        for place, part in enumerate(brought):
            if isinstance(part, Addend):
                part.add_to(self._partial.get(place, self._sums[place]))
            else:
                self._sums[place] += part
        self._rows += rows
        if self._rows + self._size > FLUSH_ROWS:
            self._flush()
            for partial in self._partial.values():
                partial[...] = 0

    def total(self) -> tuple[Array, ...]:
        """The sums, in the order in which the term returns them; nothing can be added any more."""
        self._flush()
        self._partial.clear()
        return tuple(self._sums)

    def _begin(self, place: int, part: Array | Addend) -> None:
        if isinstance(part, Addend):
            shaped = part.zeros()
            if not part.flushed:
                self._sums.append(shaped)
                return
            self._partial[place] = shaped
        else:
            shaped = part
        xp = namespace(shaped)
        self._sums.append(xp.zeros(shaped.shape, dtype=xp.float64, device=shaped.device))

    def _flush(self) -> None:
        if self._rows:
            for place, partial in self._partial.items():
                self._sums[place] += partial
        self._rows = 0
