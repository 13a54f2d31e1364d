"""Labelled pictures in parquet files, as the Hugging Face hub lays them out.

A picture column `img` or `image`, struct{bytes, path}, and an integer column `label`; class names in the schema's
metadata. A folder has train-*.parquet and perhaps test-*.parquet, in itself or in one folder below it (`data`,
`plain_text`). The files of a validation split are left alone: linprobe takes its validation rows from train.
https://huggingface.co/docs/hub/datasets-image
"""

import contextlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats.entries import Choice, refuse_choice
from linprobe.data.formats.parquet_files import AGAIN, split_files
from linprobe.data.pictures import ColourFoundError, Encoded, Shape, decode, shape_of
from linprobe.data.reading import class_names, readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError, require

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
LARGEST_FILE = 2**40
MOST_CLASSES = 100_000
ROWS_AT_ONCE = 1_024
BYTES_AT_ONCE = 2**28
# No PNG or JPEG unpacks to more than about 1,032 times its size, and a WebP only where next to nothing is on it; a file
# that does more repeats itself. Small ones may.
MOST_UNFOLDING = 1_100
HARMLESS = 2**30


class _File(NamedTuple):
    path: Path
    parquet: "ParquetFile"
    image: str  # name of the column
    label: str
    classes: tuple[str, ...]  # empty where the file does not name them

    @property
    def rows(self) -> int:
        return self.parquet.metadata.num_rows

    @property
    def unpacked(self) -> int:
        """Bytes of all columns, still encoded as pictures, as the file announces them."""
        metadata = self.parquet.metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def read(path: Path, choice: Choice) -> Dataset:
    """Pictures in parquet."""
    refuse_choice(str(path), choice)
    return read_parquet(path)


def read_parquet(path: str | os.PathLike[str]) -> Dataset:
    """A parquet file, all of which is then train, or a folder of them with train and test files.

    uint8 (n, height, width, channels), channels 1 if every picture is grey, else 3; all pictures of one size, as
    nothing is resized here. Classes without names are called "0" to "K-1". Raises DataError for missing parts, damaged
    pictures, other sizes and labels outside the classes, UnsafeFileError for what would fill the memory,
    MissingDependencyError without pyarrow.
    """
    path = Path(path)
    splits = split_files(path)
    with ExitStack() as stack:
        files = {split: [_open(file, stack) for file in paths] for split, paths in splits.items()}
        everything = [file for split in files.values() for file in split]
        names = {file.classes: file.path for file in everything if file.classes}
        if len(names) > 1:
            one, other, *_ = names.values()
            raise DataError(f"{one}: names other classes than {other.name}; keep files of one data set in a folder")
        classes = next(iter(names), ())
        _refuse_repetition(path, everything, sum(file.unpacked for file in everything))
        shape = _first_shape(files["train"])
        _refuse_unfolding(path, everything, shape)
        try:
            read = {split: _read(group, shape, len(classes)) for split, group in files.items() if group}
        except ColourFoundError:
            shape = shape._replace(channels=3)
            _refuse_unfolding(path, everything, shape)
            read = {split: _read(group, shape, len(classes)) for split, group in files.items() if group}
    if not classes:
        count = 1 + max(int(examples.y.max(initial=-1)) for examples in read.values())
        classes = tuple(str(label) for label in range(count))
    with readable(path):
        name = path.resolve().stem if path.is_file() else path.resolve().name
    return Dataset(name, read["train"], read.get("test"), classes)


def _open(path: Path, stack: ExitStack) -> _File:
    pq = require("pyarrow.parquet", "parquet")
    require_file(path, LARGEST_FILE, AGAIN)
    with _explained(path):
        schema = pq.read_schema(path)
        image, label = _image_column(path, schema), _label_column(path, schema)
        # As a dictionary, a picture that a file repeats a million times is in memory once.
        parquet = stack.enter_context(pq.ParquetFile(path, read_dictionary=[f"{image}.bytes"], pre_buffer=False))
        return _File(path, parquet, image, label, _names(path, schema, label))


@contextlib.contextmanager
def _explained(path: Path) -> Generator[None]:
    """Turn what pyarrow raises about a damaged file into a DataError."""
    pa = require("pyarrow", "parquet")
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            with readable(path):
                raise
        # pyarrow has an OSError without a number for what it finds in a file.
        raise DataError(f"{path}: is not an intact parquet file: {show(str(error))}; {AGAIN}") from error


def _image_column(path: Path, schema: "pa.Schema") -> str:
    pa = require("pyarrow", "parquet")

    def has_pictures(name: str) -> bool:
        kind = schema.field(name).type
        if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
            return False
        held = kind.field("bytes").type
        return pa.types.is_binary(held) or pa.types.is_large_binary(held)

    found = [name for name in IMAGE_COLUMNS if schema.names.count(name) == 1 and has_pictures(name)]
    if not found:
        expected = "struct{bytes, path} with the bytes of encoded pictures is"
        raise _unusable(path, schema, IMAGE_COLUMNS, "the pictures", expected, "store the pictures so")
    return found[0]


def _label_column(path: Path, schema: "pa.Schema") -> str:
    """`label`, or else the only integer column whose metadata says that it is a class label."""
    pa = require("pyarrow", "parquet")
    integers = [field.name for field in schema if pa.types.is_integer(field.type)]
    if integers.count(LABEL_COLUMN) == 1:
        return LABEL_COLUMN
    features = _features(schema)
    found = [name for name in integers if features.get(name, {}).get("_type") == "ClassLabel"]
    if len(found) > 1:
        raise DataError(
            f"{path}: has the label columns {_listed(found)}, one is expected; rename the one to learn, "
            f"to {LABEL_COLUMN}"
        )
    if not found:
        raise _unusable(path, schema, (LABEL_COLUMN,), "the labels", "integers from 0 are", "number the classes")
    return found[0]


def _unusable(path: Path, schema: "pa.Schema", names: Sequence[str], what: str, expected: str, mend: str) -> DataError:
    """Why none of the columns of these names can be used."""
    pa = require("pyarrow", "parquet")
    if not schema.names:
        return DataError(f"{path}: has no columns; {AGAIN}")
    named = [field for field in schema if field.name in names]
    if not named:
        return DataError(
            f"{path}: has the columns {_listed(schema.names)}, none is called {' or '.join(names)}; rename the one "
            f"with {what} to {names[-1]}"
        )
    first = named[0]
    if (count := schema.names.count(first.name)) > 1:
        return DataError(f"{path}: has {count} columns {first.name}, one is expected; rename the others")
    if pa.types.is_null(first.type):
        return DataError(
            f"{path}: its column {first.name} is empty, {expected} expected; check that {what} were found when the "
            "file was written"
        )
    return DataError(f"{path}: its column {first.name} holds {show(str(first.type))}, {expected} expected; {mend}")


def _names(path: Path, schema: "pa.Schema", label: str) -> tuple[str, ...]:
    names = _features(schema).get(label, {}).get("names")
    return class_names(names, str(path), AGAIN) if names else ()


def _features(schema: "pa.Schema") -> dict[str, dict[str, object]]:
    """The columns as the Hugging Face libraries describe them; nothing where the description cannot be read."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in found.items() if isinstance(feature, dict)}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(show(name) for name in names[:8])


def _first_shape(files: Sequence[_File]) -> Shape:
    for file in files:
        for encoded, _ in _batches(file, 1):
            return shape_of(encoded[0], f"{file.path}: row 0")
    raise DataError(f"{files[0].path}: has no rows; {AGAIN}")


def _refuse_unfolding(path: Path, files: Sequence[_File], shape: Shape) -> None:
    """Refuse pictures that do not fit into memory, before a byte is allocated for them."""
    rows = sum(file.rows for file in files)
    needed = rows * shape.height * shape.width * shape.channels
    _refuse_repetition(path, files, needed)
    memory = _memory()
    if needed > memory:
        raise DataError(
            f"{path}: {rows:,} pictures of {shape} pixels need {needed:,} bytes of memory, this machine has "
            f"{memory:,}; take fewer or smaller pictures"
        )


def _refuse_repetition(path: Path, files: Sequence[_File], unpacked: int) -> None:
    with readable(path):
        packed = sum(file.path.stat().st_size for file in files)
    if unpacked > max(HARMLESS, MOST_UNFOLDING * packed):
        raise UnsafeFileError(
            f"{path}: unfolds from {packed:,} to {unpacked:,} bytes, as no honest pictures do; do not use it, {AGAIN}"
        )


def _memory() -> int:
    """Bytes of memory of this machine; 8 GiB where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30


def _read(files: Sequence[_File], shape: Shape, classes: int) -> Examples:
    rows = sum(file.rows for file in files)
    try:
        images = np.empty((rows, *shape), np.uint8)
        labels = np.empty(rows, np.int64)
    except (MemoryError, ValueError) as error:
        raise DataError(
            f"{files[0].path}: {rows:,} pictures of {shape} pixels do not fit into memory; take fewer"
        ) from error
    start = 0
    for file in files:
        _read_file(file, images[start : start + file.rows], labels[start : start + file.rows], classes)
        start += file.rows
    return Examples(images, labels)


def _read_file(file: _File, images: np.ndarray, labels: np.ndarray, classes: int) -> None:
    start = 0
    bytes_a_row = max(1, images[:1].size, file.unpacked // max(1, file.rows))
    rows_at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // bytes_a_row))
    for encoded, found in _batches(file, rows_at_once):
        end = start + len(encoded)
        if end > len(images):
            break
        outside = (found < 0) | (found >= (classes or MOST_CLASSES))
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(f"{file.path}: row {start + row:,} {_why_outside(file, int(found[row]), classes)}")
        labels[start:end] = found
        decode(encoded, images[start:end], lambda row, start=start: f"{file.path}: row {start + row:,}")
        start = end
    else:
        if start == len(images):
            return
    raise DataError(f"{file.path}: does not have the {len(images):,} rows that it announces; {AGAIN}")


def _why_outside(file: _File, label: int, classes: int) -> str:
    """What is wrong with a label, and which ones are expected; classes, how many are named, 0 where none is."""
    with _explained(file.path):
        highest = require("pyarrow.compute", "parquet").max(file.parquet.read([file.label]).column(0)).as_py()
    count = classes or (highest + 1 if highest < MOST_CLASSES else 0)
    expected = f"0 to {count - 1:,}" if count > 1 else "0 alone" if count else "0 to K - 1 for K classes"
    if label < 0:
        return (
            f"has label {label}, where {expected} are expected; -1 often means that a label is withheld or missing: "
            "leave such rows out"
        )
    if classes:
        return (
            f"has label {label}, where the {classes:,} named classes are {expected}; correct it, or leave the row out"
        )
    return f"has label {label}, and labels up to {MOST_CLASSES - 1:,} are read; number the classes from 0"


def _batches(file: _File, rows: int) -> Iterator[tuple[list[Encoded | None], np.ndarray]]:
    """Encoded pictures, None where there is none, and integer labels of at most so many rows at a time."""
    columns = [f"{file.image}.bytes", file.label]
    start = 0
    with _explained(file.path):  # the reading, and not what is then done with the rows
        # pyarrow cannot join the dictionaries of two row groups inside a struct, so it reads one group after another.
        for group in range(file.parquet.num_row_groups):
            for batch in file.parquet.iter_batches(rows, [group], columns, use_threads=False):
                labels = batch.column(file.label)
                if labels.null_count:
                    row = start + labels.is_null().to_pylist().index(True)
                    raise DataError(f"{file.path}: row {row:,} has no label; give it one, or leave it out")
                pictures = batch.column(file.image).flatten()[0]  # null also where the whole struct is
                values = _buffers(pictures.dictionary)
                start += len(batch)
                yield (
                    [None if index is None else values[index] for index in pictures.indices.to_pylist()],
                    labels.to_numpy(zero_copy_only=False),
                )


def _buffers(values: "pa.Array") -> list[Encoded | None]:
    """The entries of a binary array where they lie; as scalars, pyarrow would copy them, each time anew."""
    pa = require("pyarrow", "parquet")
    _, offsets, content = values.buffers()
    kind = np.int64 if pa.types.is_large_binary(values.type) else np.int32
    bounds = np.frombuffer(offsets, kind)[values.offset : values.offset + len(values) + 1].tolist()
    valid = values.is_valid().to_pylist()
    return [
        content.slice(start, end - start) if good and content is not None else None
        for good, start, end in zip(valid, bounds, bounds[1:], strict=False)
    ]
