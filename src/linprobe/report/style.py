"""How every picture looks: resolution, sizes in points, colours, in this one place."""

__all__ = [
    "ACCENT",
    "BAR",
    "CELLS",
    "CELL_SIZES",
    "CURVES",
    "DPI",
    "FAINT",
    "GAP",
    "GRID",
    "INK",
    "LOST",
    "LOWEST",
    "MARGIN",
    "MIN_WIDTH",
    "MUTED",
    "ORDERED_MAP",
    "PAPER",
    "SHARE_MAP",
    "SMALL",
    "SMALLEST",
    "TEXT",
    "TITLE",
    "em",
    "leading",
]

DPI = 150

TITLE, TEXT, SMALL, SMALLEST = 11.0, 9.0, 8.0, 5.0  # type sizes, in points
CELL_SIZES = (9.0, 8.0, 7.0, 6.0)  # what numbers in cells may shrink through before they are left out

PAPER = "#ffffff"
INK = "#1c2127"
MUTED = "#5a6470"
FAINT = "#8b949e"  # zeros in cells and curves of which there are many: there when looked for
GRID = "#e4e7eb"
ACCENT = "#0b62a8"

# Told apart without colour by their dashes; the hues are Okabe and Ito's, the first darkened to the accent.
CURVES = (
    (ACCENT, "solid", 1.7),
    ("#e08a00", "solid", 1.2),
    ("#4b5563", (0, (4, 1.5)), 1.2),
)
LOST = ("#b3266e", (0, (1.5, 1.2)), 1.2)
LOWEST = ("#009e73", (0, (6, 1.5, 1.5, 1.5)), 1.2)

ORDERED_MAP = "cividis"  # more is lighter: for values in a narrow range; made for colour-blind readers
SHARE_MAP = "Blues"  # nothing is paper, all is ink: for shares, most of which are zero

MARGIN, GAP = 36, 12  # pixels
MIN_WIDTH = 692  # pixels; leaves a title room beside the smallest picture
BAR = 16  # pixels; the width of a scale of colours
CELLS = 1200  # pixels; what a heat map may fill before its numbers are left out


def em(size: float) -> float:
    """Height of a type size on the page; points -> pixels."""
    return size * DPI / 72


def leading(size: float) -> int:
    """Distance from one line of text to the next, at which no two lines touch; points -> pixels."""
    return round(1.36 * em(size))
