"""The settings that a run compared: which one won and by how much, and all of them as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linprobe.compare.settings import EDGE
from linprobe.core.measure import wilson_interval
from linprobe.report.run import Run
from linprobe.report.words import short_number
from linprobe.results import Tried
from linprobe.steps import AXES, ENDED, TITLES, at_most, counted, wider

ALL_LOST = "All {:,} others diverged."
ROW_BYTES = 26  # of HTML around a figure in a row
FOLDS_LISTED = 10


@dataclass(frozen=True, eq=False)
class Settings:
    """What was tried, the best's place among them, their columns, and n, the validation examples behind each."""

    rows: Sequence[Tried]
    best: int
    columns: tuple[str, ...]
    n: int

    @cached_property
    def varied(self) -> list[str]:
        """The axes along which the rows differ."""
        return [name for name in AXES if len({row.setting.get(name) for row in self.rows}) > 1]

    def accuracy(self, k: int) -> float:
        """The validation accuracy of a row, NaN where it diverged."""
        accuracy = self.rows[k].val_accuracy
        return math.nan if accuracy is None else accuracy

    @cached_property
    def order(self) -> list[int]:
        """Rows from the best on: the chosen one, then by validation accuracy, of equals by validation loss."""

        def place(k: int) -> tuple[bool, bool, float, float]:
            row = self.rows[k]
            accuracy, loss = row.val_accuracy, row.val_loss
            return k != self.best, accuracy is None, -(accuracy or 0), float("inf") if loss is None else loss

        return sorted(range(len(self.rows)), key=place)

    def cells(self, k: int, columns: Sequence[str] | None = None) -> list[str]:
        """The figures of a row in words."""
        return [cell(name, getattr(self.rows[k], name)) for name in columns or self.columns]

    def parts(self, k: int) -> list[str]:
        """What tells a setting from the others, axis by axis."""
        names = self.varied or [name for name in ("learning_rate", "reg") if name in self.rows[k].setting]
        return [f"{AXES[name]} {cell(name, self.rows[k].setting[name])}" for name in names]

    def named(self, k: int) -> str:
        """A setting by what tells it from the others."""
        return ", ".join(self.parts(k))


def settings_of(run: Run) -> Settings:
    """What the run chose among."""
    grid = run.numbers.grid
    return _settings(run, grid.rows, grid.rows.index(grid.best))


def screened_of(run: Run) -> Settings | None:
    """What was screened, the chosen setting among them; None where nothing was."""
    grid = run.numbers.grid
    if grid.screening is None:
        return None
    rows = grid.screening.rows
    return _settings(run, rows, [row.setting for row in rows].index(grid.best.setting))


def _settings(run: Run, rows: Sequence[Tried], best: int) -> Settings:
    several = {name for name in AXES if len({row.setting.get(name) for row in rows}) > 1} | {"learning_rate", "reg"}
    told = [name for name in TITLES if any(getattr(row, name) is not None for row in rows)]
    columns = tuple(name for name in told if name not in AXES or name in several)
    return Settings(rows, best, columns, run.numbers.validated)


def cell(name: str, value: Any) -> str:
    """A figure in words."""
    if value is None:
        return "–"
    if name == "status":
        return ENDED.get(value, str(value))
    if name == "fold_accuracy":
        listed = value if len(value) <= FOLDS_LISTED else (min(value), max(value))
        return (" " if listed is value else " to ").join(f"{one:.4f}" for one in listed)
    if name.endswith("accuracy"):
        return f"{value:.4f}"
    if name in ("iterations", "batch_size"):
        return f"{value:,.0f}"
    if name == "gap":
        return at_most(value)
    if name in ("val_loss", "objective"):  # with as many digits in every row, zeros too
        return format(value, "#.4g" if name == "val_loss" else "#.6g").rstrip(".")
    return short_number(value)


def table(settings: Settings, room: int) -> dict[str, Any]:
    """The rows as the page's table shows them, the best first, as many as there is room for; marked: the chosen."""
    rows, left = [], room
    for k in settings.order:
        cells = settings.cells(k)
        left -= sum(len(one.encode()) + ROW_BYTES for one in cells) + ROW_BYTES
        if left < 0 and rows:
            break
        rows.append({"cells": cells, "marked": k == settings.best, "lost": settings.rows[k].status == "diverged"})
    kinds = {"status": "word", "fold_accuracy": "word"}
    header = [{"title": TITLES[name], "kind": kinds.get(name, "number")} for name in settings.columns]
    sorted_by = settings.columns.index("val_accuracy")
    return {"header": header, "rows": rows, "all": len(settings.rows), "sorted_by": sorted_by}


@dataclass(frozen=True)
class Standing:
    """How the chosen setting stands among those that were trained; second: the runner-up's place, None without one.

    behind: by how much its accuracy is lower (below 0 where one with a higher accuracy was left out of the choice), and
    examples, how many of those of validation that are. interval: 95 % (Wilson) of the chosen one's accuracy, within:
    how many of the others lie in it.
    """

    second: int | None
    others: int
    behind: float
    examples: int
    interval: tuple[float, float]
    within: int


def standing(settings: Settings) -> Standing:
    """By how much the chosen setting won."""
    n, accuracy = settings.n, settings.accuracy(settings.best)
    others = [k for k in settings.order[1:] if settings.rows[k].val_accuracy is not None]
    interval = wilson_interval(round(accuracy * n), n)
    behind = accuracy - settings.accuracy(others[0]) if others else 0.0
    within = sum(interval[0] <= settings.accuracy(k) <= interval[1] for k in others)
    return Standing(others[0] if others else None, len(others), behind, round(behind * n), interval, within)


def lead(settings: Settings) -> list[str]:
    """By how much the chosen setting won, in sentences."""
    found, n = standing(settings), settings.n
    if found.second is None:
        lost = len(settings.rows) - 1
        return [
            "There was no other." if not lost else "The other one diverged." if lost == 1 else ALL_LOST.format(lost)
        ]
    second = settings.named(found.second)
    if found.examples < 0:
        failed = settings.rows[found.second].status == "failed"
        why = "nothing is proven of it" if failed else "it was left out of the choice"
        first = (
            f"Another ({second}) has a validation accuracy {-found.behind:.4f} higher, {-found.examples:,} of "
            f"{counted(n, 'example')}, but {why}."
        )
    elif found.examples == 0:
        right = [round(row.val_accuracy * n) for row in settings.rows if row.val_accuracy is not None]
        equals = right.count(round(settings.accuracy(settings.best) * n)) - 1
        first = (
            f"{equals:,} other setting{'s have' if equals > 1 else ' has'} the same validation accuracy; "
            f"{_decided(settings, found.second)}, and the runner-up is {second}."
        )
    else:
        first = (
            f"It leads the runner-up ({second}) by {found.behind:.4f} in accuracy: {found.examples:,} of "
            f"{counted(n, 'validation example')}."
        )
    interval = f"the 95\u00a0% interval of its own accuracy, {found.interval[0]:.3f} to {found.interval[1]:.3f}"
    if found.others == 1:
        lie = f"the other setting lies in {interval}"
    else:
        lie = f"{found.within:,} of the {found.others:,} other settings lie{'s' * (found.within == 1)} in {interval}"
    return [first, f"That is within the noise: {lie}." if found.within else f"No other setting lies in {interval}."]


def _decided(settings: Settings, second: int) -> str:
    """By what the chosen setting won over one of the same accuracy."""
    losses = [settings.rows[k].val_loss for k in (settings.best, second)]
    if None in losses or losses[0] == losses[1]:
        return "it came first"
    return "the lowest validation loss decided"


def lead_in_brief(settings: Settings) -> str:
    """The same, as the end of a sentence."""
    found = standing(settings)
    if found.second is None:
        return "without another to compare with"
    if found.examples == 0:
        return f"which the runner-up has too; {_decided(settings, found.second)}"
    if found.examples < 0:
        many = counted(-found.examples, "example")
        return f"{-found.behind:.4f} ({many}) below that of another, which was left out of the choice"
    many, noise = counted(found.examples, "example"), "within the noise" if found.within else "outside the noise"
    return f"{found.behind:.4f} ({many}) above the runner-up's: {noise}"


def edges(run: Run) -> list[tuple[str, str]]:
    """For each axis on whose end the best lies, that better may lie beyond it, and what to type to see."""
    grid, says = run.numbers.grid, []
    for name in grid.edges:
        values, best = grid.axes[name], grid.best.setting[name]
        # Of a range of random trials too, even in the logarithm, of which the upper end looks like its middle here.
        low = best - min(values) <= EDGE * (max(values) - min(values))
        option = wider(name, best, low=low) if name in ("learning_rate", "reg") else ""
        where = "has" if not grid.trials else "is near"
        end = f"the {'lowest' if low else 'highest'} {AXES[name]}"
        says.append((f"The best {where} {end} that was tried. Better may lie beyond: widen the axis", option))
    return says
