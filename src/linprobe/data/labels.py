"""Labels as people keep them (numbers, texts, one-hot rows, with gaps) into class numbers and class names."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from linprobe.data.reading import LONGEST_CLASS_NAME, class_names, show
from linprobe.errors import DataError

__all__ = ["Labels", "Told", "is_one_hot", "read_labels", "unknown_labels"]

MOST_CLASSES = 100_000
ALL_DIFFERENT = 20  # so many labels without a second of any are names of rows
MISSING = -1  # as a class number
LEFT_OUT = "give --label the one to learn"
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Told(NamedTuple):
    """The labels of one split as a source has them, and the file and split that errors name."""

    place: str
    values: np.ndarray


class Labels(NamedTuple):
    """Class numbers (n,) int64 of each split, -1 where a row has no label; the names; what a user should know."""

    numbers: dict[str, np.ndarray]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def read_labels(told: Mapping[str, Told], names: Sequence[str] | None = None) -> Labels:
    """The labels of all splits of a source, numbered alike.

    Takes integers of any values, floats that are whole numbers, booleans, texts, bytes, one-hot rows (n, K) and a
    column (n, 1). Missing are None, NaN, empty texts, and -1 where all other labels are at least 0 (but -1 beside
    nothing but 1 is a class). names: of the classes that integers from 0 stand for; else the classes are called as
    their labels are. A validation or test split without any label is withheld: it is not among `numbers`, and a note
    says so. Raises DataError for anything else.
    """
    plain = {split: _plain(*each) for split, each in told.items()}
    widths = {array.width for array in plain.values()}
    if len(widths) > 1 or len({array.text for array in plain.values()}) > 1:
        first = next(iter(told.values())).place
        found = ", ".join(f"{split} {_kind(each.values)}" for split, each in told.items())
        raise DataError(f"{first}: the labels are of different kinds ({found}); write all of them alike")
    (width,) = widths
    if names is None and width:
        names = [str(number) for number in range(width)]
    if names is not None and not plain[next(iter(plain))].text:
        classes = class_names(list(names), next(iter(told.values())).place, "correct the names")
        numbers = {split: _named(told[split].place, array, len(classes)) for split, array in plain.items()}
    elif plain[next(iter(plain))].text:
        numbers, classes = _texts(told, plain)
    else:
        numbers, classes = _integers(plain)
    return _without_missing(told, numbers, classes)


def unknown_labels(sizes: Mapping[str, int]) -> Labels:
    """For splits of so many examples that are there to be predicted: all of one class, which says nothing."""
    return Labels({split: np.zeros(size, np.int64) for split, size in sizes.items()}, ("unknown",), ())


def is_one_hot(values: np.ndarray) -> bool:
    """Whether the values (n, K), K > 1, are rows of 0 with a single 1."""
    return bool(
        values.ndim == 2
        and values.shape[1] > 1
        and values.dtype.kind in "biuf"
        and ((values == 0) | (values == 1)).all()
        and (np.count_nonzero(values, axis=1) == 1).all()
    )


class _Plain(NamedTuple):
    """Labels (n,) as int64 or uint64, or as a list of str; which of them are missing; K where they were one-hot."""

    values: np.ndarray | list[str]
    missing: np.ndarray
    width: int = 0

    @property
    def text(self) -> bool:
        return isinstance(self.values, list)


def _plain(place: str, values: np.ndarray) -> _Plain:
    values = np.asarray(values)
    if values.ndim > 1:
        values = values.reshape(len(values), *(size for size in values.shape[1:] if size != 1))
    if values.ndim == 2:
        if not is_one_hot(values):
            raise DataError(
                f"{place}: its labels are {_kind(values)}, and not rows with a single 1; one label a row is expected: "
                "choose one column of them, and save it as labels"
            )
        return _Plain(values.argmax(axis=1).astype(np.int64), np.zeros(len(values), bool), values.shape[1])
    if values.ndim != 1:
        raise DataError(f"{place}: its labels are {_kind(values)}, and one a row is expected, (n,); {LEFT_OUT}")
    match values.dtype.kind:
        case "i" | "u":
            return _Plain(values, np.zeros(len(values), bool))
        case "f":
            return _floats(place, values)
        case "b":
            return _text(place, [str(bool(value)) for value in values])
        case "U" | "S" | "T":
            return _text(place, values.tolist())
        case "O":
            return _objects(place, values.tolist())
        case _:
            raise DataError(f"{place}: its labels are {_kind(values)}; integers or texts are expected: convert them")


def _floats(place: str, values: np.ndarray) -> _Plain:
    missing = np.isnan(values)
    filled = np.where(missing, 0, values)
    odd = (filled != np.floor(filled)) | (np.abs(filled) >= 2**53)  # infinity too
    if odd.any():
        row = int(np.argmax(odd))
        raise DataError(
            f"{place}: row {row:,} has label {values[row]:g}, a measurement rather than a class; whole numbers or "
            f"texts are expected: {LEFT_OUT}"
        )
    return _Plain(filled.astype(np.int64), missing)


def _objects(place: str, values: list[object]) -> _Plain:
    """Python's own values: texts, or else numbers, with None and NaN where there is none."""
    missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values]
    kinds = {type(value) for value, gone in zip(values, missing, strict=True) if not gone}
    if kinds <= {str, bytes}:
        return _text(place, [value if isinstance(value, str | bytes) else None for value in values])
    if kinds == {bool}:
        return _text(place, [None if gone else str(value) for value, gone in zip(values, missing, strict=True)])
    if kinds == {int}:
        numbers = [value if type(value) is int else 0 for value in values]
        if all(-(2**63) <= number < 2**63 for number in numbers):
            return _Plain(np.array(numbers, np.int64), np.array(missing))
    if kinds and kinds <= {int, float}:
        return _floats(place, np.array([float(value) if type(value) in kinds else np.nan for value in values]))  # type: ignore[arg-type]
    found = " and ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"{place}: its labels are {found}; integers or texts are expected: convert them")


def _text(place: str, values: Sequence[str | bytes | None]) -> _Plain:
    texts: list[str] = []
    for row, value in enumerate(values):
        try:
            text = value.decode() if isinstance(value, bytes) else value or ""
        except UnicodeDecodeError as error:
            raise DataError(
                f"{place}: row {row:,} has label {show(value or b'')}, which is not UTF-8 text; convert it"
            ) from error
        texts.append("" if text.isspace() else text)
    return _Plain(texts, np.array([not text for text in texts], bool))


def _named(place: str, array: _Plain, classes: int) -> np.ndarray:
    """The numbers of classes that have names; -1 is a missing one."""
    values = np.asarray(array.values)
    outside = ~array.missing & (values != MISSING) & ((values < 0) | (values >= classes))
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{place}: row {row:,} has label {values[row]}, where the {classes:,} named classes are 0 to "
            f"{classes - 1:,}; correct it, or leave the row out"
        )
    return np.where(array.missing, MISSING, values.astype(np.int64))


def _integers(plain: Mapping[str, _Plain]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Integers of any values: the classes are those that are there, in ascending order."""
    present = {split: np.asarray(array.values)[~array.missing] for split, array in plain.items()}
    found: list[int] = sorted({int(value) for values in present.values() for value in np.unique(values)})
    others = [value for value in found if value != MISSING]
    withheld = MISSING in found and min(others, default=0) >= 0 and others != [1]
    classes = others if withheld else found
    wide = bool(classes) and not -(2**63) <= classes[0] <= classes[-1] < 2**63
    kept = np.array(classes, object if wide else np.int64)
    numbers: dict[str, np.ndarray] = {}
    for split, array in plain.items():
        values = np.asarray(array.values)
        gone = array.missing | (withheld & (values == MISSING))
        numbers[split] = np.full(len(values), MISSING, np.int64)
        numbers[split][~gone] = np.searchsorted(kept, values[~gone].astype(kept.dtype))
    return numbers, tuple(map(str, classes))


def _texts(told: Mapping[str, Told], plain: Mapping[str, _Plain]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Texts: the classes are those that are there, in alphabetical order, or in that of numbers."""
    found: dict[str, tuple[str, int]] = {}
    for split, array in plain.items():
        for row, text in enumerate(array.values):
            if text and text not in found:
                found[text] = (split, row)
    for text, (split, row) in found.items():
        if not text.isprintable() or len(text) > LONGEST_CLASS_NAME:
            raise DataError(
                f"{told[split].place}: row {row:,} has label {show(text)}, which is not printable text of 1 to "
                f"{LONGEST_CLASS_NAME} letters; rename the class"
            )
    whole = all(_WHOLE.fullmatch(text) for text in found)
    classes = sorted(found, key=lambda text: (int(text), text)) if whole else sorted(found)
    number = {text: index for index, text in enumerate(classes)} | {"": MISSING}
    numbers = {split: np.array([number[text] for text in array.values], np.int64) for split, array in plain.items()}
    return numbers, tuple(classes)


def _without_missing(told: Mapping[str, Told], numbers: dict[str, np.ndarray], classes: tuple[str, ...]) -> Labels:
    """Withhold the splits without labels, count the rows without one; refuse what cannot be classes."""
    notes: list[str] = []
    kept: dict[str, np.ndarray] = {}
    for split, found in numbers.items():
        place, n, missing = told[split].place, len(found), int(np.count_nonzero(found == MISSING))
        if missing == n > 0:
            if split == "train":
                raise DataError(
                    f"{place}: none of its {n:,} rows has a label (all are -1 or missing); give --label another one"
                )
            said = "-1" if _all_minus(told[split].values) else "missing"
            notes.append(f"{split}: all {n:,} labels are {said} (withheld), so this split is not used.")
            continue
        if missing:
            has, are = ("has", "is") if missing == 1 else ("have", "are")
            notes.append(f"{split}: {missing:,} of {n:,} rows {has} no label (-1 or missing) and {are} left out.")
        kept[split] = found
    n = sum(np.count_nonzero(found != MISSING) for found in kept.values())
    if len(classes) > MOST_CLASSES or len(classes) == n >= ALL_DIFFERENT:
        place = next(iter(told.values())).place
        raise DataError(
            f"{place}: its {n:,} labels are {len(classes):,} different ones, such as {show(classes[0])}, which look "
            f"like names of rows or measurements rather than classes; {LEFT_OUT}"
        )
    return Labels(kept, classes, tuple(notes))


def _all_minus(values: np.ndarray) -> bool:
    return np.asarray(values).dtype.kind in "if" and bool((np.asarray(values) == MISSING).all())


def _kind(values: np.ndarray) -> str:
    return f"{values.dtype} {values.shape}"
