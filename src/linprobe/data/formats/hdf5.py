"""HDF5: datasets by name, in groups or not.

What lies in one piece is mapped; what is in chunks or compressed is read into memory, or if it is large, row by row.
"""

import contextlib
import math
import mmap
import struct
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.lazy import lazy_entry
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError, require

__all__ = ["entries"]

AGAIN = "save it again with h5py, as f['features'] = X and f['labels'] = y"
LARGEST_FILE = 2**44
MOST_OBJECTS = 10_000
KEPT = 2**30  # bytes of an array in chunks, up to which all of it is read at once
# Deflate packs 1,032 bytes into one at best; chunks that were never written cost nothing.
MOST_UNFOLDING = 1_100
HARMLESS = 2**30
LARGEST_CHUNK = 2**28
TEXTS = 2**28  # bytes that a piece of texts may take, each of which may be as long as the file
_HEAP = b"GCOL\1\0\0\0"  # what a heap of texts begins with: its mark, its version
_PART = struct.Struct("<H6xQ")  # of a heap: its number and its size
FILTERS = {
    1,
    2,
    3,
    5,
    6,
    32000,
}  # gzip, shuffle, fletcher32, nbit, scaleoffset, lzf: all others are code from elsewhere


def entries(path: Path) -> list[Entry]:
    """The datasets of an HDF5 file."""
    size = require_file(path, LARGEST_FILE, AGAIN)
    with _opened(path) as file:
        found = [entry for name, dataset in _datasets(path, file) for entry in _entries(path, size, name, dataset)]
    if not found:
        raise DataError(f"{path}: holds no arrays; {AGAIN}")
    return found


@contextlib.contextmanager
def _opened(path: Path) -> Generator[Any]:
    """The file, open; what the library says is wrong in it becomes a DataError."""
    h5py = require("h5py", "hdf5")
    try:
        with readable(path):
            try:
                with h5py.File(path, "r", locking="best-effort") as file:
                    yield file
            except OSError as error:
                if error.errno is not None:
                    raise
                raise ValueError(str(error)) from error
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError) as error:
        raise DataError(f"{path}: is not an intact HDF5 file: {show(str(error), 120)}; {AGAIN}") from error


def _datasets(path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    """The datasets in all groups, each once, by the names that lead to them; links to elsewhere are refused."""
    import h5py

    groups, seen = [("", file["/"])], {hash(file["/"].id)}
    while groups:
        above, group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            called = f"{above}{name}"
            if isinstance(link, h5py.ExternalLink):
                raise _elsewhere(path, called, "is a link to another file")
            # A soft link leads to what has a name of its own here; nothing leads out of the file but what is refused.
            if not isinstance(link, h5py.HardLink):
                continue
            found = group[name]
            if hash(found.id) in seen:
                continue
            seen.add(hash(found.id))
            if len(seen) > MOST_OBJECTS:
                raise DataError(
                    f"{path}: holds more than {MOST_OBJECTS:,} arrays; one with a row an example is expected; {AGAIN}"
                )
            if isinstance(found, h5py.Group):
                groups.append((f"{called}/", found))
            elif isinstance(found, h5py.Dataset):
                if found.is_virtual or found.external:
                    raise _elsewhere(path, called, "has its values in other files")
                yield called, found


def _elsewhere(path: Path, name: str, finding: str) -> UnsafeFileError:
    return UnsafeFileError(f"{path}: {show(name)} {finding}, and nothing but the file itself is read; {AGAIN}")


def _entries(path: Path, size: int, name: str, dataset: Any) -> list[Entry]:
    """A dataset by its description: whole, or the fields of records; none for a single value."""
    import h5py

    shape, dtype, place = dataset.shape, dataset.dtype, str(path)
    if not shape:
        return []
    if dtype.names:
        return [
            Entry(
                f"{name}/{field}", place, (*shape, *kind.shape), kind.base if kind.base.kind in "biuf" else None,
                lambda field=field: _load(path, size, name, field),
            )
            for field in dtype.names
            for kind in [dtype[field]]
        ]  # fmt: skip
    names = h5py.check_enum_dtype(dtype) or {}
    numbers = sorted(names.values()) == list(range(len(names)))
    return [
        Entry(
            name, place, shape, dtype if dtype.kind in "biuf" else None, lambda: _load(path, size, name),
            names=tuple(sorted(names, key=names.__getitem__)) if numbers else (),
        )
    ]  # fmt: skip


def _load(path: Path, size: int, name: str, field: str | None = None) -> Array:
    """The values of a dataset, or of one field of its records."""
    import h5py

    with _opened(path) as file:
        dataset = file[name]
        shape, dtype = dataset.shape, dataset.dtype
        nbytes = _check(path, size, name, dataset)
        if field is not None:
            return _plain(path, name, dataset.fields(field)[()])
        if dtype.hasobject:
            if h5py.check_string_dtype(dtype) is None:
                raise DataError(f"{path}: {show(name)} holds references or lists, not numbers or texts; {AGAIN}")
            return _texts(path, size, name, dataset)
        offset = dataset.id.get_offset()
        if offset is not None and h5py.h5t.py_create(dtype, logical=True) == dataset.id.get_type():
            if offset + nbytes > size:
                raise DataError(f"{path}: {show(name)} goes beyond the end of its file; {AGAIN}")
            return np.memmap(path, dtype.base, "r", offset, shape)
        if nbytes <= KEPT:
            return _plain(path, name, dataset[()])
        block = dataset.chunks[0] if dataset.chunks else 1024
    return lazy_entry(name, str(path), shape, dtype, lambda rows: _rows(path, name, block, rows)).load()


def _check(path: Path, size: int, name: str, dataset: Any) -> int:
    """The bytes of a dataset. Refuses filters that h5py does not bring, and what was never written or unfolds."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
    for code, _, _, called in filters:
        if code not in FILTERS:
            shown = show(called or b"without a name")
            raise DataError(
                f"{path}: {show(name)} is packed by filter {code} ({shown}), which may be any program; save it again "
                "with compression='gzip'"
            )
    item = dataset.id.get_type().get_size()
    nbytes, stored = math.prod(dataset.shape) * item, dataset.id.get_storage_size()
    if nbytes == 0:
        raise DataError(f"{path}: {show(name)} has no values, {dataset.shape}; at least one row is expected; {AGAIN}")
    if stored == 0 or stored > size or (not filters and not dataset.chunks and stored < nbytes):
        raise DataError(f"{path}: {show(name)} announces {nbytes:,} bytes that were never written; {AGAIN}")
    if nbytes > max(HARMLESS, MOST_UNFOLDING * stored):
        raise UnsafeFileError(
            f"{path}: {show(name)} unfolds from {stored:,} to {nbytes:,} bytes, as no honest arrays do; do not use it, "
            f"{AGAIN}"
        )
    if dataset.chunks and math.prod(dataset.chunks) * item > max(LARGEST_CHUNK, nbytes):
        raise UnsafeFileError(f"{path}: {show(name)} has chunks larger than all its values; do not use it, {AGAIN}")
    return nbytes


def _plain(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biufSU":
        raise DataError(f"{path}: {show(name)} is {values.dtype}; numbers or texts are expected; {AGAIN}")
    return values


def _texts(path: Path, size: int, name: str, dataset: Any) -> np.ndarray:
    """Texts of any length, read in pieces: many may share the bytes of one."""
    _check_heaps(path)
    found = np.empty(dataset.shape, object)
    rows = max(1, min(1024, TEXTS // size // math.prod(dataset.shape[1:])))
    total = 0
    for start in range(0, len(found), rows):
        piece = dataset[start : start + rows]
        found[start : start + rows] = piece
        total += sum(map(len, piece.flat))
        if total > max(size, 2**20):
            raise UnsafeFileError(f"{path}: the texts {show(name)} are longer than their file; {AGAIN}")
    return found


def _check_heaps(path: Path) -> None:
    """Refuse heaps of texts with a part that takes no room: the library would go on for ever where it stands."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        start = raw.find(_HEAP)
        while start >= 0:
            head = raw[start + 8 : start + 16]
            end = min(start + int.from_bytes(head, "little"), len(raw))
            place = start + 16
            while place + _PART.size <= end:
                number, size = _PART.unpack_from(raw, place)
                # Number 0 is what is free, and its size is that of all of it.
                room = size if number == 0 else _PART.size + (size + 7) // 8 * 8
                if not _PART.size <= room <= end - place:
                    raise ValueError("its texts are damaged")
                place += room
            start = raw.find(_HEAP, start + 8)


def _rows(path: Path, name: str, block: int, rows: slice | np.ndarray) -> np.ndarray:
    """Some rows of a dataset; by number, the blocks that have them are read one after the other."""
    with _opened(path) as file:
        dataset = file[name]
        if isinstance(rows, slice):
            return dataset[rows]
        found = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
        blocks = rows // block
        for number in np.unique(blocks).tolist():
            mine = blocks == number
            found[mine] = dataset[number * block : (number + 1) * block][rows[mine] - number * block]
        return found
