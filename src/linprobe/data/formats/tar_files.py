"""Which files a tar holds, and where in it each lies: only headers are read, and each within bounds."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["Member", "members"]

AGAIN = "copy or download it again"
LARGEST_FILE = 2**44
MOST_MEMBERS = 20_000_000
# tarfile reads a long name into memory whole, and one level of recursion deeper for each.
LONGEST_HEADER = 2**16
_BROKEN = (tarfile.TarError, EOFError, ValueError, LookupError, OverflowError, RecursionError)


class Member(NamedTuple):
    """Where a file lies in its tar, its bytes, and the time of the tar."""

    offset: int
    size: int
    stamp: int


class _Headers(io.FileIO):
    """A file of which no more than a header is read at once."""

    def read(self, size: int | None = -1, /) -> Any:
        if size is None or not 0 <= size <= LONGEST_HEADER:
            raise tarfile.ReadError("a name of more bytes than names have")
        return super().read(size)


def members(path: Path) -> Iterator[tuple[str, Member]]:
    """The name and place of each file, in the order of the tar.

    Raises UnsafeFileError for links, devices and paths that leave it, DataError for what is not a complete tar.
    """
    size = require_file(path, LARGEST_FILE, AGAIN)
    try:
        with readable(path), _Headers(path) as file:
            stamp = os.fstat(file.fileno()).st_mtime_ns
            with tarfile.open(fileobj=file, mode="r:") as archive:
                count = 0
                while (member := archive.next()) is not None:
                    archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  # it would hold them all
                    count += 1
                    yield from _one(path, member, size, stamp)
                    if count > MOST_MEMBERS:
                        raise DataError(f"{path}: has more than {MOST_MEMBERS:,} members; take smaller shards")
                # tarfile takes a damaged header for the end.
                file.seek(archive.offset)
                if any(file.read(tarfile.BLOCKSIZE)):
                    raise tarfile.ReadError(f"no header at byte {archive.offset:,}")
    except _BROKEN as error:
        raise DataError(f"{path}: is not an intact tar file: {show(str(error), 120)}; {AGAIN}") from error


def _one(path: Path, member: tarfile.TarInfo, size: int, stamp: int) -> Iterator[tuple[str, Member]]:
    place = f"{path}: {show(member.name, 120)}"
    windows = PureWindowsPath(member.name)  # has drives and both slashes, so it sees every way out
    if windows.anchor or ".." in windows.parts:
        raise UnsafeFileError(f"{place}: leads out of the archive; do not use it, {AGAIN}")
    if member.isdir():
        return
    if member.issparse() or not member.isreg():
        raise UnsafeFileError(f"{place}: is a link, a device or a sparse file, only files are expected; {AGAIN}")
    if member.size < 0 or member.offset_data + member.size > size:
        raise DataError(f"{path}: ends before {show(member.name, 120)} does; {AGAIN}")
    yield member.name, Member(member.offset_data, member.size, stamp)
