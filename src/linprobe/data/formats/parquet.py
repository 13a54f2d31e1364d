"""Labelled pictures in parquet files, as the Hugging Face hub lays them out.

A picture column, struct{bytes, path} or bytes, beside any columns that can be labels; class names in the schema's
metadata. A folder has train-*.parquet, and perhaps validation-*.parquet and test-*.parquet, in itself, in folders
called as the splits, or in one folder below it (`data`, `plain_text`).
https://huggingface.co/docs/hub/datasets-image
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from linprobe.data.dataset import Dataset
from linprobe.data.formats.columnar import entries_of_parquet
from linprobe.data.formats.entries import Entry, Selection
from linprobe.data.formats.files import locate
from linprobe.data.formats.parquet_files import AGAIN, split_files
from linprobe.data.formats.picture_columns import (
    chosen_column,
    encoded_pictures,
    marked,
    picture_columns,
    read_pictures,
)
from linprobe.data.formats.tables import explained
from linprobe.data.pictures import Encoded
from linprobe.data.reading import require_file
from linprobe.errors import LinprobeError, MissingDependencyError, require

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

__all__ = ["entries", "parts", "read", "recognises"]

LARGEST_FILE = 2**40


class _ParquetPictures:
    """A parquet file with a column of pictures, see `PictureTable`."""

    def __init__(self, path: Path, column: str, leaf: str) -> None:
        self.path, self.column, self._leaf = path, column, leaf
        with explained(path, "parquet"), self._opened() as parquet:
            metadata = parquet.metadata
            self._rows = metadata.num_rows
            self._unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def unpacked(self) -> int:
        return self._unpacked

    def batches(self, rows: int, *, repeated: bool = True) -> Iterator[list[Encoded | None]]:
        # The reading is explained, and not what is then done with the rows.
        with explained(self.path, "parquet"), self._opened(repeated) as parquet:
            # pyarrow cannot join the dictionaries of two row groups inside a struct, so it reads one after another.
            for group in range(parquet.num_row_groups):
                for batch in parquet.iter_batches(rows, [group], [self.column], use_threads=False):
                    yield encoded_pictures(batch.column(self.column))

    def _opened(self, repeated: bool = True) -> "ParquetFile":
        """The file. As a dictionary, a picture that it repeats a million times is in memory once; so are then all
        pictures of a group of rows, which a file may have one of.
        """
        pq = require("pyarrow.parquet", "parquet")
        # Mapped, or the library would read a whole group of rows before the first one.
        kept = [self._leaf] if repeated else None
        return pq.ParquetFile(self.path, read_dictionary=kept, pre_buffer=False, memory_map=True)

    def others(self) -> list[Entry]:
        return [entry for entry in entries_of_parquet(self.path) if entry.name != self.column]


def recognises(path: Path) -> bool:
    """Whether this path is a parquet file with pictures, or a folder of some; what cannot be read is not."""
    files = [file.path for file in locate(path, (".parquet",))] if path.is_dir() else [path]
    if not files or files[0].suffix.lower() != ".parquet":
        return False
    try:
        return bool(picture_columns(_schema(files[0])))
    except MissingDependencyError:
        return True  # which the reader says
    except LinprobeError:
        return False


def parts(folder: Path) -> list[Path]:
    """The parquet files of a folder that has some with pictures."""
    return [file.path for file in locate(folder, (".parquet",))] if recognises(folder) else []


def entries(path: Path) -> list[Entry]:
    """The columns of a file or of all files of a folder, those of pictures marked as such."""
    files = parts(path) if path.is_dir() else [path]
    return [entry for file in files for entry in marked(entries_of_parquet(file), _schema(file))]


def read(path: Path, selection: Selection) -> Dataset:
    """A parquet file, all of which is then train, or a folder of them with train and perhaps val and test files.

    Raises what `read_pictures` does, DataError for missing parts too, MissingDependencyError without pyarrow, and
    UsageError where --x is needed.
    """
    splits = split_files(path)
    files = {split: [_pictures(file, selection.x) for file in paths] for split, paths in splits.items()}
    return read_pictures(path, files, selection)


def _schema(path: Path) -> "pa.Schema":
    pq = require("pyarrow.parquet", "parquet")
    require_file(path, LARGEST_FILE, AGAIN)
    with explained(path, "parquet"):
        schema: pa.Schema = pq.read_schema(path)
        _ = schema.names  # which in a damaged file may be no text
    return schema


def _pictures(path: Path, asked: str | None) -> _ParquetPictures:
    pa = require("pyarrow", "parquet")
    schema = _schema(path)
    column = chosen_column(path, schema, asked)
    with explained(path, "parquet"):
        leaf = f"{column}.bytes" if pa.types.is_struct(schema.field(column).type) else column
    return _ParquetPictures(path, column, leaf)
