"""Labelled pictures in parquet files, as the Hugging Face hub lays them out.

A picture column, struct{bytes, path} or bytes, beside any columns that can be labels; class names in the schema's
metadata. A folder has train-*.parquet, and perhaps validation-*.parquet and test-*.parquet, in itself, in folders
called as the splits, or in one folder below it (`data`, `plain_text`).
https://huggingface.co/docs/hub/datasets-image
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from linprobe.data.dataset import Dataset
from linprobe.data.formats.bounds import refuse_too_large, refuse_unfolding
from linprobe.data.formats.choose import dataset_of
from linprobe.data.formats.columnar import entries_of_parquet
from linprobe.data.formats.entries import Entry, Selection
from linprobe.data.formats.files import locate
from linprobe.data.formats.parquet_files import AGAIN, split_files
from linprobe.data.formats.tables import explained
from linprobe.data.pictures import ColourFoundError, Encoded, Shape, decode, shape_of
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, LinprobeError, MissingDependencyError, UsageError, require

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

__all__ = ["entries", "parts", "read", "read_parquet", "recognises"]

IMAGE_COLUMNS = ("img", "image", "jpg", "jpeg", "png", "webp", "picture", "photo")
LARGEST_FILE = 2**40
ROWS_AT_ONCE = 1_024
BYTES_AT_ONCE = 2**28


class _File(NamedTuple):
    path: Path
    parquet: "ParquetFile"
    image: str  # name of the column

    @property
    def rows(self) -> int:
        return self.parquet.metadata.num_rows

    @property
    def unpacked(self) -> int:
        """Bytes of all columns, still encoded as pictures, as the file announces them."""
        metadata = self.parquet.metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def recognises(path: Path) -> bool:
    """Whether this path is a parquet file with pictures, or a folder of some; what cannot be read is not."""
    files = [file.path for file in locate(path, (".parquet",))] if path.is_dir() else [path]
    if not files or files[0].suffix.lower() != ".parquet":
        return False
    try:
        return bool(_image_columns(_schema(files[0])))
    except MissingDependencyError:
        return True  # which the reader says
    except LinprobeError:
        return False


def parts(folder: Path) -> list[Path]:
    """The parquet files of a folder that has some with pictures."""
    return [file.path for file in locate(folder, (".parquet",))] if recognises(folder) else []


def entries(path: Path) -> list[Entry]:
    """The columns of a file, those of pictures marked as such, though still encoded."""
    pictures = _image_columns(_schema(path))
    return [replace(entry, pictures=entry.name in pictures) for entry in entries_of_parquet(path)]


def read_parquet(path: str | os.PathLike[str]) -> Dataset:
    """`read`, where the source says which columns are meant."""
    return read(Path(path), Selection())


def read(path: Path, selection: Selection) -> Dataset:
    """A parquet file, all of which is then train, or a folder of them with train and perhaps val and test files.

    uint8 (n, height, width, channels), channels 1 if every picture is grey, else 3; all pictures of one size, as
    nothing is resized here. Raises DataError for missing parts, damaged pictures, other sizes and labels outside the
    classes, UnsafeFileError for what would fill the memory, MissingDependencyError without pyarrow, UsageError where
    --x or --label are needed.
    """
    splits = split_files(path)
    with ExitStack() as stack:
        files = {split: [_open(file, selection.x, stack) for file in paths] for split, paths in splits.items()}
        everything = [file for split in files.values() for file in split]
        _refuse_repetition(path, everything, sum(file.unpacked for file in everything))
        shape = _first_shape(files["train"])
        _refuse_unfolding(path, everything, shape)
        column = everything[0].image

        @cache
        def pictures() -> dict[str, np.ndarray]:
            """Of each split; not before the labels have been read."""
            try:
                return {split: _read(group, shape) for split, group in files.items()}
            except ColourFoundError:
                colour = shape._replace(channels=3)
                _refuse_unfolding(path, everything, colour)
                return {split: _read(group, colour) for split, group in files.items()}

        entries: list[Entry] = []
        for split, group in files.items():
            rows = sum(file.rows for file in group)
            load = lambda split=split: pictures()[split]  # noqa: E731
            entries.append(Entry(column, str(path), (rows, *shape), np.dtype(np.uint8), load, split, pictures=True))
            for part, file in enumerate(group):
                others = [entry for entry in entries_of_parquet(file.path) if entry.name != column]
                entries += [replace(entry, split=split, part=part) for entry in others]
        with readable(path):
            name = path.resolve().stem if path.is_file() else path.resolve().name
        return dataset_of(name, str(path), entries, selection._replace(x=column))


def _schema(path: Path) -> "pa.Schema":
    pq = require("pyarrow.parquet", "parquet")
    require_file(path, LARGEST_FILE, AGAIN)
    with explained(path, "parquet"):
        return pq.read_schema(path)


def _open(path: Path, asked: str | None, stack: ExitStack) -> _File:
    pq = require("pyarrow.parquet", "parquet")
    schema = _schema(path)
    found = [name for name in _image_columns(schema) if asked is None or name == asked]
    if len(found) != 1:
        have = ", ".join(f"{show(field.name)} ({show(str(field.type))})" for field in list(schema)[:12])
        what = (
            "several columns of pictures" if found else "no column of pictures" + (f" {show(asked)}" if asked else "")
        )
        way = f"choose one, as --x {show(found[0])}" if found else "name one of these files itself, or choose with --x"
        raise UsageError(f"{path}: has {what} among {have or 'no columns'}; {way}")
    (image,) = found
    if (count := schema.names.count(image)) > 1:
        raise DataError(f"{path}: has {count} columns {image}, one is expected; rename the others")
    with explained(path, "parquet"):
        # As a dictionary, a picture that a file repeats a million times is in memory once.
        leaf = f"{image}.bytes" if _is_struct(schema.field(image).type) else image
        parquet = stack.enter_context(pq.ParquetFile(path, read_dictionary=[leaf], pre_buffer=False))
    return _File(path, parquet, image)


def _is_struct(kind: "pa.DataType") -> bool:
    return require("pyarrow", "parquet").types.is_struct(kind)


def _image_columns(schema: "pa.Schema") -> list[str]:
    """The columns of pictures, as bytes or struct{bytes}: those of a usual name, or else all structs."""
    pa = require("pyarrow", "parquet")

    def is_bytes(kind: "pa.DataType") -> bool:
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)

    structs = [
        field.name
        for field in schema
        if _is_struct(field.type)
        and field.type.get_field_index("bytes") >= 0
        and is_bytes(field.type.field("bytes").type)
    ]
    usual = [field.name for field in schema if field.name.lower() in IMAGE_COLUMNS and is_bytes(field.type)]
    found = list(dict.fromkeys([*structs, *usual]))
    return [name for name in found if name.lower() in IMAGE_COLUMNS] or found


def _first_shape(files: Sequence[_File]) -> Shape:
    for file in files:
        for encoded in _batches(file, 1):
            return shape_of(encoded[0], f"{file.path}: row 0")
    raise DataError(f"{files[0].path}: has no rows; {AGAIN}")


def _refuse_unfolding(path: Path, files: Sequence[_File], shape: Shape) -> None:
    """Refuse pictures that do not fit into memory, before a byte is allocated for them."""
    rows = sum(file.rows for file in files)
    needed = rows * shape.height * shape.width * shape.channels
    _refuse_repetition(path, files, needed)
    refuse_too_large(str(path), needed, f"{rows:,} pictures of {shape} pixels", "take fewer or smaller pictures")


def _refuse_repetition(path: Path, files: Sequence[_File], unpacked: int) -> None:
    with readable(path):
        packed = sum(file.path.stat().st_size for file in files)
    refuse_unfolding(str(path), packed, unpacked, "pictures", AGAIN)


def _read(files: Sequence[_File], shape: Shape) -> np.ndarray:
    rows = sum(file.rows for file in files)
    try:
        images = np.empty((rows, *shape), np.uint8)
    except (MemoryError, ValueError) as error:
        raise DataError(
            f"{files[0].path}: {rows:,} pictures of {shape} pixels do not fit into memory; take fewer"
        ) from error
    start = 0
    for file in files:
        _read_file(file, images[start : start + file.rows])
        start += file.rows
    return images


def _read_file(file: _File, images: np.ndarray) -> None:
    start = 0
    bytes_a_row = max(1, images[:1].size, file.unpacked // max(1, file.rows))
    rows_at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // bytes_a_row))
    for encoded in _batches(file, rows_at_once):
        end = start + len(encoded)
        if end > len(images):
            break
        decode(encoded, images[start:end], lambda row, start=start: f"{file.path}: row {start + row:,}")
        start = end
    else:
        if start == len(images):
            return
    raise DataError(f"{file.path}: does not have the {len(images):,} rows that it announces; {AGAIN}")


def _batches(file: _File, rows: int) -> Iterator[list[Encoded | None]]:
    """Encoded pictures, None where there is none, of at most so many rows at a time."""
    with explained(file.path, "parquet"):  # the reading, and not what is then done with the rows
        # pyarrow cannot join the dictionaries of two row groups inside a struct, so it reads one group after another.
        for group in range(file.parquet.num_row_groups):
            for batch in file.parquet.iter_batches(rows, [group], [file.image], use_threads=False):
                column = batch.column(file.image)
                if _is_struct(column.type):
                    # Null also where the whole struct is.
                    column = column.flatten()[column.type.get_field_index("bytes")]
                values = _buffers(column.dictionary)
                yield [None if index is None else values[index] for index in column.indices.to_pylist()]


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
