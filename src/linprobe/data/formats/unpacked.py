"""What has to be unpacked before it can be read by rows: in memory, or where it is much in a file that nobody sees."""

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterable

import numpy as np

from linprobe.data.fetch import cache_folder
from linprobe.data.fetch.cache import explained, need_room
from linprobe.errors import OutputError

__all__ = ["unpacked"]

# Beyond, what is unpacked lies in the folder of the cache, from where it is mapped: those pages the system takes back
# when memory is short. The file has no name, so that it is gone with the process, however that ends.
IN_MEMORY = 2**28  # bytes


def unpacked(shape: tuple[int, ...], dtype: np.dtype, parts: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
    """Parts that follow each other as one array of this shape and type, which they fill.

    parts: gives them, from the first one on. In memory too where the cache cannot be written, or has no room.
    """
    if math.prod(shape) * dtype.itemsize > IN_MEMORY and os.name == "posix":
        with contextlib.suppress(OutputError):
            return _in_file(shape, dtype, parts())
    found, start = np.empty(shape, dtype), 0
    for part in parts():
        found[start : start + len(part)] = part
        start += len(part)
    return found


def _in_file(shape: tuple[int, ...], dtype: np.dtype, parts: Iterable[np.ndarray]) -> np.ndarray:
    folder = cache_folder()
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        need_room(folder / "unpacked", math.prod(shape) * dtype.itemsize)
        # Written, and not mapped: on a disk that is full, a write fails where a map ends the process.
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - what is mapped of it outlives this
    with file:
        for part in parts:
            with explained(folder):
                file.write(np.ascontiguousarray(part, dtype).reshape(-1).view(np.uint8).data)
        with explained(folder):
            file.flush()
        return np.memmap(file, dtype, "r", shape=shape)
