"""Where images come from: a name or a path becomes a Dataset."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from linprobe.data.dataset import Dataset
from linprobe.data.formats import cifar10, digits, parquet, parquet_files
from linprobe.data.reading import readable, show
from linprobe.errors import UsageError

__all__ = ["NAMES", "PATHS", "open_dataset"]


class PathKind(NamedTuple):
    """A kind of path that can be opened: how it is told, and what reads it."""

    description: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Dataset]


def _cached_cifar10() -> Dataset:
    import linprobe.data.fetch

    return cifar10.read_cifar10(linprobe.data.fetch.cached("cifar10"))


NAMES: dict[str, Callable[[], Dataset]] = {"digits": digits.read_digits, "cifar10": _cached_cifar10}

PATHS = (
    PathKind("the folder cifar-10-batches-py or its cifar-10-python.tar.gz", cifar10.recognises, cifar10.read_cifar10),
    PathKind("a .parquet file or a folder of train-*.parquet", parquet_files.recognises, parquet.read_parquet),
)


def open_dataset(source: str | os.PathLike[str]) -> Dataset:
    """Read a source, given by its name or its path.

    Names: "digits" (comes with scikit-learn), "cifar10" (from the cache, fetched when absent). Paths: the official
    CIFAR-10 folder, one that contains it, or its tar.gz; a parquet file of labelled pictures, or a folder with
    train-*.parquet and perhaps test-*.parquet (a validation split beside them is not read). A name wins over a file of
    that name: write ./digits for the file. Images are uint8 (n, height, width, channels). Raises UsageError for what is
    none of these, DataError for what cannot be read, UnsafeFileError for what should not be.
    """
    if isinstance(source, str) and source in NAMES:
        return NAMES[source]()
    path = Path(source)
    if path.parts[:1] and path.parts[0].startswith("~"):
        path = _home(path)
    with readable(path):
        exists = os.fspath(source) != "" and path.exists()
        kind = next((kind for kind in PATHS if exists and kind.recognises(path)), None)
    if kind is not None:
        return kind.read(path)
    finding = _finding(os.fspath(source), path, exists)
    raise UsageError(f"{finding}{' A' if finding.endswith('?') else '; a'} source is {_known()}")


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


def _finding(source: str, path: Path, exists: bool) -> str:
    place = show(source, 200) or "(empty)"
    if exists:
        if path.is_dir():
            return f"{place}: this folder has nothing that linprobe can read"
        return f"{place}: linprobe can't read this kind of file"
    near = difflib.get_close_matches(source.lower().removeprefix("./"), NAMES, n=1, cutoff=0.6)
    if near:
        return f"{place}: unknown source, did you mean {near[0]}?"
    if path.name != source or path.suffix:
        return f"{place}: does not exist"
    return f"{place}: unknown source, and no such path"


def _known() -> str:
    return ", ".join((*NAMES, *(kind.description for kind in PATHS)))
