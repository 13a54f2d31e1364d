"""Which parquet files make up a data set."""

import re
from pathlib import Path

from linprobe.data.reading import readable, show
from linprobe.errors import DataError

AGAIN = "copy or download it again"
_SPLIT = re.compile(r"(train|test)([-_.].*)?\.parquet")
_SHARD = re.compile(r"-(\d+)-of-(\d+)\.parquet$")


def recognises(path: Path) -> bool:
    """Whether this path is a parquet file, or a folder with some in it or in a folder just below it."""
    if path.is_dir():
        return bool(_folders(path))
    return path.suffix == ".parquet"


def split_files(path: Path) -> dict[str, list[Path]]:
    """The files of "train" and of "test" (perhaps none), in order; one file given by itself is all train.

    Raises DataError where there is no train file, more than one folder to choose from, or a numbered file is missing.
    """
    with readable(path):
        if not path.is_dir():
            return {"train": [path], "test": []}
        folders = _folders(path)
        if len(folders) != 1:
            found = ", ".join(show(folder.name) for folder in folders[:6])
            what = f"has parquet files in {found}" if folders else "has no parquet files"
            raise DataError(f"{path}: {what}, one folder of them is expected; name that folder itself")
        files = sorted(folders[0].glob("*.parquet"))
    splits: dict[str, list[Path]] = {"train": [], "test": []}
    for file in files:
        if match := _SPLIT.fullmatch(file.name):
            splits[match[1]].append(file)
    if not splits["train"]:
        found = ", ".join(show(file.name) for file in files[:4])
        raise DataError(
            f"{folders[0]}: has {found}, but no train-*.parquet; rename the files, or name one of them itself"
        )
    for group in splits.values():
        _refuse_missing_shards(group)
    return splits


def _folders(path: Path) -> list[Path]:
    """The folder itself if it has parquet files, else the folders just below it that have some."""
    if any(path.glob("*.parquet")):
        return [path]
    below = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return [folder for folder in below if any(folder.glob("*.parquet"))]


def _refuse_missing_shards(files: list[Path]) -> None:
    shards = {file: match for file in files if (match := _SHARD.search(file.name))}
    if not shards:
        return
    here = {int(match[1]) for match in shards.values()}
    totals = {int(match[2]) for match in shards.values()}
    first = next(iter(shards))
    if len(totals) > 1:
        raise DataError(f"{first}: stands beside files of another numbering; keep files of one data set in a folder")
    total = totals.pop()
    missing = next((number for number in range(total) if number not in here), None)
    if missing is not None:
        raise DataError(
            f"{first.parent}: has {len(here)} of the {total} files like {first.name}, number {missing} is missing; "
            f"copy or download it"
        )
