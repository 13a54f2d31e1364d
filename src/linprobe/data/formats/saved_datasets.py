"""Data sets that the Hugging Face library `datasets` saved to disk, which is not needed to read them.

A `Dataset`: the files that state.json lists, in the streams of Apache Arrow, and dataset_info.json, which has the names
of the classes. A `DatasetDict`: dataset_dict.json, which lists the splits, and a folder with a `Dataset` for each.
Pictures are a column of struct{bytes, path}, embeddings one of lists. Beside them may lie what the library computed
from the data; no file is read that is not listed. A single .arrow or .feather file of pictures is read as well.
https://huggingface.co/docs/datasets/package_reference/main_classes#datasets.Dataset.save_to_disk
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from linprobe.data.dataset import Dataset
from linprobe.data.formats.choose import dataset_of
from linprobe.data.formats.columnar import ArrowFile
from linprobe.data.formats.entries import Entry, Selection
from linprobe.data.formats.naming import Split, read_name
from linprobe.data.formats.picture_columns import (
    chosen_column,
    encoded_pictures,
    marked,
    picture_columns,
    read_pictures,
)
from linprobe.data.formats.tables import AGAIN, explained
from linprobe.data.pictures import Encoded
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, LinprobeError, UnsafeFileError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["entries", "parts", "read", "recognises"]

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
LONGEST_JSON = 2**24
MOST_FILES = 100_000
ARROW = (".arrow", ".feather")


class _ArrowPictures:
    """An Arrow file with a column of pictures, see `PictureTable`."""

    def __init__(self, file: ArrowFile, column: str) -> None:
        self.path, self.column, self._file = file.path, column, file

    @property
    def rows(self) -> int:
        return self._file.rows

    @property
    def unpacked(self) -> int:
        return self._file.unpacked

    def batches(self, rows: int, *, repeated: bool = True) -> Iterator[list[Encoded | None]]:
        del repeated  # in a batch, which is mapped, a picture is as often as in the file
        with explained(self.path, "Arrow"):  # the reading, and not what is then done with the rows
            for batch in self._file.batches():
                column: pa.Array = batch.column(self._file.schema.names.index(self.column))
                for start in range(0, len(column), rows):
                    yield encoded_pictures(column.slice(start, rows))

    def others(self) -> list[Entry]:
        return [entry for entry in self._file.entries() if entry.name != self.column]


def recognises(path: Path) -> bool:
    """Whether this is a folder that `save_to_disk` wrote, or an Arrow file with pictures."""
    if path.is_dir():
        return (path / SPLITS).is_file() or ((path / STATE).is_file() and (path / INFO).is_file())
    if path.suffix.lower() not in ARROW:
        return False
    try:
        return bool(picture_columns(ArrowFile(path).schema))
    except LinprobeError:  # which the reader of Arrow files says
        return False


def parts(folder: Path) -> list[Path]:
    """The folder itself, where it is one."""
    return [folder] if recognises(folder) else []


def entries(path: Path) -> list[Entry]:
    """The columns of all files, those of pictures marked as such."""
    return [
        replace(entry, split=split)
        for split, files in _files(path, [])
        for file in files
        for entry in marked(file.entries(), file.schema)
    ]


def read(path: Path, selection: Selection) -> Dataset:
    """Such a folder or file: pictures, where it has a column of them and --x names no other, else any columns.

    Raises DataError for what is damaged, missing or has no train split; UnsafeFileError for files outside of the folder
    and for what would fill the memory; UsageError where --x or --label are needed.
    """
    notes: list[str] = []
    splits = _files(path, notes)
    if all(split != "train" for split, _ in splits):
        found = ", ".join(split for split, _ in splits)
        have = f"the splits {found}" if found else "no split of a usual name"
        raise DataError(f"{path}: has {have}, and no train; name the folder to learn from itself")
    pictures = picture_columns(splits[0][1][0].schema)
    if pictures and (selection.x is None or selection.x in pictures):
        tables = {
            split: [_ArrowPictures(file, chosen_column(file.path, file.schema, selection.x)) for file in files]
            for split, files in splits
        }
        dataset = read_pictures(path, tables, selection)
    else:
        columns = [
            replace(entry, split=split, part=part)
            for split, files in splits
            for part, file in enumerate(files)
            for entry in file.entries()
        ]
        with readable(path):
            name = path.resolve().name
        dataset = dataset_of(name, str(path), columns, selection)
    return replace(dataset, notes=(*notes, *dataset.notes))


def _files(path: Path, notes: list[str]) -> list[tuple[Split, list[ArrowFile]]]:
    """The files of each split, train first; one that is no split of a usual name is left out, with a note."""
    if not path.is_dir():
        return [("train", [ArrowFile(path)])]
    if not (path / SPLITS).is_file():
        return [("train", _saved(path))]
    listed = _json(path / SPLITS).get("splits")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_FILES:
        raise DataError(f"{path / SPLITS}: has no list of splits; {AGAIN}")
    found: dict[Split, tuple[str, Path]] = {}
    other: list[str] = []
    for name in listed:
        folder = _inside(path, path / SPLITS, name)
        split = read_name(name).split
        if split is None:
            other.append(name)
        elif split in found:
            raise DataError(
                f"{path}: {show(found[split][0])} and {show(name)} are both {split}; name the folder to learn from "
                "itself, and --val and --test"
            )
        else:
            found[split] = name, folder
    if other:
        are = "is not train, val or test and is" if len(other) == 1 else "are not train, val or test and are"
        notes.append(f"{', '.join(map(show, other[:5]))} {are} not used.")
    order = [split for split in ("train", "val", "test") if split in found]
    return [(split, _saved(found[split][1])) for split in order]


def _saved(folder: Path) -> list[ArrowFile]:
    """The files of one `Dataset` in their order, with the names of the classes."""
    state = _json(folder / STATE)
    listed = state.get("_data_files")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_FILES:
        raise DataError(f"{folder / STATE}: lists no data files; {AGAIN}")
    names = [each.get("filename") if isinstance(each, dict) else None for each in listed]
    if state.get("_indices_data_files"):
        raise DataError(
            f"{folder / STATE}: has its rows in another order than its files, as old versions of datasets left them; "
            "save it again with flatten_indices()"
        )
    features = _json(folder / INFO).get("features")
    metadata = None
    if isinstance(features, dict):
        metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    files = [ArrowFile(_inside(folder, folder / STATE, name), metadata) for name in names]
    for file in files[1:]:
        if not file.schema.equals(files[0].schema):
            raise DataError(f"{file.path}: has other columns than {files[0].path.name}; {AGAIN}")
    return files


def _inside(folder: Path, where: Path, name: object) -> Path:
    """What a file lists by its name in the same folder; refused where it leads out of it."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError(f"{where}: lists something that is no name of a file; {AGAIN}")
    if any(sign in name for sign in "/\\:") or name in (".", ".."):
        raise UnsafeFileError(f"{where}: lists {show(name, 120)}, which is not in its folder; do not use it")
    return folder / name


def _json(path: Path) -> dict[str, object]:
    require_file(path, LONGEST_JSON, AGAIN)
    try:
        with readable(path):
            found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not intact JSON: {show(str(error))}; {AGAIN}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds {type(found).__name__}, where a dictionary is expected; {AGAIN}")
    return found
