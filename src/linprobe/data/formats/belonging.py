"""Columns that give each row's split, group or id."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from linprobe.data.draw import in_one
from linprobe.data.formats.entries import Column, Entry, Selection, listed
from linprobe.data.formats.naming import PLACE_NAMES, SPLITS, Split, read_name
from linprobe.data.labels import Labels, Told
from linprobe.data.reading import show
from linprobe.errors import DataError, UsageError

__all__ = ["Places", "alike", "alone", "belonging", "grouping", "ids_of", "like_train", "parts_of", "weighing"]

SPLIT_NAMES = ("split", "splits", "subset", "subsets", "partition", "set", "dataset_split", "data_split")
MOST_SHOWN = 5

Places = dict[Split, slice | np.ndarray]  # the rows of each split


def belonging(
    place: str, columns: Sequence[Column], selection: Selection, named: Column | None, remarks: list[str]
) -> tuple[Column | None, Places | None]:
    """The column that says to which split rows belong, and which rows it says of each; named: by --split-column."""
    own = dict.fromkeys(split for column in columns for split in column.splits)
    if named is not None:
        if len(own) > 1:
            raise UsageError(
                f"--split-column {show(named.train.name)}: {place} has {' and '.join(own)} apart already; leave it out"
            )
        return named, _places_of(named.train)
    asked = {name for name in (selection.x, selection.label, selection.groups, selection.weights) if name is not None}
    found = None if len(own) > 1 else _said([column for column in columns if column.train.name not in asked])
    if found is None:
        return None, None
    names = list(found[1])
    remarks.append(
        f"The column {show(found[0].train.name)} says which rows are {', '.join(names[:-1])} and {names[-1]}."
    )
    return found


def _said(columns: Sequence[Column]) -> tuple[Column, Places] | None:
    """A column that by its name and its values says to which split rows belong; None where there is no such one."""
    for column in columns:
        entry = column.train
        if entry.numeric or len(entry.sizes) != 1 or column.name.base not in SPLIT_NAMES or column.role == "x":
            continue
        found = [SPLITS.get(_text(value)) for value in _values(entry)]
        if None not in found and len({*found} | {"train"}) == len({*found}) > 1:
            return column, _places(found)
    return None


def _places_of(entry: Entry) -> Places:
    """The rows of each split, as a column that the user named has it. Raises UsageError where it has anything else."""
    values = _values(entry)
    found = [SPLITS.get(_text(value)) for value in values]
    if None in found or "train" not in found:
        counts = Counter("nothing" if _missing(value) else show(_shown(value), 20) for value in values)
        shown = ", ".join(f"{name} ({times:,})" for name, times in counts.most_common(MOST_SHOWN))
        more = f" and {len(counts) - MOST_SHOWN:,} more" if len(counts) > MOST_SHOWN else ""
        folds = "; for cross-validation use --folds" if all(map(_number, values)) else ""
        raise UsageError(
            f"--split-column {show(entry.name)}: its rows have {shown}{more}, and train, val or test is expected in "
            f"each, train in some; name another column, or write one{folds}"
        )
    return _places(found)


def alone(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Entries of which all are of one split by their names, as those to learn from: what they are is known already."""
    said = {entry.split or (None if entry.table else read_name(entry.name).split) or "train" for entry in entries}
    return [replace(entry, split="train") for entry in entries] if len(said) == 1 else entries


def like_train(place: str, columns: Sequence[Column], name: str) -> Column:
    """The column of this name, which the training examples have."""
    found = next((column for column in columns if column.train.name == name), None)
    if found is None:
        raise DataError(
            f"{place}: has no column {show(name)}, which the training examples have; it has "
            f"{listed([column.train for column in columns])}"
        )
    return found


def parts_of(told: Told, places: Places) -> dict[str, Told]:
    """The labels of each split. Raises DataError where there are more of them or fewer than rows with a place."""
    rows = sum(
        len(range(len(told.values))[where]) if isinstance(where, slice) else len(where) for where in places.values()
    )
    if rows != len(told.values):
        raise DataError(
            f"{told.place}: {rows:,} rows say to which split they belong, and {len(told.values):,} have labels"
        )
    return {split: Told(f"{told.place}: {split}", told.values[where]) for split, where in places.items()}


def grouping(column: Column, told: Mapping[str, Told], places: Places | None) -> dict[str, np.ndarray]:
    """The groups of each split (n,), all int64 or all texts; told: the labels, of which there must be as many."""
    sizes = {split: len(each.values) for split, each in told.items()}
    found: dict[str, np.ndarray] = {}
    if places is not None:
        every = _groups(column.train)
        _refuse_length(column.train, every, sum(sizes.values()))
        return {split: every[where] for split, where in places.items()}
    for split, size in sizes.items():
        if split not in column.splits:
            name = show(column.train.name)
            raise DataError(
                f"{column.train.place}: {split} has no {name}, which train has; give it one, or leave --groups out"
            )
        found[split] = _groups(column.splits[split])
        _refuse_length(column.splits[split], found[split], size)
    return alike(found)


def weighing(column: Column, told: Mapping[str, Told], places: Places | None) -> dict[str, np.ndarray]:
    """What each example of each split counts (n,) float64; told: the labels, of which there must be as many.

    A test split may have none: there every example counts once anyway.
    """
    sizes = {split: len(each.values) for split, each in told.items()}
    if places is not None:
        every = _weights(column.train)
        _refuse_length(column.train, every, sum(sizes.values()), "weight")
        return {split: every[where] for split, where in places.items()}
    found = {split: _weights(column.splits[split]) for split in sizes if split in column.splits}
    if "val" in sizes.keys() - found.keys():
        name = show(column.train.name)
        raise DataError(
            f"{column.train.place}: val has no {name}, which train has; give it one, or leave --weights out"
        )
    for split, weights in found.items():
        _refuse_length(column.splits[split], weights, sizes[split], "weight")
    return found


def _weights(entry: Entry) -> np.ndarray:
    """The weight of each row (n,). Raises DataError for what is not one."""
    values = _values(entry)
    for row, value in enumerate(values):
        if not (_number(value) and 0 <= value < np.inf):
            what = "no weight" if _missing(value) else f"the weight {show(_shown(value))}"
            raise DataError(
                f"--weights {show(entry.name)}: row {row:,} has {what}, and a number of 0 or more is expected; mend it "
                f"in {show(entry.place, 200)}"
            )
    return np.array(values, np.float64)


def _refuse_length(entry: Entry, found: np.ndarray, rows: int, what: str = "group") -> None:
    if len(found) != rows:
        raise DataError(
            f"{entry.place}: --{what}s {show(entry.name)} has {len(found):,} rows, and there are {rows:,} labels; give "
            f"one {what} for each row"
        )


def ids_of(columns: Sequence[Column], labels: Labels) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """What the rows of each split are called (n,), by the first column with a usual name for that, and a note of it."""
    sizes = {split: (len(y),) for split, y in labels.numbers.items()}
    for column in sorted(columns, key=lambda column: not column.name.usual):
        fits = {split: entry.sizes for split, entry in column.splits.items()} == sizes
        if fits and column.role == "ids" and column.countable and column.name.base not in PLACE_NAMES:
            found = {split: np.asarray(entry.load()).reshape(-1) for split, entry in column.splits.items()}
            where = "array" if column.train.table is None else "column"
            return found, (f"The ids of the rows are in the {where} {show(column.train.name)}.",)
    return {}, ()


def alike(groups: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Groups (n,) of several splits, as texts in all of them where they are in some."""
    if len({each.dtype for each in groups.values()}) == 1:
        return dict(groups)
    return {split: each.astype(str).astype(object) for split, each in groups.items()}


def _groups(entry: Entry) -> np.ndarray:
    """The group of each row (n,), int64 or texts. Raises DataError where a row has none."""
    values = _values(entry)
    if gone := [row for row, value in enumerate(values) if _missing(value)]:
        raise DataError(
            f"--groups {show(entry.name)}: row {gone[0]:,} has no group; fill it in, or leave the row out of "
            f"{show(entry.place, 200)}"
        )
    if all(_number(value) and float(value).is_integer() and abs(value) < 2**63 for value in values):
        return np.array([int(value) for value in values], np.int64)
    found = np.empty(len(values), object)
    found[:] = [_shown(value) for value in values]
    return found


def _places(found: Sequence[Split | None]) -> Places:
    places = np.array(found)
    return {split: in_one(np.flatnonzero(places == split)) for split in ("train", "val", "test") if split in found}


def _values(entry: Entry) -> list[Any]:
    """One value a row, Python's own."""
    values = np.asarray(entry.load())
    if values.size != len(values):
        raise DataError(f"{entry.place}: {show(entry.name)} is {entry.kind}, and one value a row is expected")
    return values.reshape(-1).tolist()


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _missing(value: object) -> bool:
    return value is None or value != value or not _shown(value).strip()  # NaN differs from itself


def _shown(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _text(value: object) -> str:
    return _shown(value).strip().lower()
