"""NumPy's .npz: arrays by name, in a zip file; those that are not compressed are read where they lie."""

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Generator
from pathlib import Path

import numpy as np

from linprobe.data.formats.bounds import refuse_unfolding
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.npy import Header, broken, entries_of, read_header
from linprobe.data.formats.unpacked import unpacked
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["entries"]

AGAIN = "save it again, with numpy.savez"
LARGEST_FILE = 2**44
MOST_MEMBERS = 10_000
_LOCAL = struct.Struct("<4s22xHH")  # a member's own header: its mark, the lengths of its name and of further fields


def entries(path: Path) -> list[Entry]:
    """The arrays of a .npz file."""
    size = require_file(path, LARGEST_FILE, AGAIN)
    with _intact(path), readable(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _refuse_bombs(path, members, size)
        found: list[Entry] = []
        for member in members:
            if member.filename.endswith(".npy"):
                found += _member(path, archive, member)
    if not found:
        raise DataError(f"{path}: holds no arrays; {AGAIN}")
    return found


def _refuse_bombs(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MOST_MEMBERS:
        raise UnsafeFileError(f"{path}: has more than {MOST_MEMBERS:,} members; do not use it, {AGAIN}")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnsafeFileError(f"{path}: {show(twice)} comes twice, so it is not clear which one counts; {AGAIN}")
    unpacked = sum(member.file_size for member in members)
    refuse_unfolding(str(path), size, unpacked, "arrays", AGAIN)


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> list[Entry]:
    name = member.filename.removesuffix(".npy")
    place = str(path)
    if member.flag_bits & 1:
        raise DataError(f"{path}: {show(name)} is encrypted; {AGAIN}")
    with archive.open(member) as file:
        header = read_header(file)

    def load() -> np.ndarray:
        with _intact(path), readable(path):
            if member.compress_type == zipfile.ZIP_STORED:
                start = _start(path, member) + header.offset
                return np.memmap(path, header.dtype, "r", start, header.shape, "F" if header.fortran else "C")
            values = unpacked((header.size,), np.dtype(np.uint8), lambda: _pieces(path, member, header))
            return values.view(header.dtype).reshape(header.shape, order="F" if header.fortran else "C")

    def pickled() -> bytes:
        with _intact(path), readable(path), zipfile.ZipFile(path) as again, again.open(member) as packed:
            return packed.read()[header.offset :]

    return entries_of(place, name, header, member.file_size - header.offset, load, pickled)


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """Where the content of a member that is not compressed begins."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        mark, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        if mark != b"PK\x03\x04":
            raise zipfile.BadZipFile("a member that does not lie where the file says")
    return member.header_offset + _LOCAL.size + name + extra


def _pieces(path: Path, member: zipfile.ZipInfo, header: Header) -> Generator[np.ndarray]:
    """The bytes of an array, unpacked piece by piece: as many as its header announces."""
    place = 0
    with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
        packed.read(header.offset)
        while piece := packed.read(2**20):
            place += len(piece)
            if place > header.size:
                raise ValueError("more bytes than announced")
            yield np.frombuffer(piece, np.uint8)
    if place < header.size:
        raise EOFError("fewer bytes than announced")


@contextlib.contextmanager
def _intact(path: Path) -> Generator[None]:
    """Turn what zipfile, zlib and NumPy raise about a damaged file into a DataError."""
    try:
        with broken(str(path), AGAIN):
            yield
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, LookupError) as error:
        raise DataError(f"{path}: is not an intact .npz file: {show(str(error), 120)}; {AGAIN}") from error
