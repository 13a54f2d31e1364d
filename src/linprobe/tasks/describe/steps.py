"""A description in steps, as a terminal shows it."""

from collections.abc import Sequence
from typing import Literal

from linprobe.results.steps import LONGEST_CELL, SPLITS, Row, Step, Table, brief, counted
from linprobe.tasks.describe.task import ArrayInfo, Description, SplitInfo

__all__ = ["description_steps"]

MOST_CLASSES, MOST_ARRAYS = 20, 20  # rows of a table; --json has all
UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "bytes"))


def description_steps(found: Description) -> list[Step]:
    """The steps that `linprobe describe` prints."""
    if found.undecided:
        rows = (Row("format", found.format),)
        return [Step(None, found.source, rows, (f"Not clear yet: {found.undecided}.",)), *_arrays(found.arrays)]
    shape = " x ".join(f"{size:,}" for size in found.shape or ())
    features = "" if found.features is None or len(found.shape or ()) == 1 else f"{found.features:,} features"
    rows = [
        Row("format", found.format),
        Row("examples", f"{sum(part.n for part in found.splits):,} of {shape}, {found.dtype}", features),
        Row("classes", f"{len(found.classes):,}"),
        *(Row(SPLITS[part.name], f"{part.n:,}") for part in found.splits),
        *([] if any(part.name == "test" for part in found.splits) else [Row("test", "none", "tune holds rows out")]),
        Row("groups", _groups(found.splits)),
        Row("missing", *_missing(found.splits)),
        Row("identical rows", *_identical(found)),
        Row("memory", f"about {_size(found.memory or 0)} to tune", f"{_size(found.bytes or 0)} as it is"),
        Row("time", f"about {_time(found.seconds or 0.0)} to tune", "within a factor of 3", timed=True),
    ]
    notes = () if found.command is None else (f"Next: {found.command}",)
    return [Step(None, found.source, tuple(rows)), _classes(found, notes)]


def _classes(found: Description, notes: tuple[str, ...]) -> Step:
    """How many examples of each class each split has; of many classes, the largest and the smallest."""
    order = list(range(len(found.classes)))
    if len(order) > MOST_CLASSES:
        order.sort(key=lambda k: -sum(part.counts[k] for part in found.splits))
        half = MOST_CLASSES // 2
        order = order[:half] + order[-half:]
        more = f"The {half} largest and the {half} smallest of {len(found.classes):,} classes; --json has them all."
        notes = (more, *notes)
    cells = tuple(
        (brief(found.classes[k], LONGEST_CELL), *(f"{part.counts[k]:,}" for part in found.splits)) for k in order
    )
    header = ("class", *(SPLITS[part.name] for part in found.splits))
    kinds: list[Literal["number", "word"]] = ["word", *["number" for _ in found.splits]]
    return Step(None, "Classes", (), notes, Table(header, tuple(kinds), cells))


def _arrays(arrays: Sequence[ArrayInfo]) -> list[Step]:
    if not arrays:
        return []
    cells = tuple(
        (brief(each.name, LONGEST_CELL), each.dtype, " x ".join(f"{size:,}" for size in each.shape))
        for each in arrays[:MOST_ARRAYS]
    )
    more = len(arrays) - len(cells)
    notes = (f"And {more:,} more; --json has them all.",) if more else ()
    return [Step(None, "What is in it", (), notes, Table(("name", "type", "shape"), ("word", "word", "word"), cells))]


def _groups(splits: Sequence[SplitInfo]) -> str:
    told = [f"{part.groups:,} in {SPLITS[part.name]}" for part in splits if part.groups is not None]
    return ", ".join(told) or "none"


def _missing(splits: Sequence[SplitInfo]) -> tuple[str, str]:
    """Rows with features that are none."""
    found = [f"{counted(part.not_finite, 'row')} of {SPLITS[part.name]}" for part in splits if part.not_finite]
    if not found:
        return "none", ""
    return ", ".join(found), "NaN or infinite: tune refuses them; leave them out, or fill the values in"


def _identical(found: Description) -> tuple[str, str]:
    said = [f"{part.repeated:,} in {SPLITS[part.name]}" for part in found.splits if part.repeated]
    said += [f"{each.n:,} of {SPLITS[each.second]} also in {SPLITS[each.first]}" for each in found.shared if each.n]
    other = f"{counted(found.contradicting, 'row')} with another label than its twin" if found.contradicting else ""
    return ", ".join(said) or "none", other


def _size(size: int) -> str:
    unit, name = next((unit, name) for unit, name in UNITS if size >= unit or unit == 1)
    return f"{size / unit:,.0f} {name}" if size / unit >= 10 or unit == 1 else f"{size / unit:.1f} {name}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
