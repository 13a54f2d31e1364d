"""The teacher's mode: the submissions of a folder, several at once, none of which can stop the others."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from linprobe.checker.checking import EXERCISE, check_file
from linprobe.checker.outcome import plain_text
from linprobe.checker.sandbox.supervisor import LARGEST_FILE
from linprobe.checker.verdict import FileVerdict
from linprobe.errors import DataError, LinprobeError


def submissions(folder: Path) -> list[Path]:
    """The Python files at any depth that name one of the exercise's functions, in order; hidden folders left out.

    Raises DataError where there are none.
    """
    found = [path for path in sorted(folder.rglob("*.py")) if _hands_in(path, folder)]
    if not found:
        raise DataError(
            f"{folder}: no Python file in it names one of {', '.join(EXERCISE)}; give the folder of the submissions"
        )
    return found


def check_folder(paths: list[Path]) -> Iterator[FileVerdict]:
    """A verdict on each, in their order, as soon as it is there; what cannot be judged has its reason as a note."""
    workers = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    try:
        yield from workers.map(_check, paths)
    finally:
        workers.shutdown(cancel_futures=True)


def _check(path: Path) -> FileVerdict:
    try:
        return check_file(path)
    except LinprobeError as error:
        return FileVerdict(os.fspath(path), (), (str(error),))
    except Exception as error:  # noqa: BLE001 - a fault of ours with one submission must not stop the others
        found = plain_text(f"unexpected {type(error).__name__}: {error}")
        note = f"{found}; this is a fault of linprobe's: please report it"
        return FileVerdict(os.fspath(path), (), (note,))


def _hands_in(path: Path, folder: Path) -> bool:
    """Whether it may define one of the functions: a cheap look, so that a whole course's helpers are not run."""
    if any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts):
        return False
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return False
        text = path.read_bytes()
    except OSError:
        return True  # to be said when it is judged
    return any(name.encode() in text for name in EXERCISE)
