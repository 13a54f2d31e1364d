"""templates.png: the weights of every class, seen as pictures."""

import math
import os
from collections.abc import Sequence

import numpy as np

from linprobe.errors import UsageError
from linprobe.report.sheet import Heading, Sheet
from linprobe.report.style import GAP, MARGIN, MIN_WIDTH, TEXT, em, leading
from linprobe.report.words import class_labels, short_number

TILES_WIDTH = 1250  # pixels; what a row of templates is enlarged to
TILE, LARGEST_TILE = 96, 224  # pixels; the narrowest column that leaves a name room, the largest enlargement


def scale_templates(weights: np.ndarray) -> np.ndarray:
    """Weights as pixels, by the same scale for all classes: lowest 0, highest 255, rounded.

    weights (K, height, width, channels), without the bias -> uint8 of the same shape. Weights that are all the same
    become 128. Raises UsageError for other shapes and for weights that are not finite. CS231n, assignment 1.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 4 or 0 in weights.shape:
        raise UsageError(
            f"templates.png: the weights have the shape {weights.shape}; give (classes, height, width, channels)"
        )
    low, high = weights.min(), weights.max()
    if not math.isfinite(low + high):
        raise UsageError("templates.png: some weights are not finite; draw a head that did not diverge")
    if low == high:
        return np.full(weights.shape, 128, dtype=np.uint8)
    if not math.isfinite(float(high) - float(low)):  # the range alone overflows
        weights, low, high = weights / 2, low / 2, high / 2
    return np.rint(255.0 * ((weights - low) / (high - low))).astype(np.uint8)


def draw_templates(path: str | os.PathLike[str], templates: np.ndarray, classes: Sequence[str], *, title: str) -> None:
    """Write the templates of all classes, named, each weight a square of whole pixels, as a PNG.

    templates (K, height, width, channels) weights without the bias; three channels are drawn in colour, one in grey,
    any other number as its mean, which the caption says; classes (K,) names, shown literally.
    Raises UsageError for shapes that do not match, OutputError where the file cannot be written.
    """
    templates_sheet(templates, classes, title=title).save(path)


def templates_sheet(templates: np.ndarray, classes: Sequence[str], *, title: str) -> Sheet:
    """The page that `draw_templates` writes."""
    templates = np.asarray(templates, dtype=np.float64)
    if templates.ndim == 4 and templates.shape[3] not in (0, 1, 3):
        shown = templates.mean(axis=3, keepdims=True)
    else:
        shown = templates
    pixels = scale_templates(shown)
    count, height, width, _ = pixels.shape
    if count != len(classes):
        raise UsageError(f"templates.png: {count} templates for {len(classes)} classes; give one for each")

    columns = _columns(count)
    zoom = max(1, min(TILES_WIDTH // columns - GAP, LARGEST_TILE) // max(width, height))
    tile_width, tile_height = width * zoom, height * zoom
    column = max(tile_width, TILE) + 2 * GAP
    row = tile_height + leading(TEXT) + 2 * GAP
    heading = Heading(title, [_caption(shown, templates.shape[3])], max(MIN_WIDTH, columns * column - 2 * GAP))
    lines = math.ceil(count / columns)
    across = max(MIN_WIDTH, columns * column - 2 * GAP)
    sheet = Sheet(across + 2 * MARGIN, MARGIN + heading.height + lines * row - 2 * GAP + MARGIN)
    top = heading.draw(sheet)
    for k, label in enumerate(class_labels(classes, TEXT, column - GAP)):
        x, y = MARGIN + k % columns * column, top + k // columns * row
        sheet.text(x, y + em(TEXT) / 2, label)
        tile = pixels[k].repeat(zoom, axis=0).repeat(zoom, axis=1)
        sheet.image(x, y + leading(TEXT), np.broadcast_to(tile, (tile_height, tile_width, 3)))
    return sheet


def _columns(count: int) -> int:
    """Columns of a block about once to twice as wide as high, with the fewest empty places."""
    narrowest = math.ceil(math.sqrt(count))
    return min(range(narrowest, 2 * narrowest), key=lambda columns: (-count % columns, columns))


def _caption(shown: np.ndarray, channels: int) -> str:
    low, high = short_number(shown.min()), short_number(shown.max())
    if shown.min() == shown.max():
        return f"Weights without the bias; all of them are {low}."
    if channels == 3:
        return f"Weights without the bias, one scale for all classes and channels: {low} is 0, {high} is 255."
    mean = "" if channels == 1 else f", mean over {channels} channels"
    return f"Weights without the bias{mean}, one scale for all classes: {low} black, {high} white."
