"""The folder that a submission may write in: made, watched and removed; those of runs that were killed are swept."""

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Generator
from pathlib import Path

__all__ = ["is_full", "make", "new_folder", "remove", "sweep"]

PREFIX = "linprobe-check-"
LARGEST_SCRATCH = 64 * 2**20  # bytes; a single file may have a quarter of that
MOST_ENTRIES = 2_000  # of the scratch folder


@contextlib.contextmanager
def new_folder() -> Generator[Path]:
    """A new folder, as `make` makes it, removed in the end."""
    folder, held = make()
    try:
        yield folder
    finally:
        remove(folder)
        os.close(held)


def make() -> tuple[Path, int]:
    """A new folder, and a descriptor that holds a lock on it for as long as this process lives; sweeps before."""
    sweep()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # another run took it for one left behind
            return folder, _lock(folder)


def sweep() -> None:
    """Remove the folders that runs of this user have left behind: nobody holds their lock any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # not ours to remove, in use, or gone
            if folder.lstat().st_uid == os.geteuid():
                held = _lock(folder)
                try:
                    remove(folder)
                finally:
                    os.close(held)


def _lock(folder: Path) -> int:
    """A descriptor that holds the lock; BlockingIOError where another one does, FileNotFoundError where it is gone."""
    import fcntl  # not there on Windows, where no sandbox is

    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(held), folder.lstat()):
            return held
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    except BaseException:
        os.close(held)
        raise


def is_full(folder: Path) -> bool:
    """Whether there is more below a folder than a loss function has any reason to write."""
    folders, entries, size = [str(folder)], 0, 0
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        size += 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entries > MOST_ENTRIES or size > LARGEST_SCRATCH:
                        return True
        except OSError as error:  # it goes on changing
            if error.errno == errno.ENAMETOOLONG:
                return True
    return False


def remove(top: Path) -> None:
    """Delete a folder with whatever is in it: folders in folders to any depth, also those that nobody may enter."""
    # What lies two levels down is lifted to the first, until nothing does: no path gets long, and nothing recurses.
    name = secrets.token_hex(8)
    lifted = 0
    with contextlib.suppress(OSError):
        while folders := [entry.path for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)]:
            for folder in folders:
                Path(folder).chmod(0o700)
                for entry in list(os.scandir(folder)):
                    if entry.is_dir(follow_symlinks=False):
                        Path(entry.path).chmod(0o700)
                        lifted += 1
                        Path(entry.path).rename(top / f"{name}-{lifted}")
                    else:
                        Path(entry.path).unlink()
                Path(folder).rmdir()
        for entry in list(os.scandir(top)):
            Path(entry.path).unlink()
        top.rmdir()
