"""How a picture becomes what a model sees.

These steps, in this order; report/page/assets/model_decode.js and model_sight.js take the same ones in a browser, to
the last bit:

1. From bytes to pixels as in training: `linprobe.data.pictures`.
2. For a model with one channel, make it grey: (19595 R + 38470 G + 7471 B + 32768) >> 16.
3. Cut it to the model's aspect ratio: `middle`.
4. Resize it with Pillow's BILINEAR, which when it shrinks is a triangle as wide as two of the new pixels: first along
   the rows, then along the columns, each with weights in units of 2^-22 and rounded to 8 bits. A side that has the
   right length is left alone, and so is a picture of the right size.
5. Count in the units of the training pictures, v white / 255; and if it is to be inverted, take white - that.
"""

from typing import TYPE_CHECKING

import numpy as np

from linprobe.data.pictures import quiet, upright

if TYPE_CHECKING:
    from PIL import Image


def see(encoded: bytes, shape: tuple[int, int, int], white: float, place: str, *, invert: bool = False) -> np.ndarray:
    """A PNG, JPEG or WebP picture as a model sees it, before its preparation: float64 of `shape`.

    shape: (height, width, channels) of the model, 1 channel or 3; white: the value that white had in training. Raises
    DataError naming `place` for what is not such a picture, UnsafeFileError for one with too many pixels or bytes.
    """
    with quiet():
        image = upright(encoded, place)
    seen = np.asarray(fitted(image, shape)).reshape(shape).astype(np.float64) * white / 255
    return white - seen if invert else seen


def fitted(image: "Image.Image", shape: tuple[int, int, int]) -> "Image.Image":
    """Steps 2 to 4: an upright picture with the channels, the ratio and the size (height, width, channels)."""
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
