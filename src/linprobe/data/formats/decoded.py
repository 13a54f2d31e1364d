"""Encoded pictures of a source into one array (n, height, width, channels), decoded once and kept in the cache.

    <cache>/pictures/<key>/images.npy         uint8, mapped and never loaded whole
    <cache>/pictures/<key>/record.json        what a user should know of how they were read

The key is made of names, sizes and times of the files, and of the size asked for. The folder appears by one rename when
it is complete. Where the cache cannot be written or has no room, the pictures are decoded into memory.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linprobe.data.fetch import Progress, cache_folder
from linprobe.data.fetch.cache import explained, locked, need_room
from linprobe.data.pictures import Shape, announced, fitted, quiet, upright
from linprobe.data.sizes import Agreed, PictureSize, agreed
from linprobe.errors import DataError, OutputError, UnsafeFileError, UsageError
from linprobe.publish import publish_folder, sweep

__all__ = ["Picture", "Pictures", "decoded"]

LAYOUT = 1  # of what is kept, and of how it is decoded: another number, another key
IMAGES, RECORD = "images.npy", "record.json"
BLOCK = 2**26  # bytes of pixels that are decoded before they are written
MOST_AT_ONCE = 4_096
# No PNG or JPEG unpacks to more than about 1,032 times its size. Small ones may, such as the same small file repeated.
MOST_UNFOLDING, HARMLESS = 1_100, 2**30


class Picture(NamedTuple):
    """An encoded picture: its file, as errors name it; its name, bytes and time, for the key; how to read it."""

    place: str
    name: str
    size: int
    stamp: int
    read: Callable[[], bytes]


class Pictures(NamedTuple):
    """uint8 (n, height, width, channels), channels 1 if every picture is grey, else 3; and sentences for the user."""

    images: np.ndarray
    notes: tuple[str, ...]


def decoded(
    source: str, pictures: Sequence[Picture], *, size: PictureSize | None = None, progress: Progress | None = None
) -> Pictures:
    """Pictures of any sizes as an array of one: from the cache, or decoded in parallel and kept there.

    source: as errors name it, and part of the key; size: by default the most frequent one. Pictures of another size are
    cut and resized as those that a model predicts (`linprobe.data.sight`). progress(done, n) counts pictures. Raises
    DataError for a damaged picture, and where neither disk nor memory has room; UnsafeFileError for those that would
    fill them.
    """
    # A model asks for the size of its training, which then may have been that of most pictures.
    folders = [cache_folder() / "pictures" / _key(source, pictures, asked) for asked in dict.fromkeys((None, size))]
    folder = folders[-1]
    for place in folders:
        kept = _kept(place, len(pictures))
        if kept is not None and (size is None or size.is_of(kept.images.shape[1:])):
            return kept
    with ThreadPoolExecutor(os.cpu_count()) as pool, quiet():
        plan = _planned(source, pictures, size, pool)
        try:
            with locked(folder):
                if (kept := _kept(folder, len(pictures))) is not None:  # somebody else was faster
                    return kept
                sweep(folder)
                _keep(folder, pictures, plan, pool, progress)
            if (kept := _kept(folder, len(pictures))) is not None:
                return kept
            finding = f"{folder}: cannot be read"
        except (OutputError, UsageError) as error:
            finding = str(error)
        return _in_memory(source, pictures, plan, finding, pool, progress)


def _key(source: str, pictures: Sequence[Picture], size: PictureSize | None) -> str:
    digest = hashlib.sha256(json.dumps([LAYOUT, source, size]).encode())
    for picture in pictures:
        digest.update(json.dumps([picture.name, picture.size, picture.stamp]).encode())
    return digest.hexdigest()[:32]


def _kept(folder: Path, rows: int) -> Pictures | None:
    """What the cache holds; None for nothing, and for what cannot be read."""
    try:
        notes = json.loads((folder / RECORD).read_text(encoding="utf-8"))["notes"]
        images = np.lib.format.open_memmap(folder / IMAGES, "r")
    except (OSError, ValueError, LookupError, TypeError, EOFError):
        return None
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != rows:
        return None
    return Pictures(images, tuple(map(str, notes)))


def _keep(folder: Path, pictures: Sequence[Picture], plan: Agreed, pool: Executor, progress: Progress | None) -> None:
    with explained(folder):
        need_room(folder, _bytes(plan, len(pictures)))
    with publish_folder(folder, replace=True) as partial:
        # Written, and not mapped: on a disk that is full, a write fails where a map ends the process.
        with (partial / IMAGES).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(pictures), *plan.shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for _, block in _blocks(pictures, plan, pool, progress):
                file.write(block.data)
        (partial / RECORD).write_text(json.dumps({"notes": plan.notes}), encoding="utf-8")


def _in_memory(
    source: str,
    pictures: Sequence[Picture],
    plan: Agreed,
    finding: str,
    pool: Executor,
    progress: Progress | None,
) -> Pictures:
    needed, memory = _bytes(plan, len(pictures)), _memory()
    if needed > memory:
        raise DataError(
            f"{source}: {len(pictures):,} pictures of {plan.shape} pixels need {needed:,} bytes; memory has "
            f"{memory:,}, and the cache cannot take them ({finding}); take fewer or smaller pictures"
        )
    images = np.empty((len(pictures), *plan.shape), np.uint8)
    for start, block in _blocks(pictures, plan, pool, progress):
        images[start : start + len(block)] = block
    return Pictures(images, (*plan.notes, f"Decoded into memory, as the cache cannot be used ({finding})."))


def _memory() -> int:
    """Bytes of memory of this machine; 8 GiB where it does not say."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 8 * 2**30


def _planned(source: str, pictures: Sequence[Picture], size: PictureSize | None, pool: Executor) -> Agreed:
    """The one size, from the headers of all pictures."""
    blocks = (pictures[start : start + MOST_AT_ONCE] for start in range(0, len(pictures), MOST_AT_ONCE))
    plan = agreed((shape for block in blocks for shape in pool.map(_announced, block)), size)
    packed, unpacked = sum(picture.size for picture in pictures), _bytes(plan, len(pictures))
    if size is None and unpacked > max(HARMLESS, MOST_UNFOLDING * packed):
        raise UnsafeFileError(
            f"{source}: unfolds from {packed:,} to {unpacked:,} bytes, as no honest pictures do; do not use it"
        )
    return plan


def _bytes(plan: Agreed, rows: int) -> int:
    return rows * math.prod(plan.shape)


def _announced(picture: Picture) -> Shape:
    return announced(picture.read(), picture.place)


def _blocks(
    pictures: Sequence[Picture], plan: Agreed, pool: Executor, progress: Progress | None
) -> Iterator[tuple[int, np.ndarray]]:
    """The pixels of some rows after the other, each block in the same memory, with the number of its first row."""
    rows = max(1, min(MOST_AT_ONCE, len(pictures), BLOCK // _bytes(plan, 1)))
    block = np.empty((rows, *plan.shape), np.uint8)

    def decode(picture: Picture, image: np.ndarray) -> None:
        image[:] = np.asarray(fitted(upright(picture.read(), picture.place), plan.shape)).reshape(plan.shape)

    for start in range(0, len(pictures), rows):
        part = pictures[start : start + rows]
        for _ in pool.map(decode, part, block):
            pass
        if progress:
            progress(start + len(part), len(pictures))
        yield start, block[: len(part)]
