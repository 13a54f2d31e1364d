"""Tables in the files of Apache Arrow: parquet, Arrow (IPC, as file or stream) and Feather."""

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linprobe.data.formats.bounds import refuse_unfolding
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.tables import AGAIN, TableFile, explained
from linprobe.data.reading import require_file
from linprobe.errors import require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowFile", "entries_of_arrow", "entries_of_parquet"]

LARGEST_FILE = 2**44
ROWS_AT_ONCE, BYTES_AT_ONCE = 16_384, 2**23
MARK = b"ARROW1"  # of the file, which has an index; the stream has none


def entries_of_parquet(path: Path) -> list[Entry]:
    """The columns of a parquet file."""
    pq = require("pyarrow.parquet", "parquet")
    size = require_file(path, LARGEST_FILE, AGAIN)
    with explained(path, "parquet"), pq.ParquetFile(path) as file:
        metadata, schema = file.metadata, file.schema_arrow
        unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        refuse_unfolding(str(path), size, unpacked, "tables", AGAIN)
    at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE * metadata.num_rows // max(1, unpacked)))

    def batches(numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        names = [schema.names[number] for number in numbers]
        # Mapped, or the library would read a whole group of rows, which may be all of them, before the first one.
        with pq.ParquetFile(path, pre_buffer=False, memory_map=True) as again:
            for batch in again.iter_batches(at_once, columns=names):
                yield batch.select(names)

    return TableFile(path, "parquet", schema, metadata.num_rows, batches).entries()


def entries_of_arrow(path: Path) -> list[Entry]:
    """The columns of an Arrow or a Feather file."""
    return ArrowFile(path).entries()


class ArrowFile:
    """An Arrow or a Feather file, each batch of which is checked before anything follows an offset in it.

    schema; rows, unpacked: how many there are, and the bytes of all columns. metadata: of the schema, in place of the
    file's own. Raises DataError for a damaged file, UnsafeFileError for one that would fill the memory.
    """

    def __init__(self, path: Path, metadata: dict[bytes, bytes] | None = None) -> None:
        self.path = path
        size = require_file(path, LARGEST_FILE, AGAIN)
        self.rows = self.unpacked = 0
        with explained(path, "Arrow"):
            with contextlib.ExitStack() as stack:
                schema: pa.Schema = self._opened(stack)[0].schema
            _ = schema.names  # which in a damaged file may be no text
            self.schema = schema if metadata is None else schema.with_metadata(metadata)
            for batch in self.batches():
                self.rows, self.unpacked = self.rows + len(batch), self.unpacked + batch.nbytes
                refuse_unfolding(str(path), size, self.unpacked, "tables", AGAIN)

    def batches(self) -> "Generator[pa.RecordBatch]":
        """All columns, some rows at a time."""
        with contextlib.ExitStack() as stack:
            reader, indexed = self._opened(stack)
            for batch in (
                (reader.get_batch(number) for number in range(reader.num_record_batches)) if indexed else reader
            ):
                batch.validate(full=True)
                yield batch

    def entries(self) -> list[Entry]:
        """The columns."""

        def batches(numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
            for batch in self.batches():
                yield batch.select(list(numbers))

        return TableFile(self.path, "Arrow", self.schema, self.rows, batches).entries()

    def _opened(self, stack: contextlib.ExitStack) -> tuple[Any, bool]:
        """A reader, and whether it has an index of batches."""
        pa = require("pyarrow", "parquet")
        source = stack.enter_context(pa.memory_map(str(self.path)))
        indexed = source.read(len(MARK)) == MARK
        source.seek(0)
        return (pa.ipc.open_file if indexed else pa.ipc.open_stream)(source), indexed
