"""Rows that are the same in every feature: within a split, in two splits, and with different labels."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from linprobe.core.backend import Array, row_chunks
from linprobe.data.dataset import Dataset, Splits

__all__ = ["Duplicates", "find_duplicates", "identical_examples", "row_hashes"]

CHUNK_BYTES = 2**21


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


def identical_examples(splits: Splits) -> dict[str, int]:
    """How many examples of val are in train, and how many of test are in train or val: a test easier than it looks."""
    train, val, test = (row_hashes(examples.X) for examples in (splits.train, splits.val, splits.test))
    return {
        "val": int(np.isin(val, train).sum()),
        "test": int(np.isin(test, np.concatenate([train, val])).sum()),
    }


def row_hashes(X: Array) -> np.ndarray:
    """For each row of X (n, ...) a number (n,) int64, the same for rows of the same values; 0 and -0 are the same.

    Python's own hash of bytes, which is another in every process. Two other rows among ten million have the same number
    once in a hundred thousand data sets.
    """
    width = max(1, X[:1].nbytes)
    found = np.empty(len(X), np.int64)
    for rows in row_chunks(len(X), max(1, CHUNK_BYTES // width)):
        part = np.ascontiguousarray(X[rows])
        if part.dtype == np.float16:  # by its bits, -0 is 0: adding 0 would take longer than all else
            bits = part.view(np.uint16)
            part = np.where(bits == 0x8000, np.uint16(0), bits)
        elif part.dtype.kind == "f":
            part = part + part.dtype.type(0)
        data = part.tobytes()
        found[rows] = [hash(data[start : start + width]) for start in range(0, len(data), width)]
    return found
