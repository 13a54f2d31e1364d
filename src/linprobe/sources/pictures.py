"""Encoded pictures (PNG, JPEG) into one uint8 array."""

import io
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linprobe.errors import DataError, UnsafeFileError
from linprobe.sources.reading import show

if TYPE_CHECKING:
    from PIL import Image

# What image data sets hold: each further format is further native code that a hostile file can reach.
FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 2**24  # of one picture, 4096 x 4096
MOST_BYTES = 4 * MOST_PIXELS  # of one encoded picture
GREY_MODES = ("1", "L", "LA", "La")
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
# Measured with two threads: at 32 x 32 they take turns waiting (10 % slower than one), at 64 x 64 they break even, at
# 128 x 128 they halve the time.
PIXELS_WORTH_A_THREAD = 64 * 64
PICTURES_A_TASK = 4  # few, so that a batch of large ones still gives every thread some

# What Pillow raises on damaged or absurd pictures, beside what it has of its own.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    EOFError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
)

Encoded = Any  # bytes, or any other buffer with a length, such as pyarrow's
Place = Callable[[int], str]  # of a row, as errors name it


class Shape(NamedTuple):
    """Of one picture, in pixels and values per pixel (1 grey, 3 colour)."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


class ColourFoundError(Exception):
    """Among pictures that were grey so far; caught by the reader, which then reads all of them as colour."""


def shape_of(encoded: Encoded | None, place: str) -> Shape:
    """Size and channels as the header of a picture announces them; nothing is decoded."""
    with quiet(), opened(encoded, place) as image:
        return Shape(image.height, image.width, 1 if image.mode in GREY_MODES else 3)


def decode(encoded: Sequence[Encoded | None], images: np.ndarray, place: Place) -> None:
    """Decode pictures into images, uint8 (n, height, width, channels), in parallel where that is faster.

    Grey stays grey with one channel, and becomes RGB with three; palettes, CMYK and transparency become RGB. Raises
    DataError naming the row for a damaged picture and for one of another size, UnsafeFileError for one with more than
    16.7 million pixels, before it is decoded; ColourFoundError where images has one channel and a picture has colour.
    """
    starts = range(0, len(encoded), PICTURES_A_TASK)

    def task(start: int) -> None:
        for row in range(start, min(start + PICTURES_A_TASK, len(encoded))):
            _decode_one(encoded[row], images[row], place(row))

    with quiet():
        if images.shape[1] * images.shape[2] < PIXELS_WORTH_A_THREAD or len(starts) < 2:
            for start in starts:
                task(start)
            return
        # Pillow lets other threads run while it decodes.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(task, starts):
                pass


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Pillow says about odd pictures; they either decode, or are refused in our words."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode_one(encoded: Encoded | None, image: np.ndarray, place: str) -> None:
    expected = Shape(*image.shape)
    with opened(encoded, place) as picture:
        if (picture.height, picture.width) != expected[:2]:
            found = Shape(picture.height, picture.width, expected.channels)
            raise DataError(
                f"{place}: is {found} pixels, where the pictures before it are {expected}; "
                "one size is expected: resize them"
            )
        if expected.channels == 1:
            if picture.mode not in GREY_MODES:
                raise ColourFoundError
            image[:, :, 0] = picture if picture.mode == "L" else picture.convert("L")
        else:
            image[:] = picture if picture.mode == "RGB" else picture.convert("RGB")


@contextmanager
def opened(encoded: Encoded | None, place: str) -> "Iterator[Image.Image]":
    """A picture whose header has been read and found fit to decode; what Pillow raises inside becomes a DataError."""
    from PIL import Image

    if encoded is None:
        raise DataError(f"{place}: holds no bytes of a picture, perhaps only its path; store the picture in the file")
    if len(encoded) > MOST_BYTES:
        raise UnsafeFileError(f"{place}: has {len(encoded):,} bytes, at most {MOST_BYTES:,} are decoded; leave it out")
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
            if not 0 < picture.width * picture.height <= MOST_PIXELS:
                raise UnsafeFileError(
                    f"{place}: announces {picture.width:,} x {picture.height:,} pixels, 1 to {MOST_PIXELS:,} are "
                    "decoded; leave it out, or make it smaller"
                )
            if picture.mode not in GREY_MODES + COLOUR_MODES:
                raise DataError(
                    f"{place}: has pixels of mode {show(picture.mode)}, 8 bits are expected; convert it to grey or RGB"
                )
            yield picture
    except Image.UnidentifiedImageError as error:
        raise DataError(f"{place}: is no {' or '.join(FORMATS)} picture; convert it, or leave it out") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnsafeFileError(
            f"{place}: announces far more than the {MOST_PIXELS:,} pixels that are decoded; leave it out, or make it "
            "smaller"
        ) from error
    except BROKEN as error:
        raise DataError(f"{place}: is a damaged picture: {show(str(error))}; replace it, or leave it out") from error
