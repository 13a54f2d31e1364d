"""Files of arrays and columns, and folders of them: which belong together, and which has the labels."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from linprobe.data.dataset import Dataset
from linprobe.data.formats.choose import dataset_of
from linprobe.data.formats.entries import Entry, Selection, listed
from linprobe.data.formats.naming import Name, Split, read_name
from linprobe.data.reading import readable, show
from linprobe.errors import DataError, UsageError

__all__ = [
    "FileFormat",
    "Located",
    "format_of",
    "locate",
    "read_file",
    "read_folder",
    "read_list",
    "refuse_missing",
    "suffixes_of",
]

MOST_FILES, DEEPEST = 10_000, 3
LABEL_FILES = (".npy", ".txt", ".csv", ".tsv")  # that may lie beside one with features alone


class FileFormat(NamedTuple):
    """A format whose files hold arrays or columns.

    description: as errors list it, in a word, "" for what another one says; suffixes: in small letters; entries: opens
    a file, and gives what is in it without loading it; magic: what such files begin with, whatever they are called. A
    file that is one array gives one entry, which is called as the file is. source: whether it can be one by itself, and
    not only lie beside one.
    """

    description: str
    suffixes: tuple[str, ...]
    entries: Callable[[Path], list[Entry]]
    magic: bytes = b""
    source: bool = True


Formats = Sequence[FileFormat]


def format_of(path: Path, formats: Formats) -> FileFormat | None:
    """The format of a file, by the end of its name or else by how it begins."""
    for known in formats:
        if path.name.lower().endswith(known.suffixes):
            return known
    with readable(path):
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = file.read(16)
    return next((known for known in formats if known.magic and start.startswith(known.magic)), None)


def read_file(path: Path, selection: Selection, formats: Formats) -> Dataset:
    """A file of one of the formats, all of it to learn from; where it has no labels, those in a file beside it."""
    entries = _opened(path, formats)
    if len(entries) == 1 and entries[0].name == path.stem:
        # The file's name may say train or test, but a file that is named is what is learnt from.
        entries = [replace(entries[0], name=path.name, split="train")]
    hint = ""
    if (
        selection.labelled
        and selection.label is None
        and all(entry.numeric and read_name(entry.name).role != "y" for entry in entries)
    ):
        ours = read_name(path.stem)
        beside = [file for file in _label_files(path.parent) if file != path]
        matching = [file for file in beside if (read_name(file.stem).rest, read_name(file.stem).split) == _key(ours)]
        entries += [replace(entry, split="train") for file in matching for entry in _labels_in(file, formats)]
        hint = next(
            (file.name for same in (True, False) for file in beside if (file.suffix == path.suffix) is same), ""
        )
    entries = _with_files(path.parent, entries, selection, formats)
    with readable(path):
        name = path.resolve().stem
    return dataset_of(name, str(path), entries, selection, hint=hint)


def read_folder(path: Path, selection: Selection, formats: Formats) -> Dataset:
    """A folder of such files: splits and parts by the names of files and folders, arrays and columns by their names."""
    located = locate(path, suffixes_of(formats))
    refuse_missing(located)
    entries = [entry for file in located for entry in _named(file, file.name.part, formats)]
    entries = _with_files(path, entries, selection, formats)
    with readable(path):
        name = path.resolve().name
    return dataset_of(name, str(path), entries, selection)


def read_list(paths: Sequence[Path], selection: Selection, formats: Formats) -> Dataset:
    """Files that belong together, as in a folder that has them in this order; matrices are shards, however called."""
    with readable(paths[0]):
        every = [path.resolve() for path in paths]
    folder = Path(os.path.commonpath([path.parent for path in every]))
    located = [Located.of(path, folder) for path in every]
    entries: list[Entry] = []
    shards = ""  # what the first of them is called
    for place, file in enumerate(located):
        found = _named(file, place, formats)
        alone = found[0] if len(found) == 1 and found[0].table is None else None
        if alone and alone.numeric and len(alone.sizes) > 1 and read_name(alone.name).role in ("", "x"):
            shards = shards or alone.name
            found = [replace(alone, name=shards)]
        entries += found
    entries = _with_files(folder, entries, selection, formats)
    return dataset_of(folder.name, f"{paths[0]} and {len(paths) - 1:,} more", entries, selection)


def _named(file: "Located", part: int | None, formats: Formats) -> list[Entry]:
    """What is in one of several files, called so that parts and splits of one array have the same name."""
    return [
        replace(
            entry,
            # A file that is one array is called as the array: features_0.npy is part 0 of features.
            name=file.name.base or file.path.stem if entry.name == file.path.stem else entry.name,
            split=entry.split or file.split,
            part=part,
        )
        for entry in _opened(file.path, formats)
    ]


def suffixes_of(formats: Formats) -> tuple[str, ...]:
    """What the names of files of these formats end in."""
    return tuple(suffix for known in formats for suffix in known.suffixes)


def locate(folder: Path, suffixes: tuple[str, ...]) -> "list[Located]":
    """The files with these suffixes in a folder and below it, in order; links to folders are not followed."""
    found: list[Located] = []
    for root, folders, files in os.walk(folder, onerror=_unreadable):
        here = Path(root)
        depth = len(here.relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if depth < DEEPEST and not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or not name.lower().endswith(suffixes):
                continue
            # Texts are labels or names of classes, or else a README and the like.
            if not name.lower().endswith(".txt") or read_name(Path(name).stem).role in ("y", "classes"):
                found.append(Located.of(here / name, folder))
        if len(found) > MOST_FILES:
            raise DataError(f"{folder}: holds more than {MOST_FILES:,} files; name the folder of one data set")
    return found


def _unreadable(error: OSError) -> None:
    with readable(Path(error.filename)):
        raise error


class Located(NamedTuple):
    """A file, what its name says, and its split: of its name, or else of the nearest folder that names one."""

    path: Path
    name: Name
    split: Split | None

    @classmethod
    def of(cls, path: Path, folder: Path) -> "Located":
        """A file that lies in a folder or below it."""
        name = read_name(path.stem, parts=True)
        above = [read_name(parent).split for parent in reversed(path.parent.relative_to(folder).parts)]
        return cls(path, name, next((split for split in (name.split, *above) if split), None))


def refuse_missing(files: Sequence[Located]) -> None:
    """Refuse a set of numbered files in which one is missing."""
    groups: dict[tuple[object, ...], list[Located]] = {}
    for file in files:
        if file.name.part is not None:
            groups.setdefault((file.path.parent, file.name.base, file.split, file.path.suffix), []).append(file)
    for group in groups.values():
        here = {file.name.part for file in group}
        totals = {file.name.total for file in group}
        first = group[0].path
        if len(totals) > 1:
            raise DataError(
                f"{first}: stands beside files of another numbering; keep files of one data set in a folder"
            )
        numbers = sorted(number for number in here if number is not None)
        # Hubs count from 0 in datasets, and from 1 in models.
        total = totals.pop()
        start = min(numbers[0], 1) if total is None else int(total in here)
        expected = range(start, numbers[-1] + 1 if total is None else start + total)
        number = next((number for number in expected if number not in here), None)
        if number is not None:
            raise DataError(
                f"{first.parent}: has {len(here)} of the {len(expected)} files like {show(first.name)}, number "
                f"{number} is missing; copy or download it"
            )


def _opened(path: Path, formats: Formats) -> list[Entry]:
    known = format_of(path, formats)
    if known is None:
        raise UsageError(f"{path}: linprobe can't read this kind of file; give one with labels or features")
    return known.entries(path)


def _key(name: Name) -> tuple[str, Split | None]:
    return name.rest, name.split


def _label_files(folder: Path) -> list[Path]:
    """The files in a folder that by their name hold labels."""
    with readable(folder):
        files = sorted(folder.iterdir())
    return [file for file in files if file.suffix.lower() in LABEL_FILES and read_name(file.stem).role == "y"]


def _labels_in(path: Path, formats: Formats) -> list[Entry]:
    """The labels in a file: all of it, or its columns that are called so; named as --label takes them."""
    entries = _opened(path, formats)
    named = [entry for entry in entries if read_name(entry.name).role == "y"] or entries
    if len(named) == 1:
        return [replace(named[0], name=path.name, table=None, role="y")]
    return [replace(entry, name=f"{path.name}:{entry.name}", table=None, role="y") for entry in named]


def _with_files(folder: Path, entries: list[Entry], selection: Selection, formats: Formats) -> list[Entry]:
    """Also what is in the files that the options name, FILE or FILE:KEY, here or in the folder of the source."""
    named = {
        "x": selection.x,
        "label": selection.label,
        "split-column": selection.split_column,
        "groups": selection.groups,
        "weights": selection.weights,
    }
    for option, asked in named.items():
        if asked is None or any(entry.name == asked for entry in entries):
            continue
        whole, _, key = asked.rpartition(":")
        for text, inside in ((asked, ""), (whole, key)):
            file = next((file for file in (Path(text), folder / text) if text and file.is_file()), None)
            if file is not None:
                if selection.like is not None:
                    raise UsageError(
                        f"--{option} {show(asked)}: is a file that belongs to the training examples; keep what "
                        "belongs to those of --val and --test in their own files"
                    )
                found = _labels_in(file, formats) if option == "label" and not inside else _opened(file, formats)
                found = [entry for entry in found if not inside or entry.name == inside]
                if len(found) != 1:
                    have = listed(found or _opened(file, formats))
                    raise UsageError(f"--{option} {show(asked)}: has {have}; choose one, as --{option} {file}:KEY")
                table = found[0].table if option == "x" else None
                entries = [*entries, replace(found[0], name=asked, split="train", table=table)]
                break
    return entries
