"""What all pictures share: matplotlib without its global settings, a heading, the layout, and the way to a PNG file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from linprobe.errors import require
from linprobe.publish import publish_file
from linprobe.report.labels import drawable, font_file, tick_labels, wrap
from linprobe.report.style import DPI, GAP, GRID, INK, MARGIN, MIN_WIDTH, MUTED, PAPER, SMALL, TEXT, TITLE, leading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Paper
else:
    Paper = Any

__all__ = ["Look", "arrange", "blank", "colours", "dress", "explain", "letters", "paint", "pixels", "save"]

Look = dict[str, Any]  # keyword arguments of matplotlib


def blank(width: float, height: float) -> Paper:
    """White paper of so many pixels, all of whose look is said here: other people's settings have no part in it."""
    paper = require("matplotlib.figure", "plots").Figure(
        figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER, edgecolor=PAPER, linewidth=0, layout="none"
    )
    require("matplotlib.backends.backend_agg", "plots").FigureCanvasAgg(paper)
    return paper


def letters(size: float = SMALL, colour: str = MUTED, *, bold: bool = False) -> Look:
    """How words look, which are shown literally."""
    fonts = require("matplotlib.font_manager", "plots")
    font = fonts.FontProperties(fname=font_file(bold), size=size)
    return {"fontproperties": font, "color": colour, "parse_math": False, "usetex": False}


def dress(axes: "Axes", *, down: str = "", across: str = "", lines: bool = False) -> None:
    """Name the axes, above and below their left end; lines, which curves have: at the ticks, and the floor."""
    axes.set_facecolor(PAPER)
    axes.minorticks_off()
    axes.grid(visible=False, which="both")
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=lines and side == "bottom", color=INK, linewidth=0.8, linestyle="solid")
    axes.tick_params(
        which="both", direction="out", width=0.8, length=0, pad=4, color=INK, top=False, right=False, left=False,
        bottom=True, labelleft=True, labelbottom=True, labeltop=False, labelright=False,
    )  # fmt: skip
    if lines:
        axes.grid(visible=True, axis="y", color=GRID, linewidth=0.6, linestyle="solid", alpha=1)
        axes.tick_params(axis="x", length=3)
    axes.set_title(down, loc="left", pad=7, y=1.0, **letters(TEXT, INK))
    axes.set_xlabel(across, loc="left", labelpad=4, **letters(TEXT, INK))


def colours(name: str) -> Any:
    """One of matplotlib's colour maps."""
    return require("matplotlib", "plots").colormaps[name]


def paint(axes: "Axes", values: np.ndarray, colour_map: str, limits: tuple[float, float], **where: Any) -> None:
    """Show values (Y, X) as colours, a cell for each."""
    low, high = limits
    look: Look = {"origin": "upper", "interpolation": "nearest", "aspect": "auto", "resample": False} | where
    axes.imshow(values, cmap=colours(colour_map), vmin=low, vmax=high, **look)


def explain(
    scale: "Axes",
    what: str,
    colour_map: str,
    limits: tuple[float, float],
    ticks: list[float],
    names: list[str] | None = None,
) -> None:
    """Make axes beside a plot the scale of its colours."""
    dress(scale)
    paint(scale, np.linspace(*limits, 256)[:, None], colour_map, limits, origin="lower", extent=(0, 1, *limits))
    scale.set_xticks([])
    scale.set_yticks(ticks, names or tick_labels(ticks), **letters())
    scale.tick_params(right=True, labelleft=False, labelright=True, length=3)
    scale.yaxis.set_label_position("right")
    scale.set_ylabel(what, labelpad=6, **letters())


def arrange(
    paper: Paper,
    axes: "Axes",
    title: str,
    caption: list[str],
    *,
    size: tuple[float | None, float],
    parts: tuple[int, int] = (1, 1),
) -> None:
    """Write the heading, lay everything out, and make the paper as large as gives the axes this size, in pixels.

    A width of None is what the paper leaves. parts: columns and rows of the axes, each of whole pixels.
    """
    engines = require("matplotlib.layout_engine", "plots")
    engine = engines.ConstrainedLayoutEngine(w_pad=GAP / DPI, h_pad=0, wspace=0, hspace=0)
    head: list[tuple[str, Look, int]] = []
    for _ in range(4):
        width, height = paper.bbox.size
        head = [(line, letters(TITLE, INK, bold=True), leading(TITLE)) for line in _lines(title, width, bold=True)]
        head += [(line, letters(), leading(SMALL)) for sentence in caption for line in _lines(sentence, width)]
        top = MARGIN + sum(high for *_, high in head) + GAP
        side = (MARGIN - GAP) / width  # the engine keeps a gap beside all axes
        free = (side, MARGIN / height, 1 - 2 * side, 1 - (top + MARGIN) / height)
        engine.set(rect=free)
        engine.execute(paper)
        box = axes.get_window_extent()
        wider = 0 if size[0] is None else max(size[0] - box.width, MIN_WIDTH - width)
        higher = size[1] - box.height
        if max(abs(wider), abs(higher)) < 1:
            break
        # A hundredth of a pixel more, or 799.9999 would be cut to 799.
        paper.set_size_inches((round(width + wider) + 0.01) / DPI, (round(height + higher) + 0.01) / DPI)
    width, height = paper.bbox.size
    box, (columns, rows) = axes.get_window_extent(), parts
    across, down = round(box.width) // columns * columns, round(box.height) // rows * rows
    left, bottom = round(box.x0), round(box.y1) - down
    axes.set_position((left / width, bottom / height, across / width, down / height))
    y = height - MARGIN
    for line, look, high in head:
        paper.text(MARGIN / width, y / height, line, ha="left", va="top", **look)
        y -= high


def _lines(words: str, width: float, *, bold: bool = False) -> list[str]:
    """Words broken to the width of the paper."""
    size, most = (TITLE, 2) if bold else (SMALL, 3)
    return wrap(drawable(words), size, width - 2 * MARGIN, bold=bold, lines=most)


def pixels(paper: Paper) -> np.ndarray:
    """Draw it -> uint8 (height, width, 3)."""
    canvas: Any = paper.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save(path: Path, paper: Paper) -> None:
    """Write it as a PNG, whole or not at all."""
    image = Image.fromarray(pixels(paper))
    with publish_file(path) as partial:
        image.save(partial, format="PNG", dpi=(DPI, DPI))
