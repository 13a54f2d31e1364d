"""confusion.png: which class is predicted as which."""

import os
from collections.abc import Sequence

import numpy as np

from linprobe.errors import UsageError
from linprobe.report.heatmap import Keys, cells, colours, readable_on
from linprobe.report.sheet import Heading, Sheet
from linprobe.report.style import (
    CELL_SIZES,
    CELLS_WIDTH,
    FAINT,
    GAP,
    INK,
    MARGIN,
    MIN_WIDTH,
    MUTED,
    SHARE_MAP,
    SMALL,
    SMALLEST,
    TEXT,
    em,
    leading,
)
from linprobe.report.words import class_labels, every, widest, width
from linprobe.steps import counted

NAMED = 100  # classes; more of them are numbered
NAME_WIDTH = 200  # pixels


def draw_confusion(path: str | os.PathLike[str], counts: np.ndarray, classes: Sequence[str], *, title: str) -> None:
    """Write the confusion matrix, coloured by the share of the true class, with each class's recall, as a PNG.

    counts (K, K) whole numbers, a row per true class, a column per predicted class; classes (K,) names, shown
    literally, or numbers beyond 100 classes. Rows without examples are hatched; counts that do not fit are left out,
    and the caption says so. Raises UsageError for other counts, OutputError where the file cannot be written.
    """
    confusion_sheet(counts, classes, title=title).save(path)


def confusion_sheet(counts: np.ndarray, classes: Sequence[str], *, title: str) -> Sheet:
    """The page that `draw_confusion` writes."""
    counts = np.asarray(counts)
    _check(counts, len(classes))
    count = len(classes)
    examples = counts.sum(axis=1)
    absent = examples == 0
    share = counts / np.maximum(examples, 1)[:, None]

    size, cell = _cell_size(counts)
    named = count <= NAMED
    names_size = _names_size(cell)
    names = class_labels(classes if named else [str(k) for k in range(count)], names_size, NAME_WIDTH)
    recall = ["–" if absent[k] else f"{share[k, k]:.2f}" for k in range(count)]
    names_width, map_size = widest(names, names_size), count * cell
    left = MARGIN + max(names_width, width("true class", TEXT) if cell < 40 else 0) + GAP
    right = left + map_size + GAP + max(widest(recall, names_size), width("recall", SMALL))

    # The square root lets the few per cent that errors usually are be seen; without it they look like none.
    ticks = [(np.sqrt(percent / 100), f"{percent} %") for percent in (0, 5, 25, 50, 100)]
    gone = int(absent.sum())
    keys = Keys("share of the true class", SHARE_MAP, ticks, f"no examples of this class: {gone}" if gone else None)
    across = max(MIN_WIDTH, right - MARGIN, keys.width)
    heading = Heading(title, _caption(counts, bool(size)), across)
    top = MARGIN + heading.height + leading(TEXT) + GAP
    horizontal = names_width <= cell - GAP
    under = leading(names_size) if horizontal else names_width + GAP
    below = top + map_size + GAP + under + leading(TEXT) + 2 * GAP
    sheet = Sheet(across + 2 * MARGIN, below + keys.height + MARGIN)

    heading.draw(sheet)
    number = "" if named else " (number)"
    sheet.text(MARGIN, top - GAP - leading(TEXT) / 2, f"true class{number}")
    sheet.text(left + map_size + GAP, top - GAP - leading(TEXT) / 2, "recall", size=SMALL, colour=MUTED)
    shade = colours(np.sqrt(share), SHARE_MAP)
    sheet.image(left, top, cells(shade, np.broadcast_to(absent[:, None], counts.shape), cell, cell))
    step = every(count, cell, em(names_size) * 1.2)
    for k in range(0, count, step):
        middle = (k + 0.5) * cell
        colour = MUTED if absent[k] else INK
        sheet.text(left - GAP, top + middle, names[k], size=names_size, colour=colour, align="right")
        sheet.text(left + map_size + GAP, top + middle, recall[k], size=names_size, colour=MUTED)
    if named or horizontal:
        step = 1
    for k in range(0, count, step):
        x, y = left + (k + 0.5) * cell, top + map_size + GAP
        if horizontal:
            sheet.text(x, y + leading(names_size) / 2, names[k], size=names_size, align="center")
        else:
            sheet.text(x, y, names[k], size=names_size, align="right", upright=True)
    sheet.text(left, top + map_size + GAP + under + leading(TEXT) / 2, f"predicted class{number}")
    if size:
        for i, j in np.argwhere(~np.broadcast_to(absent[:, None], counts.shape)):
            colour = readable_on(shade[i, j]) if counts[i, j] else FAINT
            x, y = left + (j + 0.5) * cell, top + (i + 0.5) * cell
            sheet.text(x, y, str(counts[i, j]), size=size, colour=colour, align="center")
    keys.draw(sheet, MARGIN, below)
    return sheet


def _check(counts: np.ndarray, classes: int) -> None:
    if counts.shape != (classes, classes) or classes == 0:
        raise UsageError(
            f"confusion.png: the counts have the shape {counts.shape}; give ({classes}, {classes}), "
            "a row and a column for each class, one class at least"
        )
    if not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise UsageError("confusion.png: the counts are not whole numbers from 0 up; give numbers of examples")


def _cell_size(counts: np.ndarray) -> tuple[float | None, int]:
    """Type size of the counts (None: they do not fit) and the side of a cell."""
    classes = len(counts)
    for size in CELL_SIZES:
        cell = max(width(str(counts.max()), size) + round(0.7 * em(size)), round(2.2 * em(size)))
        if classes * cell <= CELLS_WIDTH:
            return size, max(cell, min(110, 400 // classes))
    return None, max(2, min(26, 1400 // classes))


def _names_size(cell: int) -> float:
    size = TEXT
    while size > SMALLEST and em(size) * 1.2 > cell:
        size -= 0.5
    return size


def _caption(counts: np.ndarray, numbered: bool) -> list[str]:
    right, total = int(np.trace(counts)), int(counts.sum())
    first = (
        f"{right:,} of {counted(total, 'example')} right, accuracy {right / total:.3f}." if total else "No examples."
    )
    return [first] if numbered else [first, "Too many classes for counts in the cells."]
