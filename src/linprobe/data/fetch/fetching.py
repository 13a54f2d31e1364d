"""A dataset's archive into the cache: from its authors, from another URL, from a local file."""

import contextlib
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linprobe.data.fetch.cache import (
    CHUNK,
    READABLE,
    Archive,
    Verified,
    archive_path,
    beside,
    examined,
    explained,
    find_archive,
    locked,
    measured,
    need_room,
    publish_verified,
    recorded,
    verified,
)
from linprobe.data.fetch.partial import Partial, Progress
from linprobe.data.fetch.transfer import Order, WrongFileError, transfer
from linprobe.data.fetch.urls import parse_place, shown
from linprobe.errors import DownloadError, OutputError, UsageError

__all__ = ["Obtained", "cached", "fetch", "obtain"]

# Copies of an archive (another compression, re-encoded images) may be larger than the original, but not without end.
LARGEST_COPY = 4


@dataclass(frozen=True)
class Obtained:
    """A dataset's archive in the cache: its path, what was verified of it, whether it was fetched for that."""

    path: Path
    verified: Verified
    fetched: bool


def cached(name: str, *, progress: Progress | None = None) -> Path:
    """Path of the verified archive of a dataset, fetched from its authors when absent.

    The archive is not read if its size and time still are those of its record. Raises DownloadError for a file that
    is not what was verified, and what `fetch` raises.
    """
    path = archive_path(find_archive(name))
    with explained(path, DownloadError, "be read", READABLE):
        unchanged = recorded(path) is not None
    if unchanged or verified(name) is not None:
        return path
    if path.exists():
        raise DownloadError(
            f"{path}: is neither what was verified here nor the authors' own file; replace it: linprobe fetch {name}"
        )
    return fetch(name, progress=progress)


def fetch(
    name: str,
    *,
    source: str | os.PathLike[str] | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    timeout: float = 30.0,
    attempts: int = 6,
    backoff: float = 1.0,
) -> Path:
    """Put the verified archive of a dataset into the cache, unless it is there, and return its path.

    source: a URL or a local file (which is copied) instead of the authors' site; sha256: the checksum to verify by,
    instead of the authors' size and md5; progress(done, total) in bytes, total None while unknown; timeout: seconds
    without a byte; attempts: in all; backoff: seconds before the second attempt, then doubled, with jitter.
    What is there already is read and verified again. An unfinished download is continued by the next call. Raises
    UsageError, DownloadError, OutputError.
    """
    return obtain(
        name, source=source, sha256=sha256, progress=progress, timeout=timeout, attempts=attempts, backoff=backoff
    ).path


def obtain(
    name: str,
    *,
    source: str | os.PathLike[str] | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    timeout: float = 30.0,
    attempts: int = 6,
    backoff: float = 1.0,
) -> Obtained:
    """As `fetch`, and tell what was verified and whether it had to be fetched."""
    archive = find_archive(name)
    wanted = _checksum(sha256)
    place = parse_place(archive.url if source is None else source, wanted)
    if not (0 < timeout < math.inf and attempts >= 1 and 0 <= backoff < math.inf):
        raise UsageError(
            f"timeout {timeout}, attempts {attempts}, backoff {backoff}: cannot be done; "
            "give seconds above 0, at least one attempt, and a backoff of 0 or more seconds"
        )
    path = archive_path(archive)
    order = _order(name, archive, place, given=source is not None, wanted=wanted)

    def complaint(found: Verified) -> str | None:
        if wanted is None and found.size != archive.size:
            return f"has {found.size:,} bytes where {archive.size:,} were expected"
        kind, expected, actual = ("sha256", wanted, found.sha256) if wanted else ("md5", archive.md5, found.md5)
        return None if actual == expected else f"holds other bytes: {kind} {actual} where {expected} was expected"

    def verify(file: Path) -> Verified:
        found = measured(file, order.shown)
        finding = complaint(found)
        if finding:
            raise WrongFileError(finding)
        return found

    kept = verified(name)
    if kept is not None and not complaint(kept):
        return Obtained(path, kept, fetched=False)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder where the archive belongs; remove it, or set LINPROBE_DATA elsewhere")
    with locked(path, progress, order.size):
        kept = examined(archive, path)
        if kept is not None and not complaint(kept):
            return Obtained(path, kept, fetched=False)  # somebody else was faster
        if isinstance(place, Path):
            return Obtained(path, _copy(place, order, path, verify, progress), fetched=True)
        partial = Partial(beside(path))
        try:
            with explained(path):
                need_room(path, (order.size or 0) - partial.size())
                found = transfer(
                    order, partial, verify, progress=progress, timeout=timeout, attempts=attempts, backoff=backoff
                )
                publish_verified(partial.path, path, found)
        except OutputError:
            with contextlib.suppress(OSError):
                partial.drop()  # a full disk should not stay full because of us
            raise
        with contextlib.suppress(OSError):
            partial.drop()
    return Obtained(path, found, fetched=True)


def _copy(
    source: Path, order: Order, path: Path, verify: Callable[[Path], Verified], progress: Progress | None
) -> Verified:
    """Copy a local archive into the cache; what is verified is what arrived."""
    copy = beside(path, ".copy")
    reading = (source, DownloadError, "be read", "name a file that you may read, or a URL")
    try:
        with explained(*reading):
            if not source.exists():
                raise DownloadError(f"{source}: does not exist; name an archive that does, or a URL")
            if not source.is_file():
                raise DownloadError(f"{source}: is not a file; name the archive itself")
            total = source.stat().st_size
            if total > order.limit or total != (order.size or total):
                most = "at most " if order.size is None else ""
                raise DownloadError(
                    f"{source}: has {total:,} bytes where {most}{order.limit:,} were expected; {order.trust}"
                )
            opened = source.open("rb")
        with opened, explained(path):
            need_room(path, total)
            with copy.open("wb") as file:
                while True:
                    with explained(*reading):
                        chunk = opened.read(min(CHUNK, total - file.tell()))
                    if not chunk:  # the end, or what was the end when we began
                        break
                    file.write(chunk)
                    if progress:
                        progress(file.tell(), total)
            publish_verified(copy, path, found := verify(copy))
            return found
    except WrongFileError as error:
        raise DownloadError(f"{source}: {error}; {order.trust}") from error
    finally:
        with contextlib.suppress(OSError):
            copy.unlink(missing_ok=True)


def _checksum(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    text = sha256.strip().lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise UsageError(
            f"--sha256 {sha256!r}: is not a SHA-256 checksum, which has 64 hexadecimal digits; get one: sha256sum FILE"
        )
    return text


def _order(name: str, archive: Archive, place: str | Path, *, given: bool, wanted: str | None) -> Order:
    where = shown(place) if isinstance(place, str) else str(place)
    command = f"linprobe fetch {name} --from"
    if wanted is not None:
        trust = "check the checksum, or name another source with --from"
    elif given:
        trust = f"if you trust it, name its checksum: {command} {where} --sha256 HEX"
    else:
        trust = f"take a copy that you trust: {command} URL_OR_FILE --sha256 HEX"
    return Order(
        url=str(place),
        shown=where,
        size=archive.size if wanted is None else None,
        limit=archive.size if wanted is None else LARGEST_COPY * archive.size,
        advice=f"try later, or name another source: {command} URL_OR_FILE",
        trust=trust,
    )
