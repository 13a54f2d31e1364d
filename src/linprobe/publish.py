"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import hashlib
import itertools
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from linprobe.errors import OutputError, UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["claimed", "publish_file", "publish_folder", "sweep"]

# What a write on a place that is full, broken or frozen fails with; the system names no file then.
WRITE_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}

NAME_KEPT = 50  # characters of a name that a temporary sibling starts with


@contextlib.contextmanager
def publish_file(path: Path, *, replace: bool = True) -> Generator[Path]:
    """Give a temporary sibling to write; rename it to `path` when the block ends, remove it when the block raises.

    An existing file is replaced in one step or, unless `replace`, refused before the block starts, and once more at its
    end. Raises OutputError where the place cannot be written or is full, UsageError for a file that is refused; errors
    of the block about anything else pass through.
    """
    path = Path(path)
    with _explained(path):
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file")
        _refuse_file(path, replace)
    partial = _hidden(path, "partial")
    try:
        with _explained(path):
            partial.touch(exist_ok=False)
        with _explained(path, block=partial):
            yield partial
        with _explained(path):
            _flush(partial)
            _refuse_file(path, replace)
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def publish_folder(path: Path, *, replace: bool = False, holding: str | None = None) -> Generator[Path]:
    """Give a temporary folder to fill; rename it to `path` when the block ends, remove it when the block raises.

    A folder that exists and is not empty is refused before the block starts, unless `replace`: then it stays as it is
    until the new one is complete; but one that does not hold a file named `holding` is never replaced. Of several
    processes that publish one new folder, the first to end wins. A link is followed. Raises UsageError (exists) or
    OutputError (cannot be written, full); errors of the block about anything
    else pass through.
    """
    path = Path(path)
    place = Path(os.path.realpath(path))
    _refuse_existing(path, place, replace)
    _refuse_foreign(path, holding)
    partial = _hidden(place, "partial")
    missing: list[Path] = []
    try:
        with _explained(path):
            missing = [folder for folder in place.parents if not folder.exists()]
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
        with _explained(path, block=partial):
            yield partial
        with _explained(path):
            for file in partial.rglob("*"):
                if file.is_file():
                    _flush(file)
            _rename(partial, path, place, replace)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in missing:  # the nearest first; one that holds something stays
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def claimed(path: Path, *, or_next: bool = False) -> Generator[Path]:
    """Keep a folder that is still to be made for this process; with `or_next` the first free of path-2, path-3, ...

    A folder is free if it does not exist and no other process has claimed it. Raises UsageError where another process
    has claimed the very path, OutputError where the claim cannot be written.
    """
    from filelock import Timeout

    if path.name in ("", ".."):
        raise UsageError(
            f"{path}: is a folder that is there already, not a new one; name one to make, such as runs/first"
        )
    names = itertools.chain([path], (path.with_name(f"{path.name}-{number}") for number in itertools.count(2)))
    for folder in names if or_next else [path]:
        if or_next and os.path.lexists(folder):
            continue
        try:
            lock = _lock(folder)
            lock.acquire()
        except Timeout:
            continue
        except (OSError, NotImplementedError) as error:  # a link in its place, no such folder, a disk without locks
            place = getattr(error, "filename", None) or "the folder for temporary files"
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise OutputError(
                f"{path}: cannot be locked: {place}: {reason}; remove it, or name another place in TMPDIR"
            ) from error
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
        return
    raise UsageError(f"{path}: another linprobe is at work on it; wait for it, or name another folder")


def sweep(path: Path) -> None:
    """Remove what processes that were killed have left beside a file or folder that this process alone may publish.

    An earlier folder that a process was about to replace is put back, or goes once another stands in its place.
    """
    place = Path(os.path.realpath(path))
    if len(place.name) > NAME_KEPT:
        return  # what is beside it may as well belong to another long name
    with contextlib.suppress(OSError):
        for beside in place.parent.iterdir():
            if not (left := re.fullmatch(rf"\.{re.escape(place.name)}\.[0-9a-f]{{16}}\.(partial|old)", beside.name)):
                continue
            if left[1] == "old" and not (place.is_dir() and any(place.iterdir())):
                beside.rename(place)  # which the system refuses where there is anything but an empty folder
            elif beside.is_dir():
                shutil.rmtree(beside, ignore_errors=True)
            else:
                beside.unlink(missing_ok=True)


def _lock(folder: Path) -> "BaseFileLock":
    """The lock of a folder. It lies among the temporary files: beside the folder it might be left over, or refused."""
    from filelock import FileLock

    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return FileLock(
        Path(tempfile.gettempdir()) / f"linprobe-{os.getuid() if hasattr(os, 'getuid') else 0}-{name}.lock", timeout=0
    )


def _rename(partial: Path, path: Path, place: Path, replace: bool) -> None:
    if replace and place.is_dir():
        _swap(partial, place)
        return
    try:
        partial.rename(place)  # one step, which the system refuses where there is anything but an empty folder
    except OSError:
        _refuse_existing(path, place, replace)  # somebody was faster
        raise


def _swap(partial: Path, place: Path) -> None:
    # Two renames, not one: a folder in use cannot be replaced in a single step. The old one is only deleted once
    # something complete stands in its place; until then, whatever happens, it is put back.
    old = _hidden(place, "old")
    try:
        place.rename(old)
        partial.rename(place)
    except BaseException:
        if old.exists() and not place.exists():
            old.rename(place)
        raise
    finally:
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)


def _hidden(place: Path, kind: str) -> Path:
    """A sibling that nobody else has: made afresh, it gets the modes that the umask gives any new file or folder."""
    # The name is cut so that the longest that the system allows still finds room; characters may take four bytes.
    return place.with_name(f".{place.name[:NAME_KEPT]}.{secrets.token_hex(8)}.{kind}")


def _refuse_foreign(path: Path, holding: str | None) -> None:
    if holding is not None and path.is_dir() and any(path.iterdir()) and not (path / holding).is_file():
        raise UsageError(
            f"{path}: holds no {holding}, so it is not an earlier run, and is not replaced; name another folder"
        )


def _refuse_file(path: Path, replace: bool) -> None:
    if not replace and path.exists():
        raise UsageError(f"{path}: exists; name another file, or replace this one with --force")


def _refuse_existing(path: Path, place: Path, replace: bool) -> None:
    with _explained(path):
        try:
            place.lstat()
        except (FileNotFoundError, NotADirectoryError):  # and no other: a name too long is found out here as well
            return
        if not place.is_dir():
            finding = "exists and is not a folder; name another folder"
        elif any(place.iterdir()) and not replace:
            finding = "exists and is not empty; name another folder, or replace this one with --force"
        elif place.is_mount() or Path.cwd().is_relative_to(place):
            # Found out here, and not by the rename once all work is done.
            finding = "is in use as a disk or as the current folder, and cannot be replaced; name a folder inside it"
        else:
            return
    raise UsageError(f"{path}: {finding}")


@contextlib.contextmanager
def _explained(path: Path, block: Path | None = None) -> Generator[None]:
    """Turn an OSError into the one line that the user sees.

    Around the caller's block, which may read other files and write to a screen, only an error that concerns what is
    written to `block`; and a file in it that could not be written goes by the name that it would have had.
    """
    try:
        yield
    except OSError as error:
        if block is not None and not _concerns(error, block):
            raise
        # Only the making of the parents meets a file that exists, and it means one that is not a folder.
        number = errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno
        reason = os.strerror(number).lower() if number else str(error)
        raise OutputError(f"{path}: cannot be written: {reason}; name a place with room that you may write") from error
    except OutputError as error:
        if block is None:
            raise
        raise OutputError(str(error).replace(str(block), str(path))) from error


def _concerns(error: OSError, partial: Path) -> bool:
    named = (error.filename, error.filename2)
    names = [os.fsdecode(name) for name in named if isinstance(name, str | bytes | os.PathLike)]
    if names:
        return any(Path(name).absolute().is_relative_to(partial.absolute()) for name in names)
    return error.errno in WRITE_FAULTS


def _flush(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
