"""The cache of downloaded archives: verified files or nothing, however many processes fetch at once.

    <cache>/cifar-10-python.tar.gz            a verified archive, put there by one rename
    <cache>/cifar-10-python.tar.gz.json       its record: checksums, size and time of the file that was verified
    <cache>/partial/                          what is not finished, and the lock

The cache is the platform's folder for it, or the folder that the environment variable LINPROBE_DATA names.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from linprobe.data.fetch.partial import Partial, Progress
from linprobe.data.fetch.urls import expanded
from linprobe.errors import DownloadError, LinprobeError, OutputError, UsageError
from linprobe.publish import publish_file

__all__ = [
    "ARCHIVES",
    "CHUNK",
    "READABLE",
    "Archive",
    "Verified",
    "archive_path",
    "beside",
    "cache_folder",
    "examined",
    "explained",
    "find_archive",
    "locked",
    "measured",
    "need_room",
    "publish_verified",
    "recorded",
    "verified",
]

log = logging.getLogger("linprobe.data.fetch")

CHUNK = 1 << 20  # bytes
READABLE = "name a folder that you may read in LINPROBE_DATA"


@dataclass(frozen=True)
class Archive:
    """What the authors of a dataset distribute: file name, URL, size in bytes, md5 as they publish it."""

    file: str
    url: str
    size: int
    md5: str


ARCHIVES = {
    "cifar10": Archive(
        file="cifar-10-python.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        size=170_498_071,
        md5="c58f30108f718f92721af3b95e74349a",
    )
}


@dataclass(frozen=True)
class Verified:
    """What is known of a verified archive: where it came from, its size in bytes, checksums, modification time."""

    origin: str
    size: int
    md5: str
    sha256: str
    mtime_ns: int


def cache_folder() -> Path:
    """The folder of the cache, which need not exist: LINPROBE_DATA, or the platform's own."""
    named = os.environ.get("LINPROBE_DATA")
    if named:
        return expanded(named)
    import platformdirs

    return platformdirs.user_cache_path("linprobe")


def verified(name: str) -> Verified | None:
    """What the cache holds of a dataset, by reading it; None when that is nothing, or not what was verified."""
    archive = find_archive(name)
    path = archive_path(archive)
    with explained(path, DownloadError, "be read", READABLE):
        if not path.is_file():
            return None
    try:
        with locked(path):
            return examined(archive, path, keep=True)
    except OutputError:  # a cache that somebody else keeps: to read it is enough
        return examined(archive, path)


def find_archive(name: str) -> Archive:
    """The archive of a dataset; UsageError lists those that are known."""
    if name not in ARCHIVES:
        raise UsageError(f"{name!r}: is not a dataset that can be fetched; name one of: {', '.join(ARCHIVES)}")
    return ARCHIVES[name]


def publish_verified(file: Path, path: Path, found: Verified) -> None:
    """Rename the verified file into its place, its record first: a record without its file is harmless."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
    _write_record(path, found)
    file.replace(path)
    with contextlib.suppress(OSError):  # not every system lets a folder be flushed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def examined(archive: Archive, path: Path, *, keep: bool = False) -> Verified | None:
    """What a file in the cache is, by reading it: what its record says, or the authors' archive, or None.

    keep: bring the record up to date, which only the holder of the lock may do.
    """
    with explained(path, DownloadError, "be read", READABLE):
        record = _record(path)
        if not path.is_file() or path.stat().st_size not in (archive.size, record.size if record else None):
            return None
        found = measured(path, archive.url)
    if record is not None and found.sha256 == record.sha256:
        found = replace(found, origin=record.origin)
    elif (found.size, found.md5) != (archive.size, archive.md5):
        return None
    if keep and found != record:
        _write_record(path, found)
    return found


def measured(file: Path, origin: str) -> Verified:
    """Size and checksums of a file, by reading it."""
    # hashlib.file_digest makes one digest only; the md5 is the authors', the sha256 is for those who need a strong one.
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
        status = os.fstat(opened.fileno())
    return Verified(origin, status.st_size, md5.hexdigest(), sha256.hexdigest(), status.st_mtime_ns)


def _record(path: Path) -> Verified | None:
    try:
        return Verified(**json.loads(_record_path(path).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def recorded(path: Path) -> Verified | None:
    """The record, if the size and the time of the file that is there are those of the file that was verified."""
    record = _record(path)
    if record is None or not path.is_file():
        return None
    status = path.stat()
    return record if (record.size, record.mtime_ns) == (status.st_size, status.st_mtime_ns) else None


def _write_record(path: Path, found: Verified) -> None:
    with publish_file(_record_path(path)) as beside:
        beside.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def locked(path: Path, progress: Progress | None = None, total: int | None = None) -> Generator[None]:
    """Hold the lock of an archive; while another process has it, report that one's progress."""
    import filelock

    partial = beside(path)
    with explained(path):
        partial.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{partial}.lock")  # the system's: it ends with the process, however that ends
        waiting = False
        while not lock.is_locked:
            try:
                lock.acquire(timeout=0.25)
            except filelock.Timeout:
                if not waiting:
                    log.info("another process is fetching %s; waiting for it", path.name)
                waiting = True
                if progress:
                    progress(Partial(partial).size(), total)
            except NotImplementedError as error:
                raise OutputError(
                    f"{partial.parent}: its file system has no locks; name a folder on another disk in LINPROBE_DATA"
                ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def explained(
    path: Path,
    kind: type[LinprobeError] = OutputError,
    can: str = "be written",
    advice: str = "name a folder with room that you may write in LINPROBE_DATA",
) -> Generator[None]:
    """Turn an OSError into the one line that the user sees."""
    try:
        yield
    except OSError as error:
        raise kind(f"{path}: cannot {can}: {(error.strerror or str(error)).lower()}; {advice}") from error


def need_room(path: Path, needed: int) -> None:
    """Refuse, before anything is written, what would not fit on the disk of `path` (bytes)."""
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OutputError(
            f"{path.parent}: has room for {free:,} bytes where {needed:,} are needed; "
            "make room, or name another folder in LINPROBE_DATA"
        )


def archive_path(archive: Archive) -> Path:
    """Where the cache has an archive, once it is verified."""
    return cache_folder() / archive.file


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def beside(path: Path, ending: str = "") -> Path:
    """Where what is not finished lives, under a name that nobody takes for the archive."""
    return path.parent / "partial" / f"{path.name}{ending}"
