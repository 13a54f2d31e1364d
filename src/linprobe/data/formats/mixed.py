"""A folder that holds more than one data set: refused, as reading one of them would hide the others."""

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from linprobe.data.formats.files import FileFormat, Located, locate, suffixes_of
from linprobe.data.formats.naming import read_name
from linprobe.data.reading import readable, show
from linprobe.errors import DataError, UsageError

__all__ = ["refuse_mixed"]

Parts = Callable[[Path], list[Path]]

# Files of arrays that are called so say something of the data that they lie beside.
ABOUT = "metadata meta readme info stats statistics annotations annotation sizes mean std config mapping attributes"
ABOUT_WORDS = frozenset((*ABOUT.split(), "submission", "results", "history", "log", "license", "predictions"))


class _Candidate(NamedTuple):
    """One of the data sets: how errors call its format, and the files or folders that it is made of."""

    what: str
    parts: list[Path]


def refuse_mixed(folder: Path, wholes: Sequence[tuple[str, Parts]], formats: Sequence[FileFormat]) -> None:
    """Raise UsageError for a folder with data of more than one kind, one of them with a layout of its own.

    wholes: the name of such a kind, and what of the folder it would read; formats: of the files beside. What is
    called as labels, names of rows or metadata is no data set by itself, nor is what lies in the folder of a run.
    """
    found = [_Candidate(what, parts) for what, parts_of in wholes if (parts := parts_of(folder))]
    if not found or any(folder in each.parts for each in found):  # an official folder, named itself
        return
    used = {part for each in found for part in each.parts}
    files = [file for file in _files(folder, used, suffixes_of(formats)) if not _is_about(file.path, used)]
    endings = {part.suffix.lower() for part in used}  # what a whole reads, it reads all of
    for known in formats:
        theirs = [
            file.path
            for file in files
            if file.path.name.lower().endswith(known.suffixes) and file.path.suffix.lower() not in endings
        ]
        if theirs:
            found.append(_Candidate(known.description, theirs))
    if len(found) > 1:
        listed = ", ".join(f"{each.what} ({_names(folder, each.parts)})" for each in found)
        raise UsageError(f"{folder}: holds more than one data set: {listed}; {_way(folder, found)}")


def _files(folder: Path, used: set[Path], suffixes: tuple[str, ...]) -> list[Located]:
    """The files of arrays and columns in a folder and below it; not those inside a folder that is used as a whole."""
    found: list[Located] = []
    with readable(folder), os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    for path in (folder / name for name in names):
        if path in used:
            continue
        if path.is_dir() and not path.is_symlink():
            try:
                found += locate(path, suffixes)
            except DataError:  # unreadable, or of so many files that they are no data set
                continue
        elif path.name.lower().endswith(suffixes):
            found.append(Located.of(path, folder))
    return found


def _is_about(path: Path, used: set[Path]) -> bool:
    """Whether a file is about the data beside it, and not data."""
    name = read_name(path.stem, parts=True)
    words = {*name.base.split("_")}
    shards = {part.stem for part in used if part.suffix}
    return (
        path.suffix.lower() == ".txt"
        or name.role in ("y", "classes", "ids")
        or bool(words & ABOUT_WORDS)
        or any(path.stem == stem or path.stem.startswith((f"{stem}_", f"{stem}.")) for stem in shards)
        or (path.parent / "run.json").exists()
    )


def _names(folder: Path, parts: Sequence[Path]) -> str:
    shown = show(str(parts[0].relative_to(folder)))
    return f"{shown} and {len(parts) - 1} more" if len(parts) > 1 else shown


def _way(folder: Path, found: Sequence[_Candidate]) -> str:
    """What to type for one of them: a path that names it, or how to set it apart."""
    for each in found:
        others = [part for other in found if other is not each for part in other.parts]
        path = each.parts[0]
        if len(each.parts) > 1:
            path = Path(os.path.commonpath([part.parent for part in each.parts]))
        if path != folder and not any(path in (part, *part.parents) for part in others):
            return f"name one, as linprobe tune {shlex.quote(str(path))}"
    parts = found[0].parts
    suffix, apart = parts[0].suffix, folder / "apart"
    alike = suffix and all(part.suffix == suffix and part.parent == folder for part in parts)
    moved = f"{shlex.quote(str(folder))}/*{suffix}" if alike else shlex.join(map(str, parts[:20]))
    to = shlex.quote(str(apart))
    return f"set one apart, as mkdir {to} && mv {moved} {to} && linprobe tune {to}"
