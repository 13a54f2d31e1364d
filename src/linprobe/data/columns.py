"""What people hold features in: a column whose cells are vectors, data frames, tensors, shards; read as one matrix."""

import json
import os
from collections.abc import Iterable, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from linprobe.core.backend import Array, on_host
from linprobe.data.joined import join
from linprobe.errors import UsageError

__all__ = ["as_matrix", "as_stored"]

SHARD = ".npy"


def as_matrix(X: Any) -> Any:
    """A column of vectors, all of one length, or a list of shards as a matrix (n, D); anything else as it is.

    The column is a Series, the only column of a data frame, an array of objects, or a list. Shards are matrices with
    the same number of columns, or .npy files. Raises UsageError with the row for vectors of different lengths and for
    missing ones, and with the way out for vectors that are text or bytes and for a column of vectors beside others.
    """
    X = on_host(X)
    if isinstance(X, list | tuple):
        if (shards := _shards(X)) is not None:
            return np.concatenate(shards)
        X = [on_host(each) for each in X]
        if _kind(X) == "vector":
            _check_lengths(X, "X")
        elif _kind(X):
            raise _as_text(X, "X")
        return X
    if sp.issparse(X) or len(getattr(X, "shape", ())) not in (1, 2) or not X.shape[0]:
        return X
    row = X if isinstance(X, np.ndarray) else np.asarray(X[:1])  # of a frame of numbers, a row says enough
    if row.dtype.kind not in "OSTU":
        return X if row.ndim == len(X.shape) else np.asarray(X)  # a column of fixed-size vectors becomes a matrix so
    values = np.asarray(X)
    if values.ndim == 1:
        return _read(values, X, "X")
    # Arrow's tables have names where those of pandas and Polars have columns.
    names = getattr(X, "column_names", getattr(X, "columns", None))
    for number, column in enumerate(values.T):
        place = f"X[:, {number}]" if names is None else f"X[{list(names)[number]!r}]"
        found = _read(column, X, place)
        if found is not X and values.shape[1] > 1:
            others = values.shape[1] - 1
            raise UsageError(
                f"{place} holds vectors, and X has {others:,} other column{'s'[: others > 1]}; give the vectors alone, "
                f"as {place}"
            )
        if found is not X:
            return found
    return X


def as_stored(X: Any) -> Array:
    """The same as an array, or shards of one type as one that is not copied: what `Examples` and `rows_of` keep."""
    shards = _shards(X) if isinstance(X, list | tuple) else None
    if shards is None:
        return np.asarray(as_matrix(X))
    if len({shard.dtype for shard in shards}) > 1:
        return np.concatenate(shards)
    return join(shards)


def _shards(X: Sequence[Any]) -> list[np.ndarray] | None:
    """The matrices of a list of some, or of .npy files, where they lie; None for a list of anything else."""
    if X and all(isinstance(each, str | os.PathLike) and os.fspath(each).lower().endswith(SHARD) for each in X):
        shards = [_file(Path(each)) for each in X]
    elif X and all(len(getattr(each, "shape", ())) == 2 and not sp.issparse(each) for each in X):
        shards = [np.asarray(as_matrix(each)) for each in X]
    else:
        return None
    for place, shard in enumerate(shards):
        if shard.shape[1:] != shards[0].shape[1:]:
            has, first = (" x ".join(f"{size:,}" for size in each.shape[1:]) for each in (shard, shards[0]))
            raise UsageError(
                f"X is a list of shards, and number {place}, counted from 0, has {has} columns, but the first has "
                f"{first}; all need the same"
            )
    return shards


def _file(path: Path) -> np.ndarray:
    from linprobe.data.formats import npy
    from linprobe.data.formats.entries import array_of

    entries = npy.entries(path)
    if len(entries) != 1 or not entries[0].numeric:
        raise UsageError(
            f"{path}: holds objects or texts, and a shard of features needs numbers; save it again as numbers"
        )
    return array_of(entries[0])


def _read(cells: np.ndarray, X: Any, place: str) -> Any:
    """The matrix of a column of vectors, or X where its cells are single values."""
    kind = _kind(cells)
    if kind is None:
        return X
    if kind != "vector":
        raise _as_text(cells, place)
    _check_lengths(cells, place)
    return np.stack([np.asarray(cell) for cell in cells])


def _kind(cells: Iterable[Any]) -> str | None:
    """What the first cell that is not missing holds: a vector, its text or its bytes, or None for anything else."""
    first = next((cell for cell in cells if _is_vector(cell) or _is_value(cell)), None)
    if isinstance(first, str):
        return "text" if _is_text_of_numbers(first) else None
    return "bytes" if isinstance(first, bytes) else "vector" if _is_vector(first) else None


def _is_vector(cell: Any) -> bool:
    if isinstance(cell, np.ndarray):
        return cell.ndim > 0
    return hasattr(cell, "__len__") and hasattr(cell, "__getitem__") and not isinstance(cell, str | bytes | dict)


def _is_value(cell: Any) -> bool:
    return isinstance(cell, str | bytes | dict) or (isinstance(cell, Number) and cell == cell)


def _is_text_of_numbers(text: str) -> bool:
    words = _words(text)
    try:
        [float(word) for word in words if word != "..."]
    except ValueError:
        return False
    return len(words) > 1


def _words(text: str) -> list[str]:
    return text.strip(" \n\t[]()").replace(",", " ").split()


def _check_lengths(cells: Iterable[Any], place: str) -> None:
    length = start = None
    for row, cell in enumerate(cells):
        if not _is_vector(cell):
            raise UsageError(
                f"{place} has {str(cell)[:40]!r} at row {row}, counted from 0, where other rows have vectors; drop the "
                "row, or fill the vector in"
            )
        if len(cell) and _is_vector(cell[0]):
            raise UsageError(
                f"{place} has a vector of {len(cell):,} vectors at row {row}, counted from 0; each row needs one: pool "
                "them, for example into their mean"
            )
        if length is None:
            length, start = len(cell), row
        if len(cell) != length:
            raise UsageError(
                f"{place} has a vector of length {len(cell):,} at row {row}, but {length:,} at row {start}, counted "
                "from 0; all need the same length: drop the rows that differ, or compute them again"
            )


def _as_text(cells: Iterable[Any], place: str) -> UsageError:
    """The refusal of vectors as text or bytes, with the line that reads them."""
    first = next(cell for cell in cells if isinstance(cell, str | bytes))
    if isinstance(first, bytes):
        return UsageError(
            f"{place} holds vectors as bytes; read them first, in the type that they were written in: "
            f"np.stack([np.frombuffer(cell, np.float32) for cell in {place}])"
        )
    if "..." in _words(first):
        return UsageError(
            f"{place} holds vectors as shortened text, {first[:40]!r}, and most numbers are lost; save them again, for "
            "example as .npy or parquet"
        )
    try:
        json.loads(first)
        read = f"[json.loads(text) for text in {place}]"
    except ValueError:
        read = f"[text.strip('[]()').replace(',', ' ').split() for text in {place}], float"
    return UsageError(f"{place} holds vectors as text, such as {first[:40]!r}; read them first: np.array({read})")
