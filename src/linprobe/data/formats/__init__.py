"""Where examples come from: a name or a path becomes a Dataset.

To add a format, write one file here and give it one line in a table below.

- A file that holds arrays or columns (`FILES`): write `entries(path) -> list[Entry]`, which opens the file, refuses
  what is damaged or would fill the memory (DataError, UnsafeFileError, in one line: file, finding, expectation, next
  step), and says of each array its name, shape, dtype and how to load it, without loading it. What is X and what the
  labels, splits by name, folders of such files, parts of a whole, labels in a file beside it, --x and --label, missing
  labels: all of that is done for it in `entries`, `files`, `naming` and `linprobe.data.labels`, and by nobody else. A
  format whose file is one array calls its entry as the file is (`path.stem`).
- A source that is laid out in a way of its own (`WHOLE`), such as folders of pictures: write `recognises(path) -> bool`
  and `read(path, selection) -> Dataset`, with labels by `linprobe.data.labels.read_labels` or, where the selection says
  that none are needed, `unknown_labels`; and `parts(folder)`, what of a folder it would read, as `mixed` refuses a
  folder with several data sets. The first that recognises a path reads it; these are asked before the files.

An optional library: `require(module, extra)` of linprobe.errors, which says how to install it. Tests: real bytes made
by the format's own library in tests/data/formats, and hostile ones in tests/hostile.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from linprobe.data.dataset import Dataset
from linprobe.data.formats import (
    cifar10,
    cifar100,
    columnar,
    delimited,
    digits,
    hdf5,
    idx,
    matlab,
    npy,
    npz,
    parquet,
    picture_folders,
    safetensors,
    saved_datasets,
    svmlight,
    torch_files,
    webdataset,
)
from linprobe.data.formats.asked import missing
from linprobe.data.formats.entries import Entry, Selection, refuse_selection
from linprobe.data.formats.files import FileFormat, format_of, locate, read_file, read_folder, suffixes_of
from linprobe.data.formats.given import Given, Location, called, read_given
from linprobe.data.formats.mixed import refuse_mixed
from linprobe.data.formats.other_sources import with_split
from linprobe.data.reading import at_home, readable, show
from linprobe.data.sizes import PictureSize, read_size
from linprobe.errors import UsageError

__all__ = ["FILES", "NAMES", "WHOLE", "Contents", "contents", "kind_of", "open_dataset", "read_source"]


class WholeFormat(NamedTuple):
    """A source with a layout of its own, and what reads it.

    name: of the format; description: how errors list it, unless another one says it too; parts: of a folder, the files
    and folders that it would read; entries: its columns, where it has some.
    """

    name: str
    description: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Selection], Dataset]
    parts: Callable[[Path], list[Path]]
    entries: Callable[[Path], list[Entry]] | None = None


def _cached_cifar10() -> Dataset:
    import linprobe.data.fetch

    return cifar10.read_cifar10(linprobe.data.fetch.cached("cifar10"))


NAMES: dict[str, Callable[[], Dataset]] = {"digits": digits.read_digits, "cifar10": _cached_cifar10}

FILES = (
    FileFormat(".npy", (".npy",), npy.entries, b"\x93NUMPY"),
    FileFormat(".npz", (".npz",), npz.entries),
    FileFormat("", (".txt",), delimited.entries_of_lines, source=False),
    FileFormat(".csv or .tsv", (".csv", ".tsv"), delimited.entries_of_table),
    FileFormat(".parquet", (".parquet",), columnar.entries_of_parquet, b"PAR1"),
    FileFormat(".arrow or .feather", (".arrow", ".feather"), columnar.entries_of_arrow, b"ARROW1"),
    FileFormat(".safetensors", (".safetensors",), safetensors.entries),
    FileFormat(".pt", (".pt", ".pth"), torch_files.entries),
    FileFormat(".h5", (".h5", ".hdf5", ".hdf"), hdf5.entries, b"\x89HDF\r\n\x1a\n"),
    FileFormat(".libsvm", (".svmlight", ".libsvm", ".svm"), svmlight.entries),
    FileFormat(".mat", (".mat",), matlab.entries, b"MATLAB 5.0"),
)
# Beside one of these, pictures are there to be looked at.
ARRAYS = (*suffixes_of([known for known in FILES if known.source]), ".tar")

WHOLE = (
    WholeFormat("CIFAR", "CIFAR-100's files", cifar100.recognises, cifar100.read, cifar100.parts),
    WholeFormat("CIFAR", "CIFAR-10's files", cifar10.recognises, cifar10.read, cifar10.parts),
    WholeFormat(
        "a saved data set of Hugging Face's datasets",
        "a folder that Hugging Face's datasets saved",
        saved_datasets.recognises,
        saved_datasets.read,
        saved_datasets.parts,
        saved_datasets.entries,
    ),
    WholeFormat("pictures in parquet", "", parquet.recognises, parquet.read, parquet.parts, parquet.entries),
    WholeFormat("safetensors", "", safetensors.recognises, safetensors.read_indexed, safetensors.parts),
    WholeFormat("idx", "MNIST's idx files", idx.recognises, idx.read, idx.parts),
    WholeFormat("webdataset", "webdataset's .tar", webdataset.recognises, webdataset.read, webdataset.parts),
    WholeFormat(
        "folders of pictures",
        "a folder or .zip of pictures, as class/1.png",
        partial(picture_folders.recognises, arrays=ARRAYS),
        picture_folders.read,
        picture_folders.parts,
    ),
)


Source = Location | Given


def open_dataset(
    source: Source,
    *,
    x: str | None = None,
    label: str | None = None,
    val: Source | None = None,
    test: Source | None = None,
    split_column: str | None = None,
    groups: str | None = None,
    weights: str | None = None,
    size: str | int | Sequence[int] | None = None,
) -> Dataset:
    """Read a source, given by its name or its path.

    Names: "digits" (comes with scikit-learn), "cifar10" (from the cache, fetched when absent). Paths: what `WHOLE` and
    `FILES` list, and folders of these files. A name wins over a file of that name: write ./digits for the file. Splits
    of the source's own (train, val or dev, test) are found by the names of arrays, files and folders. Images are uint8
    (n, height, width, channels).

    Parameters
    ----------
    source : str, path, data frame, mapping of arrays, or sequence of paths
        The name or the path; or a frame of pandas or Polars, with a column of lists or columns of numbers; arrays of
        any library, columns, lists or lists of shards by name, as an .npz file has them; or files that belong together,
        of which parts follow each other in this order.
    x, label : str, optional
        Which key, column or file has the features, and which the labels; needed only where that is not clear.
    val, test : as source, optional
        The source of the validation and of the test split, in place of the source's own. Classes are matched by name.
    split_column : str, optional
        The column that says train, val or test of each row; one called split that says nothing else is found.
    groups : str, optional
        The column, key or file with the group of each row, such as a patient: a group is never in two splits or folds.
    weights : str, optional
        The column, key or file with what each row counts in training, 0 or more.
    size : int, str or sequence of int, optional
        The size in pixels that all pictures are cut and resized to: 64 for a square, (48, 64) or "48x64" for another,
        height first, and a third number for grey (1) or colour (3). By default the most frequent size; validation and
        test sources always take that of the training examples. Only encoded pictures can be resized, not arrays.

    Returns
    -------
    Dataset
        Features are mapped from their file where the format allows it, and not loaded; `notes` says what was left out.

    Raises
    ------
    UsageError
        For what is none of these, and where x or label are needed: the message lists what is there. For a size that is
        none, and for examples that cannot be given it.
    DataError
        For what cannot be read.
    UnsafeFileError
        For what should not be read.
    MissingDependencyError
        Where a format needs a library that is not installed.
    """
    wanted = None if size is None else read_size(size)
    dataset = read_source(source, Selection(x, label, split_column, groups, size=wanted, weights=weights))
    if wanted is not None:
        _refuse_other_size(called(source), dataset, wanted)
    shape = dataset.train.X.shape[1:]
    theirs_like = PictureSize(*shape) if len(shape) == 3 else None
    others = {split: other for split, other in (("val", val), ("test", test)) if other is not None}
    for split, other in others.items():
        if split_column is not None and split in dict(dataset.splits()):
            raise UsageError(
                f"--{split} {show(called(other), 200)}: --split-column {show(split_column)} says which rows are "
                f"{split}; give one of the two"
            )
        theirs = read_source(
            other,
            Selection(
                x, label, None, groups, dataset.columns, theirs_like, weights=weights if split == "val" else None
            ),
        )
        dataset = with_split(dataset, split, theirs, called(other))
    asked = {"x": x, "label": label, "split_column": split_column, "groups": groups, "weights": weights}
    asked["size"] = None if wanted is None else str(wanted)
    asked |= {split: os.fspath(other) for split, other in others.items() if isinstance(other, str | os.PathLike)}
    return replace(dataset, asked={name: text for name, text in asked.items() if text is not None})


def _refuse_other_size(place: str, dataset: Dataset, wanted: PictureSize) -> None:
    shape = dataset.train.X.shape[1:]
    if len(shape) != 3:
        raise UsageError(f"--size {wanted}: {show(place, 200)} has no pictures; leave it out")
    if not wanted.is_of(shape):
        found = PictureSize(*shape)
        raise UsageError(
            f"--size {wanted}: {show(place, 200)} has pictures of {found} as arrays, and only encoded ones (PNG, JPEG, "
            "WebP) are resized; leave it out, or resize them yourself"
        )


def kind_of(source: Location) -> Literal["name", "whole", "file"] | None:
    """Whether a source is a name, has a layout of its own or is made of files of `FILES`; None for what is none."""
    if isinstance(source, str) and source in NAMES:
        return "name"
    path, exists = _path(source)
    with readable(path):
        if not exists:
            return None
        if any(known.recognises(path) for known in WHOLE):
            return "whole"
        if path.is_dir():
            return "file" if locate(path, suffixes_of(FILES)) else None
        known = format_of(path, FILES)
    return None if known is None or not known.source else "file"


def read_source(source: Source, selection: Selection) -> Dataset:
    """A source by itself, as `open_dataset`, with all that readers can be told."""
    if not isinstance(source, str | os.PathLike):
        return read_given(source, selection, FILES)
    if isinstance(source, str) and source in NAMES:
        refuse_selection(source, selection)
        return NAMES[source]()
    path, exists = _path(source)
    with readable(path):
        read = _reader(path) if exists else None
    if read is not None:
        return read(path, selection)
    place = show(os.fspath(source), 200) or "(empty)"
    if not exists:
        raise UsageError(f"{place}: {missing(os.fspath(source), path, list(NAMES))}")
    finding = (
        "this folder has nothing that linprobe can read" if path.is_dir() else "linprobe can't read this kind of file"
    )
    *kinds, last = (*NAMES, *(kind.description for kind in (*FILES, *WHOLE) if kind.description))
    raise UsageError(f"{place}: {finding}; a source is {', '.join(kinds)}, or {last}")


class Contents(NamedTuple):
    """A format by its name, and the arrays and columns that are in its files; [] where it has none of these."""

    format: str
    entries: list[Entry]


def contents(source: Location) -> Contents | None:
    """What is in a path, without deciding what the features and the labels are; None for names and what is no source.

    Raises DataError for what cannot be read.
    """
    if isinstance(source, str) and source in NAMES:
        return None
    path, exists = _path(source)
    with readable(path):
        if not exists:
            return None
        wholes = [known for known in WHOLE if known.recognises(path) or (path.is_dir() and known.parts(path))]
        if wholes:
            entries = [] if wholes[0].entries is None else wholes[0].entries(path)
            return Contents(" and ".join(dict.fromkeys(known.name for known in wholes)), entries)
        files = [file.path for file in locate(path, suffixes_of(FILES))] if path.is_dir() else [path]
        formats = {file: known for file in files if (known := format_of(file, FILES)) is not None}
    if not formats or not any(known.source for known in formats.values()):
        return None
    names = " and ".join(dict.fromkeys(known.description for known in formats.values() if known.source))
    entries = [entry for file, known in formats.items() for entry in known.entries(file)]
    return Contents(f"a folder of {names}" if path.is_dir() else names, entries)


def _path(source: Location) -> tuple[Path, bool]:
    """The path of a source, and whether it is there."""
    path = at_home(source)
    with readable(path):
        return path, os.fspath(source) != "" and path.exists()


def _reader(path: Path) -> Callable[[Path, Selection], Dataset] | None:
    if path.is_dir():
        refuse_mixed(path, [(known.name, known.parts) for known in WHOLE], FILES)
    whole = next((known for known in WHOLE if known.recognises(path)), None)
    if whole is not None:
        return whole.read
    if path.is_dir():
        return (
            (lambda path, selection: read_folder(path, selection, FILES)) if locate(path, suffixes_of(FILES)) else None
        )
    known = format_of(path, FILES)
    return None if known is None or not known.source else lambda path, selection: read_file(path, selection, FILES)
