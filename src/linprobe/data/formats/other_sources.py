"""Validation and test splits that are sources of their own: --val and --test."""

from dataclasses import replace

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats.belonging import alike
from linprobe.data.formats.lazy import Lazy
from linprobe.data.formats.naming import Split
from linprobe.data.reading import show
from linprobe.data.rows import rows_of
from linprobe.errors import DataError, UsageError

__all__ = ["with_split"]

MOST_NAMED = 5
TITLES = {"val": "validation", "test": "test"}


def with_split(dataset: Dataset, split: Split, other: Dataset, source: str) -> Dataset:
    """A data set with the examples of another one as its validation or test split.

    source: the other one, as the user named it. Of that its own split of this kind is taken, or all where it has none
    apart. Classes are matched by their names. Raises UsageError where it has other splits, DataError for examples of
    another shape and for classes that are not among those of train.
    """
    option = f"--{split} {show(source, 200)}"
    there, own = dict(other.splits()), dict(dataset.splits())
    if split not in there and len(there) > 1:
        raise UsageError(
            f"{option}: has {' and '.join(there)}, and no {split}; give a source with {split}, or with one split"
        )
    given = there.get(split, other.train)
    shapes = [" x ".join(f"{size:,}" for size in each.X.shape[1:]) for each in (given, dataset.train)]
    if given.X.shape[1:] != dataset.train.X.shape[1:]:
        what = "pictures" if len(given.X.shape) == len(dataset.train.X.shape) == 4 else "features"
        raise DataError(f"{option}: its {what} are {shapes[0]}, those of train are {shapes[1]}; make them alike")
    given = replace(given, y=_numbers(option, dataset, other, given))
    notes = [f"{show(source, 200)}: {note}" for note in other.notes]
    if split in own:
        notes.append(
            f"The {TITLES[split]} split is {show(source, 200)}; the source's own, of {len(own[split]):,} examples, is "
            "not used."
        )
    parts = own | {split: given}
    kind = np.result_type(dataset.train.X.dtype, given.X.dtype)
    groups = alike({name: part.groups for name, part in parts.items() if part.groups is not None})
    parts = {
        name: replace(part, X=_as(part.X, kind), groups=groups.get(name))
        if name in groups or part.X.dtype != kind
        else part
        for name, part in parts.items()
    }
    return replace(
        dataset, train=parts["train"], val=parts.get("val"), test=parts.get("test"), notes=(*dataset.notes, *notes)
    )


def _numbers(option: str, dataset: Dataset, other: Dataset, given: Examples) -> np.ndarray:
    """The labels (n,) as numbers of the classes of train."""
    present = np.unique(given.y)
    number = {name: index for index, name in enumerate(dataset.classes)}
    unseen = [other.classes[label] for label in present.tolist() if other.classes[label] not in number]
    if unseen:
        more = f" and {len(unseen) - 1:,} more" if len(unseen) > 1 else ""
        known = ", ".join(map(show, dataset.classes[:MOST_NAMED]))
        rest = f" and {len(number) - MOST_NAMED:,} more" if len(number) > MOST_NAMED else ""
        raise DataError(
            f"{option}: has the class {show(unseen[0])}{more}, which train does not have; its classes are "
            f"{known}{rest}: name them alike, or leave these rows out"
        )
    of_train = np.zeros(len(other.classes), np.int64)
    of_train[present] = [number[other.classes[label]] for label in present.tolist()]
    return of_train[given.y]


def _as(X: Array, kind: np.dtype) -> Array:
    """Examples as numbers of another type, which they get when they are read."""
    if X.dtype == kind:
        return X
    return rows_of(Lazy(X.shape, kind, lambda rows: X[rows].astype(kind)))
