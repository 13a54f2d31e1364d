"""Sources that are no files: data frames, arrays by name, and lists of files, as a program in Python has them."""

import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from linprobe.core.backend import on_host
from linprobe.data.columns import as_stored
from linprobe.data.dataset import Dataset
from linprobe.data.formats.choose import dataset_of
from linprobe.data.formats.entries import Entry, Selection
from linprobe.data.formats.files import FileFormat, read_list
from linprobe.data.formats.naming import read_name
from linprobe.data.formats.tables import TableFile
from linprobe.data.reading import at_home, show
from linprobe.errors import UsageError, require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Frame", "Given", "Location", "called", "read_given"]

ROWS_AT_ONCE = 16_384


@runtime_checkable
class Frame(Protocol):
    """A data frame of pandas or Polars, a table of pyarrow, or any other that Arrow's interface for them can hand on.

    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Location = str | os.PathLike[str]
Given = Sequence[Location] | Mapping[str, Any] | Frame


def called(source: Location | Given) -> str:
    """How errors and notes call a source."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, Frame):
        return "the frame"
    return "the arrays" if isinstance(source, Mapping) else "the files"


def read_given(source: object, selection: Selection, formats: Sequence[FileFormat]) -> Dataset:
    """A source that is no name and no path. Raises UsageError for what is none at all."""
    if isinstance(source, Mapping):
        return _arrays(source, selection)
    if isinstance(source, Frame):
        return _frame(source, selection)
    if isinstance(source, Sequence):
        paths = [at_home(each) for each in source if isinstance(each, str | os.PathLike)]
        if paths and len(paths) == len(source):
            return read_list(paths, selection, formats)
    raise UsageError(
        f"{type(source).__name__}: is not a source; give a name or a path, a list of paths, a data frame, or arrays by "
        'name, as {"X": X, "y": y}'
    )


def _frame(frame: Frame, selection: Selection) -> Dataset:
    """A data frame: columns of numbers or a column of lists, and labels; as the same table in a file is read.

    Raises UsageError for a column that Arrow has no type for, MissingDependencyError without pyarrow.
    """
    pa = require("pyarrow", "parquet")
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"the frame: cannot be read as a table: {show(str(error), 160)}; give columns of one type each"
        ) from error
    # The row numbers of pandas are no column of the user's, where they have no name of their own.
    table = table.select([name for name in table.column_names if not name.startswith("__index_level_")])

    def batches(numbers: Sequence[int]) -> "Generator[pa.RecordBatch]":
        yield from table.select(list(numbers)).to_batches(ROWS_AT_ONCE)

    entries = TableFile(Path("the frame"), "frame", table.schema, table.num_rows, batches).entries()
    return dataset_of("frame", "the frame", entries, selection)


def _arrays(arrays: Mapping[Any, Any], selection: Selection) -> Dataset:
    """Arrays by name, as an .npz file has them: of NumPy or PyTorch, columns of a frame, lists, lists of shards."""
    if not arrays or not all(isinstance(name, str) for name in arrays):
        raise UsageError("the arrays: need names that are texts, such as X and y; name them so")
    return dataset_of("arrays", "the arrays", [_entry(name, given) for name, given in arrays.items()], selection)


def _entry(name: str, given: Any) -> Entry:
    # Names of files are what they are where they name the rows.
    found = np.asarray(on_host(given)) if read_name(name).role in ("y", "ids", "classes") else as_stored(given)
    if isinstance(found, np.ndarray) and found.dtype.kind not in "biufOSTU":
        raise UsageError(f"the arrays: {show(name)} has {found.dtype}, and numbers or texts are expected; convert it")
    dtype = found.dtype if found.dtype.kind in "biuf" else None
    return Entry(name, "the arrays", found.shape, dtype, lambda: found)
