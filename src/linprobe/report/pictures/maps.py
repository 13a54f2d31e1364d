"""grid.png of a map, and confusion.png: colours and numbers in cells."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.errors import require
from linprobe.report.figures import Confusion, Map
from linprobe.report.labels import class_labels, every, nice_ticks, short_numbers, widest, width
from linprobe.report.pictures.paper import Paper, arrange, blank, dress, explain, letters, paint
from linprobe.report.style import (
    BAR,
    CELL_SIZES,
    CELLS,
    DPI,
    FAINT,
    GAP,
    INK,
    MIN_WIDTH,
    MUTED,
    ORDERED_MAP,
    PAPER,
    SHARE_MAP,
    SMALL,
    SMALLEST,
    TEXT,
    em,
    leading,
)
from linprobe.results.steps import AXES, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_confusion", "draw_map", "readable_on"]

NAMED = 100  # classes; more of them are numbered
NAME_WIDTH = 200  # pixels
CELL_CLASSES = 1000  # a cell each; of more, as many of them together as make no more cells
PER_CENT = (0, 5, 25, 50, 100)  # on the scale of shares
PARTED = 10  # pixels; smaller cells have no lines between them


def draw_map(figure: Map) -> Paper:
    """The heat map of validation accuracy, the chosen setting framed, cells without one hatched."""
    rows, columns = figure.accuracy.shape
    known = np.isfinite(figure.accuracy)
    size, wide, high = _cell("0.000", rows, columns)
    names_y, names_x = short_numbers(figure.ys), short_numbers(figure.xs)
    down, across = AXES[figure.down], AXES[figure.across]
    paper, axes, scale = _start(figure.accuracy, ORDERED_MAP, figure.limits, (wide, high), down, across)
    ticks = nice_ticks(*figure.limits, max(2, min(8, rows * high // 60)))
    _name(axes.yaxis, names_y, every(rows, high, leading(SMALL)), SMALL)
    _name(axes.xaxis, names_x, every(columns, wide, widest(names_x, SMALL) + GAP), SMALL)
    axes.invert_yaxis()
    explain(scale, "validation accuracy", ORDERED_MAP, figure.limits, ticks)
    if size:
        _write(axes, figure.accuracy, known, ~known, size, "{:.3f}".format)
    _frame(axes, figure.frame, 0.5, [(PAPER, 8, "solid"), (INK, 4, "solid")])
    for place in figure.marked:
        _frame(axes, place, 0.38, [(PAPER, 4, "solid"), (INK, 2, (0, (1, 1)))])
    settings = figure.settings
    caption = [
        f"Framed: the chosen setting, {settings.accuracy(settings.best):.3f} at {settings.named(settings.best)}."
    ]
    if figure.others:
        caption.append(f"Each cell has the best of all values of {' and '.join(figure.others)}.")
    if figure.lost:
        caption.append(f"Hatched: {len(figure.lost):,} of {known.size:,} that diverged.")
    if figure.marked:
        kept = "the one" if len(figure.marked) == 1 else f"the {len(figure.marked):,}"
        caption.append(f"Dotted: {kept} retrained on all features.")
    if not size:
        caption.append("Too many settings for numbers in the cells: results.csv has them.")
    arrange(paper, axes, figure.title, caption, size=(columns * wide, rows * high), parts=(columns, rows))
    return paper


def draw_confusion(figure: Confusion) -> Paper:
    """The confusion matrix, coloured by the share of the true class, with each class's recall."""
    at_once = -(-len(figure.counts) // CELL_CLASSES)
    full, figure = figure, figure if at_once == 1 else figure.summed(at_once)
    counts, absent = figure.counts, figure.absent
    K = len(counts)
    size, cell = _square(str(counts.max()), K)
    names_size = TEXT
    while names_size > SMALLEST and em(names_size) * 1.2 > cell:
        names_size -= 0.5
    named = K <= NAMED
    names = class_labels(figure.classes if named else [str(k * at_once) for k in range(K)], names_size, NAME_WIDTH)
    shade = np.where(absent[:, None], np.nan, figure.shade)
    number = "" if named else " (number)"
    across = f"predicted class{number}"
    paper, axes, scale = _start(shade, SHARE_MAP, (0.0, 1.0), (cell, cell), f"true class{number}", across)
    step, upright = 1 if named else every(K, cell, leading(names_size)), widest(names, names_size) > cell - GAP
    _name(axes.yaxis, names, step, names_size, INK)
    _name(axes.xaxis, names, step, names_size, INK, rotation=90 if upright else 0)
    recall = axes.twinx()
    dress(recall)
    right = np.add.reduceat(full.counts.diagonal(), np.arange(0, len(full.counts), at_once))
    shown = ["–" if absent[k] else f"{right[k] / counts[k].sum():.2f}" for k in range(K)]
    _name(recall.yaxis, shown, step, names_size)
    recall.tick_params(labelleft=False, labelright=True)
    recall.set_ylim(axes.get_ylim())
    axes.annotate("recall", (1, 1), xycoords="axes fraction", xytext=(4, 7), textcoords="offset points", **letters())
    ticks = [math.sqrt(percent / 100) for percent in PER_CENT]
    names = [f"{percent} %" for percent in PER_CENT]
    explain(scale, "share of the true class", SHARE_MAP, (0.0, 1.0), ticks, names)
    if size:
        _write(axes, counts, np.broadcast_to(~absent[:, None], counts.shape), counts == 0, size, str)
    caption = ["No examples."]
    if figure.n:
        caption = [f"{full.correct:,} of {counted(full.n, 'example')} right, accuracy {full.correct / full.n:.3f}."]
    if absent.any():
        which = "" if at_once > 1 else f" of {counted(int(absent.sum()), 'class')}"
        caption.append(f"Hatched: no examples{which}.")
    if not size:
        caption.append("Too many classes for counts in the cells.")
    if at_once > 1:
        caption.append(
            f"Of {len(full.counts):,} classes, each cell sums {at_once} by {at_once}, numbered by the first of them."
        )
    arrange(paper, axes, figure.title, caption, size=(K * cell, K * cell), parts=(K, K))
    return paper


def _start(
    values: np.ndarray, colour_map: str, limits: tuple[float, float], cell: tuple[int, int], down: str, across: str
) -> tuple[Paper, "Axes", "Axes"]:
    """Paper with a map of values (Y, X), which NaN leaves hatched, and the scale of its colours beside it."""
    rows, columns = values.shape
    wide, high = cell
    paper = blank(columns * wide + 600, rows * high + 600)  # room for names; what is too much goes again
    places = paper.add_gridspec(1, 2, width_ratios=(max(columns * wide, MIN_WIDTH // 2), BAR), wspace=0)
    axes, scale = paper.add_subplot(places[0, 0]), paper.add_subplot(places[0, 1])
    dress(axes, down=down, across=across)
    axes.patch.set(facecolor="#eeeeee", edgecolor="#8c8c8c", hatch="////", linewidth=0)
    paint(axes, np.ma.masked_invalid(values), colour_map, limits)
    if min(wide, high) >= PARTED:
        for count, draw in ((columns, axes.axvline), (rows, axes.axhline)):
            for between in range(1, count):
                draw(between - 0.5, color=PAPER, linewidth=0.5, linestyle="solid", marker="")
    return paper, axes, scale


def _name(axis: Any, names: list[str], step: int, size: float, colour: str = MUTED, **more: Any) -> None:
    """Name every so many cells."""
    shown = range(0, len(names), step)
    axis.set_ticks(list(shown), [names[k] for k in shown], **letters(size, colour), **more)


def _write(
    axes: "Axes", values: np.ndarray, where: np.ndarray, faint: np.ndarray, size: float, shown: Callable[[Any], str]
) -> None:
    """Write values (Y, X) into their cells, on whose colour they can be read, but for the faint ones."""
    image: Any = axes.images[0]
    colours = image.cmap(image.norm(image.get_array()), bytes=True)
    for y, x in np.argwhere(where):
        colour = FAINT if faint[y, x] else readable_on(colours[y, x, :3])
        word = axes.text(x, y, shown(values[y, x]), ha="center", va="center_baseline", **letters(size, colour))
        word.set_in_layout(False)


def _frame(axes: "Axes", place: tuple[int, int], reach: float, lines: list[tuple[str, float, Any]]) -> None:
    """Frame a cell: dark between light edges, seen on every colour and without any."""
    y, x = place
    for colour, pixels, style in lines:
        frame = require("matplotlib.patches", "plots").Rectangle(
            (x - reach, y - reach), 2 * reach, 2 * reach, fill=False, edgecolor=colour, linewidth=pixels * 72 / DPI,
            linestyle=style, joinstyle="miter", clip_on=False, zorder=3,
        )  # fmt: skip
        frame.set_in_layout(False)
        axes.add_patch(frame)


def readable_on(colour: np.ndarray) -> str:
    """Black or white, whichever stands out more on a uint8 (3,) colour; a contrast of 4.5 at least, by WCAG 2."""
    parts = colour / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def _cell(longest: str, rows: int, columns: int) -> tuple[float | None, int, int]:
    """Type size of the numbers (None: they do not fit), width and height of a cell."""
    for size in CELL_SIZES:
        wide, high = width(longest, size) + round(0.9 * em(size)), round(2.1 * em(size))
        if columns * wide <= CELLS and rows * high <= CELLS:
            # A small map gets larger cells, not a picture of the size of a stamp.
            return size, max(wide, min(140, 420 // columns)), max(high, min(72, 220 // rows))
    side = max(2, min(26, CELLS // columns, CELLS // rows))
    return None, side, side


def _square(longest: str, K: int) -> tuple[float | None, int]:
    """The same of a square map, of which more can be large."""
    for size in CELL_SIZES:
        side = max(width(longest, size) + round(0.7 * em(size)), round(2.2 * em(size)))
        if K * side <= CELLS:
            return size, max(side, min(110, 500 // K))
    return None, max(2, min(26, 1400 // K))
