"""What a worker of a cluster does with a partition in a pass: terms, and the sums of what they bring."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.partitions import Partition
from linprobe.data.rows import Prepares, StoredRows
from linprobe.data.terms import Weighs

__all__ = ["Call", "Constant", "added", "kept_part", "mapped", "one_of", "summed"]


class Constant(NamedTuple):
    """An array all of whose numbers are the same."""

    value: Any
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """What is the same for all partitions in a pass: the term, the dtype of `like`, the most rows of a chunk, the
    preparation, and the weights without what belongs to rows.
    """

    term: Any
    dtype: np.dtype | None
    size: int
    preparation: Prepares | None
    weights: Weighs | None


def kept_part(part: Partition, digest: str, local: slice | np.ndarray, *, call: Call) -> Partition:
    """Some rows of a partition, prepared."""
    rows = StoredRows(part.checked(digest).X, local, call.preparation)
    return replace(part, X=rows.read(slice(None)), beside=())


def summed(part: Partition, digest: str, local: Any, labels: Any, *by_row: Any, call: Call) -> tuple[Array, ...]:
    """The sums of a term over some rows of a partition."""
    rows, given = _given(part, digest, local, labels, by_row, call)
    return rows.reduce(call.term, **given)


def mapped(part: Partition, digest: str, local: Any, labels: Any, *by_row: Any, call: Call) -> tuple[Array, ...]:
    """What a term makes of some rows of a partition."""
    rows, given = _given(part, digest, local, labels, by_row, call)
    return tuple(np.array(each[:]) for each in rows.map(call.term, **given))


_Options = dict[str, Any]


def _given(
    part: Partition, digest: str, local: Any, labels: Any, by_row: Sequence[Any], call: Call
) -> tuple[StoredRows, _Options]:
    rows = StoredRows(part.checked(digest).X, local, call.preparation)
    beside = tuple(map(_whole, by_row))
    given = {
        "like": None if call.dtype is None else np.zeros(0, call.dtype),
        "size": call.size,
        "labels": None if labels is None else _whole(labels).astype(np.int64, copy=False),
        "weights": beside[0] if call.weights is None else call.weights.with_rows(beside),
    }
    return rows, given


def _whole(numbers: Any) -> Any:
    return np.full(numbers.shape, numbers.value) if isinstance(numbers, Constant) else numbers


def added(sums: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    """The sums of several partitions."""
    found = [np.array(each) for each in sums[0]]
    for others in sums[1:]:
        for total, other in zip(found, others, strict=True):
            total += other
    return tuple(found)


def one_of(found: Sequence[Array], *, which: int) -> Array:
    """One of the arrays that a task has made."""
    return found[which]
