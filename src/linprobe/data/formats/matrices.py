"""The examples of a source, from the columns that are its features."""

from collections.abc import Mapping, Sequence

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.dataset import Examples
from linprobe.data.formats.belonging import Places
from linprobe.data.formats.entries import Column, array_of, streamed
from linprobe.data.labels import Labels
from linprobe.data.rows import StoredRows, rows_of

__all__ = ["examples_of", "matrix_of"]


def examples_of(
    features: Sequence[Column],
    labels: Labels,
    places: Places | None,
    groups: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
) -> dict[str, Examples]:
    """Of each split X, as it lies in its file, and the labels; without the rows that have none."""
    used = list(labels.numbers) if places is None else ["train"]
    matrices = {split: matrix_of(features, split, used) for split in used}
    examples: dict[str, Examples] = {}
    for split, y in labels.numbers.items():
        X = matrices[split if places is None else "train"]
        if places is not None:
            where = places[split]
            X = X[where] if isinstance(X, np.ndarray) and isinstance(where, slice) else StoredRows(X, where)
        beside = groups.get(split), weights.get(split)
        examples[split] = Examples.labelled(X if isinstance(X, np.ndarray) else rows_of(X), y, *beside)
    return examples


def matrix_of(features: Sequence[Column], split: str, used: Sequence[str], *, once: bool = False) -> Array:
    """The features (n, *shape) of a split; used: all splits, which have them in one type.

    once: to be read once and in order, and not held as a whole.
    """
    entries = [column.splits[split] for column in features]
    if (table := entries[0].table) is None or len(entries[0].shape) > 1:
        return streamed(entries[0]) if once else array_of(entries[0])
    # Text has no types: a column may look like one of integers in one file, and not in another.
    kinds = [column.splits[each].dtype for column in features for each in used]
    names = [entry.name for entry in entries]
    X = table.stream(names) if once else table.matrix(names)
    return X.astype(np.result_type(X.dtype, *(kind for kind in kinds if kind is not None)), copy=False)
