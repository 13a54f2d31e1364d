"""Which parquet files make up a data set, as the Hugging Face hub lays them out."""

from pathlib import Path

from linprobe.data.formats.files import Located, locate, refuse_missing
from linprobe.data.formats.naming import SPLITS
from linprobe.data.reading import readable, show
from linprobe.errors import DataError

__all__ = ["AGAIN", "split_files"]

AGAIN = "copy or download it again"


def split_files(path: Path) -> dict[str, list[Path]]:
    """The files of "train", of "val" and of "test" (perhaps none), in order; one file given by itself is all train.

    Splits are told by the names of the files, or of the folders in which they lie. Raises DataError where there is no
    train file, more than one folder to choose from, or a numbered file is missing.
    """
    with readable(path):
        if not path.is_dir():
            return {"train": [path]}
    files = locate(path, (".parquet",))
    if any(file.path.parent == path for file in files):
        files = [file for file in files if file.path.parent == path]
    # Folders that are called as a split belong together, all others are data sets of their own.
    groups: dict[Path, list[Located]] = {}
    for file in files:
        parts = [part for part in file.path.parent.relative_to(path).parts if part.lower() not in SPLITS]
        groups.setdefault(Path(*parts), []).append(file)
    if len(groups) != 1:
        found = ", ".join(show(str(folder)) for folder in list(groups)[:6])
        what = f"has parquet files in {found}" if groups else "has no parquet files"
        raise DataError(f"{path}: {what}, one folder of them is expected; name that folder itself")
    splits: dict[str, list[Path]] = {}
    if all(file.split is None for file in files) and (
        len(files) == 1 or all(file.name.part is not None for file in files)
    ):
        files = [file._replace(split="train") for file in files]
    used = [file for file in files if file.split is not None]
    for file in sorted(used, key=lambda file: (file.name.part or 0, file.path)):
        splits.setdefault(file.split or "train", []).append(file.path)
    if "train" not in splits:
        found = ", ".join(show(file.path.name) for file in files[:4])
        raise DataError(
            f"{files[0].path.parent}: has {found}, but no train-*.parquet; rename the files, or name one of them itself"
        )
    refuse_missing(used)
    return splits
