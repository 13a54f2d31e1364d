"""templates.png: the weights of every class, seen as pictures."""

import math

import numpy as np

from linprobe.report.figures import Templates
from linprobe.report.labels import class_labels, short_number
from linprobe.report.pictures.paper import Paper, arrange, blank, letters
from linprobe.report.style import GAP, INK, MARGIN, MIN_WIDTH, TEXT, leading

__all__ = ["draw_templates"]

WIDTH = 1250  # pixels; what a row of templates is enlarged to
TILE, LARGEST = 96, 224  # pixels; the narrowest column that leaves a name room, the largest enlargement


def draw_templates(figure: Templates) -> Paper:
    """The templates of all classes, each under its name and each weight a square of whole pixels."""
    K, high, wide, _ = figure.pixels.shape
    columns = _columns(K)
    zoom = max(1, min(WIDTH // columns - GAP, LARGEST) // max(wide, high))
    column, row = max(wide * zoom, TILE) + 2 * GAP, high * zoom + leading(TEXT) + 2 * GAP
    width, height = columns * column - 2 * GAP, math.ceil(K / columns) * row - 2 * GAP
    paper = blank(width + 2 * MARGIN, height + 150)
    axes = paper.add_subplot()
    axes.set_axis_off()
    for k, name in enumerate(class_labels(figure.classes, TEXT, column - GAP)):
        x, y = k % columns * column, k // columns * row + leading(TEXT)
        shown = np.broadcast_to(figure.pixels[k], (high, wide, 3))
        place = (x, x + wide * zoom, y + high * zoom, y)
        axes.imshow(shown, extent=place, origin="upper", interpolation="nearest", aspect="auto", resample=False)
        axes.text(x, y - 6, name, ha="left", va="baseline", in_layout=False, **letters(TEXT, INK))
    # One pixel is one unit, also of what the heading may need beside the tiles.
    width = max(width, MIN_WIDTH - 2 * MARGIN)
    axes.set(xlim=(0, width), ylim=(height, 0))
    arrange(paper, axes, figure.title, [_caption(figure)], size=(width, height))
    return paper


def _columns(count: int) -> int:
    """Columns of a block about once to twice as wide as high, with the fewest empty places."""
    narrowest = math.ceil(math.sqrt(count))
    return min(range(narrowest, 2 * narrowest), key=lambda columns: (-count % columns, columns))


def _caption(figure: Templates) -> str:
    low, high = map(short_number, figure.limits)
    if figure.limits[0] == figure.limits[1]:
        return f"Weights without the bias; all of them are {low}."
    if figure.channels == 3:
        return f"Weights without the bias, one scale for all classes and channels: {low} is 0, {high} is 255."
    mean = "" if figure.channels == 1 else f", mean over {figure.channels} channels"
    return f"Weights without the bias{mean}, one scale for all classes: {low} black, {high} white."
