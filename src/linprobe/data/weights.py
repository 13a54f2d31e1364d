"""What every example counts for every head, made for some of the examples when it is asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

import numpy as np

from linprobe.core.backend import Array, device_of, move, to_numpy
from linprobe.errors import UsageError

__all__ = ["ClassWeight", "Weights", "balanced", "in_training"]

ClassWeight = Literal["balanced"]


def balanced(y: np.ndarray, classes: int, own: np.ndarray | None = None) -> np.ndarray:
    """What every example counts (n,) float64 if each class that has some counts the same, with a mean of 1.

    y (n,), int in [0, classes); own (n,): what it counts within its class. As scikit-learn's class_weight="balanced".
    """
    share = np.bincount(y, own, classes).astype(np.float64)
    of_class = np.divide(1, share, out=np.zeros(classes), where=share > 0)[y]
    found = of_class if own is None else of_class * own
    return found * (len(y) / found.sum())


def in_training(
    y: np.ndarray, classes: int, own: np.ndarray | None, class_weight: ClassWeight | None
) -> np.ndarray | None:
    """What every example counts (n,) where a model is trained on all of them; None where all count 1."""
    return own if class_weight is None else balanced(y, classes, own)


@dataclass(frozen=True, eq=False)
class Weights:
    """A few numbers for each example, and none for each example and head.

    Example i counts own[i] · table[part[i], column[h]] for head h, with a mean of 1 for every head. Folds, draws and
    class weights are parts: examples of one part count alike, but for their own weights.

    own (n,) float64, or None where it is 1; part (n,) int; table (P, S) float64; column (H,) int, in [0, S): heads of
    one column see the same weighted examples. borders: the first example of every part but the first, where each part's
    examples follow one another and are read apart from the others'; else empty.
    """

    own: Array | None
    part: Array
    table: Array
    column: np.ndarray
    borders: tuple[int, ...] = ()

    @classmethod
    def read(cls, sample_weight: "Array | Weights | None", n: int, heads: int) -> "Weights | None":
        """Weights of n examples and so many heads, from what a caller gave; None where all count 1.

        Raises UsageError for those of other examples or heads, and as `of_array` does.
        """
        if sample_weight is None:
            return None
        if not isinstance(sample_weight, Weights):
            return cls.of_array(sample_weight, n, heads)
        if (len(sample_weight), sample_weight.heads) != (n, heads):
            found = f"{len(sample_weight):,} rows and {sample_weight.heads} heads"
            raise UsageError(f"sample_weight is of {found}; {n:,} rows and {heads} heads need their own")
        return sample_weight

    @classmethod
    def of_array(cls, sample_weight: Array, n: int, heads: int) -> "Weights":
        """From numbers (n,), the same for all heads, or (n, H). Raises UsageError for other shapes and values."""
        given = np.array(to_numpy(sample_weight), np.float64)  # a copy, which becomes the table
        if given.shape not in ((n,), (n, heads)):
            raise UsageError(f"sample_weight has the shape {given.shape}; {n} rows need {(n,)} or {(n, heads)}")
        if given.ndim == 1:
            return cls._made(given, np.zeros(n, np.uint8), np.ones((1, 1)), np.zeros(heads, int))
        return cls._made(None, np.arange(n), given, np.arange(heads))

    @classmethod
    def of_parts(
        cls, part: np.ndarray, table: np.ndarray, column: np.ndarray | None = None, own: np.ndarray | None = None
    ) -> "Weights":
        """From its parts; one head for each column of the table unless given. Raises UsageError as `of_array` does."""
        heads = np.arange(table.shape[1]) if column is None else np.asarray(column)
        return cls._made(None if own is None else np.array(own, np.float64), part, np.array(table, np.float64), heads)

    @classmethod
    def of_columns(cls, columns: Iterable[np.ndarray], own: np.ndarray | None) -> "Weights":
        """From what every example counts for one head after the other, each (n,), of which only one is held at a time.

        own (n,), or None for 1: the fewer values there are of a column divided by it, the fewer parts.
        """
        part, values = np.zeros(1, int), []
        for column in columns:
            ratio = column if own is None else np.divide(column, own, out=np.zeros(len(own)), where=own > 0)
            # Divided by own, what was own times a number differs from it by rounding.
            known, which = np.unique(ratio if own is None else ratio.astype(np.float32), return_inverse=True)
            pairs, first, part = np.unique(part * len(known) + which, return_index=True, return_inverse=True)
            values = [of_parts[pairs // len(known)] for of_parts in values]
            values.append(ratio[first])
        return cls.of_parts(part, np.stack(values, axis=1), own=own)

    @classmethod
    def _made(cls, own: np.ndarray | None, part: np.ndarray, table: np.ndarray, column: np.ndarray) -> "Weights":
        """With a mean of 1 for every head; own and table are overwritten."""
        for numbers in (table,) if own is None else (own, table):
            if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
                raise UsageError("sample_weight has a value that is negative or not finite; weights must be 0 or more")
        largest = table.max(axis=0)
        table /= np.where(largest > 0, largest, 1)  # or the sum of huge ones would be infinite
        if own is not None and own.max() > 0:
            own /= own.max()
        mean = _totals(np.bincount(part, own, len(table)), table) / len(part)
        if not (mean > 0).all():
            raise UsageError("sample_weight is 0 for all examples of a head; every head needs a weighted example")
        table /= mean
        known: dict[bytes, int] = {}
        digests = (sha256(np.ascontiguousarray(numbers).data).digest() for numbers in table.T)
        which = np.array([known.setdefault(digest, len(known)) for digest in digests])
        if len(known) < table.shape[1]:
            first = np.unique(which, return_index=True)[1]
            table, column = np.ascontiguousarray(table[:, first]), which[column]
        return cls(own, part.astype(np.min_scalar_type(len(table))), table, column)

    def __len__(self) -> int:
        return len(self.part)

    @property
    def heads(self) -> int:
        """How many heads there are."""
        return len(self.column)

    def of(self, rows: slice | np.ndarray) -> Array:
        """What some of the examples count: (m, H), or (m, 1) where it is the same for all heads."""
        part = self.part[rows if isinstance(rows, slice) else move(rows, device_of(self.part))]
        if self.table.shape[1] == 1:
            found = self.table[part]
        elif len(self.table) < len(self.part):
            found = self._table()[part]
        else:
            found = self.table[part]
            if not self._plain():
                found = found[:, move(self.column, device_of(self.table))]
        if self.own is None:
            return found
        return found * self.own[rows if isinstance(rows, slice) else move(rows, device_of(self.own))][:, None]

    def by_part(self) -> "tuple[np.ndarray, Weights]":
        """The order (n,) in which each part's examples follow one another, and the weights of examples so ordered."""
        order = np.argsort(self.part, kind="stable")
        part = self.part[order]
        borders = tuple((np.flatnonzero(np.diff(part)) + 1).tolist())
        return order, replace(self, own=None if self.own is None else self.own[order], part=part, borders=borders)

    def leaves_out(self) -> float:
        """The share of examples that do not count for a head, on the average."""
        return 1 - float(self.counted().mean()) / len(self)

    def at(self, rows: slice | np.ndarray) -> "Weights":
        """Those of some of the examples, as they count among all: their mean is not 1."""
        return self.with_rows(tuple(None if each is None else each[rows] for each in self.by_row))

    def take(self, heads: np.ndarray) -> "Weights":
        """Those of some of the heads."""
        return replace(self, column=self.column[heads])

    def on(self, device: str) -> "Weights":
        """The same on a device, as `move` names it."""
        if device == device_of(self.part):
            return self
        part = move(to_numpy(self.part).astype(np.int64), device)  # to torch, places of 8 bits would be a mask
        return Weights(
            None if self.own is None else move(self.own, device),
            part,
            move(self.table, device),
            self.column,
            self.borders,
        )

    @property
    def by_row(self) -> tuple[Array | None, ...]:
        """What belongs to examples: own, part, and the table where each of them is a part of its own, without part."""
        if len(self.table) < len(self.part) or not np.array_equal(self.part, np.arange(len(self.table))):
            return self.own, self.part, None
        return self.own, None, self.table

    def with_rows(self, by_row: tuple[Array | None, ...]) -> "Weights":
        """The same of other examples, or of none yet, by what belongs to them."""
        own, part, table = by_row
        if table is not None:
            part = np.arange(len(table))
        elif part is None:  # to be sent, and what follows it
            return replace(self, own=None, part=None, table=self.table if self.by_row[2] is None else None)
        return replace(self, own=own, part=part, table=self.table if table is None else table)

    def mean(self) -> np.ndarray:
        """The mean over all heads, of every example (n,), in this memory."""
        return self._each(to_numpy(self._table()).mean(axis=1))

    def seen(self) -> np.ndarray:
        """Which examples (n,) count for any of the heads."""
        return self._each(to_numpy(self._table()).max(axis=1)) > 0

    def counted(self) -> np.ndarray:
        """How many examples count for each head (H,)."""
        own = None if self.own is None else to_numpy(self.own) > 0
        return _totals(np.bincount(to_numpy(self.part), own, len(self.table)), to_numpy(self._table()) > 0)

    def of_classes(self, y: np.ndarray, classes: int) -> np.ndarray:
        """What the examples of every class count together for every head, y (n,) in [0, K) -> (K, H)."""
        used, which = np.unique(self.column, return_inverse=True)
        table = to_numpy(self.table)
        return np.stack([np.bincount(y, self._each(table[:, one]), classes) for one in used], axis=1)[:, which]

    def _table(self) -> Array:
        """What the parts count for each head (P, H)."""
        if self.table.shape[1] == 1 or self._plain():
            return self.table
        return self.table[:, move(self.column, device_of(self.table))]

    def _plain(self) -> bool:
        """Whether the columns of the table are those of the heads."""
        return np.array_equal(self.column, np.arange(self.table.shape[1]))

    def _each(self, of_parts: np.ndarray) -> np.ndarray:
        """What every example counts (n,), by what its part does (P,)."""
        found = of_parts[to_numpy(self.part)]
        return found if self.own is None else found * to_numpy(self.own)


def _totals(of_parts: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The sum of each column of a table (P, S), its rows times numbers (P,): without NumPy's product, whose pool of
    threads would be a second one.
    """
    return np.einsum("p,ps->s", of_parts.astype(np.float64), table)
