"""A piece of work told in steps: each figure beside what was expected of it, to be shown by whoever shows things."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

NAMED = 5  # classes in a sentence; of more, their number
LONGEST = 40  # characters of a name in a sentence
LONGEST_CELL = 100  # and in a table, which has a line for it

# What settings, their figures and splits are called, on a terminal and on the page alike, and why training ended.
AXES = {"learning_rate": "learning rate", "reg": "reg", "momentum": "momentum", "batch_size": "batch size"}
TITLES = AXES | {
    "train_accuracy": "train",
    "val_accuracy": "validation",
    "val_metric": "chosen by",
    "fold_accuracy": "folds",
    "val_loss": "validation loss",
    "objective": "objective",
    "gap": "proven gap",
    "iterations": "iterations",
    "status": "ended",
}
SPLITS = {"train": "train", "val": "validation", "test": "test"}
ENDED = {
    "gap": "proven",
    "search": "compared only",
    "contender": "compared closely",
    "max_iter": "after all steps",
    "no_progress": "early: no progress",
    "stalled": "stalled",
    "failed": "failed",
    "diverged": "diverged",
}


@dataclass(frozen=True)
class Row:
    """One line of a step: what, the figure found, and what was expected of it.

    timed: whether a clock has a part in it. The page has none of those, so that the same run gives the same page.
    """

    what: str
    found: str
    expected: str = ""
    timed: bool = False


@dataclass(frozen=True)
class Table:
    """Figures in columns, each of which has numbers or words; marked: the row that was chosen, if any."""

    header: tuple[str, ...]
    kinds: tuple[Literal["number", "word"], ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None


@dataclass(frozen=True)
class Step:
    """A finished step: its figures, its table, and what is to be said about them in whole sentences."""

    number: int | None
    title: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    table: Table | None = None


def number(value: float, digits: int = 3, rounding: str = ROUND_HALF_EVEN) -> str:
    """A number as people read and type it, with so many digits: 0.25, 1260, 4e4, 1e-6.

    rounding: decimal's; what is proven is rounded to the side on which it stays true.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    whole = Decimal(repr(float(value)))  # as Python would print it: 2e-5 is not a little more than that
    rounded = Context(digits, rounding).create_decimal(whole)
    if -3 <= rounded.adjusted() < 4:
        places = max(0, digits - 1 - rounded.adjusted())  # all digits of whole numbers
        text = f"{whole.quantize(Decimal(1).scaleb(-places), rounding):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = f"{rounded.scaleb(-rounded.adjusted()):f}"
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{rounded.adjusted()}"


def at_most(value: float, digits: int = 2) -> str:
    """An upper bound, such as a gap, rounded up: what was proven of it is true of what is printed."""
    return number(value, digits, ROUND_CEILING)


def brief(name: str, most: int = LONGEST) -> str:
    """A name as a sentence or a table shows it: its beginning, where it is longer than anybody reads."""
    return name if len(name) <= most else f"{name[:most]}…"


def counted(n: int, what: str) -> str:
    """So many of something: 1 example, 2 examples, 3 classes."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}{'es' if what.endswith('s') else 's'}"


def accuracy_rows(
    what: str, accuracy: float, interval: tuple[float, float], n: int, classes: int | None = None
) -> tuple[Row, Row]:
    """An accuracy of n examples and its interval, beside chance among so many classes."""
    low, high = interval
    return (
        Row(what, f"{accuracy:.4f}", "" if classes is None else _beside_chance(low, high, 1 / classes)),
        Row("95 % interval (Wilson)", f"{low:.4f} to {high:.4f}", f"from {counted(n, 'example')}"),
    )


def _beside_chance(low: float, high: float, chance: float) -> str:
    if low <= chance <= high:
        return f"chance, {chance:.4f}, lies in its interval"
    return f"{'above' if chance < low else 'below'} chance, {chance:.4f}"


def within(gap: float | None, objective: float | None, tol: float | None) -> bool:
    """Whether a proven gap shows that an objective is as near to the lowest possible one as was asked for."""
    return gap is not None and objective is not None and tol is not None and gap <= tol * objective


def proven(objective: float, gap: float) -> str:
    """What a certificate means, in a sentence."""
    if objective > 0 and not gap < objective:
        return "Nothing is proven of how near this is to the lowest possible objective: the gap is not below it."
    # As many digits as tell the two apart, and no more than float64 can prove.
    digits = min(12, max(6, 2 - math.floor(math.log10(max(gap / objective, 1e-12))))) if objective > 0 else 6
    return (
        "Proven in float64, from the rows and the model alone: at this reg no linear classifier has an objective below "
        f"{number(objective - gap, digits, ROUND_FLOOR)}; this one has {number(objective, digits)}."
    )


def proven_share(share: float) -> str:
    """What is proven where the gap is this share of the objective."""
    return f"a proven gap of {at_most(share)} of the objective" if share < 1 else "nothing proven"


def without_examples(absent: Sequence[str], where: str = "to learn from") -> tuple[str, ...]:
    """That classes were not among the examples, if any were not."""
    if not absent:
        return ()
    names = [brief(name) for name in absent[:NAMED]]
    if len(absent) == 1:
        return (f"Class {names[0]} has no example {where}.",)
    rest = len(absent) - len(names)
    listed = f"{', '.join(names)} and {rest:,} more" if rest else f"{', '.join(names[:-1])} and {names[-1]}"
    return (f"Classes {listed} have no example {where}.",)


def in_two_splits(identical: Mapping[str, int] | None, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """That examples of val or test are in train too, by their numbers, if any are; sizes: of the splits."""
    identical = identical or {}
    learned = "train or validation" if "val" in identical else "train"
    found: list[str] = []
    for split, name, others in (("val", "validation", "train"), ("test", "test", learned)):
        if same := identical.get(split, 0):
            are = "is" if same == 1 else "are"
            found.append(
                f"{same:,} of {counted(sizes[split], f'{name} example')} {are} identical to one in {others}, so "
                f"{name} accuracy may be too high."
            )
    return tuple(found)


def wider(name: str, best: float, *, low: bool) -> str:
    """What to type to look beyond the end of an axis on which the best value, above 0, lies."""
    first, last = (best / 100, best * 10) if low else (best / 10, best * 100)
    return f"--{name.replace('_', '-')} {number(first)}:{number(last)}:10:log"
