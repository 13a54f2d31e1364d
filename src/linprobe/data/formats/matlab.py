"""MATLAB's .mat files, up to version 7: matrices by name, text and cells of text as labels or names of classes."""

import contextlib
import struct
import warnings
import zlib
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from linprobe.data.formats.dense import dense
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.matlab_elements import alone
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["entries"]

AGAIN = "save it again, with MATLAB's save -v7 or scipy.io.savemat"
LARGEST_FILE = 2**40
HARMLESS = 2**30  # bytes
MOST_UNFOLDING = 1_100  # what deflate can do at best
MOST_TEXTS = 2**24
# MATLAB's names of types; what is none of them is left out: structures, functions, objects of its own.
TYPES: dict[str, type[np.generic]] = {
    "double": np.float64,
    "single": np.float32,
    "logical": np.bool_,
    **{name: getattr(np, name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
}
HDF5 = b"\x89HDF\r\n\x1a\n"


def entries(path: Path) -> list[Entry]:
    """The matrices of a file; of a row of numbers or texts each is an example, and of a 4-D array the last axis."""
    from scipy import io

    size = require_file(path, LARGEST_FILE, AGAIN)
    with readable(path), path.open("rb") as file:
        start = file.read(520)
    if start.startswith((b"MATLAB 7.3", HDF5)) or HDF5 in start:
        raise DataError(f"{path}: is a MATLAB 7.3 file, which is HDF5; {AGAIN}, or rename it to .h5")
    with _intact(path):
        listed = io.whosmat(str(path), appendmat=False)
    names = [name for name, _, _ in listed]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnsafeFileError(f"{path}: {show(twice)} comes twice, so it is not clear which one counts; {AGAIN}")
    lengths = {max(shape) for _, shape, _ in listed if len(shape) == 2 and min(shape) == 1}
    found: list[Entry] = []
    for number, (name, shape, kind) in enumerate(listed):
        if kind not in (*TYPES, "sparse", "char", "cell") or 0 in shape:
            continue
        needed = 1
        for length in shape:
            needed *= int(length)
        if needed * 8 > max(HARMLESS, MOST_UNFOLDING * size) and kind != "sparse":
            raise UnsafeFileError(
                f"{path}: {show(name)} claims {' x '.join(f'{length:,}' for length in shape)} values in a file of "
                f"{size:,} bytes; do not use it, {AGAIN}"
            )
        found.append(_entry(path, number, name, shape, kind, size, lengths))
    if not found:
        raise DataError(f"{path}: holds no matrices; {AGAIN}")
    return found


def _entry(
    path: Path, number: int, name: str, shape: tuple[int, ...], kind: str, size: int, lengths: set[int]
) -> Entry:
    place = str(path)
    if kind in ("char", "cell"):
        rows = shape[0] if kind == "char" else max(shape)
        return Entry(name, place, (rows,), None, lambda: _texts(path, number, name, kind))
    dtype = np.dtype(TYPES.get(kind, np.float64))
    turned = _turned(shape, lengths)
    if turned == "row":
        ours = (shape[1],)
    elif turned == "last":
        ours = (shape[-1], *shape[:-1])
    else:
        ours = tuple(shape)

    def load() -> np.ndarray:
        values = _read(path, number, name)
        if sp.issparse(values):
            values = dense(sp.csr_matrix(values), place, size)
        # Written on a machine of the other byte order, it is read in this one's.
        values = np.asarray(values).astype(dtype, copy=False)
        return values.reshape(ours) if turned == "row" else np.moveaxis(values, -1, 0) if turned == "last" else values

    return Entry(name, place, ours, dtype, load)


def _turned(shape: tuple[int, ...], lengths: set[int]) -> str:
    """Which axis is that of the examples, if not the first: a vector is always a matrix, pictures often lie last."""
    if len(shape) == 2 and shape[0] == 1 and shape[1] > 1:
        return "row"
    if len(shape) > 2 and shape[-1] in lengths and shape[0] not in lengths:
        return "last"
    return ""


def _texts(path: Path, number: int, name: str, kind: str) -> np.ndarray:
    """The rows of a matrix of letters, or the cells of a vector of texts; the padding of letters is left out."""
    values = np.asarray(_read(path, number, name)).reshape(-1)
    if kind == "cell":
        values = [np.asarray(cell).reshape(-1) for cell in values]
        if any(cell.dtype.kind != "U" or len(cell) > 1 for cell in values):
            raise DataError(f"{path}: {show(name)} holds cells that are no texts; {AGAIN}")
        values = ["".join(cell.tolist()) for cell in values]
    return np.array([str(text).rstrip() for text in values])


def _read(path: Path, number: int, name: str) -> Any:
    """The variable of this number and name."""
    from scipy import io
    from scipy.io.matlab import matfile_version

    with _intact(path):
        newer = matfile_version(str(path), appendmat=False)[0] == 1
        source = BytesIO(alone(path, number, AGAIN)) if newer else str(path)
        values = io.loadmat(source, variable_names=[name], appendmat=False)[name]
        if sp.issparse(values):
            values.check_format(full_check=True)  # of what SciPy takes for places in memory
        return values


@contextlib.contextmanager
def _intact(path: Path) -> Generator[None]:
    """Turn what SciPy raises about a damaged file into a DataError, and what it warns of and would go on with."""
    from scipy.io.matlab import MatReadError

    try:
        with readable(path), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            yield
    except (
        MatReadError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        TypeError,
        UserWarning,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise DataError(f"{path}: is not an intact .mat file: {show(str(error), 120)}; {AGAIN}") from error
