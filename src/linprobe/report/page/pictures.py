"""Pictures inside the page: small PNG files as data URIs, as many and as large as there is room for."""

import base64
import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from linprobe.report.figures import scale_templates
from linprobe.report.run import Run

__all__ = ["Thumbnails", "mistake_pictures", "template_pictures"]

SIDES = (64, 48, 32, 24)  # pixels; what larger pictures are averaged down to, the first that fits
AROUND = 260  # bytes of HTML around a picture

# Against, neither, for: told apart by everybody who can tell blue from orange.
SIGNED = ((0x1F, 0x5A, 0xA6), (0xF4, 0xF4, 0xF2), (0xC2, 0x5A, 0x06))
LEVELS = 63  # of a signed picture; an odd number has a middle


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Data URIs of the first pictures of all, those for which there was room; side: of their longer one, in pixels."""

    uris: list[str]
    side: int


def template_pictures(run: Run, room: int) -> Thumbnails:
    """The templates of the first classes: one channel in two colours about zero, three in colour, else their mean."""
    W, shape = run.classifier.weights, run.classifier.preparation.shape
    K = min(W.shape[1], room // AROUND)

    def at(side: int) -> Callable[[int], bytes]:
        # Class by class: a copy of all weights in another type might be more than the memory has.
        small = np.stack([_shrink(_channels(W[:, k].reshape(shape)), side) for k in range(K)])
        if small.shape[3] == 3:
            pixels = scale_templates(small)
            return lambda k: _png(pixels[k])
        limit = float(np.abs(small).max()) or 1.0
        levels = np.rint((LEVELS - 1) / 2 * (1 + small[..., 0] / limit)).astype(np.uint8)
        return lambda k: _png(levels[k], signed=True)

    return _fitting(at, K, shape, room)


def mistake_pictures(run: Run, room: int) -> Thumbnails:
    """The pictures that the model was surest of and wrong about, as the source gave them."""
    X, white = run.evidence.mistakes.X, run.classifier.white

    def at(side: int) -> Callable[[int], bytes]:
        small = [_shrink(_channels(picture.astype(np.float32)), side) for picture in X]
        return lambda m: _png(np.rint(np.clip(small[m] * (255 / white), 0, 255)).astype(np.uint8))

    return _fitting(at, len(X), run.classifier.preparation.shape, room)


def _fitting(at: Callable[[int], Callable[[int], bytes]], count: int, shape: tuple[int, ...], room: int) -> Thumbnails:
    """All pictures at the largest side at which they fit; at the smallest as many as do."""
    uris: list[str] = []
    side = 0
    if count < 1:
        return Thumbnails(uris, side)
    for side in dict.fromkeys(min(side, max(shape[:2])) for side in SIDES):
        draw, left, uris = at(side), room, []
        for k in range(count):
            uri = f"data:image/png;base64,{base64.b64encode(draw(k)).decode()}"
            left -= len(uri) + AROUND
            if left < 0:
                break
            uris.append(uri)
        else:
            break
    return Thumbnails(uris, side)


def _channels(picture: np.ndarray) -> np.ndarray:
    """One or three channels (height, width, c) as they are, the mean of any other number."""
    return picture if picture.shape[2] in (1, 3) else picture.mean(axis=2, keepdims=True)


def _shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Float32 (height, width, c) of at most `side` pixels, each the mean of what it covers; small ones as they are."""
    height, width, _ = picture.shape
    scale = side / max(height, width)
    if scale >= 1:
        return np.asarray(picture, np.float32)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    planes = np.moveaxis(np.asarray(picture, np.float32), 2, 0)
    return np.stack([np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX)) for plane in planes], axis=2)


def _png(pixels: np.ndarray, *, signed: bool = False) -> bytes:
    """Encode uint8 (height, width, c), or levels (height, width) of the signed scale."""
    image = Image.fromarray(pixels if signed or pixels.shape[2] == 3 else pixels[..., 0])
    if signed:
        image = image.convert("P") if image.mode != "P" else image
        image.putpalette(_signed_palette())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _signed_palette() -> list[int]:
    along = np.linspace(0, len(SIGNED) - 1, LEVELS)
    channels = [np.interp(along, range(len(SIGNED)), anchor) for anchor in zip(*SIGNED, strict=True)]
    return [math.floor(value + 0.5) for colour in zip(*channels, strict=True) for value in colour]
