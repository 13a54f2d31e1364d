"""loss.png: the objective along the iterations."""

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.errors import UsageError
from linprobe.report.sheet import Heading, Sheet
from linprobe.report.style import CURVES, GAP, GRID, INK, MARGIN, MUTED, PAPER, SMALL, TEXT, TITLE, em, leading
from linprobe.report.words import (
    drawable,
    log_ticks,
    nice_ticks,
    short_number,
    short_numbers,
    shorten,
    tick_labels,
    widest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 1140, 440  # pixels; of the whole page, and of the least plot on it
SWATCH, LEADER = 34, 30  # pixels; the piece of line before a label, and the way to it
LABEL_WIDTH = 280  # pixels
SMOOTHED = 200  # values; fewer are few enough to see through
MOST_POINTS = 4000  # a line with more is not more exact on the page, only slower


@dataclass(frozen=True, eq=False)
class _Curve:
    label: list[str]
    start: float  # the first step, drawn or not
    steps: np.ndarray  # (r,) of the values that are drawn
    values: np.ndarray  # (r,) finite
    diverged: bool


def draw_losses(
    path: str | os.PathLike[str],
    steps: Sequence[int] | np.ndarray,
    curves: Mapping[str, Sequence[float] | np.ndarray],
    *,
    title: str,
) -> None:
    """Write the objective of some heads along the iterations, each curve named at its end, as a PNG.

    steps (R,) iteration numbers, ascending; curves: name -> values (R,), the most important first; a name is broken
    at its first colon. A curve is drawn until its first value that is not finite, and marked there as diverged. From
    200 steps on, a running median stands before the thin line of all values, and the caption says so. The axis is
    logarithmic when the values are positive and span more than a factor of 20; diverged curves have no say in it.
    Raises UsageError for shapes that do not match, OutputError where the file cannot be written.
    """
    losses_sheet(steps, curves, title=title).save(path)


def losses_sheet(
    steps: Sequence[int] | np.ndarray, curves: Mapping[str, Sequence[float] | np.ndarray], *, title: str
) -> Sheet:
    """The page that `draw_losses` writes."""
    along = np.asarray(steps, dtype=np.float64)
    _check(along, curves)
    prepared = [_prepare(name, along, np.asarray(values, dtype=np.float64)) for name, values in curves.items()]
    low, high, log = _range(prepared)
    ticks = log_ticks(low, high, 7) if log else nice_ticks(low, high, 6)
    tick_names = short_numbers(ticks) if log else tick_labels(ticks)

    left = MARGIN + widest(tick_names, SMALL) + GAP
    labels_width = SWATCH + GAP + max(widest(curve.label, SMALL) for curve in prepared)
    plot_width = WIDTH - MARGIN - left - LEADER - labels_width
    heights = [len(curve.label) * leading(SMALL) + GAP for curve in prepared]
    plot_height = max(HEIGHT, sum(heights))
    caption = [f"Thin: each value; thick: running median of {2 * _reach(len(along)) + 1}."] if _smooth(along) else []
    heading = Heading(title, caption, WIDTH - 2 * MARGIN)
    top = MARGIN + heading.height + leading(TEXT)
    bottom = top + plot_height
    sheet = Sheet(WIDTH, bottom + leading(SMALL) + leading(TEXT) + GAP + MARGIN)

    heading.draw(sheet)
    sheet.text(MARGIN, top - GAP - leading(TEXT) / 2, "objective (logarithmic scale)" if log else "objective")
    axes = sheet.plot(left, top, plot_width, plot_height)
    if log:
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    first, last = float(along[0]), float(along[-1])
    axes.set_xlim(*((first, last) if last > first else (first - 0.5, first + 0.5)))

    def place(step: float, value: float) -> tuple[float, float]:
        x, y = axes.transData.transform((step, min(max(value, low), high)))
        return float(x), sheet.height - float(y)

    for tick, name in zip(ticks, tick_names, strict=True):
        y = place(first, tick)[1]
        sheet.line([left, left + plot_width], [y, y], colour=GRID, points=0.6)
        sheet.text(left - GAP, y, name, size=SMALL, colour=MUTED, align="right")
    sheet.line([left, left + plot_width], [bottom, bottom], colour=INK, points=0.8)
    across = nice_ticks(first, last, 6)
    for tick, name in zip(across, tick_labels(across), strict=True):
        x = place(tick, low)[0]
        sheet.line([x, x], [bottom, bottom + 5], colour=INK, points=0.8)
        sheet.text(x, bottom + GAP + em(SMALL) / 2, name, size=SMALL, colour=MUTED, align="center")
    sheet.text(left, bottom + GAP + leading(SMALL) + em(TEXT) / 2, "iteration")

    ends = [_draw_curve(axes, curve, k, low, high) for k, curve in enumerate(prepared)]
    wanted = [place(*end)[1] for end in ends]
    middles = _spread(wanted, heights, top, bottom)
    for k, (curve, middle) in enumerate(zip(prepared, middles, strict=True)):
        x = left + plot_width + LEADER
        first_line = middle - (len(curve.label) - 1) * leading(SMALL) / 2
        colour, style, points = _look(k)
        if not curve.diverged:
            sheet.line([x - LEADER + 4, x - 4], [wanted[k], first_line], colour=colour, points=0.5)
        sheet.line([x, x + SWATCH], [first_line, first_line], colour=colour, style=style, points=points)
        if curve.diverged:
            sheet.text(x + SWATCH / 2, first_line, "×", size=TITLE, colour=colour, bold=True, align="center")
        for row, words in enumerate(curve.label):
            y = first_line + row * leading(SMALL)
            sheet.text(x + SWATCH + GAP, y, words, size=SMALL, colour=MUTED if row else INK)
    return sheet


def _check(along: np.ndarray, curves: Mapping[str, Sequence[float] | np.ndarray]) -> None:
    if along.ndim != 1 or len(along) == 0 or len(curves) == 0:
        raise UsageError("loss.png: there is nothing to draw; give one step and one curve at least")
    if not np.isfinite(along).all() or (np.diff(along) <= 0).any():
        raise UsageError("loss.png: the steps do not ascend; give each iteration number once, in order")
    for name, values in curves.items():
        if np.shape(values) != along.shape:
            raise UsageError(
                f"loss.png: the curve {name!r} has the shape {np.shape(values)}; give one value for each of "
                f"{len(along)} steps"
            )


def _prepare(name: str, along: np.ndarray, values: np.ndarray) -> _Curve:
    lines = [shorten(drawable(line), SMALL, LABEL_WIDTH) for line in str(name).replace(": ", "\n", 1).splitlines()]
    label = [line for line in lines if line] or ["no name"]
    start = float(along[0])
    lost = np.flatnonzero(~np.isfinite(values))
    if lost.size:
        label.append(f"diverged at iteration {along[lost[0]]:,.0f}")
        along, values = along[: lost[0]], values[: lost[0]]
    else:
        last = f"{values[-1]:#.3g}".rstrip(".") if 1e-3 <= abs(values[-1]) < 1e3 else short_number(values[-1])
        label.append(f"last value {last}")
    return _Curve(label, start, along, values, bool(lost.size))


def _smooth(along: np.ndarray) -> bool:
    return len(along) >= SMOOTHED


def _reach(count: int) -> int:
    """How many values on either side a running median takes: a fiftieth of all, together."""
    return max(1, count // 100)


def _running_median(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centred median at up to a thousand places; narrower towards the ends, where it is the value itself.

    A median, for a falling curve keeps its place under it; a mean would be lifted by the early, large values.
    """
    places = np.unique(np.linspace(0, len(values) - 1, 1000).astype(int))
    reach = np.minimum(_reach(len(values)), np.minimum(places, len(values) - 1 - places))
    medians = [np.median(values[i - r : i + r + 1]) for i, r in zip(places, reach, strict=True)]
    return steps[places], np.array(medians)


def _thin(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest point of each of MOST_POINTS / 2 stretches, and both ends."""
    if len(steps) <= MOST_POINTS:
        return steps, values
    edges = np.linspace(0, len(steps), MOST_POINTS // 2 + 1).astype(int)
    kept = {0, len(steps) - 1}
    for begin, end in itertools.pairwise(edges):
        kept.add(int(begin + values[begin:end].argmin()))
        kept.add(int(begin + values[begin:end].argmax()))
    order = np.array(sorted(kept))
    return steps[order], values[order]


def _range(curves: list[_Curve]) -> tuple[float, float, bool]:
    """Limits of the axis, and whether it is logarithmic."""
    settled = [curve.values for curve in curves if not curve.diverged]
    shown = np.concatenate(settled or [curve.values for curve in curves] or [np.empty(0)])
    if shown.size == 0:  # every curve diverged at once
        return 0.0, 1.0, False
    low, high = float(shown.min()), float(shown.max())
    if not settled and low > 0:  # on the way to infinity: show the beginning
        high = min(high, low * 1e6)
    if low > 1e-290 and high / low > 20:
        edge = (math.log10(high) - math.log10(low)) * 0.04
        return low * 10**-edge, min(high * 10**edge, 1e308), True
    largest = max(abs(low), abs(high))
    edge = (high / 2 - low / 2) * 0.08
    if edge < 1e-10 * largest or largest < 1e-200:  # all the same, as far as an axis can tell
        edge = largest * 0.05 if largest >= 1e-200 else 0.5
    return max(low - edge, -1e307), min(high + edge, 1e307), False


def _look(k: int) -> tuple[str, object, float]:
    return CURVES[k % len(CURVES)]


def _draw_curve(axes: "Axes", curve: _Curve, k: int, low: float, high: float) -> tuple[float, float]:
    """Draw a curve, the first ones above the later ones; gives the point where its label belongs."""
    colour, style, points = _look(k)
    # Far beyond the page Agg loses its way, so a curve ends a little outside.
    lowest, highest = (low / 10, high * 10) if axes.get_yscale() == "log" else (2 * low - high, 2 * high - low)

    def draw(steps: np.ndarray, values: np.ndarray, **look: Any) -> None:
        axes.plot(
            steps, np.clip(values, lowest, highest), color=colour, zorder=4 - k / 100, markeredgecolor=colour,
            solid_capstyle="round", dash_capstyle="butt", solid_joinstyle="round", dash_joinstyle="round", **look,
        )  # fmt: skip

    if curve.steps.size == 1:
        draw(curve.steps, curve.values, linestyle="", marker="o", markersize=4, clip_on=False)
    elif _smooth(curve.steps) and not curve.diverged:
        draw(*_thin(curve.steps, curve.values), linestyle="solid", linewidth=0.5, alpha=0.35, marker="")
        draw(*_running_median(curve.steps, curve.values), linestyle=style, linewidth=points, marker="")
    elif curve.steps.size:
        draw(*_thin(curve.steps, curve.values), linestyle=style, linewidth=points, marker="")

    end = (curve.start, high)
    if curve.steps.size:
        out = np.flatnonzero(curve.values > high)
        stop = int(out[0]) if curve.diverged and out.size else -1
        end = (float(curve.steps[stop]), float(np.clip(curve.values[stop], low, high)))
    if curve.diverged:
        axes.plot(
            *([value] for value in end), linestyle="", marker="X", markersize=8, clip_on=False,
            color=colour, markeredgecolor=PAPER, markeredgewidth=0.8, zorder=5,
        )  # fmt: skip
    return end


def _spread(wanted: list[float], heights: list[int], top: float, bottom: float) -> list[float]:
    """Middles of labels, near where they are wanted, that do not overlap; there is room for all."""
    order = sorted(range(len(wanted)), key=lambda k: (wanted[k], k))
    middles = list(wanted)
    free = top
    for k in order:
        middles[k] = max(middles[k], free + heights[k] / 2)
        free = middles[k] + heights[k] / 2
    free = bottom
    for k in reversed(order):
        middles[k] = min(middles[k], free - heights[k] / 2)
        free = middles[k] - heights[k] / 2
    return middles
