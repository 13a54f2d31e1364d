"""What no honest file asks for: more memory than there is, or far more bytes than it has."""

import os

from linprobe.errors import DataError, UnsafeFileError

__all__ = ["memory", "refuse_too_large", "refuse_unfolding"]

# Deflate packs 1,032 bytes into one at best, and a WebP does more only where next to nothing is on it; a file that
# unfolds further repeats itself. Small ones may.
MOST_UNFOLDING = 1_100
HARMLESS = 2**30


def refuse_unfolding(place: str, packed: int, unpacked: int, what: str, again: str) -> None:
    """Raise UnsafeFileError for content of which so many bytes become so many as no honest `what` do."""
    if unpacked > max(HARMLESS, MOST_UNFOLDING * packed):
        raise UnsafeFileError(
            f"{place}: unfolds from {packed:,} to {unpacked:,} bytes, as no honest {what} do; do not use it, {again}"
        )


def refuse_too_large(place: str, needed: int, what: str, way: str) -> None:
    """Raise DataError for what does not fit into memory, before a byte is allocated for it."""
    there = memory()
    if needed > there:
        raise DataError(f"{place}: {what} need {needed:,} bytes of memory, this machine has {there:,}; {way}")


def memory() -> int:
    """Bytes of memory of this machine; 8 GiB where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30
