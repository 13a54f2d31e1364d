"""Inputs of any number of examples, labelled or not, predicted part by part and written to a table as they come."""

import contextlib
import csv
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import IO, Any

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.dataset import Columns, Dataset
from linprobe.data.formats import kind_of, read_source
from linprobe.data.formats.entries import Selection
from linprobe.data.formats.naming import read_name
from linprobe.data.sizes import PictureSize
from linprobe.errors import DataError, LinprobeError, UsageError, require
from linprobe.model import Model
from linprobe.publish import publish_file
from linprobe.tasks.predict import examples, files_of, is_array, scored

__all__ = ["Batch", "Input", "SplitRows", "header", "is_source", "open_array", "open_source", "prediction_table"]

Ids = np.ndarray | list[str]

GROUP_ROWS = 4_096  # that parquet keeps together


@dataclass(frozen=True, eq=False)
class Batch:
    """Some examples, one behind the other: what each is called, (m,) numbers or texts, and its scores (m, K) float64.

    rows: their numbers in their split, which is None where there are none; single: whether it is a picture or an array
    of one example.
    """

    split: str | None
    rows: slice
    ids: Ids
    scores: np.ndarray
    single: bool = False

    def within(self, file: str | None) -> "Batch":
        """The same, of a file in a folder, which comes before what its rows are called; None for another."""
        if file is None:
            return self
        return changed(self, ids=[file] if self.single else [f"{file}/{name}" for name in self.ids])


@dataclass(frozen=True, eq=False)
class SplitRows:
    """The examples of a split, X (n, *shape), and what they are called, where the source says so."""

    split: str | None
    X: Array
    ids: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Input:
    """What is to be predicted, opened and not yet read: as errors name it, its splits, and what is to be known of it.

    white: the value that white has in it, None where that is as in training; single: whether it is one example, which
    has no number.
    """

    place: str
    parts: tuple[SplitRows, ...]
    notes: tuple[str, ...] = ()
    white: float | None = None
    single: bool = False

    def __len__(self) -> int:
        return sum(part.X.shape[0] for part in self.parts)

    def batches(self, model: Model, *, invert: bool = False) -> Iterator[Batch]:
        """All of it, in its order. Raises DataError for what is not finite."""
        for part in self.parts:
            place = self.place if part.split is None else f"{self.place}: {part.split}"
            for rows, scores in scored(model, part.X, place, invert=invert, single=self.single, white=self.white):
                yield Batch(part.split, rows, self._called(part, rows), scores, self.single)

    def _called(self, part: SplitRows, rows: slice) -> Ids:
        if part.ids is not None:
            found = part.ids[rows]
            numbers = found.dtype.kind in "iu" and found.dtype != np.uint64  # of which int64 has not all
            return found.astype(np.int64) if numbers else [_text(name) for name in found.tolist()]
        if self.single:
            return [self.place]
        numbers = np.arange(rows.start, rows.stop)
        return numbers if part.split is None else [f"{part.split}/{number}" for number in numbers]


def is_source(model: Model, given: str) -> bool:
    """Whether an input is a source as `open_dataset` reads them: neither a picture, nor an array of the model's shape,
    nor a folder of these.
    """
    path, kind = Path(given), kind_of(given)
    if kind in (None, "name"):
        return kind is not None
    if path.is_dir():
        try:
            files = files_of(model, path)
        except DataError:
            return True
        # Labels beside features are no examples.
        arrays = [read_name(file.stem).role for file in files if file.suffix.lower() == ".npy"]
        return bool({"y", "ids", "classes"}.intersection(arrays))
    if not is_array(path):
        return True
    try:
        examples(model, path)
    except DataError:
        try:
            open_source(model, given)  # in which one of another layout may be one that is read, channels first
        except LinprobeError:
            return False
        return True
    return False


def open_source(model: Model, source: str, *, x: str | None = None, label: str | None = None) -> Input:
    """A source, labelled or not, read as the model's training read its own unless x or label are given.

    Its splits follow each other: train, validation, test. Raises what `open_dataset` raises, but for want of labels,
    and DataError for examples of another shape.
    """
    dataset = _read(model, source, x, label)
    try:
        model.preparation.apply(dataset.train.X[:0])
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    splits = {split: examples.X for split, examples in dataset.splits()}
    several = len(splits) > 1
    parts = tuple(
        SplitRows(split if several else None, splits[split], dataset.ids.get(split))
        for split in ("train", "val", "test")
        if split in splits
    )
    # Arrays have the units of training; pictures are of 255, whatever arrays the model has learned from.
    white = None if kind_of(source) == "file" or len(model.preparation.shape) != 3 else dataset.white
    return Input(source, parts, dataset.notes, white)


def open_array(model: Model, path: Path) -> Input:
    """A picture, or a .npy array of examples or of one. Raises DataError for another one."""
    X, single = examples(model, path)
    return Input(str(path), (SplitRows(None, X),), single=single)


def _read(model: Model, source: str, x: str | None, label: str | None) -> Dataset:
    shape, told = model.preparation.shape, model.provenance.asked
    size = PictureSize(*shape) if len(shape) == 3 and shape[2] in (1, 3) else None
    plain = Selection(x, label, size=size, labelled=False)
    if model.feature_names is not None and x is None:
        # Columns in another order would be other features.
        try:
            return read_source(source, plain._replace(like=Columns(model.feature_names, table=True)))
        except DataError:
            found = read_source(source, plain)
            if found.columns.table:
                raise
            return found
    known = plain._replace(x=x or told.get("x"), label=label or told.get("label"))
    if known != plain:
        with contextlib.suppress(UsageError, DataError):  # of other data, which may be called otherwise
            return read_source(source, known)
    return read_source(source, plain)


@contextlib.contextmanager
def prediction_table(
    path: Path, model: Model, *, several: bool = False, replace: bool = False
) -> Generator[Callable[[str, Batch], np.ndarray]]:
    """A table to which batches are written, by their input: .csv or .parquet; it appears whole, or not at all.

    What writes a batch gives back which class (m,) each of its rows was given.

    Columns: input, where there are several; id; label, the class with the highest score; and for every class its
    probability, or its score where the model has no probabilities. Nothing appears where nothing was written. Raises
    UsageError for another ending and for a file that exists, unless `replace`; MissingDependencyError without pyarrow.
    """
    kinds = {".csv": _CsvTable, ".parquet": _ParquetTable}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"--out {path}: predictions are written as .csv or .parquet; let it end in one of these")
    if kind is _ParquetTable:
        require("pyarrow.parquet", "parquet")
    with contextlib.suppress(_NothingWrittenError), publish_file(path, replace=replace) as partial:
        table = kind(partial, model, several)
        with contextlib.closing(table):
            yield table.write
        if not table.rows:
            raise _NothingWrittenError


class _NothingWrittenError(Exception):
    pass


def header(model: Model, *, several: bool = False) -> list[str]:
    """The names of the columns of a table."""
    what = "probability" if model.probabilistic else "score"
    return [*(["input"] if several else []), "id", "label", *(f"{what}_{name}" for name in model.classes)]


class _PredictionTable:
    """What both kinds of table do with a batch."""

    def __init__(self, model: Model, several: bool) -> None:
        self.model, self.several, self.rows = model, several, 0

    def columns(self, given: str, batch: Batch) -> tuple[list[Sequence[object]], np.ndarray, np.ndarray]:
        """The columns before those of numbers, the numbers (m, K), and the classes (m,)."""
        self.rows += len(batch.scores)
        numbers = self.model.probabilities(batch.scores) if self.model.probabilistic else batch.scores
        classes = self.model.decide(batch.scores)
        names = [self.model.classes[k] for k in classes]
        ids = batch.ids if isinstance(batch.ids, list) else batch.ids.tolist()
        if not self.several:
            return [ids, names], numbers, classes
        return [[given] * len(ids), [str(one) for one in ids], names], numbers, classes


class _CsvTable(_PredictionTable):
    def __init__(self, path: Path, model: Model, several: bool) -> None:
        super().__init__(model, several)
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(header(model, several=several))

    def write(self, given: str, batch: Batch) -> np.ndarray:
        words, numbers, classes = self.columns(given, batch)
        self._writer.writerows([*row[:-1], *row[-1]] for row in zip(*words, numbers.tolist(), strict=True))
        return classes

    def close(self) -> None:
        self._file.close()


class _ParquetTable(_PredictionTable):
    def __init__(self, path: Path, model: Model, several: bool) -> None:
        super().__init__(model, several)
        self._file, self._writer = path.open("wb"), None
        self._pending, self._waiting = list[Any](), 0

    def write(self, given: str, batch: Batch) -> np.ndarray:
        pa = require("pyarrow", "parquet")
        words, numbers, classes = self.columns(given, batch)
        table = pa.table(
            [*map(pa.array, words), *(pa.array(column) for column in np.ascontiguousarray(numbers.T))],
            names=header(self.model, several=self.several),
        )
        self._pending.append(table)
        self._waiting += table.num_rows
        if self._waiting >= GROUP_ROWS:
            self._flush()
        return classes

    def _flush(self) -> None:
        """Write what has come so far as one group of rows; of single pictures, each would be one."""
        pa, pq = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
        table = pa.concat_tables(self._pending)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)
        self._pending, self._waiting = [], 0

    def close(self) -> None:
        with contextlib.closing(self._file):
            if self._pending:
                self._flush()
            if self._writer is not None:
                self._writer.close()


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else "" if name is None else str(name)
