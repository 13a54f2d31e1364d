"""What a reader finds in a source: arrays and columns by name, and the same one in each split."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.dataset import Columns
from linprobe.data.formats.naming import Name, Role, Split, read_name
from linprobe.data.joined import Joined, join
from linprobe.data.reading import show
from linprobe.data.sizes import PictureSize
from linprobe.errors import DataError, UsageError

__all__ = [
    "Column",
    "ColumnSource",
    "Entry",
    "Selection",
    "array_of",
    "columns_of",
    "listed",
    "one_naming",
    "refuse_selection",
    "streamed",
]

MOST_LISTED = 12


class Selection(NamedTuple):
    """What the user chose with --x, --label, --split-column, --groups and --weights: a key, a column or a file; None
    where the source should say. like: what was chosen in the source to which this one belongs, as its validation or
    test split. size: that encoded pictures are given. labelled: whether examples need labels; else all rows are there,
    in the order of their file, under `unknown_labels`, and with the names that the source has for them.
    """

    x: str | None = None
    label: str | None = None
    split_column: str | None = None
    groups: str | None = None
    like: Columns | None = None
    size: PictureSize | None = None
    labelled: bool = True
    weights: str | None = None


def refuse_selection(source: str, selection: Selection) -> None:
    """Refuse the options for a source in which there is nothing to choose."""
    for option, asked in (("--x", selection.x), ("--label", selection.label)):
        if asked is not None:
            raise UsageError(f"{option} {show(asked)}: {source} has one kind of features and of labels; leave it out")
    beside = {"--split-column": selection.split_column, "--groups": selection.groups, "--weights": selection.weights}
    for option, asked in beside.items():
        if asked is not None:
            raise UsageError(f"{option} {show(asked)}: {source} has no columns; leave it out")


class ColumnSource(Protocol):
    """Where columns of numbers come from, that together are features."""

    def matrix(self, names: Sequence[str]) -> np.ndarray: ...  # noqa: D102

    def stream(self, names: Sequence[str]) -> Array: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Entry:
    """An array or a column of a source.

    name: as the user would type it; place: the file, as errors name it; shape: rows first; dtype: of numbers, or
    None for texts and what else labels can be; load: gives the array, which may lie in a file; split: where file or
    folder say it, else the name is asked; part: which of several files that follow each other; names: of the
    classes, where the source has them for this column; table: where a column comes from; role: where more than its
    name says it; pictures: whether they are decoded ones, (n, height, width, channels), of a single pixel too; stream:
    gives the array to be read once and in order, where `load` would have all of it in memory.
    """

    name: str
    place: str
    shape: tuple[int, ...]
    dtype: np.dtype | None
    load: Callable[[], Array]
    split: Split | None = None
    part: int | None = None
    names: tuple[str, ...] = ()
    table: ColumnSource | None = None
    role: Role = ""
    pictures: bool = False
    stream: Callable[[], Array] | None = None

    @property
    def kind(self) -> str:
        """Type and shape, as a user reads them."""
        return f"{self.dtype or 'text'} {' x '.join(f'{size:,}' for size in self.shape) or 'a single value'}"

    @property
    def numeric(self) -> bool:
        """Whether it can be features."""
        return self.dtype is not None and self.dtype.kind in "fiub"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape without further axes of length 1."""
        return (*self.shape[:1], *(size for size in self.shape[1:] if size != 1))


@dataclass(frozen=True, eq=False)
class Column:
    """The same array or column in each split."""

    name: Name
    splits: dict[Split, Entry]

    @property
    def role(self) -> Role:
        """What it stands for, as far as that is known without looking at others."""
        return self.train.role or self.name.role

    @property
    def countable(self) -> bool:
        """Whether its values may be names or numbers of something: texts and whole numbers."""
        return self.train.dtype is None or self.train.dtype.kind in "iub"

    @property
    def train(self) -> Entry:
        """That of the training split, which every column has."""
        return self.splits["train"]


def listed(entries: Sequence[Entry]) -> str:
    """What there is, with types and shapes, for an error."""
    more = f" and {len(entries) - MOST_LISTED} more" if len(entries) > MOST_LISTED else ""
    return ", ".join(f"{show(entry.name)} ({entry.kind})" for entry in entries[:MOST_LISTED]) + more


def columns_of(place: str, entries: Sequence[Entry]) -> list[Column]:
    """Entries by name and split, those that train has; parts that follow each other become one."""
    entries = _positional([_with_split(entry) for entry in entries if entry.shape])
    names = {(entry.name, read_name(entry.name)) for entry in entries}
    alike = Counter(read.base for _, read in names if read.split is None)
    found: dict[str, dict[Split, list[Entry]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.split != "train"):  # in the order that train has them
        read = read_name(entry.name)
        key = entry.name if entry.table is not None or (read.split is None and alike[read.base] > 1) else read.base
        found.setdefault(key, {}).setdefault(entry.split or "train", []).append(entry)
    columns: list[Column] = []
    for key, splits in found.items():
        if "train" in splits:
            joined = {split: _joined(place, parts) for split, parts in splits.items()}
            columns.append(Column(read_name(key), joined))
    if not columns:
        raise DataError(
            f"{place}: has nothing to train on: {listed(entries) or 'it is empty'}; name the file of training examples"
        )
    return columns


def _with_split(entry: Entry) -> Entry:
    """With the split that its name says, where its file does not; a column's name does not say any."""
    said = None if entry.table is not None else read_name(entry.name).split
    return replace(entry, split=entry.split or said or "train")


def _positional(entries: list[Entry]) -> list[Entry]:
    """arr_0, arr_1, ... as numpy.savez calls arrays without names: each X with its labels, of train, (val and) test."""
    numbered = [entry for entry in entries if entry.name.startswith("arr_")]
    if len(numbered) != len(entries) or len(entries) not in (2, 4, 6):
        return entries
    half = len(entries) // 2
    orders = ((entries[:half], entries[half:]), (entries[::2], entries[1::2]))
    for xs, ys in orders:
        if all(x.numeric and len(x.sizes) > 1 for x in xs) and all(
            len(y.sizes) == 1 and y.shape[0] == x.shape[0] for x, y in zip(xs, ys, strict=True)
        ):
            splits: dict[int, tuple[Split, ...]] = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}
            return [
                replace(entry, name=name, split=split)
                for name, group in (("X", xs), ("y", ys))
                for entry, split in zip(group, splits[half], strict=True)
            ]
    return entries


def _joined(place: str, parts: list[Entry]) -> Entry:
    """Several parts as one entry, in the order of their numbers."""
    if len(parts) == 1:
        return parts[0]
    if parts[0].place == parts[1].place:
        raise DataError(
            f"{parts[0].place}: has {len(parts)} columns {show(parts[0].name)}, one is expected; rename the others"
        )
    numbers = [entry.part for entry in parts]
    if None in numbers or len(set(numbers)) < len(numbers):
        raise UsageError(
            f"{place}: holds {show(parts[0].name)} more than once ({parts[0].place}, {parts[1].place}); name the file "
            "to read"
        )
    parts = [entry for _, entry in sorted(zip(numbers, parts, strict=True), key=lambda pair: pair[0] or 0)]
    first, dtype = parts[0], parts[0].dtype
    kinds = [entry.dtype for entry in parts if entry.dtype is not None and entry.dtype.kind in "iuf"]
    if first.table is not None and len(kinds) == len(parts):  # in text, integers may be all that one part has
        dtype = np.result_type(*kinds)
        parts = [replace(entry, dtype=dtype) for entry in parts]
    for other in parts[1:]:
        if (other.shape[1:], other.dtype) != (first.shape[1:], dtype):
            raise DataError(
                f"{other.place}: {show(other.name)} is {other.kind}, and {first.kind} in {first.place}; parts of one "
                "array must be alike"
            )
    rows = sum(entry.shape[0] for entry in parts)
    names = one_naming(parts)
    return replace(
        first,
        shape=(rows, *first.shape[1:]),
        dtype=dtype,
        load=lambda: _loaded(parts),
        stream=None if first.stream is None else lambda: join([streamed(entry) for entry in parts]),
        names=names,
        table=_Tables([entry.table for entry in parts if entry.table is not None]) if first.table else None,
    )


def one_naming(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The class names of entries that belong together, () where none has any. Raises DataError where they differ."""
    found = {entry.names: entry.place for entry in entries if entry.names}
    if len(found) > 1:
        one, other, *_ = found.values()
        raise DataError(f"{one}: names other classes than {other}; keep files of one data set in a folder")
    return next(iter(found), ())


def _loaded(parts: Sequence[Entry]) -> Array:
    """All parts: features where they lie, labels in memory."""
    if parts[0].numeric and len(parts[0].shape) > 1:
        return join([array_of(entry) for entry in parts])
    return np.concatenate([np.asarray(entry.load()) for entry in parts])


class _Tables:
    """The same columns of several files, one after the other."""

    def __init__(self, tables: Sequence[ColumnSource]) -> None:
        self._tables = tables

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        return np.concatenate([table.matrix(names) for table in self._tables])

    def stream(self, names: Sequence[str]) -> Array:
        # Of the types that they have, whoever asks makes one.
        return Joined([table.stream(names) for table in self._tables])


def streamed(entry: Entry) -> Array:
    """Its array as `array_of`, to be read once and in order."""
    return array_of(entry) if entry.stream is None else entry.stream()


def array_of(entry: Entry) -> Array:
    """Its array as examples have it: (n, D), or uint8 (n, height, width, channels)."""
    X = entry.load()
    if entry.pictures or not isinstance(X, np.ndarray):  # parts, each of which went through here
        return X
    if X.dtype == bool:
        X = X.view(np.uint8)
    sizes = [size for size in X.shape[1:] if size != 1]
    if X.dtype == np.uint8 and len(sizes) in (2, 3):
        X = X if X.ndim == 4 else X.reshape(len(X), *sizes)
        if X.ndim == 3:
            return X[..., None]
        # Channels may come first, as PyTorch has them.
        return X.transpose(0, 2, 3, 1) if X.shape[1] in (1, 3) and X.shape[3] not in (1, 3) else X
    if len(sizes) > 1:
        raise DataError(
            f"{entry.place}: {show(entry.name)} is {entry.kind}, and one row of features an example is expected; take "
            "the mean over an axis, or flatten it, X.reshape(len(X), -1), and save it again"
        )
    return X.reshape(len(X), sizes[0] if sizes else 1)
