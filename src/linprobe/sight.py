"""How a picture becomes what a model sees.

These steps, in this order; report/page/assets/model_decode.js and model_sight.js take the same ones in a browser, to
the last bit:

1. Decode PNG or JPEG, 8 bits a channel; of the 16 that a PNG with colour or transparency may have, the upper 8. Colour
   profiles and gamma are left aside.
2. Where it is transparent, lay it on white: (v a + 255 (255 - a)) / 255, rounded.
3. Turn it as its EXIF orientation says.
4. For a model with one channel, make it grey: (19595 R + 38470 G + 7471 B + 32768) >> 16.
5. Cut it to the model's aspect ratio: `middle`.
6. Resize it with Pillow's BILINEAR, which when it shrinks is a triangle as wide as two of the new pixels: first along
   the rows, then along the columns, each with weights in units of 2^-22 and rounded to 8 bits. A side that has the
   right length is left alone, and so is a picture of the right size.
7. Count in the units of the training pictures, v white / 255; and if it is to be inverted, take white - that.
"""

from typing import TYPE_CHECKING

import numpy as np

from linprobe.errors import DataError
from linprobe.sources.pictures import BROKEN, opened, quiet
from linprobe.sources.reading import show

if TYPE_CHECKING:
    from PIL import Image

# CMYK is absent: browsers and Pillow mix its inks differently.
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def see(encoded: bytes, shape: tuple[int, int, int], white: float, place: str, *, invert: bool = False) -> np.ndarray:
    """A PNG or JPEG picture as a model sees it, before its preparation: float64 of `shape`.

    shape: (height, width, channels) of the model, 1 channel or 3; white: the value that white had in training. Raises
    DataError naming `place` for what is no such picture, UnsafeFileError for one with too many pixels or bytes.
    """
    from PIL import Image

    height, width, channels = shape
    with quiet(), opened(encoded, place) as picture:
        if picture.mode not in MODES:
            raise DataError(f"{place}: has colours of mode {show(picture.mode)}; convert it to RGB")
        picture.load()
        image = _upright(_on_white(picture), _orientation(picture))
        if channels == 1:
            image = image.convert("L")
        image = image.crop(middle(*image.size, width, height))
        # One side after the other: which of them comes first is Pillow's choice, and not the same for all sizes.
        for size in ((width, image.height), (width, height)):
            image = image.resize(size, Image.Resampling.BILINEAR)
    seen = np.asarray(image).reshape(shape).astype(np.float64) * white / 255
    return white - seen if invert else seen


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

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def _orientation(picture: "Image.Image") -> int:
    """1 to 8, as the EXIF block says; 1 where there is none, or a damaged one. XMP is not asked: browsers do not."""
    from PIL import ExifTags, Image

    exif = Image.Exif()
    try:
        exif.load(picture.info.get("exif", b""))
        found = exif.get(ExifTags.Base.Orientation, 1)
    except BROKEN:
        return 1
    return found if found in range(1, 9) else 1


def _upright(image: "Image.Image", orientation: int) -> "Image.Image":
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
