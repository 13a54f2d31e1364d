"""What every source becomes: labelled examples, the source's own splits, and the names of the classes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from linprobe.core.backend import Array, on_host, row_chunks
from linprobe.data.columns import as_stored
from linprobe.data.dask_rows import DaskRows
from linprobe.data.joined import Joined
from linprobe.data.rows import StoredRows
from linprobe.errors import DataError

__all__ = ["Columns", "Dataset", "Examples", "Splits", "joined"]

FINGERPRINT_ROWS = 4096  # at a time, so that what lies in a file is never loaded whole


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples and their labels; the arrays are read-only.

    X uint8 (n, height, width, channels) images, or (n, D) features, integers or floating, of up to 64 bits: an array,
    which may be mapped from a file, or Rows of one; also a tensor, a data frame of numbers, a column of vectors, and a
    list of matrices or .npy files, which follow each other and are not copied; y (n,) int64, any other integer type is
    converted; groups (n,), if any: rows of one group (a patient, a speaker) belong together; weights (n,), if any: what
    each counts in training. Raises DataError for other
    types and shapes and for lengths that differ, UsageError for columns of vectors that are no matrix.
    """

    X: Array
    y: np.ndarray
    groups: np.ndarray | None = None
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        X, y = self.X if isinstance(self.X, StoredRows) else as_stored(self.X), np.asarray(on_host(self.y))
        if not isinstance(X, np.ndarray | StoredRows):
            X = StoredRows(X)
        images = X.ndim == 4 and X.dtype == np.uint8
        features = X.ndim == 2 and X.dtype.kind in "fiu" and X.dtype.itemsize <= 8
        if not (images or features):
            raise DataError(
                f"examples: {X.dtype} {X.shape} found, uint8 (n, height, width, channels) or numbers (n, D) of up to "
                "64 bits expected; convert them first"
            )
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise DataError(f"labels: {y.dtype} {y.shape} found, integers (n,) expected; convert them first")
        if len(X) != len(y):
            raise DataError(f"examples: {len(X):,} rows, but {len(y):,} labels; give one label for each row")
        if self.groups is not None and np.shape(self.groups) != y.shape:
            raise DataError(f"examples: {len(X):,} rows, but groups {np.shape(self.groups)}; give one for each row")
        if self.weights is not None and np.shape(self.weights) != y.shape:
            raise DataError(f"examples: {len(X):,} rows, but weights {np.shape(self.weights)}; give one for each row")
        # Views, so that the caller's own arrays stay as writable as they were.
        y = y.astype(np.int64, copy=False).view()
        y.setflags(write=False)
        if isinstance(X, np.ndarray):
            X = X.view()
            X.setflags(write=False)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)

    @classmethod
    def labelled(
        cls, X: Array, y: np.ndarray, groups: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> "Examples":
        """Those of which there is a label: in y (n,), -1 is none. Nothing is copied where all have one."""
        if (y >= 0).all():
            return cls(X, y, groups, weights)
        return cls(X, np.maximum(y, 0), groups, weights).lazily().take(y >= 0)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: slice | np.ndarray) -> "Examples":
        """The examples of these rows: a view for a slice, a copy for an array of indices or of booleans."""
        X = self.X.take(rows) if isinstance(self.X, StoredRows) else self.X[rows]
        groups, weights = (None if each is None else each[rows] for each in (self.groups, self.weights))
        return Examples(X, self.y[rows], groups, weights)

    def lazily(self) -> "Examples":
        """The same, as Rows: taking some of them copies nothing."""
        return self if isinstance(self.X, StoredRows) else replace(self, X=StoredRows(self.X))


class Columns(NamedTuple):
    """What in a source are the features, in their order, and the labels; table: whether they are columns of one."""

    features: tuple[str, ...] = ()
    label: str = ""
    table: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """A source that has been read.

    train: everything that is not a test or validation split of the source's own; test, val: these splits, or None where
    the source has none; classes: K names, label k is called classes[k]; white: the value that a white pixel has, where
    they are pictures; notes: what a user should know of how the source was read, a sentence each; columns: what was
    taken for what; asked: what `open_dataset` was told to read it by; ids: of each split what its rows are called (n,),
    texts or numbers, where it was read to be predicted and says so. Raises DataError unless all splits have rows of
    one shape, labels in [0, K), and the names are distinct.
    """

    name: str
    train: Examples
    test: Examples | None
    classes: tuple[str, ...]
    white: float = 255.0
    val: Examples | None = None
    notes: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    asked: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(set(self.classes)) < len(self.classes):
            raise DataError(f"{self.name}: two of the {len(self.classes)} classes have the same name; rename one")
        for split, examples in self.splits():
            if split in self.ids and len(self.ids[split]) != len(examples):
                raise DataError(f"{self.name}: {split} has {len(self.ids[split]):,} ids for {len(examples):,} rows")
            _check_labels(f"{self.name}: {split}", examples, len(self.classes))
            if examples.X.shape[1:] != self.train.X.shape[1:] or examples.X.dtype != self.train.X.dtype:
                raise DataError(
                    f"{self.name}: train has {self.train.X.dtype} {self.train.X.shape[1:]} examples, {split} has "
                    f"{examples.X.dtype} {examples.X.shape[1:]}; they must be alike: convert one of them"
                )

    @classmethod
    def of_splits(
        cls,
        name: str,
        examples: Mapping[Any, Examples],
        classes: tuple[str, ...],
        *,
        notes: tuple[str, ...] = (),
        columns: Columns | None = None,
        ids: Mapping[str, np.ndarray] | None = None,
    ) -> "Dataset":
        """That of the examples of "train", and of "val" and "test" where there are such."""
        train, val, test = examples["train"], examples.get("val"), examples.get("test")
        taken = columns or Columns()
        return cls(name, train, test, classes, val=val, notes=notes, columns=taken, ids=ids or {})

    @cached_property
    def fingerprint(self) -> str:
        """The same text for the same content: "sha256:" and 64 hexadecimal digits.

        Covers shapes, types, bytes and order of all splits, and the classes; not the name, so that one data set has
        one fingerprint in whatever format it is kept, but for rows on a cluster, of which the partitions are part of
        it. All of CIFAR-10 takes about 0.1 s.
        """
        arrays = [array for _, examples in self.splits() for array in (examples.X, examples.y)]
        # The header fixes where each array begins and ends, so equal bytes under other borders differ.
        header: dict[str, object] = {
            "arrays": [[array.dtype.newbyteorder("<").str, array.shape] for array in arrays],
            "classes": self.classes,
        }
        if self.val is not None:  # else the header is that of versions which knew no validation split
            header["splits"] = [name for name, _ in self.splits()]
        digest = hashlib.sha256(json.dumps(header).encode() + b"\n")
        for array in arrays:
            if isinstance(array, DaskRows):  # what its workers have told of it, which is nothing that here is read
                for part in array.digests:
                    digest.update(part)
                continue
            for rows in row_chunks(len(array), FINGERPRINT_ROWS):
                # Without a copy on little-endian machines, for arrays that lie in one piece.
                part = np.ascontiguousarray(array[rows], array.dtype.newbyteorder("<"))
                digest.update(part.reshape(-1).data)
        return f"sha256:{digest.hexdigest()}"

    def pool(self) -> Examples:
        """The examples of train with those of val behind them, if it has that split; as Rows, nothing is copied."""
        if self.val is None:
            return self.train.lazily()
        parts = (self.train, self.val)
        if isinstance(self.train.X, DaskRows) and isinstance(self.val.X, DaskRows):
            X = DaskRows.joined([self.train.X, self.val.X])
        else:
            X = StoredRows(Joined([part.X for part in parts]))
        y, groups, weights = (joined([getattr(part, name) for part in parts]) for name in ("y", "groups", "weights"))
        return Examples(X, y, groups, weights)

    def splits(self) -> list[tuple[str, Examples]]:
        """The splits that the source has, by name: train, and its own test and val."""
        found = [("train", self.train), ("test", self.test), ("val", self.val)]
        return [(name, examples) for name, examples in found if examples is not None]


@dataclass(frozen=True, eq=False)
class Splits:
    """The rows that a run fits on, chooses by, reports on, and checks its gradient with (dev, drawn from train).

    fingerprint: of which rows of the source's training split train, val and test have; not of a test split of its own.
    sizes: of train, val and test, as they were asked for, which groups that stay whole only come near.
    """

    train: Examples
    val: Examples
    test: Examples
    dev: Examples
    fingerprint: str
    sizes: Mapping[str, int]


def joined(parts: Sequence[np.ndarray | None]) -> Any:
    """One after the other what every part has; None where one has none."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _check_labels(place: str, examples: Examples, classes: int) -> None:
    if len(examples) == 0:
        raise DataError(f"{place}: has no rows, at least one is expected; leave the split out or fill it")
    outside = (examples.y < 0) | (examples.y >= classes)
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{place}: row {row:,} has label {examples.y[row]}, outside the {classes} classes "
            f"(0 to {classes - 1}); correct the label, or name every class"
        )
