"""HDF5: datasets by name, in groups or not.

What lies in one piece is mapped; what is in chunks or compressed is read into memory, or if it is large, row by row.
"""

import contextlib
import math
import mmap
import struct
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.formats.bounds import refuse_unfolding
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.lazy import lazy_entry
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError, require

__all__ = ["entries"]

AGAIN = "save it again with h5py, as f['features'] = X and f['labels'] = y"
LARGEST_FILE = 2**44
MOST_OBJECTS = 10_000
KEPT = 2**30  # bytes of an array in chunks, up to which all of it is read at once
LARGEST_CHUNK = 2**28
SHORT = 2**20  # bytes of texts that may share theirs
_HEAP = b"GCOL\1\0\0\0"  # what a heap of texts begins with: its mark, its version
_HEAD = len(_HEAP) + 8  # and its size
_PART = struct.Struct("<H6xQ")  # of a heap: its number and its size
_REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("number", "<u4")])  # to a text
# gzip, shuffle, fletcher32, nbit, scaleoffset, lzf: all others are code from elsewhere.
FILTERS = {1, 2, 3, 5, 6, 32000}


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
        nbytes, offset = _check(path, size, name, dataset), dataset.id.get_offset()
        if offset is not None and offset + nbytes > size:
            raise DataError(f"{path}: {show(name)} goes beyond the end of its file; {AGAIN}")
        if field is not None:
            if dtype[field].hasobject:
                raise DataError(f"{path}: {show(name)} has {show(field)} of any length; {AGAIN}")
            return _plain(path, name, dataset.fields(field)[()])
        if dtype.hasobject:
            if h5py.check_string_dtype(dtype) is None:
                raise DataError(f"{path}: {show(name)} holds references or lists, not numbers or texts; {AGAIN}")
            return _texts(path, size, name, file, dataset)
        if offset is not None and h5py.h5t.py_create(dtype, logical=True) == dataset.id.get_type():
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
    refuse_unfolding(f"{path}: {show(name)}", stored, nbytes, "arrays", AGAIN)
    if dataset.chunks and math.prod(dataset.chunks) * item > max(LARGEST_CHUNK, nbytes):
        raise UnsafeFileError(f"{path}: {show(name)} has chunks larger than all its values; do not use it, {AGAIN}")
    return nbytes


def _plain(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biufSU":
        raise DataError(f"{path}: {show(name)} is {values.dtype}; numbers or texts are expected; {AGAIN}")
    return values


def _texts(path: Path, size: int, name: str, file: Any, dataset: Any) -> np.ndarray:
    """Texts of any length. The library makes room for what each announces, so all of it is added up before."""
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise ValueError("its addresses do not have the usual 8 bytes")
    references = _references(path, dataset)
    if int(references["length"].sum(dtype=np.uint64)) > max(size, SHORT):
        raise UnsafeFileError(f"{path}: the texts {show(name)} are longer than their file; {AGAIN}")
    heaps = np.unique(references["heap"])
    _check_heaps(path, [file.userblock_size + heap for heap in heaps.tolist() if heap])
    return dataset[()]


def _references(path: Path, dataset: Any) -> np.ndarray:
    """Where the texts of a dataset are and how long, (n,), read without following them."""
    import h5py

    offset, properties = dataset.id.get_offset(), dataset.id.get_create_plist()
    if offset is not None:
        return np.fromfile(path, _REFERENCE, math.prod(dataset.shape), offset=offset)
    if not dataset.chunks:
        raise ValueError("its texts lie in its header")
    # The library unpacks chunks of anything: here, of plain bytes, in a file that is in memory only.
    plain, chunks = h5py.h5p.create(h5py.h5p.DATASET_CREATE), list[tuple[int, ...]]()
    plain.set_chunk(dataset.chunks)
    for number in range(properties.get_nfilters()):
        plain.set_filter(*properties.get_filter(number)[:3])
    with h5py.File("references", "w", driver="core", backing_store=False) as memory:
        kind = h5py.h5t.py_create(np.dtype(("V", _REFERENCE.itemsize)))
        same = h5py.h5d.create(memory.id, b"same", kind, dataset.id.get_space(), plain)
        dataset.id.chunk_iter(lambda chunk: chunks.append(chunk.chunk_offset))
        for place in chunks:
            mask, raw = dataset.id.read_direct_chunk(place)
            same.write_direct_chunk(place, raw, mask)
        del same  # which closes it: until then, HDF5 2.0 reads the last chunk without regard to its mask
        return h5py.Dataset(h5py.h5d.open(memory.id, b"same"))[()].reshape(-1).view(_REFERENCE)


def _check_heaps(path: Path, places: Sequence[int]) -> None:
    """Refuse heaps of texts with a part that takes no room: the library would go on for ever where it stands.

    places: in ascending order. No heap reaches into the next one, so that each byte is looked at once.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        for start, following in zip(places, (*places[1:], len(raw)), strict=True):
            head = raw[start : start + _HEAD]
            place, end = start + _HEAD, start + int.from_bytes(head[len(_HEAP) :], "little")
            if not head.startswith(_HEAP) or not place <= end <= following:
                raise ValueError("its texts are damaged")
            while place + _PART.size <= end:
                number, size = _PART.unpack_from(raw, place)
                # Number 0 is what is free, and its size is that of all of it.
                room = size if number == 0 else _PART.size + (size + 7) // 8 * 8
                if not _PART.size <= room <= end - place:
                    raise ValueError("its texts are damaged")
                place += room


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
