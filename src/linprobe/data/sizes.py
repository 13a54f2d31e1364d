"""The one size that the pictures of a source are given: the one asked for, or the most frequent one."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from linprobe.data.pictures import MOST_PIXELS, Shape
from linprobe.data.reading import show
from linprobe.errors import UsageError

__all__ = ["Agreed", "PictureSize", "agreed", "read_size"]

_WRITTEN = re.compile(r"([0-9]{1,9})(?:x([0-9]{1,9}))?(?:x([13]))?", re.IGNORECASE)


class PictureSize(NamedTuple):
    """A size in pixels that pictures are given; channels: 1 grey, 3 colour, None as the pictures are."""

    height: int
    width: int
    channels: int | None = None

    def __str__(self) -> str:
        return "x".join(str(each) for each in self if each is not None)

    def is_of(self, shape: Sequence[int]) -> bool:
        """Whether examples of this shape are pictures that have it."""
        return len(shape) == 3 and all(
            asked in (None, size) for asked, size in zip((*self[:2], self.channels), shape, strict=True)
        )


class Agreed(NamedTuple):
    """The shape that all pictures are given, and sentences about those that had another."""

    shape: Shape
    notes: tuple[str, ...]


def read_size(given: str | int | Sequence[int]) -> PictureSize:
    """A size as people give it: 64 or "64" for a square, (48, 64) or "48x64", "48x64x1" for grey and x3 for colour.

    Raises UsageError for anything else, and for more pixels than are decoded.
    """
    text = "x".join(map(str, given)) if isinstance(given, Sequence) and not isinstance(given, str) else str(given)
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--size {show(text)}: is not a size of pictures; write 64, or the height first: 48x64")
    height = int(found[1])
    width = int(found[2] or height)
    if not 1 <= height * width <= MOST_PIXELS:
        raise UsageError(f"--size {show(text)}: 1 to {MOST_PIXELS:,} pixels are possible; choose another")
    return PictureSize(height, width, None if found[3] is None else int(found[3]))


def agreed(shapes: Iterable[Shape], size: PictureSize | None) -> Agreed:
    """The one shape for pictures of these: the size asked for, else the most frequent one, of equal ones the largest.

    Grey if every picture is, unless the channels are asked for too.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    colours = 0
    for shape in shapes:
        sizes[shape.height, shape.width] += 1
        colours += shape.channels > 1
    n = sizes.total()
    height, width = size[:2] if size else max(sizes, key=lambda found: (sizes[found], found))
    channels = (size and size.channels) or (3 if colours else 1)
    shape, notes = Shape(height, width, channels), []
    if others := n - sizes[height, width]:
        how = "the size asked for" if size else "the most frequent size"
        have = "has another size and is" if others == 1 else "have another size and are"
        notes.append(f"The pictures are {shape} pixels, {how}; {others:,} of {n:,} {have} cut and resized.")
    if channels == 1 and colours:
        have = "has colour and is" if colours == 1 else "have colour and are"
        notes.append(f"{colours:,} of {n:,} pictures {have} made grey.")
    return Agreed(shape, tuple(notes))
