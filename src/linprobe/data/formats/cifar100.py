"""CIFAR-100 as its authors distribute it, and CIFAR-10 in their binary version.

The folder cifar-100-python (train, test and meta, each a pickled dictionary) or its cifar-100-python.tar.gz; the
folders cifar-100-binary and cifar-10-batches-bin or their tar.gz, in which an image is its labels, a byte each, and its
pixels.
CIFAR-100 has fine labels, 100, and coarse ones, 20. https://www.cs.toronto.edu/~kriz/cifar.html describes the layouts.
"""

import contextlib
import gzip
import io
import tarfile
import zlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats.archive import members
from linprobe.data.formats.entries import Selection, refuse_selection
from linprobe.data.formats.unpickle import Machine
from linprobe.data.labels import Told, read_labels
from linprobe.data.reading import class_names, readable, require_file, show
from linprobe.errors import DataError, UsageError

__all__ = ["parts", "read", "recognises"]

AGAIN = "download it again from its authors"
SIDE, CHANNELS = 32, 3
PIXELS = SIDE * SIDE * CHANNELS
# The training file has 155 MB; saved again by Python 3 with protocol 2 it has up to twice that, as bytes become text.
LARGEST_FILE = 320 * 2**20
KINDS = ("fine", "coarse")
LOOKED_AT = 2**16  # bytes of an archive, to tell which it is
_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, LookupError, OverflowError, RecursionError)


class _Layout(NamedTuple):
    """folder: its name; train, test: the files; names: those of the class names, fine first; labels: bytes a row."""

    folder: str
    train: tuple[str, ...]
    test: str
    names: tuple[str, ...]
    labels: int

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.names, *self.train, self.test)


PYTHON = _Layout("cifar-100-python", ("train",), "test", ("meta",), 0)
BINARY = _Layout("cifar-100-binary", ("train.bin",), "test.bin", ("fine_label_names.txt", "coarse_label_names.txt"), 2)
_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
BINARY_10 = _Layout("cifar-10-batches-bin", _BATCHES, "test_batch.bin", ("batches.meta.txt",), 1)
LAYOUTS = (PYTHON, BINARY, BINARY_10)


class _Machine(Machine):
    """That of CIFAR-10's pickles, for five times as many images in a file."""

    again = AGAIN
    never = "the images and labels of CIFAR-100"
    most_operations = 1_000_000


class _Part(NamedTuple):
    """The images (n, 32, 32, 3) of a file, and its labels (n,) by kind."""

    images: np.ndarray
    labels: Mapping[str, np.ndarray]


def recognises(path: Path) -> bool:
    """Whether this path is one of the official folders, the parent of one, or an official archive."""
    return _layout(path) is not None


def parts(folder: Path) -> list[Path]:
    """The official folder in this one, or this one where it is that; [] for none."""
    if (layout := _layout(folder)) is None:
        return []
    official = folder / layout.folder
    return [official if official.is_dir() else folder]


def _layout(path: Path) -> _Layout | None:
    if path.is_dir():
        for layout in LAYOUTS:
            # train and test alone may be the folders of any data set.
            known = all((path / name).is_file() for name in (layout.names[0], *layout.train[:1]))
            if path.name == layout.folder or (path / layout.folder).is_dir() or known:
                return layout
        return None
    if not path.name.endswith((".tar.gz", ".tgz")) or not path.is_file():
        return None
    # By the first name in it, as people rename archives; what is damaged is read as CIFAR-10, and refused there.
    with contextlib.suppress(*_BROKEN):
        with gzip.open(path) as file:
            start = file.read(LOOKED_AT)
        with tarfile.open(fileobj=io.BytesIO(start), mode="r:") as archive:
            first = (archive.next() or tarfile.TarInfo()).name.removeprefix("./").partition("/")[0]
        return next((layout for layout in LAYOUTS if first == layout.folder), None)
    return None


def read(path: Path, selection: Selection) -> Dataset:
    """CIFAR-100 with its fine labels, or with the coarse ones by label="coarse"; CIFAR-10 has but one kind.

    uint8 (n, 32, 32, 3) train and test; fewer images of the same layout are accepted. Raises DataError for a missing or
    damaged file, UnsafeFileError for one that asks to run code, to leave its folder or to fill the memory.
    """
    layout = _layout(path)
    assert layout is not None  # noqa: S101  # as `recognises` has seen
    kind = _kind(path, layout, selection)
    contents: dict[str, bytes] = {}
    parts: dict[str, _Part] = {}
    names: dict[str, tuple[str, ...]] = {}
    with readable(path):
        found = (
            _folder(path, layout) if path.is_dir() else members(path, layout.folder, layout.files, LARGEST_FILE, AGAIN)
        )
    with contextlib.closing(found):
        for name, raw in found:
            place = str(path / name) if path.name == layout.folder else str(path / layout.folder / name)
            contents[name] = b""
            if name in layout.names:
                names |= _names(raw, place, name, layout)
            else:
                parts[name] = _unpickled(raw, place) if layout is PYTHON else _records(raw, place, layout)
    if missing := [name for name in layout.files if name not in contents]:
        raise DataError(f"{path}: has no {', '.join(missing)}; {AGAIN}")
    train = [parts[name] for name in layout.train]
    test = parts[layout.test]
    told = {
        "train": Told(str(path), np.concatenate([part.labels[kind] for part in train])),
        "test": Told(str(path), test.labels[kind]),
    }
    labels = read_labels(told, names[kind])
    for split, y in labels.numbers.items():
        if (y < 0).any():
            raise DataError(f"{path}: {split} has a label below 0; {AGAIN}")
    images = [part.images for part in train]
    return Dataset(
        "cifar10" if layout is BINARY_10 else "cifar100",
        Examples(images[0] if len(images) == 1 else np.concatenate(images), labels.numbers["train"]),
        Examples(test.images, labels.numbers["test"]),
        labels.classes,
    )


def _kind(path: Path, layout: _Layout, selection: Selection) -> str:
    if layout.labels == 1:
        refuse_selection(str(path), selection)
        return "fine"
    refuse_selection(str(path), selection._replace(label=None))
    kind = (selection.label or "fine").removesuffix("_labels")
    if kind not in KINDS:
        raise UsageError(f"--label {show(kind)}: {path} has fine and coarse labels; choose one, as --label coarse")
    return kind


def _folder(path: Path, layout: _Layout) -> Generator[tuple[str, bytes], None, None]:
    folder = path / layout.folder if (path / layout.folder).is_dir() else path
    for name in layout.files:
        file = folder / name
        size = require_file(file, LARGEST_FILE, AGAIN)
        with readable(file), file.open("rb") as opened:
            raw = opened.read(size)
        yield name, raw


def _names(raw: bytes, place: str, name: str, layout: _Layout) -> dict[str, tuple[str, ...]]:
    """The names of the classes by kind."""
    if layout is PYTHON:
        content = _content(raw, place)
        return {kind: class_names(content.get(f"{kind}_label_names"), place, AGAIN) for kind in KINDS}
    kind = KINDS[layout.names.index(name)]
    lines: list[object] = [line.strip() for line in raw.splitlines() if line.strip()]
    return {kind: class_names(lines, place, AGAIN)}


def _content(raw: bytes, place: str) -> dict[str, object]:
    found = _Machine(raw, place).run()
    assert isinstance(found, dict)  # noqa: S101  # as the machine has seen
    return {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in found.items()}


def _unpickled(raw: bytes, place: str) -> _Part:
    content = _content(raw, place)
    data = content.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        kind = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{place}: its data is {kind}, where uint8 (n, {PIXELS}) is expected; {AGAIN}")
    labels: dict[str, np.ndarray] = {}
    for kind in KINDS:
        values = content.get(f"{kind}_labels")
        if not isinstance(values, list) or not all(type(value) is int and abs(value) < 2**31 for value in values):
            raise DataError(f"{place}: its {kind}_labels are not a list of integers; {AGAIN}")
        labels[kind] = np.array(values, np.int64)
        if len(values) != len(data) or not values:
            raise DataError(
                f"{place}: has {len(data):,} images and {len(values):,} {kind}_labels, one each is expected; {AGAIN}"
            )
    return _Part(_upright(data), labels)


def _records(raw: bytes, place: str, layout: _Layout) -> _Part:
    size = layout.labels + PIXELS
    if not raw or len(raw) % size:
        raise DataError(f"{place}: has {len(raw):,} bytes, where {size:,} for each image are expected; {AGAIN}")
    rows = np.frombuffer(raw, np.uint8).reshape(-1, size)
    kinds = ("fine",) if layout.labels == 1 else ("coarse", "fine")
    labels = {kind: rows[:, place].astype(np.int64) for place, kind in enumerate(kinds)}
    return _Part(_upright(rows[:, layout.labels :]), labels)


def _upright(data: np.ndarray) -> np.ndarray:
    """From rows that have all red values, all green, all blue."""
    return np.ascontiguousarray(data.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1))
