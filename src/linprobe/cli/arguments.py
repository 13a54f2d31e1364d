"""What people write on the command line, made into what the library takes."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from linprobe.errors import UsageError

if TYPE_CHECKING:
    from linprobe.arrays import Device, Precision
    from linprobe.search import Resources

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str, name: str) -> int:
    """4GiB, 512M or a plain number of bytes -> bytes. Units are powers of 1,024. Raises UsageError naming `name`."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = 0 if found is None else int(float(found[1]) * UNITS[found[2].upper()])
    if size < 1:
        raise UsageError(f"{name} {_line(text)}: is not a size; write it as 4GiB or 512MiB")
    return size


def parse_rank(text: str | None, name: str) -> int | Literal["auto"] | None:
    """A number of directions, or auto. Raises UsageError naming `name`."""
    if text is None or text == "auto":
        return text
    if not re.fullmatch(r"0{0,9}[1-9][0-9]{0,8}", text):
        raise UsageError(f"{name} {_line(text)}: is no rank; give a number of directions, 1 or more, or auto")
    return int(text)


def resources(device: "Device", precision: "Precision", memory: str | None) -> "Callable[[], Resources]":
    """What the search may use; memory is looked at when it is called, with the data already there.

    Raises UsageError for a size that is none, and what `choose_device` raises.
    """
    import psutil

    from linprobe.arrays import Products, choose_device
    from linprobe.search import Resources

    bound = None if memory is None else parse_size(memory, "--memory")
    products = Products(choose_device(device, precision), precision)

    def look() -> Resources:
        held = psutil.Process().memory_info().rss
        return Resources(products, bound or held + psutil.virtual_memory().available // 2, held)

    return look


def _line(text: str) -> str:
    return " ".join(text.split())
