"""A page measured in pixels, and its way to a PNG file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from linprobe.errors import require
from linprobe.publish import publish_file
from linprobe.report.style import DPI, GAP, INK, MARGIN, MUTED, PAPER, SMALL, TEXT, TITLE, em, leading
from linprobe.report.words import drawable, font_file, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Sheet:
    """A white page; x runs right and y runs down from its top left corner, in pixels.

    Fonts, sizes and colours are set here, not taken from matplotlib's global settings, and those are never changed, so
    sheets can be drawn in several threads. Nothing is laid out automatically.
    """

    def __init__(self, width: float, height: float):
        self.width, self.height = round(width), round(height)
        # A hundredth of a pixel more, or 799.9999 would be cut to 799.
        size = ((self.width + 0.01) / DPI, (self.height + 0.01) / DPI)
        self.figure = require("matplotlib.figure", "plots").Figure(
            figsize=size, dpi=DPI, facecolor=PAPER, edgecolor=PAPER, linewidth=0, layout="none"
        )
        self._canvas = require("matplotlib.backends.backend_agg", "plots").FigureCanvasAgg(self.figure)
        self._pixels = require("matplotlib.transforms", "plots").IdentityTransform()

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = TEXT,
        colour: str = INK,
        bold: bool = False,
        align: Literal["left", "center", "right"] = "left",
        upright: bool = False,
    ) -> None:
        """Write one line, literally; its capitals are centred on y (on x, reading upwards, when `upright`)."""
        fonts = require("matplotlib.font_manager", "plots")
        drop = 0.365 * em(size)  # half the height of a capital in DejaVu Sans
        self.figure.text(
            x + drop if upright else x,
            self.height - (y if upright else y + drop),
            words,
            transform=self._pixels,
            fontproperties=fonts.FontProperties(fname=font_file(bold), size=size),
            color=colour,
            ha=align,
            va="baseline",
            rotation=90 if upright else 0,
            rotation_mode="anchor",
            parse_math=False,
            usetex=False,
        )

    def image(self, x: float, y: float, pixels: np.ndarray) -> None:
        """Lay uint8 (height, width, 3) on the page, pixel for pixel."""
        bottom = self.height - round(y) - pixels.shape[0]
        self.figure.figimage(pixels, xo=round(x), yo=bottom, origin="upper")

    def frame(self, x: float, y: float, width: float, height: float, *, colour: str, line: float) -> None:
        """Outline a rectangle; `line` in pixels, centred on the edge."""
        patch = require("matplotlib.patches", "plots").Rectangle(
            (x, self.height - y - height),
            width,
            height,
            transform=self._pixels,
            fill=False,
            edgecolor=colour,
            linewidth=line * 72 / DPI,
            linestyle="solid",
            joinstyle="miter",
            zorder=2,
        )
        self.figure.add_artist(patch)

    def line(self, xs: list[float], ys: list[float], *, colour: str, style: object = "solid", points: float) -> None:
        """Draw a line through pixel positions; its weight in points."""
        line = require("matplotlib.lines", "plots").Line2D(
            xs,
            [self.height - y for y in ys],
            transform=self._pixels,
            color=colour,
            linestyle=style,
            linewidth=points,
            marker="",
            zorder=-1,  # below the axes
        )
        self.figure.add_artist(line)

    def plot(self, x: float, y: float, width: float, height: float) -> "Axes":
        """Give bare axes (no ticks, no frame) on this rectangle of the page."""
        rectangle = (
            x / self.figure.bbox.width,
            (self.height - y - height) / self.figure.bbox.height,
            width / self.figure.bbox.width,
            height / self.figure.bbox.height,
        )
        axes = self.figure.add_axes(rectangle)
        axes.set_axis_off()
        return axes

    def pixels(self) -> np.ndarray:
        """Draw the page -> uint8 (height, width, 3)."""
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page as a PNG, whole or not at all; the same page gives the same bytes.

        Raises OutputError where it cannot be written.
        """
        image = Image.fromarray(self.pixels())
        with publish_file(Path(path)) as partial:
            image.save(partial, format="PNG", dpi=(DPI, DPI))


class Heading:
    """A title and its caption lines, broken to a width; `height` in pixels, the space below included."""

    def __init__(self, title: str, caption: list[str], width: float):
        self._title = wrap(drawable(title), TITLE, width, bold=True)
        self._caption = [line for sentence in caption for line in wrap(drawable(sentence), SMALL, width, lines=3)]
        self.height = len(self._title) * leading(TITLE) + len(self._caption) * leading(SMALL) + 2 * GAP

    def draw(self, sheet: Sheet, x: float = MARGIN, y: float = MARGIN) -> float:
        """Write it, left-aligned; gives the y where the picture may start."""
        end = y + self.height
        for line in self._title:
            sheet.text(x, y + em(TITLE) / 2, line, size=TITLE, bold=True)
            y += leading(TITLE)
        for line in self._caption:
            sheet.text(x, y + em(SMALL) / 2, line, size=SMALL, colour=MUTED)
            y += leading(SMALL)
        return end
