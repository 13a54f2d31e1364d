"""A source described: its format, its examples, its classes and splits, what is wrong with it, and what it costs."""

import os
import shlex
import time
from dataclasses import dataclass

import numpy as np

from linprobe.core.backend import row_chunks
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.duplicates import find_duplicates
from linprobe.data.formats import Contents, contents, open_dataset
from linprobe.errors import UsageError
from linprobe.tasks.describe.estimate import estimate

__all__ = ["ArrayInfo", "Description", "Shared", "SplitInfo", "describe"]

CHUNK_NUMBERS = 2**22


@dataclass(frozen=True)
class SplitInfo:
    """A split: n rows; counts (K,) of each class; not_finite: rows with a NaN or an infinite feature; repeated: rows
    that repeat an earlier one; groups: how many there are, None where the source has none.
    """

    name: str
    n: int
    counts: tuple[int, ...]
    not_finite: int
    repeated: int
    groups: int | None


@dataclass(frozen=True)
class Shared:
    """Two splits, and how many rows of the second the first has too."""

    first: str
    second: str
    n: int


@dataclass(frozen=True)
class ArrayInfo:
    """An array or a column of a source; dtype: of numbers, else "text" or "pictures"."""

    name: str
    place: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Description:
    """What is in a source.

    undecided: why it is not clear what the features and the labels are, and which option says it, "" where it is clear;
    all from shape on is None or empty then. arrays: what files of arrays and columns hold. shape: of an example;
    contradicting: rows that are identical to one with another label. bytes: of the examples as they are; memory: about
    what `tune` needs, in bytes; seconds: about what it takes. notes: how the source was read. command: what to run
    next.
    """

    source: str
    format: str
    arrays: tuple[ArrayInfo, ...]
    undecided: str = ""
    name: str | None = None
    shape: tuple[int, ...] | None = None
    features: int | None = None
    dtype: str | None = None
    classes: tuple[str, ...] = ()
    splits: tuple[SplitInfo, ...] = ()
    shared: tuple[Shared, ...] = ()
    contradicting: int = 0
    bytes: int | None = None
    memory: int | None = None
    seconds: float | None = None
    fingerprint: str | None = None
    notes: tuple[str, ...] = ()
    command: str | None = None


def describe(source: str | os.PathLike[str], **choice: str | None) -> Description:
    """What is in a source that `linprobe.open_dataset` takes; all of it is read, nothing is trained.

    Parameters
    ----------
    source : str or path
        The name or the path.
    **choice : str, optional
        x, label, val, test, split_column, groups and size, as `linprobe.open_dataset` takes them.

    Returns
    -------
    Description
        Where it is not clear what the features and the labels are: what there is, and which option says it.

    Raises
    ------
    UsageError
        For what is not there, for what linprobe can't read, and for options that a source which is clear does not fit.
    DataError
        For what cannot be read, is damaged or should not be read.
    """
    started = time.perf_counter()
    try:
        dataset = open_dataset(source, **choice)
    except UsageError as error:
        held = contents(source)
        if held is None or (any(given is not None for given in choice.values()) and _is_clear(source)):
            raise
        return Description(os.fspath(source), held.format, _arrays(held), undecided=str(error))
    opened = time.perf_counter() - started
    held = contents(source)
    words = ["linprobe", "tune", os.fspath(source)]
    for option, given in choice.items():
        words += [] if given is None else [f"--{option.replace('_', '-')}", given]
    return _described(source, held, dataset, opened, shlex.join(words))


def _is_clear(source: str | os.PathLike[str]) -> bool:
    """Whether a source can be read without options."""
    try:
        open_dataset(source)
    except UsageError:
        return False
    return True


def _arrays(held: Contents) -> tuple[ArrayInfo, ...]:
    return tuple(
        ArrayInfo(
            entry.name,
            entry.place,
            "pictures" if entry.pictures else "text" if entry.dtype is None else str(entry.dtype),
            entry.shape,
        )
        for entry in held.entries
    )


def _described(
    source: str | os.PathLike[str], held: Contents | None, dataset: Dataset, opened: float, command: str
) -> Description:
    found, parts = find_duplicates(dataset), dataset.splits()
    X = dataset.train.X
    cost = estimate(dataset, opened)
    return Description(
        source=os.fspath(source),
        format=dataset.name if held is None else held.format,
        arrays=() if held is None else _arrays(held),
        name=dataset.name,
        shape=X.shape[1:],
        features=int(np.prod(X.shape[1:])),
        dtype=str(X.dtype),
        classes=dataset.classes,
        splits=tuple(
            SplitInfo(
                name,
                len(each),
                tuple(np.bincount(each.y, minlength=len(dataset.classes)).tolist()),
                _not_finite(each),
                found.within[name],
                None if each.groups is None else len(np.unique(each.groups)),
            )
            for name, each in parts
        ),
        shared=tuple(Shared(first, second, n) for (first, second), n in found.across.items()),
        contradicting=found.contradicting,
        bytes=sum(len(each) for _, each in parts) * int(np.prod(X.shape[1:])) * X.dtype.itemsize,
        memory=cost.memory,
        seconds=cost.seconds,
        fingerprint=dataset.fingerprint,
        notes=dataset.notes,
        command=command,
    )


def _not_finite(examples: Examples) -> int:
    """The rows with a NaN or an infinite feature."""
    X = examples.X
    if X.dtype.kind != "f":
        return 0
    width = int(np.prod(X.shape[1:]))
    chunks = row_chunks(len(X), max(1, CHUNK_NUMBERS // max(1, width)))
    return sum(int((~np.isfinite(np.asarray(X[rows])).all(axis=1)).sum()) for rows in chunks)
