"""CIFAR-10 as its authors distribute it: the folder cifar-10-batches-py, or cifar-10-python.tar.gz.

Five training batches, one test batch and the class names, each a pickled dictionary. Krizhevsky (2009), Learning
multiple layers of features from tiny images; https://www.cs.toronto.edu/~kriz/cifar.html describes the layout.
"""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats.archive import members
from linprobe.data.formats.entries import Selection, refuse_selection
from linprobe.data.formats.unpickle import unpickle
from linprobe.data.reading import CIFAR10_AGAIN, class_names, readable, require_file, show
from linprobe.errors import DataError

__all__ = ["CLASSES", "parts", "read", "read_cifar10", "recognises"]

FOLDER = "cifar-10-batches-py"
META = "batches.meta"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
FILES = (META, *TRAIN, TEST)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE, CHANNELS = 32, 3
PIXELS = SIDE * SIDE * CHANNELS

# A batch has 31 MB; saved again by Python 3 with protocol 2 it has up to 62, because bytes become text.
LARGEST_FILE = 64 * 2**20


class _Batch(NamedTuple):
    place: str
    images: np.ndarray  # uint8 (n, 32, 32, 3)
    labels: np.ndarray  # int64 (n,)


def recognises(path: Path) -> bool:
    """Whether this path is meant as the official folder, its parent, or the official archive."""
    if path.is_dir():
        inside = (path / name for name in (FOLDER, *FILES))
        return path.name == FOLDER or any(entry.exists() for entry in inside)
    return path.name.endswith((".tar.gz", ".tgz"))


def parts(folder: Path) -> list[Path]:
    """The official folder in this one, or this one where it is that; [] for none."""
    official = folder / FOLDER
    return [official] if official.is_dir() else [folder] if recognises(folder) else []


def read(path: Path, selection: Selection) -> Dataset:
    """CIFAR-10, in which there is nothing to choose."""
    refuse_selection(str(path), selection)
    return read_cifar10(path)


def read_cifar10(path: str | os.PathLike[str]) -> Dataset:
    """CIFAR-10 from the official folder, a folder that contains it, or the official tar.gz, which is never unpacked.

    train uint8 (50000, 32, 32, 3) in the order of the batches, test (10000, 32, 32, 3); smaller batches of the same
    layout are accepted. Raises DataError for a missing or damaged file, UnsafeFileError for one that asks to run code,
    to leave its folder or to fill the memory.
    """
    path = Path(path)
    with readable(path):
        contents = _folder(path) if path.is_dir() else members(path, FOLDER, FILES, LARGEST_FILE)
    classes: tuple[str, ...] = ()
    batches: dict[str, _Batch] = {}
    with contextlib.closing(contents):
        for name, raw in contents:
            place = f"{path / FOLDER / name}" if path.name != FOLDER else f"{path / name}"
            if name == META:
                classes = class_names(unpickle(raw, place).get("label_names"), place, CIFAR10_AGAIN)
            else:
                batches[name] = _batch(raw, place)
    _refuse_missing(path, {*batches, META} if classes else {*batches})
    for batch in batches.values():
        _check_labels(batch, len(classes))
    train = [batches[name] for name in TRAIN]
    return Dataset(
        "cifar10",
        Examples(np.concatenate([batch.images for batch in train]), np.concatenate([batch.labels for batch in train])),
        Examples(batches[TEST].images, batches[TEST].labels),
        classes,
    )


def _folder(path: Path) -> Generator[tuple[str, bytes], None, None]:
    with readable(path):
        folder = path / FOLDER if (path / FOLDER).is_dir() else path
        _refuse_missing(folder, {name for name in FILES if (folder / name).exists()})
    for name in FILES:
        file = folder / name
        size = require_file(file, LARGEST_FILE, CIFAR10_AGAIN)
        with readable(file), file.open("rb") as opened:
            raw = opened.read(size)
        yield name, raw


def _refuse_missing(place: Path, found: set[str]) -> None:
    missing = [name for name in FILES if name not in found]
    if missing:
        raise DataError(f"{place}: has no {', '.join(missing)}; {CIFAR10_AGAIN}")


def _batch(raw: bytes, place: str) -> _Batch:
    content = unpickle(raw, place)
    if not {"data", "labels"} <= content.keys():
        keys = ", ".join(show(key) for key in list(content)[:6])
        raise DataError(f"{place}: holds {keys or 'nothing'}, where data and labels are expected; {CIFAR10_AGAIN}")
    data, labels = content["data"], _integers(content["labels"])
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        kind = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{place}: its data is {kind}, where uint8 (n, {PIXELS}) is expected; {CIFAR10_AGAIN}")
    if labels is None:
        raise DataError(f"{place}: its labels are not a list of integers; {CIFAR10_AGAIN}")
    if len(labels) != len(data) or len(data) == 0:
        raise DataError(
            f"{place}: has {len(data):,} images and {len(labels):,} labels, one each is expected; {CIFAR10_AGAIN}"
        )
    # Rows are channel-major: all red values, all green, all blue.
    images = data.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return _Batch(place, np.ascontiguousarray(images), labels)


def _integers(values: object) -> np.ndarray | None:
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        return values.astype(np.int64)
    if isinstance(values, list) and all(type(value) is int for value in values):
        return np.array(values, np.int64)
    return None


def _check_labels(batch: _Batch, classes: int) -> None:
    outside = (batch.labels < 0) | (batch.labels >= classes)
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{batch.place}: row {row:,} has label {batch.labels[row]}, outside the {classes} classes "
            f"(0 to {classes - 1}); {CIFAR10_AGAIN}"
        )
