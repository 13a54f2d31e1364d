"""The safetensors format: tensors by name, read where they lie; also several files with an index.

The library judges a file first: each byte belongs to one tensor, and each tensor has the bytes of its shape and type.
"""

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypedDict, cast

import numpy as np

from linprobe.data.dataset import Dataset
from linprobe.data.formats.choose import dataset_of
from linprobe.data.formats.entries import Entry, Selection
from linprobe.data.formats.lazy import bfloat16_entry
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["entries", "parts", "read_indexed", "recognises"]

AGAIN = "save it again, with safetensors"
INDEX = ".safetensors.index.json"
LARGEST_FILE = 2**44
LARGEST_HEADER = 2**24  # also of an index: a hundred thousand tensors
_LENGTH = struct.Struct("<Q")
_TYPES = {f"{letter}{8 * size}": f"<{letter.lower()}{size}" for letter in "IU" for size in (1, 2, 4, 8)}
_TYPES |= {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"}


class _Described(TypedDict):
    """What the header says of a tensor."""

    dtype: str
    shape: list[int]
    data_offsets: list[int]


def entries(path: Path) -> list[Entry]:
    """The tensors of a .safetensors file."""
    from safetensors import SafetensorError, safe_open

    size = require_file(path, LARGEST_FILE, AGAIN)
    with readable(path), path.open("rb") as file:
        raw = file.read(_LENGTH.size)
        (length,) = _LENGTH.unpack(raw.ljust(_LENGTH.size, b"\xff"))
        start = _LENGTH.size + length
        if start > size:
            raise DataError(f"{path}: is not an intact safetensors file: its header goes beyond its end; {AGAIN}")
        if length > LARGEST_HEADER:
            raise UnsafeFileError(
                f"{path}: its header has {length:,} bytes, more than the {LARGEST_HEADER:,} that are read; save it "
                "again with one tensor for all rows"
            )
        header = _json(path, file.read(length))
    try:
        with readable(path), safe_open(path, "numpy"):
            pass
    except SafetensorError as error:
        raise DataError(f"{path}: is not an intact safetensors file: {show(str(error), 120)}; {AGAIN}") from error
    header.pop("__metadata__", None)
    # The rest is so, as the library found.
    return [_entry(path, name, described, start) for name, described in cast("dict[str, _Described]", header).items()]


def _entry(path: Path, name: str, described: _Described, start: int) -> Entry:
    """A tensor, by what the header says of it."""
    kind, shape = described["dtype"], tuple(described["shape"])
    dtype = np.dtype(_TYPES.get(kind, "V1"))
    offset = start + described["data_offsets"][0]

    def load() -> np.ndarray:
        if kind not in _TYPES:
            raise DataError(f"{path}: {show(name)} is {show(kind)}, a type that NumPy lacks; save it as float32")
        if math.prod(shape) == 0:
            raise DataError(f"{path}: {show(name)} has no values ({shape}); at least one row is expected; {AGAIN}")
        with readable(path):
            return np.memmap(path, dtype, "r", offset, shape)

    if kind == "BF16":
        return bfloat16_entry(name, str(path), shape, load)
    return Entry(name, str(path), shape, dtype if kind in _TYPES else None, load)


def recognises(path: Path) -> bool:
    """Whether it is the index of several files, or a folder with one."""
    return path.name.endswith(INDEX) or (path.is_dir() and len(_indices(path)) == 1)


def parts(folder: Path) -> list[Path]:
    """The files of a folder that has one index of them, and this."""
    return [*_indices(folder), *sorted(folder.glob("*.safetensors"))] if recognises(folder) else []


def read_indexed(path: Path, selection: Selection) -> Dataset:
    """Several safetensors files, of which an index says which tensor is in which."""
    index = _indices(path)[0] if path.is_dir() else path
    require_file(index, LARGEST_HEADER, AGAIN)
    with readable(index):
        content = _json(index, index.read_bytes())
    where = content.get("weight_map")
    if not isinstance(where, dict) or not where or not all(isinstance(file, str) for file in where.values()):
        raise DataError(f"{index}: has no weight_map from tensors to files; {AGAIN}")
    found: dict[str, Entry] = {}
    for file in sorted(set(where.values())):
        if PurePosixPath(file).name != file or "\\" in file or not file.isprintable():
            raise UnsafeFileError(f"{index}: names {show(file)}, which is not a file beside it; {AGAIN}")
        for entry in entries(index.parent / file):
            if where.get(entry.name) == file:
                found[entry.name] = entry
    if missing := where.keys() - found.keys():
        name = min(missing)
        raise DataError(f"{index}: says that {show(name)} is in {show(where[name])}, and it is not; {AGAIN}")
    with readable(path):
        name = path.resolve().name.removesuffix(INDEX)
    return dataset_of(name, str(path), list(found.values()), selection)


def _indices(folder: Path) -> list[Path]:
    with readable(folder):
        return sorted(file for file in folder.iterdir() if file.name.endswith(INDEX))


def _json(path: Path, raw: bytes) -> dict[str, object]:
    try:
        content = json.loads(raw, object_pairs_hook=lambda pairs: _once(path, pairs))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not an intact safetensors file: {show(str(error), 120)}; {AGAIN}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: is not an intact safetensors file: no names are in it; {AGAIN}")
    return content


def _once(path: Path, pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise UnsafeFileError(f"{path}: {show(name)} comes twice, so it is not clear which one counts; {AGAIN}")
        found[name] = value
    return found
