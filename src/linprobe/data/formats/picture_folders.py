"""Folders of pictures: class/x.png, or train/class/x.png beside val/ and test/; and a zip file of the same.

PNG, JPEG and WebP. The classes are called as their folders, in natural order (2 before 10). A folder or zip that holds
nothing but one such folder stands for it.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.fetch import Progress
from linprobe.data.formats.decoded import Picture, decoded
from linprobe.data.formats.entries import Selection, refuse_selection
from linprobe.data.formats.naming import Split, read_name
from linprobe.data.formats.picture_files import File, Listing, files_in, is_picture
from linprobe.data.labels import Told, read_labels, unknown_labels
from linprobe.data.pictures import FORMAT_NAMES
from linprobe.data.reading import readable, show
from linprobe.data.sizes import PictureSize
from linprobe.errors import DataError

__all__ = ["parts", "read", "read_picture_folder", "recognises"]

LOOKED_AT, LEVELS = 2_000, 6  # folders, and entries of each, to tell what a folder is
EXPECTED = f"class folders with {FORMAT_NAMES} pictures are expected, as {{}}/cat/1.png"


class _Located(NamedTuple):
    """A picture with its split and its class."""

    split: Split
    label: str
    file: File


def recognises(path: Path, arrays: tuple[str, ...]) -> bool:
    """Whether this is a zip file, or a folder with pictures in it or in folders below it and no arrays beside them.

    arrays: how the names of files of arrays end.
    """
    if not path.is_dir():
        return path.suffix.lower() == ".zip"
    return next(_holding(path), None) is not None and not _has_arrays(path, arrays)


def parts(folder: Path) -> list[Path]:
    """The folders right in this one that have two folders of pictures or more, together; pictures in one are no
    classes, and there to be looked at.
    """
    holding = [path for path in islice(_holding(folder), LOOKED_AT) if path != folder]
    return sorted({folder / path.relative_to(folder).parts[0] for path in holding}) if len(holding) > 1 else []


def _holding(path: Path) -> Iterator[Path]:
    """The folders that hold pictures themselves, this one and those below it; not all of very many."""
    pending = [path]
    for _ in range(LEVELS):
        below: list[Path] = []
        for folder in pending[:LOOKED_AT]:
            with readable(folder), os.scandir(folder) as entries:
                seen = False
                for entry in islice(entries, LOOKED_AT):
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            below.append(Path(entry.path))
                    elif not seen and is_picture(entry.name):
                        seen = True
                        yield folder
                        if folder != path:
                            break
        pending = sorted(below)


def _has_arrays(path: Path, endings: tuple[str, ...]) -> bool:
    with os.scandir(path) as entries:
        return any(entry.name.lower().endswith(endings) for entry in entries)


def read(path: Path, selection: Selection) -> Dataset:
    """A folder of pictures, in which there is nothing to choose."""
    refuse_selection(str(path), selection)
    if not selection.labelled:
        return _unlabelled(path, selection.size)
    return read_picture_folder(path, size=selection.size)


def read_picture_folder(path: Path, *, size: PictureSize | None = None, progress: Progress | None = None) -> Dataset:
    """Pictures by class and perhaps by split, decoded once and then mapped from the cache.

    size: by default the most frequent one; progress(done, n) counts pictures. Raises DataError for
    damaged pictures, for fewer than two classes and for classes that differ only in case, UnsafeFileError for what
    would leave its folder or fill the memory.
    """
    listing = files_in(path)
    located, notes = _located(path, listing)
    # By split, class and name, so that the order is the same on every system.
    located.sort(key=lambda each: (("train", "val", "test").index(each.split), *_natural(each.label, *each.file.parts)))
    classes = list(dict.fromkeys(sorted((each.label for each in located), key=_natural)))
    _refuse_classes(path, classes)
    number = {name: index for index, name in enumerate(classes)}
    splits = [split for split in ("train", "val", "test") if any(each.split == split for each in located)]
    told = {
        split: Told(str(path), np.array([number[each.label] for each in located if each.split == split], np.int64))
        for split in splits
    }
    labels = read_labels(told, classes)
    found = decoded(
        os.path.realpath(path), [_picture(path, each.file) for each in located], size=size, progress=progress
    )
    examples: dict[str, Examples] = {}
    start = 0
    for split, y in labels.numbers.items():
        examples[split] = Examples(found.images[start : start + len(y)], y)
        start += len(y)
    with readable(path):
        name = path.resolve().stem if path.is_file() else path.resolve().name
    return Dataset.of_splits(
        name,
        examples,
        labels.classes,
        notes=(*notes, *labels.notes, *found.notes),
    )


def _unlabelled(path: Path, size: PictureSize | None) -> Dataset:
    """All pictures, whatever folders they are in, called as their files."""
    files = sorted(files_in(path).files, key=lambda file: _natural(*file.parts))
    if not files:
        raise DataError(f"{path}: has no {FORMAT_NAMES} pictures; give one that has some")
    found = decoded(os.path.realpath(path), [_picture(path, file) for file in files], size=size)
    labels = unknown_labels({"train": len(files)})
    ids = np.array(["/".join(file.parts) for file in files], object)
    return Dataset(
        path.stem,
        Examples(found.images, labels.numbers["train"]),
        None,
        labels.classes,
        notes=found.notes,
        ids={"train": ids},
    )


def _picture(path: Path, file: File) -> Picture:
    name = "/".join(file.parts)
    place = f"{path}: {show(name, 120)}" if path.is_file() else show(str(path.joinpath(*file.parts)), 200)
    return Picture(place, name, file.size, file.stamp, file.read)


def _located(path: Path, listing: Listing) -> tuple[list[_Located], list[str]]:
    """Each picture with its split and class, and what was left out."""
    files, depth = _unwrapped(listing.files, 0)
    splits = _splits(path, files, depth)
    left = listing.left.copy()
    located: list[_Located] = []
    outside = 0
    notes: list[str] = []
    if splits:
        for split, folder in splits.items():
            inside, deep = _unwrapped([file for file in files if file.parts[depth] == folder], depth + 1)
            classed = [_Located(split, file.parts[deep], file) for file in inside if len(file.parts) > deep + 1]
            outside += len(inside) - len(classed)
            located += classed
        outside += sum(file.parts[depth] not in splits.values() for file in files)
        located = _without_unlabelled(located, notes)
        expected = (f"{path.name}/train", "a split and a class")
    else:
        located = [_Located("train", file.parts[depth], file) for file in files if len(file.parts) > depth + 1]
        outside += len(files) - len(located)
        expected = (path.name, "a class")
    if not located:
        there = f"{outside:,} pictures, but in no folder of {expected[1]}" if outside else "no pictures"
        rest = f" ({_counted(left)})" if left and not outside else ""
        raise DataError(f"{path}: has {there}{rest}; {EXPECTED.format(expected[0])}")
    if outside:
        what = "a picture" if outside == 1 else f"{outside:,} pictures"
        notes.insert(0, f"Left out: {what} in no folder of {expected[1]}.")
    if left:
        notes.insert(0, f"Left out: {_counted(left)}.")
    if empty := _empty(listing, located):
        notes.append(f"Left out: {_names(empty)}, without pictures.")
    return located, notes


def _counted(left: dict[tuple[str, str], int]) -> str:
    return ", ".join(one if count == 1 else f"{count:,} {more}" for (one, more), count in sorted(left.items()))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ("the folder " if len(names) == 1 else "the folders ") + ", ".join(map(show, names[:5])) + more


def _unwrapped(files: list[File], depth: int) -> tuple[list[File], int]:
    """How deep the folder lies that has several folders, where those above hold nothing but one folder each."""
    while files and len({file.parts[depth] for file in files}) == 1:
        if read_name(files[0].parts[depth]).split == "train" and depth == 0:
            break
        if not all(len(file.parts) > depth + 2 for file in files):
            break
        depth += 1
    return files, depth


def _splits(path: Path, files: Sequence[File], depth: int) -> dict[Split, str]:
    """The folders of the splits; none where the folders are classes. A split's folder has folders of classes."""
    holding = {file.parts[depth] for file in files if len(file.parts) > depth + 2}
    found: dict[Split, str] = {}
    for folder in sorted(holding):
        if (split := read_name(folder).split) is None:
            continue
        if split in found:
            raise DataError(
                f"{path}: {show(found[split])} and {show(folder)} are both {split}; keep one, or rename the other"
            )
        found[split] = folder
    if found and "train" not in found:
        if holding > set(found.values()):
            return {}
        raise DataError(f"{path}: has {_names(sorted(holding))}, but no train; name the folder to learn from itself")
    return found


def _without_unlabelled(located: list[_Located], notes: list[str]) -> list[_Located]:
    """Leave out the splits whose folders are none of the classes of train, as those of withheld labels are."""
    known = {each.label for each in located if each.split == "train"}
    for split in ("val", "test"):
        theirs = {each.label for each in located if each.split == split}
        if theirs and not theirs & known and known:
            are = "is not a class" if len(theirs) == 1 else "are not classes"
            notes.append(f"{split}: {_names(sorted(theirs))} {are} of train, so this split is not used.")
            located = [each for each in located if each.split != split]
    return located


def _empty(listing: Listing, located: Sequence[_Located]) -> list[str]:
    """The folders without any picture below them, the highest of each branch."""
    full = {each.file.parts[:depth] for each in located for depth in range(len(each.file.parts))}
    full |= {file.parts[:depth] for file in listing.files for depth in range(len(file.parts))}
    empty = {parts for parts in listing.folders if parts not in full}
    return sorted("/".join(parts) for parts in empty if parts[:-1] not in empty)


def _refuse_classes(path: Path, classes: Sequence[str]) -> None:
    if len(classes) == 1:
        raise DataError(
            f"{path}: has pictures of one class, {show(classes[0])}; two or more {EXPECTED.format(path.name)}"
        )
    alike: dict[str, str] = {}
    for name in classes:
        other = alike.setdefault(name.casefold(), name)
        if other != name and len(name) > 1:  # letters, small and capital, are classes that people have
            raise DataError(
                f"{path}: the classes {show(other)} and {show(name)} differ only in case; rename one, or merge them"
            )


def _natural(*texts: str) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """To sort by: numbers inside texts by their values."""
    keys = [
        tuple(
            (0, int(part), "") if part.isascii() and part.isdecimal() else (1, 0, part.casefold())
            for part in _pieces(text)
        )
        for text in texts
    ]
    return (*keys, tuple((1, 0, text) for text in texts))


def _pieces(text: str) -> list[str]:
    return [part for part in re.split(r"([0-9]{1,18})", text) if part]
