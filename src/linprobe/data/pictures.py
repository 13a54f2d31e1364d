"""Encoded pictures (PNG, JPEG, WebP) into pixels, the same ones for training and for prediction.

`upright` is the only way from bytes to pixels, and `fitted` from there to another size;
report/page/assets/model_decode.js and model_sight.js take the same ones in a browser. `upright` does, in this order:

1. Decode 8 bits a channel; of the 16 that a PNG with colour or transparency may have, the upper 8. Of several pictures
   in a file, an animation's for one, the first. Colour profiles and gamma are left aside.
2. Where it is transparent, lay it on white: (v a + 255 (255 - a)) / 255, rounded.
3. Turn it as its EXIF orientation says.

Refused: CMYK, whose inks browsers and Pillow mix differently, and grey of 16 bits, of which often only some are used.
"""

import io
import os
import struct
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linprobe.data.reading import show
from linprobe.errors import DataError, UnsafeFileError

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMAT_NAMES",
    "MOST_BYTES",
    "MOST_PIXELS",
    "PIXELS_WORTH_A_THREAD",
    "ColourFoundError",
    "Encoded",
    "OtherSizeFoundError",
    "Shape",
    "announced",
    "decode",
    "fitted",
    "middle",
    "quiet",
    "shape_of",
    "upright",
]

# What image data sets hold: each further format is further native code that a hostile file can reach.
FORMATS = ("PNG", "JPEG", "WEBP")
FORMAT_NAMES = "PNG, JPEG or WebP"
MOST_PIXELS = 2**24  # of one picture, 4096 x 4096
LONGEST_SIDE = 2**16 - 1  # as in JPEG: Pillow takes further memory for each row, which of a narrow PNG is most of it
MOST_BYTES = 4 * MOST_PIXELS  # of one encoded picture
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA")
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


class OtherSizeFoundError(Exception):
    """Among pictures that were of one size so far; caught by the reader, which then gives all of them one."""


def shape_of(encoded: Encoded | None, place: str) -> Shape:
    """Size and channels of a picture as it is seen."""
    with quiet():
        image = upright(encoded, place)
    return Shape(image.height, image.width, 1 if image.mode == "L" else 3)


def announced(encoded: Encoded | None, place: str) -> Shape:
    """Size and channels of a picture as its header announces them, turned by its EXIF block; it is not decoded.

    To be called within `quiet`; refuses what `upright` refuses before it decodes.
    """
    with _opened(encoded, place) as picture:
        lies = _orientation(picture) > 4
        height, width = (picture.width, picture.height) if lies else (picture.height, picture.width)
        return Shape(height, width, 1 if picture.mode in GREY_MODES else 3)


def decode(encoded: Sequence[Encoded | None], images: np.ndarray, place: Place, *, fit: bool = False) -> None:
    """Decode pictures into images, uint8 (n, height, width, channels), in parallel where that is faster.

    fit: cut, resize and make grey what has another shape, see `fitted`. Raises DataError naming the row for a damaged
    picture, UnsafeFileError for one with more than 16.7 million pixels, before it is decoded. Without fit,
    OtherSizeFoundError for one of another size, and ColourFoundError where images has one channel and one has colour.
    """
    starts = range(0, len(encoded), PICTURES_A_TASK)

    def task(start: int) -> None:
        for row in range(start, min(start + PICTURES_A_TASK, len(encoded))):
            _decode_one(encoded[row], images[row], place(row), fit)

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
def quiet() -> Generator[None]:
    """Silence what Pillow says about odd pictures; they either decode, or are refused in our words."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode_one(encoded: Encoded | None, image: np.ndarray, place: str, fit: bool) -> None:
    shape = Shape(*image.shape)
    picture = upright(encoded, place)
    if fit:
        picture = fitted(picture, shape)
    elif (picture.height, picture.width) != shape[:2]:
        raise OtherSizeFoundError
    elif shape.channels == 1 and picture.mode != "L":
        raise ColourFoundError
    if shape.channels == 1:
        image[:, :, 0] = picture
    else:
        image[:] = picture if picture.mode == "RGB" else picture.convert("RGB")


def upright(encoded: Encoded | None, place: str) -> "Image.Image":
    """The pixels of a picture as training and prediction see them: on white, turned; grey (L) or colour (RGB).

    To be called within `quiet`. Raises DataError naming `place` for what is not such a picture, UnsafeFileError for one
    with too many pixels or bytes, before it is decoded.
    """
    with _opened(encoded, place) as picture:
        picture.load()  # which is also what finds metadata behind the pixels
        return _turned(_on_white(picture), _orientation(picture))


@contextmanager
def _opened(encoded: Encoded | None, place: str) -> "Generator[Image.Image]":
    """A picture whose header has been read and found fit to decode; what Pillow raises inside becomes a DataError."""
    from PIL import Image

    if encoded is None:
        raise DataError(f"{place}: holds no bytes of a picture, perhaps only its path; store the picture in the file")
    if len(encoded) > MOST_BYTES:
        raise UnsafeFileError(f"{place}: has {len(encoded):,} bytes, at most {MOST_BYTES:,} are decoded; leave it out")
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
            if not 0 < picture.width * picture.height <= MOST_PIXELS or max(picture.size) > LONGEST_SIDE:
                limit = f"1 to {MOST_PIXELS:,}" if max(picture.size) <= LONGEST_SIDE else f"sides to {LONGEST_SIDE:,}"
                raise UnsafeFileError(
                    f"{place}: announces {picture.width:,} x {picture.height:,} pixels, {limit} are decoded; leave it "
                    "out, or make it smaller"
                )
            if picture.mode not in GREY_MODES + COLOUR_MODES:
                deep = picture.mode.startswith("I")
                finding = "16 bits a pixel, 8 are" if deep else f"{show(picture.mode)} colours, grey or RGB is"
                raise DataError(f"{place}: has {finding} expected; convert it, or leave it out")
            yield picture
    except Image.UnidentifiedImageError as error:
        raise DataError(f"{place}: is not a {FORMAT_NAMES} image; convert it, or leave it out") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnsafeFileError(
            f"{place}: announces far more than the {MOST_PIXELS:,} pixels that are decoded; leave it out, or make it "
            "smaller"
        ) from error
    except BROKEN as error:
        raise DataError(f"{place}: is a damaged picture: {show(str(error))}; replace it, or leave it out") from error


def fitted(image: "Image.Image", shape: tuple[int, int, int]) -> "Image.Image":
    """An upright picture with the channels, the ratio and the size (height, width, channels): the only way to resize.

    Steps 2 to 4 of `linprobe.data.sight`.
    """
    from PIL import Image

    height, width, channels = shape
    image = image.convert("L" if channels == 1 else "RGB")
    image = image.crop(middle(*image.size, width, height))
    # One side after the other: which of them comes first is Pillow's choice, and not the same for all sizes.
    for size in ((width, image.height), (width, height)):
        image = image.resize(size, Image.Resampling.BILINEAR)
    return image


def middle(width: int, height: int, to_width: int, to_height: int) -> tuple[int, int, int, int]:
    """The largest box about the middle of a picture that has the ratio to_width : to_height: left, top, right, bottom.

    The side that is cut becomes the nearest whole number of pixels, a half counting up, at least 1; the odd pixel goes
    at the right or the bottom.
    """
    cut_width, cut_height = width, height
    if width * to_height > height * to_width:
        cut_width = max(1, (2 * height * to_width + to_height) // (2 * to_height))
    else:
        cut_height = max(1, (2 * width * to_height + to_width) // (2 * to_width))
    left, top = (width - cut_width) // 2, (height - cut_height) // 2
    return left, top, left + cut_width, top + cut_height


def _on_white(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    mode = "L" if picture.mode in GREY_MODES else "RGB"
    if not picture.has_transparency_data:
        return picture if picture.mode == mode else picture.convert(mode)
    picture = picture.convert("RGBA")
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper.convert(mode)


def _orientation(picture: "Image.Image") -> int:
    """1 to 8, as the EXIF block says; 1 where there is none, or a damaged one. XMP is not asked: browsers do not."""
    from PIL import ExifTags, Image

    if not (block := picture.info.get("exif")):
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        found = exif.get(ExifTags.Base.Orientation, 1)
    except BROKEN:
        return 1
    return found if found in range(1, 9) else 1


def _turned(image: "Image.Image", orientation: int) -> "Image.Image":
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)
