"""A piece of work told in steps: each figure beside what was expected of it, to be shown by whoever shows things."""

import math
from dataclasses import dataclass
from typing import Any, Literal


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


def accuracy_rows(what: str, measured: dict[str, Any], expected: str = "") -> tuple[Row, Row]:
    """An accuracy and its interval, from {accuracy, interval, n}."""
    low, high = measured["interval"]
    return (
        Row(what, f"{measured['accuracy']:.4f}", expected),
        Row("95 % interval (Wilson)", f"{low:.4f} to {high:.4f}", f"from {measured['n']:,} examples"),
    )


def proven(objective: float, gap: float) -> str:
    """What a certificate means, in a sentence."""
    # As many digits as tell the two apart, and no more than float64 can prove.
    digits = min(12, max(6, 2 - math.floor(math.log10(max(gap / objective, 1e-12))))) if objective > 0 else 6
    return (
        "Proven in float64, from the rows and the model alone: at this reg no linear classifier has an objective below "
        f"{max(0, objective - gap):.{digits}g}; this one has {objective:.{digits}g}."
    )
