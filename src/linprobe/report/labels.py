"""Names and numbers as a picture can show them: drawable, short, of known width."""

import functools
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linprobe.errors import require
from linprobe.report.style import DPI

__all__ = [
    "class_labels",
    "drawable",
    "every",
    "font_file",
    "log_ticks",
    "nice_ticks",
    "percent",
    "short_number",
    "short_numbers",
    "shorten",
    "tick_labels",
    "widest",
    "width",
    "wrap",
]

MISSING = "□"
ELLIPSIS = "…"


def font_file(bold: bool = False) -> Path:
    """The font of all pictures; matplotlib's own, so that a picture does not depend on what a machine has installed."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(require("matplotlib", "plots").get_data_path()) / "fonts" / "ttf" / name


def width(words: str, size: float, bold: bool = False) -> int:
    """Width of one line of drawable text; size in points -> pixels."""
    agg = require("matplotlib.backends.backend_agg", "plots")
    fonts = require("matplotlib.font_manager", "plots")
    font = fonts.FontProperties(fname=font_file(bold), size=size)
    return math.ceil(agg.RendererAgg(1, 1, DPI).get_text_width_height_descent(words, font, False)[0])


def widest(many: Sequence[str], size: float) -> int:
    """Width of the widest of some lines, 0 for none; size in points -> pixels."""
    return max((width(words, size) for words in many), default=0)


def drawable(words: object) -> str:
    """Text that the font can draw on one line: what it lacks becomes one □, what cannot be printed goes."""
    kept: list[str] = []
    for character in " ".join(unicodedata.normalize("NFC", str(words)).split()):
        if ord(character) in _glyphs():
            kept.append(character)
        elif character.isprintable() and not unicodedata.category(character).startswith("M") and kept[-1:] != [MISSING]:
            kept.append(MISSING)
    return " ".join("".join(kept).split())


@functools.cache
def _glyphs() -> frozenset[int]:
    get_font = require("matplotlib.font_manager", "plots").get_font
    codes = set(get_font(font_file()).get_charmap()) & set(get_font(font_file(bold=True)).get_charmap())
    return frozenset(code for code in codes if chr(code).isprintable())


def shorten(words: str, size: float, limit: float, *, bold: bool = False, middle: bool = False) -> str:
    """As much of drawable text as fits `limit` pixels; an ellipsis stands for what is cut, at its end or its middle."""
    if width(words, size, bold) <= limit:
        return words

    def cut(kept: int) -> str:
        tail = kept // 2 if middle else 0
        return words[: kept - tail].rstrip() + ELLIPSIS + words[len(words) - tail :].lstrip()

    low, high = 0, len(words)  # keeping `low` characters fits, or nothing does; keeping `high` does not
    while low + 1 < high:
        kept = (low + high) // 2
        low, high = (kept, high) if width(cut(kept), size, bold) <= limit else (low, kept)
    return cut(low)


def class_labels(classes: Sequence[str], size: float, limit: float) -> list[str]:
    """Class names that can be drawn, fit `limit` pixels and stay apart; a name that cannot be drawn becomes its number.

    Where cutting their ends makes names look the same, they are cut in the middle; where that does not help (or the
    font lacks their letters), they get their number.
    """
    names = [drawable(name) for name in classes]
    names = [name if name.strip(MISSING + " ") else f"class {k}" for k, name in enumerate(names)]
    labels = [shorten(name, size, limit) for name in names]
    for k in _doubles(labels):
        labels[k] = shorten(names[k], size, limit, middle=True)
    for k in _doubles(labels):
        number = f"#{k}"
        room = limit - width(" " + number, size)
        begin = shorten(names[k], size, room)
        labels[k] = number if begin == ELLIPSIS else f"{begin} {number}"
    return labels


def _doubles(labels: list[str]) -> list[int]:
    counts = Counter(labels)
    return [k for k, label in enumerate(labels) if counts[label] > 1]


def wrap(words: str, size: float, limit: float, bold: bool = False, lines: int = 2) -> list[str]:
    """Drawable text broken at its spaces into at most so many lines of `limit` pixels; the last one is shortened."""
    done: list[str] = []
    waiting = words.split(" ")
    while waiting and len(done) < lines - 1:
        line = waiting.pop(0)
        while waiting and width(f"{line} {waiting[0]}", size, bold) <= limit:
            line += " " + waiting.pop(0)
        done.append(line)
    done.append(" ".join(waiting))
    return [shorten(line, size, limit, bold=bold) for line in done if line]


def short_numbers(values: Sequence[float] | np.ndarray) -> list[str]:
    """Numbers as axis labels: as few of three digits or more as tell them apart, all plain or all scientific."""
    numbers = [float(value) for value in values]
    plain = all(value == 0 or 1e-3 <= abs(value) < 1e4 for value in numbers)
    labels: list[str] = []
    for digits in range(3, 8):
        labels = [_number(value, digits, plain) for value in numbers]
        if len(set(labels)) == len(set(numbers)):
            break
    return labels


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Evenly spaced numbers as axis labels, with the same number of decimals."""
    labels = short_numbers(ticks)
    decimals = max(len(label.partition(".")[2]) for label in labels)
    if any("e" in label for label in labels):
        return labels
    return [f"{tick:.{decimals}f}".replace("-", "−") for tick in ticks]


def short_number(value: float) -> str:
    """One number with three digits at most, as `short_numbers` writes it."""
    return short_numbers([value])[0]


def percent(share: float) -> str:
    """A share with one decimal."""
    return f"{100 * share:.1f}\u00a0%"


def _number(value: float, digits: int, plain: bool) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-", "−")
    if plain:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa.replace('-', '−')}e{int(exponent)}"  # with a plain hyphen: shorter, and can be typed


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers in [low, high], about so many, evenly spaced by 1, 2 or 5 times a power of ten."""
    span = high - low
    if not 1e-9 * max(abs(low), abs(high)) < span < math.inf:  # closer than an axis can tell
        return [low]
    raw = span / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= 0.75 * raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers in [low, high], 0 < low, for a logarithmic axis: decades, or 1-2-5 within few of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first <= 4:
        ticks = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 2:
            return ticks
        return nice_ticks(low, high, about)
    step = math.ceil((last - first) / about)
    return [10.0**e for e in range(first, last + 1) if e % step == 0 and low <= 10.0**e <= high]


def every(count: int, pitch: float, needed: float) -> int:
    """Every how-many-th of `count` labels, `pitch` pixels apart, can be shown where each needs so many pixels."""
    return min(max(1, math.ceil(needed / pitch)), max(count, 1))
