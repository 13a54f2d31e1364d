"""Rows that are the same in every feature: within a split, in two splits, and with different labels."""

import hashlib
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from linprobe.core.backend import Array, row_chunks
from linprobe.data.dataset import Dataset

__all__ = ["Duplicates", "find_duplicates", "row_hashes"]

CHUNK_BYTES = 2**24


@dataclass(frozen=True)
class Duplicates:
    """within: of each split, the rows that repeat an earlier one; across: of two splits, the rows of the second that
    the first has too; contradicting: rows that another one with a different label is identical to, in all splits.
    """

    within: dict[str, int]
    across: dict[tuple[str, str], int]
    contradicting: int


def find_duplicates(dataset: Dataset) -> Duplicates:
    """The identical rows of a data set, which is read once, chunk by chunk; 8 bytes a row are kept."""
    hashes = {name: row_hashes(examples.X) for name, examples in dataset.splits()}
    within = {name: len(found) - len(np.unique(found)) for name, found in hashes.items()}
    across = {
        (first, second): int(np.isin(hashes[second], hashes[first]).sum()) for first, second in combinations(hashes, 2)
    }
    every = np.concatenate(list(hashes.values()))
    labels = np.concatenate([examples.y for _, examples in dataset.splits()])
    _, kind, counts = np.unique(every, return_inverse=True, return_counts=True)
    lowest, highest = np.full(len(counts), labels.max()), np.zeros(len(counts), labels.dtype)
    np.minimum.at(lowest, kind, labels)
    np.maximum.at(highest, kind, labels)
    return Duplicates(within, across, int(counts[lowest < highest].sum()))


def row_hashes(X: Array) -> np.ndarray:
    """For each row of X (n, ...) a number (n,) uint64, the same for rows of the same values; 0 and -0 are the same.

    Two other rows among ten million have the same number once in a hundred thousand data sets.
    """
    n, width = len(X), int(np.prod(X.shape[1:])) * X.dtype.itemsize
    found = np.empty(n, np.uint64)
    for rows in row_chunks(n, max(1, CHUNK_BYTES // max(1, width))):
        part = np.ascontiguousarray(X[rows])
        if part.dtype.kind == "f":
            part = part + part.dtype.type(0)
        content = part.reshape(len(part), -1).view(np.uint8)
        digests = b"".join(hashlib.blake2b(row.data, digest_size=8).digest() for row in content)
        found[rows] = np.frombuffer(digests, np.uint64)
    return found
