"""Which of the arrays and columns in a source are the features and which the labels: from entries to a Dataset."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linprobe.data.dataset import Columns, Dataset, Examples
from linprobe.data.formats.asked import named
from linprobe.data.formats.belonging import alone, belonging, grouping, ids_of, like_train, parts_of, weighing
from linprobe.data.formats.class_names import class_names_beside
from linprobe.data.formats.entries import Column, Entry, Selection, columns_of, listed, one_naming
from linprobe.data.formats.matrices import examples_of, matrix_of
from linprobe.data.formats.naming import read_name
from linprobe.data.labels import Told, read_labels, unknown_labels
from linprobe.data.reading import show
from linprobe.data.rows import rows_of
from linprobe.errors import DataError, UsageError

__all__ = ["dataset_of"]

_NUMBER = re.compile("[0-9]+")


def dataset_of(name: str, place: str, entries: Sequence[Entry], selection: Selection, *, hint: str = "") -> Dataset:
    """The data set in a source.

    name: of the data set; place: the source, as errors name it; hint: a file that may have the labels. Raises
    UsageError where --x or --label name nothing that is there, or are needed; DataError where lengths differ or labels
    are none.
    """
    like = selection.like or Columns()
    columns = columns_of(place, entries if selection.like is None and selection.labelled else alone(entries))
    if like.table and all(column.train.table is None for column in columns):
        like = Columns()  # arrays, which have the names of their own
    groups = (
        None
        if selection.groups is None
        else _beside(place, columns, selection, selection.groups, "--groups", selection.like)
    )
    weights = (
        None
        if selection.weights is None
        else _beside(place, columns, selection, selection.weights, "--weights", selection.like)
    )
    remarks: list[str] = []
    asked_split = selection.split_column
    said = None if asked_split is None else _beside(place, columns, selection, asked_split, "--split-column")
    said, places = belonging(place, columns, selection, said, remarks) if selection.labelled else (None, None)
    columns = [column for column in columns if column not in (groups, weights, said)]
    asked = _asked_label(place, columns, selection, like)
    if like.table:
        features = [like_train(place, columns, name) for name in like.features]
    elif selection.x is not None:
        features = _chosen(place, columns, selection.x, selection.like)
    else:
        features = [column for column in columns if (column.train.name,) == like.features]
        features = features or _features(place, columns, asked)
    if not selection.labelled:
        return _unlabelled(name, place, columns, features, asked)
    label = asked or _label(place, columns, features, hint)
    if asked is None and label.role != "y":
        what = "whole numbers" if label.train.numeric else "texts"
        where = "array" if label.train.table is None else "column"
        remarks.append(f"The labels are in the {where} {show(label.train.name)}, the only one of {what}.")
    if (
        selection.x is None
        and len(features) == 1
        and not like.features
        and features[0].role != "x"
        and len(columns) > 2
    ):
        remarks.append(f"The features are in {show(features[0].train.name)}, the only array that can be features.")
    if not features:
        features = _wide(place, columns, label)
        if left := [column for column in columns if column not in (*features, label)]:
            first, last = show(features[0].train.name), show(features[-1].train.name)
            where = f"in the column {first}"
            if len(features) > 1:
                where = f"the {len(features):,} columns {first} to {last}"
            remarks.append(f"The features are {where}. Not used: {_names(left)}.")
    told = _told(place, features, label, remarks)
    if places is not None:
        told = parts_of(told["train"], places)
    labels = read_labels(told, one_naming(label.splits.values()) or class_names_beside(columns, label, told, remarks))
    remarks += labels.notes
    belongs = {} if groups is None else grouping(groups, told, places)
    counts = {} if weights is None else weighing(weights, told, places)
    examples = examples_of(features, labels, places, belongs, counts)
    table = _is_table(features)
    return Dataset.of_splits(
        name,
        examples,
        labels.classes,
        notes=tuple(remarks),
        columns=Columns(
            tuple(column.train.name for column in features),
            label.train.name if label.train.table is not None or not table else "",
            table,
        ),
    )


def _is_table(features: Sequence[Column]) -> bool:
    """Whether the features are columns of a table, a number each."""
    return features[0].train.table is not None and len(features[0].train.shape) == 1


def _unlabelled(
    name: str, place: str, columns: Sequence[Column], features: Sequence[Column], label: Column | None
) -> Dataset:
    """All examples of a source, in their order, with their ids where it has some."""
    if not features:  # but single columns, of which one may be the label
        with contextlib.suppress(UsageError, DataError):
            label = label or _label(place, columns, [], "")
        features = _wide(place, columns, label)
    for split in features[0].splits:
        _refuse_unlike(place, features, split)
    labels = unknown_labels({split: entry.shape[0] for split, entry in features[0].splits.items()})
    used = list(labels.numbers)
    examples = {
        split: Examples(rows_of(matrix_of(features, split, used, once=True)), y) for split, y in labels.numbers.items()
    }
    ids, notes = ids_of(columns, labels)
    return Dataset.of_splits(
        name,
        examples,
        labels.classes,
        notes=notes,
        columns=Columns(tuple(column.train.name for column in features), table=_is_table(features)),
        ids=ids,
    )


def _asked_label(place: str, columns: Sequence[Column], selection: Selection, like: Columns) -> Column | None:
    """The column with the labels, where the user named it, or where the source to which this one belongs has it."""
    if selection.label is not None:
        if selection.label == selection.groups:
            raise UsageError(
                f"--groups {show(selection.label)}: is what is to be learned, --label; name another column"
            )
        return named(place, columns, selection.label, "--label", selection.like)
    if like.table and like.label:
        return like_train(place, columns, like.label)
    return next((column for column in columns if column.train.name == like.label), None)


def _chosen(place: str, columns: Sequence[Column], asked: str, like: Columns | None) -> list[Column]:
    """The features that the user named: an array, a column, or what columns that are numbered begin with."""
    family = [
        column
        for column in columns
        if column.train.numeric and re.fullmatch(re.escape(asked.rstrip("*")) + "[0-9]+", column.train.name)
    ]
    return family if len(family) > 1 else [named(place, columns, asked, "--x", like)]


def _beside(
    place: str, columns: Sequence[Column], selection: Selection, asked: str, option: str, like: Columns | None = None
) -> Column:
    """The column that the user named, neither features nor labels; none of these is proposed where it is not there."""

    def fit() -> list[Column]:
        label = None
        with contextlib.suppress(UsageError, DataError):  # what is unclear too is for later
            label = _asked_label(place, columns, selection, Columns())
            label = label or _label(place, columns, _features(place, columns, None), "")
        others = [column for column in columns if column is not label and column.role != "y"]
        return [column for column in others if len(column.train.sizes) == 1 and column.countable]

    return named(place, columns, asked, option, like, fit)


def _best(columns: Sequence[Column]) -> list[Column]:
    """Those whose names are the usual ones themselves, or else all."""
    return [column for column in columns if column.name.usual] or list(columns)


def _features(place: str, columns: Sequence[Column], label: Column | None) -> list[Column]:
    """The array with the features; [] where there are but single columns."""
    wide = [
        column
        for column in columns
        if column is not label and column.train.numeric and len(column.train.shape) > 1 and column.role != "y"
    ]
    found = _best([column for column in wide if column.role == "x"]) or wide
    if len(found) > 1:
        raise _unclear(place, columns, found, "features", "--x")
    return found


def _label(place: str, columns: Sequence[Column], features: Sequence[Column], hint: str) -> Column:
    """The column with the labels: one of a usual name, or the only one that can be."""
    n = features[0].train.shape[0] if features else None
    others = [column for column in columns if column not in features]
    named = [column for column in others if column.role == "y"]
    found = _best([column for column in named if n is None or column.train.shape[0] == n])
    if not found:
        fit = [
            column
            for column in others
            if len(column.train.sizes) == 1 and column.train.shape[0] == (n or column.train.shape[0])
        ]
        fit = [column for column in fit if column.role not in ("ids", "classes")]
        texts = [column for column in fit if not column.train.numeric]
        whole = [column for column in fit if column.train.dtype is not None and column.train.dtype.kind in "iub"]
        found = texts or whole
    if len(found) == 1:
        return found[0]
    if found:
        raise _unclear(place, columns, found, "labels", "--label")
    if named:
        raise _lengths(features[0].train, named[0].train)
    raise UsageError(
        f"{place}: no labels found in {listed([column.train for column in columns])}; give --label the name of a "
        f"column or of a file with one label a row, as --label {show(hint) or 'labels.npy'}"
    )


def _unclear(place: str, columns: Sequence[Column], found: Sequence[Column], what: str, option: str) -> UsageError:
    rest = [column for column in columns if column not in found]
    beside = f", beside {listed([column.train for column in rest])}" if rest else ""
    return UsageError(
        f"{place}: several could be the {what}: {listed([column.train for column in found])}{beside}; choose one, as "
        f"{option} {show(found[0].train.name)}"
    )


def _wide(place: str, columns: Sequence[Column], label: Column | None) -> list[Column]:
    """The columns of numbers that together are the features: those numbered alike if there are, else all but ids."""
    numbers = [
        column for column in columns if column is not label and column.train.numeric and column.train.table is not None
    ]
    families: dict[str, list[Column]] = {}
    for column in numbers:
        if (pattern := _NUMBER.sub("0", column.train.name)) != _NUMBER.sub("", column.train.name):
            families.setdefault(pattern, []).append(column)
    large = [family for family in families.values() if len(family) > 1]
    named = [family for family in large if read_name(_stem(family)).role == "x"]
    if len(named or large) > 1:
        stems = [show(_stem(family)) for family in named or large]
        raise UsageError(
            f"{place}: several groups of columns could be the features, those that begin with {', '.join(stems)}; "
            f"choose one, as --x {stems[0]}"
        )
    found = (named or large)[0] if large else [column for column in numbers if column.role != "ids"]
    if not found:
        raise UsageError(
            f"{place}: no features found in {listed([column.train for column in columns])}; give --x the name of "
            "an array or of a column of lists"
        )
    return found


def _stem(family: Sequence[Column]) -> str:
    return family[0].train.name.rstrip("0123456789")


def _names(columns: Sequence[Column]) -> str:
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    return ", ".join(show(column.train.name) for column in columns[:5]) + more


def _told(place: str, features: Sequence[Column], label: Column, remarks: list[str]) -> dict[str, Told]:
    """The labels of each split that has both; what has only features or only labels is said."""
    splits = dict.fromkeys(split for column in (*features, label) for split in column.splits)
    told: dict[str, Told] = {}
    for split in splits:
        here = [column.splits[split] for column in features if split in column.splits]
        theirs = label.splits.get(split)
        if not here or theirs is None:
            remarks.append(f"{split}: has no {'features' if theirs else 'labels'}, so this split is not used.")
            continue
        _refuse_unlike(place, features, split)
        if here[0].shape[0] != theirs.shape[0]:
            raise _lengths(here[0], theirs)
        where = place if len(splits) == 1 else f"{place}: {split}"
        told[split] = Told(where, np.asarray(theirs.load()))
    return told


def _refuse_unlike(place: str, features: Sequence[Column], split: str) -> None:
    """Refuse a split in which one of the features is absent, or is not made of numbers."""
    for column in features:
        there, entry = column.train, column.splits.get(split)
        if entry is None:
            raise DataError(
                f"{place}: {split} has no {show(there.name)}, which train has; give all splits the same columns"
            )
        if entry.numeric != there.numeric:
            raise DataError(
                f"{entry.place}: {show(entry.name)} is {entry.kind}, and {there.kind} in train; correct what is no "
                "number"
            )


def _lengths(x: Entry, y: Entry) -> DataError:
    x_is_file, y_is_file = (Path(entry.place).name == entry.name for entry in (x, y))
    features = "" if x_is_file else f"{show(x.name)} "
    where = "" if y_is_file or x.place == y.place else f" ({y.place})"
    return DataError(
        f"{x.place}: {features}has {x.shape[0]:,} rows, its labels {show(y.name)} are {y.shape[0]:,}{where}; give one "
        "label for each row"
    )
