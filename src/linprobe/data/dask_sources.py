"""What lies on a Dask cluster, or is read there, as `DaskRows`: arrays and data frames of Dask."""

from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.core.backend import is_sparse
from linprobe.data.columns import as_stored
from linprobe.data.dask_rows import DaskRows
from linprobe.data.partitions import Partition, Partitions, about, gathered, part_of
from linprobe.errors import UsageError, require

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["active_client", "dask_rows", "is_dask", "labels_here"]

WIDEST_INTEGER = 2  # bytes, of which float32 has every number


def is_dask(X: Any) -> bool:
    """Whether this is an array, a data frame or a column of Dask, without importing it."""
    return type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "to_delayed")


def dask_rows(X: Any, client: "Client | None" = None) -> DaskRows:
    """Rows of a Dask array (n, D), of a data frame of numbers, or of a column of vectors, in its own partitions.

    They are computed once, and kept in the memory of the workers; integers of more than 16 bits as float64.

    Parameters
    ----------
    X : dask.array.Array, dask.dataframe.DataFrame or dask.dataframe.Series
    client : distributed.Client, optional
        The active one unless given.

    Raises
    ------
    UsageError
        Where no client is active, or X is not a matrix.
    DataError
        For a value that is not finite, with the partition and the row.
    """
    client = active_client() if client is None else client
    if hasattr(X, "rechunk"):
        if X.ndim != 2:
            raise UsageError(f"X is a Dask array of {X.ndim} dimensions; a matrix (n, D) is expected")
        X = X.rechunk({1: -1})
    blocks: Any = client.compute(np.ravel(X.to_delayed()).tolist())
    names = [f"partition {number} of X" for number in range(len(blocks))]
    parts = client.map(_numbers, names, blocks, pure=False)
    return DaskRows(Partitions(client, parts, gathered(client, client.map(about, parts, pure=False))))


def active_client() -> "Client":
    """The client that is active. Raises UsageError where none is, MissingDependencyError without Dask."""
    distributed = require("distributed", "dask")
    try:
        return distributed.default_client()
    except ValueError as error:
        raise UsageError(
            "X is on Dask, and no client is active; begin with: client = distributed.Client() or Client(address)"
        ) from error


def labels_here(y: Any) -> Any:
    """Labels of Dask as an array here, all else as it is."""
    return np.asarray(y.compute()) if is_dask(y) else y


def _numbers(name: str, block: Any) -> Partition:
    X = block if is_sparse(block) else as_stored(block)
    kind, size = X.dtype.kind, X.dtype.itemsize
    if X.shape[0] and kind not in "buif":
        raise UsageError(f"{name}: holds {X.dtype}; a linear classifier needs numbers: convert or encode it first")
    if kind == "b":
        X = X.astype(np.uint8)
    elif (kind in "iu" and size > WIDEST_INTEGER) or (kind == "f" and size > 8):
        X = X.astype(np.float64)
    return part_of(name, X)
