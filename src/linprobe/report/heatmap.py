"""What the two heat maps share: cells as pixels, hatching, readable numbers, the keys below."""

from collections.abc import Sequence

import numpy as np

from linprobe.errors import require
from linprobe.report.sheet import Sheet
from linprobe.report.style import GAP, GRID, MUTED, SMALL, leading
from linprobe.report.words import widest, width

RAMP_WIDTH, RAMP_HEIGHT = 300, 16  # pixels


def colours(values: np.ndarray, colour_map: str) -> np.ndarray:
    """Values in [0, 1], any shape -> uint8 (..., 3) by one of matplotlib's colour maps."""
    return require("matplotlib", "plots").colormaps[colour_map](np.clip(values, 0, 1), bytes=True)[..., :3]


def readable_on(colour: np.ndarray) -> str:
    """Black or white, whichever stands out more on a uint8 (3,) colour; a contrast of 4.5 at least, by WCAG 2."""
    parts = colour / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def cells(cell_colours: np.ndarray, hatched: np.ndarray, cell_width: int, cell_height: int) -> np.ndarray:
    """Colours (rows, columns, 3) and a mask of hatched cells -> pixels, cells parted by a white line if big enough."""
    rows, columns = hatched.shape
    pixels = cell_colours.astype(np.uint8).repeat(cell_height, axis=0).repeat(cell_width, axis=1)
    where = hatched.repeat(cell_height, axis=0).repeat(cell_width, axis=1)
    pixels[where] = hatching(rows * cell_height, columns * cell_width)[where]
    if min(cell_width, cell_height) >= 10:
        pixels[cell_height - 1 :: cell_height] = 255
        pixels[:, cell_width - 1 :: cell_width] = 255
    return pixels


def hatching(height: int, width: int) -> np.ndarray:
    """Thin grey diagonals on light grey, uint8 (height, width, 3); continuous from cell to cell."""
    y, x = np.mgrid[:height, :width]
    away = np.abs((x + y) % 10 - 5.0)  # 0 on the line's middle; about two pixels of it are dark, with soft edges
    grey = 140 + 98 * np.clip(away - 0.6, 0, 1)
    return np.broadcast_to(grey[..., None], (height, width, 3)).astype(np.uint8)


class Keys:
    """The rows below a heat map: what its colours mean, and what hatching means; `height` and `width` in pixels."""

    def __init__(self, title: str, colour_map: str, ticks: Sequence[tuple[float, str]], hatch: str | None):
        self._title, self._map, self._ticks, self._hatch = title, colour_map, _apart(ticks), hatch
        self._ramp = 2 * leading(SMALL) if ticks else 0
        self.height = self._ramp + (leading(SMALL) + GAP if hatch else 0)
        ramp = width(title, SMALL) + GAP + RAMP_WIDTH + widest([t for _, t in ticks], SMALL) // 2 if ticks else 0
        self.width = max(ramp, 2 * GAP + 40 + width(hatch or "", SMALL))

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Write them from this corner on."""
        if self._ramp:
            left = x + width(self._title, SMALL) + GAP
            sheet.text(x, y + RAMP_HEIGHT / 2, self._title, size=SMALL, colour=MUTED)
            steps = colours(np.linspace(0, 1, RAMP_WIDTH), self._map)
            sheet.image(left, y, np.broadcast_to(steps, (RAMP_HEIGHT, RAMP_WIDTH, 3)))
            sheet.frame(left, y, RAMP_WIDTH, RAMP_HEIGHT, colour=GRID, line=1)
            for place, label in self._ticks:
                middle = left + place * RAMP_WIDTH
                sheet.line([middle, middle], [y + RAMP_HEIGHT, y + RAMP_HEIGHT + 4], colour=MUTED, points=0.6)
                sheet.text(middle, y + RAMP_HEIGHT + 16, label, size=SMALL, colour=MUTED, align="center")
        if self._hatch:
            y += self._ramp + GAP
            sheet.image(x, y, hatching(20, 40))
            sheet.text(x + 40 + GAP, y + 10, self._hatch, size=SMALL, colour=MUTED)


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    kept: list[tuple[float, str]] = []
    free = -np.inf
    for place, label in ticks:
        half = width(label, SMALL) / 2
        if place * RAMP_WIDTH - half >= free:
            kept.append((place, label))
            free = place * RAMP_WIDTH + half + GAP / 2
    return kept
