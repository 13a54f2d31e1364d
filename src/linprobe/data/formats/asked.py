"""What a user named, an array, a column or a source, and what may be meant where there is no such one."""

import difflib
import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from linprobe.data.dataset import Columns
from linprobe.data.formats.entries import Column, listed
from linprobe.data.reading import show
from linprobe.errors import UsageError

__all__ = ["missing", "named"]

MOST_LOOKED_AT = 10_000  # names in a folder, for one like the name that is not there


def named(
    place: str,
    columns: Sequence[Column],
    asked: str,
    option: str,
    like: Columns | None = None,
    fit: Callable[[], Sequence[Column]] | None = None,
) -> Column:
    """The column that the user named, in any case, with its split or without.

    like: of the training examples, which have it; fit: what may be meant where there is no such column, else any.
    Raises UsageError, with one that may be.
    """
    if (found := _called(columns, asked)) is None:
        raise _not_there(place, columns, columns if fit is None else fit(), asked, option, like)
    return found


def _called(columns: Sequence[Column], asked: str) -> Column | None:
    for same in (str, str.lower):
        found = [
            column
            for column in columns
            if same(asked) in {same(entry.name) for entry in column.splits.values()} | {same(column.name.base)}
        ]
        if len(found) == 1:
            return found[0]
    return None


def _not_there(
    place: str, columns: Sequence[Column], fit: Sequence[Column], asked: str, option: str, like: Columns | None
) -> UsageError:
    """That there is no such column; fit: those that may be meant."""
    ordered = [column.train for column in _likeliest_first(columns, option)]
    likely = [column.train for column in _likeliest_first(fit, option)]
    near = difflib.get_close_matches(asked.lower(), [entry.name.lower() for entry in likely], n=1)
    meant = next((entry for entry in likely if entry.name.lower() in near), next(iter(likely), None))
    if like is not None:  # the training examples have it
        way = "call it as in train"
    elif meant is None:
        way = "none of these can be it: leave it out"
    else:
        way = f"give one of these, as {option} {show(meant.name)}"
    return UsageError(f"{option} {show(asked)}: is not in {place}, which has {listed(ordered)}; {way}")


def _likeliest_first(columns: Sequence[Column], option: str) -> list[Column]:
    """In the order in which they are likely to be what the option is for; else in their own."""

    def unlikely(column: Column) -> tuple[bool, ...]:
        entry, flat = column.train, len(column.train.sizes) == 1
        if option == "--x":
            return column.role != "x", flat or not entry.numeric, not entry.numeric
        if option != "--label":
            return not flat, column.role == "y", not column.countable, entry.numeric
        return column.role != "y", not flat, column.role in ("ids", "classes"), not column.countable, entry.numeric

    return sorted(columns, key=unlikely)


def missing(source: str, path: Path, names: Sequence[str]) -> str:
    """What is said of a source that is no name and no path: what may be meant, or else how far the path leads."""
    named = path.name == source and not path.suffix
    finding = "unknown source" if named else "does not exist"
    if near := difflib.get_close_matches(source.lower().removeprefix("./"), names, n=1, cutoff=0.6):
        return f"unknown source, did you mean {near[0]}?"
    try:
        with os.scandir(path.parent) as entries:
            there = {entry.name.lower(): entry.name for entry in islice(entries, MOST_LOOKED_AT)}
    except (OSError, ValueError):  # what no path can be has no folder either
        return f"{finding}, and there is no folder {show(str(path.parent), 200)}; correct the path"
    if near := difflib.get_close_matches(path.name.lower(), there, n=1, cutoff=0.7):
        return f"{finding}, did you mean {show(str(path.parent / there[near[0]]), 200)}?"
    if named:
        return f"{finding}, and no such path; give {' or '.join(names)}, or the path of a file or folder"
    where = "here" if path.parent == Path() else f"in {show(str(path.parent), 200)}"
    return f"{finding}, and nothing {where} has a similar name; correct the path"
