"""path.png: accuracy along the values of reg."""

import math
import os
from collections.abc import Sequence

import numpy as np

from linprobe.errors import UsageError
from linprobe.report.sheet import Heading, Sheet
from linprobe.report.style import CURVES, GAP, GRID, INK, MARGIN, MUTED, PAPER, SMALL, TEXT, em, leading
from linprobe.report.words import log_ticks, nice_ticks, short_numbers, tick_labels, widest, width

WIDTH, HEIGHT = 1000, 420  # pixels; of the page, and of the plot on it
SWATCH = 34  # pixels; the piece of line before a name
NAMES = ("validation, with its 95 % interval", "train")
BAND = 0.13  # opacity


def draw_path(
    path: str | os.PathLike[str],
    regs: Sequence[float] | np.ndarray,
    train_accuracy: Sequence[float] | np.ndarray,
    val_accuracy: Sequence[float] | np.ndarray,
    val_interval: Sequence[tuple[float, float]] | np.ndarray,
    *,
    best: int,
    title: str,
    caption: str,
) -> None:
    """Write train and validation accuracy over reg on a logarithmic axis, the chosen value ringed, as a PNG.

    regs (R,) positive, ascending; accuracies (R,) in [0, 1]; val_interval (R, 2); best: the index of the chosen value.
    Raises UsageError for shapes and values that do not fit, OutputError where the file cannot be written.
    """
    path_sheet(regs, train_accuracy, val_accuracy, val_interval, best=best, title=title, caption=caption).save(path)


def path_sheet(
    regs: Sequence[float] | np.ndarray,
    train_accuracy: Sequence[float] | np.ndarray,
    val_accuracy: Sequence[float] | np.ndarray,
    val_interval: Sequence[tuple[float, float]] | np.ndarray,
    *,
    best: int,
    title: str,
    caption: str,
) -> Sheet:
    """The page that `draw_path` writes."""
    along, train, val, band = (
        np.asarray(array, dtype=np.float64) for array in (regs, train_accuracy, val_accuracy, val_interval)
    )
    _check(along, train, val, band, best)
    low, high = _range(np.concatenate([train, val, band.ravel()]))
    powers = np.log10(along)  # and not matplotlib's own scale, which fails at what it holds to be too far
    first, last = (powers[0], powers[-1]) if len(along) > 1 else (powers[0] - 0.5, powers[0] + 0.5)
    ticks = nice_ticks(low, high, 6)
    names = tick_labels(ticks)

    left = MARGIN + widest(names, SMALL) + GAP
    plot_width = WIDTH - MARGIN - left
    heading = Heading(title, [caption], WIDTH - 2 * MARGIN)
    top = MARGIN + heading.height + leading(TEXT) + GAP
    bottom = top + HEIGHT
    sheet = Sheet(WIDTH, bottom + leading(SMALL) + leading(TEXT) + GAP + MARGIN)
    heading.draw(sheet)
    axes = sheet.plot(left, top, plot_width, HEIGHT)
    edge = (last - first) * 0.02  # room for the marks at both ends
    axes.set_xlim(first - edge, last + edge)
    axes.set_ylim(low, high)

    def place(power: float, accuracy: float) -> tuple[float, float]:
        x, y = axes.transData.transform((power, accuracy))
        return float(x), sheet.height - float(y)

    for tick, name in zip(ticks, names, strict=True):
        y = place(first, tick)[1]
        sheet.line([left, left + plot_width], [y, y], colour=GRID, points=0.6)
        sheet.text(left - GAP, y, name, size=SMALL, colour=MUTED, align="right")
    sheet.line([left, left + plot_width], [bottom, bottom], colour=INK, points=0.8)
    across = [tick for tick in log_ticks(10.0**first, 10.0**last, 8) if tick > 0]
    for tick, name in zip(across, short_numbers(across), strict=True):
        x = place(math.log10(tick), low)[0]
        sheet.line([x, x], [bottom, bottom + 5], colour=INK, points=0.8)
        sheet.text(x, bottom + GAP + em(SMALL) / 2, name, size=SMALL, colour=MUTED, align="center")
    sheet.text(left, bottom + GAP + leading(SMALL) + em(TEXT) / 2, "reg λ (logarithmic scale)")

    axes.fill_between(powers, band[:, 0], band[:, 1], color=CURVES[0][0], alpha=BAND, linewidth=0, zorder=1)
    for number, values in ((1, train), (0, val)):
        colour, style, points = CURVES[number]
        axes.plot(
            powers, values, color=colour, linestyle=style, linewidth=points, marker="o", markersize=4,
            markerfacecolor=colour, markeredgecolor=colour, clip_on=False, zorder=4 - number,
        )  # fmt: skip
    axes.plot(
        powers[best], val[best], linestyle="", marker="o", markersize=9, markerfacecolor=PAPER, clip_on=False,
        markeredgecolor=INK, markeredgewidth=1.6, zorder=5,
    )  # fmt: skip
    _draw_names(sheet, left, MARGIN + heading.height + em(TEXT) / 2)
    return sheet


def _draw_names(sheet: Sheet, x: float, y: float) -> None:
    """What the lines and the ring mean, in a row above the plot."""
    for (colour, style, points), name in zip(CURVES, NAMES, strict=False):
        sheet.line([x, x + SWATCH], [y, y], colour=colour, style=style, points=points)
        sheet.text(x + SWATCH + GAP, y, name, size=SMALL, colour=MUTED)
        x += SWATCH + 4 * GAP + width(name, SMALL)
    sheet.text(x, y, "○", size=TEXT, bold=True)
    sheet.text(x + width("○", TEXT, bold=True) + GAP, y, "chosen", size=SMALL, colour=MUTED)


def _range(values: np.ndarray) -> tuple[float, float]:
    """Limits of the axis: all values, and a little more, but nothing that an accuracy cannot be."""
    low, high = float(values.min()), float(values.max())
    edge = max(0.04 * (high - low), 0.005)
    return max(0.0, low - edge), min(1.0, high + edge)


def _check(along: np.ndarray, train: np.ndarray, val: np.ndarray, band: np.ndarray, best: int) -> None:
    if along.ndim != 1 or len(along) == 0 or not (along > 0).all() or (np.diff(along) <= 0).any():
        raise UsageError("path.png: the values of reg must be positive and ascend; give each once, in order")
    if train.shape != along.shape or val.shape != along.shape or band.shape != (len(along), 2):
        raise UsageError(f"path.png: give one accuracy of train and validation for each of {len(along)} values of reg")
    if not all(((array >= 0) & (array <= 1)).all() for array in (train, val, band)):
        raise UsageError("path.png: some accuracies are not between 0 and 1")
    if not 0 <= best < len(along):
        raise UsageError(f"path.png: the chosen value is number {best} of {len(along)}; give its index")
