"""Tables in text: CSV, TSV and the like with any delimiter, and lists of labels, one a line."""

import csv
import re
from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

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
DELIMITERS = (",", "\t", ";", "|", " ")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def entries_of_table(path: Path) -> list[Entry]:
    """The columns of a text table; without a header they are called 0, 1, and so on."""
    require("pyarrow.csv", "parquet")
    from pyarrow import csv as reader

    size = require_file(path, LARGEST_FILE, AGAIN)
    refuse_too_large(str(path), size, "its texts", "save it as parquet, or its features with numpy.save")
    delimiter, header = _layout(path)
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
