"""The names of the classes, where a source has them beside its labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from linprobe.data.formats.entries import Column
from linprobe.data.labels import Told
from linprobe.data.reading import show
from linprobe.errors import DataError

__all__ = ["class_names_beside"]


def class_names_beside(
    columns: Sequence[Column], label: Column, told: Mapping[str, Told], remarks: list[str]
) -> list[str] | None:
    """The names of the classes, where they are an array of texts beside integer labels."""
    # True and False are names already.
    if not label.train.numeric or (label.train.dtype == bool and len(label.train.sizes) == 1):
        return None
    highest = max(_highest(each.values) for each in told.values())
    for column in columns:
        entry = column.train
        if entry.numeric or len(entry.sizes) != 1 or column.role not in ("y", "classes", "ids") or column is label:
            continue
        # Where it is not said that they are names of classes, there must be just as many of them.
        fit = highest < entry.shape[0] if column.role == "classes" else highest == entry.shape[0] - 1
        if not fit or entry.shape[0] >= len(told["train"].values):
            if column.role == "classes":
                remarks.append(
                    f"The classes have no names: {show(entry.name)} has {entry.shape[0]:,}, and the labels, which "
                    f"count from 0, go up to {highest:,}."
                )
            continue
        try:
            names = np.asarray(entry.load()).tolist()
        except DataError as error:
            remarks.append(f"The classes have no names: {error}.")
            continue
        return [str(name.decode() if isinstance(name, bytes) else name) for name in names]
    return None


def _highest(labels: np.ndarray) -> int:
    """The highest class number: of one-hot rows, that of the last column; -1 where there is none."""
    if (width := labels.size // max(1, len(labels))) > 1:
        return width - 1
    found = labels[~np.isnan(labels)] if labels.dtype.kind == "f" else labels
    return int(found.max()) if found.size and found.dtype.kind in "iuf" else -1
