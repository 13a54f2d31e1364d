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

__all__ = ["entries_of_arrow", "entries_of_parquet"]

LARGEST_FILE = 2**44
ROWS_AT_ONCE = 16_384
MARK = b"ARROW1"  # of the file, which has an index; the stream has none


def entries_of_parquet(path: Path) -> list[Entry]:
    """The columns of a parquet file."""
    pq = require("pyarrow.parquet", "parquet")
    size = require_file(path, LARGEST_FILE, AGAIN)
    with explained(path, "parquet"), pq.ParquetFile(path) as file:
        metadata, schema = file.metadata, file.schema_arrow
        unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        refuse_unfolding(str(path), size, unpacked, "tables", AGAIN)

    def batches(numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        names = [schema.names[number] for number in numbers]
        with pq.ParquetFile(path, pre_buffer=False) as again:
            for batch in again.iter_batches(ROWS_AT_ONCE, columns=names):
                yield batch.select(names)

    return TableFile(path, "parquet", schema, metadata.num_rows, batches).entries()


def entries_of_arrow(path: Path) -> list[Entry]:
    """The columns of an Arrow or a Feather file."""
    pa = require("pyarrow", "parquet")
    size = require_file(path, LARGEST_FILE, AGAIN)

    def opened(stack: contextlib.ExitStack) -> tuple[Any, bool]:
        source = stack.enter_context(pa.memory_map(str(path)))
        indexed = source.read(len(MARK)) == MARK
        source.seek(0)
        return (pa.ipc.open_file if indexed else pa.ipc.open_stream)(source), indexed

    def every() -> "Generator[pa.RecordBatch]":
        with contextlib.ExitStack() as stack:
            reader, indexed = opened(stack)
            for batch in (
                (reader.get_batch(number) for number in range(reader.num_record_batches)) if indexed else reader
            ):
                batch.validate(full=True)  # before anything follows an offset in it
                yield batch

    rows = unpacked = 0
    with explained(path, "Arrow"):
        with contextlib.ExitStack() as stack:
            schema = opened(stack)[0].schema
        for batch in every():
            rows, unpacked = rows + len(batch), unpacked + batch.nbytes
            refuse_unfolding(str(path), size, unpacked, "tables", AGAIN)

    def batches(numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        for batch in every():
            yield batch.select(list(numbers))

    return TableFile(path, "Arrow", schema, rows, batches).entries()
