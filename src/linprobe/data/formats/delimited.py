"""Tables in text: CSV, TSV and the like with any delimiter, and lists of labels, one a line."""

import contextlib
import csv
import re
from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.data.formats.bounds import refuse_too_large
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.tables import TableFile, explained
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["entries_of_lines", "entries_of_table"]

AGAIN = "save it again, as CSV in UTF-8"
LARGEST_FILE, LARGEST_LIST = 2**44, 2**30
SEEN = 2**20  # bytes, of which the delimiter and the header are found out
LINES = 20
STREAMED_FROM = 2**26  # bytes of a file that is read in blocks; smaller ones are read once, which is faster
BLOCK, MOST_READINGS = 2**20, 64
DELIMITERS = (",", "\t", ";", "|", " ")
_OF_ANOTHER_TYPE = re.compile(r"CSV column #([0-9]+): (?:Row #[0-9]+: )?CSV conversion error")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def entries_of_table(path: Path) -> list[Entry]:
    """The columns of a text table; without a header they are called 0, 1, and so on.

    A large file is not held in memory, but read again for what is asked of it.
    """
    require("pyarrow.csv", "parquet")
    size = require_file(path, LARGEST_FILE, AGAIN)
    delimiter, header = _layout(path)
    if size >= STREAMED_FROM and (streamed := _Streamed(path, delimiter, header).opened()) is not None:
        return streamed.entries()
    refuse_too_large(str(path), size, "its texts", "save it as parquet, or its features with numpy.save")
    from pyarrow import csv as reader

    with explained(path, "CSV"):
        table = reader.read_csv(
            str(path),
            reader.ReadOptions(autogenerate_column_names=not header),
            reader.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        )
    if not header:
        table = table.rename_columns([str(number) for number in range(table.num_columns)])

    def batches(numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        yield from table.select(list(numbers)).to_batches()

    return TableFile(path, "CSV", table.schema, table.num_rows, batches).entries()


class _Streamed:
    """A text table that is read block by block, each time anew, its columns called by their numbers meanwhile."""

    def __init__(self, path: Path, delimiter: str, header: bool) -> None:
        self._path, self._delimiter, self._header = path, delimiter, header
        self._names = self._named()
        self._types: list[pa.DataType] = []

    def opened(self) -> TableFile | None:
        """With the rows counted, and the type of each column, which all of its values have; None where that is not
        found in so many readings, or is not to be told from what pyarrow says.
        """
        pa = require("pyarrow", "parquet")
        wider = {pa.null(): pa.int64(), pa.int64(): pa.float64()}
        with explained(self._path, "CSV"):
            for _ in range(MOST_READINGS):
                try:
                    rows = self._counted()
                except pa.ArrowInvalid as error:
                    found = _OF_ANOTHER_TYPE.search(str(error))
                    kind = None if found is None or not self._types else self._types[int(found[1])]
                    if found is None or kind is None or kind == pa.string():
                        return None
                    self._types[int(found[1])] = wider.get(kind, pa.string())
                else:
                    schema = pa.schema(list(zip(self._names, self._types, strict=True)))
                    return TableFile(self._path, "CSV", schema, rows, self._batches)
        return None

    def _counted(self) -> int:
        with contextlib.closing(self._blocks(range(len(self._names)))) as blocks:
            rows = 0
            for block in blocks:
                self._types = self._types or list(block.schema.types)
                rows += len(block)
        if not self._types:
            self._types = [require("pyarrow", "parquet").null()] * len(self._names)
        return rows

    def _batches(self, numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        for block in self._blocks(numbers):
            yield block.rename_columns([self._names[number] for number in numbers])

    def _blocks(self, numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        """Some columns, one block after the other; before types are known, of those that its first block has."""
        from pyarrow import csv as reader

        # With threads, or of a file that is not mapped, many blocks would be underway.
        with reader.open_csv(
            self._mapped(), self._read_options(), self._parse_options(), self._convert_options(numbers)
        ) as blocks:
            yield from blocks

    def _named(self) -> list[str]:
        from pyarrow import csv as reader

        options = reader.ReadOptions(use_threads=False, block_size=BLOCK, autogenerate_column_names=not self._header)
        with (
            explained(self._path, "CSV"),
            reader.open_csv(self._mapped(), options, self._parse_options()) as blocks,
        ):
            names = blocks.schema.names
        return names if self._header else [str(number) for number in range(len(names))]

    def _mapped(self) -> "pa.MemoryMappedFile":
        return require("pyarrow", "parquet").memory_map(str(self._path))

    def _read_options(self) -> Any:
        from pyarrow import csv as reader

        # Columns of one name, which are refused later in our words, could not be told apart by it.
        names = [str(number) for number in range(len(self._names))]
        return reader.ReadOptions(
            use_threads=False, block_size=BLOCK, column_names=names, skip_rows_after_names=int(self._header)
        )

    def _parse_options(self) -> Any:
        from pyarrow import csv as reader

        return reader.ParseOptions(delimiter=self._delimiter, newlines_in_values=True)

    def _convert_options(self, numbers: Sequence[int]) -> Any:
        from pyarrow import csv as reader

        known = {str(number): self._types[number] for number in numbers} if self._types else None
        return reader.ConvertOptions(include_columns=[str(number) for number in numbers], column_types=known)


def entries_of_lines(path: Path) -> list[Entry]:
    """A text file of labels, one a line."""
    require_file(path, LARGEST_LIST, AGAIN)
    with readable(path):
        lines = _decoded(path, path.read_bytes()).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    values = np.empty(len(lines), object)
    values[:] = [line.strip() for line in lines]
    if lines and all(_WHOLE.fullmatch(value) for value in values):
        values = values.astype(np.int64)
    return [Entry(path.stem, str(path), values.shape, None if values.dtype == object else values.dtype, lambda: values)]


def _decoded(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text in UTF-8; {AGAIN}") from error


def _layout(path: Path) -> tuple[str, bool]:
    """The delimiter of a table, and whether its first line is a header."""
    with readable(path), path.open("rb") as file:
        raw = file.read(SEEN)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw:
        raise DataError(f"{path}: is not text in UTF-8; {AGAIN}")
    text = raw.decode("utf-8-sig", "replace")
    lines = text.splitlines(keepends=True)
    lines = lines[:-1] if len(lines) > 1 and len(raw) == SEEN else lines
    best = (0, ",", [[""]])
    for delimiter in DELIMITERS:
        try:
            rows = list(islice((row for row in csv.reader(lines, delimiter=delimiter) if row), LINES))
        except csv.Error:
            continue
        widths = {len(row) for row in rows}
        width = widths.pop() if len(widths) == 1 else 0
        # The one that parts all lines into as many cells, and into most; blanks only where no other parts them at all.
        if width > 1 and (best[0] == 0 or (width > best[0] and delimiter != " ")):
            best = (width, delimiter, rows)
    _, delimiter, rows = best
    if best[0] == 0:
        rows = list(islice(csv.reader(lines), 1)) or [[""]]
    first = rows[0]
    if not any(cell.strip() for cell in first):
        raise DataError(f"{path}: its first line is empty: {show(lines[0] if lines else '')}; {AGAIN}")
    numbers = [cell for cell in first if _is_number(cell)]
    # pandas calls columns without names 0, 1, ...: numbers too, but a header.
    counted = [str(number) for number in range(len(numbers))]
    return delimiter, not numbers or (numbers == counted and len(first) > 2 and len(numbers) > 1)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() not in ("nan", "inf", "infinity")
