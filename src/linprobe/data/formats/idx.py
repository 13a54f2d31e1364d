"""idx, the format of MNIST: train-images-idx3-ubyte with train-labels-idx1-ubyte, t10k-... as test; also packed, .gz.

Two zero bytes, the type, the number of axes, their sizes and the values, highest byte first. LeCun, Cortes and Burges,
The MNIST database of handwritten digits, describe the layout.
"""

import gzip
import math
import os
import re
import struct
import zlib
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats.entries import Entry, Selection, array_of, refuse_selection
from linprobe.data.formats.naming import Split, read_name
from linprobe.data.labels import Told, read_labels, unknown_labels
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["parts", "read", "recognises"]

AGAIN = "download it again"
LARGEST_FILE = 2**44
MOST_AXES = 4
# Deflate packs 1,032 bytes into one at best.
MOST_UNFOLDING, HARMLESS = 1_100, 2**30
TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_NAME = re.compile(r"(.*?)[-_.]?(images?|labels?)[-_.]idx([1-4])[-_.](?:ubyte|byte|short|int|float|double)(?:\.gz)?")


class _Named(NamedTuple):
    """A file, what its name begins with, and whether it holds the labels."""

    path: Path
    start: str
    labels: bool

    @property
    def split(self) -> Split | None:
        return "test" if "t10k" in self.start else read_name(self.start).split


def recognises(path: Path) -> bool:
    """Whether this is such a file by its name, or a folder with some, in itself or in its folder raw."""
    return bool(_files(path)) if path.is_dir() else _named(path) is not None


def parts(folder: Path) -> list[Path]:
    """The idx files of a folder."""
    return [file.path for file in _files(folder)]


def read(path: Path, selection: Selection) -> Dataset:
    """Images and labels in idx files: those of a folder with its splits, or one file of images and its labels.

    uint8 (n, height, width, 1), or numbers (n, D); mapped from a file that is not packed. Raises DataError for a
    missing or damaged file and for a header that does not fit its file, UnsafeFileError for one that would fill the
    memory.
    """
    refuse_selection(str(path), selection)
    images, labels = _pairs(path, selection.labelled)
    arrays = {split: _images(file) for split, file in images.items()}
    told = {split: Told(str(file), _labels(file)) for split, file in labels.items()}
    for split, each in told.items():
        if len(each.values) != len(arrays[split]):
            raise DataError(
                f"{images[split]}: has {len(arrays[split]):,} images, and {Path(each.place).name} has "
                f"{len(each.values):,} labels; one each is expected: {AGAIN}"
            )
    found = read_labels(told) if told else unknown_labels({split: len(X) for split, X in arrays.items()})
    examples = {split: Examples.labelled(arrays[split], y) for split, y in found.numbers.items()}
    with readable(path):
        name = _called(path.resolve())
    return Dataset.of_splits(name, examples, found.classes, notes=found.notes)


def _called(path: Path) -> str:
    if path.is_file():
        return path.name.partition(".")[0]
    return path.parent.name if path.name == "raw" else path.name


def _named(path: Path) -> _Named | None:
    match = _NAME.fullmatch(path.name.lower())
    return None if match is None or path.name.startswith(".") else _Named(path, match[1], match[2].startswith("label"))


def _files(path: Path) -> list[_Named]:
    """The files of a folder, or of its folder raw; of a file and the same packed, the one that is not packed."""
    for folder in (path, path / "raw"):
        if not folder.is_dir():
            continue
        with readable(folder):
            found = [named for file in sorted(folder.iterdir()) if (named := _named(file)) is not None]
        names = {named.path.name for named in found}
        if found:
            return [named for named in found if named.path.name.removesuffix(".gz") not in names - {named.path.name}]
    return []


def _pairs(path: Path, labelled: bool) -> tuple[dict[Split, Path], dict[Split, Path]]:
    """The images and the labels of each split, those only where they are asked for."""
    if path.is_dir():
        files = _files(path)
        starts = sorted({file.start for file in files})
        splits: dict[str, Split] = {file.start: file.split or "train" for file in files}
    else:
        named = _named(path)
        with readable(path.parent):
            files = _files(path.parent)
        starts = [named.start] if named is not None else []
        splits = dict.fromkeys(starts, "train")
    images: dict[Split, Path] = {}
    labels: dict[Split, Path] = {}
    for start in starts:
        for kind, said in ((images, False), (labels, True))[: 2 if labelled else 1]:
            fit = [file.path for file in files if (file.start, file.labels) == (start, said)]
            if not fit:
                there = next(file.path for file in files if file.start == start)
                what = "labels-idx1-ubyte" if said else "images-idx3-ubyte"
                raise DataError(f"{there}: has no file {show(start)}-{what} beside it; copy or download it")
            if splits[start] in kind:
                raise DataError(
                    f"{path}: {show(kind[splits[start]].name)} and {show(fit[0].name)} are both {splits[start]}; give "
                    "the file of images to learn from"
                )
            kind[splits[start]] = fit[0]
    if "train" not in images:
        only = next(iter(images.values()))
        raise DataError(f"{path}: has {show(only.name)}, but no train-images-idx3-ubyte; copy or download it")
    return images, labels


def _images(path: Path) -> np.ndarray:
    X = _array(path)
    if X.ndim < 2:
        raise DataError(f"{path}: has {X.ndim} axis, where images are expected, (n, height, width); {AGAIN}")
    if X.dtype == np.uint8 and X.ndim == 3:
        return X[..., None]
    found = array_of(Entry("images", str(path), X.shape, X.dtype, lambda: X))
    assert isinstance(found, np.ndarray)  # noqa: S101  # as the array is one
    return found


def _labels(path: Path) -> np.ndarray:
    y = _array(path)
    if y.ndim != 1:
        raise DataError(f"{path}: has the shape {y.shape}, where one label for each image is expected, (n,); {AGAIN}")
    return y


def _array(path: Path) -> np.ndarray:
    """The array of a file: mapped, or unpacked into memory of the size that the header announces."""
    size = require_file(path, LARGEST_FILE, AGAIN)
    try:
        with readable(path), path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return _unpacked(path, unpacked, size)
            kind, shape, offset = _header(path, file)
            if (needed := offset + kind.itemsize * math.prod(shape)) != os.fstat(file.fileno()).st_size:
                raise DataError(
                    f"{path}: announces {shape} of {kind.itemsize} bytes, {needed:,} in all, and has {size:,}; {AGAIN}"
                )
            values = np.memmap(path, kind, "r", offset, shape) if math.prod(shape) else np.empty(shape, kind)
    except EOFError as error:
        raise DataError(f"{path}: ends before its content does; {AGAIN}") from error
    except (gzip.BadGzipFile, zlib.error, ValueError, OverflowError, MemoryError) as error:
        raise DataError(f"{path}: is not an intact idx file: {show(str(error), 120)}; {AGAIN}") from error
    return values if kind.itemsize == 1 else values.astype(kind.newbyteorder("="))


def _header(path: Path, file: IO[bytes] | gzip.GzipFile) -> tuple[np.dtype, tuple[int, ...], int]:
    """Type, shape, and where the values begin."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= MOST_AXES:
        raise DataError(f"{path}: begins with {start.hex(' ')}, which no idx file does; {AGAIN}")
    raw = file.read(4 * start[3])
    if len(raw) < 4 * start[3]:
        raise EOFError
    kind = np.dtype(TYPES[start[2]])
    return kind.newbyteorder("=") if kind.itemsize == 1 else kind, struct.unpack(f">{start[3]}I", raw), 4 + len(raw)


def _unpacked(path: Path, file: gzip.GzipFile, packed: int) -> np.ndarray:
    kind, shape, _ = _header(path, file)
    needed = kind.itemsize * math.prod(shape)
    if needed > max(HARMLESS, MOST_UNFOLDING * packed):
        raise UnsafeFileError(
            f"{path}: unfolds from {packed:,} to {needed:,} bytes, as no honest images do; do not use it, {AGAIN}"
        )
    values = np.empty(needed, np.uint8)
    place = 0
    while piece := file.read(2**20):
        if place + len(piece) > needed:
            raise DataError(f"{path}: has more than the {needed:,} bytes of {shape} that it announces; {AGAIN}")
        values[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    if place < needed:
        raise DataError(f"{path}: announces {shape}, {needed:,} bytes, and has {place:,}; {AGAIN}")
    found = values.view(kind).reshape(shape)
    return found if kind.itemsize == 1 else found.astype(kind.newbyteorder("="))
