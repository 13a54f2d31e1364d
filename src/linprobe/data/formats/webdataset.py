"""webdataset: tar files in which the files of an example share a key, such as 0001.jpg with 0001.cls.

Features are jpg, png, webp or npy; labels cls, or a value in json. One tar, or the shards in a folder, with the split
in the name of the file or of its folder. Nothing is unpacked. The layout: https://github.com/webdataset/webdataset
"""

import io
import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats.decoded import Picture, decoded
from linprobe.data.formats.entries import Entry, Selection, array_of, refuse_selection
from linprobe.data.formats.naming import Split, read_name
from linprobe.data.formats.npy import broken, read_header
from linprobe.data.formats.picture_files import ENDINGS, read_bounded
from linprobe.data.formats.tar_files import Member, members
from linprobe.data.formats.unpacked import unpacked
from linprobe.data.labels import Told, read_labels, unknown_labels
from linprobe.data.reading import readable, show
from linprobe.errors import DataError, UnsafeFileError, UsageError

__all__ = ["parts", "read", "recognises"]

AGAIN = "copy or download it again"
PICTURES = tuple(ending.removeprefix(".") for ending in ENDINGS)
LONGEST_LABEL, LONGEST_JSON, LONGEST_ARRAY = 1_000, 2**20, 2**26  # bytes
MOST_SHARDS = 100_000


class _Example(NamedTuple):
    """The files of a key, by their endings in small letters."""

    shard: Path
    key: str
    files: dict[str, Member]

    @property
    def place(self) -> str:
        return f"{self.shard}: {show(self.key, 120)}"

    def read(self, ending: str, most: int) -> bytes:
        member = self.files[ending]
        place = f"{self.place}.{show(ending)}"
        if member.size > most:
            raise UnsafeFileError(f"{place}: has {member.size:,} bytes, at most {most:,} are read; leave it out")
        return read_bounded(self.shard, place, member.size, member.offset)


def recognises(path: Path) -> bool:
    """Whether this is a .tar file, or a folder with some in it or in folders just below it."""
    return bool(parts(path)) if path.is_dir() else path.name.lower().endswith(".tar")


def read(path: Path, selection: Selection) -> Dataset:
    """Examples of tar files: pictures, decoded once and then mapped from the cache, or arrays (n, D).

    --x and --label name endings, --label also a key of json. Examples without features or label are left out and
    counted. Raises DataError for damaged files, UnsafeFileError for what would leave its folder or fill the memory,
    UsageError where selection.label is needed.
    """
    refuse_selection(str(path), selection._replace(x=None, label=None))
    shards = parts(path) if path.is_dir() else [path]
    notes: list[str] = []
    splits: dict[Split, list[_Example]] = {}
    for shard in shards:
        # The name of a file may say test, but a file that is named is what is learnt from.
        names = [] if shard == path else [shard.stem, *reversed(shard.parent.relative_to(path).parts)]
        said = (read_name(name, parts=True).split for name in names)
        splits.setdefault(next((split for split in said if split), "train"), []).extend(_examples(shard))
    if "train" not in splits:
        raise DataError(f"{path}: has {', '.join(sorted(splits))} and no train; name the file to learn from itself")
    splits = {split: splits[split] for split in ("train", "val", "test") if split in splits}
    endings = Counter(ending for each in splits["train"] for ending in each.files)
    kinds = _features(path, endings, selection.x)
    for split, every in splits.items():
        splits[split] = [each for each in every if kinds & each.files.keys()]
        if missing := len(every) - len(splits[split]):
            have, are = ("has", "is") if missing == 1 else ("have", "are")
            what = " or ".join(sorted(kinds))
            notes.append(f"{split}: {missing:,} of {len(every):,} examples {have} no {what} and {are} left out.")
    labels = unknown_labels({split: len(every) for split, every in splits.items()})
    if selection.labelled:
        label = _label(path, splits["train"], endings, selection.label)
        told = {
            split: Told(str(path), np.array([label(each) for each in every], object)) for split, every in splits.items()
        }
        labels = read_labels(_as_numbers(told))
    used = [each for split in labels.numbers for each in splits[split]]
    X = _arrays(used) if kinds == {"npy"} else None
    if X is None:
        pictures = [_picture(each, kinds) for each in used]
        X, more = decoded(os.path.realpath(path), pictures, size=selection.size)
        notes += more
    examples: dict[str, Examples] = {}
    start = 0
    for split, y in labels.numbers.items():
        examples[split] = Examples.labelled(X[start : start + len(y)], y)
        start += len(y)
    with readable(path):
        name = path.resolve().stem if path.is_file() else path.resolve().name
    return Dataset.of_splits(
        name,
        examples,
        labels.classes,
        notes=(*notes, *labels.notes),
        ids={}
        if selection.labelled
        else {split: np.array([each.key for each in every], object) for split, every in splits.items()},
    )


def parts(path: Path) -> list[Path]:
    """The tar files of a folder and of the folders just below it, in order."""
    found: list[Path] = []
    with readable(path):
        for root, folders, files in os.walk(path):
            here = Path(root)
            folders[:] = sorted(name for name in folders if here == path and not name.startswith("."))
            found += [here / name for name in sorted(files) if name.lower().endswith(".tar") and name[0] != "."]
            if len(found) > MOST_SHARDS:
                raise DataError(f"{path}: holds more than {MOST_SHARDS:,} tar files; name the folder of one data set")
    return found


def _examples(shard: Path) -> list[_Example]:
    found: dict[str, _Example] = {}
    for name, member in members(shard):
        folder, slash, file = name.removeprefix("./").rpartition("/")
        stem, _, ending = file.partition(".")
        if not stem:  # a hidden file
            continue
        key, ending = f"{folder}{slash}{stem}", ending.lower()
        example = found.setdefault(key, _Example(shard, key, {}))
        if ending in example.files:
            raise UnsafeFileError(
                f"{example.place}.{show(ending)}: comes twice, so it is not clear which one counts; {AGAIN}"
            )
        example.files[ending] = member
    return list(found.values())


def _features(path: Path, endings: Counter[str], asked: str | None) -> set[str]:
    """The endings of the files that are features: of one kind, pictures or arrays."""
    if asked is not None:
        ending = asked.lower().removeprefix(".")
        if ending not in endings or ending not in (*PICTURES, "npy"):
            raise UsageError(
                f"--x {show(asked)}: is not a kind of picture or npy in {path}, which has {_listed(endings)}"
            )
        return {ending}
    pictures = {ending for ending in endings if ending in PICTURES}
    if pictures and "npy" in endings:
        raise UsageError(f"{path}: has pictures and npy, {_listed(endings)}; choose one, as --x npy")
    if not pictures and "npy" not in endings:
        raise DataError(
            f"{path}: has {_listed(endings)}, where {', '.join(PICTURES)} or npy are expected, beside cls or json; "
            "name the folder or file of a webdataset"
        )
    return pictures or {"npy"}


def _listed(endings: Counter[str]) -> str:
    shown = [f"{show(ending)} ({count:,})" for ending, count in endings.most_common(8)]
    return ", ".join(shown) or "no files"


def _label(
    path: Path, train: Sequence[_Example], endings: Counter[str], asked: str | None
) -> Callable[[_Example], object]:
    """What gives an example its label, None where it has none."""
    first = next((each for each in train if "json" in each.files), None)
    content = {} if first is None else _json(first)
    values = [key for key, value in content.items() if isinstance(value, int | str | float)]
    if asked is not None:
        if asked in values:
            return lambda each: _json(each).get(asked)
        if asked in endings and asked not in (*PICTURES, "npy", "json"):
            return lambda each: _text(each, asked)
        known = [ending for ending in endings if ending not in (*PICTURES, "npy", "json")]
        raise UsageError(
            f"--label {show(asked)}: is not in {path}, which has {', '.join(map(show, (known + values)[:8])) or 'none'}"
        )
    if "cls" in endings:
        return lambda each: _text(each, "cls")
    named = [key for key in values if read_name(key).role == "y"]
    if len(named) == 1:
        (key,) = named
        return lambda each: _json(each).get(key)
    if values:
        raise UsageError(
            f"{path}: {'several' if named else 'none'} of the values in json could be the labels: "
            f"{', '.join(map(show, (named or values)[:8]))}; choose one, as --label {show((named or values)[0])}"
        )
    raise DataError(f"{path}: has {_listed(endings)} and no labels, which cls or json hold; add them, or give --label")


def _json(example: _Example) -> dict[str, object]:
    if "json" not in example.files:
        return {}
    place = f"{example.place}.json"
    try:
        found = json.loads(example.read("json", LONGEST_JSON))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: is not intact JSON: {show(str(error))}; {AGAIN}") from error
    if not isinstance(found, dict):
        raise DataError(f"{place}: holds {type(found).__name__}, where a dictionary with the label is expected")
    return found


def _text(example: _Example, ending: str) -> str | None:
    if ending not in example.files:
        return None
    try:
        return example.read(ending, LONGEST_LABEL).decode().strip()
    except UnicodeDecodeError as error:
        raise DataError(f"{example.place}.{show(ending)}: is not UTF-8 text; convert it") from error


def _as_numbers(told: dict[Split, Told]) -> dict[Split, Told]:
    """Texts that are whole numbers as such, so that -1 is a missing label; else as they are."""
    values = [value for each in told.values() for value in each.values if value is not None]
    if not values or not all(isinstance(value, str) and value.removeprefix("-").isdecimal() for value in values):
        return told
    if any(len(value) > 18 for value in values):
        return told
    return {
        split: Told(each.place, np.array([None if value is None else int(value) for value in each.values], object))
        for split, each in told.items()
    }


def _picture(example: _Example, kinds: set[str]) -> Picture:
    found = sorted(kinds & example.files.keys())
    if len(found) > 1:
        raise UsageError(f"{example.place}: has {' and '.join(found)}; choose one, as --x {found[0]}")
    (ending,) = found
    member, place = example.files[ending], f"{example.place}.{ending}"
    return Picture(
        place,
        f"{example.shard}/{member.offset}/{example.key}.{ending}",
        member.size,
        member.stamp,
        lambda: read_bounded(example.shard, place, member.size, member.offset),
    )


def _arrays(examples: Sequence[_Example]) -> np.ndarray:
    """The arrays of all examples, which must be alike, in one."""
    first = _array(examples[0])  # train has examples, or read_labels refuses

    def rows() -> Generator[np.ndarray]:
        for example in examples:
            values = _array(example)
            if (values.shape, values.dtype) != (first.shape, first.dtype):
                raise DataError(
                    f"{example.place}.npy: is {values.dtype} {values.shape}, where those before it are {first.dtype} "
                    f"{first.shape}; make them alike"
                )
            yield values[None]

    shape = (len(examples), *first.shape)
    found = Entry("npy", examples[0].place, shape, first.dtype, lambda: unpacked(shape, first.dtype, rows))
    X: Array = array_of(found)
    assert isinstance(X, np.ndarray)  # noqa: S101  # as the array is one
    return X


def _array(example: _Example) -> np.ndarray:
    place = f"{example.place}.npy"
    raw = example.read("npy", LONGEST_ARRAY)
    with broken(place, AGAIN):
        header = read_header(io.BytesIO(raw))
    if header.dtype.kind not in "biuf":
        raise DataError(f"{place}: holds {show(str(header.dtype))}, and numbers are expected; convert them")
    if header.size != len(raw) - header.offset:
        raise DataError(
            f"{place}: announces {header.dtype} {header.shape}, {header.size:,} bytes, and has "
            f"{len(raw) - header.offset:,}; {AGAIN}"
        )
    values = np.frombuffer(raw, header.dtype, offset=header.offset)
    return values.reshape(header.shape, order="F" if header.fortran else "C")
