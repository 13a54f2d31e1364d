"""Open what a user names, in bounds, and say what is wrong in one line."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from linprobe.errors import DataError, UnsafeFileError

__all__ = ["CIFAR10_AGAIN", "LONGEST_CLASS_NAME", "at_home", "class_names", "readable", "require_file", "show"]

CIFAR10_AGAIN = "fetch it again: linprobe fetch cifar10"
LONGEST_CLASS_NAME = 100


@contextlib.contextmanager
def readable(path: Path) -> Generator[None]:
    """Turn an OSError about `path` into a DataError: no permission, no such file, not a folder."""
    try:
        yield
    except OSError as error:
        reason = show(error.strerror or str(error)).lower()
        raise DataError(f"{path}: cannot be read: {reason}; check the path and its permissions") from error


def at_home(path: str | os.PathLike[str]) -> Path:
    """A path that may begin with ~ or ~user; as it is where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def require_file(path: Path, limit: int, again: str) -> int:
    """The size in bytes of a regular file; anything else, and more than `limit` bytes, is refused unopened."""
    with readable(path):
        # A pipe or a device may never end, or never begin.
        if not path.is_file():
            raise DataError(f"{path}: is not a file; {again}")
        size = path.stat().st_size
    if size > limit:
        raise UnsafeFileError(f"{path}: has {size:,} bytes, more than the {limit:,} that are read; {again}")
    if size == 0:
        raise DataError(f"{path}: is empty; {again}")
    return size


def show(text: str | bytes, most: int = 60) -> str:
    """Text out of a file, safe to print: one line of printable ASCII, of a bounded length."""
    start = text[: most + 1]
    whole = ascii(start.decode("latin-1") if isinstance(start, bytes) else start)[1:-1]
    return whole if len(whole) <= most else whole[: most - 3] + "..."


def class_names(names: object, place: str, again: str) -> tuple[str, ...]:
    """Class names out of a file: distinct printable texts, which a terminal and a picture can show."""
    if not isinstance(names, list) or not names:
        raise DataError(f"{place}: has no list of class names; {again}")
    found: dict[str, None] = {}
    for name in names:
        try:
            text = name.decode() if isinstance(name, bytes) else name
        except UnicodeDecodeError:
            text = None
        if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > LONGEST_CLASS_NAME:
            raise DataError(
                f"{place}: class name {len(found)} is not printable text of 1 to {LONGEST_CLASS_NAME} letters; {again}"
            )
        if text in found:
            raise DataError(f"{place}: names two classes {show(text)}; {again}")
        found[text] = None
    return tuple(found)
