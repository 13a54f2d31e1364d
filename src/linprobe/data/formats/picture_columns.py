"""Columns of encoded pictures, struct{bytes, path} or bytes, in the tables of whatever file, beside their labels."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from linprobe.data.dataset import Dataset
from linprobe.data.formats.bounds import refuse_too_large, refuse_unfolding
from linprobe.data.formats.choose import dataset_of
from linprobe.data.formats.entries import Entry, Selection
from linprobe.data.formats.lazy import Lazy, in_order
from linprobe.data.formats.tables import AGAIN
from linprobe.data.pictures import (
    ColourFoundError,
    Encoded,
    OtherSizeFoundError,
    Shape,
    announced,
    decode,
    quiet,
    shape_of,
)
from linprobe.data.reading import readable, show
from linprobe.data.sizes import PictureSize, agreed
from linprobe.errors import DataError, UsageError, require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PictureTable", "chosen_column", "encoded_pictures", "marked", "picture_columns", "read_pictures"]

IMAGE_COLUMNS = ("img", "image", "jpg", "jpeg", "png", "webp", "picture", "photo")
ROWS_AT_ONCE = 1_024
BYTES_AT_ONCE, STREAMED_AT_ONCE = 2**28, 2**23
ROWS_OF_ANY_SIZE = 4  # that are read where each may be as large as a picture can be


class PictureTable(Protocol):
    """A file with a column of pictures.

    rows: as the file announces them; unpacked: the bytes of its columns, still encoded as pictures; batches: the
    encoded pictures, None where there is none, of at most so many rows at a time, where one that is `repeated` may be
    held once, and all others with it; others: the other columns.
    """

    path: Path
    column: str

    @property
    def rows(self) -> int: ...  # noqa: D102

    @property
    def unpacked(self) -> int: ...  # noqa: D102

    def batches(self, rows: int, *, repeated: bool = True) -> Iterator[list[Encoded | None]]: ...  # noqa: D102

    def others(self) -> list[Entry]: ...  # noqa: D102


def read_pictures(path: Path, files: Mapping[str, Sequence[PictureTable]], selection: Selection) -> Dataset:
    """The pictures of the files of each split, and the labels beside them.

    uint8 (n, height, width, channels), channels 1 if every picture is grey, else 3. Pictures of another size than
    selection.size, or than most, are cut and resized. Without labels they are decoded as they are asked for, and n may
    be of any size. Raises DataError for damaged pictures and labels outside the classes, UnsafeFileError for what would
    fill the memory, UsageError where --label is needed.
    """
    everything = [file for group in files.values() for file in group]
    _refuse_repetition(path, everything, sum(file.unpacked for file in everything))
    first = _first_shape(files["train"])
    if not selection.labelled:
        _refuse_repetition(path, everything, _bytes(everything, first))
    elif selection.size is None:
        _refuse_unfolding(path, everything, first)
    column = everything[0].column
    decoded = _Decoded(path, files, selection.size, first)
    entries: list[Entry] = []
    for split, group in files.items():
        rows = sum(file.rows for file in group)
        load = lambda split=split: decoded.images()[split]  # noqa: E731
        stream = lambda split=split: decoded.stream(split)  # noqa: E731
        shape, dtype = (rows, *first), np.dtype(np.uint8)
        entries.append(Entry(column, str(path), shape, dtype, load, split, pictures=True, stream=stream))
        for part, file in enumerate(group):
            entries += [replace(entry, split=split, part=part) for entry in file.others()]
    with readable(path):
        name = path.resolve().stem if path.is_file() else path.resolve().name
    found = dataset_of(name, str(path), entries, selection._replace(x=column))
    return replace(found, notes=(*found.notes, *decoded.notes))


def picture_columns(schema: "pa.Schema") -> list[str]:
    """The columns of pictures, as bytes or struct{bytes}: those of a usual name, or else all structs."""
    pa = require("pyarrow", "parquet")

    def is_bytes(kind: "pa.DataType") -> bool:
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)

    structs = [
        field.name
        for field in schema
        if pa.types.is_struct(field.type)
        and field.type.get_field_index("bytes") >= 0
        and is_bytes(field.type.field("bytes").type)
    ]
    usual = [field.name for field in schema if field.name.lower() in IMAGE_COLUMNS and is_bytes(field.type)]
    found = list(dict.fromkeys([*structs, *usual]))
    return [name for name in found if name.lower() in IMAGE_COLUMNS] or found


def chosen_column(path: Path, schema: "pa.Schema", asked: str | None) -> str:
    """The column of pictures that is meant. Raises UsageError where that is not clear."""
    found = [name for name in picture_columns(schema) if asked is None or name == asked]
    if len(found) != 1:
        have = ", ".join(f"{show(field.name)} ({show(str(field.type))})" for field in list(schema)[:12])
        what = (
            "several columns of pictures" if found else "no column of pictures" + (f" {show(asked)}" if asked else "")
        )
        way = f"choose one, as --x {show(found[0])}" if found else "name one of these files itself, or choose with --x"
        raise UsageError(f"{path}: has {what} among {have or 'no columns'}; {way}")
    (column,) = found
    if (count := schema.names.count(column)) > 1:
        raise DataError(f"{path}: has {count} columns {column}, one is expected; rename the others")
    return column


def marked(entries: Iterable[Entry], schema: "pa.Schema") -> list[Entry]:
    """Columns, those of pictures marked as such, though still encoded."""
    pictures = picture_columns(schema)
    return [replace(entry, pictures=entry.name in pictures) for entry in entries]


def encoded_pictures(column: "pa.Array") -> list[Encoded | None]:
    """The encoded pictures of some rows, where they lie; as scalars, pyarrow would copy them, each time anew."""
    pa = require("pyarrow", "parquet")
    if pa.types.is_struct(column.type):
        # Null also where the whole struct is.
        column = column.flatten()[column.type.get_field_index("bytes")]
    if pa.types.is_binary_view(column.type):  # of Polars
        column = column.cast(pa.large_binary())
    if pa.types.is_dictionary(column.type):
        values = _buffers(column.dictionary)
        return [None if index is None else values[index] for index in column.indices.to_pylist()]
    return _buffers(column)


def _buffers(values: "pa.Array") -> list[Encoded | None]:
    pa = require("pyarrow", "parquet")
    _, offsets, content = values.buffers()
    kind = np.int64 if pa.types.is_large_binary(values.type) else np.int32
    bounds = np.frombuffer(offsets, kind)[values.offset : values.offset + len(values) + 1].tolist()
    valid = values.is_valid().to_pylist()
    return [
        content.slice(start, end - start) if good and content is not None else None
        for good, start, end in zip(valid, bounds, bounds[1:], strict=False)
    ]


class _Decoded:
    """The pictures of each split, decoded when they are first asked for: not before the labels have been read."""

    def __init__(
        self, path: Path, files: Mapping[str, Sequence[PictureTable]], size: PictureSize | None, first: Shape
    ) -> None:
        self._path, self._files, self._size, self._first = path, files, size, first
        self._images: dict[str, np.ndarray] | None = None
        self._agreed: Shape | None = None
        self.notes: tuple[str, ...] = ()

    def images(self) -> dict[str, np.ndarray]:
        if self._images is None:
            self._images = self._resized() if self._size else self._alike()
        return self._images

    def stream(self, split: str) -> Lazy:
        """The pictures of a split, to be read once and in order, each decoded when it is asked for."""
        shape, group = self._agreed or self._agree(once=True), self._files[split]
        rows = sum(file.rows for file in group)
        return in_order(
            (rows, *shape), np.dtype(np.uint8), lambda: (part for file in group for part in _decoding(file, shape))
        )

    def _agree(self, *, once: bool = False) -> Shape:
        """The shape of all pictures, by what their headers announce."""
        every = (each for file in self._everything for each in _announced(file, once=once))
        found = agreed(every, self._size)
        self.notes, self._agreed = found.notes, found.shape
        return found.shape

    def _alike(self) -> dict[str, np.ndarray]:
        """As they are, where all have the size of the first: then none is opened twice."""
        try:
            return self._read(self._first)
        except ColourFoundError:
            pass
        except OtherSizeFoundError:
            return self._resized()
        colour = self._first._replace(channels=3)
        try:
            return self._read(colour)
        except OtherSizeFoundError:
            return self._resized()

    def _resized(self) -> dict[str, np.ndarray]:
        return self._read(self._agree(), fit=True)

    @property
    def _everything(self) -> list[PictureTable]:
        return [file for group in self._files.values() for file in group]

    def _read(self, shape: Shape, *, fit: bool = False) -> dict[str, np.ndarray]:
        if self._size is None:
            _refuse_unfolding(self._path, self._everything, shape)
        else:
            _refuse_too_large(self._path, self._everything, shape)
        return {split: _read(group, shape, fit=fit) for split, group in self._files.items()}


def _first_shape(files: Sequence[PictureTable]) -> Shape:
    for file in files:
        for encoded in file.batches(1):
            return shape_of(encoded[0], f"{file.path}: row 0")
    raise DataError(f"{files[0].path}: has no rows; {AGAIN}")


def _announced(file: PictureTable, *, once: bool) -> Iterator[Shape]:
    batches = _few(file, STREAMED_AT_ONCE) if once else file.batches(_rows_at_once(file, 1))
    with quiet():
        for row, encoded in enumerate(one for batch in batches for one in batch):
            yield announced(encoded, f"{file.path}: row {row:,}")


def _few(file: PictureTable, most: int) -> Iterator[list[Encoded | None]]:
    """The encoded pictures of a file, until so many bytes of them are together, or little more."""
    gathered: list[Encoded | None] = []
    size = 0
    for batch in file.batches(ROWS_OF_ANY_SIZE, repeated=False):
        gathered += batch
        size += sum(len(one) for one in batch if one is not None)
        if size >= most or len(gathered) >= ROWS_AT_ONCE:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _refuse_unfolding(path: Path, files: Sequence[PictureTable], shape: Shape) -> None:
    """Refuse pictures that do not fit into memory, before a byte is allocated for them."""
    _refuse_repetition(path, files, _bytes(files, shape))
    _refuse_too_large(path, files, shape)


def _refuse_too_large(path: Path, files: Sequence[PictureTable], shape: Shape) -> None:
    what = f"{sum(file.rows for file in files):,} pictures of {shape} pixels"
    refuse_too_large(str(path), _bytes(files, shape), what, "take fewer or smaller pictures")


def _bytes(files: Sequence[PictureTable], shape: Shape) -> int:
    return sum(file.rows for file in files) * shape.height * shape.width * shape.channels


def _refuse_repetition(path: Path, files: Sequence[PictureTable], unpacked: int) -> None:
    with readable(path):
        packed = sum(file.path.stat().st_size for file in files)
    refuse_unfolding(str(path), packed, unpacked, "pictures", AGAIN)


def _read(files: Sequence[PictureTable], shape: Shape, *, fit: bool) -> np.ndarray:
    rows = sum(file.rows for file in files)
    try:
        images = np.empty((rows, *shape), np.uint8)
    except (MemoryError, ValueError) as error:
        raise DataError(
            f"{files[0].path}: {rows:,} pictures of {shape} pixels do not fit into memory; take fewer"
        ) from error
    start = 0
    for file in files:
        _read_file(file, images[start : start + file.rows], fit=fit)
        start += file.rows
    return images


def _read_file(file: PictureTable, images: np.ndarray, *, fit: bool) -> None:
    start = 0
    for encoded in file.batches(_rows_at_once(file, images[:1].size)):
        end = start + len(encoded)
        if end > len(images):
            break
        decode(encoded, images[start:end], lambda row, start=start: f"{file.path}: row {start + row:,}", fit=fit)
        start = end
    else:
        if start == len(images):
            return
    raise _other_rows(file)


def _decoding(file: PictureTable, shape: Shape) -> Iterator[np.ndarray]:
    """All pictures of a file, cut and resized where that is needed, some at a time."""
    start = 0
    at_once = max(1, STREAMED_AT_ONCE // math.prod(shape))
    for gathered in _few(file, STREAMED_AT_ONCE):
        for low in range(0, len(gathered), at_once):
            encoded = gathered[low : low + at_once]
            images = np.empty((len(encoded), *shape), np.uint8)
            decode(encoded, images, lambda row, start=start: f"{file.path}: row {start + row:,}", fit=True)
            start += len(encoded)
            if start > file.rows:
                raise _other_rows(file)
            yield images
    if start != file.rows:
        raise _other_rows(file)


def _other_rows(file: PictureTable) -> DataError:
    return DataError(f"{file.path}: does not have the {file.rows:,} rows that it announces; {AGAIN}")


def _rows_at_once(file: PictureTable, bytes_a_row: int) -> int:
    bytes_a_row = max(1, bytes_a_row, file.unpacked // max(1, file.rows))
    return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // bytes_a_row))
