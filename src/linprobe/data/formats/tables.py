"""Columns of Arrow tables, whatever file they come from: numbers, texts, categories and lists, as entries."""

import contextlib
import json
import math
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linprobe.data.formats.bounds import refuse_too_large
from linprobe.data.formats.entries import Entry
from linprobe.data.formats.lazy import Lazy, in_order
from linprobe.data.formats.naming import read_name
from linprobe.data.formats.unpacked import unpacked
from linprobe.data.reading import class_names, readable, show
from linprobe.errors import DataError, require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TableFile", "explained", "labels_of", "names_in"]

AGAIN = "copy or download it again"
LONGEST_LIST = 2**20  # numbers in a row
Batches = Callable[[Sequence[int]], Generator["pa.RecordBatch"]]


class _Features(NamedTuple):
    """How columns become an array (n, width).

    put: a batch, with the number of its first row, into its rows of the array; check: refuses what was missing so far.
    """

    numbers: Sequence[int]
    width: int
    dtype: np.dtype
    put: Callable[["pa.RecordBatch", int, np.ndarray], None]
    check: Callable[[], None] = lambda: None


class TableFile:
    """A file of columns.

    kind: of file, as errors name it; schema, rows: of all of it; batches: gives these columns, by their numbers, some
    rows at a time.
    """

    def __init__(self, path: Path, kind: str, schema: "pa.Schema", rows: int, batches: Batches) -> None:
        self.path, self.kind, self.schema, self.rows = path, kind, schema, rows
        self._batches = batches
        with explained(path, kind):  # texts in a damaged file may be none
            self.names = [name.strip() or "unnamed" for name in schema.names]

    def entries(self) -> list[Entry]:
        """Each column, as far as it can be features or labels."""
        return [self._entry(number) for number in range(len(self.names))]

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """Columns of numbers side by side, (n, columns)."""
        return self._all(self._side_by_side(names))

    def stream(self, names: Sequence[str]) -> Lazy:
        """The same, to be read once and in order: of a part of the rows at a time."""
        return self._in_order(self._side_by_side(names))

    def _side_by_side(self, names: Sequence[str]) -> _Features:
        numbers = [self.names.index(name) for name in names]
        kinds = [_number_type(self.schema.field(number).type) for number in numbers]
        dtype = np.result_type(*(_without_bools(kind) for kind in kinds if kind is not None))
        gaps, firsts = 0, list[tuple[int, int]]()  # of integers, which have no NaN: how many, and the first of a column

        def put(batch: "pa.RecordBatch", start: int, into: np.ndarray) -> None:
            nonlocal gaps
            for place, number in enumerate(numbers):
                column = batch.column(place)
                if column.null_count and dtype.kind != "f":
                    gaps += column.null_count
                    firsts.append((start + column.is_null().to_pylist().index(True), number))
                else:
                    into[:, place] = column.to_numpy(zero_copy_only=False)

        def check() -> None:
            if firsts:
                row, number = min(firsts)
                more = f", the first of {gaps:,} gaps" if gaps > 1 else ""
                raise DataError(
                    f"{self.path}: row {row:,} has no value in {show(self.names[number])}, counted from 0{more}; a "
                    "linear classifier needs all of them: leave the row or the column out, or fill the value in"
                )

        return _Features(numbers, len(numbers), dtype, put, check)

    def _entry(self, number: int) -> Entry:
        pa = require("pyarrow", "parquet")
        name, field = self.names[number], self.schema.field(number)
        place, kind, names = str(self.path), field.type, names_in(self.path, self.schema, field.name)
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            inner = kind
            while hasattr(inner, "value_type") and not pa.types.is_dictionary(inner):
                inner = inner.value_type
            dtype = _number_type(inner)
            if dtype is not None and (shape := self._list_shape(number)) is not None:
                return self._wide(number, shape, dtype, self._lists(number, shape, dtype))
        elif (width := self._text_width(number)) is not None:
            dtype = np.dtype(np.float32)
            return self._wide(number, (width,), dtype, self._text_lists(number, width))
        load = lambda: self._column(number)  # noqa: E731
        text = _is_text(kind) or pa.types.is_dictionary(kind)
        # Times, records and the like are never meant unless they are called labels.
        role = "" if text or _number_type(kind) is not None or read_name(name).role == "y" else "ids"
        return Entry(name, place, (self.rows,), _number_type(kind), load, names=names, table=self, role=role)

    def _wide(self, number: int, shape: tuple[int, ...], dtype: np.dtype, features: _Features) -> Entry:
        """A column of lists, each an example of its own."""
        return Entry(
            self.names[number],
            str(self.path),
            (self.rows, *shape),
            dtype,
            lambda: self._all(features).reshape(self.rows, *shape),
            stream=(lambda: self._in_order(features)) if len(shape) == 1 else None,
        )

    def _first(self, number: int) -> Any:
        """The first value of a column that is not missing."""
        with explained(self.path, self.kind), contextlib.closing(self._batches([number])) as batches:
            for batch in batches:
                for value in batch.column(0):
                    if value.is_valid:
                        return value.as_py()
        return None

    def _list_shape(self, number: int) -> tuple[int, ...] | None:
        first = self._first(number)
        try:
            shape = np.shape(first) if isinstance(first, list) else ()
        except ValueError:  # lists of different lengths
            return None
        return shape if 0 < math.prod(shape) <= LONGEST_LIST else None

    def _lists(self, number: int, shape: tuple[int, ...], dtype: np.dtype) -> _Features:
        """A column of lists of one length as an array (n, the product of the shape)."""
        width = math.prod(shape)

        def put(batch: "pa.RecordBatch", start: int, into: np.ndarray) -> None:
            values, lists_a_row = batch.column(0), 1
            for size in shape:
                self._refuse_other_lengths(values, size, start, lists_a_row, number)
                values, lists_a_row = values.flatten(), lists_a_row * size
            if values.null_count:
                row = start + values.is_null().to_pylist().index(True) // width
                raise self._unlike(row, number, "a gap in its list", f"{width:,} numbers")
            into[:] = values.to_numpy(zero_copy_only=False).reshape(len(batch), width)

        return _Features([number], width, _without_bools(dtype), put)

    def _refuse_other_lengths(self, values: "pa.Array", size: int, start: int, a_row: int, number: int) -> None:
        lengths = require("pyarrow.compute", "parquet").list_value_length(values).to_numpy(zero_copy_only=False)
        other = np.flatnonzero(~(lengths == size))  # of NaN too, where there is none
        if len(other):
            length = lengths[other[0]]
            finding = "no list" if values.is_null().to_pylist()[other[0]] else f"a list of {length:,.0f}"
            raise self._unlike(start + int(other[0]) // a_row, number, finding, f"{size:,} as in the first row")

    def _unlike(self, row: int, number: int, finding: str, expected: str) -> DataError:
        return DataError(
            f"{self.path}: row {row:,} of {show(self.names[number])} has {finding}, {expected} are expected; leave the "
            "row out, or make all of them alike"
        )

    def _text_width(self, number: int) -> int | None:
        """How many numbers the texts of a column list, [0.1, 0.2]; None where they are no lists."""
        kind = self.schema.field(number).type
        first = self._first(number) if _is_text(kind) else None
        if not isinstance(first, str) or not first.lstrip().startswith("["):
            return None
        numbers = _numbers(first)
        return None if numbers is None or not 0 < len(numbers) <= LONGEST_LIST else len(numbers)

    def _text_lists(self, number: int, width: int) -> _Features:
        """A column of texts that list numbers as an array (n, width) float32."""

        def put(batch: "pa.RecordBatch", start: int, into: np.ndarray) -> None:
            with explained(self.path, self.kind):
                texts = batch.column(0).to_pylist()
            for row, text in enumerate(texts):
                numbers = None if text is None else _numbers(text)
                if numbers is None or len(numbers) != width:
                    finding = "no list of numbers" if numbers is None else f"a list of {len(numbers):,}"
                    raise self._unlike(start + row, number, finding, f"{width:,} numbers as in the first row")
                into[row] = numbers

        return _Features([number], width, np.dtype(np.float32), put)

    def _column(self, number: int) -> np.ndarray:
        """A column as labels are read: numbers where none is missing, else Python's values, None where one is."""
        with explained(self.path, self.kind):
            parts = [labels_of(batch.column(0)) for batch in self._batches([number])]
        if sum(map(len, parts)) != self.rows:
            raise self._other_rows()
        if not parts:
            return np.empty(0, object)
        if len({part.dtype for part in parts}) > 1:  # in one batch of them a label is missing
            parts = [part.astype(object) for part in parts]
        return np.concatenate(parts)

    def _explained(self, numbers: Sequence[int]) -> Generator["pa.RecordBatch"]:
        with explained(self.path, self.kind):  # the reading, and not what is then done with the rows
            yield from self._batches(numbers)

    def _parts(self, features: _Features) -> Generator[tuple[int, "pa.RecordBatch"]]:
        """All batches, each with its first row; refuses a file that has fewer rows than it announces, or more."""
        start = 0
        for batch in self._explained(features.numbers):
            if start + len(batch) > self.rows:
                raise self._other_rows()
            yield start, batch
            start += len(batch)
        if start != self.rows:
            raise self._other_rows()

    def _all(self, features: _Features) -> np.ndarray:
        shape = (self.rows, features.width)
        self._refuse_too_large(shape, features.dtype)
        found = unpacked(shape, features.dtype, lambda: self._unpacking(features))
        features.check()
        return found

    def _in_order(self, features: _Features) -> Lazy:
        def parts() -> Generator[np.ndarray]:
            for part in self._unpacking(features):
                features.check()
                yield part

        return in_order((self.rows, features.width), features.dtype, parts)

    def _unpacking(self, features: _Features) -> Generator[np.ndarray]:
        for start, batch in self._parts(features):
            part = np.empty((len(batch), features.width), features.dtype)
            features.put(batch, start, part)
            yield part

    def _other_rows(self) -> DataError:
        return DataError(f"{self.path}: does not have the {self.rows:,} rows that it announces; {AGAIN}")

    def _refuse_too_large(self, shape: tuple[int, int], dtype: np.dtype) -> None:
        needed = math.prod(shape) * dtype.itemsize
        what = f"{shape[0]:,} rows of {shape[1]:,} numbers"
        refuse_too_large(str(self.path), needed, what, "take fewer, or save them with numpy.save, which is not loaded")


@contextlib.contextmanager
def explained(path: Path, kind: str) -> Generator[None]:
    """Turn what pyarrow raises about a damaged file into a DataError."""
    pa = require("pyarrow", "parquet")
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            with readable(path):
                raise
        # pyarrow has an OSError without a number for what it finds in a file.
        raise DataError(f"{path}: is not an intact {kind} file: {show(str(error), 160)}; {AGAIN}") from error


def labels_of(column: "pa.Array | pa.ChunkedArray") -> np.ndarray:
    """A column as NumPy's array: numbers where none is missing, else Python's values."""
    pa = require("pyarrow", "parquet")
    if pa.types.is_dictionary(column.type) and _number_type(column.type.value_type) is not None:
        column = column.cast(column.type.value_type)
    kind = column.type
    if _number_type(kind) is not None and not column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
    found = np.empty(len(column), object)
    found[:] = column.to_pylist()
    return found


def names_in(path: Path, schema: "pa.Schema", column: str) -> tuple[str, ...]:
    """The class names of a column, as the Hugging Face libraries describe it; none where they do not, or unreadably."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"][column]["names"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ()
    return class_names(found, str(path), AGAIN) if found else ()


def _number_type(kind: "pa.DataType") -> np.dtype | None:
    pa = require("pyarrow", "parquet")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return np.dtype(kind.to_pandas_dtype())
    return None


def _is_text(kind: "pa.DataType") -> bool:
    types = require("pyarrow", "parquet").types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)  # the last is of Polars


def _without_bools(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


def _numbers(text: str) -> list[float] | None:
    """The numbers that a text lists, as JSON or as NumPy prints them: [0.1, 0.2] or [0.1 0.2]; None for another."""
    begin, end = text.find("["), text.rfind("]")
    if begin < 0 or end < 0 or text[:begin].strip() or text[end + 1 :].strip():
        return None
    try:
        return [float(word) for word in text[begin + 1 : end].replace(",", " ").split()]
    except ValueError:
        return None
