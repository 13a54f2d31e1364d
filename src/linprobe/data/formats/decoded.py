"""Encoded pictures of a source into one array (n, height, width, channels), decoded once and kept in the cache.

    <cache>/pictures/<key>/images.npy         uint8, mapped and never loaded whole
    <cache>/pictures/<key>/record.json        what a user should know of how they were read

The key is made of names, sizes and times of the files, and of the size asked for. The folder appears by one rename when
it is complete. Where the cache cannot be written or has no room, the pictures are decoded into memory.
"""

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linprobe.data.fetch import Progress, cache_folder
from linprobe.data.fetch.cache import explained, locked, need_room
from linprobe.data.pictures import MOST_PIXELS, Shape, announced, quiet, upright
from linprobe.data.sight import fitted
from linprobe.errors import DataError, OutputError, UnsafeFileError, UsageError
from linprobe.publish import publish_folder, sweep

__all__ = ["Picture", "Pictures", "decoded"]

LAYOUT = 1  # of what is kept, and of how it is decoded: another number, another key
IMAGES, RECORD = "images.npy", "record.json"
BLOCK = 2**26  # bytes of pixels that are decoded before they are written
MOST_AT_ONCE = 4_096
# No PNG or JPEG unpacks to more than about 1,032 times its size. Small ones may, such as the same small file repeated.
MOST_UNFOLDING, HARMLESS = 1_100, 2**30

Size = tuple[int, int]  # height, width


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


class _Plan(NamedTuple):
    shape: Shape
    notes: tuple[str, ...]

    def size_of(self, rows: int) -> int:
        return rows * self.shape.height * self.shape.width * self.shape.channels


def decoded(
    source: str, pictures: Sequence[Picture], *, size: Size | None = None, progress: Progress | None = None
) -> Pictures:
    """Pictures of any sizes as an array of one: from the cache, or decoded in parallel and kept there.

    source: as errors name it, and part of the key; size: (height, width), by default the most frequent one. Pictures
    of another size are cut and resized as those that a model predicts (`linprobe.data.sight`). progress(done, n) counts
    pictures. Raises DataError for a damaged picture, and where neither disk nor memory has room; UnsafeFileError for
    those that would fill them; UsageError for a size that is none.
    """
    if size is not None and not (min(size) >= 1 and size[0] * size[1] <= MOST_PIXELS):
        raise UsageError(f"size {size[1]} x {size[0]}: 1 to {MOST_PIXELS:,} pixels are possible; choose another")
    folder = cache_folder() / "pictures" / _key(source, pictures, size)
    if (kept := _kept(folder, len(pictures))) is not None:
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


def _key(source: str, pictures: Sequence[Picture], size: Size | None) -> str:
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


def _keep(folder: Path, pictures: Sequence[Picture], plan: _Plan, pool: Executor, progress: Progress | None) -> None:
    with explained(folder):
        need_room(folder, plan.size_of(len(pictures)))
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
    plan: _Plan,
    finding: str,
    pool: Executor,
    progress: Progress | None,
) -> Pictures:
    needed, memory = plan.size_of(len(pictures)), _memory()
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


def _planned(source: str, pictures: Sequence[Picture], size: Size | None, pool: Executor) -> _Plan:
    """The one size, from the headers of all pictures."""
    sizes: Counter[Size] = Counter()
    channels = 1
    for start in range(0, len(pictures), MOST_AT_ONCE):
        for shape in pool.map(_announced, pictures[start : start + MOST_AT_ONCE]):
            sizes[shape[:2]] += 1
            channels = max(channels, shape.channels)
    chosen = size or max(sizes, key=lambda found: (sizes[found], found))
    plan = _Plan(Shape(*chosen, channels), ())
    packed, unpacked = sum(picture.size for picture in pictures), plan.size_of(len(pictures))
    if size is None and unpacked > max(HARMLESS, MOST_UNFOLDING * packed):
        raise UnsafeFileError(
            f"{source}: unfolds from {packed:,} to {unpacked:,} bytes, as no honest pictures do; do not use it"
        )
    if others := len(pictures) - sizes[chosen]:
        how = "the size asked for" if size else "the most frequent size"
        have = "has another size and is" if others == 1 else "have another size and are"
        note = f"The pictures are {plan.shape} pixels, {how}; {others:,} of {len(pictures):,} {have} cut and resized."
        return plan._replace(notes=(note,))
    return plan


def _announced(picture: Picture) -> Shape:
    return announced(picture.read(), picture.place)


def _blocks(
    pictures: Sequence[Picture], plan: _Plan, pool: Executor, progress: Progress | None
) -> Iterator[tuple[int, np.ndarray]]:
    """The pixels of some rows after the other, each block in the same memory, with the number of its first row."""
    rows = max(1, min(MOST_AT_ONCE, len(pictures), BLOCK // plan.size_of(1)))
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
