"""The pictures in a folder or in a zip file: which there are, what was left out, how each is read."""

import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from linprobe.data.pictures import FORMAT_NAMES, MOST_BYTES
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["ENDINGS", "File", "Listing", "files_in", "is_picture", "read_bounded"]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
DEEPEST = 8
MOST_FILES = 5_000_000
LARGEST_ZIP = 2**44
# Deflate packs 1,032 bytes into one at best; members that share their packed bytes go beyond.
MOST_UNFOLDING, HARMLESS = 1_100, 2**30
AGAIN = "copy or download it again"
# What systems and programs leave in folders of pictures.
HIDDEN = frozenset(("__macosx", "thumbs.db", "desktop.ini", "@eadir"))
LINK = "a link that leads out of it or nowhere", "links that lead out of it or nowhere"
ODD = "a pipe or device", "pipes or devices"
FOLDER_LINK = "a link to a folder", "links to folders"
DEEP = f"a folder more than {DEEPEST} deep", f"folders more than {DEEPEST} deep"
OTHER = f"a file that is not {FORMAT_NAMES}", f"files that are not {FORMAT_NAMES}"
UNSEEN = "a hidden file or folder", "hidden files and folders"
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,
    LookupError,
    EOFError,
    ValueError,
    OverflowError,
)


class File(NamedTuple):
    """A picture: the folders that it lies in and its name, its bytes and time, and how to read it."""

    parts: tuple[str, ...]
    size: int
    stamp: int
    read: Callable[[], bytes]


class Listing(NamedTuple):
    """Pictures, in no order; all folders; how often what was left out, in the singular and the plural."""

    files: list[File]
    folders: list[tuple[str, ...]]
    left: Counter[tuple[str, str]]


def is_picture(name: str) -> bool:
    """Whether a file is called as a picture and is not hidden."""
    return name.lower().endswith(ENDINGS) and not _hidden(name)


def files_in(path: Path) -> Listing:
    """The pictures below a folder, or in a zip file of one, of which nothing is unpacked to the disk.

    Links to folders are not followed, nor is a link to a file outside. Raises DataError for what cannot be read,
    UnsafeFileError for a zip that leaves its folder or would fill the memory.
    """
    listing = _in_zip(path) if path.is_file() else _in_folder(path)
    if len(listing.files) > MOST_FILES:
        raise DataError(f"{path}: holds more than {MOST_FILES:,} pictures; name the folder of one data set")
    return listing


def read_bounded(path: Path, place: str, size: int, offset: int = 0) -> bytes:
    """A file, or a part of one, that must still have the size that it had."""
    if size > MOST_BYTES:
        raise UnsafeFileError(f"{place}: has {size:,} bytes, at most {MOST_BYTES:,} are decoded; leave it out")
    with readable(Path(place)):
        # Without waiting, should a pipe have taken its place; Windows knows no such flag.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            if offset:
                file.seek(offset)
            content = file.read(size)
            whole = not offset and (not stat.S_ISREG(os.fstat(handle).st_mode) or file.read(1))
    if len(content) != size or whole:
        raise DataError(f"{place}: is not as it was when its folder was listed; {AGAIN}")
    return content


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in HIDDEN


def _in_folder(path: Path) -> Listing:
    listing = Listing([], [], Counter())
    with readable(path):
        inside = os.path.realpath(path)
    pending: list[tuple[str, ...]] = [()]
    while pending:
        parts = pending.pop()
        here = path.joinpath(*parts)
        with readable(Path(show(str(here), 200))), os.scandir(here) as entries:
            for entry in entries:
                _list(entry, (*parts, entry.name), inside, listing, pending)
    return listing


def _list(
    entry: os.DirEntry[str], parts: tuple[str, ...], inside: str, listing: Listing, pending: list[tuple[str, ...]]
) -> None:
    """Put what an entry of a folder is into the listing, or a folder among those that are still to be listed."""
    if _hidden(entry.name):
        listing.left[UNSEEN] += 1
        return
    if entry.is_dir(follow_symlinks=False):
        if len(parts) > DEEPEST:
            listing.left[DEEP] += 1
            return
        listing.folders.append(parts)
        pending.append(parts)
        return
    target = entry.path
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if Path(target).is_dir():
            listing.left[FOLDER_LINK] += 1
            return
        if not Path(target).is_relative_to(inside) or not os.path.lexists(target) or Path(target).is_symlink():
            listing.left[LINK] += 1
            return
    status = Path(target).stat()
    if not stat.S_ISREG(status.st_mode):
        listing.left[ODD] += 1
    elif not is_picture(entry.name):
        listing.left[OTHER] += 1
    else:
        place, size = show(entry.path, 200), status.st_size
        listing.files.append(File(parts, size, status.st_mtime_ns, lambda: read_bounded(Path(target), place, size)))


def _in_zip(path: Path) -> Listing:
    size = require_file(path, LARGEST_ZIP, AGAIN)
    listing = Listing([], [], Counter())
    try:
        with readable(path):
            archive = zipfile.ZipFile(path)  # left open: its members are read later, by many threads
        members = archive.infolist()
        _refuse_bombs(path, members, size)
        stamp = path.stat().st_mtime_ns
        for member in members:
            _list_member(path, archive, member, stamp, listing)
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    return listing


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: is not an intact zip file: {show(str(error), 120)}; {AGAIN}")


def _refuse_bombs(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    names = Counter(member.filename for member in members)
    if len(names) < len(members):
        twice = names.most_common(1)[0][0]
        raise UnsafeFileError(f"{path}: {show(twice)} comes twice, so it is not clear which one counts; {AGAIN}")
    packed, unpacked = (sum(getattr(member, key) for member in members) for key in ("compress_size", "file_size"))
    if packed > size:
        raise UnsafeFileError(
            f"{path}: has {size:,} bytes and announces members of {packed:,}, which share what they hold; do not use "
            f"it, {AGAIN}"
        )
    if unpacked > max(HARMLESS, MOST_UNFOLDING * size):
        raise UnsafeFileError(
            f"{path}: unfolds from {size:,} to {unpacked:,} bytes, as no honest pictures do; do not use it, {AGAIN}"
        )


def _list_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, stamp: int, listing: Listing) -> None:
    place = f"{path}: {show(member.filename, 120)}"
    windows = PureWindowsPath(member.filename)  # has drives and both slashes, so it sees every way out
    if windows.anchor or ".." in windows.parts:
        raise UnsafeFileError(f"{place}: leads out of the archive; do not use it, {AGAIN}")
    parts = windows.parts
    if any(_hidden(part) for part in parts):
        listing.left[UNSEEN] += 1
    elif len(parts) > DEEPEST + 1:
        listing.left[DEEP] += 1
    elif member.is_dir():
        listing.folders.append(parts)
    elif (kind := stat.S_IFMT(member.external_attr >> 16)) and kind != stat.S_IFREG:
        listing.left[LINK if kind == stat.S_IFLNK else ODD] += 1
    elif not is_picture(member.filename):
        listing.left[OTHER] += 1
    else:
        listing.files.append(File(parts, member.file_size, stamp, lambda: _unpacked(path, archive, member, place)))


def _unpacked(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: str) -> bytes:
    if member.file_size > MOST_BYTES:
        raise UnsafeFileError(
            f"{place}: announces {member.file_size:,} bytes, at most {MOST_BYTES:,} are decoded; leave it out"
        )
    if member.flag_bits & 1:
        raise DataError(f"{place}: is encrypted; unpack it with its password, and give the folder")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{place}: is packed by method {member.compress_type}; pack it again, with deflate or none")
    try:
        with readable(path), archive.open(member) as file:
            content = file.read(member.file_size)
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    if len(content) != member.file_size:
        raise DataError(f"{place}: announces {member.file_size:,} bytes, and has {len(content):,}; {AGAIN}")
    return content
