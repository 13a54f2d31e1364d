"""grid.png: the validation accuracy of every setting."""

import os
from collections.abc import Sequence

import numpy as np

from linprobe.errors import UsageError
from linprobe.report.heatmap import Keys, cells, colours, readable_on
from linprobe.report.sheet import Heading, Sheet
from linprobe.report.style import (
    CELL_SIZES,
    CELLS_HEIGHT,
    CELLS_WIDTH,
    GAP,
    INK,
    MARGIN,
    MIN_WIDTH,
    MUTED,
    ORDERED_MAP,
    PAPER,
    SMALL,
    TEXT,
    em,
    leading,
)
from linprobe.report.words import drawable, every, nice_ticks, short_numbers, shorten, tick_labels, widest, width


def draw_grid(
    path: str | os.PathLike[str],
    learning_rates: Sequence[float] | np.ndarray,
    regs: Sequence[float] | np.ndarray,
    accuracy: np.ndarray,
    *,
    best: tuple[int, int] | None,
    status: np.ndarray | None = None,
    title: str,
) -> None:
    """Write the heat map of validation accuracy, the best setting framed, diverged ones hatched, as a PNG.

    learning_rates (L,), from the bottom up; regs (R,), from left to right; accuracy (L, R) in [0, 1], NaN where there
    is none; best: its row and column in `accuracy`, or None; status (L, R) words, where "diverged" hatches too.
    Numbers that no longer fit are left out, and the caption says so. Raises UsageError for shapes that do not match,
    OutputError where the file cannot be written.
    """
    grid_sheet(learning_rates, regs, accuracy, best=best, status=status, title=title).save(path)


def grid_sheet(
    learning_rates: Sequence[float] | np.ndarray,
    regs: Sequence[float] | np.ndarray,
    accuracy: np.ndarray,
    *,
    best: tuple[int, int] | None,
    status: np.ndarray | None = None,
    title: str,
) -> Sheet:
    """The page that `draw_grid` writes."""
    accuracy = np.asarray(accuracy, dtype=np.float64)
    rows, columns = len(learning_rates), len(regs)
    _check(accuracy, (rows, columns), best, status)
    hatched, words = _hatched(accuracy, status)
    value = np.where(hatched, 0.0, accuracy)
    low, high = (value[~hatched].min(), value[~hatched].max()) if not hatched.all() else (0.0, 0.0)

    size, cell_width, cell_height = _cell_size(value, rows, columns)
    row_names, column_names = short_numbers(learning_rates), short_numbers(regs)
    left = MARGIN + widest(row_names, SMALL) + GAP
    map_width, map_height = columns * cell_width, rows * cell_height

    keys = Keys("validation accuracy", ORDERED_MAP, _ramp_ticks(low, high), words)
    content = max(MIN_WIDTH, left - MARGIN + map_width + widest(column_names, SMALL) // 2, keys.width)
    caption = ["No best setting was chosen." if not hatched.all() else "No setting has an accuracy to show."]
    if best is not None:
        where = f"learning rate {row_names[best[0]]}, λ {column_names[best[1]]}"
        caption = [f"Best, framed: {_three(float(accuracy[best]))} at {where}."]
    if not size:
        caption.append("Too many settings for numbers in the cells: results.csv has them.")
    heading = Heading(title, caption, content)
    top = MARGIN + heading.height + leading(TEXT) + GAP
    # Rows lower than a line of text: the lowest name reaches below the map, where the first column's name begins.
    under = top + map_height + max(0, (leading(SMALL) - cell_height) // 2)
    below = under + leading(SMALL) + leading(TEXT) + 2.5 * GAP
    sheet = Sheet(content + 2 * MARGIN, below + keys.height + MARGIN)

    heading.draw(sheet)
    sheet.text(MARGIN, top - GAP - leading(TEXT) / 2, "learning rate")
    shade = colours((value - low) / (high - low) if high > low else np.ones_like(value), ORDERED_MAP)
    sheet.image(left, top, cells(shade[::-1], hatched[::-1], cell_width, cell_height))

    step = every(rows, cell_height, leading(SMALL))
    for i in range(0, rows, step):
        y = top + (rows - i - 0.5) * cell_height
        sheet.text(left - GAP, y, row_names[i], size=SMALL, colour=MUTED, align="right")
    step = every(columns, cell_width, widest(column_names, SMALL) + GAP)
    for j in range(0, columns, step):
        x = left + (j + 0.5) * cell_width
        sheet.text(x, under + leading(SMALL) / 2, column_names[j], size=SMALL, colour=MUTED, align="center")
    sheet.text(left, under + leading(SMALL) + GAP / 2 + leading(TEXT) / 2, "regularisation λ")

    if size:
        for i, j in np.argwhere(~hatched):
            x, y = left + (j + 0.5) * cell_width, top + (rows - i - 0.5) * cell_height
            sheet.text(x, y, _three(float(value[i, j])), size=size, colour=readable_on(shade[i, j]), align="center")
    if best is not None:
        x, y = left + best[1] * cell_width, top + (rows - 1 - best[0]) * cell_height
        # Dark with a light edge on both sides: seen on every colour, and without any.
        sheet.frame(x - 1, y - 1, cell_width + 1, cell_height + 1, colour=PAPER, line=8)
        sheet.frame(x - 1, y - 1, cell_width + 1, cell_height + 1, colour=INK, line=4)
    keys.draw(sheet, MARGIN, below)
    return sheet


def _check(
    accuracy: np.ndarray, shape: tuple[int, int], best: tuple[int, int] | None, status: np.ndarray | None
) -> None:
    if 0 in shape:
        raise UsageError("grid.png: the grid has no settings; give one learning rate and one reg at least")
    for what, found in (("accuracy", accuracy.shape), ("status", np.shape(status) if status is not None else shape)):
        if found != shape:
            raise UsageError(
                f"grid.png: {what} has the shape {found}; give one for each of {shape} (learning_rate, reg)"
            )
    if best is not None and not (0 <= best[0] < shape[0] and 0 <= best[1] < shape[1]):
        raise UsageError(f"grid.png: the best setting {best} is outside the grid of {shape}; give its row and column")
    if best is not None and not np.isfinite(accuracy[best[0], best[1]]):
        raise UsageError(f"grid.png: the best setting {best} has no accuracy; choose among those that have one")


def _hatched(accuracy: np.ndarray, status: np.ndarray | None) -> tuple[np.ndarray, str | None]:
    """Which cells have no accuracy to show, and the sentence of the key about them."""
    hatched = ~np.isfinite(accuracy)
    said = np.full(accuracy.shape, "diverged") if status is None else np.asarray(status).astype(str)
    hatched |= said == "diverged" if status is not None else False
    if not hatched.any():
        return hatched, None
    names, counts = np.unique(said[hatched], return_counts=True)
    total = accuracy.size
    kinds = ", ".join(f"{drawable(name)}: {count:,}" for name, count in zip(names, counts, strict=True))
    return hatched, shorten(f"{kinds} of {total:,} setting{'s' if total > 1 else ''}", SMALL, MIN_WIDTH - 60)


def _cell_size(value: np.ndarray, rows: int, columns: int) -> tuple[float | None, int, int]:
    """Type size of the numbers (None: they do not fit), width and height of a cell."""
    longest = max((_three(number) for number in (value.min(), value.max())), key=len)
    for size in CELL_SIZES:
        wide, high = width(longest, size) + round(0.9 * em(size)), round(2.1 * em(size))
        if columns * wide <= CELLS_WIDTH and rows * high <= CELLS_HEIGHT:
            # A small grid gets larger cells, not a picture of the size of a stamp.
            return size, max(wide, min(140, 420 // columns)), max(high, min(72, 220 // rows))
    cell = max(2, min(26, CELLS_WIDTH // columns, CELLS_HEIGHT // rows))
    return None, cell, cell


def _ramp_ticks(low: float, high: float) -> list[tuple[float, str]]:
    if high <= low:  # one colour needs no explanation
        return []
    ticks = nice_ticks(low, high, 5)
    return [((tick - low) / (high - low), label) for tick, label in zip(ticks, tick_labels(ticks), strict=True)]


def _three(number: float) -> str:
    return f"{number:.3f}"
