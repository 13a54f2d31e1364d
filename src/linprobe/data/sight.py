"""How a picture becomes what a model sees.

These steps, in this order; report/page/assets/model_decode.js and model_sight.js take the same ones in a browser, to
the last bit:

1. From bytes to pixels as in training: `linprobe.data.pictures.upright`, as the next three: `fitted`.
2. For a model with one channel, make it grey: (19595 R + 38470 G + 7471 B + 32768) >> 16.
3. Cut it to the model's aspect ratio: `middle`.
4. Resize it with Pillow's BILINEAR, which when it shrinks is a triangle as wide as two of the new pixels: first along
   the rows, then along the columns, each with weights in units of 2^-22 and rounded to 8 bits. A side that has the
   right length is left alone, and so is a picture of the right size.
5. Count in the units of the training pictures, v white / 255; and if it is to be inverted, take white - that.
"""

import numpy as np

from linprobe.data.pictures import fitted, quiet, upright

__all__ = ["see"]


def see(encoded: bytes, shape: tuple[int, int, int], white: float, place: str, *, invert: bool = False) -> np.ndarray:
    """A PNG, JPEG or WebP picture as a model sees it, before its preparation: float64 of `shape`.

    shape: (height, width, channels) of the model, 1 channel or 3; white: the value that white had in training. Raises
    DataError naming `place` for what is not such a picture, UnsafeFileError for one with too many pixels or bytes.
    """
    with quiet():
        image = upright(encoded, place)
    seen = np.asarray(fitted(image, shape)).reshape(shape).astype(np.float64) * white / 255
    return white - seen if invert else seen
