"""What every source becomes: labelled examples, the source's own test split, and the names of the classes."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.rows import StoredRows
from linprobe.errors import DataError


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples and their labels; both arrays are read-only.

    X uint8 (n, height, width, channels) images, or (n, D) features, integers or floating, of up to 64 bits: an array,
    which may be mapped from a file, or Rows of one; y (n,) int64, any other integer type is converted. Raises DataError
    for other types and shapes, and for lengths that differ.
    """

    X: Array
    y: np.ndarray

    def __post_init__(self) -> None:
        X, y = self.X if isinstance(self.X, StoredRows) else np.asarray(self.X), np.asarray(self.y)
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
        # Views, so that the caller's own arrays stay as writable as they were.
        y = y.astype(np.int64, copy=False).view()
        y.setflags(write=False)
        if isinstance(X, np.ndarray):
            X = X.view()
            X.setflags(write=False)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: slice | np.ndarray) -> "Examples":
        """The examples of these rows: a view for a slice, a copy for an array of indices or of booleans."""
        return Examples(self.X.take(rows) if isinstance(self.X, StoredRows) else self.X[rows], self.y[rows])

    def lazily(self) -> "Examples":
        """The same, as Rows: taking some of them copies nothing."""
        return self if isinstance(self.X, StoredRows) else Examples(StoredRows(self.X), self.y)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A source that has been read.

    train: everything that is not the source's own test split; test: that split, or None where the source has none;
    classes: K names, label k is called classes[k]; white: the value that a white pixel has, where they are pictures.
    Raises DataError unless both splits have rows of one shape, labels
    in [0, K), and the names are distinct.
    """

    name: str
    train: Examples
    test: Examples | None
    classes: tuple[str, ...]
    white: float = 255.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(set(self.classes)) < len(self.classes):
            raise DataError(f"{self.name}: two of the {len(self.classes)} classes have the same name; rename one")
        for split, examples in self._splits():
            _check_labels(f"{self.name}: {split}", examples, len(self.classes))
            if examples.X.shape[1:] != self.train.X.shape[1:] or examples.X.dtype != self.train.X.dtype:
                raise DataError(
                    f"{self.name}: train has {self.train.X.dtype} {self.train.X.shape[1:]} examples, {split} has "
                    f"{examples.X.dtype} {examples.X.shape[1:]}; both must be alike: convert one of them"
                )

    @cached_property
    def fingerprint(self) -> str:
        """The same text for the same content: "sha256:" and 64 hexadecimal digits.

        Covers shapes, types, bytes and order of both splits, and the classes; not the name, so that one data set has
        one fingerprint in whatever format it is kept. All of CIFAR-10 takes about 0.1 s.
        """
        arrays = [array for _, examples in self._splits() for array in (examples.X, examples.y)]
        # The header fixes where each array begins and ends, so equal bytes under other borders differ.
        header = {
            "arrays": [[array.dtype.newbyteorder("<").str, array.shape] for array in arrays],
            "classes": self.classes,
        }
        digest = hashlib.sha256(json.dumps(header).encode() + b"\n")
        for array in arrays:
            # Without a copy on little-endian machines, for arrays that lie in one piece.
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).data)
        return f"sha256:{digest.hexdigest()}"

    def _splits(self) -> list[tuple[str, Examples]]:
        return [("train", self.train)] + ([("test", self.test)] if self.test is not None else [])


@dataclass(frozen=True, eq=False)
class Splits:
    """The rows that a run fits on, chooses by, reports on, and checks its gradient with (dev, drawn from train).

    fingerprint: of which rows of the source's training split train, val and test have; not of a test split of its own.
    """

    train: Examples
    val: Examples
    test: Examples
    dev: Examples
    fingerprint: str


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
