"""Read the few files that we want out of a tar.gz, one pass, never unpacked, within bounds."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Generator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from linprobe.data.reading import CIFAR10_AGAIN, readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["members"]

MOST_BYTES = 512 * 2**20  # of the archive, packed or unpacked; the official one has 170 MB and 186 MB
MOST_MEMBERS = 1_000
# Between two files: headers, long names, padding. tarfile reads a long name into memory whole, and one level of
# recursion deeper for each, so this bounds both.
BETWEEN = 64 * 2**10

# What tarfile and gzip raise on damaged input; ValueError and its like come from numbers inside damaged headers.
_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, LookupError, OverflowError)


class _Allowance(io.RawIOBase):
    """A stream that gives no more bytes than have been allowed, so that a bomb stops where it begins."""

    def __init__(self, stream: gzip.GzipFile, place: str, again: str) -> None:
        super().__init__()
        self.stream = stream
        self.place = place
        self.again = again
        self.left = BETWEEN
        self.total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self.stream.readinto(buffer)
        self.left -= found
        self.total += found
        if self.left < 0 or self.total > MOST_BYTES:
            raise UnsafeFileError(
                f"{self.place}: unpacks to far more than its files, or than {MOST_BYTES:,} bytes; {self.again}"
            )
        return found


def members(
    path: Path, folder: str, names: tuple[str, ...], largest: int, again: str = CIFAR10_AGAIN
) -> Generator[tuple[str, bytes], None, None]:
    """Give (name, content) of the files `folder`/`names` in a tar.gz, in the order of the archive.

    `largest`: bytes of a member, whether wanted or not; `again`: what errors advise. Raises UnsafeFileError for
    links, devices, paths that leave the archive, names that come twice and for bombs, DataError for what is not a
    complete tar.gz. Writes nothing anywhere.
    """
    require_file(path, MOST_BYTES, again)
    with readable(path), path.open("rb") as file:
        try:
            with gzip.GzipFile(fileobj=file) as unzipped:
                stream = _Allowance(unzipped, str(path), again)
                with tarfile.open(fileobj=stream, mode="r|") as archive:
                    yield from _wanted(archive, stream, path, folder, names, largest)
                stream.left = BETWEEN
                while stream.read(2**14):  # to the end, where gzip compares its checksum
                    pass
        except EOFError as error:
            raise DataError(f"{path}: ends before its content does; {again}") from error
        except _BROKEN as error:
            raise DataError(f"{path}: is not an intact tar.gz: {show(str(error))}; {again}") from error


def _wanted(
    archive: tarfile.TarFile, stream: _Allowance, path: Path, folder: str, names: tuple[str, ...], largest: int
) -> Generator[tuple[str, bytes], None, None]:
    seen: set[str] = set()
    for count, member in enumerate(archive):
        place = f"{path}: {show(member.name)}"
        parts = PurePosixPath(member.name).parts
        windows = PureWindowsPath(member.name)  # has drives and both slashes, so it sees every way out
        if windows.anchor or ".." in windows.parts:
            raise UnsafeFileError(f"{place}: leads out of the archive; do not use it, {stream.again}")
        if member.issparse() or not (member.isreg() or member.isdir()):
            raise UnsafeFileError(f"{place}: is a {_kind(member)}, only files are expected; {stream.again}")
        if not 0 <= member.size <= largest:
            raise UnsafeFileError(
                f"{place}: announces {member.size:,} bytes, at most {largest:,} are read; {stream.again}"
            )
        if count >= MOST_MEMBERS:
            raise UnsafeFileError(f"{path}: has more than {MOST_MEMBERS:,} members; {stream.again}")
        stream.left = member.size + BETWEEN
        if len(parts) != 2 or parts[0] != folder or parts[1] not in names or member.isdir():
            continue
        if parts[1] in seen:
            raise UnsafeFileError(f"{place}: comes twice, so it is not clear which one counts; {stream.again}")
        seen.add(parts[1])
        content = archive.extractfile(member)
        yield parts[1], content.read() if content is not None else b""


def _kind(member: tarfile.TarInfo) -> str:
    if member.issparse():
        return "sparse file"
    return {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link"}.get(member.type, "device or pipe")
